"""What a study shows: how values differ at each ratio, and whether that changes with the ratio."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from equipoise.statistics.judging import judged
from equipoise.statistics.multiplicity import holm
from equipoise.statistics.paired import differences
from equipoise.studies.cells import Cells, recall_of_groups

LEVEL = 0.95
"""Of all intervals."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A change for each tenfold of the imbalance ratio, over seeds.

    Parameters
    ----------
    value : float
        Mean over seeds of the slope of the score, in its unit, over log10 of the ratio.
    error : float or None
        Its standard error; None for one seed.
    low, high : float or None
        Ends of the interval; None for one seed.
    p : float or None
        Two-sided, by Student's t over seeds; None for one seed.
    """

    value: float
    error: float | None
    low: float | None
    high: float | None
    p: float | None


def at_ratio(cells: Cells, ratio: float, prior: str, metric: str) -> dict[str, Any]:
    """Return how the values of a study do at one ratio.

    Parameters
    ----------
    cells : Cells
        What is finished.
    ratio : float
        One of the study's.
    prior : {"as_trained", "balanced"}
        Whether predictions are corrected to equal class frequencies.
    metric : str
        One of `equipoise.statistics.scores.METRICS` but for ``"recall"``.

    Returns
    -------
    dict
        ``means`` (by value, with intervals and standard errors), ``groups`` (mean recall by
        value and group of classes, with its standard error over seeds), ``to_reference`` (each
        other value against it, told apart or not after Holm's correction), ``best``, ``percent``
        (change from the best value in per cent of it, and the standard error of that).
    """
    predictions = cells.predictions(ratio, prior)
    found = differences(predictions, metric, level=LEVEL)
    first = cells.reference
    others = [name for name in cells.methods if name != first]
    sign = -1 if metric.endswith("log_loss") else 1
    best = max(cells.methods, key=lambda name: sign * found.means[name].value)
    top = found.means[best].value
    return {
        "means": {name: vars(estimate) for name, estimate in found.means.items()},
        "groups": {name: _groups(cells, ratio, own) for name, own in predictions.items()},
        "to_reference": [
            each.facts() for each in judged(found, first, [(name, first) for name in others])
        ],
        "best": best,
        "percent": {
            name: {
                "value": 100 * (found.means[name].value - top) / top,
                "error": 0.0 if name == best else 100 * found.between(name, best).error / top,
            }
            for name in cells.methods
        },
    }


def _groups(cells: Cells, ratio: float, own: Sequence[Any]) -> dict[str, dict[str, float]]:
    by_seed = [
        recall_of_groups(each, cells.counts(ratio, seed))
        for seed, each in zip(cells.seeds, own, strict=True)
    ]
    names = dict.fromkeys(name for each in by_seed for name in each)
    found = {}
    for name in names:
        values = [each[name] for each in by_seed if name in each]
        error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        found[name] = {"value": float(np.mean(values)), "error": float(error)}
    return found


def scores(cells: Cells, prior: str, metric: str) -> np.ndarray:
    """Return all scores, shape (ratios, values, seeds)."""
    found = []
    for ratio in cells.by_ratio:
        predictions = cells.predictions(ratio, prior)
        by_seed = [
            differences({name: [own[i]] for name, own in predictions.items()}, metric, pairs=[])
            for i in range(len(cells.seeds))
        ]
        found.append([[each.means[name].value for each in by_seed] for name in cells.methods])
    return np.asarray(found)


def interactions(cells: Cells, prior: str, metric: str) -> dict[str, Slope]:
    r"""Return how the gain of each value over the reference changes with the ratio.

    Parameters
    ----------
    cells : Cells
        What is finished; at least two ratios.
    prior : {"as_trained", "balanced"}
        Whether predictions are corrected to equal class frequencies.
    metric : str
        What they are scored by.

    Notes
    -----
    With :math:`s_{vrj}` the score of value :math:`v` at ratio :math:`r` with seed :math:`j`, the
    slope of :math:`s_{vrj} - s_{0rj}` over :math:`\log_{10} r` is fitted for each seed, and
    judged by Student's t over seeds: subsets, orders of classes and test examples are shared
    within a seed and drop out. P-values are corrected after Holm for the number of values.
    """
    all_scores = scores(cells, prior, metric)
    decades = np.log10(list(cells.by_ratio))
    gains = all_scores - all_scores[:, [cells.methods.index(cells.reference)]]
    found = {
        name: slope(decades, gains[:, i])
        for i, name in enumerate(cells.methods)
        if name != cells.reference
    }
    return _corrected(found)


def trend(cells: Cells, prior: str, metric: str) -> dict[str, Any] | None:
    r"""Return how the score changes when an ordered value doubles, at each ratio and over ratios.

    None if fewer than two values are numbers above zero.

    Parameters
    ----------
    cells, prior, metric
        As for `interactions`.

    Returns
    -------
    dict or None
        ``by_ratio`` (ratio to a slope over log2 of the value), and ``interaction`` (how that
        slope changes for each tenfold of the ratio; None with one ratio).
    """
    numbers = [cells.numbers[name] or 0.0 for name in cells.methods]
    here = [i for i, number in enumerate(numbers) if number > 0]
    if len(here) < 2:
        return None
    doublings = np.log2([numbers[i] for i in here])
    all_scores = scores(cells, prior, metric)[:, here]
    by_seed = np.stack([_slopes(doublings, one) for one in all_scores])
    ratios = list(cells.by_ratio)
    together = None if len(ratios) < 2 else slope(np.log10(ratios), by_seed)
    return {
        "by_ratio": {
            f"{ratio:g}": vars(_over_seeds(own)) for ratio, own in zip(ratios, by_seed, strict=True)
        },
        "interaction": None if together is None else vars(together),
    }


def slope(at: np.ndarray, values: np.ndarray) -> Slope:
    """Return the slope of values over places, seed by seed, and what seeds say of it.

    Parameters
    ----------
    at : ndarray of float, shape (places,)
        Where values were measured; not all the same.
    values : ndarray of float, shape (places, seeds)
        What was measured.

    Examples
    --------
    >>> found = slope(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]))
    >>> print(f"{found.value:.1f} ± {found.error:.1f}")
    1.5 ± 0.5
    """
    return _over_seeds(_slopes(at, values))


def _slopes(at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of each column."""
    centred = at - at.mean()
    return centred @ values / (centred @ centred)


def _over_seeds(own: np.ndarray) -> Slope:
    mean, n = float(own.mean()), len(own)
    if n < 2:
        return Slope(value=mean, error=None, low=None, high=None, p=None)
    error = float(own.std(ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return Slope(value=mean, error=error, low=mean - half, high=mean + half, p=p)


def _corrected(found: Mapping[str, Slope]) -> dict[str, Slope]:
    known = {name: each for name, each in found.items() if each.p is not None}
    p = holm([each.p for each in known.values() if each.p is not None])
    corrected = {
        name: Slope(**{**vars(each), "p": float(own)})
        for (name, each), own in zip(known.items(), p, strict=True)
    }
    return {**found, **corrected}
