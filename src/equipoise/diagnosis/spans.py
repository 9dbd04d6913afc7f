"""Intervals of shares and of their differences that stay within what is possible.

A share is between 0 and 1, a difference of two between -1 and 1, and neither is certain because
all of a few examples were alike. So every interval here starts from Wilson's, and those of
differences from the distances to its ends.
"""

from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray
from equipoise.metrics.aggregates import mean_interval
from equipoise.metrics.intervals import corrected_wilson


@dataclass(frozen=True, kw_only=True, eq=False)
class Spans:
    """Values and the ends of their intervals.

    Parameters
    ----------
    values, lows, highs : ndarray
        Of one shape, such as ``(classes,)``, or numbers; NaN where nothing is known.
    """

    values: np.ndarray
    lows: np.ndarray
    highs: np.ndarray

    def minus(self, other: "Spans", correlation: float = 0.0) -> "Spans":
        r"""Return the differences to others.

        Parameters
        ----------
        other : Spans
            What is taken off.
        correlation : float, default=0.0
            Correlation :math:`\rho` of the errors of both, -1 to 1.

        Notes
        -----
        With :math:`a` and :math:`b` for the distances from the values to the lower end of the
        first and to the upper end of the second, the lower end lies
        :math:`\sqrt{a^2 + b^2 - 2 \rho a b}` below the difference; the upper end likewise [1]_.
        Of two shares with :math:`\rho \le 0` the ends stay within -1 and 1.

        References
        ----------
        .. [1] G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures:
           a general approach", Statistics in Medicine 27, 2008; with correlation: G. Y. Zou,
           "Toward using confidence intervals to compare correlations", Psychological Methods 12,
           2007.

        Examples
        --------
        >>> nine, six = (share_spans(np.array([n]), np.array([10]), 0.95) for n in (9, 6))
        >>> found = nine.minus(six)
        >>> found.values.round(2), found.lows.round(2), found.highs.round(2)
        (array([0.3]), array([-0.14]), array([0.64]))
        """
        values = self.values - other.values
        below = self.values - self.lows, other.highs - other.values
        above = self.highs - self.values, other.values - other.lows
        return Spans(
            values=values,
            lows=values - _length(*below, correlation),
            highs=values + _length(*above, correlation),
        )

    def within(self, least: float, most: float) -> "Spans":
        """Return the same with ends that are not beyond what is possible."""
        return Spans(
            values=self.values,
            lows=np.maximum(self.lows, least),
            highs=np.minimum(self.highs, most),
        )

    def mean(self) -> "Spans":
        """Return the mean of those that are known, which are independent.

        The distances to the ends are combined as the root of their sum of squares.
        """
        known = ~np.isnan(self.values)
        if not known.any():
            return _unknown()
        mean, n = self.values[known].mean(), known.sum()
        below, above = ((self.values - self.lows)[known], (self.highs - self.values)[known])
        return Spans(
            values=mean,
            lows=mean - np.sqrt((below**2).sum()) / n,
            highs=mean + np.sqrt((above**2).sum()) / n,
        )


def share_spans(numbers: np.ndarray, sizes: np.ndarray, level: float) -> Spans:
    """Return the share of each class with Wilson's interval, corrected for continuity.

    Parameters
    ----------
    numbers, sizes : ndarray, shape (classes,)
        Examples that count, and all; NaN is returned for a class without examples.
    level : float
        Of the intervals, between 0 and 1.
    """
    present = sizes > 0
    values = np.divide(numbers, sizes, out=np.full(len(sizes), np.nan), where=present)
    lows, highs = corrected_wilson(values, np.maximum(sizes, 1), level)
    return Spans(values=values, lows=lows, highs=highs)


def mean_share(numbers: np.ndarray, sizes: np.ndarray, level: float) -> Spans:
    """Return the mean share of the classes that have examples.

    Parameters
    ----------
    numbers, sizes : ndarray of int, shape (classes,)
        Examples that count, and all.
    level : float
        Of the interval, between 0 and 1.

    Returns
    -------
    Spans
        Of one number; of recalls it is balanced accuracy with the interval that
        `equipoise.metrics.evaluate` gives.

    Examples
    --------
    >>> found = mean_share(np.array([3, 1]), np.array([3, 2]), 0.95)
    >>> print(f"{found.values:.2f} ({found.lows:.2f} to {found.highs:.2f})")
    0.75 (0.33 to 0.99)
    """
    present = sizes > 0
    if not present.any():
        return _unknown()
    values = numbers[present] / sizes[present]
    even = np.full(len(values), 1 / len(values))
    mean = values.mean()
    low, high = mean_interval(values, sizes[present], even, level)
    return Spans(values=mean, lows=np.minimum(low, mean), highs=np.maximum(high, mean))


def mean_change(
    before: np.ndarray, after: np.ndarray, codes: CodeArray, n_classes: int, level: float
) -> Spans:
    r"""Return by how much balanced accuracy differs between two predictions of the same examples.

    Parameters
    ----------
    before, after : ndarray of bool, shape (examples,)
        Which examples are right.
    codes : ndarray of int, shape (examples,)
        Their classes.
    n_classes : int
        Number of classes.
    level : float
        Of the interval, between 0 and 1.

    Notes
    -----
    The mean share :math:`g_k` of examples that have become right, of :math:`n_k`, minus the mean
    share :math:`h_k` of those that have become wrong. No example is both, so the errors of the
    means have the correlation

    .. math::

        -\sum_k \frac{g_k h_k}{n_k} \Big/
        \sqrt{\sum_k \frac{g_k (1 - g_k)}{n_k} \sum_k \frac{h_k (1 - h_k)}{n_k}}.
    """
    sizes = np.bincount(codes, minlength=n_classes)
    won, lost = (
        np.bincount(codes[changed], minlength=n_classes)
        for changed in (after & ~before, before & ~after)
    )
    n = np.maximum(sizes, 1)
    g, h = won / n, lost / n
    noise = float(np.sqrt((g * (1 - g) / n).sum() * (h * (1 - h) / n).sum()))
    correlation = -float((g * h / n).sum()) / noise if noise > 0 else 0.0
    gained, forgone = (mean_share(each, sizes, level) for each in (won, lost))
    return gained.minus(forgone, correlation)


def _length(first: np.ndarray, second: np.ndarray, correlation: float) -> np.ndarray:
    squares = first**2 + second**2 - 2 * correlation * first * second
    return np.sqrt(np.maximum(squares, 0.0))


def _unknown() -> Spans:
    nothing = np.asarray(np.nan)
    return Spans(values=nothing, lows=nothing, highs=nothing)
