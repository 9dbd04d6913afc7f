"""Laws of `equipoise diagnose`: what it prints, keeps and refuses."""

import json
import shutil
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.runs import Run

QUICK = ["--device", "cpu", "--backbone", "ResNet(depth=8, width=4)", "--epochs", "4"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two recipes on the same data."""
    folder = tmp_path_factory.mktemp("runs")
    for recipe in ("plain", "balanced-softmax"):
        command = ["fit", "digits", "--ratio", "10", "--recipe", recipe, *QUICK]
        assert main([*command, "--out", str(folder / recipe)]) == 0
    return [folder / "plain", folder / "balanced-softmax"]


def test_a_run_is_told_in_words_and_kept(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger, sentences, advice; and the folder that a report is made of."""
    out = tmp_path / "one"
    assert main(["diagnose", str(runs[0]), "--fast", "--out", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    stored = json.loads((out / "diagnosis.json").read_text("utf-8"))
    [told] = stored["runs"]
    assert " ".join(told["headline"].split()) in printed
    for sentence in (*told["readings"].values(), *(a["evidence"] for a in told["advice"])):
        assert " ".join(sentence.split()) in printed
    assert told["eigenvalues"] == {}
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0


def test_runs_stand_side_by_side(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON, with the same measures of both and their names."""
    command = ["diagnose", *map(str, runs), "--json", "--out", str(tmp_path / "both")]
    looks = Run(runs[0]).config["test"]["looks"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    first, second = found["runs"]
    assert (first["name"], second["name"]) == ("plain", "balanced-softmax")
    assert first["overall"].keys() == second["overall"].keys()
    assert first["eigenvalues"]["all"] > 0
    assert found["order"]["orders"] == []  # of two runs nothing is said
    assert Run(runs[0]).config["test"]["looks"] == looks + 1


def test_the_same_command_finds_the_same(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is random but by its seed."""
    found = []
    for name in ("first", "second"):
        command = ["diagnose", str(runs[0]), "--fast", "--json", "--out", str(tmp_path / name)]
        assert main(command) == 0
        found.append(json.loads(capsys.readouterr().out)["runs"])
    assert found[0] == found[1]


def test_a_diagnosis_is_replaced_only_when_asked(runs: list[Path], tmp_path: Path) -> None:
    """And other folders never."""
    command = ["diagnose", str(runs[0]), "--fast", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert main(command) == 2
    assert main([*command, "--overwrite"]) == 0
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine", "utf-8")
    assert main([*command[:-1], str(mine), "--overwrite"]) == 2
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_unusable_input_is_told(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, nothing written: other data, one run twice, an unfinished run, no run."""
    half = tmp_path / "half"
    shutil.copytree(runs[0], half)
    (half / "DONE").unlink()
    other = tmp_path / "other"
    assert main(["fit", "digits", *QUICK[:4], "--epochs", "1", "--out", str(other)]) == 0
    out = tmp_path / "out"
    cases = [
        ([str(runs[0]), str(runs[0])], "named twice"),
        ([str(half)], "not finished"),
        ([str(tmp_path / "none")], "none"),
        ([str(runs[0]), "--examples", "1"], "at least 2"),
        ([str(runs[0]), "--data", str(tmp_path / "no.csv")], "no.csv"),
    ]
    for arguments, words in cases:
        capsys.readouterr()
        assert main(["diagnose", *arguments, "--out", str(out)]) == 2, arguments
        printed = " ".join(capsys.readouterr().err.split())
        assert "Traceback" not in printed
        assert words in printed or words.replace(" ", "") in printed.replace(" ", ""), printed
        assert not out.exists()


def test_a_comparison_is_told_to_hold_runs(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder is no run; the one that is named is, and can be diagnosed."""
    comparison = tmp_path / "c"
    for method in ("focal", "plain"):
        shutil.copytree(runs[0], comparison / "runs" / method / "seed1")
    (comparison / "comparison.json").write_text("{}", "utf-8")
    out = ["--fast", "--out", str(tmp_path / "out")]
    assert main(["diagnose", str(comparison), *out]) == 2
    told = capsys.readouterr().err.replace("\n", "").replace(" ", "")
    assert "runsofacomparisonoffocal,plain" in told
    assert f"{comparison}/runs/METHOD/seedN".replace(" ", "") in told
    named = comparison / "runs" / "focal" / "seed1"
    assert f"suchas`{named}`" in told
    assert main(["diagnose", str(named), *out]) == 0


def test_an_ensemble_is_refused_before_any_run_is_looked_at(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it comes last, the first run's test set is not looked at for nothing."""
    several = Run(Path(shutil.copytree(runs[0], tmp_path / "several")))
    several.write_config({**several.config, "network": {"members": 2}})
    looks = Run(runs[0]).config["test"]["looks"]
    out = tmp_path / "out"
    command = ["diagnose", str(runs[0]), str(several.path), "--fast", "--out", str(out)]
    assert main(command) == 2
    assert "looks into one network" in " ".join(capsys.readouterr().err.split())
    assert Run(runs[0]).config["test"]["looks"] == looks
    assert not out.exists()


def test_data_that_has_moved_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table in another place, read as it was in training."""
    table = tmp_path / "t.csv"
    rows = [f"{i};{(7 * i) % 11},5;{'ab'[i % 5 == 0]}" for i in range(120)]
    table.write_text("\n".join(["x;y;kind", *rows]), "utf-8")
    command = ["fit", str(table), "--label", "kind", "--epochs", "3", "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    moved = tmp_path / "elsewhere.csv"
    table.rename(moved)
    start = ["diagnose", str(tmp_path / "run"), "--fast", "--out", str(tmp_path / "out")]
    assert main(start) == 2
    assert main([*start, "--data", str(moved)]) == 0
    moved.write_text(moved.read_text("utf-8").replace("100;", "99;"), "utf-8")
    capsys.readouterr()
    assert main([*start, "--overwrite", "--data", str(moved)]) == 2
    assert "unchanged" in capsys.readouterr().err
