"""Laws of the calibration errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.calibration import N_BINS, bins_of, calibration_error, reliability

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def test_error_by_hand():
    """Two bins: 0.9 and 0.95 said, half right; 0.5 said, right: 2/3 * 0.425 + 1/3 * 0.5."""
    proba, right = np.array([0.94, 0.96, 0.5]), np.array([True, False, True])
    error = calibration_error(proba, right, np.ones(3))
    assert error == pytest.approx((2 * abs(0.95 - 0.5) + abs(0.5 - 1)) / 3)


def test_weighted_error_by_hand():
    """The third example counts double: (0.9 + 2 * 0.5) / 4."""
    proba, right = np.array([0.94, 0.96, 0.5]), np.array([True, False, True])
    error = calibration_error(proba, right, np.array([1.0, 1.0, 2.0]))
    assert error == pytest.approx((1.9 - 1 + 2 * 0.5) / 4)


def test_gaps_cancel_only_within_a_bin():
    """Too sure and too unsure answers cancel in one bin, not across two."""
    right = np.array([True, False])
    assert calibration_error(np.array([0.5, 0.5]), right, np.ones(2)) == 0
    assert calibration_error(np.array([0.2, 0.8]), right, np.ones(2)) == pytest.approx(0.8)


def test_bins_have_equal_width_and_include_one():
    """Fifteen bins start at multiples of 1/15; the last one holds 1 as well."""
    middles = (np.arange(N_BINS) + 0.5) / N_BINS
    assert bins_of(middles).tolist() == list(range(N_BINS))
    assert bins_of(np.array([1.0]))[0] == N_BINS - 1


@given(proba=probabilities, seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_reliability_bins_make_up_the_error(proba, seed):
    """The error is the weighted mean of the bins' gaps, and weights and counts add up."""
    rng = np.random.default_rng(seed)
    values, right = np.array(proba), rng.random(len(proba)) < 0.5
    weights = rng.uniform(0.1, 1, len(proba))
    bins = reliability(values, right, weights)
    gaps = [
        b["weight"] * abs(b["confidence"] - b["accuracy"])
        for b in bins
        if b["confidence"] is not None and b["accuracy"] is not None
    ]
    assert sum(gaps) == pytest.approx(calibration_error(values, right, weights), abs=1e-12)
    assert sum(b["weight"] for b in bins) == pytest.approx(1)
    assert sum(b["n"] for b in bins) == len(proba)
    assert all((b["confidence"] is None) == (b["n"] == 0) for b in bins)


@given(proba=probabilities, seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_error_lies_between_mean_gap_and_one(proba, seed):
    """Bins can only add to the gap between mean confidence and accuracy."""
    values = np.array(proba)
    right = np.random.default_rng(seed).random(len(proba)) < 0.5
    error = calibration_error(values, right, np.ones(len(proba)))
    assert abs(values.mean() - right.mean()) - 1e-12 <= error <= 1
