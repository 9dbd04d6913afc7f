"""Starting the processes that train one network together, and ending them."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, multiprocessing

from equipoise.distributed import join, leave
from equipoise.errors import TrainingError

FAREWELL_SECONDS = 10.0
"""How long a process may take to end once training has ended."""


@dataclass(frozen=True)
class SharedArray:
    """An array that other processes read without a copy of their own.

    Parameters
    ----------
    memory : Tensor or None
        The values in shared memory.
    file : (str, str, tuple of int, int) or None
        Path, type, shape and offset, if the values are those of a file.
    """

    memory: Tensor | None
    file: tuple[str, str, tuple[int, ...], int] | None

    @classmethod
    def of(cls, array: np.ndarray) -> "SharedArray":
        """Share an array: a memory-mapped file by its name, another by one copy."""
        if isinstance(array, np.memmap) and isinstance(array.base, np.memmap) is False:
            place = (str(array.filename), array.dtype.str, array.shape, int(array.offset))
            return cls(None, place)
        return cls(torch.from_numpy(np.ascontiguousarray(array)).share_memory_(), None)

    def array(self) -> np.ndarray:
        """Return the values."""
        if self.file is not None:
            path, dtype, shape, offset = self.file
            return np.memmap(path, np.dtype(dtype), "r", offset, shape)
        assert self.memory is not None
        return self.memory.numpy()


@dataclass(frozen=True)
class _Meeting:
    """Where and how processes meet, and what they do then."""

    size: int
    kind: str
    place: Path
    threads: int
    complaints: Any
    target: Callable[..., None]
    arguments: Sequence[Any]


@contextlib.contextmanager
def companions(
    size: int, kind: str, target: Callable[..., None], arguments: Sequence[Any]
) -> Iterator[None]:
    """Run a function in other processes while this one does its part as the first of them.

    Parameters
    ----------
    size : int
        Number of processes, this one counted; with 1 nothing is started.
    kind : {"cpu", "cuda"}
        Where tensors live.
    target : callable
        Called as ``target(rank, *arguments)`` in each of the others, once all have met; must be
        importable.
    arguments : sequence
        Sent to each.

    Raises
    ------
    TrainingError
        If one of the others fails.
    """
    if size == 1:
        yield
        return
    threads = torch.get_num_threads()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        place, complaints = Path(folder, "meeting"), context.SimpleQueue()
        share = max(1, threads // size)
        meeting = _Meeting(size, kind, place, share, complaints, target, arguments)
        others = [
            context.Process(target=_companion, args=(rank, meeting), daemon=True)
            for rank in range(1, size)
        ]
        torch.set_num_threads(share)
        try:
            for other in others:
                other.start()
            join(0, size, place, kind)
            yield
        except RuntimeError as error:
            raise _failure(others, complaints, error) from error
        finally:
            leave()
            torch.set_num_threads(threads)
            _end(others)


def _companion(rank: int, meeting: _Meeting) -> None:
    # Ctrl-C is for the first process, which ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(meeting.threads)
    try:
        join(rank, meeting.size, meeting.place, meeting.kind)
        meeting.target(rank, *meeting.arguments)
    except BaseException as error:
        meeting.complaints.put(f"{type(error).__name__}: {error}")
        os._exit(1)  # at once: the others notice by the broken connection
    finally:
        leave()


def _failure(others: Sequence[BaseProcess], complaints: Any, error: RuntimeError) -> RuntimeError:
    for other in others:
        other.join(1)
    if all(other.exitcode in (None, 0) for other in others):
        return error  # this process failed by itself
    found = "it ended without a word"
    if not complaints.empty():
        found = complaints.get()
    return TrainingError(f"A process that trained with this one failed: {found}")


def _end(others: Sequence[BaseProcess]) -> None:
    for other in others:
        if other.pid is not None:
            other.join(FAREWELL_SECONDS if other.exitcode is None else 0)
        if other.is_alive():
            other.terminate()
