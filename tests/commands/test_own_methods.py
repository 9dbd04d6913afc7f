"""Laws of methods that a file or a run describes."""

import json
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.commands.own_methods import methods_in, searched_on
from equipoise.comparison.methods import Method
from equipoise.errors import InputError
from equipoise.runs import Run

ROWS = [(i % 7, (i * i) % 11, "rare" if i % 6 == 0 else "usual") for i in range(150)]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A small table."""
    lines = ["a,b,outcome", *(",".join(map(str, row)) for row in ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return str(tmp_path / "t.csv")


def _file(tmp_path: Path, text: str, name: str = "mine.toml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_file_sets_parameters_over_a_recipe(tmp_path: Path) -> None:
    """Numbers are numbers, components are text, and the method is called as the file."""
    own = _file(tmp_path, '[fit]\nrecipe = "plain"\nloss = "Focal(gamma=1)"\nbatch_size = "32"\n')
    first, second = methods_in(f" tuned ,{own}")
    assert first == "tuned"
    assert isinstance(second, Method)
    assert second.name == "mine"
    assert second.params == {"loss": "Focal(gamma=1)", "batch_size": 32}
    assert second.recipe == "plain"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no such table"),
        ("[tune]\nbudget = 3\n", "stand in the table of a command|no such table"),
        ("[fit]\nratio = 10\n", "ratio is no setting of a classifier"),
        ("[fit]\nepochs = 3\n", "epochs is the same for all methods"),
        ('[fit]\nprior = "balanced"\n', "Leave out prior, or give --metric to"),
        ("[fit\n", "must name a TOML file"),
        ("[fit]\nrecipe = 3\n", "recipe is 3"),
        ('[fit]\nrecipe = ["plain"]\n', "name is text"),
    ],
)
def test_files_that_are_no_method_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """In words, before anything is read or written."""
    with pytest.raises(InputError, match=said):
        methods_in(_file(tmp_path, text))


def test_a_file_that_is_not_there_is_told_as_one_of_methods(tmp_path: Path) -> None:
    """Not as one of another option."""
    with pytest.raises(InputError, match="--methods"):
        methods_in(str(tmp_path / "nothing.toml"))


def test_files_and_runs_are_compared_like_other_methods(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file's setting is trained; a run's, too, for as many epochs as all others."""
    quick = ["--label", "outcome", "--device", "cpu", "--epochs"]
    mlp = ["--backbone", "MLP(layers=1, width=8)"]
    run = tmp_path / "earlier"
    assert (
        main(["fit", table, *quick, "1", *mlp, "--smoothing", "Uniform()", "--out", str(run)]) == 0
    )
    own = _file(tmp_path, '[fit]\nloss = "Focal(gamma=1)"\nbackbone = "MLP(layers=1, width=4)"\n')
    out = tmp_path / "c"
    command = ["compare", table, *quick, "2", "--seeds", "1", "--methods", f"{own},{run}", "--json"]
    capsys.readouterr()
    assert main([*command, "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["method"] for row in found["leaderboard"]} == {"plain", "mine", "earlier"}
    mine = Run.open(out / "runs/mine/seed0").config["classifier"]
    earlier = Run.open(out / "runs/earlier/seed0").config["classifier"]
    assert (mine["loss"], mine["backbone"]) == ("Focal(gamma=1)", "MLP(layers=1, width=4)")
    assert (earlier["smoothing"], earlier["epochs"]) == ("Uniform()", 2)
    assert main(["report", str(out), "--out", str(tmp_path / "r.html")]) == 0
    assert "Focal(gamma=1)" in (tmp_path / "r.html").read_text()


def test_a_run_that_was_searched_for_on_the_same_data_is_cautioned_of(tmp_path: Path) -> None:
    """Not one that was searched for on other data, nor one that was not searched for."""
    for name, mark in (("same", "one"), ("other", "two"), ("fitted", "one")):
        run = Run.create(tmp_path / name, {"data": {"fingerprint": mark}})
        if name != "fitted":
            run.write_json("tuning.json", {"trials": []})
    given = f"focal,{tmp_path}/same, {tmp_path}/other,{tmp_path}/fitted,mine.toml"
    [said] = searched_on(given, "one")
    assert said.startswith("same is a run whose numbers a search has chosen on one split of this")
    assert searched_on(given, "three") == []


def test_a_method_stays_what_it_was(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another file of the same name is refused when a comparison is gone on with."""
    own = _file(tmp_path, '[fit]\nloss = "Focal(gamma=1)"\n')
    common = ["--label", "outcome", "--device", "cpu", "--epochs", "1", "--seeds", "1"]
    command = ["compare", table, *common, "--methods", own, "--out", str(tmp_path / "c")]
    assert main(command) == 0
    _file(tmp_path, '[fit]\nloss = "Focal(gamma=3)"\n')
    capsys.readouterr()
    assert main([*command, "--resume"]) == 2
    assert "mine is another" in capsys.readouterr().err
    _file(tmp_path, '[fit]\nrecipe = "plain"\nloss = "Focal(gamma=1)"\n')
    assert main([*command, "--resume"]) == 2  # over another recipe
    assert "mine is another" in capsys.readouterr().err
