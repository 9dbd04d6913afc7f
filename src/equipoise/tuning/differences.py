"""How much better one recipe is than another on the same examples, and how sure that is."""

import math

import numpy as np

from equipoise.metrics import log_losses, log_softmax
from equipoise.seeds import derive_seed
from equipoise.selection import scores_of_counts
from equipoise.tuning.scores import HeldOut, gain

RESAMPLED = ("macro_f1", "g_mean", "worst_class_recall")
"""Metrics that are no mean over examples: their errors are those of a bootstrap."""

ALIKE = ("accuracy", "log_loss")
"""Metrics in which all examples count alike."""

KNOWN = 5
"""Held-out examples of a class from which their spread is an estimate of its own."""

RESAMPLES = 1000
"""Resamples of a bootstrap."""

SCREENED = 50
"""Resamples that tell a recipe that is far behind; the error of such an error is a tenth of it."""


def is_alike(best: HeldOut, other: HeldOut, metric: str) -> bool:
    """Whether a recipe is within one standard error of the best one.

    Parameters
    ----------
    best, other : HeldOut
        Predictions of the two, for the same rows.
    metric : str
        One of `equipoise.selection.MONITORS`.
    """
    if metric in RESAMPLED:
        behind, error = difference(best, other, metric, SCREENED)
        if behind > 2 * error:  # surely not: the other resamples would take most of the time
            return False
    behind, error = difference(best, other, metric)
    return behind <= error * (1 + 1e-9)  # not by a last digit


def difference(
    better: HeldOut, other: HeldOut, metric: str, resamples: int = RESAMPLES
) -> tuple[float, float]:
    r"""Return how much better one recipe is than another, and the standard error of that.

    Both are judged by the same examples, so the noise that they share drops out.

    Parameters
    ----------
    better, other : HeldOut
        Predictions of the two, for the same rows.
    metric : str
        One of `equipoise.selection.MONITORS`.
    resamples : int, default=1000
        Of a bootstrap, for the metrics that need one.

    Returns
    -------
    difference : float
        In the unit of the metric, above 0 if `better` is.
    error : float
        With :math:`d_i` the difference at example :math:`i` and :math:`s_k` its standard
        deviation in class :math:`k` of :math:`n_k` held-out examples,
        :math:`\frac{1}{K}\sqrt{\sum_k s_k^2 / n_k}`, or :math:`s / \sqrt{n}` where examples
        count alike. Of a class with fewer than `KNOWN` examples no deviation is known: it
        counts with the largest of the other classes', the pooled one where there is none, or
        its own if that is larger. For a metric of
        `RESAMPLED`, the standard deviation over a stratified bootstrap of the examples, to which
        such a class contributes nothing. Infinite where no deviation is known at all: of one
        example that counts like all others, or with no two examples of any class.

    Notes
    -----
    What training with another seed would change is not in the error, nor are the folds' shared
    training examples.
    """
    found = gain(better.scores()[metric], metric) - gain(other.scores()[metric], metric)
    if len(better.codes) <= (1 if metric in ALIKE else len(np.unique(better.codes))):
        return found, math.inf
    if metric in RESAMPLED:
        return found, _bootstrapped(better, other, metric, resamples)
    d = _by_example(better, metric) - _by_example(other, metric)
    if metric in ALIKE:
        return found, float(d.std(ddof=1) / np.sqrt(len(d)))
    classes, groups = np.unique(better.codes, return_inverse=True)
    n = np.bincount(groups)
    means = np.bincount(groups, d) / n
    squares = np.bincount(groups, (d - means[groups]) ** 2)
    own, is_known = squares / np.maximum(n - 1, 1), n >= KNOWN
    pooled = squares.sum() / max(len(d) - len(classes), 1)
    floor = own[is_known].max() if is_known.any() else pooled
    variances = np.where(is_known, own, np.maximum(own, floor))
    return found, float(np.sqrt((variances / n).sum()) / len(classes))


def _by_example(held: HeldOut, metric: str) -> np.ndarray:
    if metric.endswith("log_loss"):
        return -log_losses(log_softmax(held.logits.astype(np.float64)), held.codes).values
    return (held.logits.argmax(axis=1) == held.codes).astype(float)


def _bootstrapped(better: HeldOut, other: HeldOut, metric: str, resamples: int) -> float:
    """Return the standard error of a difference, from examples drawn anew within each class."""
    n_classes = better.logits.shape[1]
    pairs = np.stack([held.logits.argmax(axis=1) for held in (better, other)])
    hits, claims = (np.zeros((2, resamples, n_classes)) for _ in range(2))
    random = np.random.default_rng(derive_seed(0, "difference"))
    for code in np.unique(better.codes):
        # What both predict for an example is all that counts: few pairs, drawn how often each.
        found, n = np.unique(pairs[:, better.codes == code], axis=1, return_counts=True)
        drawn = random.multinomial(n.sum(), n / n.sum(), size=resamples)
        for each, predicted in enumerate(found):
            claims[each] += drawn @ np.eye(n_classes)[predicted]
            hits[each, :, code] = drawn[:, predicted == code].sum(axis=1)
    totals = np.bincount(better.codes, minlength=n_classes)
    values = [scores_of_counts(h, totals, c)[metric] for h, c in zip(hits, claims, strict=True)]
    return float(np.std(values[0] - values[1], ddof=1))
