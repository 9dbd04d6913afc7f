"""What a study shows: how values differ at each ratio, and whether that changes with the ratio."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.metrics.groups import in_order
from equipoise.statistics.judging import judged
from equipoise.statistics.multiplicity import holm
from equipoise.statistics.paired import contrasts, differences
from equipoise.studies.cells import Cells, name_of, recall_of_groups

LEVEL = 0.95
"""Of all intervals."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A change for each tenfold of the imbalance ratio, over seeds.

    Parameters
    ----------
    value : float
        Slope of the mean score, in its unit, over log10 of the ratio.
    error : float or None
        Its standard error; None for one seed.
    low, high : float or None
        Ends of the interval; None for one seed.
    p : float or None
        Two-sided; None for one seed.
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
        value and group of classes, with its standard error over seeds, None of one),
        ``to_reference`` (each other value against it, told apart or not after Holm's correction),
        ``best``, ``percent`` (change from the best value in per cent of it, and the standard error
        of that).
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


def _groups(cells: Cells, ratio: float, own: Sequence[Any]) -> dict[str, dict[str, float | None]]:
    by_seed = [
        recall_of_groups(each, cells.counts(ratio, seed))
        for seed, each in zip(cells.seeds, own, strict=True)
    ]
    found = {}
    for name in ("all", *in_order(name for each in by_seed for name in each)):
        values = [each[name] for each in by_seed if name in each]
        error = None
        if len(values) > 1:
            error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        found[name] = {"value": float(np.mean(values)), "error": error}
    return found


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
    With :math:`s_{vr}` the score of value :math:`v` at ratio :math:`r`, it is the least-squares
    slope of :math:`s_{vr} - s_{0r}` over :math:`\log_{10} r`, a weighted sum of scores whose
    noise, of test examples and of seeds, is that of `equipoise.statistics.paired.contrasts`:
    what cells of one seed share, such as subsets and the order of classes, drops out. P-values
    are corrected after Holm for the number of values.
    """
    along = slope_weights(np.log10(list(cells.by_ratio)))
    others = [name for name in cells.methods if name != cells.reference]
    weights = [
        {
            (ratio, method): sign * weight
            for ratio, weight in zip(cells.by_ratio, along, strict=True)
            for method, sign in ((name, 1), (cells.reference, -1))
        }
        for name in others
    ]
    found = _sums(cells, weights, prior, metric)
    return _corrected(dict(zip(others, found, strict=True)))


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
    numbers = {name: cells.numbers[name] or 0.0 for name in cells.methods}
    here = [name for name, number in numbers.items() if number > 0]
    if len(here) < 2:
        return None
    own = dict(zip(here, slope_weights(np.log2([numbers[name] for name in here])), strict=True))
    ratios = list(cells.by_ratio)
    weights = [{(ratio, name): w for name, w in own.items()} for ratio in ratios]
    if len(ratios) > 1:
        along = dict(zip(ratios, slope_weights(np.log10(ratios)), strict=True))
        weights.append({(r, name): along[r] * w for r in ratios for name, w in own.items()})
    found = [vars(each) for each in _sums(cells, weights, prior, metric)]
    return {
        "by_ratio": dict(zip(map(name_of, ratios), found, strict=False)),
        "interaction": found[-1] if len(ratios) > 1 else None,
    }


def slope_weights(at: np.ndarray) -> list[float]:
    """Return by which a least-squares slope weights the values at each of some places."""
    centred = at - at.mean()
    return (centred / (centred @ centred)).tolist()


def _sums(
    cells: Cells, weights: Sequence[Mapping[tuple[float, str], float]], prior: str, metric: str
) -> list[Slope]:
    """Return weighted sums over cells, each of which is a ratio and a value."""
    tables = [{str(cell): weight for cell, weight in each.items()} for each in weights]
    found = contrasts(cells.all_predictions(prior), tables, metric, level=LEVEL)
    if len(cells.seeds) > 1:
        return [Slope(**vars(each)) for each in found]
    return [Slope(value=each.value, error=None, low=None, high=None, p=None) for each in found]


def _corrected(found: Mapping[str, Slope]) -> dict[str, Slope]:
    known = {name: each for name, each in found.items() if each.p is not None}
    p = holm([each.p for each in known.values() if each.p is not None])
    corrected = {
        name: Slope(**{**vars(each), "p": float(own)})
        for (name, each), own in zip(known.items(), p, strict=True)
    }
    return {**found, **corrected}
