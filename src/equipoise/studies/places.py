"""Places of use: accuracy where classes are otherwise frequent, and the best training for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from equipoise.comparison.results import PRIORS
from equipoise.metrics import shift_logits
from equipoise.statistics.noise import Rows, example_noise
from equipoise.statistics.paired import Predictions
from equipoise.statistics.spread import Spread
from equipoise.statistics.unseen import unseen
from equipoise.statistics.wording import amount, counted, listed, number, score
from equipoise.studies.cells import Cells, name_of
from equipoise.studies.effects import LEVEL

KINDS: Mapping[str, str] = dict(zip(PRIORS, ("as_trained", "corrected"), strict=True))
"""What predictions of each prior are in a place of use: as trained, or corrected to it."""

METRIC = "accuracy"
"""What is told of a place of use."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """What the training ratios of one value are worth in one place of use.

    Parameters
    ----------
    accuracies : ndarray of float, shape (seeds, ratios)
        Share of right answers there.
    spreads : list of Spread
        Of the mean over seeds of each ratio, then of the difference of each of `pairs`.
    pairs : list of (int, int)
        Which ratios these are of.
    """

    accuracies: np.ndarray
    spreads: list[Spread]
    pairs: list[tuple[int, int]]


def deployment(cells: Cells, test_ratios: Sequence[float]) -> list[dict[str, Any]]:
    """Return accuracies in places of use, as trained and corrected to each.

    Parameters
    ----------
    cells : Cells
        What is finished.
    test_ratios : sequence of float
        Imbalance ratios of the places.

    Returns
    -------
    list of dict
        A row for each ``ratio`` of training, ``method`` and ``test_ratio``, with ``as_trained``
        and ``corrected``, one accuracy a seed, and the standard error of the mean of each,
        ``as_trained_error`` and ``corrected_error``: of seeds and of test examples.
    """
    found = {
        (name, test, kind): _place(cells, name, test, prior)
        for name in cells.methods
        for test in test_ratios
        for prior, kind in KINDS.items()
    }
    rows = []
    for i, ratio in enumerate(cells.by_ratio):
        for name in cells.methods:
            for test in test_ratios:
                row = {"ratio": name_of(ratio), "method": name, "test_ratio": test}
                for kind in KINDS.values():
                    own = found[name, test, kind]
                    row[kind] = own.accuracies[:, i].tolist()
                    row[f"{kind}_error"] = own.spreads[i].error
                rows.append(row)
    return rows


def best_ratios(cells: Cells, test_ratios: Sequence[float], prior: str) -> list[dict[str, Any]]:
    """Return which training ratio is best for the reference in each place of use.

    Parameters
    ----------
    cells : Cells
        What is finished.
    test_ratios : sequence of float
        Imbalance ratios of the places.
    prior : {"as_trained", "balanced"}
        Whether predictions are corrected, here to the place.

    Returns
    -------
    list of dict
        For each place ``test_ratio``, ``best`` (a training ratio), ``value`` (its accuracy, with
        ``low`` and ``high``), ``n_pairs``, and ``against``: for every other ``ratio`` the
        ``value`` by which the best is ahead, with ``low`` and ``high``, or None of one seed.
        Empty with one training ratio.

    Notes
    -----
    Differences are paired: of the same test examples and seeds. Which ratio is best is read off
    the same numbers, so that intervals hold for all `n_pairs` pairs of ratios together
    (Bonferroni). They hold the noise of seeds and of test examples as those of
    `equipoise.statistics.paired` do, each example weighted by how frequent its class is there.
    """
    if len(cells.by_ratio) < 2:
        return []
    names = [name_of(ratio) for ratio in cells.by_ratio]
    rows = []
    for test in test_ratios:
        own = _place(cells, cells.reference, test, prior)
        means = own.accuracies.mean(axis=0)
        best = int(means.argmax())
        spreads = dict(zip(own.pairs, own.spreads[len(names) :], strict=True))
        against = []
        for i, name in enumerate(names):
            if i != best:
                ahead, low, high = float(means[best] - means[i]), None, None
                if len(cells.seeds) > 1:
                    spread = spreads[min(i, best), max(i, best)]
                    half = spread.half_width((1 - LEVEL) / len(own.pairs))
                    low, high = max(ahead - half, -1.0), min(ahead + half, 1.0)
                against.append({"ratio": name, "value": ahead, "low": low, "high": high})
        value, half = float(means[best]), own.spreads[best].half_width(1 - LEVEL)
        rows.append(
            {
                "test_ratio": test,
                "best": names[best],
                "value": value,
                "low": max(value - half, 0.0),
                "high": min(value + half, 1.0),
                "n_pairs": len(own.pairs),
                "against": against,
            }
        )
    return rows


def place_sentence(cells: Cells, found: Mapping[str, Any], prior: str) -> str:
    """Return which training ratio is best in one place of use, and how sure that is."""
    how = "as trained" if prior == "as_trained" else "corrected to that place"
    whose = "" if len(cells.methods) < 2 else f" for {cells.labels[cells.reference]}"
    start = (
        f"Where classes have the ratio {found['test_ratio']:g}, training at ratio {found['best']} "
        f"is best{whose} with {score(found['value'], METRIC)} right ({_ends(found)}), {how}"
    )
    if len(cells.seeds) < 2:
        return f"{start}; one seed cannot tell whether that is chance."
    told = [_by(each) for each in found["against"] if each["low"] > 0]
    alike = [_by(each) for each in found["against"] if each["low"] <= 0]
    parts = [f"told apart from {listed(told)}"] if told else []
    parts += [f"not told apart from {listed(alike)}"] if alike else []
    n = found["n_pairs"]
    each = "" if n == 1 else f" The intervals hold for all {counted(n, 'pair')} of ratios."
    return f"{start}, {'; '.join(parts)}.{each}"


def _by(each: Mapping[str, Any]) -> str:
    return f"ratio {each['ratio']} by {amount(each['value'], METRIC)} ({_ends(each)})"


def _ends(own: Mapping[str, Any]) -> str:
    return f"{number(own['low'], METRIC)} to {number(own['high'], METRIC)}"


def _place(cells: Cells, method: str, test_ratio: float, prior: str) -> Place:
    n = len(cells.by_ratio)
    pairs = list(combinations(range(n), 2))
    table = np.vstack([np.eye(n), *(np.eye(n)[i] - np.eye(n)[j] for i, j in pairs)])
    runs = {ratio: results.entries[method] for ratio, results in cells.by_ratio.items()}
    rows, accuracies = [], []
    for seed in cells.seeds:
        shares = cells.shares_elsewhere(seed, test_ratio)
        own = [entries[seed, 0].predictions[prior] for entries in runs.values()]
        right = np.stack([_right(each, shares, prior) for each in own], axis=1)
        codes = own[0].codes
        each = (shares / np.maximum(np.bincount(codes, minlength=len(shares)), 1))[codes]
        weights = each / each.sum()  # of classes without test examples nothing is known
        accuracies.append(weights @ right)
        rows.append(
            Rows(
                ids=np.asarray(own[0].ids),
                codes=codes,
                weights=weights,
                values=right @ table.T,
                stakes=np.ones((len(codes), len(table))),
            )
        )
    scores = np.array(accuracies)
    return Place(accuracies=scores, spreads=_spreads(rows, scores @ table.T), pairs=pairs)


def _right(predictions: Predictions, shares: np.ndarray, prior: str) -> np.ndarray:
    logits = predictions.logits
    if prior != "as_trained":
        logits = shift_logits(logits, np.full(len(shares), 1 / len(shares)), shares)
    return (logits.argmax(axis=1) == predictions.codes).astype(float)


def _spreads(rows: Sequence[Rows], scores: np.ndarray) -> list[Spread]:
    """Return the noise of the mean over seeds of each column."""
    noise, n = example_noise(rows), len(scores)
    variances = scores.var(axis=0, ddof=1) / n if n > 1 else None
    return [
        Spread(
            examples=float(noise.examples[i]),
            common=float(noise.common[i]),
            example_freedom=float(noise.freedom[i]),
            seeds=None if variances is None else float(variances[i]),
            seed_freedom=n - 1,
            unseen=shift,
        )
        for i, shift in enumerate(unseen(rows, noise.shared))
    ]
