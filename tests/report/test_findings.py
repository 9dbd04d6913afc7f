"""The classes and pairs that a reader should look at first."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.report.findings import confused_pairs, rarest_class, worst_class

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
