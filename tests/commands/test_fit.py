"""Laws of where a run goes."""

from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.runs import Run

TABLE = "a,outcome\n" + "".join(f"{row % 7},{'xy'[row % 2]}\n" for row in range(40))
QUICK = ["--epochs", "3", "--device", "cpu"]


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
    assert main([*pretrain, "--dry-run"]) == 0
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
