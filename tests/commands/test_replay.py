"""Laws of replaying: a run's config.toml says all that is needed to make the run again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.checkpoints import read_tensors
from equipoise.cli import main
from equipoise.commands.replay import REPEATED, is_run, replayed
from equipoise.commands.settings import SETTINGS
from equipoise.runs import Run

IMAGE_OPTIONS = {
    "ratio": "50",
    "profile": "step",
    "order": "random",
    "test": "0.3",
    "seed": "4",
    "split-seed": "7",
    "backbone": "ResNet(depth=8, width=4)",
    "augmentation": "CropFlip(padding=1) | Cutout()",
    "smoothing": "Uniform(eps=0.05)",
    "average": "None",
    "batch-size": "BatchSize(size=16, rule='sqrt', reference=32)",
    "epochs": "2",
    "clip-norm": "2.5",
    "validation": "0.2",
    "monitor": "accuracy",
    "prior": "balanced",
    "device": "cpu",
}
TABLE_OPTIONS = {
    "label": "kind",
    "drop": "junk",
    "backbone": "MLP(layers=1, width=8)",
    "scaling": "none",
    "optimizer": "AdamW(lr=0.01)",
    "epochs": "2",
    "patience": "1",
    "device": "cpu",
}


def _words(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose label and columns must be told."""
    random = np.random.default_rng(0)
    kind = np.repeat(["x", "y"], [50, 20])
    frame = pd.DataFrame({"a": random.normal(size=70) + (kind == "y"), "kind": kind})
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.assign(junk=np.arange(70)).to_csv(path, index=False)
    return path


def _compare(first: Path, second: Path, *, measured: bool = True) -> None:
    """Assert that two runs have the same configuration, weights and metrics."""
    runs = [Run.open(path) for path in (first, second)]
    configs = [run.config for run in runs]
    for name in "data", "classifier", "seeds":
        assert configs[0][name] == configs[1][name]
    tensors = [read_tensors(run.path / "model.safetensors") for run in runs]
    assert all(bool((tensors[1][name] == value).all()) for name, value in tensors[0].items())
    if measured:
        assert runs[0].read_json("metrics.json") == runs[1].read_json("metrics.json")


def test_a_run_on_images_is_repeated_by_its_configuration(tmp_path: Path) -> None:
    """Data, cut, seeds and every component come from the file: metrics and weights are equal."""
    first, again = tmp_path / "first", tmp_path / "again"
    assert main(["fit", "digits", "--out", str(first), *_words(IMAGE_OPTIONS)]) == 0
    config = str(first / "config.toml")
    replay = ["--config", config, "fit", "digits", "--out", str(again), "--device", "cpu"]
    assert main(replay) == 0
    _compare(first, again)


def test_a_run_on_a_table_is_repeated_by_its_configuration(table: Path, tmp_path: Path) -> None:
    """So do label and columns; the command line still comes first."""
    first, again, other = tmp_path / "first", tmp_path / "again", tmp_path / "other"
    assert main(["fit", str(table), "--out", str(first), *_words(TABLE_OPTIONS)]) == 0
    replay = ["--config", str(first / "config.toml"), "fit", str(table), "--device", "cpu"]
    assert main([*replay, "--out", str(again)]) == 0
    _compare(first, again)
    assert main([*replay, "--out", str(other), "--epochs", "1", "--seed", "9"]) == 0
    config = Run.open(other).config
    assert (config["classifier"]["epochs"], config["seeds"]["seed"]) == (1, 9)
    assert config["classifier"]["optimizer"] == "AdamW(lr=0.01)"


def test_pretraining_is_repeated_by_its_configuration(table: Path, tmp_path: Path) -> None:
    """The objective and further examples come from the file too."""
    more = pd.read_csv(table).drop(columns="kind").head(7)
    more.select_dtypes("number").add(0.5).combine_first(more)[more.columns].to_csv(
        tmp_path / "more.csv", index=False
    )
    first, again = tmp_path / "first", tmp_path / "again"
    options = {**TABLE_OPTIONS, "objective": "SCARF(width=8)", "unlabelled": f"{tmp_path}/more.csv"}
    del options["patience"]
    assert main(["pretrain", str(table), "--out", str(first), *_words(options)]) == 0
    replay = ["--config", str(first / "config.toml"), "pretrain", str(table), "--device", "cpu"]
    assert main([*replay, "--out", str(again)]) == 0
    _compare(first, again, measured=False)
    assert Run.open(again).config["pretraining"]["unlabelled"] == 7


@pytest.mark.parametrize(
    "text", ["[fit\nepochs = 3\n", "epochs = \n", '[fit]\nepochs = "3\n', "\0"]
)
def test_a_broken_file_ends_with_status_2(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with what is wrong, without a traceback."""
    path = tmp_path / "broken.toml"
    path.write_text(text)
    assert main(["--config", str(path), "fit", "digits", "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert "broken.toml" in told
    assert "Traceback" not in told


def test_a_file_that_is_not_utf8_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TOML is UTF-8."""
    path = tmp_path / "broken.toml"
    path.write_bytes(b'[fit]\nbackbone = "\xff"\n')
    assert main(["--config", str(path), "fit", "digits", "--dry-run"]) == 2
    assert "broken.toml" in capsys.readouterr().err


def test_only_a_whole_configuration_counts_as_that_of_a_run() -> None:
    """A file of options has one table for each command."""
    whole: dict[str, dict[str, object]]
    whole = {"classifier": {}, "data": {}, "seeds": {}, "environment": {}, "test": {}}
    assert is_run(whole)
    assert not any(
        is_run({k: v for k, v in whole.items() if k != name})
        for name in ("classifier", "data", "seeds", "environment")
    )
    assert not is_run({"fit": {"epochs": 3}})


@pytest.mark.parametrize("damage", ["data = 3", "data = [1]", 'seeds = "none"', "classifier = 1"])
def test_a_damaged_configuration_ends_with_status_2(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's file that was changed by hand is refused in words, not by a traceback."""
    name = damage.split(" ", maxsplit=1)[0]
    others = "".join(
        f"[{k}]\n" for k in ("classifier", "data", "seeds", "environment") if k != name
    )
    path = tmp_path / "config.toml"
    path.write_text(f"{damage}\n{others}")
    assert main(["--config", str(path), "fit", "digits", "--dry-run"]) == 2
    assert "config.toml" in capsys.readouterr().err


def test_nothing_but_settings_is_taken_from_a_file(tmp_path: Path) -> None:
    """A stranger's configuration cannot say where to write or what to fetch."""
    hostile = {
        "classifier": {"epochs": 1, "out": "x", "download": True},
        "data": {"ratio": 10.0, "reading": {"cache": "elsewhere"}},
        "seeds": {"seed": 1, "out": str(tmp_path)},
    }
    assert replayed(hostile) == {"fit": {"epochs": "1", "ratio": 10.0, "seed": 1}}


def test_every_parameter_of_the_classifier_is_repeated() -> None:
    """The list, which must not import the classifier, is complete."""
    assert set(REPEATED) == {f.name for f in SETTINGS}
