"""Where functions run: in this process, in local processes, or on a Ray cluster.

Training trials of a search and the runs of a comparison are functions that know nothing of each
other. An executor takes them one by one and returns a ``concurrent.futures.Future`` for
each, so ``concurrent.futures.wait`` and ``concurrent.futures.as_completed`` say what is
ready, whatever runs the functions.
"""

from equipoise.errors import InputError
from equipoise.executors.cluster import Ray as Ray
from equipoise.executors.cluster import check_ray
from equipoise.executors.contract import Executor as Executor
from equipoise.executors.contract import Here as Here
from equipoise.executors.contract import WorkerLost as WorkerLost
from equipoise.executors.elsewhere import fair_threads
from equipoise.executors.processes import Processes as Processes

EXECUTORS = ("here", "processes", "ray")
"""The names of the executors, the simplest first."""


def open_executor(
    name: str, *, workers: int = 1, address: str | None = None, threads: int | None = None
) -> Executor:
    """Return an executor by its name; close it, or use it in a ``with`` statement.

    Parameters
    ----------
    name : {"here", "processes", "ray"}
        In this process, in processes of this machine, or by Ray.
    workers : int, default=1
        How many functions run at once, at least 1; "here" has one.
    address : str, optional
        Address of a running Ray cluster: ``"host:port"``, ``"ray://host:port"`` or ``"auto"``.
        Without it, "ray" starts an instance of its own that only this machine can reach.
    threads : int, optional
        Threads of a worker, at least 1. By default the processors of this machine are shared
        out evenly; on a cluster it is the number of processors that each function asks for, 1
        by default.

    Returns
    -------
    Executor
        What runs the functions.

    Raises
    ------
    InputError
        If there is no such executor, an option does not fit it, Ray is not installed or the
        address does not answer.

    Examples
    --------
    >>> import math
    >>> with open_executor("here") as executor:
    ...     futures = [executor.submit(math.sqrt, x) for x in (4, 9)]
    >>> [future.result() for future in futures]
    [2.0, 3.0]
    """
    check_executor(name, workers=workers, address=address, threads=threads)
    if name == "here":
        return Here()
    return Processes(workers, threads) if name == "processes" else Ray(workers, address, threads)


def worker_threads(
    name: str, *, workers: int = 1, address: str | None = None, threads: int | None = None
) -> int | None:
    """Return how many threads each worker of an executor will have; nothing is started.

    Parameters
    ----------
    name, workers, address, threads
        As for `open_executor`.

    Returns
    -------
    int or None
        None: as many as this process.

    Examples
    --------
    >>> worker_threads("here"), worker_threads("processes", workers=2, threads=3)
    (None, 3)
    """
    if name == "here":
        return None
    return threads or (fair_threads(workers) if address is None else 1)


def check_executor(
    name: str, *, workers: int = 1, address: str | None = None, threads: int | None = None
) -> None:
    """Raise `InputError` if an executor cannot have these options; nothing is started.

    Parameters
    ----------
    name, workers, address, threads
        As for `open_executor`.

    Raises
    ------
    InputError
        If there is no such executor, an option does not fit it, Ray is not installed, or nothing
        answers at the address.

    Examples
    --------
    >>> check_executor("here", workers=2)
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... It was asked for 2 workers. ...
    """
    if name not in EXECUTORS:
        raise InputError(
            f"An executor is one of {', '.join(EXECUTORS)}.",
            f"It was given as {name!r}.",
            "Choose one of these names.",
        )
    _check_number("workers", workers)
    if threads is not None:
        _check_number("threads", threads)
    if address is not None and name != "ray":
        raise InputError(
            "Only the executor ray has an address.",
            f"The executor is {name} and the address {address!r}.",
            "Leave the address out, or choose ray.",
        )
    if name == "here":
        _check_here(workers, threads)
    if name == "ray":
        check_ray(address)


def _check_number(option: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(
            f"The number of {option} must be a whole number of at least 1.",
            f"It is {value!r}.",
            "Choose 1 or more.",
        )


def _check_here(workers: int, threads: int | None) -> None:
    if workers > 1 or threads is not None:
        told = f"{workers} workers" if workers > 1 else f"{threads} threads a worker"
        raise InputError(
            "The executor here runs one function at a time, in this process as it is.",
            f"It was asked for {told}.",
            "Leave that out, or choose processes or ray.",
        )
