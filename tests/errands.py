"""What `test_executors` has done elsewhere: here, for another process must import it."""

import importlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn

from equipoise.executors import Executor, Here

PATIENCE = 60.0
"""Seconds after which what does not come is given up."""


class Awkward(Exception):  # noqa: N818 - an exception of somebody else
    """Can be sent, but not be made again from its arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def square(number: int) -> int:
    """Return the square."""
    return number * number


def fail(number: int) -> NoReturn:
    """Raise what can be sent."""
    raise KeyError("no such number", number)


def fail_awkwardly() -> NoReturn:
    """Raise what cannot be received."""
    raise Awkward("this", "that")


def leave(code: int) -> NoReturn:
    """Ask the interpreter to end."""
    sys.exit(code)


def interrupt() -> NoReturn:
    """Be where Ctrl-C arrives."""
    raise KeyboardInterrupt


def secret() -> Callable[[], int]:
    """Return what cannot be sent."""
    return lambda: 1


def meet(folder: Path, name: str, other: str) -> int:
    """Come to a place and go when another one has come."""
    (folder / name).touch()
    until((folder / other).exists)
    return os.getpid()


def linger(folder: Path, name: str) -> None:
    """Say which process this is, in a file, and stay."""
    draft = folder / f".{name}"
    draft.write_text(str(os.getpid()))
    draft.rename(folder / name)
    time.sleep(10 * PATIENCE)


def leave_a_copy(folder: Path, name: str) -> NoReturn:
    """Divide this process, and end by force the one that has the task."""
    copy = os.fork()
    if copy == 0:
        time.sleep(10 * PATIENCE)
        os._exit(0)
    (folder / name).write_text(str(copy))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def end_by(number: int) -> None:
    """End this process by a signal."""
    os.kill(os.getpid(), number)


def linger_in_company(folder: Path, name: str) -> None:
    """Start another process and stay."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        (folder / f"{name}-company").write_text(str(other.pid))
        linger(folder, name)


def thread_count() -> int:
    """Return how many threads torch uses."""
    return importlib.import_module("torch").get_num_threads()


def variable(name: str) -> str | None:
    """Return a variable of the environment."""
    return os.environ.get(name)


class Astray(Executor):
    """Calls each function in another working folder, as a worker on another machine has one."""

    workers = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Call a function there; what it is called with has travelled."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            return Here().submit(function, *pickle.loads(pickle.dumps(args)))
        finally:
            os.chdir(before)

    def close(self) -> None:
        """Nothing is open."""


def working_folder() -> str:
    """Return the working folder of the process that does this."""
    return str(Path.cwd())
