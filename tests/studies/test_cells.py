"""Laws of what is read from the cells of a study."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from equipoise.statistics.paired import Predictions
from equipoise.studies.cells import recall_of_groups, shares_of_ratio

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


@pytest.mark.parametrize("ratio", [1.0, 7.0, 100.0])
def test_shares_have_their_ratio_and_order(ratio: float) -> None:
    """They sum to one; a ratio below one turns the order around."""
    order = [3, 1, 2, 0]
    shares = shares_of_ratio(order, ratio)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() / shares.min() == pytest.approx(ratio)
    assert ratio == 1 or np.array_equal(np.argsort(-shares), order)
    assert shares_of_ratio(order, 1 / ratio) == pytest.approx(shares_of_ratio(order[::-1], ratio))
