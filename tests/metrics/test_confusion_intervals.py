"""Laws of the intervals for precision, F1 and macro F1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.confusion import class_scores
from equipoise.metrics.confusion_intervals import ConfusionIntervals
from equipoise.metrics.intervals import corrected_wilson, wilson


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
@settings(deadline=None, derandomize=True, max_examples=40)
def test_unweighted_precision_is_plain_wilson(table):
    """With the data's own shares, precision is a proportion of the examples predicted."""
    low, high = ConfusionIntervals(table, own_shares(table), 0.95).precision()
    predicted = table.sum(axis=0)
    used = predicted > 0
    value = (np.diag(table) / np.maximum(predicted, 1))[used]
    expected = wilson(value, predicted[used], 0.95)
    assert np.allclose((low[used], high[used]), expected)
    assert np.isnan(low[~used]).all()


@given(table=confusions())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_unweighted_f1_is_wilson_of_the_overlap(table):
    """With the data's own shares, F1 follows from right ones among the true or predicted."""
    low, high = ConfusionIntervals(table, own_shares(table), 0.95).f1()
    union = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    ends = corrected_wilson(np.diag(table) / union, union, 0.95)
    assert np.allclose((low, high), [2 * end / (1 + end) for end in ends])


@given(table=confusions(), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
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
@settings(deadline=None, derandomize=True, max_examples=40)
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
    rng, shares = np.random.default_rng(0), np.array([0.4, 0.3, 0.3])
    sizes, whole = np.array([12, 18, 16]), np.array([[60, 30, 10], [15, 70, 15], [10, 20, 70]])
    rows = [rng.multinomial(n, p / 100, 200_000) / n for n, p in zip(sizes, whole, strict=True)]
    found = f1_by_hand(np.stack(rows, axis=1), shares)
    # At so low a level hardly any examples are added to the rows: the expansion acts alone.
    exact = ConfusionIntervals(whole, shares, 1e-6)
    exact.counts = sizes
    correlation, bias = exact._expansion()
    assert np.allclose(correlation, np.corrcoef(found.T), atol=0.04)
    expected = (found - f1_by_hand(whole / 100, shares)).mean()
    assert expected < -0.001
    assert bias == pytest.approx(expected, rel=0.25)


def test_macro_f1_of_large_classes_gets_the_textbook_interval():
    """With large classes the interval spans 1.96 standard errors either way."""
    rng, n_classes = np.random.default_rng(0), 8
    rates = np.full((n_classes, n_classes), 0.1 / (n_classes - 1))
    np.fill_diagonal(rates, 0.9)
    shares = np.full(n_classes, 1 / n_classes)
    rows = [rng.multinomial(7000, row, 4000) / 7000 for row in rates]
    error = f1_by_hand(np.stack(rows, axis=1), shares).mean(axis=1).std()
    low, high = ConfusionIntervals(np.rint(rates * 7000).astype(int), shares, 0.95).macro_f1()
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def f1_by_hand(rates, shares):
    """Twice the share that is found, over the share that is there and the share predicted."""
    found = shares * np.diagonal(rates, axis1=-2, axis2=-1)
    return 2 * found / (shares + shares @ rates)
