"""Laws of the intervals for mean, geometric mean and minimum over classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.aggregates import (
    geometric_mean_interval,
    mean_interval,
    minimum_interval,
)
from equipoise.metrics.intervals import clopper_pearson, corrected_wilson

counts = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
tables = st.lists(counts, min_size=1, max_size=12).map(lambda pairs: np.array(pairs).T)


def even(sizes):
    return np.full(len(sizes), 1 / len(sizes))


@given(table=tables)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_intervals_enclose_their_values(table):
    """Every interval lies in [0, 1], encloses its value and has a width."""
    successes, sizes = table
    recalls = successes / sizes
    with np.errstate(divide="ignore"):
        geometric = np.exp(np.log(recalls).mean())
    for value, (low, high) in (
        (recalls.mean(), mean_interval(recalls, sizes, even(sizes), 0.95)),
        (geometric, geometric_mean_interval(successes, sizes, 0.95)),
        (recalls.min(), minimum_interval(successes, sizes, 0.95)),
    ):
        assert -1e-12 <= low <= value + 1e-12
        assert value - 1e-12 <= high <= 1 + 1e-12
        assert high - low > 0.005


@given(table=tables, seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_order_of_classes_does_not_matter(table, seed):
    """Intervals stay the same when the classes change places."""
    successes, sizes = table
    order = np.random.default_rng(seed).permutation(len(sizes))
    for interval in (
        lambda k, n: mean_interval(k / n, n, even(n), 0.9),
        lambda k, n: geometric_mean_interval(k, n, 0.9),
        lambda k, n: minimum_interval(k, n, 0.9),
    ):
        assert np.allclose(interval(successes, sizes), interval(successes[order], sizes[order]))


@pytest.mark.parametrize(("successes", "size"), [(0, 1), (2, 2), (3, 10), (950, 1000)])
def test_mean_of_one_class_is_that_class(successes, size):
    """With one class the mean has Wilson's interval with continuity correction."""
    value, sizes = np.array([successes / size]), np.array([size])
    expected = corrected_wilson(value[0], size, 0.95)
    assert np.allclose(mean_interval(value, sizes, np.ones(1), 0.95), expected)


def test_many_large_classes_get_the_textbook_interval():
    """With many large classes the mean is normal, with the variances of the classes added."""
    rates, sizes = np.linspace(0.3, 0.9, 50), np.full(50, 2000)
    low, high = mean_interval(rates, sizes, even(sizes), 0.95)
    half = 1.959964 * np.sqrt((rates * (1 - rates) / 2000).sum()) / 50
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.1 * half)


def test_correlated_classes_are_less_certain():
    """With fully correlated errors the mean is as uncertain as the classes; else less so."""
    rates, sizes = np.array([0.7, 0.8]), np.array([20, 20])
    bounds = [np.mean(ends) for ends in corrected_wilson(rates, sizes, 0.95)]
    tied = mean_interval(rates, sizes, even(sizes), 0.95, np.ones((2, 2)))
    free = mean_interval(rates, sizes, even(sizes), 0.95)
    assert np.allclose(tied, bounds, atol=1e-9)
    assert tied[0] < free[0] < free[1] < tied[1]


def test_known_bias_moves_the_interval_to_the_other_side():
    """A mean that is known to come out too large has its truth further down."""
    rates, sizes = np.full(60, 0.6), np.full(60, 5)
    plain = mean_interval(rates, sizes, even(sizes), 0.95)
    moved = mean_interval(rates, sizes, even(sizes), 0.95, bias=0.05)
    assert moved[0] < plain[0]
    assert moved[1] <= plain[1]


def test_mean_stays_within_what_the_classes_allow():
    """The ends of the mean never lie beyond the mean of the ends of the classes."""
    for rates in (np.array([0.5, 1.0]), np.array([0.5, 0.0])):
        sizes = np.array([1000, 2])
        low, high = mean_interval(rates, sizes, even(sizes), 0.95)
        own_low, own_high = corrected_wilson(rates, sizes, 0.95)
        assert own_low.mean() <= low < high <= own_high.mean()
        assert low == own_low.mean() or high == own_high.mean()


def test_small_classes_make_wide_intervals():
    """Two examples a class say less than a hundred, also when all are right."""
    for interval in (
        lambda n: mean_interval(n / n, n, even(n), 0.95),
        lambda n: geometric_mean_interval(n, n, 0.95),
        lambda n: minimum_interval(n, n, 0.95),
    ):
        few, many = interval(np.full(10, 2)), interval(np.full(10, 100))
        assert few[0] < many[0] - 0.05
        assert few[1] == pytest.approx(1)
        assert many[1] == pytest.approx(1)


def test_lost_class_does_not_settle_the_geometric_mean():
    """No success of two leaves the true geometric mean anywhere up to a usual one."""
    low, high = geometric_mean_interval(np.array([0, 90, 90]), np.array([2, 100, 100]), 0.95)
    assert low == 0
    assert 0.6 < high < 0.95
    certain = geometric_mean_interval(np.array([0, 90, 90]), np.array([200, 100, 100]), 0.95)
    assert certain[1] < high / 2


def test_minimum_is_bounded_by_the_exact_bounds():
    """Below: the smallest one-sided bound; above: the smallest one that holds for all classes."""
    successes, sizes = np.array([3, 9, 80]), np.array([4, 10, 100])
    low, high = minimum_interval(successes, sizes, 0.95)
    expected_low = clopper_pearson(successes, sizes, (0.025, 0.5))[0].min()
    expected_high = clopper_pearson(successes, sizes, (0.5, 1 - 0.975 ** (1 / 3)))[1].min()
    assert (low, high) == pytest.approx((expected_low, expected_high), abs=1e-9)
