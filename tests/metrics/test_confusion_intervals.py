"""Laws of the intervals for precision, F1 and macro F1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.confusion import class_scores
from equipoise.metrics.confusion_intervals import ConfusionIntervals
from equipoise.metrics.intervals import wilson


@st.composite
def confusions(draw):
    """Tables of 1 to 5 classes in which every class has examples."""
    n_classes = draw(st.integers(1, 5))
    cells = st.lists(st.integers(0, 20), min_size=n_classes**2, max_size=n_classes**2)
    table = np.array(draw(cells)).reshape(n_classes, n_classes)
    return table + np.diag(table.sum(axis=1) == 0)


def own_shares(table):
    return table.sum(axis=1) / table.sum()


@given(table=confusions())
@settings(deadline=None, derandomize=True)
def test_unweighted_precision_is_plain_wilson(table):
    """With the data's own shares, precision is a proportion of the examples predicted."""
    low, high = ConfusionIntervals(table, own_shares(table), 0.95).precision()
    predicted = table.sum(axis=0)
    used = predicted > 0
    expected = wilson((np.diag(table) / np.maximum(predicted, 1))[used], predicted[used], 0.95)
    assert np.allclose((low[used], high[used]), expected)
    assert np.isnan(low[~used]).all()


@given(table=confusions())
@settings(deadline=None, derandomize=True)
def test_unweighted_f1_is_wilson_of_the_overlap(table):
    """With the data's own shares, F1 follows from right ones among the true or predicted."""
    low, high = ConfusionIntervals(table, own_shares(table), 0.95).f1()
    union = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    ends = wilson(np.diag(table) / union, union, 0.95)
    assert np.allclose((low, high), [2 * end / (1 + end) for end in ends])


@given(table=confusions(), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True)
def test_weighted_intervals_enclose_their_values(table, seed):
    """Whatever the class shares, the intervals enclose the values and have a width."""
    shares = np.random.default_rng(seed).uniform(0.01, 1, len(table))
    shares /= shares.sum()
    intervals, scores = ConfusionIntervals(table, shares, 0.95), class_scores(table, shares)
    for value, (low, high) in (
        (scores.precision, intervals.precision()),
        (scores.f1, intervals.f1()),
        (np.array([scores.f1.mean()]), np.array(intervals.macro_f1())[:, None]),
    ):
        known = ~np.isnan(value)
        assert (low[known] <= value[known] + 1e-9).all()
        assert (high[known] >= value[known] - 1e-9).all()
        assert (high[known] - low[known] > 1e-4).all()


@given(table=confusions(), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True)
def test_order_of_classes_does_not_matter(table, seed):
    """Renaming the classes renames the intervals."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(table)) * 5)
    order = rng.permutation(len(table))
    first = ConfusionIntervals(table, shares, 0.95)
    second = ConfusionIntervals(table[np.ix_(order, order)], shares[order], 0.95)
    assert np.allclose(np.array(first.f1())[:, order], second.f1())
    assert np.allclose(first.macro_f1(), second.macro_f1())


def test_unseen_confusion_of_a_heavy_class_is_allowed_for():
    """Two examples that stand for half of the population leave the other's precision open."""
    table = np.array([[1000, 0], [0, 2]])
    light = ConfusionIntervals(table, own_shares(table), 0.95).precision()[0][0]
    heavy = ConfusionIntervals(table, np.array([0.5, 0.5]), 0.95).precision()[0][0]
    assert light > 0.99
    assert heavy < 0.6


def test_predictions_outside_the_matrix_count_as_mistakes():
    """Row sizes may exceed row sums when some predictions name a class without examples."""
    inside = ConfusionIntervals(np.array([[5]]), np.ones(1), 0.95)
    outside = ConfusionIntervals(np.array([[5]]), np.ones(1), 0.95, np.array([10]))
    assert outside.f1()[0][0] < inside.f1()[0][0]
    assert outside.f1()[1][0] < 1


def test_correlation_and_bias_agree_with_simulation():
    """The expansion of F1 tells how the F1 of the classes vary together, and their bias."""
    rng, sizes = np.random.default_rng(0), np.array([15, 30, 25])
    rates = np.array([[0.6, 0.3, 0.1], [0.15, 0.7, 0.15], [0.1, 0.2, 0.7]])
    shares = np.array([0.5, 0.2, 0.3])
    draws = np.stack([rng.multinomial(n, p, 20_000) for n, p in zip(sizes, rates, strict=True)], 1)
    found = np.array([class_scores(table, shares).f1 for table in draws[:4000]])
    true = class_scores(rates * 1000, shares).f1
    # A low level adds hardly any examples to the rows, so that nothing but the expansion acts.
    exact = ConfusionIntervals(np.rint(rates * 1000).astype(int), shares, 1e-6)
    exact.counts = sizes
    correlation, bias = exact._expansion()
    assert np.allclose(correlation, np.corrcoef(found.T), atol=0.05)
    assert bias == pytest.approx((found - true).mean(), abs=0.002)
    assert bias < -0.001
