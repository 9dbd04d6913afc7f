"""Laws of the intervals for calibration errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.calibration import calibration_error
from equipoise.metrics.calibration_intervals import _lift, calibration_interval


def even(n):
    return np.full(n, 1 / n)


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 3.0])
def test_noise_lifts_absolute_values_as_in_simulation(gap):
    """The lift is the mean of |gap + noise| less the gap."""
    noise = np.random.default_rng(0).normal(size=400_000)
    lift = _lift(np.array([gap]))[0]
    assert lift == pytest.approx(np.abs(gap + noise).mean() - gap, abs=0.005)


@given(proba=st.lists(st.floats(0, 1), min_size=1, max_size=60), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_interval_encloses_the_error(proba, seed):
    """The interval lies in [0, 1], encloses the error and has a width."""
    rng = np.random.default_rng(seed)
    values, right = np.array(proba), rng.random(len(proba)) < 0.5
    weights = rng.dirichlet(np.ones(len(proba)))
    error = calibration_error(values, right, weights)
    low, high = calibration_interval([(values, right)], weights, 0.95)
    assert 0 <= low <= error + 1e-12
    assert error <= high + 1e-12
    assert high <= 1
    assert high - low > 1e-3


def test_calibrated_predictions_may_have_no_error():
    """Noise alone never pushes the lower end far from 0."""
    rng = np.random.default_rng(1)
    for n in (30, 300, 3000):
        proba = rng.random(n)
        low, high = calibration_interval([(proba, rng.random(n) < proba)], even(n), 0.95)
        assert low < 0.01
        assert high > 0.01


def test_clear_error_excludes_zero():
    """Ninety per cent sure and half right is an error, and about 0.4."""
    proba, right = np.full(1000, 0.9), np.arange(1000) % 2 == 0
    low, high = calibration_interval([(proba, right)], even(1000), 0.95)
    assert 0.33 < low < 0.4 < high < 0.45


def test_random_size_of_a_wrong_bin_is_allowed_for():
    """Answers that are half sure and always right are an error whose amount is random."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        proba = np.where(rng.random(100) < 0.5, 0.5, 1.0)
        low, high = calibration_interval([(proba, np.ones(100) > 0)], even(100), 0.95)
        covered += low <= 0.25 <= high
    assert covered / 200 > 0.93


def test_several_events_are_averaged():
    """Two events that mirror each other have the interval of one, and its mean."""
    rng = np.random.default_rng(0)
    proba, right = rng.random(200), rng.random(200) < 0.7
    one = calibration_interval([(proba, right)], even(200), 0.95)
    two = calibration_interval([(proba, right), (1 - proba, ~right)], even(200), 0.95)
    assert two == pytest.approx(one, abs=0.01)
