"""Laws of the command that draws decision regions."""

import json
from pathlib import Path

import pytest

from equipoise.cli import main

QUICK = ["toy", "--majority", "30", "--minority", "4", "--seeds", "1", "--epochs", "1"]
BEGINS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


def test_a_picture_is_written_as_its_name_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And never over another one unless that is wished."""
    for suffix, begins in BEGINS.items():
        out = tmp_path / f"toy{suffix}"
        assert main([*QUICK, "--out", str(out), "--json"]) == 0
        assert out.read_bytes().startswith(begins)
        found = json.loads(capsys.readouterr().out)
        assert set(found["recall"]) >= {"plain", "SAM-A"}
    before = out.read_bytes()
    assert main([*QUICK, "--out", str(out)]) == 2
    assert out.read_bytes() == before
    assert main([*QUICK, "--out", str(out), "--overwrite"]) == 0


def test_other_forms_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is trained."""
    assert main([*QUICK, "--out", str(tmp_path / "toy.txt")]) == 2
    assert ".svg, .png, .pdf" in capsys.readouterr().err
