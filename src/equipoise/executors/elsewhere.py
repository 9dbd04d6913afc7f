"""What executors share whose functions run in other processes."""

import contextlib
import os
import threading
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.reduction import ForkingPickler
from typing import Any

from equipoise.executors.contract import Executor, ResultT

_ENVIRONMENT = threading.Lock()


class Elsewhere(Executor):
    """Runs functions in other processes: for each that runs, one thread of this one waits.

    So Python's own pool of threads is the queue, and its futures are those of the functions.

    Parameters
    ----------
    workers : int
        How many functions run at once, at least 1.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = ThreadPoolExecutor(workers, "equipoise-executor")
        # Whoever starts something holds it, so that nothing is started that `close` overlooks.
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, function: Callable[..., ResultT], /, *args: Any) -> Future[ResultT]:
        """Have a function called by a worker, as soon as one is free."""
        return self._threads.submit(self._perform, function, args)

    def close(self) -> None:
        """Stop the functions that run, cancel those that wait, and end the workers."""
        with self._lock:
            self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._stop()
        self._threads.shutdown()
        self._release()

    @abstractmethod
    def _perform(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Have a function called, and return or raise what it does."""

    @abstractmethod
    def _stop(self) -> None:
        """Make the functions that run end at once, so that nothing waits for them."""

    @abstractmethod
    def _release(self) -> None:
        """Give back everything else; no function runs any more."""


def unpack(message: bytes | memoryview) -> Any:
    """Return what a process of our own has packed with `ForkingPickler.dumps`."""
    # To pyright it is a method; it is a plain function.
    return ForkingPickler.loads(message)  # pyright: ignore[reportAttributeAccessIssue]


def portable(error: BaseException) -> BaseException:
    """Return an exception that can be sent to another process, its traceback as a note.

    Parameters
    ----------
    error : BaseException
        What was raised. If it cannot be sent, or not be made again from what was sent, the
        answer is a ``RuntimeError`` that tells its type and text.

    Returns
    -------
    BaseException
        That exception, or what stands for it.
    """
    told = "In the worker:\n" + "".join(traceback.format_exception(error))
    try:
        unpack(ForkingPickler.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(told)
    return error


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for what is started inside the block, and put them back.

    Parameters
    ----------
    settings : mapping of str to str
        Names and values.
    """
    with _ENVIRONMENT:
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def thread_settings(threads: int) -> dict[str, str]:
    """Return environment variables that limit the threads of torch, numpy and scikit-learn.

    They are read when these are imported, so they must be there when a process starts.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def fair_threads(workers: int) -> int:
    """Return how many threads each of several workers should use on this machine.

    Parameters
    ----------
    workers : int
        How many run at once.

    Returns
    -------
    int
        An even share of the processors that this process may use, at least 1, and no more than
        ``OMP_NUM_THREADS`` where the user has set it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = max(1, (cores or 1) // workers)
    # It may be a list, one number for each level of nesting.
    wish = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(share, int(wish)) if wish.isdecimal() and int(wish) else share
