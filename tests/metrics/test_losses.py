"""Laws of log-loss, Brier score and their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from equipoise.metrics.losses import Losses, brier_scores, log_losses, loss_interval
from equipoise.metrics.sample import log_softmax


@given(seed=st.integers(0, 999), n_classes=st.integers(2, 6))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_means_agree_with_scikit_learn(seed, n_classes):
    """The mean losses are scikit-learn's, where its Brier score is not halved."""
    rng = np.random.default_rng(seed)
    log_proba = log_softmax(rng.normal(0, 3, (30, n_classes)))
    codes, every = rng.integers(0, n_classes, 30), list(range(n_classes))
    proba = np.exp(log_proba)
    assert log_losses(log_proba, codes).values.mean() == pytest.approx(
        reference.log_loss(codes, proba, labels=every)
    )
    expected = reference.brier_score_loss(codes, proba, labels=every, scale_by_half=False)
    assert brier_scores(log_proba, codes).values.mean() == pytest.approx(expected)


def test_losses_by_hand():
    """The usual right answer is the first of the classes, the usual mistake the second."""
    log_proba, codes = np.log(np.array([[0.5, 0.3, 0.2]])), np.array([0])
    losses, scores = log_losses(log_proba, codes), brier_scores(log_proba, codes)
    assert losses.values[0] == pytest.approx(np.log(2))
    assert losses[1:] == pytest.approx((-np.log(0.5), -np.log(0.3), -2 * np.log(0.3)))
    assert scores.values[0] == pytest.approx(0.25 + 0.09 + 0.04)
    assert scores[1:] == pytest.approx((0.38, 0.25 + 0.49 + 0.04, 2))


@given(seed=st.integers(0, 999))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_interval_encloses_the_mean(seed):
    """The interval encloses the weighted mean, starts at 0 or above and has a width."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(4), rng.integers(0, 4, rng.integers(0, 60))])
    losses = Losses(rng.exponential(1, len(codes)) ** 2, 0.1, 2.0, 40.0)
    weights = rng.dirichlet(np.ones(4))
    low, high = loss_interval(losses, codes, weights, 0.95)
    mean = weights @ (np.bincount(codes, losses.values) / np.bincount(codes))
    assert 0 <= low <= mean <= high
    assert high - low > 0.01


def test_many_losses_get_the_textbook_interval():
    """With large classes the mean is normal, with the variances of the classes added."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 5000)
    values = rng.gamma(2.0, 1 + codes)
    low, high = loss_interval(Losses(values, 1.0, 3.0, 40.0), codes, np.array([0.5, 0.5]), 0.95)
    parts = [values[codes == k] for k in (0, 1)]
    half = 1.96 * np.sqrt(sum(part.var() / 5000 for part in parts)) / 2
    mean = np.mean([part.mean() for part in parts])
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.05 * half)


def test_losses_without_spread_still_have_an_interval():
    """Three certain and right answers do not prove that no mistake is possible."""
    log_proba = log_softmax(np.array([[20.0, 0.0], [20.0, 0.0], [0.0, 20.0]]))
    losses = log_losses(log_proba, np.array([0, 0, 1]))
    low, high = loss_interval(losses, np.array([0, 0, 1]), np.array([0.5, 0.5]), 0.95)
    assert low < 1e-6
    assert high > 1


def test_more_examples_narrow_the_interval():
    """A hundred times the data makes the interval at least five times narrower."""
    codes, values = np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.5, 1, 0.2, 0.3, 2])
    weights = np.array([0.5, 0.5])
    few = loss_interval(Losses(values, 0.1, 1.0, 5.0), codes, weights, 0.95)
    many = loss_interval(
        Losses(np.tile(values, 100), 0.1, 1.0, 5.0), np.tile(codes, 100), weights, 0.95
    )
    assert np.ptp(many) < np.ptp(few) / 5


def test_absent_class_has_no_part():
    """A class without examples, which has no weight, does not change the interval."""
    codes, losses = np.array([0, 0, 1]), Losses(np.array([0.1, 0.2, 0.9]), 0.1, 1.0, 5.0)
    two = loss_interval(losses, codes, np.array([0.5, 0.5]), 0.95)
    assert loss_interval(losses, codes, np.array([0.5, 0.5, 0.0]), 0.95) == pytest.approx(two)


def test_small_class_borrows_spread_from_the_others():
    """Three equal losses are doubted more where the losses of other classes vary."""
    codes, widths = np.array([0] * 3 + [1] * 50), []
    for spread in (0.0, 1.0):
        values = np.concatenate([np.full(3, 1.0), 1 + spread * np.resize([-1, 1], 50)])
        losses = Losses(values, 0.9, 1.1, 4.0)
        widths.append(np.ptp(loss_interval(losses, codes, np.array([1.0, 0.0]), 0.95)))
    assert widths[1] > 3 * widths[0]


def test_constant_answers_have_a_certain_loss():
    """Equal logits cost log 2, whatever the truth, and no interval is needed around it."""
    losses = log_losses(np.full((4, 2), -np.log(2)), np.array([0, 1, 1, 1]))
    ends = loss_interval(losses, np.array([0, 1, 1, 1]), np.array([0.5, 0.5]), 0.95)
    assert ends == pytest.approx((np.log(2), np.log(2)), abs=1e-4)
