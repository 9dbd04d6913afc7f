"""Rank correlation, and how sure it is."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from equipoise.metrics.intervals import normal_quantile

FEWEST = 4
"""With fewer pairs nothing is told."""


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return the correlation of the ranks; of ties the mean rank.

    >>> spearman([1.0, 2.0, 3.0], [1.0, 9.0, 5.0])
    0.5
    """
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def spearman_interval(correlation: float, n: int, level: float = 0.95) -> tuple[float, float]:
    r"""Return the interval of a rank correlation.

    Parameters
    ----------
    correlation : float
        Spearman's coefficient :math:`r`, in [-1, 1].
    n : int
        Pairs that it is of, at least `FEWEST`.
    level : float, default=0.95
        In (0, 1).

    Notes
    -----
    The interval is [1]_

    .. math:: \tanh\Big(\operatorname{artanh} r \pm z \sqrt{\frac{1 + r^2 / 2}{n - 3}}\Big)

    where an :math:`r` of 1 or -1 is taken for half a step less, :math:`1 - 6 / (n (n^2 - 1))`: that
    four pairs stand in the same order is no certainty.

    References
    ----------
    .. [1] D. G. Bonett, T. A. Wright, "Sample size requirements for estimating Pearson, Kendall
       and Spearman correlations", Psychometrika 65, 2000.

    Examples
    --------
    >>> low, high = spearman_interval(0.5, 30)
    >>> print(f"{low:.2f} to {high:.2f}")
    0.15 to 0.74
    """
    most = 1 - 6 / (n * (n**2 - 1))
    known = min(max(correlation, -most), most)
    half = normal_quantile(level) * math.sqrt((1 + known**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(known) + end) for end in (-half, half))
    return min(low, correlation), max(high, correlation)
