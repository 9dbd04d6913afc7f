"""What is done to a classifier once it has been trained: rows, means and thresholds; numpy only."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError

FeatureArray = Float[np.ndarray, "examples features"]
"""What a backbone returns: one vector an example."""

ClassRows = Float[np.ndarray, "classes features"]
"""One vector a class: its weights, or its mean features."""

Offsets = Float[np.ndarray, " classes"]
"""What is added to the logits of each class."""

Distance = Literal["cosine", "euclidean"]
"""How near features are to a class mean."""

Score = Literal["balanced_accuracy", "macro_f1"]
"""What thresholds are chosen by."""

MOST_SWEEPS = 50
"""Rounds over all classes after which the search for thresholds ends in any case."""


def tau_norm(
    weight: ClassRows, bias: Offsets | None, tau: float
) -> tuple[ClassRows, Offsets | None]:
    r"""Return a linear head whose rows were divided by a power of their lengths.

    Rows of common classes grow longer in training than those of rare ones, so this favours rare
    classes; with `tau` chosen on validation data. It rests on that habit of the optimizer: where
    lengths do not follow class sizes, as with strong decay or a cosine head, correct the prior
    instead.

    Parameters
    ----------
    weight : ndarray of float, shape (classes, features)
        Rows :math:`w_k`.
    bias : ndarray of float, shape (classes,), or None
        Biases :math:`b_k`, divided as well; the paper leaves them out.
    tau : float
        Power, from 0, which changes nothing, to 1, which makes all rows of length one.

    Returns
    -------
    weight : ndarray of float64, shape (classes, features)
        :math:`w_k / \lVert w_k \rVert_2^\tau`; a row of zeros stays one.
    bias : ndarray of float64, shape (classes,), or None
        :math:`b_k / \lVert w_k \rVert_2^\tau`, so that all logits of a class are divided alike.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> tau_norm(np.array([[3.0, 4.0], [0.0, 1.0]]), None, 1.0)[0]
    array([[0.6, 0.8],
           [0. , 1. ]])
    """
    rows = np.asarray(weight, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    divisors = np.where(lengths > 0, lengths, 1.0) ** tau
    return rows / divisors[:, None], None if bias is None else bias / divisors


def nearest_class_mean(features: FeatureArray, codes: CodeArray, n_classes: int) -> ClassRows:
    """Return the mean features of each class, for `ncm_logits`.

    Parameters
    ----------
    features : ndarray of float, shape (examples, features)
        Features of training examples.
    codes : ndarray of int, shape (examples,)
        Their classes.
    n_classes : int
        How many classes there are.

    Returns
    -------
    ndarray of float64, shape (classes, features)

    Raises
    ------
    InputError
        If a class has no example.

    Examples
    --------
    >>> nearest_class_mean(np.array([[0.0, 2.0], [2.0, 2.0], [5.0, 1.0]]), np.array([0, 0, 1]), 2)
    array([[1., 2.],
           [5., 1.]])
    """
    counts = np.bincount(codes, minlength=n_classes)
    if not counts.all():
        raise InputError(
            "Every class needs an example to have a mean.",
            f"Class number {int(counts.argmin())} has none.",
            "Leave out that class, or give examples of it.",
        )
    sums = np.zeros((n_classes, features.shape[1]))
    np.add.at(sums, codes, features)
    return sums / counts[:, None]


def ncm_logits(features: FeatureArray, means: ClassRows, metric: Distance = "cosine") -> LogitArray:
    r"""Return how near each example is to the mean of each class.

    A classifier without weights of its own, so one that has no size of classes to forget. It
    shows how good features are apart from the head; as a classifier a trained head is usually
    better.

    Parameters
    ----------
    features : ndarray of float, shape (examples, features)
        Features :math:`h`.
    means : ndarray of float, shape (classes, features)
        Means :math:`m_k` of `nearest_class_mean`.
    metric : {"cosine", "euclidean"}, default="cosine"
        What near means.

    Returns
    -------
    ndarray of float64, shape (examples, classes)
        :math:`\cos(h, m_k)`, with 0 where either is zero, or
        :math:`-\frac{1}{2} \lVert h - m_k \rVert_2^2`; the largest is the nearest. Their scale is
        arbitrary: as probabilities they would be nonsense before calibration.

    Raises
    ------
    InputError
        If the metric is neither of the two.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> features, means = np.array([[3.0, 0.0]]), np.array([[2.0, 2.0], [9.0, 0.0]])
    >>> ncm_logits(features, means).round(4)
    array([[0.7071, 1.    ]])
    >>> ncm_logits(features, means, metric="euclidean")
    array([[ -2.5, -18. ]])
    """
    _check_choice("metric", metric, ("cosine", "euclidean"))
    own, centres = np.asarray(features, np.float64), np.asarray(means, np.float64)
    if metric == "cosine":
        return _unit(own) @ _unit(centres).T
    origin = centres.mean(axis=0)  # far from it, squares would swallow their differences
    own, centres = own - origin, centres - origin
    halves = 0.5 * (own**2).sum(axis=1)[:, None] + 0.5 * (centres**2).sum(axis=1)
    return own @ centres.T - halves


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
    _check_choice("metric", metric, ("balanced_accuracy", "macro_f1"))
    _check_fit(logits, codes)
    scores = np.asarray(logits, np.float64)
    sizes = np.bincount(codes, minlength=scores.shape[1])
    search = _Search(scores, codes, sizes, metric, np.zeros(scores.shape[1]))
    present = np.flatnonzero(sizes)
    for _ in range(MOST_SWEEPS):
        if not sum([search.improve(int(k)) for k in present]):
            break
    return search.offsets


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


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}.",
            f"It is {value!r}.",
            "Choose one of these.",
        )


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
