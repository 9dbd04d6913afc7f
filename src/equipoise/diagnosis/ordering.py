"""Which measure goes with the success of several runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from equipoise.statistics.correlation import FEWEST, spearman, spearman_interval


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
    """Return the rank correlation of each measure with a score, the strongest first.

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
    Spearman's coefficient, with the interval of `equipoise.statistics.correlation`. Runs of one
    method are alike, so that intervals over few methods are too narrow; and many measures are
    looked at, so that the strongest is too strong.

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
        low, high = spearman_interval(correlation, len(pairs), level)
        found.append(Order(measure=name, correlation=correlation, low=low, high=high, n=len(pairs)))
    return sorted(found, key=lambda order: -abs(order.correlation))


def told(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Return them as JSON values."""
    return [asdict(order) for order in orders]
