"""How far methods are apart on the same test examples, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.statistics.means import mean_ends
from equipoise.statistics.noise import ExampleNoise, Rows, example_noise
from equipoise.statistics.results import Comparison, Contrast, Difference, Estimate
from equipoise.statistics.scores import METRICS, Contributions, contributions, score_interval
from equipoise.statistics.spread import Spread
from equipoise.statistics.unseen import unseen


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What one method, trained once, predicts for its test examples.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        True classes.
    logits : ndarray, shape (examples, classes)
        Finite logits.
    ids : ndarray, shape (examples,), optional
        Which example each row is, so that rows of other runs can be recognised. By default
        runs with the same codes are taken to have the same rows, which errs on the safe side,
        and other runs to have none in common.
    """

    codes: CodeArray
    logits: LogitArray
    ids: np.ndarray | None = None


def differences(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str = "balanced_accuracy",
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    classes: Sequence[Sequence[int]] | None = None,
    seeds: Sequence[int] | None = None,
    level: float = 0.95,
) -> Comparison:
    r"""Compare methods by the mean over runs of a score.

    Parameters
    ----------
    predictions : mapping of str to sequence of Predictions
        For each method one entry a run, in the same order of runs: one a seed, or several that
        differ in which classes are rare. The runs of all methods in one place are tested by the
        same rows; those in other places by the same rows, others, or some of them.
    metric : str, default="balanced_accuracy"
        One of `METRICS`.
    pairs : sequence of (method, reference), optional
        By default every pair.
    classes : sequence of sequence of int, optional
        For each run the group whose mean recall ``"recall"`` is; needed for that metric only.
    seeds : sequence of int, optional
        For each run its seed; by default every run has its own.
    level : float, default=0.95
        Confidence level in (0, 1).

    Returns
    -------
    Comparison
        Log-losses in nats, other scores in [0, 1].

    Raises
    ------
    InputError
        If the metric is unknown, or methods have other runs or other rows.

    Notes
    -----
    A method's mean has the interval of `equipoise.statistics.means`: for one run that of
    `equipoise.metrics`. In differences the noise of the examples is that of
    `equipoise.statistics.noise`, with what they may not have shown of
    `equipoise.statistics.unseen` for scores that count answers. With :math:`d_r` the pair's
    difference in run :math:`r` of :math:`R`, :math:`\bar d` their mean and :math:`S` seeds, the
    noise of seeds has :math:`S - 1` degrees of freedom and the variance

    .. math:: \frac{S}{S - 1} \sum_s \Big(\sum_{r \in s} \frac{d_r - \bar d}{R}\Big)^2

    where the runs of one seed count together, for they have more than the method in common.
    With the same number of runs for each seed it is :math:`s^2 / S`, with :math:`s` the standard
    deviation of the means of the seeds. `Spread` joins both. Intervals are for new examples of
    the same classes in the same numbers and for other seeds, not for other training examples
    where all seeds share these, nor for other orders of the classes where all seeds have one.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 1, 1, 1])
    >>> right = Predictions(codes=codes, logits=np.eye(2)[codes])
    >>> wrong = Predictions(codes=codes, logits=np.eye(2)[[0, 0, 1, 1, 0, 1]])
    >>> found = differences({"a": [right], "b": [wrong]}).between("a", "b")
    >>> print(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}), p = {found.p:.2f}")
    0.33 (-0.44 to 1.00), p = 0.30
    """
    names = list(predictions)
    _check(predictions, metric, classes)
    chosen = list(combinations(names, 2)) if pairs is None else list(pairs)
    scores, rows = _contributions(predictions, metric, classes, _picked(names, chosen))
    which = np.unique(range(len(scores)) if seeds is None else seeds, return_inverse=True)[1]
    noise = example_noise(rows)
    spreads = _spreads(scores, which, rows, noise, counts=not metric.endswith("log_loss"))
    n = len(names)
    low, high = mean_ends(
        scores[:, :n],
        _ends(predictions, metric, classes, level),
        shared=noise.shared,
        seeds=np.array([spread.seeds or 0.0 for spread in spreads[:n]]),
        seed_freedom=int(which.max()),
        level=level,
    )
    values = scores.mean(axis=0).tolist()
    return Comparison(
        metric=metric,
        level=level,
        n_seeds=int(which.max()) + 1,
        n_runs=len(scores),
        means={
            name: _estimate(values[i], low[i], high[i], spreads[i], (0.0, _greatest(metric)))
            for i, name in enumerate(names)
        },
        differences=tuple(
            _difference(pair, value, spread, level, metric)
            for pair, value, spread in zip(chosen, values[n:], spreads[n:], strict=True)
        ),
    )


def contrasts(
    predictions: Mapping[str, Sequence[Predictions]],
    weights: Sequence[Mapping[str, float]],
    metric: str = "balanced_accuracy",
    *,
    level: float = 0.95,
) -> list[Contrast]:
    """Return weighted sums of the methods' mean scores, and how sure these are.

    A difference is the sum with weights 1 and -1; the slope of scores over a scale is one, too.

    Parameters
    ----------
    predictions, metric, level
        As for `differences`; every run has a seed of its own.
    weights : sequence of mapping of str to float
        For each sum the methods and their weights; without a weight a method is left out.

    Returns
    -------
    list of Contrast
        With noise of examples and of seeds as in `differences`, but no ends to their values.

    Raises
    ------
    InputError
        As of `differences`.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 1, 1, 1])
    >>> right = Predictions(codes=codes, logits=np.eye(2)[codes])
    >>> wrong = Predictions(codes=codes, logits=np.eye(2)[[0, 0, 1, 1, 0, 1]])
    >>> both = {"a": [right], "b": [wrong]}
    >>> [sum_] = contrasts(both, [{"a": 1.0, "b": -1.0}])
    >>> sum_.value == differences(both).between("a", "b").value
    True
    """
    _check(predictions, metric, None)
    table = np.array([[own.get(name, 0.0) for name in predictions] for own in weights])
    scores, rows = _contributions(predictions, metric, None, table)
    counts = not metric.endswith("log_loss")
    noise = example_noise(rows)
    spreads = _spreads(scores, np.arange(len(scores)), rows, noise, counts=counts)
    return [
        Contrast(
            value=value,
            low=value - spread.half_width(1 - level),
            high=value + spread.half_width(1 - level),
            error=spread.error,
            p=spread.p(value),
        )
        for value, spread in zip(scores.mean(axis=0).tolist(), spreads, strict=True)
    ]


def _picked(names: list[str], pairs: list[tuple[str, str]]) -> np.ndarray:
    """Return rows that pick each method, then rows that subtract one method from another."""
    own = np.eye(len(names))
    picked = [own[names.index(a)] - own[names.index(b)] for a, b in pairs]
    return np.vstack([own, *picked])


def _contributions(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str,
    classes: Sequence[Sequence[int]] | None,
    table: np.ndarray,
) -> tuple[np.ndarray, list[Rows]]:
    """Return sums of scores, shape (runs, sums), and rows of each run; a row of `table` a sum."""
    scores, rows = [], []
    runs = zip(_ids(predictions), zip(*predictions.values(), strict=True), strict=True)
    for number, (ids, run) in enumerate(runs):
        group = _group(classes, number)
        each = [contributions(own.logits, own.codes, metric, group) for own in run]
        scores.append([own.score for own in each])
        rows.append(
            Rows(
                ids=ids,
                codes=run[0].codes,
                weights=each[0].weights,
                values=_sums([part.values for part in each], table),
                lent=_sums([part.own for part in each], table),
                stakes=_stakes(each, table),
            )
        )
    return _sums(list(np.transpose(scores)), table), rows


def _sums(parts: Sequence[np.ndarray], table: np.ndarray) -> np.ndarray:
    """Return sums with the weights of a row of the table each; what is rounding alone is 0."""
    stacked = np.stack(parts, axis=1)
    sums = stacked @ table.T
    return np.where(abs(sums) > 1e-12 * (abs(stacked) @ abs(table.T)), sums, 0.0)


def _stakes(each: Sequence[Contributions], table: np.ndarray) -> np.ndarray | None:
    """Return what an example adds to a sum if all methods of one sign are right, the rest wrong."""
    own = [part.stakes for part in each if part.stakes is not None]
    if not own:
        return None
    stacked = np.stack(own, axis=1)
    return np.maximum(stacked @ np.maximum(table, 0).T, stacked @ np.maximum(-table, 0).T)


def _ids(predictions: Mapping[str, Sequence[Predictions]]) -> list[np.ndarray]:
    runs = next(iter(predictions.values()))
    if all(run.ids is not None for run in runs):
        return [np.asarray(run.ids) for run in runs]
    rows = np.arange(max(len(run.codes) for run in runs))
    if all(np.array_equal(run.codes, runs[0].codes) for run in runs):
        return [rows for _ in runs]
    return [r * len(rows) + rows[: len(run.codes)] for r, run in enumerate(runs)]


def _spreads(
    values: np.ndarray,
    seeds: np.ndarray,
    rows: Sequence[Rows],
    noise: ExampleNoise,
    *,
    counts: bool,
) -> list[Spread]:
    """Return the noise of each contrast's mean; values have the shape (runs, contrasts).

    Where a score `counts` answers, a difference lies in some examples, and so brings noise.
    """
    n_seeds = int(seeds.max()) + 1
    by_seed = np.zeros((n_seeds, values.shape[1]))
    np.add.at(by_seed, seeds, (values - values.mean(axis=0)) / len(values))
    variances = (by_seed**2).sum(axis=0) * n_seeds / max(n_seeds - 1, 1)
    return [
        Spread(
            examples=float(noise.examples[i]),
            common=float(noise.common[i]),
            example_freedom=float(noise.freedom[i]),
            seeds=float(of_seeds) if n_seeds > 1 else None,
            seed_freedom=n_seeds - 1,
            brought=float(noise.brought[i]) if counts else 0.0,
            unseen=shift,
        )
        for i, (of_seeds, shift) in enumerate(
            zip(variances, unseen(rows, noise.shared), strict=True)
        )
    ]


def _ends(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str,
    classes: Sequence[Sequence[int]] | None,
    level: float,
) -> np.ndarray:
    """Return the interval of each run by itself, shape (runs, methods, 2)."""
    return np.array(
        [
            [
                score_interval(own.logits, own.codes, metric, _group(classes, number), level)
                for own in run
            ]
            for number, run in enumerate(zip(*predictions.values(), strict=True))
        ]
    )


def _group(classes: Sequence[Sequence[int]] | None, number: int) -> np.ndarray | None:
    return None if classes is None else np.asarray(classes[number])


def _difference(
    pair: tuple[str, str], value: float, spread: Spread, level: float, metric: str
) -> Difference:
    half, most = spread.half_width(1 - level), _greatest(metric)
    found = _estimate(value, value - half, value + half, spread, (-most, most))
    method, reference = pair
    return Difference(
        **vars(found), method=method, reference=reference, p=spread.p(value), spread=spread
    )


def _estimate(
    value: float, low: float, high: float, spread: Spread, bounds: tuple[float, float]
) -> Estimate:
    return Estimate(
        value=value,
        low=float(min(max(low, bounds[0]), value)),
        high=float(max(min(high, bounds[1]), value)),
        error=spread.error,
    )


def _greatest(metric: str) -> float:
    """Return the greatest value that a score, or a difference, can have."""
    return math.inf if metric.endswith("log_loss") else 1.0


def _check(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str,
    classes: Sequence[Sequence[int]] | None,
) -> None:
    if metric not in METRICS:
        raise InputError(
            f"The metric must be one of {', '.join(METRICS)}.",
            f"It is {metric!r}.",
            "The default is balanced_accuracy.",
        )
    numbers = {name: len(runs) for name, runs in predictions.items()}
    if len(set(numbers.values())) != 1 or 0 in numbers.values():
        raise InputError(
            "All methods must have predictions for the same runs, at least one.",
            f"The numbers of runs are {numbers}.",
            "Train the missing ones, or leave out runs that some methods lack.",
        )
    for number, run in enumerate(zip(*predictions.values(), strict=True)):
        group = [] if classes is None else classes[number]
        _check_rows(run, number, group if metric == "recall" else range(run[0].logits.shape[1]))


def _check_rows(run: Sequence[Predictions], number: int, classes: Sequence[int]) -> None:
    first = run[0]
    if any(
        own.logits.shape != first.logits.shape or not np.array_equal(own.codes, first.codes)
        for own in run
    ):
        raise InputError(
            "All methods must predict the same test examples and classes in one run.",
            f"In run number {number} they do not.",
            "Give all methods the same data, split and seed.",
        )
    if not np.isin(first.codes, list(classes)).any():
        raise InputError(
            "A group of classes whose recall is compared must have test examples.",
            f"Run number {number} has none of the classes {list(classes)}.",
            "Name classes that occur in every test set.",
        )
