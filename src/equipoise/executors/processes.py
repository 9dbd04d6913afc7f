"""Functions in processes of this machine; one that dies takes nothing with it but its task."""

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from equipoise.executors.contract import WorkerLost
from equipoise.executors.elsewhere import (
    Elsewhere,
    environment,
    fair_threads,
    portable,
    thread_settings,
    unpack,
)

_SPAWN = multiprocessing.get_context("spawn")

CHECK_SECONDS = 1.0
"""How often a worker that works is looked after."""


class Processes(Elsewhere):
    """Runs functions in processes of this machine, each of which serves many functions.

    A worker is started when the first function needs it. If it is killed, its function has
    the exception `WorkerLost` and another worker takes its place. Workers do not hear Ctrl-C:
    this process does, and closing ends them, with all that their functions have started. They
    end by themselves if this process is killed.

    Parameters
    ----------
    workers : int
        How many functions run at once, at least 1.
    threads : int, optional
        Threads of a worker, at least 1; by default an even share of the processors.

    Examples
    --------
    >>> import math
    >>> with Processes(1) as executor:
    ...     executor.submit(math.sqrt, 16).result()
    4.0
    """

    def __init__(self, workers: int, threads: int | None = None) -> None:
        super().__init__(workers)
        self.threads = threads or fair_threads(workers)
        self._settings = thread_settings(self.threads)
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        # Python waits at its end for processes that still live. `multiprocessing` has
        # registered that before, so this comes first.
        atexit.register(self.close)

    def _perform(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        message = ForkingPickler.dumps((function, args))
        worker = self._hire()
        try:
            reply = worker.ask(message)
        except (EOFError, OSError):
            raise self._dismiss(worker) from None
        self._idle.append(worker)
        result, error = unpack(reply)
        if error is not None:
            raise error
        return result

    def _hire(self) -> "_Worker":
        """Return a worker that is free; there are never more than threads that ask."""
        with self._lock:
            if self._closed:
                raise CancelledError
            while self._idle:
                worker = self._idle.pop()
                if worker.process.is_alive():
                    return worker
                self._workers.discard(worker)
            with environment(self._settings):
                worker = _Worker()
            self._workers.add(worker)
            return worker

    def _dismiss(self, worker: "_Worker") -> Exception:
        """Clear up after a worker that has ended, and return what that means for its task."""
        worker.kill()
        worker.process.join()
        self._workers.discard(worker)
        return CancelledError() if self._closed else WorkerLost(_farewell(worker.process.exitcode))

    def _stop(self) -> None:
        for worker in list(self._workers):
            if worker.process.is_alive():
                worker.kill()

    def _release(self) -> None:
        for worker in list(self._workers):
            worker.process.join()
        self._workers.clear()
        self._idle.clear()
        atexit.unregister(self.close)


class _Worker:
    """One process and the line to it."""

    def __init__(self) -> None:
        self._line, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(theirs,), name="equipoise-worker")
        with _deaf():
            self.process.start()
        theirs.close()  # now the line breaks when the process ends

    def ask(self, message: Any) -> bytes:
        """Send a task and return the reply; EOFError or OSError if the process ends first."""
        self._line.send_bytes(message)
        # The line alone does not tell: what the task has forked holds its other end, too.
        while not self._line.poll(CHECK_SECONDS):
            if not self.process.is_alive() and not self._line.poll():
                raise EOFError
        return self._line.recv_bytes()

    def kill(self) -> None:
        """End the process and whatever its task has started."""
        if sys.platform != "win32" and self.process.pid:
            # Absent if it has not come far enough to have a group, or all of it has ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Hold back Ctrl-C from a process that is started inside the block, until it can ignore it.

    A signal to this process is not lost: another thread takes it, or this one afterwards.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it inside would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _farewell(code: int | None) -> str:
    """Return a sentence or two on how a worker ended."""
    if code is not None and code < 0:
        named = {each.value: each.name for each in signal.Signals}
        return (
            f"A worker process was ended by {named.get(-code, f'signal {-code}')} before its task "
            "was done. The system does so when memory runs out; then use fewer workers."
        )
    return (
        f"A worker process ended before its task was done, with exit code {code}. "
        'A script must guard its entry by if __name__ == "__main__": to be imported by workers.'
    )


def _serve(line: Connection) -> None:
    """Be a worker: answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a task starts inherits it
    if sys.platform != "win32":
        os.setsid()  # what a task starts can be ended with it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow, daemon=True).start()
    while True:
        try:
            message = line.recv_bytes()
        except (EOFError, OSError):
            return
        line.send_bytes(_reply(message))


def _reply(message: bytes) -> Any:
    try:
        function, args = unpack(message)
        return ForkingPickler.dumps((function(*args), None))
    except BaseException as error:
        return ForkingPickler.dumps((None, portable(error)))


def _follow() -> None:
    """End when the process ends that started this one, in the middle of a task, too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    if sys.platform != "win32":
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
