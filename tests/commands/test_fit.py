"""Laws of where a run goes."""

import json
from pathlib import Path

import numpy as np
import pytest

from equipoise.cli import main
from equipoise.runs import Run

TABLE = "a,outcome\n" + "".join(f"{row % 7},{'xy'[row % 2]}\n" for row in range(40))
QUICK = ["--epochs", "3", "--device", "cpu"]
UNWRITABLE = Path("/proc")  # root is permitted to, and cannot


@pytest.mark.parametrize("command", ["fit", "pretrain", "demo"])
def test_a_taken_folder_is_refused_before_anything_is_read(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data need not even exist, and no choice is printed."""
    (tmp_path / "mine.txt").write_text("kept")
    data = [] if command == "demo" else ["nowhere.csv"]
    assert main([command, *data, "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("equipoise: A new run needs a folder of its own.")
    assert "nowhere" not in told


@pytest.mark.parametrize("command", ["fit", "pretrain", "tune", "demo"])
@pytest.mark.parametrize(
    "is_file",
    [
        True,
        pytest.param(
            False, marks=pytest.mark.skipif(not UNWRITABLE.is_dir(), reason="there is no /proc")
        ),
    ],
)
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(
    command: str, is_file: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file is in the way, or the folder above cannot be written to, even by root."""
    place = tmp_path / "place" if is_file else UNWRITABLE
    if is_file:
        place.touch()
    data = [] if command == "demo" else ["nowhere.csv"]
    assert main([command, *data, "--out", str(place / "deep" / "run")]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("equipoise: Results need a folder that can be written to.")
    assert f"`{place}` {'is a file.' if is_file else 'refuses: '}" in told
    assert "nowhere" not in told


@pytest.mark.parametrize("command", ["fit", "pretrain", "demo"])
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_search_that_has_not_ended_is_left_alone(
    command: str, resume: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is given; `tune` goes on with it."""
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.json").write_text("{}")
    words = [] if command == "demo" else ["nowhere.csv", *resume]
    assert main([command, *words, "--out", str(tmp_path)]) == 2
    assert "equipoise tune ... --out" in " ".join(capsys.readouterr().err.split())


def test_a_dry_run_for_machines_prints_its_choices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON on standard output, with reasons."""
    (tmp_path / "t.csv").write_text(TABLE)
    fit = ["fit", str(tmp_path / "t.csv"), "--label", "outcome", *QUICK]
    assert main([*fit, "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classifier"]["epochs"] == 3
    assert all(choice["reason"] for choice in found["choices"])
    assert {"backbone", "optimizer"} <= {choice["field"] for choice in found["choices"]}
    assert main([*fit, "--dry-run", "--explain", "--json"]) == 0
    assert "settings" in json.loads(capsys.readouterr().out)


def test_examples_that_were_learnt_from_are_counted_in_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where columns stand in another order and fractions were lost; of new rows none."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{row + 0.5 if row == 39 else row},{row % 3}.25,{'xy'[row % 2]}" for row in range(40)]
    Path("t.csv").write_text("\n".join(["a,b,outcome", *rows]))
    assert main(["fit", "t.csv", "--label", "outcome", "--out", "run", *QUICK]) == 0
    learnt = set(np.load("run/split.npz")["train"][:9].tolist()) - {39}
    new = [f"{k},y,{row + 100}" for row, k in enumerate([0, 1, 2])]
    kept = [f"{row % 3}.25,{'xy'[row % 2]},{row}" for row in sorted(learnt)]
    Path("other.csv").write_text("\n".join(["b,outcome,a", *kept, *new]))
    Path("new.csv").write_text("\n".join(["b,outcome,a", *new, "0,x,200"]))
    for name, words in {
        "other": f"learnt from at least {len(learnt)} of these {len(learnt) + 3} examples",
        "new": "",
    }.items():
        capsys.readouterr()
        assert main(["evaluate", "run", f"{name}.csv", "--device", "cpu"]) == 0
        told = " ".join(capsys.readouterr().err.split())
        assert words in told
        assert ("Careful" in told) == bool(words)


def test_the_folder_that_follows_from_the_data_is_looked_at_first_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --out, a second run of the same name is refused without a choice printed."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    fit = ["fit", "t.csv", "--label", "outcome", *QUICK]
    assert main(fit) == 0
    assert Run.open(Path("runs/t-seed0")).done
    capsys.readouterr()
    assert main(fit) == 2
    assert capsys.readouterr().err.startswith("equipoise: A new run needs")
    assert main([*fit, "--dry-run"]) == 0
    assert main([*fit, "--resume"]) == 0
    assert main([*fit, "--seed", "1"]) == 0
    Path("runs/t-pretrained-seed0").mkdir()
    Path("runs/t-pretrained-seed0/mine.txt").touch()
    capsys.readouterr()
    pretrain = ["pretrain", "t.csv", "--label", "outcome", "--objective", "SCARF()", *QUICK]
    assert main(pretrain) == 2
    assert capsys.readouterr().err.startswith("equipoise: A new run needs")
    assert main([*pretrain, "--dry-run", "--json"]) == 0
    laid = json.loads(capsys.readouterr().out)
    assert laid["classifier"]["auxiliary"] == "SCARF()"
    assert laid["classifier"]["epochs"] == 3
    Path("runs/digits-seed0").mkdir()
    Path("runs/digits-seed0/mine.txt").touch()
    capsys.readouterr()
    assert main(["fit", "digits", *QUICK]) == 2
    assert capsys.readouterr().err.startswith("equipoise: A new run needs")


def test_an_index_replaces_no_file_unless_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data itself, given as --out by mistake, stays as it was."""
    (tmp_path / "t.csv").write_text(TABLE)
    words = ["data", "subsample", str(tmp_path / "t.csv"), "--label", "outcome", "--ratio", "5"]
    assert main([*words, "--out", str(tmp_path / "t.csv")]) == 2
    assert "The index is written to a new file." in capsys.readouterr().err
    assert (tmp_path / "t.csv").read_text() == TABLE
    index = ["--out", str(tmp_path / "index.json")]
    assert main([*words, *index]) == 0
    before = (tmp_path / "index.json").read_text()
    assert main([*words, *index, "--seed", "1"]) == 2
    assert (tmp_path / "index.json").read_text() == before
    assert main([*words, *index, "--seed", "1", "--overwrite"]) == 0
    assert (tmp_path / "index.json").read_text() != before


def test_a_run_of_another_format_may_not_be_resumed_over(tmp_path: Path) -> None:
    """With --resume, too, a folder that holds something but no run is refused."""
    (tmp_path / "mine.txt").touch()
    assert main(["fit", "nowhere.csv", "--out", str(tmp_path), "--resume"]) == 2


@pytest.mark.parametrize("is_guess", [True, False])
def test_a_result_at_chance_level_is_told_to_be(
    is_guess: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, whether or not the result is for machines."""
    rows = [(row % 7, "xy"[row % 2 if is_guess else row % 7 > 3]) for row in range(210)]
    lines = ["a,outcome", *(f"{number},{name}" for number, name in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    fit = ["fit", str(tmp_path / "t.csv"), "--label", "outcome", "--device", "cpu", "--json"]
    assert main([*fit, "--epochs", "30", "--out", str(tmp_path / "run")]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert ("not surely better than guessing" in told) == is_guess
