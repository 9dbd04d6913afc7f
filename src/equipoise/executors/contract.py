"""What every executor does, and the simplest that does it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from equipoise.errors import TrainingError

ResultT = TypeVar("ResultT")


class WorkerLost(TrainingError):  # noqa: N818 - says what happened
    """The process that ran a function ended before it, for instance for want of memory.

    It is the exception of that function's future, and of no other; the executor goes on.

    Examples
    --------
    >>> raise WorkerLost("A worker process was ended by SIGKILL.")
    Traceback (most recent call last):
    ...
    equipoise.executors.contract.WorkerLost: A worker process was ended by SIGKILL.
    """


class Executor(ABC):
    """Decides where functions run.

    A context manager: leaving it closes it.
    """

    workers: int
    """How many functions can run at once."""

    @abstractmethod
    def submit(self, function: Callable[..., ResultT], /, *args: Any) -> Future[ResultT]:
        """Have a function called, as soon as a worker is free.

        Parameters
        ----------
        function : callable
            Defined in a module, for another process must import it.
        *args : object
            What it is called with; small, for it may be sent to another process.

        Returns
        -------
        Future
            Holds what the function returns or raises. Its exception is `WorkerLost` if the
            worker ended first.

        Raises
        ------
        RuntimeError
            If the executor is closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything, without waiting for what runs; may be called again.

        Functions that have not begun are cancelled. The future of one that was stopped has
        the exception ``concurrent.futures.CancelledError``.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Here(Executor):
    """Calls each function in this process, when it is submitted.

    Its exceptions go to the future, but those that end a program, such as
    ``KeyboardInterrupt``, end it.

    Examples
    --------
    >>> with Here() as executor:
    ...     future = executor.submit(int, "x")
    >>> future.exception()
    ValueError("invalid literal for int() with base 10: 'x'")
    """

    workers = 1

    def __init__(self) -> None:
        self._closed = False

    def submit(self, function: Callable[..., ResultT], /, *args: Any) -> Future[ResultT]:
        """Call a function and return its finished future."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[ResultT] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Take no more functions."""
        self._closed = True
