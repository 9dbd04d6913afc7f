"""Laws of scores: what a recipe is worth on held-out examples, and how sure that is."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from equipoise.selection import MONITORS
from equipoise.tuning.scores import (
    HeldOut,
    choose_metric,
    gain,
)

CODES = np.repeat([0, 1, 2], (120, 60, 35))
LOGITS = np.random.default_rng(0).normal(size=(len(CODES), 3)) + 1.5 * np.eye(3)[CODES]
HELD = HeldOut(np.arange(len(CODES)), CODES, LOGITS)


def _by_hand(held: HeldOut) -> dict[str, float]:
    """Return scores by scikit-learn and from the definitions."""
    predicted = held.logits.argmax(axis=1)
    hits = predicted == held.codes
    recalls = np.array([hits[held.codes == code].mean() for code in np.unique(held.codes)])
    losses = -log_softmax(held.logits, axis=1)[np.arange(len(held.codes)), held.codes]
    return {
        "accuracy": float(accuracy_score(held.codes, predicted)),
        "balanced_accuracy": float(balanced_accuracy_score(held.codes, predicted)),
        "worst_class_recall": recalls.min(),
        "g_mean": recalls.prod() ** (1 / len(recalls)),
        "log_loss": float(log_loss(held.codes, np.exp(log_softmax(held.logits, axis=1)))),
        "balanced_log_loss": float(
            np.mean([losses[held.codes == code].mean() for code in np.unique(held.codes)])
        ),
    }


def test_scores_are_those_of_scikit_learn() -> None:
    """Every metric that a search can have is among them."""
    found = HELD.scores()
    assert set(MONITORS) <= set(found)
    for name, value in _by_hand(HELD).items():
        assert found[name] == pytest.approx(value), name


def test_the_metric_follows_from_how_many_rare_examples_there_are() -> None:
    """From fifty on recall is fine enough; below, the reason tells its steps."""
    assert [choose_metric(np.array([10**6, n]))[0] for n in (1, 49, 50, 10**6)] == [
        *["balanced_log_loss"] * 2,
        *["balanced_accuracy"] * 2,
    ]
    assert "steps of 20 points" in choose_metric(np.array([90, 5]))[1]


def test_a_class_that_is_not_held_out_decides_no_metric() -> None:
    """Nothing can be known of it; the reason speaks of the rarest of the others."""
    metric, reason = choose_metric(np.array([0, 900, 4]))
    assert metric == "balanced_log_loss"
    assert "with 4 held-out examples of the rarest class of which any is held out" in reason
    assert "steps of 25 points" in reason
    assert choose_metric(np.array([0, 900, 60]))[0] == "balanced_accuracy"


def test_joined_predictions_are_in_the_order_of_the_rows() -> None:
    """However they were divided, scores are those of all examples."""
    order = np.random.default_rng(3).permutation(len(HELD.rows))
    parts = [
        HeldOut(HELD.rows[cut], HELD.codes[cut], HELD.logits[cut])
        for cut in np.array_split(order, 4)
    ]
    joined = HeldOut.join(parts)
    assert np.array_equal(joined.rows, HELD.rows)
    assert np.array_equal(joined.codes, HELD.codes)
    assert np.array_equal(joined.logits, HELD.logits)


def test_gain_is_higher_for_what_is_better() -> None:
    """Losses change their sign, shares do not."""
    assert {metric: gain(0.25, metric) for metric in MONITORS} == {
        metric: -0.25 if metric.endswith("loss") else 0.25 for metric in MONITORS
    }
