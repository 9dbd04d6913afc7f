"""Laws of studies that are gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.cli import main
from small_studies import DIGITS, SMALL, TWICE, stamps, study


def test_a_study_that_is_killed_goes_on_and_grows(whole: Path, tmp_path: Path) -> None:
    """Nothing that was finished is made again; a ratio more changes nothing that is there."""
    out = tmp_path / "s"
    command = [sys.executable, "-m", "equipoise", "study", "smoothing", *SMALL]
    command += ["--ratios", "10", "--seeds", "2", "--out", str(out), "--resume"]
    with subprocess.Popen(command, start_new_session=True) as process:
        ends = time.monotonic() + 100
        while len(stamps(out)) < 1:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    before = stamps(out)
    assert 1 <= len(before) < 4
    assert study(out, *TWICE) == 2  # not without --resume
    assert study(out, *TWICE, "--resume") == 0
    assert before.items() <= stamps(out).items()
    assert (out / "study.csv").read_text() == (whole / "study.csv").read_text()


def _without_later_keys(study: Path) -> None:
    """Change the files of a study into those of a version that kept less of it."""
    for path in (study / "study.json", *study.glob("*/comparison.json")):
        told = json.loads(path.read_text("utf-8"))
        for part in (told, told.get("setup", {})):
            for name in ("resolved", "asked", "held", "cautions", "n_folds"):
                part.pop(name, None)
        path.write_text(json.dumps(told), "utf-8")


@pytest.mark.parametrize("is_old", [False, True])
def test_a_study_grows_to_a_larger_ratio(
    is_old: bool, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What all cells share stays what it began as, though the new ratio would choose otherwise."""
    out = tmp_path / "s"
    shutil.copytree(whole, out)
    if is_old:
        _without_later_keys(out)
    began = json.loads((out / "ratio10" / "comparison.json").read_text("utf-8"))["setup"]
    more = ["--ratios", "1,10,12", "--seeds", "2", "--dry-run", "--json"]
    assert study(out, *more, "--resume") == 0
    laid = json.loads(capsys.readouterr().out)
    assert (laid["ratios"], laid["n_runs"], laid["n_missing"]) == ([1, 10, 12], 12, 4)
    assert laid["setup"]["params"] == began["params"]
    assert laid["setup"]["largest"] == began["largest"]
    assert laid["setup"]["metric"] == began["metric"]
    assert "metric: balanced_log_loss (as the study began)" in laid["notes"]
    alone = json.loads(_json_of(tmp_path / "alone", capsys, *more))["setup"]
    assert alone["largest"] != began["largest"]
    if not is_old:  # which did not keep what was asked for
        assert study(out, *TWICE, "--resume", "--largest", "50", "--dry-run") == 2
        assert "on as many examples as it began with" in " ".join(capsys.readouterr().err.split())
    assert study(out, "--ratios", "own", "--resume", "--dry-run") == 2
    assert "of the data as it is, or of ratios" in " ".join(capsys.readouterr().err.split())


def _json_of(out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert study(out, *more) == 0
    return capsys.readouterr().out


def test_what_is_finished_of_a_study_stays_in_it(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its values, ratios, reference and places of use, whatever is gone on with."""
    out = tmp_path / "s"
    shutil.copytree(whole, out)
    before = stamps(out)
    command = ["study", "smoothing", *DIGITS, "--values", "Uniform(eps=0.3)", "--resume"]
    assert main([*command, "--ratios", "1", "--seeds", "2", "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ratios"] == ["1", "10"]
    labels = ["no smoothing", "Uniform()", "Uniform(eps=0.3)"]
    assert [value["label"] for value in found["values"]] == labels
    assert found["reference"] == "no-smoothing"
    assert {row["test_ratio"] for row in found["deployment"]} == {1, 10}
    for ratio in ("1", "10"):
        assert set(found["balanced"]["ratios"][ratio]["means"]) == {
            "no-smoothing",
            "Uniform()",
            "Uniform(eps=0.3)",
        }
    assert before.items() <= stamps(out).items()
    assert len(stamps(out)) == len(before) + 4
    # A value of which nothing is finished is not carried out unless it is asked for.
    shutil.rmtree(out / "ratio10" / "runs" / "Uniform(eps=0.3)")
    again = ["study", "smoothing", *DIGITS, "--values", "None", "Uniform()", *TWICE]
    assert main([*again, "--resume", "--dry-run", "--json", "--out", str(out)]) == 0
    laid = json.loads(capsys.readouterr().out)
    assert [value["label"] for value in laid["values"]] == labels[:2]
    assert laid["n_missing"] == 0
    assert main([*command[:-3], *TWICE, "--resume", "--dry-run", "--json", "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["n_missing"] == 2  # without --values: all of them
