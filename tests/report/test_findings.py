"""The classes and pairs that a reader should look at first."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics import evaluate
from equipoise.report.findings import (
    confused_pairs,
    counted_accuracy,
    overpredicted,
    rarest_class,
    worst_class,
)

matrices = st.integers(1, 6).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=k, max_size=k)
)


@settings(deadline=None, derandomize=True)
@given(matrices)
def test_pairs_hold_every_mistake_once(confusion: list[list[int]]) -> None:
    """The listed counts sum to the off-diagonal of the confusion matrix."""
    matrix = np.array(confusion)
    pairs = confused_pairs(confusion, [str(k) for k in range(len(confusion))])
    assert sum(pair["count"] for pair in pairs) == matrix.sum() - np.trace(matrix)
    assert all(p["n"] == matrix[int(p["true"])].sum() for p in pairs)


@settings(deadline=None, derandomize=True)
@given(matrices)
def test_larger_shares_come_first(confusion: list[list[int]]) -> None:
    """Shares of the true class never increase down the list."""
    shares = [p["share"] for p in confused_pairs(confusion, list("abcdef")[: len(confusion)])]
    assert shares == sorted(shares, reverse=True)


def test_pairs_point_from_the_true_to_the_predicted_class() -> None:
    """Rows of the confusion matrix are true classes, columns predicted ones."""
    (pair,) = confused_pairs([[3, 1], [0, 5]], ["cat", "dog"])
    assert (pair["true"], pair["predicted"], pair["share"]) == ("cat", "dog", 0.25)


def row(name: str, n_train: int, n: int, recall: float | None) -> dict:
    return {"class": name, "n_train": n_train, "n": n, "recall": {"value": recall}}


def test_a_class_without_test_examples_is_not_the_worst() -> None:
    """An undefined recall is not a recall of zero."""
    rows = [row("a", 50, 5, 0.4), row("b", 5, 0, None), row("c", 9, 5, 0.8)]
    worst = worst_class({"per_class": rows})
    assert worst is not None
    assert worst["class"] == "a"


def test_no_recall_means_no_worst_class() -> None:
    """Without any test example no class is the worst."""
    assert worst_class({"per_class": [row("a", 5, 0, None)]}) is None


def test_of_equally_rare_classes_the_one_with_fewer_test_examples_is_the_rarest() -> None:
    """What is known least about is named first."""
    rows = [row("a", 5, 9, 0.1), row("b", 5, 2, 0.9), row("c", 50, 1, 0.9)]
    assert rarest_class({"per_class": rows})["class"] == "b"


def measured(n_classes: int, prior: list[float] | None, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    codes = np.concatenate([[0, 0], generator.integers(0, n_classes, 40)])
    logits = generator.normal(size=(42, n_classes)) + 1.5 * np.eye(n_classes)[codes]
    names, counts = [f"c{k}" for k in range(n_classes)], np.arange(1, n_classes + 1)
    return evaluate(logits, codes, classes=names, train_counts=counts, prior=prior, n_bootstrap=10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_classes", [2, 7, 40])
def test_without_a_prior_the_counted_accuracy_is_the_accuracy(n_classes: int, seed: int) -> None:
    """Value and interval are those of metrics.json, also with classes that have no examples."""
    metrics = measured(n_classes, None, seed)
    accuracy = metrics["overall"]["accuracy"]
    assert counted_accuracy(metrics) == pytest.approx(accuracy, abs=1e-12)


def test_under_a_prior_the_counted_accuracy_still_counts_examples() -> None:
    """It is the trace of the confusion matrix over its sum, not the weighted accuracy."""
    metrics = measured(3, [0.98, 0.01, 0.01], 0)
    confusion = np.array(metrics["confusion"])
    counted = counted_accuracy(metrics)
    assert counted["value"] == np.trace(confusion) / 42
    assert counted["value"] != pytest.approx(metrics["overall"]["accuracy"]["value"], abs=0.01)
    assert counted["low"] < counted["value"] < counted["high"]


def corrected(n_train: int, n: int, predicted: int, right: int) -> dict[str, Any]:
    rows = [{"class": "cat", "n_train": 900, "n": 500}, {"class": "lynx", "n_train": n_train}]
    rows[1]["n"] = n
    confusions = [[500, 0], [n, 0]], [[500 - predicted + right, predicted - right], [n - right]]
    confusions[1][1].append(right)
    before, after = ({"per_class": rows, "confusion": c} for c in confusions)
    return {"as_is": before, "balanced": after}


def test_a_class_of_one_example_with_too_many_predictions_is_found() -> None:
    """Its counts are those of its column in the two confusion matrices."""
    assert overpredicted(corrected(1, 3, 159, 2)) == [
        {"class": "lynx", "n_train": 1, "n": 3, "predicted": 159, "right": 2, "before": 0}
    ]


@pytest.mark.parametrize(
    ("n_train", "n", "predicted"),
    [(5, 3, 159), (1, 3, 9), (1, 30, 60)],
    ids=["known", "few predictions", "not many more than there are"],
)
def test_other_classes_are_not_cautioned_about(n_train: int, n: int, predicted: int) -> None:
    """Five training examples, nine predictions, or twice the true count are no surplus."""
    assert overpredicted(corrected(n_train, n, predicted, 2)) == []
    found = overpredicted(corrected(min(n_train, 4), n, max(predicted, 10) + 1, 2))
    assert [row["class"] for row in found] == ["lynx"]


def test_a_class_without_test_examples_can_be_predicted_too_often() -> None:
    """That no example is of the class is no excuse."""
    assert overpredicted(corrected(1, 0, 40, 0))[0]["n"] == 0
