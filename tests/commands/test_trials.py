"""What the command line says of a search."""

import json
from pathlib import Path
from typing import Any

import pytest

from equipoise.commands import console
from equipoise.commands.trials import show_search
from equipoise.runs import Run


def _trial(number: int, state: str, score: float | None, **params: Any) -> dict[str, Any]:
    return {
        "number": number,
        "params": {"head": "Linear()", "smoothing": None, **params},
        "state": state,
        "scores": {} if score is None else {"balanced_accuracy": score},
        "pace": 0.5,
        "epochs": 12,
        "message": "TrainingError: it [b]diverged" if state == "failed" else "",
    }


def _found(**changes: Any) -> dict[str, Any]:
    known = {"importance": 0.8, "error": 0.1, "p": 0.01}
    moved = {"difference": 0.125, "difference_error": 0.05}
    head = {"role": "head", "prescribed": "Linear()", "taken": "Cosine(scale=8.123456)"}
    rest = {"role": "smoothing", "prescribed": None, "taken": None}
    nothing = dict.fromkeys(("importance", "error", "p", "difference", "difference_error"))
    return {
        "metrics": ["balanced_accuracy"],
        "taken": 1,
        "over_prescription": 0.1,
        "over_prescription_error": 0.04,
        "validation": 0.75,
        "test": 0.7,
        "optimism": 0.05,
        "front": [],
        "ensemble": None,
        "mattered": {"roles": [{"name": "head"}], "said": ["This rests on [b]40 trials."]},
        "compared": [{**head, **known, **moved}, {**rest, **nothing}],
        "trials": [
            _trial(0, "complete", 0.65),
            _trial(1, "complete", 0.75, head="Cosine(scale=8.123456)"),
            _trial(2, "failed", None, head="Cosine(scale=9.0)"),
        ],
    } | changes


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Return a function that gives what is printed, the result first, then what is said."""
    for screen in (console.results, console.errors):
        monkeypatch.setattr(screen, "width", 160)

    def show(found: dict[str, Any], *, as_json: bool = False) -> tuple[str, str]:
        run = Run(tmp_path)
        run.write_json("tuning.json", found)
        run.write_json("metrics.json", {"test": {"as_is": {}}})
        show_search(run, as_json=as_json)
        printed = capsys.readouterr()
        return printed.out, " ".join(printed.err.split())

    return show


def test_recipes_are_compared_part_by_part(shown) -> None:
    """Long numbers are rounded, what is alike is said to be, and errors stand beside values."""
    table, _ = shown(_found())
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    assert ["head", "Linear()", "Cosine(scale=8.12)", "0.80 ± 0.10", "+0.1250 ± 0.0500"] in rows
    assert ["smoothing", "none", "the same", "", ""] in rows


def test_recipes_are_listed_with_their_epochs_and_the_metric_by_its_name(shown) -> None:
    """A loss is spelt as everywhere."""
    found = _found(metrics=["balanced_log_loss"])
    for trial in found["trials"]:
        trial["scores"] = {"balanced_log_loss": 0.5} if trial["scores"] else {}
    table, said = shown(found)
    head, *rows = [
        [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]
        for line in table.splitlines()
        if line.startswith(("┃", "│"))
    ]
    assert head[:4] == ["trial", "balanced log-loss", "epochs", "time of one"]
    assert ["0", "0.5000", "12", "0.5s", "none: the prescription"] in rows
    assert "its balanced log-loss is better" in said


def test_what_is_said_of_importance_is_told_as_it_is(shown) -> None:
    """With what the columns mean; markup in it is text."""
    _, said = shown(_found())
    assert "Importance is the share of the variation between scores" in said
    assert "This rests on [b]40 trials." in said
    assert "Trial 2 failed: TrainingError: it [b]diverged" in said


def test_where_nothing_can_be_said_there_are_no_numbers(shown) -> None:
    """The recipes still stand side by side, and the reason is told."""
    table, said = shown(_found(mattered={"roles": [], "said": ["Too few."]}))
    assert "Cosine(scale=8.12)" in table
    assert "importance" not in table
    assert "±" not in table
    assert said.endswith("Too few.")
    assert "Importance is" not in said


def test_the_prescription_is_not_compared_with_itself_for_nothing(shown) -> None:
    """Nothing known, nothing changed: no table."""
    same = [row | {"taken": row["prescribed"]} for row in _found()["compared"]]
    known = {"mattered": {"roles": [], "said": []}, "compared": same, "taken": 0}
    table, said = shown(_found(**known))
    assert "the recipe that is taken" not in table
    assert "The prescription is taken" in said


@pytest.mark.parametrize(
    ("optimism", "words"), [(0.05, "looked better by 0.0500"), (-0.05, "looked worse by 0.0500")]
)
def test_optimism_has_its_direction(optimism: float, words: str, shown) -> None:
    """A test set that was kinder is no negative optimism."""
    _, said = shown(_found(optimism=optimism))
    assert words in said


def test_machines_get_the_whole_file(shown) -> None:
    """As JSON, with nothing rounded, and nothing else on standard output; people are told too."""
    table, said = shown(_found(), as_json=True)
    assert json.loads(table)["tuning"] == _found()
    assert said == shown(_found())[1]


def test_where_no_trial_was_trained_in_full_there_is_no_empty_table(shown) -> None:
    """What is taken is told in words."""
    only = {**_trial(0, "unfinished", None), "best_epochs": [1]}
    table, said = shown(_found(trials=[only], taken=0, compared=[], n_folds=2))
    assert "trained in full" not in table
    assert "was trained longest" in said


def test_recipes_that_predict_together_are_named_with_their_weights(shown) -> None:
    """With the score of all and that of the best alone."""
    ensemble = {"weights": {"1": 0.75, "0": 0.25}, "score": 0.77, "alone": 0.75}
    _, said = shown(_found(ensemble=ensemble, over_prescription=None))
    assert "Trials 1 (0.75), 0 (0.25) predict together" in said
    assert "balanced accuracy is 0.7700, that of the best alone 0.7500" in said
    assert "is taken" not in said


def test_what_none_beats_is_listed_where_there_are_several_metrics(shown) -> None:
    """With a column for each, and one recipe marked as taken."""
    front = [
        {"number": 1, "values": {"balanced_accuracy": 0.75, "seconds": 0.5}},
        {"number": 0, "values": {"balanced_accuracy": 0.65, "seconds": 0.25}},
    ]
    table, _ = shown(_found(front=front, metrics=["balanced_accuracy", "seconds"]))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    assert ["1 (taken)", "0.75", "0.5", "head=Cosine(scale=8.12)"] in rows
    assert ["0", "0.65", "0.25", "none: the prescription"] in rows
    assert "seconds an epoch" in table


def test_an_error_that_is_not_known_is_told_to_be(shown) -> None:
    """Where too few examples are held out there is a difference, and no number beside it."""
    assert "by 0.1000, with a standard error of 0.0400." in shown(_found())[1]
    assert "by 0.1000, with an unknown error." in shown(_found(over_prescription_error=None))[1]
