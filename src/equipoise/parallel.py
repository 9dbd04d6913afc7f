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

WATCH_SECONDS = 0.2
"""How often it is looked whether a process that is waited for still lives."""


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
        if (place := _place(array)) is not None:
            return cls(None, place)
        kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
        memory = torch.empty(array.shape, dtype=kind).share_memory_()
        memory.numpy()[...] = array
        return cls(memory, None)

    def array(self) -> np.ndarray:
        """Return the values."""
        if self.file is not None:
            path, dtype, shape, offset = self.file
            return np.memmap(path, np.dtype(dtype), "r", offset, shape)
        assert self.memory is not None
        return self.memory.numpy()


def _place(array: np.ndarray) -> tuple[str, str, tuple[int, ...], int] | None:
    """Return the file in which an array's values stand one after the other, or None."""
    # A view of a memory map may be a plain array that only knows the map as its base.
    whole, base = None, array
    while isinstance(base, np.ndarray):
        whole, base = base if isinstance(base, np.memmap) else whole, base.base
    # Changes made to a copy-on-write map are not in its file.
    if whole is None or whole.mode == "c" or whole.filename is None:
        return None
    if not array.flags.c_contiguous or not array.size:
        return None
    shift = array.ctypes.data - whole.ctypes.data
    return str(whole.filename), array.dtype.str, array.shape, int(whole.offset) + shift


@dataclass(frozen=True)
class _Meeting:
    """Where and how processes meet, and what they do then."""

    size: int
    kind: str
    place: Path
    threads: int
    arrivals: Any
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
        arrivals, complaints = context.Semaphore(0), context.SimpleQueue()
        place, share = Path(folder, "meeting"), max(1, threads // size)
        meeting = _Meeting(size, kind, place, share, arrivals, complaints, target, arguments)
        others = [
            context.Process(target=_companion, args=(rank, meeting), daemon=True)
            for rank in range(1, size)
        ]
        torch.set_num_threads(share)
        try:
            for other in others:
                other.start()
            _await(others, arrivals)
            join(0, size, place, kind)
            yield
        except TrainingError:
            raise  # it is told in words already
        except RuntimeError as error:
            if (found := _failure(others, complaints)) is None:
                raise
            raise found from error
        finally:
            leave()
            torch.set_num_threads(threads)
            _end(others)


def _companion(rank: int, meeting: _Meeting) -> None:
    # Ctrl-C is for the first process, which ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(meeting.threads)
    meeting.arrivals.release()
    try:
        join(rank, meeting.size, meeting.place, meeting.kind)
        meeting.target(rank, *meeting.arguments)
    except BaseException as error:
        meeting.complaints.put(f"{type(error).__name__}: {error}")
        os._exit(1)  # at once: the others notice by the broken connection
    finally:
        leave()


def _await(others: Sequence[BaseProcess], arrivals: Any) -> None:
    """Return once all have begun; one that never will would be waited for at the meeting."""
    for _ in others:
        while not arrivals.acquire(timeout=WATCH_SECONDS):
            if any(other.exitcode is not None for other in others):
                raise TrainingError(
                    "A process that shall train with this one ended before it began. "
                    "A script that asks for several must guard its entry by "
                    'if __name__ == "__main__": and define its own classes in a module.'
                )


def _failure(others: Sequence[BaseProcess], complaints: Any) -> TrainingError | None:
    """Return what another process failed of; None: this one failed by itself."""
    started = [other for other in others if other.pid is not None]
    for other in started:
        other.join(1)
    if all(other.exitcode in (None, 0) for other in started):
        return None
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
