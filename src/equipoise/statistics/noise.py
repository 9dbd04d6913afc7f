"""How much a mean over seeds varies with the draw of the test examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray

_BORROWED = 2
"""How many examples the other classes lend each class when its spread is judged."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What the test examples of one seed add to one or more scores.

    Parameters
    ----------
    ids : ndarray, shape (examples,)
        The same number means the same example, also in other seeds.
    codes : ndarray of int, shape (examples,)
        True classes.
    weights : ndarray, shape (examples,)
        Weight of each example, the same within a class.
    values : ndarray, shape (examples, scores)
        What each example adds to each score; for a difference, the difference of what it adds.
    lent : ndarray, shape (examples, scores), optional
        The part of the values that tells other classes about their spread; by default all.
    stakes : ndarray, shape (examples, scores), optional
        What an example adds at most in absolute value, the same within a class; None for
        losses. It is for `equipoise.statistics.unseen`.
    """

    ids: np.ndarray
    codes: CodeArray
    weights: np.ndarray
    values: np.ndarray
    lent: np.ndarray | None = None
    stakes: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ExampleNoise:
    r"""Variances of the mean over seeds; see `equipoise.statistics.spread.Spread`.

    Parameters
    ----------
    examples : ndarray, shape (scores,)
        From the draw of the test examples.
    common : ndarray, shape (scores,)
        The part that all seeds have in common.
    freedom : ndarray, shape (scores,)
        Degrees of freedom behind both.
    brought : ndarray, shape (scores,)
        :math:`\sum_i w_i^2` over the variance of one seed; see `Spread`.
    shared : float
        Share of its rows that a seed has in common with another one; 1 for one seed.
    """

    examples: np.ndarray
    common: np.ndarray
    freedom: np.ndarray
    brought: np.ndarray
    shared: float


def example_noise(seeds: Sequence[Rows]) -> ExampleNoise:
    r"""Return how much the mean over seeds varies with the draw of the test examples.

    Parameters
    ----------
    seeds : sequence of Rows
        At least one; all have the same scores.

    Returns
    -------
    ExampleNoise
        All zero where no example adds anything, as to the difference between copies.

    Notes
    -----
    It is what a bootstrap within the classes, with the same resample for all methods, tends to
    with ever more resamples, but for three corrections. The weighted sum
    :math:`\sum_i w_i d_i` of one seed has the variance

    .. math:: \sum_k w_k^2 n_k \frac{Q_k + m s_0^2}{n_k - 1 + m},
        \qquad Q_k = \sum_{i \in k} (d_i - \bar d_k)^2

    First, :math:`n_k - 1` and not :math:`n_k`, for a resample varies too little. Second, 3
    examples that agree say little about their class's spread: :math:`m = 2` more are borrowed
    from a pool that holds all classes in equal parts, with variance :math:`s_0^2` about its
    mean; this only ever raises the sum. Third, the pool has one example more, half of it at
    each of plus and minus the largest :math:`|d_i|`. Degrees of freedom are those of Welch and
    Satterthwaite over the classes.

    Two seeds have in common the covariance over the rows that both were tested by, and that
    share of what was borrowed.

    Examples
    --------
    >>> rows = Rows(
    ...     ids=np.arange(100), codes=np.repeat([0, 1], 50), weights=np.full(100, 0.01),
    ...     values=np.tile([[0.0], [1.0]], (50, 1)),
    ... )
    >>> print(f"{example_noise([rows]).examples[0]:.4f}; a binomial's is {0.25 / 100:.4f}")
    0.0026; a binomial's is 0.0025
    """
    judged = [_variances(rows) for rows in seeds]
    raw = np.mean([each.raw for each in judged], axis=0)
    alone = np.mean([each.total for each in judged], axis=0)
    freedom = np.sum([each.freedom for each in judged], axis=0)
    of_ones = np.mean([rows.weights @ rows.weights for rows in seeds])
    brought = np.divide(of_ones, alone, out=np.zeros_like(alone), where=alone > 0)
    n = len(seeds)
    if n == 1:
        return ExampleNoise(
            examples=alone, common=alone, freedom=freedom, brought=brought, shared=1.0
        )
    shared, covariance = _in_common(seeds, [each.deviations for each in judged])
    common = np.maximum(covariance, 0) + shared * (alone - raw)
    return ExampleNoise(
        examples=alone / n + (n - 1) / n * common,
        common=common,
        freedom=np.maximum(freedom / (1 + (n - 1) * shared), 1),
        brought=brought,
        shared=shared,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Judged:
    """Variances of one seed without and with what is borrowed, and weighted deviations."""

    raw: np.ndarray
    total: np.ndarray
    freedom: np.ndarray
    deviations: np.ndarray


def _variances(rows: Rows) -> _Judged:
    classes, groups = np.unique(rows.codes, return_inverse=True)
    n = np.bincount(groups)[:, None]
    weights = np.zeros((len(classes), 1))
    weights[groups, 0] = rows.weights
    means = _class_sums(rows.values, groups) / n
    apart = rows.values - means[groups]
    squares = _class_sums(apart**2, groups)
    counted = rows.weights > 0
    lent = rows.values if rows.lent is None else rows.lent
    pool = _pool(lent[counted], rows.codes[counted])
    parts = weights**2 * n * (squares + _BORROWED * pool) / (n - 1 + _BORROWED)
    scale = weights * np.sqrt(n / np.maximum(n - 1, 1))
    raw = (weights**2 * n * squares / np.maximum(n - 1, 1)).sum(axis=0)
    total = parts.sum(axis=0)
    spread_out = (parts**2 / np.maximum(n - 1, 1)).sum(axis=0)
    freedom = np.divide(total**2, spread_out, out=np.ones_like(total), where=spread_out > 0)
    return _Judged(
        raw=raw,
        total=np.maximum(total, raw),
        freedom=np.maximum(freedom, 1),
        deviations=apart * scale[groups],
    )


def _class_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
    return np.add.reduceat(values[order], starts, axis=0)


def _pool(values: np.ndarray, codes: CodeArray) -> np.ndarray:
    """Return the variance of a pool of all classes in equal parts, with one example more."""
    classes, groups = np.unique(codes, return_inverse=True)
    equal = 1 / (len(classes) * np.bincount(groups)[groups])
    mean, n = equal @ values, len(values)
    variance = equal @ (values - mean) ** 2
    largest = np.abs(values).max(axis=0)
    return (n * variance + largest**2 + mean**2) / (n + 1)


def _in_common(seeds: Sequence[Rows], deviations: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """Return which share of its rows a seed has in common with another, and their covariance."""
    _, places, uses = np.unique(
        np.concatenate([rows.ids for rows in seeds]), return_inverse=True, return_counts=True
    )
    n = len(seeds)
    sums = np.zeros((len(uses), deviations[0].shape[1]))
    squares, start = np.zeros(sums.shape[1]), 0
    for own in deviations:
        sums[places[start : start + len(own)]] += own
        squares += (own**2).sum(axis=0)
        start += len(own)
    covariance = ((sums**2).sum(axis=0) - squares) / (n * (n - 1))
    return float(uses @ (uses - 1) / uses.sum() / (n - 1)), covariance
