"""Laws of the confusion matrix and its ratios."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from equipoise.metrics.confusion import class_scores, confusion_matrix

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(pairs=labels)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_counts_agree_with_scikit_learn(pairs):
    """Rows are true classes, columns predicted ones."""
    codes, predicted = np.array(pairs).T
    expected = reference.confusion_matrix(codes, predicted, labels=range(4))
    assert np.array_equal(confusion_matrix(codes, predicted, 4), expected)


@given(pairs=labels, seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_scores_agree_with_weighted_scikit_learn(pairs, seed):
    """Class shares act as example weights do in scikit-learn."""
    codes, predicted = np.array(pairs).T
    counts = np.bincount(codes, minlength=4)
    shares = np.where(counts > 0, np.random.default_rng(seed).uniform(0.1, 1, 4), 0)
    shares /= shares.sum()
    scores = class_scores(confusion_matrix(codes, predicted, 4), shares)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels without true examples
        expected = reference.precision_recall_fscore_support(
            codes,
            predicted,
            labels=range(4),
            sample_weight=(shares / np.maximum(counts, 1))[codes],
            zero_division=np.nan,
        )
    for ours, theirs in zip(scores, expected[:3], strict=True):
        assert np.allclose(ours[counts > 0], theirs[counts > 0], equal_nan=True)
        assert np.isnan(ours[counts == 0]).all()


def test_ratios_by_hand():
    """Two of three and one of two right, three predicted as the first class."""
    scores = class_scores(np.array([[2, 1], [1, 1]]), np.array([0.6, 0.4]))
    assert scores.recall == pytest.approx([2 / 3, 1 / 2])
    assert scores.precision == pytest.approx([2 / 3, 1 / 2])
    assert scores.f1 == pytest.approx([2 / 3, 1 / 2])


def test_class_never_predicted_has_f1_but_no_precision():
    """Without a prediction there is no precision, and F1 is 0."""
    scores = class_scores(np.array([[3, 0], [2, 0]]), np.array([0.6, 0.4]))
    assert np.isnan(scores.precision[1])
    assert scores.f1[1] == scores.recall[1] == 0


def test_larger_share_of_the_confused_class_lowers_precision():
    """The more frequent a class is, the more its mistakes hurt the others' precision."""
    table = np.array([[9, 1], [4, 6]])
    rare, common = (class_scores(table, np.array([1 - q, q])).precision[0] for q in (0.1, 0.6))
    assert rare > common
