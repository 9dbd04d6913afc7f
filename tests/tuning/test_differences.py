"""Laws of differences: noise that two recipes share is none, and errors are those of resampling."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from equipoise.selection import MONITORS
from equipoise.tuning.differences import (
    ALIKE,
    RESAMPLED,
    RESAMPLES,
    SCREENED,
    difference,
    is_alike,
)
from equipoise.tuning.scores import HeldOut

COUNTS = (120, 60, 35)


def _held(seed: int, strength: float, counts: tuple[int, ...] = COUNTS) -> HeldOut:
    """Return noisy predictions: the noise is half shared by all recipes, half of this one."""
    codes = np.repeat(np.arange(len(counts)), counts)
    shape = (len(codes), len(counts))
    shared = np.random.default_rng(0).normal(size=shape)
    logits = shared + np.random.default_rng(seed).normal(size=shape)
    logits[np.arange(len(codes)), codes] += strength
    return HeldOut(np.arange(len(codes)), codes, logits)


FIRST, SECOND = _held(1, 2.0), _held(2, 1.5)


@pytest.mark.parametrize("metric", MONITORS)
def test_a_difference_is_that_of_the_scores_with_the_better_one_above(metric: str) -> None:
    """It is above 0 if the first is better, turns with its arguments, and is 0 for itself."""
    found, error = difference(FIRST, SECOND, metric)
    sign = -1 if metric.endswith("loss") else 1
    scores = [held.scores()[metric] for held in (FIRST, SECOND)]
    assert found == pytest.approx(sign * (scores[0] - scores[1]))
    assert found > 0
    assert error > 0
    turned = difference(SECOND, FIRST, metric)
    # Resamples are drawn pair by pair of predictions, and so in another order.
    rel = 0.1 if metric in RESAMPLED else 1e-6
    assert turned == (pytest.approx(-found), pytest.approx(error, rel=rel))
    assert difference(FIRST, FIRST, metric) == (0, 0)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_error_of_a_mean_is_that_of_paired_differences(metric: str) -> None:
    """Closed form: the deviation of the differences over the root of their number."""
    place = np.arange(len(FIRST.codes)), FIRST.codes
    if metric == "accuracy":
        each = [np.equal(h.logits.argmax(axis=1), h.codes).astype(float) for h in (FIRST, SECOND)]
    else:
        each = [log_softmax(h.logits, axis=1)[place] for h in (FIRST, SECOND)]
    d = each[0] - each[1]
    expected = np.sqrt(((d - d.mean()) ** 2).sum() / (len(d) - 1) / len(d))
    assert difference(FIRST, SECOND, metric)[1] == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "balanced_log_loss", *RESAMPLED])
def test_the_error_where_classes_count_alike_is_that_of_a_bootstrap(metric: str) -> None:
    """Held-out examples drawn anew within each class move the difference by as much."""
    random = np.random.default_rng(0)
    groups = [np.flatnonzero(FIRST.codes == code) for code in range(len(COUNTS))]
    found = []
    for _ in range(600):
        rows = np.concatenate([random.choice(group, len(group)) for group in groups])
        drawn = (HeldOut(h.rows[rows], h.codes[rows], h.logits[rows]) for h in (FIRST, SECOND))
        values = [held.scores()[metric] for held in drawn]
        found.append(values[0] - values[1])
    assert difference(FIRST, SECOND, metric)[1] == pytest.approx(np.std(found), rel=0.1)


def test_noise_that_is_shared_drops_out() -> None:
    """Two recipes that are wrong about the same examples differ with little error."""
    alike = HeldOut(FIRST.rows, FIRST.codes, FIRST.logits + 0.01 * SECOND.logits)
    small = difference(FIRST, alike, "balanced_log_loss")[1]
    assert small < 0.1 * difference(FIRST, SECOND, "balanced_log_loss")[1]


def test_an_error_is_the_same_each_time() -> None:
    """Resamples follow from a seed of their own, not from what was drawn before."""
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 (the state that it must not depend on)
        found.append(difference(FIRST, SECOND, "macro_f1"))
    assert found[0] == found[1]


def _right(hits: list[int], codes: list[int]) -> HeldOut:
    """Return predictions that are right where there is a 1."""
    predicted = [code if hit else 1 - code for hit, code in zip(hits, codes, strict=True)]
    return HeldOut(np.arange(len(codes)), np.array(codes), np.eye(2)[predicted])


def test_a_class_of_few_examples_counts_with_the_largest_known_deviation() -> None:
    """Worked by hand: four examples that all agree by chance are not known to agree."""
    codes = [0] * 8 + [1] * 4
    better, other = _right([1] * 12, codes), _right([1] * 4 + [0] * 4 + [1] * 4, codes)
    # Of the first class four of eight differ, squares sum to 2 over 7; the second takes that over.
    expected = np.sqrt(2 / 7 / 8 + 2 / 7 / 4) / 2
    assert difference(better, other, "balanced_accuracy")[1] == pytest.approx(expected)


def test_a_class_of_one_example_counts_with_the_pooled_deviation() -> None:
    """Worked by hand: four of one class and one of the other; without it, it would seem sure."""
    codes = [0, 0, 0, 0, 1]
    better, other = _right([1, 1, 1, 1, 1], codes), _right([1, 1, 1, 0, 0], codes)
    # Differences 0, 0, 0, 1 and 1: squares about the means of the classes sum to 3/4 and 0, over
    # 5 - 2 degrees of freedom that is a pooled variance of 1/4, and of the first class 3/4 / 3.
    expected = np.sqrt(0.25 / 4 + 0.25 / 1) / 2
    found = difference(better, other, "balanced_accuracy")
    assert found == (pytest.approx((0.25 + 1) / 2), pytest.approx(expected))


@pytest.mark.parametrize("metric", MONITORS)
def test_without_two_examples_alike_nothing_is_sure(metric: str) -> None:
    """The error is infinite, no number that is none, and any two recipes count as alike."""
    codes = [0] if metric in ALIKE else [0, 1]
    better, other = _right([1, 1][: len(codes)], codes), _right([0, 0][: len(codes)], codes)
    found, error = difference(better, other, metric)
    assert found > 0
    assert error == math.inf
    assert is_alike(better, other, metric)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(sorted(MONITORS)))
def test_more_examples_make_it_surer(seed: int, metric: str) -> None:
    """Each example four times halves the error, up to the degrees of freedom and of kinks."""
    first, second = _held(seed, 1.0, (30, 20, 10)), _held(seed + 1, 1.0, (30, 20, 10))
    rows = np.tile(np.arange(60), 4)
    many = [HeldOut(np.arange(240), h.codes[rows], h.logits[rows]) for h in (first, second)]
    once, often = difference(first, second, metric)[1], difference(many[0], many[1], metric)[1]
    if metric in RESAMPLED:
        assert 0 < often < once
    else:
        assert often == pytest.approx(once / 2, rel=0.06)


@pytest.mark.parametrize("metric", MONITORS)
def test_recipes_are_alike_within_one_standard_error(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the difference says; of one that is far behind not all resamples are drawn."""
    drawn = []

    def counted(better: HeldOut, other: HeldOut, name: str, resamples: int = RESAMPLES) -> Any:
        drawn.append(resamples)
        return difference(better, other, name, resamples)

    monkeypatch.setattr("equipoise.tuning.differences.difference", counted)
    for strength in (0.2, 1.0, 1.6, 1.9, 2.0):
        other = _held(3, strength)
        behind, error = difference(FIRST, other, metric)
        drawn.clear()
        assert is_alike(FIRST, other, metric) == (behind <= error)
        if metric not in RESAMPLED or behind < 1.5 * error:
            assert RESAMPLES in drawn
        elif behind > 3 * error:
            assert drawn == [SCREENED]
