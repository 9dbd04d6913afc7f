"""Which measure goes with the success of several runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from equipoise.metrics.intervals import normal_quantile

FEWEST = 4
"""With fewer runs no rank correlation is told."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """How a measure goes with success.

    Parameters
    ----------
    measure : str
        Its name.
    correlation, low, high : float
        Rank correlation with the score, and its interval.
    n : int
        Runs of which both are known.
    """

    measure: str
    correlation: float
    low: float
    high: float
    n: int


def order_runs(
    scores: Sequence[float],
    measures: Mapping[str, Sequence[float | None]],
    *,
    level: float = 0.95,
) -> list[Order]:
    r"""Return the rank correlation of each measure with a score, the strongest first.

    Parameters
    ----------
    scores : sequence of float
        One a run, such as balanced accuracy.
    measures : mapping of str to sequence
        For each measure its value in each run; None where unknown.
    level : float, default=0.95
        Of the intervals.

    Returns
    -------
    list of Order
        Measures that are known of fewer than four runs, or the same in all, are left out.

    Notes
    -----
    Spearman's coefficient :math:`r` of :math:`n` runs, with the interval [1]_

    .. math:: \tanh\Big(\operatorname{artanh} r \pm z \sqrt{\frac{1 + r^2 / 2}{n - 3}}\Big)

    where an :math:`r` of 1 or -1 is taken for half a step less, :math:`1 - 6 / (n (n^2 - 1))`: that
    four runs stand in the same order is no certainty. Runs of one method are alike, so that
    intervals over few methods are too narrow; and many measures are looked at, so that the
    strongest is too strong.

    References
    ----------
    .. [1] D. G. Bonett, T. A. Wright, "Sample size requirements for estimating Pearson, Kendall
       and Spearman correlations", Psychometrika 65, 2000.

    Examples
    --------
    >>> [found] = order_runs([0.5, 0.6, 0.7, 0.9], {"gap": [4.0, 3.0, 2.5, 1.0]})
    >>> found.measure, found.correlation
    ('gap', -1.0)
    """
    found = []
    for name, values in measures.items():
        known = [(s, v) for s, v in zip(scores, values, strict=True) if v is not None]
        if len(known) < FEWEST:
            continue
        pairs = np.array(known, dtype=np.float64)
        if (pairs == pairs[0]).all(axis=0).any():
            continue
        correlation = spearman(*pairs.T)
        low, high = _interval(correlation, len(pairs), level)
        found.append(Order(measure=name, correlation=correlation, low=low, high=high, n=len(pairs)))
    return sorted(found, key=lambda order: -abs(order.correlation))


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation of the ranks; of ties the mean rank.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 9.0, 5.0]))
    0.5
    """
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def told(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Return them as JSON values."""
    return [asdict(order) for order in orders]


def _interval(correlation: float, n: int, level: float) -> tuple[float, float]:
    most = 1 - 6 / (n * (n**2 - 1))
    known = min(max(correlation, -most), most)
    half = normal_quantile(level) * math.sqrt((1 + known**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(known) + end) for end in (-half, half))
    return min(low, correlation), max(high, correlation)
