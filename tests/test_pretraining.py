"""Laws of pre-training: it sees training examples alone, and leaves a run to start from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from equipoise import material
from equipoise import training as training_module
from equipoise.batches import Source
from equipoise.checkpoints import read_tensors
from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.pretraining import Pretraining
from equipoise.progress import Progress
from equipoise.runs import Run

SMALL = {
    "backbone": "ResNet(depth=8, width=4)",
    "augmentation": "CropFlip()",
    "device": "cpu",
    "epochs": 2,
}
TABLE = {"backbone": "MLP(layers=2, width=16)", "device": "cpu", "epochs": 4}
OPTIONS = [word for k, v in SMALL.items() for word in (f"--{k}", str(v))]


class Recorder(Source):
    """A source that notes which rows of which array are taken."""

    taken: list[tuple[int, list[int]]]

    def take(self, positions: np.ndarray) -> torch.Tensor:
        """Return the examples."""
        Recorder.taken.append((id(self.array), self.rows[positions].tolist()))
        return super().take(positions)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, list[int]]]]:
    """What was shown since the test began."""
    Recorder.taken = []
    monkeypatch.setattr(material, "Source", Recorder)
    yield Recorder.taken
    Recorder.taken = []


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of numbers and text that hang together, with a class."""
    random = np.random.default_rng(0)
    hidden = random.standard_normal(150)
    noise = random.standard_normal((150, 4))
    frame = pd.DataFrame(hidden[:, None] + 0.1 * noise, columns=list("abcd"))
    frame["e"] = np.where(hidden > 0, "high", "low")
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.assign(target=np.where(hidden > 0.5, "yes", "no")).to_csv(path, index=False)
    return path


def _images(**params: Any) -> Experiment:
    return Experiment(source="digits", ratio=50.0, params={**SMALL, **params})


def _more_images(folder: Path) -> str:
    pixels = np.asarray(load_digits(return_X_y=True)[0])
    images = (pixels[:40].reshape(-1, 8, 8) * 15).astype(np.uint8)
    np.savez(folder / "more.npz", images=images)
    return str(folder / "more.npz")


def test_only_training_images_are_shown(taken: list, tmp_path: Path) -> None:
    """Each in every epoch; no validation and no test image ever."""
    plan = Pretraining.make(_images(), "SimCLR(width=16)")
    plan.run(tmp_path / "run")
    shown = [row for _, rows in taken for row in rows]
    assert {place for place, _ in taken} == {id(plan.parts.dataset.X)}
    assert sorted(shown) == sorted(2 * plan.parts.train.tolist())
    assert len(plan.parts.validation) > 10
    assert not set(shown) & {*plan.parts.validation.tolist(), *plan.parts.test.tolist()}


def test_images_without_labels_are_shown_too(taken: list, tmp_path: Path) -> None:
    """Every further image comes once an epoch, beside the training images."""
    plan = Pretraining.make(_images(), "VICReg(width=16)", _more_images(tmp_path))
    run = plan.run(tmp_path / "run")
    places = {id(plan.parts.dataset.X): [], id(plan.fit.task.extra): []}
    for place, rows in taken:
        places[place] += rows
    own, further = places.values()
    assert sorted(own) == sorted(2 * plan.parts.train.tolist())
    assert sorted(further) == sorted(2 * list(range(40)))
    assert run.config["pretraining"]["unlabelled"] == 40


def test_statistics_are_those_of_the_training_images(tmp_path: Path) -> None:
    """Preprocessing knows neither held-out nor further examples."""
    plan = Pretraining.make(_images(), "VICReg(width=16)", _more_images(tmp_path))
    pixels = np.asarray(plan.parts.dataset.X)[plan.parts.train] / 255
    state = plan.fit.preprocessing.to_state()["input"]
    assert state["mean"] == pytest.approx([pixels.mean()])


@pytest.mark.parametrize("objective", ["SimCLR(width=16)", "VICReg(width=16, weight=0.0)"])
def test_images_are_learnt_from_without_labels(objective: str, tmp_path: Path) -> None:
    """The loss falls at full weight, the backbone moves and the head, which has no use, stays."""
    plan = Pretraining.make(_images(epochs=4, optimizer="AdamW(lr=0.003)"), objective)
    before = {k: v.clone() for k, v in plan.fit.training.network.state_dict().items()}
    run = plan.run(tmp_path / "run")
    losses = [row["train_loss"] for row in run.history]
    assert losses[-1] < losses[0]
    after = read_tensors(run.path / "model.safetensors")
    assert after.keys() == before.keys()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert not {"head.weight", "head.bias"} & moved
    assert any(name.startswith("backbone.") and name.endswith("weight") for name in moved)


@pytest.mark.parametrize("objective", ["SCARF(width=16)", "VICReg(width=16)"])
def test_tables_are_learnt_from_without_labels(
    objective: str, table: Path, tmp_path: Path, taken: list
) -> None:
    """Rows and their corrupted copies find each other; only the training part is encoded."""
    params = {**TABLE, "epochs": 10, "optimizer": "AdamW(lr=0.003)"}
    plan = Pretraining.make(Experiment(source=str(table), params=params), objective)
    run = plan.run(tmp_path / "run")
    losses = [row["train_loss"] for row in run.history]
    assert losses[-1] < losses[0] - 0.05
    assert {row for _, rows in taken for row in rows} == set(range(len(plan.parts.train)))
    assert run.config["classifier"]["auxiliary"] == objective
    assert run.config["classifier"]["average"] == "None"


def test_rows_without_labels_are_shown_too(table: Path, tmp_path: Path, taken: list) -> None:
    """Further rows need no class, and columns in any order; others are left out."""
    more = pd.read_csv(table).drop(columns="target").head(9).assign(a=lambda f: f["a"] + 0.5)
    more.assign(other=1)[["other", "e", "d", "c", "b", "a"]].to_csv(tmp_path / "m.csv", index=False)
    experiment = Experiment(source=str(table), params={**TABLE, "epochs": 1})
    plan = Pretraining.make(experiment, "SCARF(width=16)", str(tmp_path / "m.csv"))
    plan.run(tmp_path / "run")
    assert sum(len(rows) for _, rows in taken) == len(plan.parts.train) + 9
    assert list(plan.fit.task.extra.columns) == list("abcde")  # type: ignore[union-attr]


def test_other_examples_without_labels_are_refused_in_words(table: Path, tmp_path: Path) -> None:
    """Missing columns, and images of another size, are named with what to do."""
    pd.read_csv(table).drop(columns=["target", "b"]).to_csv(tmp_path / "less.csv", index=False)
    experiment = Experiment(source=str(table), params=TABLE)
    with pytest.raises(InputError, match="no 'b'"):
        Pretraining.make(experiment, "SCARF()", str(tmp_path / "less.csv"))
    np.savez(tmp_path / "big.npz", images=np.zeros((3, 9, 9), np.uint8))
    with pytest.raises(InputError, match="9 x 9 pixels and 1 channel"):
        Pretraining.make(_images(), "SimCLR()", str(tmp_path / "big.npz"))
    with pytest.raises(InputError, match="rows of a table"):
        Pretraining.make(_images(), "SimCLR()", str(tmp_path / "less.csv"))


@pytest.mark.parametrize(
    ("objective", "words"),
    [("SCARF()", "images"), ("SimCRL()", "Did you mean 'SimCLR'"), ("None", "self-supervised")],
)
def test_an_objective_that_cannot_be_is_refused_in_words(objective: str, words: str) -> None:
    """One for tables, one that there is not, and none."""
    with pytest.raises(InputError, match=words):
        Pretraining.make(_images(), objective)


def test_images_get_views_that_differ() -> None:
    """The automatic augmentation is that of contrastive learning; none at all is refused."""
    plan = Pretraining.make(_images(augmentation="auto"))
    assert repr(plan.fit.settings.augmentation) == "Preset(domain='contrastive')"
    with pytest.raises(InputError, match="--augmentation"):
        Pretraining.make(_images(augmentation=None))


def test_a_stop_does_not_show_in_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after its first epoch and resumed, the run has the same weights to the bit."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)

    def stop(progress: Progress) -> None:
        if progress.row is not None:
            raise KeyboardInterrupt

    more = _more_images(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _plan(more).run(tmp_path / "stopped", observers=[stop])
    with pytest.raises(InputError, match="unlabelled was 40 and is now 0"):
        _plan(None).run(tmp_path / "stopped", resume=True)
    resumed = _plan(more).run(tmp_path / "stopped", resume=True)
    whole = _plan(more).run(tmp_path / "whole")
    weights = [run.path.joinpath("model.safetensors").read_bytes() for run in (resumed, whole)]
    assert weights[0] == weights[1]
    assert not (resumed.path / "checkpoint").exists()


def _plan(more: str | None) -> Pretraining:
    return Pretraining.make(_images(), "VICReg(width=16)", more)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command line."""
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    command = ["pretrain", "digits", "--ratio", "50", "--objective", "SimCLR(width=16)"]
    assert main([*command, "--out", str(out), *OPTIONS]) == 0
    return out


def test_the_command_line_pretrains_and_fits(
    pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pretrain`, then `fit --initial`: the second starts from the first and keeps its name."""
    assert Run.open(pretrained).done
    assert not (pretrained / "metrics.json").exists()
    assert Run.open(pretrained).config["classifier"]["average"] == "None"
    out = tmp_path / "run"
    fit = ["fit", "digits", "--ratio", "50", "--initial", str(pretrained), "--out", str(out)]
    assert main([*fit, "--epochs", "1", "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]
    config = Run.open(out).config["classifier"]
    assert config["initial"] == str(pretrained)
    assert config["backbone"] == SMALL["backbone"]


def test_the_command_line_tells_the_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json it is read by machines; a dry run writes nothing."""
    command = ["pretrain", "digits", "--ratio", "50", "--out", str(tmp_path / "run"), *OPTIONS]
    assert main([*command, "--dry-run"]) == 0
    assert "average" not in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["loss"] == Run.open(tmp_path / "run").history[-1]["train_loss"]
    assert found["epochs"] == 2


def test_what_needs_classes_refuses_pretraining_in_words(
    pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`predict` and `evaluate` end with status 2 and say what to do; nothing is written."""
    out = tmp_path / "p.csv"
    assert main(["predict", str(pretrained), "digits", "--out", str(out)]) == 2
    assert "fit DATA --initial" in capsys.readouterr().err
    assert not out.exists()
    for command in (["evaluate", str(pretrained)], ["evaluate", str(pretrained), "digits"]):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "pre-training" in told
        assert "Traceback" not in told


def test_a_report_on_pretraining_is_a_page_or_a_refusal_in_words(
    pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It never ends in a traceback."""
    out = tmp_path / "report.html"
    status = main(["report", str(pretrained), "--out", str(out)])
    told = capsys.readouterr().err
    assert status in (0, 2), told
    assert "Traceback" not in told
    assert out.exists() == (status == 0)


def test_sealed_examples_among_the_unlabelled_ones_are_left_out() -> None:
    """Unlabelled data that holds the validation and test images lends pre-training none of them."""
    experiment = Experiment(source="digits", params=SMALL)
    plan = Pretraining.make(experiment, "SimCLR()", unlabelled="digits")
    parts, rows = plan.parts, plan.fit.task.extra_rows
    sealed = {image.tobytes() for image in parts.dataset.X[[*parts.validation, *parts.test]]}
    shown = {image.tobytes() for image in parts.dataset.X[rows]}
    assert not sealed & shown
    assert len(rows) <= len(parts.dataset) - len(parts.validation) - len(parts.test)
    assert any("were left out" in note for note in plan.notes)


def test_a_start_that_has_seen_the_test_examples_is_refused(tmp_path: Path) -> None:
    """Another split of the same data would test on what the backbone has learnt from."""
    Pretraining.make(Experiment(source="digits", params=SMALL)).run(tmp_path / "pre")
    params = {"initial": str(tmp_path / "pre"), "epochs": 1, "device": "cpu"}
    Plan.make(Experiment(source="digits", params=params))
    with pytest.raises(InputError, match="test example"):
        Plan.make(Experiment(source="digits", split_seed=1, params=params))
