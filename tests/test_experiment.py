"""A run is complete, honest about its test set, and the same after any number of kills."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from equipoise import InputError, load, load_run
from equipoise.experiment import Experiment
from equipoise.loading import load_run_model
from equipoise.plan import Plan
from equipoise.runs import Run

PARAMS = {"backbone": "ResNet(depth=8, width=8)", "epochs": 3, "device": "cpu"}


def plan(**changes):
    return Plan.make(Experiment(**{"source": "digits", "ratio": 10, "params": PARAMS, **changes}))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A finished run on the embedded digits; not to be changed."""
    return plan().run(tmp_path_factory.mktemp("runs") / "digits")


def test_a_finished_run_holds_every_file_of_the_contract(run):
    """Each file is there, and the checkpoint is gone."""
    names = {path.name for path in run.path.iterdir()}
    assert names == {
        "config.toml", "split.npz",
        "learnt.npz", "history.jsonl", "predictions.npz", "metrics.json",
        "mistakes.npz", "model.safetensors", "preprocessing.json", "DONE",
    }  # fmt: skip


def test_parts_do_not_overlap_and_only_training_is_made_imbalanced(run):
    """No example is in two parts, and the test part keeps the classes' own frequencies."""
    parts = run.read_arrays("split.npz")
    everything = np.concatenate(list(parts.values()))
    assert len(np.unique(everything)) == len(everything)
    data = run.config["data"]
    assert max(data["counts_train"]) / min(data["counts_train"]) > 8
    assert max(data["counts_test"]) / min(data["counts_test"]) < 1.2


def test_the_test_set_does_not_depend_on_how_training_is_set_up(run):
    """Another ratio, validation share or seed of training leaves the sealed test set alone."""
    other = plan(ratio=5, seed=3, params={**PARAMS, "validation": 0.3, "epochs": 1})
    assert np.array_equal(other.parts.test, run.read_arrays("split.npz")["test"])


def test_metrics_are_those_of_the_stored_predictions(run):
    """Accuracy recomputed from the stored logits is the one in metrics.json."""
    predictions = run.read_arrays("predictions.npz")
    hits = predictions["test_logits"].argmax(axis=1) == predictions["test_labels"]
    stored = run.read_json("metrics.json")["test"]["as_is"]["overall"]["accuracy"]["value"]
    assert stored == pytest.approx(hits.mean())


def test_a_reloaded_run_predicts_the_stored_logits(run):
    """The model on disk is the model that was measured."""
    dataset = load("digits")
    rows = run.read_arrays("split.npz")["test"]
    logits = load_run_model(run, "cpu").logits(dataset.X, rows)
    assert np.array_equal(logits, run.read_arrays("predictions.npz")["test_logits"])
    classifier = load_run(run.path, "cpu")
    proba = classifier.predict_proba(dataset.X[rows])
    assert np.array_equal(proba.argmax(axis=1), logits.argmax(axis=1))
    assert set(classifier.predict(dataset.X[:50])) <= set(dataset.classes)


def test_one_look_at_the_test_set_is_recorded(run):
    """Fitting looks at the test set once."""
    assert run.config["test"]["looks"] == 1


def test_every_choice_is_recorded_with_its_reason(run):
    """config.toml says what was chosen automatically and why."""
    choices = {choice["field"]: choice for choice in run.config["choices"]}
    assert {"augmentation", "optimizer", "batch_size", "precision"} <= set(choices)
    assert all(choice["reason"] for choice in choices.values())


def test_the_same_seed_gives_the_same_metrics_and_another_does_not(run, tmp_path):
    """A run can be repeated to the last digit."""
    again = plan().run(tmp_path / "again")
    other = plan(seed=1).run(tmp_path / "other")
    assert again.read_json("metrics.json") == run.read_json("metrics.json")
    assert other.read_json("metrics.json") != run.read_json("metrics.json")


def test_a_finished_run_is_not_trained_again(run):
    """Resuming a finished run leaves it as it is."""
    before = (run.path / "metrics.json").stat().st_mtime_ns
    plan().run(run.path, resume=True)
    assert (run.path / "metrics.json").stat().st_mtime_ns == before


def test_a_taken_folder_is_refused_and_kept(run):
    """Without resume, an existing run is neither overwritten nor damaged."""
    before = (run.path / "config.toml").read_bytes()
    with pytest.raises(InputError, match="resume"):
        plan().run(run.path)
    assert (run.path / "config.toml").read_bytes() == before


def test_resuming_with_other_settings_is_refused(run):
    """The message names the setting that differs."""
    with pytest.raises(InputError, match="epochs"):
        plan(params={**PARAMS, "epochs": 4}).run(run.path, resume=True)


SCRIPT = """
import os, random, signal, sys, time
from pathlib import Path
import equipoise.training
from equipoise.experiment import Experiment
from equipoise.plan import Plan

equipoise.training.CHECKPOINT_SHARE = 1e9
params = {"backbone": "ResNet(depth=8, width=8)", "epochs": 8, "device": "cpu"}
calm, killed = map(Path, sys.argv[1:])

def start(folder):
    child = os.fork()  # nothing has been computed here, so that a copy is as good as new
    if not child:
        experiment = Experiment(source="digits", ratio=10, params=params)
        Plan.make(experiment).run(folder, resume=True)
        os._exit(0)
    return child

assert os.waitpid(start(calm), 0)[1] == 0
moments = random.Random(0)
for _ in range(3):
    child = start(killed)
    while not (killed / "config.toml").exists():
        time.sleep(0.01)
    time.sleep(moments.uniform(0.1, 1.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
assert os.waitpid(start(killed), 0)[1] == 0
"""


def _in_one_thread(script: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)


def test_killed_runs_end_with_the_numbers_of_an_undisturbed_one(tmp_path):
    """SIGKILL at random moments, then resume: metrics, predictions and history are the same."""
    _in_one_thread(SCRIPT, tmp_path / "calm", tmp_path / "killed")
    calm, killed = Run.open(tmp_path / "calm"), Run.open(tmp_path / "killed")
    assert calm.read_json("metrics.json") == killed.read_json("metrics.json")
    first, second = (run.read_arrays("predictions.npz") for run in (calm, killed))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    timings = ("seconds", "examples_per_second")
    rows = [
        [{k: v for k, v in row.items() if k not in timings} for row in run.history]
        for run in (calm, killed)
    ]
    assert rows[0] == rows[1]
    names = [sorted(path.name for path in run.path.iterdir()) for run in (calm, killed)]
    assert names[0] == names[1]


STEPS = """
import os, sys
from pathlib import Path
import equipoise.runs
from equipoise.experiment import Experiment
from equipoise.plan import Plan

params = {"backbone": "ResNet(depth=8, width=8)", "epochs": 3, "device": "cpu"}
move = Path.replace

def run(stop):
    written = 0
    def replace(self, target):
        nonlocal written
        written += 1
        if written == stop:
            os.kill(os.getpid(), 9)
        return move(self, target)
    Path.replace = replace
    experiment = Experiment(source="digits", ratio=10, params=params)
    Plan.make(experiment).run(Path(sys.argv[1]), resume=True)

for stop in (1, 2, 4, 6, 7, 8, 9, 10, 11, 12):
    child = os.fork()  # nothing has been computed here, so that a copy is as good as new
    if not child:
        run(stop)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    assert ended in (0, 9), ended
    if not ended:
        break
"""


def test_a_kill_before_any_file_takes_its_name_changes_nothing(run, tmp_path):
    """Killed before the first, second, ... file is in place, a run resumes to the same end."""
    _in_one_thread(STEPS, tmp_path / "run")
    plan().run(tmp_path / "run", resume=True)
    again = Run.open(tmp_path / "run")
    assert again.read_json("metrics.json") == run.read_json("metrics.json")
    assert again.config["test"]["looks"] == 1
    assert {path.name for path in again.path.iterdir()} == {p.name for p in run.path.iterdir()}


def test_resuming_with_other_training_examples_is_refused(run, tmp_path):
    """The same counts from other examples are another run."""
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "DONE").unlink()
    other = plan()
    swapped = other.parts.train.copy()
    swapped[0] = np.setdiff1d(np.arange(len(other.parts.dataset)), swapped)[0]
    parts = dataclasses.replace(other.parts, train=swapped)
    with pytest.raises(InputError, match="split"):
        dataclasses.replace(other, parts=parts).run(tmp_path / "run", resume=True)


def test_training_parts_of_a_limit_are_kept_and_told():
    """Fewer examples of the same fall, from among those of the whole; needs a ratio."""
    whole, few = plan(), plan(examples=200)
    assert len(few.parts.train) + len(few.parts.validation) <= 200
    learnt = [np.union1d(each.parts.train, each.parts.validation) for each in (whole, few)]
    assert np.isin(learnt[1], learnt[0]).all()
    assert few.config()["data"]["examples"] == 200
    largest = plan(largest=50).parts
    codes = largest.dataset.codes[np.union1d(largest.train, largest.validation)]
    assert np.bincount(codes).max() == 50
    with pytest.raises(InputError, match="--ratio"):
        plan(ratio=None, largest=50)


def test_a_run_without_test_examples_is_refused_before_training():
    """`--test 0` on data without a test part, and shares out of range, are errors."""
    for share in (0.0, -0.5, 1.0):
        with pytest.raises(InputError, match="test"):
            plan(test=share)


def test_an_unfinished_run_is_not_loaded(run, tmp_path):
    """A model whose run has not finished is refused."""
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "DONE").unlink()
    with pytest.raises(InputError, match="finished"):
        load_run(tmp_path / "run")


def test_a_loaded_classifier_can_be_cloned_and_fitted(run):
    """The parameters that come back from a run are those of a classifier."""
    dataset = load("digits")
    again = clone(load_run(run.path, "cpu")).set_params(epochs=1)
    assert again.fit(dataset.X[:100], dataset.y[:100]).predict(dataset.X[:5]).shape == (5,)


def test_a_run_holds_no_pickle(run):
    """Arrays load without pickles, and nothing starts with a pickle's protocol byte."""
    for path in run.path.iterdir():
        assert path.read_bytes()[:1] != b"\x80", path
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype != object for name in arrays)


def test_a_table_with_every_kind_of_column_makes_a_run(tmp_path):
    """Numbers, text, booleans, dates and missing values go from CSV to a finished run."""
    rng = np.random.default_rng(0)
    n = 90
    y = np.repeat(["a", "b", "c"], [60, 20, 10])
    lines = ["amount,colour,flag,day,target"]
    for i, label in enumerate(y):
        amount = "" if rng.random() < 0.1 else f"{rng.normal() + ord(label):.3f}"
        colour = "red" if label == "a" else "blue"
        lines.append(f"{amount},{colour},{i % 2 == 0},2024-01-{i % 28 + 1:02d},{label}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    run = Plan.make(Experiment(source=str(path), params={"epochs": 5, "device": "cpu"})).run(
        tmp_path / "run"
    )
    assert run.done
    assert len(run.read_arrays("predictions.npz")["test_ids"]) == round(0.2 * n)
    for mistake in run.read_json("mistakes.json"):
        assert set(mistake["row"]) == {"amount", "colour", "flag", "day"}
    json.dumps(run.read_json("preprocessing.json"))
