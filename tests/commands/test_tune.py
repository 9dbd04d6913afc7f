"""Laws of the command that searches."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.tuning.identity import only_here
from equipoise.tuning.tuner import Tuner

ROWS = [(i % 7, (i * i) % 11, "rare" if i % 6 == 0 else "usual") for i in range(120)]
QUICK = ["--label", "outcome", "--budget", "60s", "--trials", "3", "--folds", "1", "--epochs", "2"]
QUICK += ["--device", "cpu", "--backbone", "MLP(layers=1, width=8)"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A small table."""
    lines = ["a,b,outcome", *(",".join(map(str, row)) for row in ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return str(tmp_path / "t.csv")


def test_a_search_ends_as_a_run_that_every_command_takes(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It predicts, is evaluated and reported like one that was fitted."""
    out = str(tmp_path / "run")
    assert main(["tune", table, *QUICK, "--out", out]) == 0
    told = capsys.readouterr()
    assert "3 recipes were tried" in told.out + told.err
    run = Run.open(Path(out))
    assert run.done
    assert [trial["number"] for trial in run.read_json("tuning.json")["trials"]] == [0, 1, 2]
    assert run.config["test"]["looks"] == 1
    reasons = {choice["field"]: choice["reason"] for choice in run.config["choices"]}
    for row in run.read_json("tuning.json")["compared"]:
        is_kept = row["prescribed"] == row["taken"]
        assert reasons[row["role"]].startswith("as prescribed") == is_kept
    assert main(["predict", out, table, "--out", str(tmp_path / "p.csv")]) == 0
    assert main(["evaluate", out]) == 0
    assert main(["report", out, "--out", str(tmp_path / "r.html")]) == 0


def test_the_layout_can_be_had_as_json(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard output, with every choice and its reason."""
    out = tmp_path / "run"
    assert main(["tune", table, *QUICK, "--out", str(out), "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_folds"], found["epochs"]) == (1, 2)
    assert {"metric", "folds"} <= {choice["field"] for choice in found["choices"]}
    assert not out.exists()


def test_a_search_without_anything_to_compare_says_so(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One recipe is no choice."""
    search = ["tune", table, *("1" if word == "3" else word for word in QUICK)]
    assert main([*search, "--out", str(tmp_path / "run")]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "nothing else was trained far enough to be compared with it" in told
    assert "nothing cheaper" not in told


def test_numbers_of_a_given_component_are_searched(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every recipe has the focal loss, each with another gamma, and all else as prescribed."""
    out = str(tmp_path / "run")
    within = ["--loss", "Focal()", "--within", "loss"]
    assert main(["tune", table, *QUICK, *within, "--out", out, "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["tuning"]["trials"]
    losses = {trial["params"]["loss"] for trial in trials}
    assert len(losses) == len(trials) == 3
    assert all(loss.startswith("Focal(") for loss in losses)
    assert all(list(trial["params"]) == ["loss"] for trial in trials)


def test_trials_may_run_in_processes(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many recipes are tried, each counted once."""
    out = str(tmp_path / "run")
    unhurried = ["20m" if word == "60s" else word for word in QUICK]  # it ends by its trials
    places = ["--executor", "processes", "--workers", "2", "--threads", "1"]
    assert main(["tune", table, *unhurried, *places, "--out", out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    states = {trial["number"]: trial["state"] for trial in found["tuning"]["trials"]}
    assert sorted(states) == [0, 1, 2]
    assert "failed" not in states.values()


def test_a_dry_run_writes_nothing(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how the search would be laid out."""
    out = tmp_path / "run"
    assert main(["tune", table, *QUICK, "--out", str(out), "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "metric" in told.out + told.err
    assert not out.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--metric", "acuracy"],
        ["--search", "optimiser"],
        ["--within", "epochs"],
        ["--budget", "soon"],
        ["--trials", "0"],
        ["--workers", "2"],
        ["--storage", "nosuch://place"],
    ],
)
def test_bad_options_are_told_in_words(
    wrong: list[str], table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and no run left behind."""
    out = tmp_path / "run"
    assert main(["tune", table, *QUICK, *wrong, "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("equipoise: ") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (["--out", "afile/x"], "afile` is a file"),
        (["--out", "afile"], "already exists"),
        (["--storage", "foo.db"], "has no scheme"),
        (["--storage", "sqlite:///none/s.db"], "cannot be opened"),
        (["--metric", "acuracy"], "acuracy"),
        (["--executor", "ray", "--address", "127.0.0.1:1"], "127.0.0.1:1"),
    ],
)
def test_what_does_not_depend_on_the_data_is_looked_at_before_it(
    wrong: list[str],
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the run and the search are kept, what is searched for, and where trials run."""
    if "ray" in wrong and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")  # not imported, for that would settle its tokens
    monkeypatch.chdir(tmp_path)
    Path("afile").touch()
    assert main(["tune", "nowhere.csv", *wrong]) == 2
    told = capsys.readouterr().err
    assert word in told
    assert "nowhere" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["afile"]


@pytest.mark.parametrize(
    "wrong",
    [["--workers", "2"], ["--threads", "2"], ["--address", "127.0.0.1:1"], ["--workers", "0"]],
)
def test_options_of_executors_are_looked_at_before_the_data(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The data need not even exist, and a dry run refuses them too."""
    assert main(["tune", "nowhere.csv", *wrong, "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert "nowhere" not in told
    assert "executor" in told or "number of workers" in told


def _status(command: list[str]) -> int:
    """Return the exit status, which the parser of the command line may have ended with."""
    try:
        return main(command)
    except SystemExit as ended:
        return int(ended.code or 0)


def _pressed(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["in the first trial", "in the final training", "twice"])
def test_ctrl_c_that_ends_the_command_says_how_to_go_on(
    moment: str,
    table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its status and in words; going on then ends with a run."""
    command = ["tune", table, *QUICK, "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        if moment == "in the first trial":
            patch.setattr("equipoise.tuning.trial._Trial.run", _pressed)
        else:
            patch.setattr("equipoise.plan.Plan.run", _pressed)
        if moment == "twice":
            patch.setattr("equipoise.tuning.search._Loop._clear", _pressed)
        assert _status(command) == 130
    told = " ".join(capsys.readouterr().err.split())
    assert "Go on with the same command and --out" in told
    assert "Give it more time" not in told
    assert ("before any recipe was trained" in told) == (moment == "in the first trial")
    assert main([*command, "--resume"]) == 0
    assert Run(tmp_path / "run").done


def test_the_search_is_held_until_its_run_is_done(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that waits with --resume does not come in between the two."""
    finish = Tuner.finish

    def held(tuner: Tuner, *args: Any, **more: Any) -> Run:
        with (
            pytest.raises(InputError, match="One process at a time"),
            only_here(tuner.search_folder),
        ):
            pass
        return finish(tuner, *args, **more)

    monkeypatch.setattr(Tuner, "finish", held)
    assert main(["tune", table, *QUICK, "--out", str(tmp_path / "run")]) == 0


def test_the_bar_counts_what_has_ended(
    table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trial that was interrupted is counted once, when it has ended."""
    command = ["tune", table, *QUICK, "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr("equipoise.tuning.trial._Trial.run", _pressed)
        assert _status(command) == 130
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    told = capsys.readouterr()
    assert "This search goes on: 1 recipe tried" in " ".join(told.err.split())
    assert "3 tried" in told.err
    assert "4 tried" not in told.err
    assert "3 recipes were tried" in told.err


def test_a_second_look_at_the_test_set_is_told(
    table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that was stopped had read it before; without such a run there is no word of it."""
    for name, before in (("first", 0), ("second", 1)):
        for place in ("tuning.tuner", "commands.tune"):
            monkeypatch.setattr(f"equipoise.{place}.earlier_looks", lambda _, n=before: n)
        out = ["--out", str(tmp_path / name)]
        assert main(["tune", table, *QUICK, *out]) == 0
        assert Run(tmp_path / name).config["test"]["looks"] == before + 1
        told = " ".join(capsys.readouterr().err.split())
        assert ("had been read before the stop" in told) == bool(before)
    monkeypatch.undo()
    assert main(["evaluate", str(tmp_path / "first")]) == 0  # a look after the end
    assert main(["tune", table, *QUICK, "--out", str(tmp_path / "first"), "--resume"]) == 0
    assert "before the stop" not in capsys.readouterr().err


def test_a_search_is_gone_on_with_only_when_that_is_asked_for(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second one into the same folder is refused; a finished one is left as it is."""
    out = ["--out", str(tmp_path / "run")]
    assert main(["tune", table, *QUICK, *out]) == 0
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    assert main(["tune", table, *QUICK, *out]) == 2
    capsys.readouterr()
    assert main(["tune", table, *QUICK, *out, "--resume"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "This search has ended; what it found is shown again" in told
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


def test_an_ensemble_is_a_run_that_every_command_takes(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its models predict together; another --ensemble is another search."""
    out = str(tmp_path / "run")
    more = ["--metric", "balanced_log_loss", "--metric", "seconds"]
    search = ["tune", table, *QUICK, *more, "--out", out]
    assert main([*search, "--ensemble", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["tuning"]
    assert sum(found["ensemble"]["weights"].values()) == pytest.approx(1)
    assert {row["number"] for row in found["front"]} <= {0, 1, 2}
    assert (tmp_path / "run" / "ensemble" / "00" / "model.safetensors").exists()
    assert main(["predict", out, table, "--out", str(tmp_path / "p.csv")]) == 0
    assert main(["evaluate", out, table]) == 0
    assert main(["report", out]) == 0
    assert main([*search, "--resume", "--ensemble", "3"]) == 2
    assert "ensemble was 2" in " ".join(capsys.readouterr().err.split())
