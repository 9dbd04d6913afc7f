"""Laws of the tuner: from data and a budget to one finished run, whatever comes between."""

import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from equipoise.checkpoints import read_tensors
from equipoise.commands.training import tell_end
from equipoise.data.imbalance import save_index, subsample
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.durations import parse_duration
from equipoise.errors import InputError, TrainingError
from equipoise.executors import Here
from equipoise.experiment import Experiment, prepare
from equipoise.loading import load_run
from equipoise.plan import Plan
from equipoise.progress import Progress
from equipoise.runs import Run
from equipoise.tuning.division import SPARE_SHARE
from equipoise.tuning.folds import folds_of
from equipoise.tuning.identity import write_identity
from equipoise.tuning.options import Options
from equipoise.tuning.records import Record, folder_of, read_held_out
from equipoise.tuning.tuner import Tuner

GIVEN = {
    "backbone": "MLP(layers=1, width=16, numeric=None)",
    "average": None,
    "batch_size": 32,
    "epochs": 2,
    "device": "cpu",
}
OPTIONS = Options(
    budget=600.0, metrics=("balanced_accuracy",), n_trials=3, n_folds=2,
    roles=("optimizer", "smoothing", "mixing", "batch_size"),
)  # fmt: skip


@pytest.fixture(scope="module")
def table(searches: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three classes that overlap."""
    task = searches.task()
    path = tmp_path_factory.mktemp("table") / "t.csv"
    task.X.assign(target=np.array(list("abc"))[task.codes]).to_csv(path, index=False)
    return path


def _experiment(table: Path, **changes: Any) -> Experiment:
    params = {**GIVEN, **changes.pop("params", {})}
    return Experiment(source=str(table), options=ReadOptions(), params=params, **changes)


def _tuner(
    table: Path, folder: Path, options: Options = OPTIONS, *, resume: bool = False, **changes: Any
) -> Tuner:
    return Tuner.make(_experiment(table, **changes), folder, options, resume=resume)


def _press(number: int) -> Any:
    """Return a watcher that presses Ctrl-C once a trial has ended."""

    def watch(record: Record) -> None:
        if record.number == number:
            raise KeyboardInterrupt

    return watch


@pytest.fixture(scope="module")
def tuned(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuner, Run]:
    """A search that nothing disturbed, and its run; not to be changed."""
    tuner = _tuner(table, tmp_path_factory.mktemp("tuned") / "run")
    with Here() as executor:
        tuner.search(executor)
    assert not (tuner.folder / "config.toml").exists()
    return tuner, tuner.finish()


def test_with_less_time_than_a_training_the_prescription_has_all_of_it(
    table: Path, tmp_path: Path
) -> None:
    """It is trained once, not again from the start in what is left, and looks at the test once."""
    options = replace(OPTIONS, budget=5.0, n_trials=None, n_folds=1)
    tuner = _tuner(table, tmp_path / "run", options, params={"epochs": 100_000})
    with Here() as executor:
        tuner.search(executor)
    run = tuner.finish()
    assert tuner.layout.alone
    assert [record.number for record in tuner.records] == [0]
    kept = run.read_json("tuning.json")
    assert [trial["number"] for trial in kept["trials"]] == [0]
    assert run.history == Run(folder_of(tuner.search_folder, 0)).history
    assert len(run.history) > 1
    assert run.config["test"]["looks"] == 1
    assert load_run(run.path, "cpu").classes_.tolist() == ["a", "b", "c"]


def test_the_end_is_a_finished_run(tuned: tuple[Tuner, Run]) -> None:
    """It is loaded as any other, and knows the classes."""
    _, run = tuned
    assert run.done
    assert list(load_run(run.path, "cpu").classes_) == ["a", "b", "c"]


def test_the_test_set_is_looked_at_once(tuned: tuple[Tuner, Run]) -> None:
    """By the final run; no trial holds a prediction for one of its examples."""
    tuner, run = tuned
    assert run.config["test"]["looks"] == 1
    test = set(run.read_arrays("split.npz")["test"])
    for record in tuner.records:
        held = read_held_out(folder_of(tuner.search_folder, record.number))
        assert held is not None
        assert not test & set(held.rows)


def test_the_run_is_that_of_the_recipe_trained_on_all_training_examples(
    tuned: tuple[Tuner, Run], table: Path, tmp_path: Path
) -> None:
    """The same settings, carried out by themselves, give the same network."""
    tuner, run = tuned
    taken = tuner.winner.record
    parts = tuner.plan.parts
    assert run.config["data"]["counts_validation"] == [0, 0, 0]
    assert sum(run.config["data"]["counts_train"]) == len(parts.train) + len(parts.validation)
    epochs = run.config["classifier"]["epochs"]
    params = {**taken.params, "epochs": epochs, "validation": 0.0, "prior": "balanced"}
    again = Plan.make(_experiment(table, params={**params, "monitor": "balanced_accuracy"})).run(
        tmp_path / "again"
    )
    weights = [read_tensors(each.path / "model.safetensors") for each in (run, again)]
    assert all(bool((weights[1][name] == value).all()) for name, value in weights[0].items())
    assert run.config["classifier"] == again.config["classifier"]


def test_what_is_given_is_not_searched(tuned: tuple[Tuner, Run]) -> None:
    """A batch size that is given stays, although the search was to go through it."""
    tuner, run = tuned
    assert {tuple(record.params) for record in tuner.records} == {
        ("mixing", "smoothing", "optimizer")
    }
    assert run.config["classifier"]["batch_size"] == 32


def test_what_the_search_chose_has_a_reason(tuned: tuple[Tuner, Run]) -> None:
    """In the configuration, and so on the page; what was given has none."""
    tuner, run = tuned
    told = {choice["field"]: choice for choice in run.config["choices"]}
    start, taken = tuner.records[0].params, tuner.winner.record.params
    assert set(taken) == {"mixing", "smoothing", "optimizer"}
    for name, value in taken.items():
        reason = "found by the search" if value != start[name] else "as prescribed"
        assert told[name]["reason"].startswith(reason)
        assert told[name]["value"] == run.config["classifier"][name]
    assert not {"backbone", "batch_size", "epochs"} & told.keys()


def test_what_was_found_is_told(tuned: tuple[Tuner, Run]) -> None:
    """All trials, the one that is taken, and how much better it looked than it is."""
    tuner, run = tuned
    found = run.read_json("tuning.json")
    assert [trial["number"] for trial in found["trials"]] == [0, 1, 2]
    assert found["taken"] == tuner.winner.record.number
    assert found["validation"] == tuner.winner.record.scores["balanced_accuracy"]
    test = run.read_json("metrics.json")["test"]["balanced"]["overall"]["balanced_accuracy"]
    assert found["test"] == test["value"]
    assert found["optimism"] == pytest.approx(found["validation"] - found["test"])


def test_a_finished_search_is_left_as_it_is(tuned: tuple[Tuner, Run], table: Path) -> None:
    """Resumed, with more time and more trials to come, it is what it was."""
    tuner, run = tuned
    before = {path: path.stat().st_mtime_ns for path in run.path.glob("*.safetensors")}
    later = replace(OPTIONS, budget=6000.0, n_trials=9)
    again = _tuner(table, tuner.folder, later, resume=True)
    with Here() as executor:
        again.search(executor)
    assert again.finish().done
    assert len(again.records) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_describing_a_search_writes_nothing(table: Path, tmp_path: Path) -> None:
    """How it would be laid out can be had without a trace."""
    tuner = _tuner(table, tmp_path / "run")
    assert tuner.layout.n_folds == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"ratio": 3.0}, "split was"),
        ({"params": {"clip_norm": 1.0}}, "params was"),
        ({"roles": ("mixing",)}, "roles was"),
        ({"metrics": ("accuracy",)}, "metrics was"),
        ({"n_folds": 3}, "folds was 2 and is now 3"),
        ({"storage": "sqlite:///x.db"}, "storage was None"),
    ],
)
def test_a_search_is_resumed_only_as_it_was_begun(
    changes: dict[str, Any], word: str, table: Path, tmp_path: Path
) -> None:
    """Another seed, split, setting or metric is another search."""
    _tuner(table, tmp_path / "run").begin()
    own = {name: value for name, value in changes.items() if hasattr(OPTIONS, name)}
    others = {name: value for name, value in changes.items() if name not in own}
    with pytest.raises(InputError, match=word):
        _tuner(table, tmp_path / "run", replace(OPTIONS, **own), resume=True, **others)
    _tuner(table, tmp_path / "run", replace(OPTIONS, budget=900.0, n_trials=8), resume=True)


def test_searches_in_one_storage_do_not_meet(table: Path, tmp_path: Path) -> None:
    """Each folder has a study of its own, the same again when it is resumed."""
    options = replace(OPTIONS, storage=f"sqlite:///{tmp_path}/s.db")
    names = []
    for folder in ("one", "two", "one"):
        tuner = _tuner(table, tmp_path / folder, options, resume=(tmp_path / folder).exists())
        tuner.begin()
        names.append(tuner.address.name)
        _tuner(table, tmp_path / folder, options, resume=True)
    assert names[0] == names[2] != names[1]


def test_paths_are_relative_to_where_the_command_was_given(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errands: ModuleType
) -> None:
    """Of data, index, run, start and data base, for workers whose working folder is another."""
    (tmp_path / "away").mkdir()
    shutil.copy(table, tmp_path / "t.csv")
    monkeypatch.chdir(tmp_path)
    given = {"scaling": "standard", "optimizer": "AdamW()"}
    data = load("t.csv")
    save_index(Path("i.json"), subsample(data.codes, 6), data.fingerprint)
    index = (Path("i.json"),)
    Plan.make(_experiment(Path("t.csv"), params=given, index=index)).run(Path("start"))
    options = replace(OPTIONS, n_trials=1, storage="sqlite:///s.db", roles=("smoothing",))
    settings = {"index": index, "params": {**given, "initial": "start"}}
    tuner = _tuner(Path("t.csv"), Path("run"), options, **settings)
    tuner.search(errands.Astray(tmp_path / "away"))
    assert [(record.state, record.message) for record in tuner.records] == [("complete", "")]
    assert (tmp_path / "s.db").exists()
    assert not list((tmp_path / "away").rglob("trials"))


def test_a_search_is_not_resumed_with_other_data(table: Path, tmp_path: Path) -> None:
    """A row more is enough."""
    _tuner(table, tmp_path / "run").begin()
    other = tmp_path / "t.csv"
    other.write_text(table.read_text() + "0.0,0.0,0.0,a\n")
    with pytest.raises(InputError, match="data was"):
        _tuner(other, tmp_path / "run", resume=True)


def test_a_folder_that_is_taken_is_refused(
    tuned: tuple[Tuner, Run], table: Path, tmp_path: Path
) -> None:
    """By a search, unless it is resumed; by a run of `fit`, in any case."""
    with pytest.raises(InputError, match="holds a search already"):
        _tuner(table, tuned[0].folder)
    Plan.make(_experiment(table)).run(tmp_path / "fit")
    for resume in (False, True):
        with pytest.raises(InputError, match=r"already exists.*keeps no search to go on with"):
            _tuner(table, tmp_path / "fit", resume=resume)


@pytest.mark.parametrize("resume", [False, True])
def test_a_fit_leaves_a_search_that_has_not_ended_alone(
    resume: bool, table: Path, tmp_path: Path
) -> None:
    """It would end in the folder, and the search with it."""
    tuner = _tuner(table, tmp_path / "run")
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor, [_press(0)])
    with pytest.raises(InputError, match="holds a search that has not ended"):
        Plan.make(_experiment(table)).run(tmp_path / "run", resume=resume)
    again = _tuner(table, tmp_path / "run", resume=True)
    assert len(again.records) == 1
    assert again.finish(refit=False).done


def test_a_search_without_time_after_reading_is_refused(table: Path, tmp_path: Path) -> None:
    """With the time that reading and measuring took, and what would do; nothing is written."""
    begun = time.monotonic() - 100.0
    short = replace(OPTIONS, budget=99.0)
    with pytest.raises(InputError) as caught:
        Tuner.make(_experiment(table), tmp_path / "run", short, begun=begun)
    taken = re.search(r"took (\S+) of (\S+)\.$", caught.value.actual)
    least = re.search(r"--budget (\S+)\.$", caught.value.remedy)
    assert taken is not None
    assert least is not None
    assert parse_duration(taken[1]) >= 99
    assert parse_duration(taken[2]) == 99
    assert parse_duration(least[1]) == pytest.approx(300, abs=60)
    assert not (tmp_path / "run").exists()
    enough = replace(OPTIONS, budget=parse_duration(least[1]))
    assert Tuner.make(_experiment(table), tmp_path / "run", enough, begun=begun).clock.left > 0


def test_a_search_is_laid_out_anew_until_a_trial_has_begun(table: Path, tmp_path: Path) -> None:
    """With the time that there is now; from then on it stays as it is."""
    given = {"epochs": "auto"}
    options = replace(OPTIONS, metrics=(), n_folds=None, budget=6.0, n_trials=1)
    first = _tuner(table, tmp_path / "run", options, params=given)
    first.begin()
    longer = replace(options, budget=400.0)
    again = _tuner(table, tmp_path / "run", longer, resume=True, params=given)
    assert again.layout.telling > first.layout.telling
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        again.search(executor, [_press(0)])
    last = _tuner(table, tmp_path / "run", replace(longer, budget=9e9), resume=True, params=given)
    assert last.layout == again.layout
    # What was tried can be concluded though the time is up.
    assert _tuner(table, tmp_path / "run", options, resume=True, params=given).records


def test_a_kill_between_the_first_two_files_is_no_loss(table: Path, tmp_path: Path) -> None:
    """The same command with --resume goes on, and the layout is measured and kept."""
    tuner = _tuner(table, tmp_path / "run")
    tuner.begin()
    found = tuner.search_folder.glob("*.json")
    written = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    assert [path.name for path in written] == ["search.json", "layout.json"]
    written[1].unlink()
    _tuner(table, tmp_path / "run", resume=True).begin()
    assert all(path.exists() for path in written)


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, roles=("scaling", "nonsense")),
        replace(OPTIONS, roles=("backbone", "batch_size")),
        replace(OPTIONS, metrics=("nonsense",)),
        replace(OPTIONS, n_folds=0),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    options: Options, table: Path, tmp_path: Path
) -> None:
    """An unknown name, nothing to search, an unknown metric, no folds."""
    with pytest.raises(InputError):
        _tuner(table, tmp_path / "run", options)
    assert not (tmp_path / "run").exists()


def test_ctrl_c_leaves_a_run_of_the_best_recipe_so_far(table: Path, tmp_path: Path) -> None:
    """Not trained anew: its network is that of the first fold of its trial, to the last digit."""
    tuner = _tuner(table, tmp_path / "run")
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor, [_press(1)])
    assert len(tuner.records) == 2
    run = tuner.finish(refit=False)
    assert run.done
    number = run.read_json("tuning.json")["taken"]
    folder = folder_of(tuner.search_folder, number)
    weights = [read_tensors(path / "model.safetensors") for path in (run.path, folder / "fold0")]
    assert all(bool((weights[1][name] == value).all()) for name, value in weights[0].items())
    [fold, _] = folds_of(tuner.plan.fit.task, 2, seed=0)
    assert np.array_equal(run.read_arrays("split.npz")["validation"], fold.validation)
    logits = run.read_arrays("predictions.npz")["validation_logits"]
    held = read_held_out(folder, 0)
    assert held is not None
    uncorrected = held.logits + np.log(run.config["network"]["prior"]) - np.log(1 / 3)
    assert np.allclose(uncorrected, logits, atol=1e-5)
    assert load_run(run.path, "cpu").predict_proba(tuner.plan.parts.dataset.X).shape == (93, 3)


def _same_weights(run: Path, place: Path) -> bool:
    own, kept = (read_tensors(path / "model.safetensors") for path in (run, place))
    return own.keys() == kept.keys() and all(bool((own[k] == kept[k]).all()) for k in kept)


@pytest.mark.parametrize(
    "params",
    [
        {"stages": "CRT()", "epochs": 6},
        {"stages": "DRW()", "epochs": 6},
        {"stages": "LWS()", "epochs": 6, "posthoc": None},
        {"batch_size": "BatchSize(size=8, budget='steps', reference=32)", "epochs": 12},
        {"patience": 1, "epochs": 12},
    ],
)
@pytest.mark.parametrize("ensemble", [1, 2])
def test_a_model_that_is_kept_is_not_trained_on(
    params: dict[str, Any], ensemble: int, table: Path, tmp_path: Path
) -> None:
    """Whatever its epochs are: several stages, counted by steps, or ended by patience."""
    options = replace(OPTIONS, n_trials=2, n_folds=1, ensemble=ensemble, roles=("optimizer",))
    tuner = _tuner(table, tmp_path / "run", options, params=params)
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor, [_press(0)])
    place = folder_of(tuner.search_folder, 0)
    history = Run(place).history
    if ensemble == 1:
        run = tuner.finish(refit=False)
        assert _same_weights(run.path, place / "fold0")
    else:
        kept = read_tensors(place / "fold0" / "model.safetensors")
        run = tuner.finish(refit=False)
        own = read_tensors(next(run.path.glob("**/model*.safetensors")))
        assert all(bool((own[k] == kept[k]).all()) for k in own.keys() & kept.keys())
    assert run.history == history
    assert run.config["classifier"]["epochs"] == params["epochs"]
    assert "ended" not in run.config["environment"]


def test_a_trial_that_was_ended_in_its_middle_is_told_to_be(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept after two of forty epochs, with the weights of these; its run says so."""
    from equipoise.tuning import trial as trial_module  # noqa: PLC0415 (it is changed)

    class _Pressed(trial_module.Watch):
        def __call__(self, progress: Progress) -> None:
            if progress.row is not None and progress.epoch == 2:
                raise KeyboardInterrupt
            super().__call__(progress)

    monkeypatch.setattr(trial_module, "Watch", _Pressed)
    tuner = _tuner(table, tmp_path / "run", params={"epochs": 40, "stages": "DRW()"})
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor)
    run = tuner.finish(refit=False)
    assert _same_weights(run.path, folder_of(tuner.search_folder, 0) / "fold0")
    assert len(run.history) == 2
    ended = "with its trial, after epoch 2 of 40: no epoch of stage 2 of DRW() was trained"
    assert run.config["environment"]["ended"] == ended


def test_ctrl_c_in_the_first_trial_leaves_a_run_too(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was trained until then, in its first fold."""
    from equipoise.tuning import trial as trial_module  # noqa: PLC0415 (it is changed)

    seen = []

    class _Pressed(trial_module.Watch):
        def __call__(self, progress: Progress) -> None:
            seen.append(progress)
            if len(seen) == 5:
                raise KeyboardInterrupt
            super().__call__(progress)

    monkeypatch.setattr(trial_module, "Watch", _Pressed)
    tuner = _tuner(table, tmp_path / "run")
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor)
    assert [record.state for record in tuner.records] == ["running"]
    run = tuner.finish(refit=False)
    assert run.done
    found = run.read_json("tuning.json")
    assert (found["taken"], found["over_prescription"]) == (0, None)
    assert [trial["state"] for trial in found["trials"]] == ["interrupted"]


def test_a_stop_before_the_kept_model_is_there_decides_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C twice, the second time while the model is written: resuming searches on."""
    tuner = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=3))
    with Here() as executor, pytest.raises(KeyboardInterrupt):
        tuner.search(executor, [_press(0)])

    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("equipoise.plan.outcome.write", pressed)
        with pytest.raises(KeyboardInterrupt):
            tuner.finish(refit=False)
    assert Run(tmp_path / "run").config["test"]["looks"] == 1
    again = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=3), resume=True)
    with Here() as executor:
        again.search(executor)
    assert len(again.records) == 3
    run = again.finish()
    assert run.done
    assert run.config["data"]["counts_validation"] == [0, 0, 0]
    # The first recipe has looked at the test set, and this one has.
    assert run.config["test"]["looks"] == 2


def test_a_class_of_two_that_no_trial_was_judged_by_is_told(tmp_path: Path) -> None:
    """At the layout and at the end; optimism leaves it out, though it is in the test set."""
    random = np.random.default_rng(0)
    target = np.repeat(["a", "b", "c"], [60, 30, 2])
    values = random.normal(size=len(target)) + (target == "b")
    rows = ["x,target", *(f"{x},{name}" for x, name in zip(values, target, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    for ensemble in (1, 2):
        options = replace(OPTIONS, roles=("optimizer",), ensemble=ensemble, n_trials=2)
        tuner = _tuner(tmp_path / "t.csv", tmp_path / f"run{ensemble}", options)
        assert "c" in {c.field: c.value for c in tuner.layout.choices}["not judged"]
        with Here() as executor:
            tuner.search(executor)
        run = tuner.finish()
        found, arrays = run.read_json("tuning.json"), run.read_arrays("predictions.npz")
        assert found["unjudged"] == ["c"]
        assert set(arrays["test_labels"]) == {0, 1, 2}
        prior = np.array(run.config["network"]["prior"])
        used, codes = arrays["test_logits"] - np.log(prior), arrays["test_labels"]
        recalls = [(used[codes == code].argmax(axis=1) == code).mean() for code in range(3)]
        alike = found["alike_classes"]
        assert found["test"] == pytest.approx(np.mean(recalls))
        assert alike["test"] == pytest.approx(np.mean(recalls[:2]))
        assert alike["validation"] == pytest.approx(found["validation"])
        assert found["optimism"] == pytest.approx(alike["validation"] - alike["test"])


def test_a_validation_part_of_the_data_is_learnt_from_at_last(tmp_path: Path) -> None:
    """Where the data is cut already, too; the configuration cuts it in the same way again."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, counts in {"train": [30, 12], "val": [8, 4], "test": [10, 5]}.items():
        labels = np.repeat(["a", "b"], counts)
        values = (
            random.integers(0, 100, (len(labels), 8, 8, 1))
            + 100 * (labels == "b")[:, None, None, None]
        )
        arrays |= {f"{part}_images": values.astype(np.uint8), f"{part}_labels": labels}
    np.savez(tmp_path / "d.npz", **arrays)
    options = replace(OPTIONS, n_trials=1, n_folds=1)
    params = {"backbone": "ResNet18(width=4)", "epochs": 1, "device": "cpu"}
    experiment = Experiment(source=str(tmp_path / "d.npz"), params=params)
    tuner = Tuner.make(experiment, tmp_path / "run", options)
    assert tuner.plan.fit.task.counts.tolist() == [30, 12]
    with Here() as executor:
        tuner.search(executor)
    config = tuner.finish().config
    assert config["data"]["counts_train"] == [38, 16]
    assert config["classifier"]["epochs"] == 1
    again = prepare(experiment, config["classifier"]["validation"])
    assert again.fingerprint == config["data"]["split"]


def test_one_process_at_a_time_goes_on(table: Path, tmp_path: Path) -> None:
    """Two would train the same trials and write the same files."""
    tuner = _tuner(table, tmp_path / "run")
    tuner.begin()
    script = (
        "import sys, time; from pathlib import Path;"
        "from equipoise.tuning.identity import only_here\n"
        "with only_here(Path(sys.argv[1])): print('here', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tuner.search_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "here\n"
        with Here() as executor, pytest.raises(InputError, match="One process at a time"):
            tuner.search(executor)
        other.kill()
    with Here() as executor:
        tuner.search(executor)
    assert tuner.records


def test_a_search_is_written_only_by_who_is_at_it(table: Path, tmp_path: Path) -> None:
    """Of two that are begun at once the second changes nothing, then or when the first is done."""
    (tmp_path / "run" / "search").mkdir(parents=True)
    (tmp_path / "run" / "search" / "lock").touch()  # as a kill leaves it before all else
    first = _tuner(table, tmp_path / "run")
    second = _tuner(table, tmp_path / "run", replace(OPTIONS, budget=900.0))
    assert second.layout != first.layout
    files = [first.search_folder / name for name in ("search.json", "layout.json")]
    with Here() as executor, first.claim.held():
        first.begin()
        written = [path.read_bytes() for path in files]
        with pytest.raises(InputError, match="One process at a time"):
            second.search(executor)
        assert [path.read_bytes() for path in files] == written
        first.search(executor)
    with Here() as executor, pytest.raises(InputError, match="since this one has read it"):
        second.search(executor)
    assert [path.read_bytes() for path in files] == written


def test_none_comes_between_a_search_and_its_end(table: Path, tmp_path: Path) -> None:
    """Who holds the search over both keeps it; else one that came between is told."""
    tuner = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=1))
    with Here() as executor:
        with tuner.claim.held():
            tuner.search(executor)
            waiting = _tuner(table, tmp_path / "run", resume=True)
            with pytest.raises(InputError, match="One process at a time"):
                waiting.search(executor)
        _tuner(table, tmp_path / "run", resume=True).search(executor)
    with pytest.raises(InputError, match="since this one has read it"):
        tuner.finish()


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("postgresql://me:secret@host/search", "postgresql://me:***@host/search"),
        ("postgresql://host/search?user=me&password=secret", "postgresql://host/search"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dsecret", "mssql+pyodbc:///"),
    ],
)
def test_a_password_is_not_written(storage: str, told: str, table: Path, tmp_path: Path) -> None:
    """Runs are passed on; the data base's address is told without it, wherever a URL has it."""
    tuner = _tuner(table, tmp_path / "run", replace(OPTIONS, storage=storage))
    write_identity(tuner.search_folder, tuner.identity)
    written = Run(tuner.search_folder).read_json("search.json")
    assert written["storage"] == told
    assert "secret" not in (tuner.search_folder / "search.json").read_text()


def test_a_search_that_kept_the_query_of_its_storage_goes_on(table: Path, tmp_path: Path) -> None:
    """As earlier versions did; the same data base is known again, and another one refused."""
    options = replace(OPTIONS, storage=f"sqlite:///{tmp_path / 's.db'}?timeout=9")
    tuner = _tuner(table, tmp_path / "run", options)
    known = {**tuner.identity, "storage": options.storage, "study": "equipoise-1"}
    write_identity(tuner.search_folder, known)
    assert _tuner(table, tmp_path / "run", options, resume=True).identity == tuner.identity
    other = replace(OPTIONS, storage=f"sqlite:///{tmp_path / 'o.db'}?timeout=9")
    with pytest.raises(InputError, match="storage was"):
        _tuner(table, tmp_path / "run", other, resume=True)


def test_a_search_without_an_epoch_ends_in_words(table: Path, tmp_path: Path) -> None:
    """No run is left half-made."""
    tuner = _tuner(table, tmp_path / "run")
    tuner.clock.budget = 0.0
    with Here() as executor:
        tuner.search(executor)
    with pytest.raises(TrainingError, match="before any recipe was trained"):
        tuner.finish()
    assert not (tmp_path / "run" / "config.toml").exists()


def test_a_final_training_that_was_stopped_goes_on_with_its_epochs(
    table: Path, tmp_path: Path
) -> None:
    """Although there is less time left by then; no further recipe is tried."""
    tuner = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=1))
    with Here() as executor:
        tuner.search(executor)

    def press(progress: Progress) -> None:
        if progress.row is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner.finish([press])
    epochs = Run.open(tmp_path / "run").config["classifier"]["epochs"]
    Run(tuner.search_folder).write_json("clock.json", {"used": 599.0})
    again = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=2), resume=True)
    with Here() as executor:
        again.search(executor)
    assert len(again.records) == 1
    run = again.finish()
    assert run.done
    assert run.config["classifier"]["epochs"] == epochs


def test_a_final_training_that_never_began_has_epochs_for_the_time_there_is(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before an epoch was kept, nothing is lost by fewer; with time, it has as many."""
    options = replace(OPTIONS, n_trials=1)
    tuner = _tuner(table, tmp_path / "run", options, params={"epochs": "auto"})
    with Here() as executor:
        tuner.search(executor)

    def press(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner.finish([press])
    decided = Run.open(tmp_path / "run").config["classifier"]["epochs"]
    assert decided > 2
    for fitting, expected in ((decided + 5, decided), (2, 2)):
        monkeypatch.setattr("equipoise.tuning.tuner.final_epochs", lambda *_, n=fitting: n)
        again = _tuner(table, tmp_path / "run", options, resume=True, params={"epochs": "auto"})
        with pytest.raises(KeyboardInterrupt):
            again.finish([press])
        assert Run.open(tmp_path / "run").config["classifier"]["epochs"] == expected
    run = _tuner(table, tmp_path / "run", options, resume=True, params={"epochs": "auto"}).finish()
    assert len(run.history) == 2


def test_a_final_training_that_is_cut_short_is_told_to_be(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In what the search has found and on the terminal, also where it was stopped in between."""
    options, params = replace(OPTIONS, n_trials=1), {"epochs": 20}
    tuner = _tuner(table, tmp_path / "run", options, params=params)
    with Here() as executor:
        tuner.search(executor)
    seen = []

    def slow(progress: Progress) -> None:
        seen.append(progress)
        time.sleep(0.3 * (progress.row is None and progress.step == progress.steps))

    def press(progress: Progress) -> None:
        slow(progress)
        if progress.row is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner.finish([press])
    again = _tuner(table, tmp_path / "run", options, resume=True, params=params)
    again.clock.budget = (again.clock.used + again.layout.after() + 1.0) / (1 - SPARE_SHARE)
    again.options = replace(options, budget=again.clock.budget)
    run = again.finish([slow])
    done = len(run.history)
    assert 1 < done < 20
    expected = f"by its deadline, after epoch {done} of 20"
    assert run.read_json("tuning.json")["ended"] == expected
    tell_end(run)
    told = " ".join(capsys.readouterr().err.split())
    assert f"{expected}; the last of these epochs is kept" in told


def test_an_update_of_low_rank_can_be_tuned_and_kept(table: Path, tmp_path: Path) -> None:
    """What was merged into the network of a trial is in that of the run."""
    given = {"finetuning": "LowRank(rank=2)", "optimizer": "AdamW()"}
    tuner = _tuner(table, tmp_path / "run", replace(OPTIONS, n_trials=1), params=given)
    with Here() as executor:
        tuner.search(executor)
    run = tuner.finish(refit=False)
    folder = folder_of(tuner.search_folder, 0)
    weights = [read_tensors(path / "model.safetensors") for path in (run.path, folder / "fold0")]
    assert all(bool((weights[1][name] == value).all()) for name, value in weights[0].items())


# Methods after training


AFTER = replace(OPTIONS, n_trials=2, roles=("optimizer",))


def _head(path: Path) -> np.ndarray:
    return read_tensors(path / "model.safetensors")["head.weight"].double().numpy()


@pytest.mark.parametrize(
    ("posthoc", "holds_out"),
    [
        ("Thresholds()", True),
        ("TauNorm()", False),
        ("NearestMean()", False),
        ("TauNorm(tau=1.0)", False),
        (None, False),
    ],
)
def test_the_final_training_holds_out_what_its_method_chooses_by(
    table: Path, tmp_path: Path, posthoc: str | None, holds_out: bool
) -> None:
    """As many examples as a plain run, unless its trial has chosen a number, which is kept."""
    tuner = _tuner(table, tmp_path / "run", AFTER, params={"posthoc": posthoc})
    with Here() as executor:
        tuner.search(executor)
    run = tuner.finish()
    parts, counts = tuner.plan.parts, run.config["data"]
    held = np.bincount(parts.dataset.codes[parts.validation], minlength=3)
    assert counts["counts_validation"] == (held.tolist() if holds_out else [0, 0, 0])
    learnt = np.bincount(parts.dataset.codes[parts.train], minlength=3)
    assert counts["counts_train"] == (learnt if holds_out else learnt + held).tolist()
    assert (run.config["classifier"]["validation"] > 0) == holds_out
    assert ("posthoc" in run.config) == (posthoc is not None)
    trial = folder_of(tuner.search_folder, tuner.winner.record.number) / "fold0"
    if posthoc in ("TauNorm()", "NearestMean()"):
        number = "tau" if posthoc == "TauNorm()" else "scale"
        chosen = Run(trial).read_json("posthoc.json")["found"][number]
        assert run.config["posthoc"][number] == chosen
        assert f"({number}={chosen!r})" in run.config["classifier"]["posthoc"]
        reasons = {choice["field"]: choice["reason"] for choice in run.config["choices"]}
        assert "chosen on held-out examples" in reasons["posthoc"]
    if posthoc is not None and "1.0" in posthoc:
        assert np.ptp(np.linalg.norm(_head(run.path), axis=1)) < 1e-5


@pytest.mark.parametrize("posthoc", ["TauNorm(tau=1.0)", "NearestMean()", "Thresholds()"])
def test_the_model_of_a_trial_is_not_changed_twice(
    table: Path, tmp_path: Path, posthoc: str
) -> None:
    """Taken as its trial has trained it, it has the same head, prior and choices."""
    tuner = _tuner(table, tmp_path / "run", AFTER, params={"posthoc": posthoc})
    with Here() as executor:
        tuner.search(executor)
    place = folder_of(tuner.search_folder, tuner.winner.record.number) / "fold0"
    run = tuner.finish(refit=False)
    np.testing.assert_array_equal(_head(run.path), _head(place))
    described, kept = Run(place).read_json("network.json"), Run(place).read_json("posthoc.json")
    assert run.config["network"]["prior"] == described["prior"] == kept["prior"]
    assert run.config["posthoc"] == kept["found"]
    fields = [choice["field"] for choice in run.config["choices"]]
    assert [f for f in fields if f.startswith("posthoc.")] == [
        choice["field"] for choice in kept["choices"]
    ]
    model = load_run(run.path, device="cpu")
    np.testing.assert_array_equal(model.model_.prior, described["prior"])


def test_models_of_an_ensemble_have_the_priors_that_their_method_left(
    table: Path, tmp_path: Path
) -> None:
    """Means of each class know no sizes, and neither does what is combined of them."""
    options = replace(AFTER, ensemble=2)
    tuner = _tuner(table, tmp_path / "run", options, params={"posthoc": "NearestMean()"})
    with Here() as executor:
        tuner.search(executor)
    run = tuner.finish()
    assert "posthoc" not in run.config  # each has its own
    np.testing.assert_allclose(run.config["network"]["prior"], 1 / 3, rtol=1e-9)
    np.testing.assert_allclose(load_run(run.path, device="cpu").model_.prior, 1 / 3, rtol=1e-9)
