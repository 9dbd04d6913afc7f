"""How good a recipe is on held-out examples, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, LogitArray, PriorArray
from equipoise.metrics import log_losses, log_softmax, shift_logits
from equipoise.selection import MONITORS, validation_scores

BALANCED = ("balanced_accuracy", "g_mean", "worst_class_recall", "balanced_log_loss")
"""Metrics in which all classes count alike: predictions are corrected to the balanced prior."""


def choose_metric(rarest: int) -> tuple[str, str]:
    """Return the metric of a search, and why, by how many of the rarest class are held out.

    Examples
    --------
    >>> choose_metric(5)[0], choose_metric(200)[0]
    ('balanced_log_loss', 'balanced_accuracy')
    """
    if rarest < ENOUGH_FOR_RECALL:
        return "balanced_log_loss", (
            f"with {rarest} held-out examples of the rarest class, recall moves in steps of "
            f"{100 / max(rarest, 1):.0f} points; log-loss does not"
        )
    return "balanced_accuracy", f"{rarest} examples of the rarest class are held out"


ENOUGH_FOR_RECALL = 50
"""Held-out examples of the rarest class from which recall is fine enough to choose by."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions for held-out examples.

    Parameters
    ----------
    rows : ndarray of int, shape (examples,)
        Their positions in the data.
    codes : ndarray of int, shape (examples,)
        Their classes.
    logits : ndarray of float, shape (examples, classes)
        For the prior under which the recipe will be used.
    """

    rows: np.ndarray
    codes: CodeArray
    logits: LogitArray

    @classmethod
    def join(cls, parts: "list[HeldOut]") -> "HeldOut":
        """Return all parts as one, in the order of the rows."""
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        codes = np.concatenate([part.codes for part in parts])
        logits = np.concatenate([part.logits for part in parts])
        return cls(rows[order], codes[order], logits[order])

    def scores(self) -> dict[str, float]:
        """Return every metric; see `equipoise.selection.validation_scores`."""
        return validation_scores(self.logits, self.codes)


def corrected(logits: LogitArray, metric: str, prior: PriorArray) -> LogitArray:
    """Return logits for the prior at which a metric is best, given the prior they contain."""
    logits = logits.astype(np.float64)
    uniform = np.full(len(prior), 1 / len(prior))
    return shift_logits(logits, prior, uniform) if metric in BALANCED else logits


def gain(value: float, metric: str) -> float:
    """Return a metric so that higher is better."""
    return value if MONITORS[metric] else -value


def difference(better: HeldOut, other: HeldOut, metric: str) -> tuple[float, float]:
    r"""Return how much better one recipe is than another, and the standard error of that.

    Both are judged by the same examples, so the noise that they share drops out.

    Parameters
    ----------
    better, other : HeldOut
        Predictions of the two, for the same rows.
    metric : str
        One of `MONITORS`. For metrics that are no mean over examples (``macro_f1``, ``g_mean``,
        ``worst_class_recall``) the differences in recall stand for those of the metric.

    Returns
    -------
    difference : float
        In the unit of the metric, above 0 if `better` is.
    error : float
        With :math:`d_i` the difference at example :math:`i` and :math:`s_k` its standard
        deviation in class :math:`k` of :math:`n_k` held-out examples,
        :math:`\frac{1}{K}\sqrt{\sum_k s_k^2 / n_k}`, or :math:`s / \sqrt{n}` where examples
        count alike. A class with one example counts with the pooled deviation.
    """
    d = _by_example(better, metric) - _by_example(other, metric)
    found = gain(better.scores()[metric], metric) - gain(other.scores()[metric], metric)
    if metric in ("accuracy", "log_loss"):
        return found, float(d.std(ddof=1) / np.sqrt(len(d)))
    classes, groups = np.unique(better.codes, return_inverse=True)
    n = np.bincount(groups)
    means = np.bincount(groups, d) / n
    squares = np.bincount(groups, (d - means[groups]) ** 2)
    pooled = squares.sum() / max(len(d) - len(classes), 1)
    variances = np.where(n > 1, squares / np.maximum(n - 1, 1), pooled)
    return found, float(np.sqrt((variances / n).sum()) / len(classes))


def _by_example(held: HeldOut, metric: str) -> np.ndarray:
    if metric.endswith("log_loss"):
        return -log_losses(log_softmax(held.logits), held.codes).values
    return (held.logits.argmax(axis=1) == held.codes).astype(float)
