"""Whose examples the head still learns from: shares of the gradient."""

import numpy as np

from equipoise._typing import CodeArray, CountArray, LogitArray
from equipoise.metrics import log_softmax


def gradient_shares(
    logits: LogitArray, codes: CodeArray, features: np.ndarray, counts: CountArray
) -> np.ndarray:
    r"""Return each class's share in the size of the cross-entropy gradient of a linear head.

    A share far above the class's share of the examples says that its examples are not yet
    fitted; near 0 that they are fitted so well that nothing is learnt from them any more.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Of training examples, as many a class as you like.
    codes : ndarray of int, shape (examples,)
        Their classes.
    features : ndarray, shape (examples, features)
        Their features.
    counts : ndarray of int, shape (classes,)
        Training examples of each class, for which the given ones stand.

    Returns
    -------
    ndarray, shape (classes,)
        They sum to 1.

    Notes
    -----
    The gradient of the loss of example :math:`i` with probabilities :math:`p_i` and features
    :math:`h_i` for the head's rows is :math:`(p_i - e_{y_i}) h_i^\top`, of size
    :math:`\|p_i - e_{y_i}\| \|h_i\|`. The share of class :math:`k` is its :math:`n_k` examples'
    sum of sizes over that of all.

    Examples
    --------
    >>> gradient_shares(np.zeros((2, 2)), np.array([0, 1]), np.ones((2, 3)), np.array([30, 10]))
    array([0.75, 0.25])
    """
    error = np.exp(log_softmax(logits.astype(np.float64)))
    error[np.arange(len(codes)), codes] -= 1
    sizes = np.linalg.norm(error, axis=1) * np.linalg.norm(features, axis=1)
    n = len(counts)
    seen = np.maximum(np.bincount(codes, minlength=n), 1)
    sums = np.bincount(codes, sizes, n) / seen * counts
    return sums / sums.sum() if sums.sum() > 0 else np.full(n, 1 / n)


def slope_with_counts(values: np.ndarray, counts: CountArray) -> float:
    """Return how steeply the logarithm of a value rises with that of the class's size.

    Of the lengths of a head's rows: 0 says that frequent classes have no longer rows, 0.5 that
    rows are twice as long for classes of four times as many examples.

    Parameters
    ----------
    values : ndarray, shape (classes,)
        Above 0.
    counts : ndarray of int, shape (classes,)
        Training examples of each class; NaN is returned if all are equal.

    Examples
    --------
    >>> round(slope_with_counts(np.array([4.0, 2.0, 1.0]), np.array([160, 40, 10])), 6)
    0.5
    """
    if np.min(counts) == np.max(counts):
        return float("nan")
    x, y = np.log(counts), np.log(values)
    return float((x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) ** 2).sum())
