"""Laws of opening executors: shares are fair, and what cannot be opened is told."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.executors import Processes, check_executor, open_executor, worker_threads
from equipoise.executors.cluster import gpu_share
from equipoise.executors.elsewhere import fair_threads

NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)


def test_torch_uses_the_threads_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as were asked for, though this process has another number and keeps it."""
    if fair_threads(1) < 2 and os.environ.get("OMP_NUM_THREADS") is None:
        pytest.skip("torch uses no more threads than there are processors")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    count = importlib.import_module("errands").thread_count
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with open_executor("processes", threads=2) as executor:
        assert executor.submit(count).result(60) == 2
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "MKL_NUM_THREADS" not in os.environ


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together the workers have no more threads than processors, unless each would have none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert fair_threads(1) == cores
    for workers in range(1, 3 * cores):
        assert 1 <= fair_threads(workers) <= max(1, cores / workers)
    monkeypatch.setenv("OMP_NUM_THREADS", "1,4")
    assert fair_threads(1) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", str(10 * cores))
    assert fair_threads(1) == cores


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_the_threads_of_workers_are_told_before_any_is_started(threads: int | None) -> None:
    """Those that they have then; in this process there is nothing to tell."""
    assert worker_threads("here") is None
    for workers in (1, 2, 1000):
        with Processes(workers, threads) as executor:
            told = worker_threads("processes", workers=workers, threads=threads)
            assert told == executor.threads


@settings(deadline=None, derandomize=True)
@given(workers=st.integers(1, 100), gpus=st.integers(1, 100))
def test_gpus_are_shared_no_more_than_needed(workers: int, gpus: int) -> None:
    """All workers have a place, and with one worker fewer on each GPU not all would have."""
    each = round(1 / gpu_share(workers, gpus))
    assert each * gpus >= workers
    assert each == 1 or (each - 1) * gpus < workers


@NEEDS_RAY
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nobody", "host:port"])
def test_an_address_without_a_cluster_is_refused(address: str) -> None:
    """At once, with the address and what is wrong about it."""
    with pytest.raises(InputError) as caught:
        open_executor("ray", address=address)
    assert repr(address) in caught.value.actual


def test_ray_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the line that installs it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError) as caught:
        open_executor("ray")
    assert 'pip install "equipoise[ray]"' in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("there", {}, "'there'"),
        ("processes", {"workers": 0}, "It is 0."),
        ("processes", {"workers": 1.5}, "It is 1.5."),
        ("processes", {"workers": True}, "It is True."),
        ("ray", {"workers": -1}, "It is -1."),
        ("processes", {"threads": 0}, "It is 0."),
        ("processes", {"address": "127.0.0.1:1"}, "127.0.0.1:1"),
        ("here", {"workers": 2}, "2 workers"),
        ("here", {"threads": 2}, "2 threads"),
    ],
)
def test_what_cannot_be_opened_is_told(name: str, options: dict[str, Any], told: str) -> None:
    """Requirement, what was given, and remedy: three sentences."""
    with pytest.raises(InputError) as caught:
        open_executor(name, **options)
    error = caught.value
    with pytest.raises(InputError, match=re.escape(str(error))):
        check_executor(name, **options)
    assert told in error.actual
    assert all(part[0].isupper() and part[-1] == "." for part in error.args)


@pytest.mark.parametrize("name", ["here", "processes"])
def test_what_is_closed_takes_nothing(name: str) -> None:
    """Nothing is started that nobody would end."""
    executor = open_executor(name)
    executor.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(os.getpid)


def test_a_program_that_does_not_close_ends() -> None:
    """Idle workers do not keep it alive, and nothing is said."""
    text = (
        "import math\nfrom equipoise.executors import open_executor\n"
        "executor = open_executor('processes')\nprint(executor.submit(math.sqrt, 4).result())"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("2.0\n", "", 0)
