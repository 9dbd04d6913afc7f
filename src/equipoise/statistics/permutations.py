"""What ranks look like where methods are all alike: every order of the ranks within data sets."""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

LIMIT = 200_000
"""Most orders that are counted at a time; beyond it orders are drawn."""

DRAWS = 99_999
"""Orders that are drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Null:
    r"""Rank sums of methods that are alike.

    Parameters
    ----------
    sums : ndarray of int, shape (outcomes, methods)
        Twice the sum of ranks over the data sets, in ascending order.
    shares : ndarray, shape (outcomes,)
        How probable each outcome is.
    is_exact : bool
        All orders were counted, and not some of them drawn.

    Notes
    -----
    If methods are alike, each order of the ranks of one data set is as probable as any other.
    Where orders are drawn, the one that was found is among them: then a p-value is
    :math:`(1 + b) / (1 + B)` for :math:`b` of :math:`B` draws that are as extreme, which is
    never too small on average [1]_.

    References
    ----------
    .. [1] B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Statistical
       Applications in Genetics and Molecular Biology 9, 2010.
    """

    sums: np.ndarray
    shares: np.ndarray
    is_exact: bool

    def p(self, sums: np.ndarray) -> float:
        """Return how probable rank sums are that lie as far apart, by their sum of squares."""
        is_as_far = (self.sums**2).sum(axis=1) >= (sums**2).sum()
        return min(float(self.shares[is_as_far].sum()), 1.0)

    def largest_difference(self, alpha: float) -> float | None:
        """Return which difference of rank sums any two reach with probability at most `alpha`.

        None: even the largest there can be is more probable.
        """
        apart = (self.sums[:, -1] - self.sums[:, 0]) / 2
        values, places = np.unique(apart, return_inverse=True)
        above = np.cumsum(np.bincount(places, self.shares)[::-1])[::-1]
        rare = values[above <= alpha * (1 + 1e-9)]
        return float(rare[0]) if len(rare) else None


def rank_sums(ranks: np.ndarray) -> np.ndarray:
    """Return twice the sum of ranks of each method, whole numbers, in ascending order."""
    return np.sort(np.rint(2 * ranks).astype(np.int64).sum(axis=0))


def null_of(ranks: np.ndarray) -> Null:
    """Return the rank sums that methods which are alike would have, with the same ties.

    Parameters
    ----------
    ranks : ndarray, shape (data sets, methods)
        Ranks within each data set; equal ones share the mean.

    Examples
    --------
    Two data sets that agree on two methods do so with probability one half:

    >>> ranks = np.array([[1.0, 2.0], [1.0, 2.0]])
    >>> null_of(ranks).p(rank_sums(ranks))
    0.5
    """
    rows = np.rint(2 * ranks).astype(np.int64)
    return _counted(rows) or _drawn(rows)


def _counted(rows: np.ndarray) -> Null | None:
    """Count all orders, one data set after the other; None if there are too many."""
    n_orders = math.factorial(rows.shape[1])
    sums, shares = np.sort(rows[:1], axis=1), np.ones(1)  # the first may stay as it is
    for row in rows[1:]:
        if len(sums) * n_orders > LIMIT:
            return None
        orders = np.array(list(permutations(row.tolist())))
        joined = np.sort((sums[:, None] + orders).reshape(-1, len(row)), axis=1)
        joined_shares = np.repeat(shares / n_orders, n_orders)
        sums, places = np.unique(joined, axis=0, return_inverse=True)
        shares = np.bincount(places.ravel(), joined_shares)
    return Null(sums=sums, shares=shares, is_exact=True)


def _drawn(rows: np.ndarray, n: int = DRAWS, at_once: int = 9_999) -> Null:
    random = np.random.default_rng(0)
    found = [rows.sum(axis=0, keepdims=True)]
    for start in range(0, n, at_once):
        shape = (min(at_once, n - start), *rows.shape)
        found.append(random.permuted(np.broadcast_to(rows, shape), axis=2).sum(axis=1))
    sums = np.sort(np.concatenate(found), axis=1)
    return Null(sums=sums, shares=np.full(len(sums), 1 / len(sums)), is_exact=False)
