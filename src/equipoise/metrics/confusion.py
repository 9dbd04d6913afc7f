"""Metrics that follow from which class was predicted: the confusion matrix and its ratios."""

from typing import NamedTuple

import numpy as np

from equipoise._typing import CodeArray, PriorArray


class ClassScores(NamedTuple):
    """Precision, recall and F1 of each class, each of shape ``(classes,)``; NaN: undefined."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def confusion_matrix(codes: CodeArray, predicted: CodeArray, n_classes: int) -> np.ndarray:
    """Count how often each class was predicted as each class.

    Parameters
    ----------
    codes, predicted : ndarray of int, shape (examples,)
        True and predicted class codes, ``0 .. n_classes - 1``.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of int, shape (classes, classes)
        Rows are true classes, columns predicted ones.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    cells = np.bincount(codes * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def class_scores(confusion: np.ndarray, shares: PriorArray) -> ClassScores:
    r"""Return precision, recall and F1 of each class in a population with given class shares.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Counts, rows are true classes.
    shares : ndarray, shape (classes,)
        Share of each class in the population, 0 for a class without examples. The shares of
        the data themselves give the usual metrics.

    Returns
    -------
    ClassScores
        All three are NaN for a class without examples, as nothing was learnt about it;
        precision is NaN too for a class that was never predicted, and F1 is 0 then.

    Notes
    -----
    With :math:`p_{jk}` the fraction of class :math:`j` that was predicted as :math:`k`, shares
    :math:`q`, and :math:`m_k = \sum_j q_j p_{jk}` the share of predictions of class :math:`k`:
    recall is :math:`p_{kk}`, precision :math:`q_k p_{kk} / m_k`, and F1
    :math:`2 q_k p_{kk} / (q_k + m_k)`.

    Examples
    --------
    Doubling a class's share doubles the weight of the mistakes made on it:

    >>> table = np.array([[8, 2], [1, 9]])
    >>> class_scores(table, np.array([0.5, 0.5])).precision.round(3)
    array([0.889, 0.818])
    >>> class_scores(table, np.array([1 / 3, 2 / 3])).precision.round(3)
    array([0.8, 0.9])
    """
    counts = confusion.sum(axis=1)
    rates = confusion / np.maximum(counts, 1)[:, None]
    found, predicted = shares * np.diag(rates), shares @ rates
    return ClassScores(
        precision=_ratio(found, np.where(counts > 0, predicted, 0)),
        recall=_ratio(np.diag(confusion), counts),
        f1=_ratio(2 * found, np.where(counts > 0, shares + predicted, 0)),
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    undefined = np.full(len(whole), np.nan)
    return np.divide(part, whole, out=undefined, where=whole > 0)
