"""How far methods are apart on the same test examples, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.statistics.noise import ExampleNoise, Rows, example_noise
from equipoise.statistics.results import Comparison, Difference, Estimate
from equipoise.statistics.scores import METRICS, contributions
from equipoise.statistics.spread import Spread


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What one method, trained with one seed, predicts for its test examples.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        True classes.
    logits : ndarray, shape (examples, classes)
        Finite logits.
    ids : ndarray, shape (examples,), optional
        Which example each row is, so that rows of other seeds can be recognised. By default
        seeds with the same codes are taken to have the same rows, which errs on the safe side,
        and other seeds to have none in common.
    """

    codes: CodeArray
    logits: LogitArray
    ids: np.ndarray | None = None


def differences(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str = "balanced_accuracy",
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    classes: Sequence[int] | None = None,
    level: float = 0.95,
    pooled: bool = False,
) -> Comparison:
    r"""Compare methods by the mean over seeds of a score.

    Parameters
    ----------
    predictions : mapping of str to sequence of Predictions
        For each method one entry a seed, in the same order of seeds. All methods of one seed
        are tested by the same rows; other seeds have the same rows, others, or some of them.
    metric : str, default="balanced_accuracy"
        One of `METRICS`.
    pairs : sequence of (method, reference), optional
        By default every pair.
    classes : sequence of int, optional
        The group whose mean recall ``"recall"`` is; needed for that metric only.
    level : float, default=0.95
        Confidence level in (0, 1).
    pooled : bool, default=False
        Judge how much seeds differ by all methods together, or by the pair's own seeds where
        that is more. It sees far smaller differences with 2 or 3 seeds, but keeps its level
        only if no method is much more erratic than the others.

    Returns
    -------
    Comparison
        Log-losses in nats, other scores in [0, 1].

    Raises
    ------
    InputError
        If the metric is unknown, or methods have other seeds or other rows.

    Notes
    -----
    Noise of the examples is that of `equipoise.statistics.noise`. With :math:`s` the standard
    deviation of the pair's differences over :math:`S` seeds, the noise of seeds is
    :math:`s^2 / S` with :math:`S - 1` degrees of freedom, or with :math:`(M - 1)(S - 1)` if
    `pooled` over :math:`M` methods. `Spread` joins both. Intervals are for new examples of the
    same classes in the same numbers and for other seeds, not for other training examples where
    all seeds share these.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 1, 1, 1])
    >>> right = Predictions(codes=codes, logits=np.eye(2)[codes])
    >>> wrong = Predictions(codes=codes, logits=np.eye(2)[[0, 0, 1, 1, 0, 1]])
    >>> found = differences({"a": [right], "b": [wrong]}).between("a", "b")
    >>> print(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}), p = {found.p:.2f}")
    0.33 (-0.33 to 1.00), p = 0.23
    """
    names = list(predictions)
    _check(predictions, metric, classes)
    chosen = list(combinations(names, 2)) if pairs is None else list(pairs)
    contrasts = _contrasts(names, chosen)
    scores, rows = _contributions(predictions, metric, classes, contrasts)
    spreads = _spreads(scores, contrasts, example_noise(rows), pooled)
    values = scores.mean(axis=0) @ contrasts.T
    estimates = [
        _estimate(float(value), spread, level, _bounds(metric, is_mean=i < len(names)))
        for i, (value, spread) in enumerate(zip(values, spreads, strict=True))
    ]
    n = len(names)
    return Comparison(
        metric=metric,
        level=level,
        n_seeds=len(scores),
        means=dict(zip(names, estimates[:n], strict=True)),
        differences=tuple(
            Difference(**vars(estimate), method=a, reference=b, p=s.p(estimate.value), spread=s)
            for (a, b), estimate, s in zip(chosen, estimates[n:], spreads[n:], strict=True)
        ),
    )


def _contrasts(names: list[str], pairs: list[tuple[str, str]]) -> np.ndarray:
    """Return rows that pick each method, then rows that subtract one method from another."""
    own = np.eye(len(names))
    picked = [own[names.index(a)] - own[names.index(b)] for a, b in pairs]
    return np.vstack([own, *picked])


def _contributions(
    predictions: Mapping[str, Sequence[Predictions]],
    metric: str,
    classes: Sequence[int] | None,
    contrasts: np.ndarray,
) -> tuple[np.ndarray, list[Rows]]:
    """Return scores, shape (seeds, methods), and the rows of each seed, by contrast."""
    group = None if classes is None else np.asarray(classes)
    scores, rows = [], []
    for ids, seed in zip(_ids(predictions), zip(*predictions.values(), strict=True), strict=True):
        each = [contributions(own.logits, own.codes, metric, group) for own in seed]
        scores.append([own.score for own in each])
        rows.append(
            Rows(
                ids=ids,
                codes=seed[0].codes,
                weights=each[0].weights,
                values=np.stack([part.values for part in each], axis=1) @ contrasts.T,
                lent=np.stack([part.own for part in each], axis=1) @ contrasts.T,
            )
        )
    return np.array(scores), rows


def _ids(predictions: Mapping[str, Sequence[Predictions]]) -> list[np.ndarray]:
    seeds = next(iter(predictions.values()))
    if all(seed.ids is not None for seed in seeds):
        return [np.asarray(seed.ids) for seed in seeds]
    rows = np.arange(max(len(seed.codes) for seed in seeds))
    if all(np.array_equal(seed.codes, seeds[0].codes) for seed in seeds):
        return [rows for _ in seeds]
    return [s * len(rows) + rows[: len(seed.codes)] for s, seed in enumerate(seeds)]


def _spreads(
    scores: np.ndarray, contrasts: np.ndarray, noise: ExampleNoise, pooled: bool
) -> list[Spread]:
    n_seeds, n_methods = scores.shape
    seeds = (scores @ contrasts.T).var(axis=0, ddof=1) / n_seeds if n_seeds > 1 else None
    freedom = n_seeds - 1
    by_pair = [(None if seeds is None else float(seeds[i]), freedom) for i in range(len(contrasts))]
    if pooled and seeds is not None:
        together = _pooled_variance(scores) / n_seeds
        for i in range(n_methods, len(contrasts)):
            if noise.examples[i] > 0 or seeds[i] > 0:  # copies do not differ in any seed
                by_pair[i] = max(float(seeds[i]), together), freedom * (n_methods - 1)
    return [
        Spread(
            examples=float(noise.examples[i]),
            common=float(noise.common[i]),
            example_freedom=float(noise.freedom[i]),
            seeds=of_seeds,
            seed_freedom=seed_freedom,
        )
        for i, (of_seeds, seed_freedom) in enumerate(by_pair)
    ]


def _pooled_variance(scores: np.ndarray) -> float:
    """Return the mean over all pairs of methods of the variance of their differences."""
    n_seeds, n_methods = scores.shape
    apart = scores - scores.mean(axis=1, keepdims=True)
    apart -= apart.mean(axis=0)
    return 2 * float((apart**2).sum()) / ((n_seeds - 1) * (n_methods - 1))


def _estimate(value: float, spread: Spread, level: float, bounds: tuple[float, float]) -> Estimate:
    half = spread.half_width(1 - level)
    low, high = max(value - half, bounds[0]), min(value + half, bounds[1])
    return Estimate(value=value, low=min(low, value), high=max(high, value), error=spread.error)


def _bounds(metric: str, *, is_mean: bool) -> tuple[float, float]:
    """Return the least and the greatest value that a score, or a difference, can have."""
    greatest = math.inf if metric.endswith("log_loss") else 1.0
    return (0.0 if is_mean else -greatest), greatest


def _check(
    predictions: Mapping[str, Sequence[Predictions]], metric: str, classes: Sequence[int] | None
) -> None:
    if metric not in METRICS:
        raise InputError(
            f"The metric must be one of {', '.join(METRICS)}.",
            f"It is {metric!r}.",
            "The default is balanced_accuracy.",
        )
    numbers = {name: len(seeds) for name, seeds in predictions.items()}
    if len(set(numbers.values())) != 1 or 0 in numbers.values():
        raise InputError(
            "All methods must have predictions for the same seeds, at least one.",
            f"The numbers of seeds are {numbers}.",
            "Train the missing ones, or leave out seeds that some methods lack.",
        )
    for number, seed in enumerate(zip(*predictions.values(), strict=True)):
        _check_rows(seed, number, classes if metric == "recall" else range(seed[0].logits.shape[1]))


def _check_rows(seed: Sequence[Predictions], number: int, classes: Sequence[int] | None) -> None:
    first = seed[0]
    if any(
        own.logits.shape != first.logits.shape or not np.array_equal(own.codes, first.codes)
        for own in seed
    ):
        raise InputError(
            "All methods of one seed must predict the same test examples and classes.",
            f"Those of seed number {number} do not.",
            "Give all methods the same data, split and seed.",
        )
    if not np.isin(first.codes, [] if classes is None else list(classes)).any():
        raise InputError(
            "A group of classes whose recall is compared must have test examples.",
            f"Seed number {number} has none of the classes {classes}.",
            "Name classes that occur in every test set.",
        )
