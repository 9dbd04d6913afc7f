"""Methods compared over several data sets by their ranks."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from equipoise.errors import InputError
from equipoise.statistics.multiplicity import holm
from equipoise.statistics.permutations import DRAWS, Null, null_of, rank_sums


@dataclass(frozen=True, kw_only=True)
class Friedman:
    """Whether any methods differ in rank.

    Parameters
    ----------
    chi2, chi2_p : float
        Friedman's chi-squared, and its p for many data sets.
    f, f_p : float or None
        Iman and Davenport's F, and its p for many data sets; None where all data sets agree, for
        F is infinite then.
    freedom : tuple of int
        Degrees of freedom of F.
    p : float
        By the orders of the ranks within data sets: right for any number of data sets.
    is_exact : bool
        All orders were counted for it, and not some of them drawn.
    """

    chi2: float
    chi2_p: float
    f: float | None
    f_p: float | None
    freedom: tuple[int, int]
    p: float
    is_exact: bool

    @property
    def p_in_words(self) -> str:
        """The p by orders; a bound where none of those that were drawn is as extreme."""
        is_bound = not self.is_exact and self.p < 1.5 / (DRAWS + 1)
        return f"p {'at most' if is_bound else '='} {self.p:.2g}"


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Methods over data sets.

    Parameters
    ----------
    n_sets : int
        Number of data sets.
    ranks : dict of str to float
        Average rank of each method, 1 is best; the best first.
    friedman : Friedman
        Whether any methods differ.
    wilcoxon : dict of (str, str) to float
        Holm's adjusted p of Wilcoxon's signed-rank test, for each pair.
    critical_difference : float or None
        Ranks that differ by at least this much differ significantly; None: with so few data sets
        no difference does.
    cliques : list of tuple of str
        The largest groups of at least two methods whose ranks do not.
    """

    n_sets: int
    ranks: dict[str, float]
    friedman: Friedman
    wilcoxon: dict[tuple[str, str], float]
    critical_difference: float | None
    cliques: list[tuple[str, ...]]


def rank_methods(
    scores: ArrayLike, methods: Sequence[str], *, higher_is_better: bool = True, alpha: float = 0.05
) -> Ranked:
    """Compare methods over several data sets, as Demsar recommends [1]_.

    Parameters
    ----------
    scores : array_like, shape (data sets, methods)
        Finite scores, one a data set and method; at least two of each.
    methods : sequence of str
        Names, in the order of the columns.
    higher_is_better : bool, default=True
        False for losses.
    alpha : float, default=0.05
        Level of the critical difference.

    Returns
    -------
    Ranked
        Equal scores share the mean of their ranks.

    Raises
    ------
    InputError
        If the table does not fit or a score is not finite.

    Notes
    -----
    Few data sets show little: with 5 of them, Wilcoxon's p is never below 0.0625. The critical
    difference is Nemenyi's, which is for many data sets, or the smallest that methods which are
    alike reach with probability `alpha` at most over so few, if that is larger.

    References
    ----------
    .. [1] J. Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal
       of Machine Learning Research 7, 2006.

    Examples
    --------
    >>> scores = [[0.9, 0.8, 0.7], [0.8, 0.8, 0.6], [0.7, 0.6, 0.5], [0.9, 0.7, 0.8]]
    >>> found = rank_methods(scores, ["a", "b", "c"])
    >>> found.ranks
    {'a': 1.125, 'b': 2.125, 'c': 2.75}
    >>> print(f"{found.friedman.p:.3f}", found.critical_difference, found.cliques)
    0.065 1.875 [('a', 'b', 'c')]
    """
    table = _checked(scores, methods)
    # Equal scores may differ in the last digit, by the order in which examples were summed.
    gains = np.round(table if higher_is_better else -table, 12)
    ranks = stats.rankdata(-gains, axis=1)
    means = dict(sorted(zip(methods, ranks.mean(axis=0).tolist(), strict=True), key=lambda m: m[1]))
    null = null_of(ranks)
    critical = _critical(null, ranks.shape, alpha)
    return Ranked(
        n_sets=len(table),
        ranks=means,
        friedman=friedman(ranks, null),
        wilcoxon=_wilcoxon(gains, methods),
        critical_difference=critical,
        cliques=cliques(means, math.inf if critical is None else critical),
    )


def _critical(null: Null, shape: tuple[int, ...], alpha: float) -> float | None:
    n, k = shape
    reached = null.largest_difference(alpha)
    return None if reached is None else max(critical_difference(k, n, alpha), reached / n)


def averaged(scores: ArrayLike, groups: Sequence[Hashable]) -> np.ndarray:
    """Return one row a group, the mean of its rows, in the order in which groups first occur.

    Several tables of the same data are no independent ones: their means are ranked as one.

    Examples
    --------
    >>> averaged([[0.9, 0.8], [0.5, 0.6], [0.7, 0.6]], ["cifar", "yeast", "cifar"])
    array([[0.8, 0.7],
           [0.5, 0.6]])
    """
    table = np.asarray(scores, dtype=float)
    own = list(dict.fromkeys(groups))
    return np.array([table[[g == group for g in groups]].mean(axis=0) for group in own])


def friedman(ranks: np.ndarray, null: Null | None = None) -> Friedman:
    r"""Test whether any methods differ.

    Parameters
    ----------
    ranks : ndarray, shape (data sets, methods)
        Rank of each method on each data set; equal ones share the mean.
    null : Null, optional
        Of these ranks, as `null_of` returns it, if it is known already.

    Returns
    -------
    Friedman
        With :math:`N` data sets, :math:`k` methods and average ranks :math:`R_j`,

        .. math:: \chi_F^2 = \frac{(k - 1) N^2 \sum_j (R_j - \frac{k + 1}{2})^2}
            {\sum_{ij} (r_{ij} - \frac{k + 1}{2})^2}, \qquad
            F_F = \frac{(N - 1) \chi_F^2}{N (k - 1) - \chi_F^2}

        the former corrected for ties, the latter [1]_ less cautious, with :math:`k - 1` and
        :math:`(k - 1)(N - 1)` degrees of freedom. Where all data sets agree, :math:`F_F` is
        infinite; where all methods tie on all, both are 0. Their distributions are those of
        many data sets; ``p`` counts orders of the ranks, see `equipoise.statistics.permutations`.

    References
    ----------
    .. [1] R. L. Iman and J. M. Davenport, "Approximations of the critical region of the
       Friedman statistic", Communications in Statistics 9, 1980.

    Examples
    --------
    >>> found = friedman(np.array([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3]]))
    >>> print(f"{found.chi2:.1f} {found.f:.2f} {found.freedom} {found.p:.3f}")
    4.5 3.86 (2, 6) 0.125
    """
    n, k = ranks.shape
    apart = ranks - (k + 1) / 2
    total = float((apart**2).sum())
    chi2 = (k - 1) * n**2 * float((apart.mean(axis=0) ** 2).sum()) / total if total else 0.0
    left = n * (k - 1) - chi2
    f = (n - 1) * chi2 / left if left > 1e-9 else None
    freedom = (k - 1, (k - 1) * (n - 1))
    orders = null_of(ranks) if null is None else null
    return Friedman(
        chi2=chi2,
        chi2_p=float(stats.chi2.sf(chi2, k - 1)),
        f=f,
        f_p=None if f is None else float(stats.f.sf(f, *freedom)),
        freedom=freedom,
        p=orders.p(rank_sums(ranks)),
        is_exact=orders.is_exact,
    )


def critical_difference(n_methods: int, n_sets: int, alpha: float = 0.05) -> float:
    r"""Return Nemenyi's critical difference of average ranks.

    Parameters
    ----------
    n_methods, n_sets : int
        Methods, at least 2, and data sets, at least 1.
    alpha : float, default=0.05
        Probability that any of the methods' ranks differ by so much if all are alike.

    Returns
    -------
    float
        :math:`q_\alpha \sqrt{k (k + 1) / 6 N}` with :math:`q_\alpha` the Studentized range for
        :math:`k` methods at infinite degrees of freedom over :math:`\sqrt 2` [1]_.

    References
    ----------
    .. [1] J. Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal
       of Machine Learning Research 7, 2006, section 3.2.2.

    Examples
    --------
    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    q = stats.studentized_range.ppf(1 - alpha, n_methods, np.inf) / math.sqrt(2)
    return float(q) * math.sqrt(n_methods * (n_methods + 1) / (6 * n_sets))


def cliques(ranks: dict[str, float], critical: float) -> list[tuple[str, ...]]:
    """Return the largest groups of at least two methods that are less than `critical` apart.

    >>> cliques({"a": 1.0, "b": 1.5, "c": 2.2, "d": 4.0}, 1.0)
    [('a', 'b'), ('b', 'c')]
    """
    names = sorted(ranks, key=ranks.__getitem__)
    found: list[tuple[str, ...]] = []
    last = 0
    for start, first in enumerate(names):
        # A difference that is exactly critical counts as one, whatever rounding has made of it.
        end = sum(ranks[name] - ranks[first] < critical - 1e-9 for name in names)
        if end - start > 1 and end > last:
            found.append(tuple(names[start:end]))
            last = end
    return found


def _wilcoxon(gains: np.ndarray, methods: Sequence[str]) -> dict[tuple[str, str], float]:
    pairs = list(combinations(range(len(methods)), 2))
    p = holm([_signed_rank(gains[:, a] - gains[:, b]) for a, b in pairs])
    return {(methods[a], methods[b]): float(v) for (a, b), v in zip(pairs, p, strict=True)}


def _signed_rank(apart: np.ndarray) -> float:
    if not apart.any():
        return 1.0
    # Pratt: data sets without a difference speak against one, and are not just left out.
    _, p = np.asarray(stats.wilcoxon(apart, zero_method="pratt"))
    return float(p)


def _checked(scores: ArrayLike, methods: Sequence[str]) -> np.ndarray:
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2 or table.shape[1] != len(set(methods)):
        raise InputError(
            "Ranks need a table of at least 2 data sets by 2 methods with different names.",
            f"Its shape is {table.shape}, and the methods are {', '.join(methods)}.",
            "Compare more methods on more data sets.",
        )
    if not np.isfinite(table).all():
        raise InputError(
            "Every method must have a finite score on every data set.",
            f"{np.count_nonzero(~np.isfinite(table))} of the scores are not finite.",
            "Leave out the method or the data set.",
        )
    return table
