"""Laws of `fit --explain`, `--recipe` and `--budget` on the command line."""

import json
import re
from pathlib import Path

import pytest

from equipoise import Classifier
from equipoise.cli import main
from equipoise.commands import console
from equipoise.recipes import RECIPES
from equipoise.runs import Run

TABLE = "a,outcome\n" + "".join(f"{row % 7},{'xy'[row % 4 == 0]}\n" for row in range(80))
NAMES = [name for name in Classifier().get_params(deep=False) if name != "random_state"]


@pytest.fixture
def fit(tmp_path: Path) -> list[str]:
    """A command that fits a small table into the folder `run`."""
    (tmp_path / "t.csv").write_text(TABLE)
    data = [str(tmp_path / "t.csv"), "--label", "outcome"]
    return ["fit", *data, "--device", "cpu", "--out", str(tmp_path / "run")]


def test_every_setting_is_explained_to_machines(
    fit: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is JSON with each parameter once, and nothing is trained."""
    assert main([*fit, "--explain", "--json", "--epochs", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(setting["field"] for setting in told["settings"]) == sorted(NAMES)
    assert (told["recipe"], told["facts"]["n_classes"]) == ("prescribed", 2)
    rows = {setting["field"]: setting for setting in told["settings"]}
    assert (rows["epochs"]["value"], rows["epochs"]["origin"]) == (3, "given")
    assert rows["scaling"]["source"] == "docs/log.md: tables, scaling of numbers"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("width", [40, 80, 119, 120, 200])
def test_every_setting_is_explained_to_people(
    width: int,
    fit: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names, values and whole reasons stand within the width of the terminal, however narrow."""
    monkeypatch.setattr(console.results, "_width", width)
    assert main([*fit, "--explain"]) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= width
    words = re.sub(r"[\s│┃]+", " ", told)
    for name in NAMES:
        assert name in words
    assert "smallest of which has" in words
    if width < 120:
        assert "smoothing = None the defaults: not part of the prescription: uniform" in words
        assert "scaling = robust the data: outliers are drawn in, and far values" in words
    else:
        assert "smoothing None the defaults not part of the" in words


def test_explaining_is_a_dry_run(fit: list[str], tmp_path: Path) -> None:
    """A taken folder is no obstacle to it, and stays as it is."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    assert main([*fit, "--explain"]) == main([*fit, "--dry-run"]) == 0
    assert main(fit) == 2
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_options_come_before_the_recipe_and_replay_repeats_both(
    fit: list[str], tmp_path: Path
) -> None:
    """Also an option that is given its default; the run's file repeats the run, and its name."""
    given = ["--recipe", "naive", "--epochs", "2", "--average", "auto", "--schedule", "Cosine()"]
    assert main([*fit, *given]) == 0
    first = Run.open(tmp_path / "run")
    found = first.config["classifier"]
    assert (found["batch_size"], found["scaling"]) == (256, "standard")
    assert (found["average"], found["schedule"]) == ("EMA()", "Cosine()")
    again = ["--config", str(first.path / "config.toml"), *fit[:-1], str(tmp_path / "again")]
    assert main(again) == 0
    second = Run.open(tmp_path / "again")
    assert second.config["recipe"] == first.config["recipe"] == {"name": "naive"}
    assert second.config["classifier"] == found
    assert second.read_json("metrics.json") == first.read_json("metrics.json")
    assert [row["train_loss"] for row in second.history] == [
        row["train_loss"] for row in first.history
    ]


def test_a_run_of_before_recipes_is_repeated(fit: list[str], tmp_path: Path) -> None:
    """Its file names no recipe and no sources, which is no fault."""
    assert main([*fit, "--epochs", "2"]) == 0
    run = Run.open(tmp_path / "run")
    config = {k: v for k, v in run.config.items() if k not in ("recipe", "format")}
    config["choices"] = [
        {k: v for k, v in choice.items() if k != "source"} for choice in config["choices"]
    ]
    run.write_config(config)
    again = ["--config", str(run.path / "config.toml"), *fit[:-1], str(tmp_path / "again")]
    assert main(again) == 0
    assert Run.open(tmp_path / "again").config["classifier"] == config["classifier"]
    assert main(["report", str(run.path), "--out", str(tmp_path / "old.html")]) == 0
    assert main([*fit, "--epochs", "2", "--resume"]) == 0


def test_a_budgeted_run_is_repeated_without_its_budget(fit: list[str], tmp_path: Path) -> None:
    """The file holds the epochs that were chosen, so no second measurement is made."""
    assert main([*fit, "--budget", "30s"]) == 0
    first = Run.open(tmp_path / "run")
    assert first.config["budget"]["epoch_seconds"] > 0
    again = ["--config", str(first.path / "config.toml"), *fit[:-1], str(tmp_path / "again")]
    assert main(again) == 0
    second = Run.open(tmp_path / "again")
    assert "budget" not in second.config
    assert second.config["classifier"] == first.config["classifier"]
    assert second.read_json("metrics.json") == first.read_json("metrics.json")
    assert main([*fit, "--budget", "30s", "--resume"]) == 0


def test_an_early_end_is_said(fit: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever waits is told that the deadline came first, and after which epoch."""
    assert main([*fit, "--epochs", "4", "--budget", "0.001"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "Training was ended by its deadline, after epoch 1 of 4" in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "soon"], "90s, 5m or 1h30m"),
        (["--budget", "0"], "90s, 5m or 1h30m"),
        (["--recipe", "naif"], "Did you mean 'naive'?"),
    ],
)
def test_a_wrong_option_is_refused_before_the_data_is_read(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data need not exist; the answer says how it is written."""
    assert main(["fit", "nowhere.csv", *options]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert "nowhere" not in told


def test_the_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for machines, each with its source."""
    assert main(["recipes"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "prescribed: " in told
    assert "naive: " in told
    assert "Cao et al. 2019" in told
    assert "batch_size = 128" in told
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [recipe["name"] for recipe in listed] == list(RECIPES)
    assert "focal: Easy examples count less. all data: loss = Focal() over: plain" in told
    assert listed[1]["table"]["batch_size"] == 256


@pytest.mark.parametrize("recipe", ["name = 3", ""])
def test_a_damaged_recipe_ends_with_status_2(
    recipe: str, fit: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's file whose recipe is no text is refused in words."""
    assert main([*fit, "--epochs", "1"]) == 0
    text = (tmp_path / "run" / "config.toml").read_text()
    broken = tmp_path / "broken.toml"
    broken.write_text(text.replace('name = "prescribed"', recipe))
    assert main(["--config", str(broken), *fit[:-1], str(tmp_path / "again")]) == 2
    assert "recipe.name must be text" in capsys.readouterr().err
