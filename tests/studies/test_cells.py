"""Laws of what is read from the cells of a study."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from equipoise.metrics import log_softmax
from equipoise.statistics.paired import Predictions
from equipoise.studies.cells import accuracy_under, recall_of_groups, shares_of_ratio

RANDOM = np.random.default_rng(1)
CODES = RANDOM.integers(0, 4, 400)
LOGITS = RANDOM.normal(size=(400, 4)) + 2 * np.eye(4)[CODES]
OWN = Predictions(codes=CODES, logits=LOGITS)
PREDICTED = LOGITS.argmax(axis=1)


def test_recall_of_groups_is_that_of_scikit_learn() -> None:
    """Of all classes, and of those with many, some and few training examples."""
    found = recall_of_groups(OWN, np.array([500, 300, 50, 5]))
    recall = recall_score(CODES, PREDICTED, average=None)
    assert found["all"] == pytest.approx(balanced_accuracy_score(CODES, PREDICTED))
    assert found["many"] == pytest.approx(recall[:2].mean())
    assert found["medium"] == pytest.approx(recall[2])
    assert found["few"] == pytest.approx(recall[3])


def test_accuracy_elsewhere_is_that_of_reweighted_examples() -> None:
    """Each class weighs as much as it is frequent there."""
    shares = np.array([0.7, 0.2, 0.06, 0.04])
    weights = (shares / np.bincount(CODES))[CODES]
    expected = accuracy_score(CODES, PREDICTED, sample_weight=weights)
    assert accuracy_under(OWN, shares) == pytest.approx(expected)


def test_correction_to_a_place_is_bayes_rule() -> None:
    """Probabilities times the ratio of frequencies, written out."""
    shares, own = np.array([0.7, 0.2, 0.06, 0.04]), np.array([0.1, 0.2, 0.3, 0.4])
    proba = np.exp(log_softmax(LOGITS)) * shares / own
    right = proba.argmax(axis=1) == CODES
    expected = np.average(right, weights=(shares / np.bincount(CODES))[CODES])
    assert accuracy_under(OWN, shares, own=own) == pytest.approx(expected)


@pytest.mark.parametrize("ratio", [1.0, 7.0, 100.0])
def test_shares_have_their_ratio_and_order(ratio: float) -> None:
    """They sum to one; a ratio below one turns the order around."""
    counts = [5, 500, 50, 5000]
    shares = shares_of_ratio(counts, ratio)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() / shares.min() == pytest.approx(ratio)
    assert ratio == 1 or np.array_equal(np.argsort(shares), np.argsort(counts))
    assert shares_of_ratio(counts, 1 / ratio) == pytest.approx(_turned(shares, counts))


def _turned(shares: np.ndarray, counts: list[int]) -> np.ndarray:
    order = np.argsort(counts)
    turned = np.empty_like(shares)
    turned[order] = shares[order[::-1]]
    return turned
