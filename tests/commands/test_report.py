"""Laws of the command that writes reports."""

from pathlib import Path

import pytest

from equipoise.cli import main


@pytest.mark.parametrize("name", ["patients.csv", "report", "model.safetensors"])
def test_a_file_that_is_no_report_is_not_replaced(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told before the run is looked at; what was there stays."""
    path = tmp_path / name
    path.write_text("precious")
    assert main(["report", str(tmp_path), "--out", str(path)]) == 2
    assert path.read_text() == "precious"
    told = " ".join(capsys.readouterr().err.split())
    assert "A report is an HTML file." in told
    assert "ends in .html" in told


@pytest.mark.parametrize(
    "command",
    [
        ["report", "nowhere", "--out", "file/r.html"],
        ["rank", "nowhere", "nor/here", "--out", "file/r.html"],
        ["predict", "nowhere", "nowhere.csv", "--out", "file/p.csv"],
        ["diagnose", "nowhere", "--out", "file/d"],
        ["data", "subsample", "nowhere", "--ratio", "10", "--out", "file/i.json"],
        ["toy", "--out", "file/t.svg"],
    ],
    ids=lambda command: command[0],
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So no test set is looked at in vain."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("equipoise: Results need a folder that can be written to.")
    assert told.endswith("file` is a file. Give another --out.")
