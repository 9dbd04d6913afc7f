"""Laws of the ranking metrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from equipoise.metrics.ranking import Ranking, auroc, average_precision


@st.composite
def rankings(draw):
    """Few distinct scores, so that ties are common; both kinds of examples."""
    n = draw(st.integers(2, 40))
    scores = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    positive = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    positive[0], positive[-1] = True, False
    weights = draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=n, max_size=n))
    return np.array(scores, dtype=float), np.array(positive), np.array(weights)


@given(case=rankings())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_areas_agree_with_scikit_learn(case):
    """Ties and weights are treated as scikit-learn does."""
    scores, positive, weights = case
    assert auroc(scores, positive, weights) == pytest.approx(
        reference.roc_auc_score(positive, scores, sample_weight=weights)
    )
    assert average_precision(scores, positive, weights) == pytest.approx(
        reference.average_precision_score(positive, scores, sample_weight=weights)
    )


@given(case=rankings())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_weight_of_two_is_being_there_twice(case):
    """A whole weight repeats the example, and weight 0 leaves it out."""
    scores, positive, _ = case
    times = np.arange(len(scores)) % 3
    times[[0, -1]] = 1
    area = Ranking(scores, positive).areas(times[:, None].astype(float))
    repeated = np.repeat(scores, times), np.repeat(positive, times)
    assert area[0][0] == pytest.approx(auroc(*repeated))
    assert area[1][0] == pytest.approx(average_precision(*repeated))


@given(case=rankings())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_only_the_order_of_scores_counts(case):
    """A growing function of the scores changes nothing; reversing them mirrors AUROC."""
    scores, positive, _ = case
    assert auroc(np.exp(scores), positive) == pytest.approx(auroc(scores, positive))
    assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive))


def test_columns_are_separate_weightings():
    """Each column of weights gives what it gives alone, also in single precision."""
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 30, 200).astype(float), rng.random(200) < 0.2
    weights = rng.integers(0, 4, (200, 6)).astype(np.float32)
    together = Ranking(scores, positive).areas(weights)
    alone = [
        (auroc(scores, positive, w), average_precision(scores, positive, w)) for w in weights.T
    ]
    assert np.allclose(np.array(together).T, alone, atol=1e-6)


def test_perfect_and_reversed_rankings():
    """All positives first gives 1 and 1; one positive last of four gives 0 and 1/4."""
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    assert auroc(scores, scores > 2) == average_precision(scores, scores > 2) == 1
    assert auroc(scores, scores < 2) == 0
    assert average_precision(scores, scores < 2) == 0.25


@pytest.mark.parametrize("positive", [np.ones(3, dtype=bool), np.zeros(3, dtype=bool)])
def test_one_kind_of_examples_cannot_be_ranked(positive):
    """Without both positives and negatives the areas are undefined."""
    assert np.isnan(auroc(np.arange(3.0), positive))
    assert np.isnan(average_precision(np.arange(3.0), positive))
