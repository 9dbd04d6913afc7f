"""Laws of the intervals for one proportion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from equipoise.metrics.intervals import (
    clopper_pearson,
    corrected_wilson,
    normal_quantile,
    student_quantile,
    wilson,
)

counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(pair=counts, level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_wilson_agrees_with_scipy(pair, level):
    """Wilson's interval is the one of an independent library."""
    successes, size = pair
    expected = stats.binomtest(successes, size).proportion_ci(level, method="wilson")
    assert np.allclose(wilson(successes / size, size, level), expected, atol=1e-12)


@given(pair=counts)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_wilson_encloses_and_has_width(pair):
    """The interval lies in [0, 1], encloses the proportion and is never of zero width."""
    successes, size = pair
    low, high = wilson(successes / size, size, 0.95)
    assert 0 <= low <= successes / size <= high <= 1
    assert high - low > 1.9 / (size + 4)


def test_wilson_takes_effective_sizes():
    """A size need not be whole, and half of the size gives a wider interval."""
    narrow, wide = wilson(0.7, 5.0, 0.95), wilson(0.7, 2.5, 0.95)
    assert wide[0] < narrow[0] < 0.7 < narrow[1] < wide[1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10, 50])
def test_corrected_wilson_keeps_its_level_for_every_proportion(size):
    """Over all true proportions the chance to miss stays at 5 %, give or take 1.5 %."""
    successes = np.arange(size + 1)
    low, high = corrected_wilson(successes / size, size, 0.95)
    for truth in np.linspace(0.005, 0.995, 199):
        missed = (truth < low) | (truth > high)
        assert stats.binom.pmf(successes, size, truth)[missed].sum() < 0.065


def test_correction_vanishes_in_large_samples():
    """The corrected interval is wider, and the difference fades with the size."""
    for size, most in ((10, 0.1), (1000, 0.001)):
        plain, corrected = wilson(0.8, size, 0.95), corrected_wilson(0.8, size, 0.95)
        assert 0 < plain[0] - corrected[0] < most
        assert 0 < corrected[1] - plain[1] < most


def test_undefined_stays_undefined():
    """A proportion that is not known has no interval."""
    assert np.isnan(wilson(np.nan, 3, 0.95)).all()


@given(pair=counts, tail=st.sampled_from([0.1, 0.025, 1e-4]))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_clopper_pearson_agrees_with_beta_quantiles(pair, tail):
    """Exact bounds are quantiles of beta distributions."""
    successes, size = pair
    low, high = clopper_pearson(np.array([successes]), np.array([size]), (tail, tail / 2))
    expected_low = stats.beta.ppf(tail, successes, size - successes + 1) if successes else 0
    expected_high = (
        stats.beta.isf(tail / 2, successes + 1, size - successes) if successes < size else 1
    )
    assert np.allclose([low[0], high[0]], [expected_low, expected_high], atol=1e-9)


def test_clopper_pearson_serves_large_classes():
    """Bounds stay right where factorials no longer fit into a float."""
    _, high = clopper_pearson(np.array([400]), np.array([50_000]), (0.025, 0.025))
    assert high[0] == pytest.approx(stats.beta.isf(0.025, 401, 49_600), rel=1e-6)


@pytest.mark.parametrize("freedom", [4, 5, 10, 100, 1e6])
def test_student_quantile_agrees_with_scipy(freedom):
    """The expansion is right to 0.3 % from four degrees of freedom on."""
    expected = stats.t.isf(0.025, freedom)
    assert student_quantile(0.95, freedom) == pytest.approx(expected, rel=3e-3)


def test_normal_quantile_is_two_sided():
    """Ninety-five per cent of a standard normal variable lies within 1.96."""
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
