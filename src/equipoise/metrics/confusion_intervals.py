"""Intervals for precision, F1 and macro F1, with classes of any size and weight.

All classes that are passed here have examples; a wrong prediction may still name a class
that has none, so rows may sum to less than 1.
"""

import numpy as np

from equipoise._typing import CountArray, PriorArray
from equipoise.metrics.aggregates import mean_interval
from equipoise.metrics.intervals import corrected_wilson, normal_quantile, wilson


class ConfusionIntervals:
    r"""Intervals for what the confusion matrix gives, in a population with given class shares.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Counts, rows are true classes; every row has examples.
    shares : ndarray, shape (classes,)
        Positive share of each class in the population; they sum to 1.
    level : float
        Confidence level in (0, 1).
    counts : ndarray of int, shape (classes,), optional
        Examples of each class, where some were predicted as a class outside the matrix; by
        default the row sums.

    Notes
    -----
    Precision is the proportion of right ones among the examples *predicted* as the class, and
    :math:`J = F_1 / (2 - F_1)` the proportion of right ones among the examples that are *or*
    were predicted as the class. Both get Wilson's interval; that of :math:`J`, with continuity
    correction, is mapped back by :math:`F_1 = 2 J / (1 + J)` [1]_.

    When examples of class :math:`k` have weight :math:`w_k`, the number of examples behind a
    proportion :math:`v` of a share :math:`m` is :math:`m / ((1 - v) w_k + v w')`, by the
    variance of a weighted ratio; :math:`w'` is the mean weight of the wrong examples. With
    equal weights this is their plain number. The usual effective size,
    :math:`(\sum w)^2 / \sum w^2` over the examples seen, would be badly wrong here: it takes no
    notice of a class of 2 examples that stands for half of the population and of which
    neither happened to be confused. So :math:`w'` is found as if :math:`z^2 / 2` more wrong
    examples had been seen, of the mean weight in the population, which is what Wilson's
    interval assumes itself.

    References
    ----------
    .. [1] K. Takahashi, K. Yamamoto, A. Kuchiba, T. Koyama, "Confidence interval for
       micro-averaged F1 and macro-averaged F1 scores", Applied Intelligence 52, 2022 (on the
       variance of F1).

    Examples
    --------
    >>> table = np.array([[2, 0], [0, 1000]])
    >>> low, high = ConfusionIntervals(table, np.array([0.5, 0.5]), 0.95).precision()
    >>> low.round(2), high
    (array([1.  , 0.34]), array([1., 1.]))
    """

    def __init__(
        self,
        confusion: np.ndarray,
        shares: PriorArray,
        level: float,
        counts: CountArray | None = None,
    ) -> None:
        self.shares, self.level = shares, level
        self.counts = confusion.sum(axis=1) if counts is None else counts
        self.rates = confusion / self.counts[:, None]
        self.weights = shares / self.counts
        self.found = shares * np.diag(self.rates)
        self.predicted = shares @ self.rates
        self._z = normal_quantile(level)

    def precision(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends for each class; NaN where it was never predicted."""
        value = _ratio(self.found, self.predicted)
        wrong_weight = self._wrong_weight(np.zeros_like(self.found), self._other_weight())
        return wilson(value, self._size(self.predicted, value, wrong_weight), self.level)

    def f1(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends for each class."""
        value, size = self._overlap()
        low, high = corrected_wilson(value, size, self.level)
        return 2 * low / (1 + low), 2 * high / (1 + high)

    def macro_f1(self) -> tuple[float, float]:
        r"""Return the lower and upper end for the mean F1 of the classes.

        Notes
        -----
        `mean_interval` with the number of examples behind each F1,
        :math:`n_J (1 + J)^2 / 2`. An example of class :math:`j` that goes to :math:`k` lowers
        the F1 of both, so the errors are correlated; the correlation follows from the
        first-order expansion of F1 in the rows of the confusion matrix, and the bias, which
        counts when many classes have few examples, from the second order. In both, the rows
        hold :math:`z^2` more examples: half of them right, the others spread evenly.
        """
        overlap, size = self._overlap()
        sizes = size * (1 + overlap) ** 2 / 2
        even = np.full(len(sizes), 1 / len(sizes))
        correlation, bias = self._expansion()
        f1 = 2 * overlap / (1 + overlap)
        return mean_interval(f1, sizes, even, self.level, correlation, bias)

    def _overlap(self) -> tuple[np.ndarray, np.ndarray]:
        union = self.shares + self.predicted - self.found
        value = self.found / union
        own_wrong = self.shares - self.found
        wrong_weight = self._wrong_weight(own_wrong, (self.weights + self._other_weight()) / 2)
        return value, self._size(union, value, wrong_weight)

    def _size(self, mass: np.ndarray, value: np.ndarray, wrong_weight: np.ndarray) -> np.ndarray:
        return mass / ((1 - value) * self.weights + value * wrong_weight)

    def _wrong_weight(self, own_wrong: np.ndarray, usual: np.ndarray) -> np.ndarray:
        """Mean weight of wrong examples, weighted by itself: sum of squares over sum."""
        intruders = self.rates - np.diag(np.diag(self.rates))
        mass = self.shares @ intruders + own_wrong
        squares = (self.shares * self.weights) @ intruders + self.weights * own_wrong
        unseen = self._z**2 / 2
        return (squares + unseen * usual**2) / (mass + unseen * usual)

    def _other_weight(self) -> np.ndarray:
        """Mean weight of the examples of all other classes, weighted by their shares."""
        products = self.shares * self.weights
        others = self.shares.sum() - self.shares
        mean = np.divide(
            products.sum() - products, others, out=np.zeros_like(others), where=others > 1e-12
        )
        return np.where(others > 1e-12, mean, self.weights)

    def _expansion(self) -> tuple[np.ndarray, float]:
        """Correlation of the F1 of the classes, and the bias of their mean."""
        rates, counts, n_classes = self._cautious_rates(), self.counts[:, None], len(self.shares)
        own = np.diag(rates)
        total = self.shares + self.shares @ rates
        f1 = 2 * self.shares * own / total
        scaled = self.shares[:, None] / total
        slopes = scaled * (2 * np.eye(n_classes) - f1)
        moved = slopes * rates
        covariance = np.diag((slopes * moved / counts).sum(axis=0)) - moved.T @ (moved / counts)
        deviation = np.sqrt(np.diag(covariance))
        curvature = 2 * f1 * scaled**2
        np.fill_diagonal(curvature, -4 * self.shares**2 * (total - self.shares * own) / total**3)
        bias = (curvature * rates * (1 - rates) / counts).sum() / 2 / n_classes
        return covariance / np.outer(deviation, deviation), float(bias)

    def _cautious_rates(self) -> np.ndarray:
        square, n_classes = self._z**2, len(self.shares)
        added = np.full((n_classes, n_classes), square / 2 / max(n_classes - 1, 1))
        np.fill_diagonal(added, square / 2)
        counts = self.counts[:, None]
        return (self.rates * counts + added) / (counts + square)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
