"""Laws of what is told of a search."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.defaults import Choice
from equipoise.report.search import read_search
from equipoise.runs import SEARCH, Run
from equipoise.tuning.layout import Layout
from equipoise.tuning.outcome import compare, optimism, over_alike_classes, summary
from equipoise.tuning.records import Record
from equipoise.tuning.scores import HeldOut
from equipoise.tuning.winner import Winner

N = 24


def _record(number: int) -> Record:
    """Return a trial of one of two heads, of which the second is better by 0.2."""
    is_cosine = number % 3 == 1
    score = 0.5 + 0.2 * is_cosine + 0.001 * number
    return Record(
        number=number,
        choices={"head": "Cosine", "head.Cosine.scale": 8.0} if is_cosine else {"head": "Linear"},
        params={"head": "Cosine(scale=8.0)" if is_cosine else "Linear()", "smoothing": None},
        epochs=9,
        pace=0.1,
        state="complete",
        best_epochs=(3,),
        scores={"balanced_accuracy": score, "balanced_log_loss": 1 - score},
        seconds=1.0,
    )


def _predicted(metric: str, value: float) -> HeldOut:
    """Return predictions for ten examples of each of two classes, of a score that is given."""
    codes = np.repeat([0, 1], 10)
    is_right = np.tile(np.arange(10) < round(10 * value), 2)
    margin = np.where(is_right, 1.0, -1.0)
    if metric.endswith("log_loss"):
        margin = np.full(20, -np.log(np.expm1(value)))
    return HeldOut(np.arange(20), codes, np.eye(2)[codes] * margin[:, None])


def _told(folder: Path, metric: str, test: float, error: float = 0.01) -> dict[str, Any]:
    counts = {"counts_train": [90, 10], "counts_test": [50, 50]}
    run = Run.create(folder / "run", {"seeds": {"seed": 0}, "data": counts})
    records = [_record(number) for number in range(N)]
    for record in records:
        record.save(run.path / SEARCH / "trials" / f"{record.number:04d}")
    layout = Layout(
        metrics=(metric,),
        n_folds=1,
        seconds=1.0,
        epochs=9,
        longest=9,
        first_rung=1,
        reserve=1.0,
        choices=(Choice("folds", 1, "as given", "design"),),
    )
    best = records[22]
    winner = Winner(record=best, best=best, alike=1, over_prescription=0.222, error=error)
    return summary(run, layout, records, winner, _predicted(metric, test))


@pytest.mark.parametrize(
    ("metric", "test", "optimism"),
    [("balanced_accuracy", 0.7, 0.022), ("balanced_log_loss", 0.3, 0.022)],
)
def test_optimism_is_how_much_better_it_looked(
    metric: str, test: float, optimism: float, tmp_path: Path
) -> None:
    """Of accuracies and of losses alike: above zero where the test set is worse."""
    found = _told(tmp_path, metric, test)
    assert found["validation"] == pytest.approx(test + (0.022 if "acc" in metric else -0.022))
    assert found["optimism"] == pytest.approx(optimism)
    assert found["test"] == pytest.approx(test)
    assert found["alike_classes"] is None


def test_scores_are_compared_over_the_classes_that_both_have() -> None:
    """By hand: recalls 1 and 1/2 where both are; that of the class tested alone is 0."""
    held = HeldOut(np.arange(4), np.array([0, 0, 1, 1]), np.eye(3)[[0, 0, 1, 0]])
    test = HeldOut(np.arange(5), np.array([0, 0, 1, 1, 2]), np.eye(3)[[0, 0, 1, 0, 0]])
    assert test.scores()["balanced_accuracy"] == pytest.approx(0.5)
    found = over_alike_classes(held, test, "balanced_accuracy")
    assert found == {"validation": 0.75, "test": 0.75}
    assert over_alike_classes(held, held, "balanced_accuracy") is None
    assert over_alike_classes(test, held, "balanced_accuracy") == found


def test_other_class_shares_are_no_optimism(tmp_path: Path) -> None:
    """Accuracy on as many rare examples as frequent ones is lower for any recipe, chosen or not."""
    run = Run.create(tmp_path / "run", {"data": {"counts_train": [90, 10], "counts_test": [5, 5]}})
    assert optimism(run, "accuracy", 0.9, 0.7) is None
    assert optimism(run, "balanced_accuracy", 0.9, 0.7) == pytest.approx(0.2)
    alike = Run.create(tmp_path / "b", {"data": {"counts_train": [90, 10], "counts_test": [9, 1]}})
    assert optimism(alike, "log_loss", 0.5, 0.7) == pytest.approx(0.2)


def test_a_report_can_read_what_is_told(tmp_path: Path) -> None:
    """Both sides of the file agree, after it went through JSON."""
    found = _told(tmp_path, "balanced_accuracy", 0.7)
    search = read_search(json.loads(json.dumps(found, allow_nan=False)))
    assert [row["name"] for row in search["roles"]] == ["head"]
    assert [row["role"] for row in search["compared"]] == ["head", "smoothing"]
    assert search["chosen"] == {"head": "Cosine", "head.Cosine.scale": 8.0}
    assert len(search["trials"]) == N
    assert found["trials"][0] == asdict(_record(0))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "balanced_log_loss"])
def test_the_recipe_that_is_taken_is_compared_part_by_part(metric: str, tmp_path: Path) -> None:
    """With the difference of the two means and its error, above zero for the better."""
    head, smoothing = _told(tmp_path, metric, 0.7)["compared"]
    sign = 1 if metric == "balanced_accuracy" else -1
    scores = np.array([sign * _record(k).scores[metric] for k in range(N)])
    is_cosine = np.arange(N) % 3 == 1
    parts = scores[is_cosine], scores[~is_cosine]
    errors = [part.var(ddof=1) / len(part) for part in parts]
    assert head["prescribed"] == "Linear()"
    assert head["taken"] == "Cosine(scale=8.0)"
    assert head["difference"] == pytest.approx(parts[0].mean() - parts[1].mean(), abs=1e-4)
    assert head["difference_error"] == pytest.approx(sum(errors) ** 0.5, rel=1e-3)
    assert head["importance"] > 0.9
    assert smoothing == {
        "role": "smoothing",
        "prescribed": None,
        "taken": None,
        **dict.fromkeys(("importance", "error", "p", "difference", "difference_error")),
    }


def test_the_same_component_with_other_values_has_no_difference() -> None:
    """There are no two groups of trials to compare."""
    before = Record(number=0, choices={"head": "Cosine"}, params={"head": "Cosine()"})
    after = Record(number=1, choices={"head": "Cosine"}, params={"head": "Cosine(scale=8.0)"})
    candidates = [{"name": "Cosine", "n": 9, "mean": 0.5, "error": 0.1}]
    roles = [
        {"name": "head", "importance": None, "error": None, "p": None, "candidates": candidates}
    ]
    [row] = compare(before, after, {"roles": roles}, "accuracy")
    assert row["prescribed"] != row["taken"]
    assert row["difference"] is None


def test_a_component_that_was_tried_once_has_a_difference_without_an_error() -> None:
    """One trial has no spread."""
    before, after = (
        Record(number=k, choices={"head": name}, params={"head": name})
        for k, name in enumerate(["Linear", "Cosine"])
    )
    candidates = [
        {"name": "Linear", "n": 9, "mean": 0.5, "error": 0.1},
        {"name": "Cosine", "n": 1, "mean": 0.75, "error": None},
    ]
    roles = [{"name": "head", "importance": 0.1, "error": 0.1, "p": 0.5, "candidates": candidates}]
    [row] = compare(before, after, {"roles": roles}, "accuracy")
    assert (row["difference"], row["difference_error"]) == (0.25, None)


def test_an_error_that_is_not_known_is_none(tmp_path: Path) -> None:
    """JSON knows no infinity; the file can be written and read after the whole search."""
    found = _told(tmp_path, "balanced_accuracy", 0.7, error=math.inf)
    assert found["over_prescription"] == 0.222
    assert found["over_prescription_error"] is None
    assert read_search(json.loads(json.dumps(found, allow_nan=False)))["over_error"] is None
