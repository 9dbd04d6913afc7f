"""Laws of scores as sums over examples."""

import numpy as np
import pytest
from sklearn import metrics

from equipoise.metrics import log_softmax
from equipoise.selection import validation_scores
from equipoise.statistics.scores import METRICS, contributions


def _world(n=400, k=5, seed=0):
    random = np.random.default_rng(seed)
    codes = random.choice(k, n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
    return random.normal(size=(n, k)) + 1.5 * np.eye(k)[codes], codes


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "recall"])
def test_scores_are_those_that_choose_the_epoch(metric):
    """Also where a class has no example, and another is never predicted."""
    logits, codes = _world()
    logits, codes = logits[codes != 2], codes[codes != 2]
    logits[:, 4] = -50
    found = contributions(logits, codes, metric).score
    assert found == pytest.approx(validation_scores(logits, codes)[metric])


def test_recall_is_the_mean_over_the_group():
    """Classes outside the group do not count."""
    logits, codes = _world()
    each = metrics.recall_score(codes, logits.argmax(axis=1), average=None)
    found = contributions(logits, codes, "recall", np.array([0, 3]))
    assert found.score == pytest.approx(each[[0, 3]].mean())
    assert found.score == pytest.approx(float(found.weights @ found.values))


def test_macro_f1_changes_as_its_first_order_says():
    """An example counted a little more moves macro-F1 by its value, apart from its own class's."""
    logits, codes = _world()
    found = contributions(logits, codes, "macro_f1")
    step = 1e-5
    for one, place in ((0, 1), (5, 9), (20, 33)):
        # Within a class, weight moves from one example to another, as in a resample.
        members = np.flatnonzero(codes == codes[one])
        other = members[place % len(members)]
        weights = np.ones(len(codes))
        weights[one] += step
        weights[other] -= step
        moved = metrics.f1_score(
            codes, logits.argmax(axis=1), average="macro", sample_weight=weights
        )
        parts = found.weights * found.values
        expected = (parts[one] - parts[other]) * step
        assert moved - found.score == pytest.approx(expected, rel=1e-3, abs=1e-10)


def test_log_loss_values_are_nats():
    """The value of an example is minus the logarithm of its class's probability."""
    logits, codes = _world(20)
    found = contributions(logits, codes, "balanced_log_loss")
    assert found.values == pytest.approx(-log_softmax(logits)[np.arange(20), codes])
