"""Laws of the search: each recipe is tried once, the clock is kept, and no stop loses anything."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from equipoise.data.options import ReadOptions
from equipoise.errors import InputError
from equipoise.executors import Executor, Here, Processes, WorkerLost
from equipoise.experiment import Experiment, prepare
from equipoise.runs import Run
from equipoise.tuning import records as records_module
from equipoise.tuning import search as search_module
from equipoise.tuning import trial as trial_module
from equipoise.tuning.clock import Clock
from equipoise.tuning.examples import parts_hash
from equipoise.tuning.records import Record, folder_of, read_held_out, read_record, read_records
from equipoise.tuning.search import MOST_FAILURES, Search
from equipoise.tuning.space import Role, starting_point, suggest
from equipoise.tuning.starts import MOST_STARTS, note_start
from equipoise.tuning.study import Address
from equipoise.tuning.trial import run_trial

BAD = Role(
    "optimizer",
    "AdamW",
    {"AdamW": "AdamW(lr=0.03)", "diverging": "SGD(lr=1e9)", "invalid": "SGD(lr=-1.0)"},
)
"""A space of which two recipes cannot be trained."""


def _run(search: Search, *watchers: Any, budget: float = 1e6) -> list[Record]:
    with Here() as executor:
        search.run(executor, Clock(search.folder, budget), watchers)
    return read_records(search.folder)


def _trials(search: Search) -> list[optuna.trial.FrozenTrial]:
    return search.address.load().get_trials()


def _check_counted_once(search: Search, records: list[Record]) -> None:
    """Each trial has one number, one record, and one entry in the study, with the same choices."""
    numbers = list(range(len(records)))
    trials = [trial for trial in _trials(search) if trial.state != TrialState.WAITING]
    assert [record.number for record in records] == numbers
    assert [trial.number for trial in trials] == numbers
    assert [trial.params for trial in trials] == [dict(record.choices) for record in records]
    assert all(trial.state.is_finished() for trial in trials)


@pytest.fixture(scope="module")
def calm(
    searches: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Search, list[Record]]:
    """A search of three trials that nothing disturbed; not to be changed."""
    search = searches.search(tmp_path_factory.mktemp("calm"), n_trials=3)
    return search, _run(search)


def test_the_prescription_is_tried_first_then_the_others_in_their_order(
    calm: tuple[Search, list[Record]],
) -> None:
    """As many as were asked for."""
    search, records = calm
    assert len(search.first) > 3
    assert [record.choices for record in records] == list(search.first[:3])
    assert records[0].choices == starting_point(search.roles)
    _check_counted_once(search, records)


def test_the_study_knows_how_each_trial_ended(calm: tuple[Search, list[Record]]) -> None:
    """Those that were trained in full with their score, the others with none."""
    search, records = calm
    assert records[0].state == "complete"
    for record, trial in zip(records, _trials(search), strict=False):
        is_complete = record.state == "complete"
        assert trial.state == (TrialState.COMPLETE if is_complete else TrialState.PRUNED)
        assert not is_complete or trial.value == record.scores["balanced_accuracy"]


def test_the_same_search_finds_the_same(
    calm: tuple[Search, list[Record]], searches: ModuleType, tmp_path: Path
) -> None:
    """Recipes and scores follow from the seed; another seed has other scores."""
    again = _run(searches.search(tmp_path / "again", n_trials=3))
    assert list(map(searches.without_times, again)) == list(map(searches.without_times, calm[1]))
    [other] = _run(searches.search(tmp_path / "other", n_trials=1, seed=1))
    assert other.scores != calm[1][0].scores


def test_watchers_are_told_of_each_trial_once(searches: ModuleType, tmp_path: Path) -> None:
    """With the record that is kept."""
    told: list[Record] = []
    search = searches.search(tmp_path, n_trials=2, most_epochs=1)
    assert _run(search, told.append) == told
    assert len(told) == 2


def test_after_the_first_recipes_others_are_drawn(searches: ModuleType, tmp_path: Path) -> None:
    """From the same space; none of the first is tried twice."""
    search = searches.search(tmp_path, most_epochs=1, sampler="random")
    n = len(search.first) + 4
    records = _run(replace(search, n_trials=n))
    _check_counted_once(search, records)
    assert len(records) == n
    drawn = [record.choices for record in records[len(search.first) :]]
    assert all(choices not in search.first for choices in drawn)
    for record in records:
        assert record.params == suggest(optuna.trial.FixedTrial(dict(record.choices)), search.roles)


def test_no_recipe_is_left_waiting(searches: ModuleType, tmp_path: Path) -> None:
    """What there was no time for is not in the study; a resumed search tries it all the same."""
    search = searches.search(tmp_path, n_trials=2, most_epochs=1)
    _run(search)
    assert [trial.state.is_finished() for trial in _trials(search)] == [True, True]
    records = _run(replace(search, n_trials=4))
    assert [record.choices for record in records] == list(search.first[:4])
    assert len(_trials(search)) == 4


def test_what_cannot_be_trained_has_failed_and_the_search_goes_on(
    searches: ModuleType, tmp_path: Path
) -> None:
    """A rate that diverges and one that is refused stand between two that are trained."""
    search = searches.search(
        tmp_path,
        roles=[BAD],
        first=[{"optimizer": name} for name in ("diverging", "AdamW", "invalid")],
        metrics=("balanced_accuracy", "seconds"),  # so that none is stopped by the others
        n_trials=3,
    )
    records = _run(search)
    assert [record.state for record in records] == ["failed", "complete", "failed"]
    assert "diverged" in records[0].message
    assert "`lr` of `SGD`" in records[2].message
    states = [trial.state for trial in _trials(search)]
    assert states == [TrialState.PRUNED, TrialState.COMPLETE, TrialState.PRUNED]


def test_a_search_in_which_all_fails_ends(searches: ModuleType, tmp_path: Path) -> None:
    """It would go on until its time is up, with nothing to show for it."""
    role = Role("optimizer", "invalid0", {f"invalid{k}": "SGD(lr=-1.0)" for k in range(3)})
    search = searches.search(tmp_path, roles=[role], first=[], sampler="random")
    records = _run(search)
    assert [record.state for record in records] == ["failed"] * MOST_FAILURES


def test_models_of_stopped_recipes_are_not_kept(
    calm: tuple[Search, list[Record]],
) -> None:
    """Once one was trained in full, no other will be used as it is; what was found stays."""
    search, records = calm
    for record in records:
        folder = folder_of(search.folder, record.number)
        assert (folder / "fold0").exists() == (record.state == "complete")
        assert not list(folder.glob("fold1/*"))
        assert read_held_out(folder) is not None


class _Losing(Here):
    """Loses the worker of its second function."""

    count = 0

    def submit(self, function: Any, /, *args: Any) -> Future[Any]:
        """Call a function, or lose it."""
        self.count += 1
        if self.count != 2:
            return super().submit(function, *args)
        future: Future[Any] = Future()
        future.set_exception(WorkerLost("A worker process was ended by SIGKILL."))
        return future


def test_a_worker_that_is_lost_costs_one_trial(searches: ModuleType, tmp_path: Path) -> None:
    """It has failed, and says of what; the others are tried."""
    search = searches.search(tmp_path, n_trials=3, most_epochs=1)
    search.run(_Losing(), Clock(tmp_path, 1e6))
    records = read_records(tmp_path)
    assert records[1].state == "failed"
    assert "SIGKILL" in records[1].message
    assert "failed" not in (records[0].state, records[2].state)
    assert [trial.number for trial in _trials(search) if trial.state == TrialState.FAIL] == [1]


class _Hanging(Executor):
    """Carries out its first functions, and never ends those that follow."""

    workers = 2

    def __init__(self, n_answered: int, *, begins: bool) -> None:
        self.n_answered, self.begins, self.closed = n_answered, begins, False

    def submit(self, function: Any, /, *args: Any) -> Future[Any]:
        """Call a function, or leave its record as of one that is under way, or do nothing."""
        self.n_answered -= 1
        if self.n_answered >= 0:
            return Here().submit(function, *args)
        if self.begins:
            args[0].record.save(args[0].folder)
        return Future()

    def close(self) -> None:
        """Stop everything."""
        self.closed = True


@pytest.mark.parametrize(
    ("begins", "word"), [(True, "did not answer"), (False, "No worker had begun it")]
)
def test_a_search_ends_though_workers_do_not(
    begins: bool, word: str, searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the time is up they have a while, are stopped, and their trials are lost."""
    monkeypatch.setattr(search_module, "GRACE_SECONDS", 0.2)
    search = searches.search(tmp_path, most_epochs=1)
    executor, begun = _Hanging(1, begins=begins), time.monotonic()
    told: list[Record] = []
    search.run(executor, Clock(tmp_path, 1.5), [told.append])
    assert time.monotonic() - begun < 15
    assert executor.closed
    records = read_records(tmp_path)
    assert [record.state for record in records] == ["complete", "failed", "failed"]
    assert all(word in record.message for record in records[1:])
    assert told == records
    _check_counted_once(search, records)
    assert [trial.state for trial in _trials(search)[1:3]] == [TrialState.FAIL] * 2


def test_a_worker_that_is_lost_after_its_trial_costs_nothing(
    searches: ModuleType, tmp_path: Path
) -> None:
    """What was recorded as complete stays so, in the study too."""

    class _LostAfter(Here):
        def submit(self, function: Any, /, *args: Any) -> Future[Any]:
            super().submit(function, *args)
            future: Future[Any] = Future()
            future.set_exception(WorkerLost("A worker process was ended by SIGKILL."))
            return future

    search = searches.search(tmp_path, n_trials=1, most_epochs=1)
    search.run(_LostAfter(), Clock(tmp_path, 1e6))
    [record] = read_records(tmp_path)
    assert (record.state, _trials(search)[0].state) == ("complete", TrialState.COMPLETE)


HALF_WRITTEN = ".model.safetensors.0123456789abcdef"
"""A file as a process leaves it that is killed while it writes it."""


def test_a_lost_trial_leaves_its_record_and_no_more(searches: ModuleType, tmp_path: Path) -> None:
    """Checkpoints of a process that ran out of memory would fill the disk, trial by trial."""

    class _OutOfMemory(_Losing):
        def submit(self, function: Any, /, *args: Any) -> Future[Any]:
            if self.count == 1:
                args[0].record.save(args[0].folder)
                for name in ("fold0.safetensors", HALF_WRITTEN):
                    (args[0].folder / name).touch()
                note_start(args[0].folder)
            return super().submit(function, *args)

    search = searches.search(tmp_path, n_trials=3, most_epochs=1)
    search.run(_OutOfMemory(), Clock(tmp_path, 1e6))
    assert [record.state for record in read_records(tmp_path)][1] == "failed"
    assert [path.name for path in folder_of(tmp_path, 1).iterdir()] == ["trial.json"]


def test_a_resumed_search_removes_what_the_one_before_would_have(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Models of recipes that were stopped before a kill, and what it was in the middle of."""
    choices = [{"optimizer": name} for name in ("AdamW", "invalid")]
    search = searches.search(tmp_path, roles=[BAD], first=choices, n_trials=2, most_epochs=1)
    _run(search)
    complete, other = (folder_of(tmp_path, number) for number in (0, 1))
    (other / "fold0").mkdir()
    (other / "fold0" / "model.safetensors").touch()
    (complete / "fold1.safetensors").touch()
    (complete / "fold0" / HALF_WRITTEN).touch()
    _run(search)
    assert not (other / "fold0").exists()
    assert not (complete / "fold1.safetensors").exists()
    assert not (complete / "fold0" / HALF_WRITTEN).exists()
    assert (complete / "fold0" / "model.safetensors").exists()


class _OnAnotherDisk(Here):
    """Keeps what workers write where the search does not look."""

    def submit(self, function: Any, /, *args: Any) -> Future[Any]:
        """Call a function, and move what it has left."""
        future = super().submit(function, *args)
        args[0].folder.rename(args[0].folder.with_name("elsewhere"))
        return future


def test_workers_that_do_not_see_the_folder_end_the_search(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, at the first trial: where there is no such folder, and where there is another."""
    monkeypatch.setattr(records_module, "SHOWN_SECONDS", 0.1)
    search = searches.search(tmp_path / "s", n_trials=3, most_epochs=1)
    with pytest.raises(InputError, match="under the same path"):
        search.run(_OnAnotherDisk(), Clock(tmp_path / "s", 1e6))
    with pytest.raises(InputError, match="not there for a worker"):
        run_trial(replace(searches.trial(tmp_path / "t"), folder=tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    gone = searches.search(tmp_path / "u", n_trials=3, most_epochs=1)
    with pytest.raises(InputError, match="not there for a worker"):
        gone.run(_Blind(), Clock(tmp_path / "u", 1e6))


class _Blind(Here):
    """Has no such folder."""

    def submit(self, function: Any, /, *args: Any) -> Future[Any]:
        """Call a function with a folder that is not there."""
        return super().submit(function, replace(args[0], folder=Path("/nowhere/trials/0000")))


def test_without_time_nothing_is_begun(searches: ModuleType, tmp_path: Path) -> None:
    """A budget that was used up before, or that the reserve takes, leaves none for trials."""
    for name, used, reserve in (("used", 99.0, 0.0), ("reserved", 0.0, 50.0)):
        search = searches.search(tmp_path / name)
        Run(search.folder).write_json("clock.json", {"used": used})
        with Here() as executor:
            search.run(executor, Clock(search.folder, 50.0, reserve))
        assert read_records(search.folder) == []


def test_the_clock_ends_the_search(searches: ModuleType, tmp_path: Path) -> None:
    """A trial that would never end is stopped, and nothing is left open.

    It stops before an epoch that would end too late, so that another may begin in what is left.
    """
    search = searches.search(tmp_path, most_epochs=10**7)
    records = _run(search, budget=3.0)
    assert [record.state for record in records] in (["unfinished"], ["unfinished"] * 2)
    _check_counted_once(search, records)
    assert Run(tmp_path).read_json("clock.json")["used"] >= 3.0
    assert _run(search, budget=3.0) == records


def test_ctrl_c_keeps_all_that_ended(searches: ModuleType, tmp_path: Path) -> None:
    """The trial that was told of is counted; going on tries what was not tried."""

    def press(record: Record) -> None:
        if record.number == 1:
            raise KeyboardInterrupt

    search = searches.search(tmp_path, n_trials=4, most_epochs=1)
    with pytest.raises(KeyboardInterrupt):
        _run(search, press)
    before = read_records(tmp_path)
    assert len(before) == 2
    assert "running" not in [record.state for record in before]
    after = _run(search)
    assert after[:2] == before
    _check_counted_once(search, after)
    assert [record.choices for record in after] == list(search.first[:4])


class _Pressed(Here):
    """Is where Ctrl-C arrives, after some time."""

    def submit(self, _function: Any, /, *_args: Any) -> Future[Any]:
        """Take time, and be stopped."""
        time.sleep(0.1)
        raise KeyboardInterrupt


def test_the_time_of_a_trial_that_ctrl_c_has_stopped_counts(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Or a search could be resumed for ever."""
    search = searches.search(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(_Pressed(), Clock(tmp_path, 1e6))
    assert Run(tmp_path).read_json("clock.json")["used"] >= 0.1


def test_ctrl_c_lets_workers_keep_what_they_have(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a first fold, in another process: it is judged, and gone on with later."""
    real = search_module.wait

    def pressed(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(search_module, "wait", real)
        while not (known := read_record(folder_of(tmp_path, 0))) or not known.epochs:
            time.sleep(0.05)
        time.sleep(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(search_module, "wait", pressed)
    search = searches.search(tmp_path, n_trials=1, most_epochs=10**6)
    with Processes(1) as executor, pytest.raises(KeyboardInterrupt):
        search.run(executor, Clock(tmp_path, 1e6))
    [record] = read_records(tmp_path)
    assert (record.state, len(record.best_epochs)) == ("running", 1)
    assert record.scores
    assert _trials(search)[0].state == TrialState.RUNNING
    replace(record, epochs=len(Run(folder_of(tmp_path, 0)).history)).save(folder_of(tmp_path, 0))
    [after] = _run(search)
    assert after.state == "complete"


@pytest.mark.parametrize("begun", [0, 1, 2])
def test_a_kill_before_a_trial_has_begun_loses_nothing(
    begun: int, searches: ModuleType, tmp_path: Path
) -> None:
    """A number that was drawn and never tried is tried; no first recipe is forgotten."""
    search = searches.search(tmp_path, n_trials=3, most_epochs=1)
    study = optuna.create_study(
        study_name=search.address.name, storage=search.address.open(), direction="maximize"
    )
    for point in search.first[:begun]:
        study.enqueue_trial(dict(point))
    if begun:
        study.ask()
    records = _run(search)
    _check_counted_once(search, records)
    assert [record.choices for record in records] == list(search.first[:3])


SCRIPT = """
import os, signal, sys
from pathlib import Path
import searches
import equipoise.training, equipoise.tuning.trial
from equipoise.executors import Here
from equipoise.tuning.clock import Clock
equipoise.training.CHECKPOINT_SHARE = 1e9
equipoise.tuning.trial.MEASURED_SECONDS = 0.02
move = Path.replace
def kill_after(victim, left):
    def replace(self, target):
        nonlocal left
        found = move(self, target)
        left -= str(target).endswith(victim)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    Path.replace = replace
for text in sys.argv[1:]:
    folder, victim, left = text.split("|")
    child = os.fork()  # before torch has computed anything, so without threads
    if not child:
        kill_after(victim, int(left))
        searches.search(Path(folder), n_trials=3).run(Here(), Clock(Path(folder), 1e6))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, text
"""

KILLS = {"in the second fold": "0000/fold1.safetensors|2", "after the first": "0000/fold0.npz|1"}


@pytest.fixture(scope="module")
def killed(searches: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of searches that were killed in their first trial, by the moment."""
    assert searches
    folders = {name: tmp_path_factory.mktemp("killed") for name in KILLS}
    told = [f"{folders[name]}|{moment}" for name, moment in KILLS.items()]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", SCRIPT, *told]
    subprocess.run(command, env={**os.environ, **threads}, check=True)
    return folders


@pytest.mark.parametrize("moment", KILLS)
def test_a_search_that_is_killed_ends_as_if_nothing_had_happened(
    moment: str,
    killed: dict[str, Path],
    calm: tuple[Search, list[Record]],
    searches: ModuleType,
) -> None:
    """SIGKILL in the middle of a trial, then going on: the same scores, and each counted once."""
    folder = killed[moment]
    assert [record.state for record in read_records(folder)] == ["running"]
    search = searches.search(folder, n_trials=3)
    records = _run(search)
    _check_counted_once(search, records)
    assert list(map(searches.without_times, records)) == list(map(searches.without_times, calm[1]))
    for record in records:
        held = [read_held_out(folder_of(each.folder, record.number)) for each in (search, calm[0])]
        assert held[0] is not None
        assert held[1] is not None
        assert np.array_equal(held[0].logits, held[1].logits)
    told = [[trial.intermediate_values for trial in _trials(s)[:3]] for s in (search, calm[0])]
    assert told[0] == told[1]
    assert not list(folder.rglob("fold*.safetensors"))


class _Killed(BaseException):
    """As a SIGKILL, which nothing in the process notices."""


def _killed_in(
    search: Search, number: int, patch: pytest.MonkeyPatch, *, leaves: bool = False
) -> None:
    """Go on with a search, and lose its process in the training of a trial."""

    def run(trial: Any) -> Record:
        if trial.job.record.number != number:
            return real(trial)
        if leaves:
            (trial.job.folder / "fold0.safetensors").touch()
        raise _Killed

    real = trial_module._Trial.run
    with patch.context() as changed:
        changed.setattr(trial_module._Trial, "run", run)
        changed.setattr(trial_module, "forget_starts", lambda _: None)
        with pytest.raises(_Killed):
            _run(search)


def test_a_recipe_that_ends_its_process_is_given_up(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time it got no further: it has failed, says so, and the search goes on."""
    search = searches.search(tmp_path, n_trials=3, most_epochs=1)
    for _ in range(MOST_STARTS):
        _killed_in(search, 1, monkeypatch)
    records = _run(search)
    assert records[1].state == "failed"
    assert "memory" in records[1].message
    assert "failed" not in (records[0].state, records[2].state)
    _check_counted_once(search, records)
    assert not (folder_of(tmp_path, 1) / "start.json").exists()


def test_a_trial_that_gets_further_each_time_is_gone_on_with(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often its process is killed: each time it leaves a newer checkpoint."""
    search = searches.search(tmp_path, n_trials=1, most_epochs=1)
    for _ in range(MOST_STARTS + 1):
        time.sleep(0.02)
        _killed_in(search, 0, monkeypatch, leaves=True)
    (folder_of(tmp_path, 0) / "fold0.safetensors").unlink()
    [record] = _run(search)
    assert record.state == "complete"


def test_stops_in_order_are_not_counted(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before the first checkpoint, again and again, does not fail a recipe."""
    search = searches.search(tmp_path, n_trials=1, most_epochs=1)

    def pressed(_: Any) -> None:
        raise KeyboardInterrupt

    for _ in range(MOST_STARTS + 1):
        with monkeypatch.context() as patch:
            patch.setattr(trial_module._Trial, "run", pressed)
            with pytest.raises(KeyboardInterrupt):
                _run(search)
    [record] = _run(search)
    assert record.state == "complete"


@pytest.mark.parametrize("fails", ["ask", "tell", "get_trials"])
def test_a_data_base_that_does_not_answer_ends_the_search_in_words(
    fails: str, searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No recipe has failed by that; once it answers, the search goes on and loses nothing."""
    address = Address(f"sqlite:///{tmp_path / 's.db'}")
    search = searches.search(tmp_path / "s", n_trials=2, most_epochs=1, address=address)
    real, left = getattr(optuna.Study, fails), [4 if fails == "get_trials" else 1]

    def failing(*args: Any, **rest: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StorageInternalError("database is locked")
        return real(*args, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, fails, failing)
        with pytest.raises(InputError, match=r"It does not: database is locked\. .*--resume"):
            _run(search)
    assert "failed" not in [record.state for record in read_records(search.folder)]
    records = _run(search)
    assert len(records) == 2
    assert {record.state for record in records} <= {"complete", "stopped"}
    _check_counted_once(search, records)


def test_a_worker_that_cannot_reach_the_study_ends_the_search_in_words(
    searches: ModuleType, tmp_path: Path
) -> None:
    """As where a data base stops answering between trials: none has failed."""
    search = searches.search(tmp_path, n_trials=2, most_epochs=1)

    class _Apart(Here):
        def submit(self, function: Any, /, *args: Any) -> Future[Any]:
            """Call a function as on a machine that does not see the data base."""
            apart = Address(f"sqlite:///{tmp_path}/none/s.db")
            return super().submit(function, replace(args[0], address=apart))

    with pytest.raises(InputError, match="--resume"):
        search.run(_Apart(), Clock(tmp_path, 1e6))
    assert [record.state for record in read_records(tmp_path)] == ["running"]
    assert {record.state for record in _run(search)} <= {"complete", "stopped"}


@pytest.mark.parametrize("begun", [0, 3])
def test_a_study_that_was_lost_is_not_gone_on_with(
    begun: int, searches: ModuleType, tmp_path: Path
) -> None:
    """New recipes would be taken for the old ones of their numbers: it is refused, all stays."""
    search = searches.search(tmp_path / "s", n_trials=2, most_epochs=1)
    records = _run(search)
    Path(search.address.storage).unlink()
    first = list(reversed(search.first))
    if begun:  # another study has the numbers, with other recipes
        other = searches.search(tmp_path / "o", n_trials=begun, most_epochs=1, first=first)
        _run(other)
        shutil.copy(other.address.storage, search.address.storage)
    with pytest.raises(InputError, match="goes on with the study that it was begun with"):
        _run(replace(search, n_trials=4))
    assert read_records(search.folder) == records


def test_a_kill_before_the_study_was_told_trains_nothing_again(
    searches: ModuleType, tmp_path: Path
) -> None:
    """The record of a trial that ended is taken as it is."""
    search = searches.search(tmp_path, n_trials=1, most_epochs=1)

    class _Killed(BaseException):
        pass

    def press(_: Record) -> None:
        raise _Killed

    with Here() as executor, pytest.raises(_Killed):
        search.run(executor, Clock(tmp_path, 1e6), [press])
    before = read_records(tmp_path)
    lines = Path(search.address.storage).read_text().splitlines()
    # As if the kill had come before the last entry of the journal.
    Path(search.address.storage).write_text("\n".join(lines[:-1]) + "\n")
    assert _trials(search)[0].state == TrialState.RUNNING
    assert _run(search) == before
    _check_counted_once(search, before)


def test_several_metrics_are_told_and_none_is_stopped_early(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Seconds are those of a full training; all trials are trained to their end."""
    search = searches.search(tmp_path, metrics=("macro_f1", "seconds"), n_trials=4)
    records = _run(search)
    assert {record.state for record in records} == {"complete"}
    for record, trial in zip(records, _trials(search), strict=False):
        assert trial.values == [record.scores["macro_f1"], record.pace]
        assert trial.intermediate_values == {}


class _Two(Executor):
    """Takes two functions at a time, which travel as they would to another process."""

    workers = 2

    def __init__(self) -> None:
        # One after the other all the same: threads would share torch's random numbers.
        self.queue = ThreadPoolExecutor(1)
        self.most, self.open = 0, 0

    def submit(self, function: Any, /, *args: Any) -> Future[Any]:
        """Queue a function."""
        self.open += 1
        self.most = max(self.most, self.open)
        future = self.queue.submit(function, *pickle.loads(pickle.dumps(args)))
        future.add_done_callback(lambda _: self._end())
        return future

    def _end(self) -> None:
        self.open -= 1

    def close(self) -> None:
        """End the thread."""
        self.queue.shutdown()


def test_several_workers_find_what_one_does(searches: ModuleType, tmp_path: Path) -> None:
    """Each has a trial at a time, and scores do not depend on where it runs."""
    changes = {"metrics": ("balanced_accuracy", "seconds"), "n_trials": 4}
    one = _run(searches.search(tmp_path / "one", **changes))
    search = searches.search(tmp_path / "two", **changes)
    with _Two() as executor:
        search.run(executor, Clock(search.folder, 1e6))
    two = read_records(search.folder)
    assert executor.most == 2
    assert list(map(searches.without_times, two)) == list(map(searches.without_times, one))
    _check_counted_once(search, two)


def _write_images(path: Path, seed: int) -> Experiment:
    """Write images of two classes, whose test part alone depends on the seed."""
    random = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], [30, 12])
    images = random.integers(0, 100, (42, 8, 8, 1)) + 100 * (labels == "b")[:, None, None, None]
    sealed = np.random.default_rng(seed)
    np.savez(
        path,
        train_images=images.astype(np.uint8),
        train_labels=labels,
        test_images=sealed.integers(0, 256, (10, 8, 8, 1)).astype(np.uint8),
        test_labels=sealed.permutation(np.repeat(["a", "b"], 5)),
    )
    return Experiment(source=str(path), options=ReadOptions())


def test_data_that_changes_under_a_search_ends_its_trials(
    searches: ModuleType, tmp_path: Path
) -> None:
    """A worker that reads other examples than the search began with trains on none of them."""
    data = _write_images(tmp_path / "a.npz", 1)
    search = searches.search(tmp_path / "s", data=data, data_hash="other", n_trials=1)
    [record] = _run(search)
    assert record.state == "failed"
    assert "must stay as it is" in record.message


def test_a_worker_reads_again_what_is_cut_anew(searches: ModuleType, tmp_path: Path) -> None:
    """A search in the folder of one that was removed has its own examples, none of the old test."""
    base = {**searches.PARAMS, "backbone": "ResNet18(width=4)", "optimizer": "SGD(lr=0.02)"}
    data = _write_images(tmp_path / "a.npz", 1)
    for experiment in (data, replace(data, split_seed=1)):
        parts = prepare(experiment, base["validation"])
        settings = {"data": experiment, "data_hash": parts_hash(parts), "base": base}
        _run(searches.search(tmp_path / "s", n_trials=1, most_epochs=1, **settings))
        held = read_held_out(folder_of(tmp_path / "s", 0))
        assert held is not None
        assert set(held.rows) <= {*parts.train, *parts.validation}
        shutil.rmtree(tmp_path / "s")


def test_the_test_part_of_the_data_changes_nothing(searches: ModuleType, tmp_path: Path) -> None:
    """Other test images with other labels: recipes, scores and predictions are the same."""
    base = {**searches.PARAMS, "backbone": "ResNet18(width=4)", "optimizer": "SGD(lr=0.02)"}
    found = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        data = _write_images(tmp_path / f"{seed}.npz", seed)
        known = parts_hash(prepare(data, base["validation"]))
        settings = {"data": data, "data_hash": known, "base": base, "most_epochs": 1}
        records = _run(searches.search(folder, n_trials=2, **settings))
        found.append((records, read_held_out(folder_of(folder, 0))))
    (first, held), (second, other) = found
    assert list(map(searches.without_times, first)) == list(map(searches.without_times, second))
    assert held is not None
    assert other is not None
    assert first[0].state == "complete"
    assert np.array_equal(held.logits, other.logits)
    assert len(held.rows) == 42
