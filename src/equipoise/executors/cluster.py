"""Functions on a Ray cluster, or on a Ray instance of this machine."""

import importlib
import importlib.util
import logging
import math
import os
import socket
import urllib.parse
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.executors.contract import WorkerLost
from equipoise.executors.elsewhere import (
    Elsewhere,
    environment,
    fair_threads,
    portable,
    thread_settings,
)

ANSWER_SECONDS = 5.0
"""How long a cluster may take to answer at its address."""

STORE_BYTES = 256 * 2**20
"""Shared memory of a local instance, for what functions are given and return."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray prints this to standard output, which is for results; `WorkerLost` says it, too.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^A worker died or was killed",
}
# Ray's word for an instance that other machines cannot join, the default elsewhere than on Linux:
# only then do all its servers listen at the loopback address, and are looked for there.
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# A try takes 40 seconds where something else than Ray answers, and Ray makes 20.
_BRIEF = {"RAY_NUM_REDIS_GET_RETRIES": "1"}


class Ray(Elsewhere):
    """Runs functions as Ray tasks, each once.

    Where machines have GPUs, each task gets an equal part of one, or one as a whole if there
    are enough. Machines of a cluster need the same version of this package, and the files that
    functions read and write at the same paths.

    Parameters
    ----------
    workers : int
        How many functions run at once, at least 1; fewer while the cluster is busy.
    address : str, optional
        Address of a running cluster: ``"host:port"``, ``"ray://host:port"`` or ``"auto"``.
        Without it, the connection that this process has already is used; if it has none, an
        instance is started that only this machine can reach. What was there before stays when
        the executor is closed.
    threads : int, optional
        Threads of a worker, at least 1; by default an even share of the processors. On a
        cluster, the number of processors that each function asks for, 1 by default.

    Raises
    ------
    InputError
        If Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(
        self, workers: int, address: str | None = None, threads: int | None = None
    ) -> None:
        self._ray, self._is_guest, is_local = _connect(workers, address, threads)
        super().__init__(workers)
        self.threads = threads or (fair_threads(workers) if is_local else 1)
        gpus = self._ray.cluster_resources().get("GPU", 0)
        needs = {"num_cpus": 1 if is_local else threads or 1, "num_gpus": gpu_share(workers, gpus)}
        self._task = self._ray.remote(max_retries=0, **needs)(_outcome)
        self._running: set[Any] = set()
        kinds = self._ray.exceptions
        self._losses = (
            *(kinds.WorkerCrashedError, kinds.OutOfMemoryError, kinds.NodeDiedError),
            *(kinds.LocalRayletDiedError, kinds.ObjectLostError),
        )

    def _perform(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        with self._lock:
            if self._closed:
                raise CancelledError
            reference = self._task.remote(function, args, str(Path.cwd()))
            self._running.add(reference)
        try:
            result, error = self._ray.get(reference)
        except self._losses as loss:
            if self._closed:  # a task that runs is stopped by ending its worker
                raise CancelledError from None
            told = " ".join(str(loss).split())
            raise WorkerLost(f"A Ray worker ended before its task was done. {told}") from None
        except self._ray.exceptions.TaskCancelledError:
            raise CancelledError from None
        except self._ray.exceptions.RayTaskError as failure:
            raise failure.cause from failure
        finally:
            self._running.discard(reference)
        if error is not None:
            raise error
        return result

    def _stop(self) -> None:
        for reference in list(self._running):
            self._ray.cancel(reference, force=True)

    def _release(self) -> None:
        if not self._is_guest:
            # From a cluster this disconnects; an instance that was started here is stopped.
            self._ray.shutdown()
            self._is_guest = True


def gpu_share(workers: int, gpus: float) -> float:
    """Return how much of a GPU each function asks for, so that all workers can run at once.

    Parameters
    ----------
    workers : int
        How many functions shall run at once, at least 1.
    gpus : float
        Number of GPUs there are, at least 0.

    Returns
    -------
    float
        One GPU, or 1 / n of one if n functions must share it; 0 without GPUs.

    Examples
    --------
    >>> [gpu_share(4, gpus) for gpus in (0, 1, 2, 3, 4, 8)]
    [0.0, 0.25, 0.5, 0.5, 1.0, 1.0]
    """
    return 1 / math.ceil(workers / gpus) if gpus else 0.0


def _outcome(function: Callable[..., Any], args: tuple[Any, ...], folder: str) -> tuple[Any, Any]:
    """Call a function; return its result and its exception, one of which is None.

    It is called in the working folder of the program, if the worker's machine has one of that
    name: paths may be relative to it.
    """
    try:
        if Path(folder).is_dir():
            os.chdir(folder)
        return function(*args), None
    except BaseException as error:
        return None, portable(error)


def check_ray(address: str | None) -> None:
    """Raise `InputError` if Ray is not installed, or nothing answers at an address.

    Parameters
    ----------
    address : str or None
        As for `Ray`.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "The executor ray needs Ray.",
            "It is not installed.",
            'Install it with: pip install "equipoise[ray]"',
        )
    if address is not None:
        _knock(address)


def _connect(workers: int, address: str | None, threads: int | None) -> tuple[Any, bool, bool]:
    """Return Ray, connected; whether it was before; and whether it is an instance of our own."""
    check_ray(None)
    if address is not None:
        where = _ALONE if _knock(address) in _LOOPBACK else {}
        with environment(_QUIET | _BRIEF | where):
            return _join(importlib.import_module("ray"), address), False, False
    with environment(_QUIET | _ALONE | thread_settings(threads or fair_threads(workers))):
        ray = importlib.import_module("ray")
        if ray.is_initialized():
            return ray, True, False
        return _start(ray, workers), False, True


def _knock(address: str) -> str | None:
    """Return the host of an address, if anything answers there; Ray itself would try for long."""
    if address == "auto":
        return None
    place = urllib.parse.urlsplit(f"//{address.removeprefix('ray://')}")
    try:
        if not place.hostname or not place.port:
            raise ValueError("it is not of the form host:port")
        with socket.create_connection((place.hostname, place.port), ANSWER_SECONDS):
            return place.hostname
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _join(ray: Any, address: str) -> Any:
    """Connect to a cluster and return Ray."""
    if ray.is_initialized():
        raise InputError(
            "A process can be connected to one Ray cluster only.",
            f"This one is already, and the address {address!r} was given.",
            "Leave the address out to use that connection, or call ray.shutdown() before.",
        )
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise _unreachable(address, error) from error
    return ray


def _unreachable(address: str, error: Exception) -> InputError:
    return InputError(
        "The address must be that of a running Ray cluster.",
        f"At {address!r} none could be reached: {str(error).rstrip('.')}.",
        "Give it as host:port; if the cluster asks for a token, set RAY_AUTH_MODE=token.",
    )


def _start(ray: Any, workers: int) -> Any:
    """Start an instance that nobody but this machine can reach, and return Ray."""
    context = ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=STORE_BYTES,
    )
    # It is settled for good when Ray is imported, which someone else may have done.
    if (found := context.address_info["node_ip_address"]) not in _LOOPBACK:
        ray.shutdown()
        raise InputError(
            "A Ray instance of our own must listen to this machine alone.",
            f"Ray was imported before, and listens at {found}.",
            "Open the executor before ray is imported, or start Ray yourself and give its address.",
        )
    return ray
