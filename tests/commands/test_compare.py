"""Laws of the command that compares."""

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.cli import main
from equipoise.commands.compare import show
from equipoise.comparison import contest as contest_module
from equipoise.comparison.contest import Contest, make_contest
from equipoise.data.options import ReadOptions
from equipoise.errors import TrainingError
from equipoise.experiment import Experiment
from equipoise.runs import Run

ROWS = [(i % 7, (i * i) % 11, "rare" if i % 6 == 0 else "usual") for i in range(150)]
QUICK = ["--label", "outcome", "--device", "cpu", "--backbone", "MLP(layers=1, width=8)"]
EPOCHS = [*QUICK, "--epochs", "2"]
THREE = ["--methods", "focal,weighted", "--seeds", "2"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A small table."""
    return _write(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three methods and two seeds that was never stopped; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    assert _compare(_write(folder), folder / "c", *THREE) == 0
    return folder / "c"


def _write(folder: Path) -> str:
    lines = ["a,b,outcome", *(",".join(map(str, row)) for row in ROWS)]
    (folder / "t.csv").write_text("\n".join(lines))
    return str(folder / "t.csv")


def _compare(table: str, out: Path, *more: str) -> int:
    return main(["compare", table, *EPOCHS, "--out", str(out), *more])


def _verdict(out: Path) -> dict[str, Any]:
    """Return a verdict, but for how long runs took."""
    found = json.loads((out / "verdict.json").read_text())
    for row in found["leaderboard"]:
        del row["seconds"]
    return found


def _stamps(out: Path) -> dict[str, int]:
    """Return when each run of a comparison was finished."""
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.glob("runs/*/*/DONE")}


def test_a_comparison_ends_with_a_verdict(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every method has its runs, the control too; each looks at the test set once."""
    out = tmp_path / "c"
    assert _compare(table, out, "--methods", "focal,drw+prescribed", "--seeds", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["method"] for row in found["leaderboard"]} == {
        "plain",
        "focal",
        "drw+prescribed",
    }
    assert found["looks"] == {
        name: {"seed0": 1, "seed1": 1} for name in ("plain", "focal", "drw+prescribed")
    }
    assert found["repeats"] == [[0, 0], [1, 0]]
    assert found["rarest"] == ["rare"]
    told = " ".join(found["balanced"]["sentences"])
    assert all(name in told for name in ("plain", "focal", "drw+prescribed"))
    rows = list(csv.DictReader((out / "leaderboard.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == [row["method"] for row in found["leaderboard"]]
    assert "plain &" in (out / "leaderboard.tex").read_text()
    focal = Run.open(out / "runs" / "focal" / "seed1").config
    assert focal["classifier"]["loss"] == "Focal()"
    assert focal["seeds"] == {"seed": 1, "split_seed": 1}


def test_methods_of_one_seed_share_their_test_examples(table: str, tmp_path: Path) -> None:
    """And seeds do not, where the data brings no test part."""
    out = tmp_path / "c"
    assert _compare(table, out, "--methods", "weighted", "--seeds", "2") == 0
    ids = {
        (m, s): Run(out / "runs" / m / f"seed{s}").read_arrays("predictions.npz")["test_ids"]
        for m in ("plain", "weighted")
        for s in (0, 1)
    }
    for seed in (0, 1):
        assert ids["plain", seed].tolist() == ids["weighted", seed].tolist()
    assert ids["plain", 0].tolist() != ids["plain", 1].tolist()


def test_what_is_added_later_changes_nothing_that_is_there(
    table: str, whole: Path, tmp_path: Path
) -> None:
    """A method and a seed more: no run is made again, and all is as if done in one go."""
    slow = tmp_path / "slow"
    assert _compare(table, slow, "--methods", "focal", "--seeds", "1") == 0
    before = _stamps(slow)
    assert _compare(table, slow, "--methods", "focal", "--seeds", "2") == 2  # not without --resume
    assert _compare(table, slow, *THREE, "--resume") == 0
    assert len(before) == 2
    assert before.items() <= _stamps(slow).items()
    assert _verdict(slow) == _verdict(whole)


def test_a_comparison_that_is_killed_goes_on(table: str, whole: Path, tmp_path: Path) -> None:
    """Twice by SIGKILL; nothing that was finished is made again, and the verdict is the same."""
    out = tmp_path / "c"
    own = ["compare", table, *EPOCHS, "--out", str(out), *THREE, "--resume"]
    for wanted in (1, 3):
        with subprocess.Popen(
            [sys.executable, "-m", "equipoise", *own], start_new_session=True
        ) as process:
            ends = time.monotonic() + 100
            while len(_stamps(out)) < wanted:
                assert process.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
    before = _stamps(out)
    assert wanted <= len(before) < 6
    assert main(own) == 0
    assert before.items() <= _stamps(out).items()
    assert _verdict(out) == _verdict(whole)


def test_runs_in_processes_are_the_same(table: str, whole: Path, tmp_path: Path) -> None:
    """Two at once predict what one after the other predicts."""
    two = tmp_path / "two"
    places = ["--executor", "processes", "--workers", "2", "--threads", "1"]
    assert _compare(table, two, "--methods", "focal", "--seeds", "2", *places) == 0
    for name in ("plain/seed0", "plain/seed1", "focal/seed0", "focal/seed1"):
        found = [Run(out / "runs" / name).read_arrays("predictions.npz") for out in (whole, two)]
        np.testing.assert_allclose(found[0]["test_logits"], found[1]["test_logits"], atol=1e-5)


@pytest.mark.parametrize("sees", [True, False])
def test_workers_may_have_another_working_folder(
    sees: bool, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths lead them to the same places; what they leave elsewhere has failed."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "away").mkdir()
    params = {"epochs": 1, "device": "cpu", "backbone": "MLP(layers=1, width=8)"}
    options = ReadOptions(label="outcome")
    experiment = Experiment(source=Path(table).name, options=options, params=params)
    contest = make_contest(experiment, Path("c"), methods=(), n_seeds=1, budget=None)
    if not sees:
        monkeypatch.setattr(contest_module, "carry_out", len)
        monkeypatch.setattr(Contest, "_job", lambda *_: [])
    away = importlib.import_module("errands").Astray(tmp_path / "away")
    if sees:
        contest.run(away)
        assert (contest.failures, contest.missing) == ({}, [])
    else:
        with pytest.warns(match="under the same path"):
            contest.run(away)
        assert "under the same path" in next(iter(contest.failures.values()))
    assert not list((tmp_path / "away").iterdir())


def test_how_to_read_a_verdict_is_printed_once(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below all verdicts, of which each has the same to say of chance."""
    show(json.loads((whole / "verdict.json").read_text()), whole, as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    _, _, below = told.partition("How to read this")
    for said in "chance alone would", "with a chance of 80 %":
        assert told.lower().count(said) == below.lower().count(said) <= 1
    assert "Holm's correction over" in below


def test_a_run_that_fails_leaves_the_others_alone(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is without its seed, it is told, and --resume tries it again."""
    out = tmp_path / "c"
    taken = out / "runs" / "focal" / "seed1"
    assert _compare(table, out, "--methods", "focal", "--seeds", "1") == 0
    taken.mkdir()
    (taken / "mine.txt").write_text("somebody's")
    more = ["--methods", "focal", "--seeds", "2", "--resume"]
    assert _compare(table, out, *more) == 1
    told = capsys.readouterr().err
    assert "1 of 4 runs failed" in told.replace("\n", " ")
    found = _verdict(out)
    assert found["repeats"] == [[0, 0]]
    assert list(found["failures"]) == ["focal, seed 1"]
    assert (taken / "mine.txt").read_text() == "somebody's"
    (taken / "mine.txt").unlink()
    assert _compare(table, out, *more) == 0
    assert _verdict(out)["repeats"] == [[0, 0], [1, 0]]


def test_numbers_of_methods_are_searched_in_the_budget(table: str, tmp_path: Path) -> None:
    """Each its own, and the control its optimizer's, with the same number of trials."""
    out = tmp_path / "c"
    more = ["--methods", "focal,tuned", "--seeds", "1", "--budget", "60s", "--search"]
    assert main(["compare", table, *EPOCHS, *more, "--trials", "2", "--out", str(out)]) == 0
    trials = {
        name: Run(out / "runs" / name / "seed0").read_json("tuning.json")["trials"]
        for name in ("plain", "focal", "tuned")
    }
    assert {name: len(found) for name, found in trials.items()} == dict.fromkeys(trials, 2)
    assert [set(found[1]["params"]) for found in trials.values()][:2] == [
        {"optimizer"},
        {"loss", "optimizer"},
    ]
    assert {"head", "sharpness"} <= set(trials["tuned"][1]["params"])
    found = _verdict(out)
    assert {row["method"]: row["trials"] for row in found["leaderboard"]} == dict.fromkeys(
        trials, 2
    )


def test_orders_make_other_classes_rare(table: str, tmp_path: Path) -> None:
    """The first is the given one; both enter the verdict."""
    out = tmp_path / "c"
    more = ["--methods", "focal", "--seeds", "1", "--orders", "4", "--ratio", "4"]
    assert _compare(table, out, *more) == 0
    assert _verdict(out)["repeats"] == [[0, 0], [0, 1], [0, 2], [0, 3]]
    counts = [
        Run(path).config["data"]["counts_train"] for path in sorted((out / "runs/plain").iterdir())
    ]
    assert len({tuple(np.argsort(each)) for each in counts}) == 2


def test_a_dry_run_writes_nothing(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what would be compared."""
    out = tmp_path / "c"
    assert _compare(table, out, "--dry-run") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "6 methods, 5 seeds" in told
    assert "30 runs, of which 30 are to be done" in told
    assert "tuned is left out" in told
    assert not out.exists()
    assert _compare(table, out, "--dry-run", "--trials", "3") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "7 methods, 5 seeds" in told
    assert "left out" not in told
    assert _compare(table, out, "--dry-run", "--json", "--methods", "focal", "--seeds", "2") == 0
    laid = json.loads(capsys.readouterr().out)
    assert laid["methods"] == ["plain", "focal"]
    assert (laid["control"], laid["n_runs"], laid["n_missing"]) == ("plain", 4, 4)
    assert laid["setup"]["params"]["epochs"] == "2"
    assert any(line.startswith("metric: ") for line in laid["notes"])
    assert not out.exists()


def test_a_folder_that_cannot_be_written_to_is_refused_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data need not even exist."""
    (tmp_path / "file").touch()
    assert _compare("nowhere.csv", tmp_path / "file" / "c") == 2
    assert "a folder that can be written to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--methods", "focall"], "Did you mean 'focal'"),
        (["--methods", "plain+focal"], "whole recipe"),
        (["--methods", "tuned+focal"], "One is 'tuned+focal'"),
        (["--seeds", "0"], "number of seeds"),
        (["--trials", "0"], "number of trials must be at least 1. It is 0."),
        (["--trials", "-3", "--dry-run"], "number of trials"),
        (["--orders", "2"], "no --ratio"),
        (["--methods", "focal", "--loss", "LDAM()"], "focal sets loss"),
        (["--methods", "focal,tuned"], "tuned asks for one"),
        (["--methods", "focal+tuned"], "Give --budget 10m, or --trials 20"),
        (["--methods", "focal", "--search"], "--search asks for one"),
        (["--metric", "acuracy"], "acuracy"),
        (["--monitor", "accuracy"], "Leave out --monitor, and give --metric"),
        (["--prior", "balanced", "--metric", "accuracy"], "Leave out --prior, and give --metric"),
        (["--workers", "2"], "executor"),
        (["--budget", "soon"], "soon"),
    ],
)
def test_bad_options_are_told_before_anything_is_written(
    wrong: list[str],
    words: str,
    table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, in words."""
    out = tmp_path / "c"
    assert _compare(table, out, *wrong) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_a_comparison_is_not_gone_on_with_on_other_terms(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other epochs, another share of test examples, or other data."""
    out = tmp_path / "c"
    assert _compare(table, out, "--methods", "focal", "--seeds", "1") == 0
    before = (out / "comparison.json").read_bytes()
    for other in (["--test", "0.3"], ["--head", "Cosine()"], ["--budget", "9s"]):
        assert _compare(table, out, "--methods", "focal", "--resume", *other) == 2
        assert "same data" in capsys.readouterr().err
    assert (out / "comparison.json").read_bytes() == before


def test_other_libraries_take_part_on_tables(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same test examples, one look, and a place on the leaderboard."""
    out = tmp_path / "c"
    more = ["--methods", "xgboost-balanced,balanced-forest", "--seeds", "1"]
    assert _compare(table, out, *more) == 0
    found = _verdict(out)
    assert {row["method"] for row in found["leaderboard"]} == {
        "plain",
        "xgboost-balanced",
        "balanced-forest",
    }
    assert {n for looks in found["looks"].values() for n in looks.values()} == {1}
    run = out / "runs" / "xgboost-balanced" / "seed0"
    ids = [
        Run(p).read_arrays("predictions.npz")["test_ids"] for p in (run, out / "runs/plain/seed0")
    ]
    assert ids[0].tolist() == ids[1].tolist()
    assert Run.open(run).config["opponent"]["library"].startswith("xgboost ")
    assert main(["report", str(out), "--out", str(tmp_path / "r.html")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 2
    assert "only predictions are kept" in " ".join(capsys.readouterr().err.split())


def test_with_trials_alone_every_method_has_as_many(table: str, tmp_path: Path) -> None:
    """Those of other libraries, too, whose search would not end by itself."""
    out = tmp_path / "c"
    more = ["--methods", "prescribed,focal,xgboost", "--seeds", "1", "--trials", "2"]
    assert _compare(table, out, *more) == 0
    tried = {row["method"]: row["trials"] for row in _verdict(out)["leaderboard"]}
    assert tried == {"plain": 2, "focal": 2, "prescribed": 2, "xgboost": 2}
    own = Run(out / "runs" / "prescribed" / "seed0")
    assert set(own.read_json("tuning.json")["trials"][1]["params"]) == {"optimizer"}
    # All are trained anew on all training examples.
    held = [Run.open(p).config["data"]["counts_validation"] for p in (out / "runs/plain").iterdir()]
    assert own.config["data"]["counts_validation"] == held[0] == [0, 0]


def test_runs_that_all_fail_are_told_as_that(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as wrong input: with what went wrong."""

    def fail(job: object) -> None:
        raise TrainingError(f"No memory for {type(job).__name__}.")

    monkeypatch.setattr(contest_module, "carry_out", fail)
    assert _compare(table, tmp_path / "c", "--methods", "focal", "--seeds", "1") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "2 of 2 runs failed; there is no verdict without them" in told
    assert "No memory for Job" in told
