"""Offsets of the logits of each class by which held-out scores are best; numpy only."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.specialized.posthoc.base import Offsets, check_choice

Score = Literal["balanced_accuracy", "macro_f1"]
"""What thresholds are chosen by."""

MOST_SWEEPS = 50
"""Rounds over all classes after which the search for thresholds ends in any case."""


def class_thresholds(
    logits: LogitArray, codes: CodeArray, metric: Score = "balanced_accuracy"
) -> Offsets:
    r"""Return what to add to the logits of each class so that validation scores are best.

    The class is then predicted by :math:`\arg\max_k (z_k + o_k)`. With few validation examples
    the offsets fit their accidents: :math:`K` numbers are chosen by counts of mistakes, of which
    a class of ten examples has ten. Prior correction chooses none, so compare with it, and
    judge both on data that neither has seen. Give validation examples only; on the training set
    a network makes no mistakes to learn from.

    Parameters
    ----------
    logits : ndarray of float, shape (examples, classes)
        Finite logits of validation examples.
    codes : ndarray of int, shape (examples,)
        Their classes.
    metric : {"balanced_accuracy", "macro_f1"}, default="balanced_accuracy"
        What is to be large: the mean recall, or the mean F1, over the classes that `codes` holds.

    Returns
    -------
    ndarray of float64, shape (classes,)
        Offsets; 0 for classes that `codes` does not hold, and for those that needed none. On
        these examples they never score less than no offsets.

    Raises
    ------
    InputError
        If logits and codes do not fit, logits are not finite, or the metric is neither of the
        two.

    Notes
    -----
    Coordinate ascent from no offsets: class after class, the score is followed as the offset
    passes each example at which a prediction turns, and the offset becomes the middle of the
    best interval between two such places, the nearest one among several; until a round over all
    classes brings nothing. Deterministic; the best for one class at a time, which need not be
    the best for all together.

    Examples
    --------
    Nothing is ever called rare, though the rare one is the less unlike it:

    >>> logits = np.array([[4.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    >>> offsets = class_thresholds(logits, np.array([0, 0, 1]))
    >>> offsets
    array([-2.,  0.])
    >>> (logits + offsets).argmax(axis=1)
    array([0, 0, 1])
    """
    check_choice("metric", metric, ("balanced_accuracy", "macro_f1"))
    _check_fit(logits, codes)
    scores = np.asarray(logits, np.float64)
    sizes = np.bincount(codes, minlength=scores.shape[1])
    search = _Search(scores, codes, sizes, metric, np.zeros(scores.shape[1]))
    present = np.flatnonzero(sizes)
    for _ in range(MOST_SWEEPS):
        if not sum([search.improve(int(k)) for k in present]):
            break
    return search.offsets


def mean_score(logits: LogitArray, codes: CodeArray, metric: Score) -> float:
    """Return the mean recall, or the mean F1, of predictions over the classes that `codes` holds.

    >>> mean_score(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]), "balanced_accuracy")
    0.5
    """
    sizes = np.bincount(codes, minlength=logits.shape[1])
    none = np.zeros(len(sizes))
    total = _Search(np.asarray(logits, np.float64), codes, sizes, metric, none).score(none)
    return float(total / np.count_nonzero(sizes))


@dataclass
class _Search:
    """Offsets on their way up, and what they are measured by."""

    logits: np.ndarray
    codes: np.ndarray
    sizes: np.ndarray
    metric: str
    offsets: np.ndarray

    def improve(self, k: int) -> bool:
        """Move the offset of one class to where the score is best; return whether it rose."""
        rivals = self.logits + self.offsets
        rivals[:, k] = -np.inf
        turns = rivals.max(axis=1) - self.logits[:, k]  # the offset from which k is predicted
        along = np.argsort(turns, kind="stable")
        scores = self._followed(k, rivals.argmax(axis=1)[along], self.codes[along])
        chosen = _best_between(turns[along], scores, self.offsets[k])
        tried = self.offsets.copy()
        tried[k] = chosen
        # Measured by what is really predicted, so that no rounding can make the score fall.
        if self.score(tried) <= self.score(self.offsets) + 1e-12:
            return False
        self.offsets = tried
        return True

    def score(self, offsets: np.ndarray) -> float:
        """Return the sum over classes of their recall or F1."""
        predicted = (self.logits + offsets).argmax(axis=1)
        n_classes = len(self.sizes)
        right = np.bincount(self.codes[predicted == self.codes], minlength=n_classes)
        return float(self._by_class(right, np.bincount(predicted, minlength=n_classes)).sum())

    def _by_class(
        self, right: np.ndarray, predicted: np.ndarray, classes: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        sizes = self.sizes[classes]
        if self.metric == "macro_f1":
            # A class without examples is no part of the mean, however often it is predicted.
            return np.where(sizes > 0, 2 * right / np.maximum(sizes + predicted, 1), 0.0)
        return right / np.maximum(sizes, 1)

    def _followed(self, k: int, rivals: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return the score after class `k` has taken 0, 1, ..., all examples from its rivals."""
        n, order = len(codes), np.argsort(rivals, kind="stable")
        grouped, is_right = rivals[order], (rivals == codes)[order]
        predicted = np.bincount(rivals, minlength=len(self.sizes))
        right = np.bincount(grouped[is_right], minlength=len(self.sizes))
        start = np.cumsum(predicted) - predicted
        taken = np.arange(1, n + 1) - start[grouped]
        lost = np.cumsum(is_right) - (np.cumsum(right) - right)[grouped]
        left = predicted[grouped] - taken
        after = self._by_class(right[grouped] - lost, left, grouped)
        before = self._by_class(right[grouped] - lost + is_right, left + 1, grouped)
        changes = np.empty(n)
        changes[order] = after - before
        own = np.concatenate([[0], np.cumsum(codes == k)])
        others = np.concatenate([[0.0], np.cumsum(changes)])
        return others + self._by_class(own, np.arange(n + 1), np.full(n + 1, k))


def _best_between(turns: np.ndarray, scores: np.ndarray, present: float) -> float:
    """Return the middle of the best interval between turns, the nearest to the present offset."""
    edges = np.concatenate([[turns[0] - 2.0], turns, [turns[-1] + 2.0]])
    middles = 0.5 * (edges[1:] + edges[:-1])
    is_open = edges[1:] > edges[:-1]  # examples that turn together cannot be told apart
    best = is_open & (scores >= scores[is_open].max() - 1e-12)
    candidates = middles[best]
    return float(candidates[np.abs(candidates - present).argmin()])


def _check_fit(logits: np.ndarray, codes: np.ndarray) -> None:
    if logits.ndim != 2 or logits.shape[1] < 2 or len(logits) != len(codes) or len(codes) == 0:
        raise InputError(
            "Thresholds need a row of logits for each code, of two classes or more.",
            f"Logits have the shape {logits.shape}, codes {codes.shape}.",
            "Give the logits and codes of the same validation examples.",
        )
    if not np.isfinite(logits).all():
        raise InputError(
            "Logits must be finite to choose thresholds by them.",
            f"{int((~np.isfinite(logits)).sum())} are not.",
            "Look for what made the network diverge.",
        )
