"""Laws of executors: wherever functions run, each answers for itself and nothing is left."""

import contextlib
import importlib
import importlib.util
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, as_completed
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from equipoise.errors import InputError, TrainingError
from equipoise.executors import Executor, Processes, WorkerLost, open_executor

TESTS = Path(__file__).parent
NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)
RAY = pytest.param("ray", marks=NEEDS_RAY)
ELSEWHERE = ["processes", RAY]


@pytest.fixture(scope="module", autouse=True)
def _surroundings() -> Iterator[None]:
    """What must be settled before anything is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TESTS))
        patch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
        # Otherwise Ray would write one to the home folder.
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
        patch.setenv("RAY_AUTH_MODE", "token")
        yield


@pytest.fixture
def errands() -> ModuleType:
    """The module `errands` beside this one, which other processes can import too."""
    return importlib.import_module("errands")


@pytest.fixture(scope="module")
def ray() -> Iterator[Executor]:
    """One Ray instance for all tests of this file; closing it leaves none of its processes."""
    before = _descendants(os.getpid())
    with open_executor("ray", workers=2, threads=3) as executor:
        started = _descendants(os.getpid()) - before
        yield executor
        started = started.union(*map(_descendants, started))
    assert started
    importlib.import_module("errands").until(lambda: all(map(_gone, started)))


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    """Two workers for all tests that leave them as they are."""
    with open_executor("processes", workers=2) as executor:
        yield executor


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Executor:
    """An executor by name."""
    name = request.param
    return open_executor(name) if name == "here" else request.getfixturevalue(name)


everywhere = pytest.mark.parametrize("executor", ["here", *ELSEWHERE], indirect=True)
elsewhere = pytest.mark.parametrize("executor", ELSEWHERE, indirect=True)


def _gone(pid: int) -> bool:
    """Return whether a process has ended, be it that nobody has asked for its exit code yet."""
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()[:1] in ("", "Z")


def _descendants(pid: int) -> set[int]:
    shown = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [(int(p), int(parent)) for p, parent in map(str.split, shown.stdout.splitlines())]
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in pairs if parent in fresh} - found
        found |= fresh
    return found


def _number(path: Path) -> int:
    return int(path.read_text())


@everywhere
def test_results_are_those_of_their_functions(executor: Executor, errands: ModuleType) -> None:
    """Each future has the result of its own function, in whatever order they end."""
    futures = {executor.submit(errands.square, number): number for number in range(7)}
    found = {futures[future]: future.result() for future in as_completed(futures, 60)}
    assert found == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25, 6: 36}


@everywhere
def test_exceptions_are_those_of_their_functions(executor: Executor, errands: ModuleType) -> None:
    """A function that fails has its own exception, and its neighbours their results."""
    futures = [executor.submit(f, 3) for f in (errands.square, errands.fail, errands.square)]
    error = futures[1].exception(60)
    assert type(error) is KeyError
    assert error.args == ("no such number", 3)
    assert [futures[i].result(60) for i in (0, 2)] == [9, 9]


@elsewhere
def test_exceptions_tell_where_they_were_raised(executor: Executor, errands: ModuleType) -> None:
    """The lines of the worker's traceback come with the exception, even one that cannot come."""
    error = executor.submit(errands.fail, 3).exception(60)
    assert error is not None
    assert "in fail\n" in "".join(error.__notes__)
    awkward = executor.submit(errands.fail_awkwardly).exception(60)
    assert type(awkward) is RuntimeError
    assert str(awkward) == "Awkward: this and that"
    assert "in fail_awkwardly\n" in "".join(awkward.__notes__)


@elsewhere
def test_a_function_that_ends_its_program_ends_only_itself(
    executor: Executor, errands: ModuleType
) -> None:
    """`sys.exit` elsewhere comes back as an exception; no worker is lost."""
    error = executor.submit(errands.leave, 3).exception(60)
    assert isinstance(error, SystemExit)
    assert error.code == 3
    assert executor.submit(errands.square, 3).result(60) == 9


def test_ctrl_c_here_goes_through_at_once(errands: ModuleType) -> None:
    """Whoever presses Ctrl-C does not want it kept in a future."""
    with open_executor("here") as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(errands.interrupt)


def test_what_cannot_be_sent_is_the_exception_of_its_task(
    processes: Executor, errands: ModuleType
) -> None:
    """Neither an argument nor a result that cannot be sent costs a worker."""
    before = set(multiprocessing.active_children())
    sent = processes.submit(errands.square, lambda: 1)
    returned = processes.submit(errands.secret)
    for future in sent, returned:
        assert "lambda" in str(future.exception(60))
        assert not isinstance(future.exception(), WorkerLost)
    assert processes.submit(errands.square, 3).result(60) == 9
    assert before <= set(multiprocessing.active_children())


@elsewhere
def test_functions_overlap(executor: Executor, errands: ModuleType, tmp_path: Path) -> None:
    """As many run at once as there are workers: two that wait for each other both end."""
    assert executor.workers == 2
    pair = [executor.submit(errands.meet, tmp_path, *names) for names in ("ab", "ba")]
    first, second = (future.result(60) for future in pair)
    assert len({first, second, os.getpid()}) == 3


@elsewhere
def test_no_more_functions_run_than_there_are_workers(
    executor: Executor, errands: ModuleType, tmp_path: Path
) -> None:
    """A third waits for one of two to end, and may be cancelled until then."""
    pair = [executor.submit(errands.meet, tmp_path, name, "go") for name in "ab"]
    errands.until(lambda: all((tmp_path / name).exists() for name in "ab"))
    third, fourth = (executor.submit(errands.meet, tmp_path, name, name) for name in "cd")
    assert third.cancel()
    assert not fourth.running()
    assert not any((tmp_path / name).exists() for name in "cd")
    (tmp_path / "go").touch()
    assert fourth.result(60) in [future.result(60) for future in pair]
    assert not (tmp_path / "c").exists()


@elsewhere
def test_a_killed_worker_takes_only_its_own_task(
    executor: Executor, errands: ModuleType, tmp_path: Path
) -> None:
    """Its neighbour and those that wait end well, and then two can meet again."""
    victim = executor.submit(errands.linger, tmp_path, "victim")
    neighbour = executor.submit(errands.meet, tmp_path, "neighbour", "go")
    waiting = [executor.submit(errands.square, number) for number in range(3)]
    errands.until(lambda: all((tmp_path / name).exists() for name in ("victim", "neighbour")))
    os.kill(_number(tmp_path / "victim"), signal.SIGKILL)
    loss = victim.exception(60)
    assert isinstance(loss, WorkerLost)
    assert isinstance(loss, TrainingError)  # so that the command line tells it
    assert [future.result(60) for future in waiting] == [0, 1, 4]
    assert not neighbour.done()
    (tmp_path / "go").touch()
    neighbour.result(60)
    pair = [executor.submit(errands.meet, tmp_path, *names) for names in ("ab", "ba")]
    assert len({future.result(60) for future in pair}) == 2


def test_a_lost_worker_is_named_and_its_company_ends(errands: ModuleType, tmp_path: Path) -> None:
    """The message tells the signal; what its task had started does not go on without it."""
    with Processes(1) as executor:
        future = executor.submit(errands.linger_in_company, tmp_path, "a")
        errands.until((tmp_path / "a").exists)
        os.kill(_number(tmp_path / "a"), signal.SIGKILL)
        assert "ended by SIGKILL before its task was done" in str(future.exception(60))
        errands.until(lambda: _gone(_number(tmp_path / "a-company")))


def test_a_copy_of_a_lost_worker_does_not_hide_its_loss(
    errands: ModuleType, tmp_path: Path
) -> None:
    """A forked process holds the line open; the loss is noticed all the same, and it is ended."""
    with Processes(1) as executor:
        future = executor.submit(errands.leave_a_copy, tmp_path, "copy")
        assert isinstance(future.exception(60), WorkerLost)
        errands.until(lambda: _gone(_number(tmp_path / "copy")))
        assert executor.submit(errands.square, 3).result(60) == 9


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no such signals here")
def test_a_signal_without_a_name_is_told_by_its_number(errands: ModuleType) -> None:
    """Python names few of those for real time; the worker is lost as by any other."""
    with Processes(1) as executor:
        loss = executor.submit(errands.end_by, signal.SIGRTMIN + 1).exception(60)
    assert isinstance(loss, WorkerLost)
    assert f"ended by signal {signal.SIGRTMIN + 1} before" in str(loss)


def test_a_worker_that_dies_idle_takes_nothing(errands: ModuleType) -> None:
    """Between two tasks no task is lost."""
    with Processes(1) as executor:
        pid = executor.submit(os.getpid).result(60)
        os.kill(pid, signal.SIGKILL)
        errands.until(lambda: pid not in {p.pid for p in multiprocessing.active_children()})
        assert executor.submit(os.getpid).result(60) != pid


def test_workers_serve_many_functions() -> None:
    """What a worker has imported it need not import again."""
    with Processes(1) as executor:
        assert len({executor.submit(os.getpid).result(60) for _ in range(3)}) == 1


def test_closing_stops_and_cancels_and_leaves_nothing(errands: ModuleType, tmp_path: Path) -> None:
    """What runs is stopped, with what it has started; what waits is cancelled; no more comes."""
    before = set(multiprocessing.active_children())
    executor = Processes(2)
    running: list[Future[Any]] = [
        executor.submit(errands.linger_in_company, tmp_path, "a"),
        executor.submit(errands.linger, tmp_path, "b"),
    ]
    waiting = executor.submit(errands.square, 3)
    errands.until(lambda: all((tmp_path / name).exists() for name in "ab"))
    executor.close()
    assert set(multiprocessing.active_children()) == before
    assert [type(future.exception(0)) for future in running] == [CancelledError] * 2
    assert waiting.cancelled()
    errands.until(lambda: all(_gone(_number(path)) for path in tmp_path.iterdir()))
    executor.close()


@NEEDS_RAY
def test_closing_stops_what_a_guest_runs(
    ray: Executor, errands: ModuleType, tmp_path: Path
) -> None:
    """On a cluster, too, what runs is stopped and not lost; the cluster goes on."""
    guest = open_executor("ray", workers=2)
    running = [guest.submit(errands.linger, tmp_path, name) for name in "ab"]
    errands.until(lambda: all((tmp_path / name).exists() for name in "ab"))
    guest.close()
    assert [type(future.exception(0)) for future in running] == [CancelledError] * 2
    errands.until(lambda: all(_gone(_number(tmp_path / name)) for name in "ab"))
    assert ray.submit(errands.square, 4).result(60) == 16


PROGRAM = """
import os, signal, sys
from concurrent.futures import wait
from pathlib import Path

import errands
from equipoise.executors import open_executor

name, folder, boot, address = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4] or None
if __name__ != "__main__" and boot == "slow":
    errands.linger(folder, f"boot-{os.getpid()}")
if __name__ == "__main__":
    # As in a terminal: a shell's background job has Ctrl-C ignored, and so have its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open_executor(name, workers=2, address=address) as executor:
        wait([executor.submit(errands.linger, folder, task) for task in "ab"])
"""


@contextlib.contextmanager
def _program(
    name: str, folder: Path, *, boot: str = "quick", address: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a process group of its own, as a terminal does."""
    script = folder / "program.py"
    script.write_text(PROGRAM)
    words = [sys.executable, str(script), name, str(folder), boot, address]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _workers(folder: Path, pattern: str, errands: ModuleType) -> set[int]:
    """Return the processes of both tasks of a program, once they are there."""
    errands.until(lambda: len(list(folder.glob(pattern))) == 2)
    return {_number(path) for path in folder.glob(pattern)}


def _assert_interrupted(process: subprocess.Popen[str], others: set[int], until: Any) -> None:
    """Assert that Ctrl-C ends a program, speaks once, and leaves no process."""
    others |= _descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    output, told = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert output == ""
    assert told.count("Traceback") == 1, told
    until(lambda: all(map(_gone, others)))


def test_ctrl_c_ends_everything(errands: ModuleType, tmp_path: Path) -> None:
    """The program alone hears it, though the terminal sends it to all, and ends the others."""
    with _program("processes", tmp_path) as process:
        workers = _workers(tmp_path, "[ab]", errands)
        assert len(workers & _descendants(process.pid)) == 2
        _assert_interrupted(process, workers, errands.until)


def test_ctrl_c_ends_workers_that_begin(errands: ModuleType, tmp_path: Path) -> None:
    """Nor do those hear it that still import what they need."""
    with _program("processes", tmp_path, boot="slow") as process:
        workers = _workers(tmp_path, "boot-*", errands)
        assert len(workers & _descendants(process.pid)) == 2
        _assert_interrupted(process, workers, errands.until)


@NEEDS_RAY
def test_ctrl_c_ends_what_a_guest_runs(ray: Executor, errands: ModuleType, tmp_path: Path) -> None:
    """A program that uses a cluster takes its own tasks along, and the cluster goes on."""
    with _program("ray", tmp_path, address=_address(ray)) as process:
        _assert_interrupted(process, _workers(tmp_path, "[ab]", errands), errands.until)
    assert ray.submit(errands.square, 4).result(60) == 16


@pytest.mark.parametrize("name", ELSEWHERE)
def test_workers_end_with_their_program(name: str, errands: ModuleType, tmp_path: Path) -> None:
    """Killed with no time to end anything, it leaves no worker, though all were busy."""
    with _program(name, tmp_path) as process:
        workers = _workers(tmp_path, "[ab]", errands)
        others = _descendants(process.pid)
        assert len(workers & others) == 2
        process.kill()
        process.wait()
        errands.until(lambda: all(map(_gone, workers)))
        if name == "processes":
            errands.until(lambda: all(map(_gone, others)))
        for pid in others - workers:  # Ray's own helpers take a minute to notice
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@NEEDS_RAY
def test_ray_tells_its_workers_their_threads(ray: Executor, errands: ModuleType) -> None:
    """They have the variable that torch reads when it is imported."""
    assert ray.submit(errands.variable, "OMP_NUM_THREADS").result(60) == "3"


@NEEDS_RAY
def test_ray_calls_functions_in_the_folder_of_the_program(
    ray: Executor, errands: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that relative paths mean the same, wherever its machine has that folder."""
    monkeypatch.chdir(tmp_path)
    assert ray.submit(errands.working_folder).result(60) == str(tmp_path)


@NEEDS_RAY
def test_other_machines_cannot_reach_our_ray(ray: Executor) -> None:
    """Its servers answer at the loopback address and at no other of this machine."""
    host, _, port = _address(ray).rpartition(":")
    assert host in ("127.0.0.1", "[::1]")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address to the outside
        except OSError:
            pytest.skip("this machine has no other address")
        outside = probe.getsockname()[0]
    with (
        pytest.raises(OSError, match="refused"),
        socket.create_connection((outside, int(port)), 10),
    ):
        pass


def _address(_: Executor) -> str:
    return importlib.import_module("ray").get_runtime_context().gcs_address


GUEST = """
import sys, errands
from equipoise.executors import open_executor

with open_executor("ray", address=sys.argv[1]) as executor:
    print(executor.submit(errands.square, 3).result())
"""


@NEEDS_RAY
def test_a_cluster_outlives_its_guests(ray: Executor, errands: ModuleType) -> None:
    """Who comes by its address, or finds it connected, uses it and leaves it as it was."""
    with open_executor("ray") as guest:
        assert guest.submit(errands.square, 2).result(60) == 4
    words = [sys.executable, "-c", GUEST, _address(ray)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("9\n", 0), done.stderr
    assert ray.submit(errands.square, 4).result(60) == 16


@NEEDS_RAY
def test_a_process_has_one_cluster(ray: Executor) -> None:
    """Another address is not passed over in silence."""
    with pytest.raises(InputError, match="one Ray cluster only"):
        open_executor("ray", address=_address(ray))
