"""A score of predictions as a sum over examples, for its value and noise; and its interval."""

from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.metrics import confusion_matrix, log_losses, log_softmax, mean_interval
from equipoise.metrics.confusion_intervals import ConfusionIntervals
from equipoise.metrics.losses import loss_interval
from equipoise.selection import scores_of_counts

METRICS = {
    "balanced_accuracy": True,
    "accuracy": True,
    "macro_f1": True,
    "recall": True,
    "log_loss": False,
    "balanced_log_loss": False,
}
"""Scores that can be compared, and whether higher is better; ``recall`` is that of a group."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """A score, and what each example adds to it.

    Parameters
    ----------
    score : float
        The score.
    values : ndarray, shape (examples,)
        What each example adds, in units of the score: the score varies with the draw of the
        examples as the weighted sum of these values does.
    weights : ndarray, shape (examples,)
        Weight of each example, the same for all examples of a class.
    own : ndarray, shape (examples,)
        The part of the values that concerns the example's own class; all but for macro-F1,
        which wrong examples of a large class change much where they claim a small one.
    stakes : ndarray, shape (examples,), optional
        What a right answer adds to `own`, to first order, the same for all examples of a class;
        None for losses, which know no right answers.
    """

    score: float
    values: np.ndarray
    weights: np.ndarray
    own: np.ndarray
    stakes: np.ndarray | None = None


def contributions(
    logits: LogitArray, codes: CodeArray, metric: str, classes: np.ndarray | None = None
) -> Contributions:
    r"""Return a score and what each example adds to it.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Finite logits.
    codes : ndarray of int, shape (examples,)
        True classes; classes without examples are left out of means over classes.
    metric : str
        One of `METRICS`.
    classes : ndarray of int, optional
        The group of classes whose mean recall ``"recall"`` is; at least one has examples.

    Returns
    -------
    Contributions
        Log-losses in nats, other scores in [0, 1].

    Notes
    -----
    All but macro-F1 are weighted sums over the examples. With :math:`h_k`, :math:`n_k` and
    :math:`c_k` the right answers, examples and predictions of class :math:`k` of :math:`K`,
    the first-order change of macro-F1 by an example of class :math:`y` taken for :math:`p` is

    .. math:: \frac{2}{K} \left(\frac{[p = y]}{n_y + c_y} - \frac{h_p}{(n_p + c_p)^2}\right)

    Examples
    --------
    >>> logits = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    >>> found = contributions(logits, np.array([0, 0, 1]), "balanced_accuracy")
    >>> found.score, found.values, found.weights
    (0.75, array([1., 0., 1.]), array([0.25, 0.25, 0.5 ]))
    """
    totals = np.bincount(codes, minlength=logits.shape[1])
    weights = _weights(totals, metric, classes)[codes]
    if metric == "macro_f1":
        return _f1(logits.argmax(axis=1), codes, weights)
    if metric.endswith("log_loss"):
        values = log_losses(log_softmax(logits.astype(np.float64)), codes).values
    else:
        values = (logits.argmax(axis=1) == codes).astype(float)
    stakes = None if metric.endswith("log_loss") else np.ones(len(codes))
    score = float(weights @ values)
    return Contributions(score=score, values=values, weights=weights, own=values, stakes=stakes)


def score_interval(
    logits: LogitArray,
    codes: CodeArray,
    metric: str,
    classes: np.ndarray | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the interval that `equipoise.metrics` has for a score.

    It is about these predictions and other test examples, and has a width however few there are.

    Parameters
    ----------
    logits, codes, metric, classes
        As for `contributions`.
    level : float, default=0.95
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end: of `equipoise.metrics.aggregates.mean_interval` for what is made of
        recalls, that of a group included, of
        `equipoise.metrics.confusion_intervals.ConfusionIntervals` for macro-F1, and of
        `equipoise.metrics.losses.loss_interval` for log-losses.

    Examples
    --------
    Of ten examples of a class none was found:

    >>> codes = np.repeat([0, 1], [90, 10])
    >>> logits = np.tile([1.0, 0.0], (100, 1))
    >>> low, high = score_interval(logits, codes, "recall", np.array([1]))
    >>> print(f"{low:.2f} to {high:.2f}")
    0.00 to 0.34
    """
    totals = np.bincount(codes, minlength=logits.shape[1])
    shares = totals * _weights(totals, metric, classes)
    if metric.endswith("log_loss"):
        losses = log_losses(log_softmax(logits.astype(np.float64)), codes)
        return loss_interval(losses, codes, shares, level)
    here = shares > 0
    counts = totals[here]
    confusion = confusion_matrix(codes, logits.argmax(axis=1), len(totals))[np.ix_(here, here)]
    if metric == "macro_f1":
        return ConfusionIntervals(confusion, counts / counts.sum(), level, counts).macro_f1()
    return mean_interval(np.diag(confusion) / counts, counts, shares[here], level)


def _weights(totals: np.ndarray, metric: str, classes: np.ndarray | None) -> np.ndarray:
    """Return the weight of one example of each class."""
    if metric in ("accuracy", "log_loss"):
        return np.full(len(totals), 1 / totals.sum())
    here = totals > 0
    if metric == "recall":
        here &= np.isin(np.arange(len(totals)), [] if classes is None else classes)
    return here / (np.maximum(totals, 1) * here.sum())


def _f1(predicted: CodeArray, codes: CodeArray, weights: np.ndarray) -> Contributions:
    is_right = predicted == codes
    n_classes = max(codes.max(), predicted.max()) + 1
    totals, claims = (np.bincount(each, minlength=n_classes) for each in (codes, predicted))
    hits = np.bincount(codes[is_right], minlength=n_classes)
    both = np.maximum(totals + claims, 1)
    scale = 2 / ((totals > 0).sum() * weights)
    own = scale * is_right / both[codes]
    return Contributions(
        score=float(scores_of_counts(hits, totals, claims)["macro_f1"]),
        values=own - scale * (hits / both**2)[predicted],
        weights=weights,
        own=own,
        stakes=scale / both[codes],
    )
