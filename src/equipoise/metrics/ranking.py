"""How well each class is ranked above all others: area under ROC and average precision."""

import numpy as np

from equipoise._typing import WeightArray


class Ranking:
    """Examples sorted by a score once, so that many weightings of them can be ranked fast.

    Parameters
    ----------
    scores : ndarray, shape (examples,)
        Higher means more likely positive. Only their order counts.
    positive : ndarray of bool, shape (examples,)
        Which examples are positive: of the class, against all other classes.

    Notes
    -----
    Only sums of weights between positive examples matter. So one pass over the sorted weights
    adds up each stretch, and the curves are worked out on as many points as there are
    positive examples with different scores.

    Examples
    --------
    >>> ranking = Ranking(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False]))
    >>> auroc, average_precision = ranking.areas(np.ones((4, 1)))
    >>> auroc.tolist(), average_precision.round(3).tolist()
    ([0.875], [0.833])
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ranked, hit = scores[self.order], positive[self.order]
        self.is_defined = bool(hit.any() and not hit.all())
        first = np.concatenate([[True], ranked[1:] != ranked[:-1]])
        starts, tie = np.flatnonzero(first), np.cumsum(first) - 1
        ends = np.append(starts[1:], len(ranked))
        tied, self._hit_starts = np.unique(tie[hit], return_index=True)
        bounds = np.unique(np.concatenate([[0], starts[tied], ends[tied]]))
        self._bounds = bounds[bounds < len(ranked)]
        self._stretch = np.searchsorted(self._bounds, starts[tied])
        self._hits = self.order[hit]

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the area under ROC and the average precision for each column of weights.

        Parameters
        ----------
        weights : ndarray, shape (examples, weightings)
            Non-negative; in every column, positives and negatives must have some weight.

        Returns
        -------
        tuple of ndarray, shape (weightings,)
            The area under the ROC curve, a tie counting one half; and the average precision
            :math:`\sum_i (R_i - R_{i-1}) P_i` over the distinct scores from high to low, with
            recall :math:`R_i` and precision :math:`P_i` at each. NaN if all examples are
            positive, or none is.
        """
        if not self.is_defined:
            undefined = np.full(weights.shape[1], np.nan)
            return undefined, undefined
        total = np.add.reduceat(weights[self.order], self._bounds, axis=0)
        total = total.cumsum(axis=0, dtype=np.float64)
        hits = np.add.reduceat(weights[self._hits], self._hit_starts, axis=0).astype(np.float64)
        found = hits.cumsum(axis=0)
        until = total[self._stretch]
        before = np.where(self._stretch[:, None] > 0, total[self._stretch - 1], 0)
        passed = (until - found) + (before - (found - hits))
        negatives = total[-1] - found[-1]
        auroc = np.maximum(1 - (hits * passed).sum(axis=0) / (2 * found[-1] * negatives), 0)
        precision = found / np.where(until > 0, until, 1)
        return auroc, np.minimum((hits * precision).sum(axis=0) / found[-1], 1)


def auroc(scores: np.ndarray, positive: np.ndarray, weights: WeightArray | None = None) -> float:
    """Return the area under the ROC curve; NaN if all examples are positive, or none is.

    Parameters
    ----------
    scores : ndarray, shape (examples,)
        Higher means more likely positive.
    positive : ndarray of bool, shape (examples,)
        Which examples are positive.
    weights : ndarray, shape (examples,), optional
        Weight of each example, by default 1.

    Examples
    --------
    >>> auroc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False]))
    0.875
    """
    return _areas(scores, positive, weights)[0]


def average_precision(
    scores: np.ndarray, positive: np.ndarray, weights: WeightArray | None = None
) -> float:
    """Return the average precision; NaN if all examples are positive, or none is.

    It is the area under the precision-recall curve, taken in steps. The parameters are those
    of `auroc`.

    Examples
    --------
    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, False]))
    1.0
    """
    return _areas(scores, positive, weights)[1]


def _areas(
    scores: np.ndarray, positive: np.ndarray, weights: WeightArray | None
) -> tuple[float, float]:
    column = np.ones(len(scores)) if weights is None else weights
    area, precision = Ranking(scores, positive).areas(column[:, None])
    return float(area[0]), float(precision[0])
