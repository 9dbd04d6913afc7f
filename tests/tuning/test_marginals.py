"""Laws of mean scores: every trial is counted once, and a single one has no standard error."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.tuning.marginals import BINS, by_candidate, by_range, range_codes


def test_means_are_those_by_hand() -> None:
    """Of three scores 1, 2 and 6: mean 3, deviation sqrt(7), error sqrt(7 / 3)."""
    names, scores = ["a", "b", "a", "a"], np.array([1.0, 5.0, 2.0, 6.0])
    first, second = by_candidate(names, scores)
    assert first == {"name": "a", "n": 3, "mean": 3.0, "error": pytest.approx((7 / 3) ** 0.5)}
    assert second == {"name": "b", "n": 1, "mean": 5.0, "error": None}


def test_numbers_stand_in_their_order_and_names_by_their_trials() -> None:
    """16 comes before 128, although text would have it otherwise."""
    sizes = [row["name"] for row in by_candidate(["128", "16", "128", "1e-05"], np.zeros(4))]
    names = [row["name"] for row in by_candidate(["b", "a", "b", "c"], np.zeros(4))]
    assert sizes == ["1e-05", "16", "128"]
    assert names == ["b", "a", "c"]


numbers = st.lists(st.floats(-5, 5).map(lambda x: round(x, 1)), min_size=1, max_size=60)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(numbers)
def test_ranges_hold_every_trial_once_and_do_not_overlap(values: list[float]) -> None:
    """In order, with the mean of all trials as their weighted mean."""
    places, scores = np.array(values), np.arange(len(values), dtype=float)
    rows = by_range(places, scores)
    assert sum(row["n"] for row in rows) == len(values)
    assert sum(row["n"] * row["mean"] for row in rows) == pytest.approx(scores.sum())
    ends = [end for row in rows for end in (row["low"], row["high"])]
    assert ends == sorted(ends)
    assert all(a["high"] < b["low"] for a, b in itertools.pairwise(rows))
    assert len(rows) <= 2 * BINS + 1


def test_a_number_that_most_trials_share_has_a_range_of_its_own() -> None:
    """That of the prescription is not mixed with its neighbours."""
    random = np.random.default_rng(0)
    places = np.concatenate([np.full(40, 0.1), random.uniform(0, 1, 30)])
    rows = by_range(places, places)
    assert [row["n"] for row in rows if row["low"] == row["high"] == 0.1] == [40]


def test_few_numbers_are_told_one_by_one() -> None:
    """Layers, for instance."""
    layers = np.array([3.0, 1.0, 2.0, 3.0, 4.0])
    assert [(row["low"], row["high"]) for row in by_range(layers, layers)] == [
        (1, 1), (2, 2), (3, 3), (4, 4)
    ]  # fmt: skip
    assert range_codes(layers).tolist() == [2, 0, 1, 2, 3]
