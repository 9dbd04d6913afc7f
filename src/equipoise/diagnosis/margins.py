"""How sure decisions are: margins of logits, and distances to the nearest boundary."""

import numpy as np
from scipy.spatial.distance import cdist

from equipoise._typing import CodeArray, LogitArray


def margins(logits: LogitArray, codes: CodeArray) -> np.ndarray:
    """Return by how much the logit of the true class is above the largest other one.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Logits, of at least two classes.
    codes : ndarray of int, shape (examples,)
        True classes.

    Returns
    -------
    ndarray, shape (examples,)
        Below 0 where the network errs.

    Examples
    --------
    >>> margins(np.array([[2.0, 0.5, 1.0], [2.0, 0.5, 1.0]]), np.array([0, 1]))
    array([ 1. , -1.5])
    """
    rows = np.arange(len(codes))
    others = logits.astype(np.float64)
    own = others[rows, codes]
    others[rows, codes] = -np.inf
    return own - others.max(axis=1)


def boundary_distances(logits: LogitArray, codes: CodeArray, rows: np.ndarray) -> np.ndarray:
    r"""Return how far, in feature space, each example is from being decided otherwise.

    Unlike a margin it does not grow by scaling the head.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Of a linear head.
    codes : ndarray of int, shape (examples,)
        True classes.
    rows : ndarray, shape (classes, features)
        Of the head.

    Returns
    -------
    ndarray, shape (examples,)
        :math:`\min_j (z_y - z_j) / \|w_y - w_j\|` over the other classes :math:`j`, with logits
        :math:`z` and rows :math:`w`: the distance for an example that is decided rightly; below 0
        for others. Infinite where two rows are the same.

    Examples
    --------
    >>> boundary_distances(np.array([[3.0, 1.0]]), np.array([0]), np.array([[1.0], [-3.0]]))
    array([0.5])
    """
    between = cdist(rows, rows)
    np.fill_diagonal(between, np.nan)
    gaps = logits[np.arange(len(codes)), codes][:, None].astype(np.float64) - logits
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = gaps / between[codes]
    return np.nanmin(np.where(np.isnan(apart), np.inf, apart), axis=1)


def by_class(values: np.ndarray, codes: CodeArray, n_classes: int) -> np.ndarray:
    """Return the median of each class's values; NaN for a class without any.

    Examples
    --------
    >>> by_class(np.array([1.0, 3.0, 8.0]), np.array([0, 0, 2]), 3)
    array([ 2., nan,  8.])
    """
    own = (values[codes == k] for k in range(n_classes))
    return np.array([np.median(each) if len(each) else np.nan for each in own])
