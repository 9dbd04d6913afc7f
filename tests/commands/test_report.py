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
