"""Whether scores differ between choices by more than chance, for all choices together."""

from collections.abc import Mapping

import numpy as np

from equipoise.seeds import derive_seed

SHUFFLES = 1999
"""Times that scores are shuffled among trials, with time enough."""


def probabilities(
    groups: Mapping[str, np.ndarray], gains: np.ndarray, *, seed: int, shuffles: int = SHUFFLES
) -> dict[str, float]:
    r"""Return how probable differences between groups are where no choice matters.

    Parameters
    ----------
    groups : mapping of str to ndarray of int, shape (trials,)
        For each choice the group that each trial belongs to.
    gains : ndarray of float, shape (trials,)
        Scores; their ranks are compared.
    seed : int
        Seed of the shuffles.
    shuffles : int, default=1999
        How many there are: no probability below 1 in one more is found.

    Returns
    -------
    dict of str to float
        With :math:`R_k` the sum of ranks in group :math:`k` of :math:`n_k` trials, a choice has
        :math:`H_j = \sum_k R_k^2 / n_k`, as in the test of Kruskal and Wallis [1]_, and
        :math:`p_j`, the share of shuffles whose :math:`H_j` is as large. What is returned is the
        share of shuffles in which *any* choice has as small a :math:`p` [2]_: where nothing
        matters, one of them is below 0.05 in one search of twenty, however many there are.

    References
    ----------
    .. [1] W. H. Kruskal and W. A. Wallis, "Use of ranks in one-criterion variance analysis",
       Journal of the American Statistical Association, 1952.
    .. [2] P. H. Westfall and S. S. Young, "Resampling-based multiple testing", Wiley, 1993
       (single step, smallest p).

    Examples
    --------
    >>> groups = {"a": np.arange(40) % 2, "b": np.arange(40) // 2 % 2}
    >>> found = probabilities(groups, np.arange(40) % 2 + 0.01 * np.arange(40), seed=0)
    >>> found["a"] < 0.01, found["b"] > 0.2
    (True, True)
    """
    random = np.random.default_rng(derive_seed(seed, "chance"))
    ranks = _ranks(gains)
    # The scores as they are come first; they count as one of the shuffles.
    shuffled = np.stack([ranks, *(random.permutation(ranks) for _ in range(shuffles))])
    p = np.stack([_shares(_statistics(codes, shuffled)) for codes in groups.values()])
    smallest = p.min(axis=0)
    return {name: float((smallest <= p[j, 0]).mean()) for j, name in enumerate(groups)}


def _ranks(gains: np.ndarray) -> np.ndarray:
    """Return ranks from 1; equal scores share the mean of theirs."""
    _, codes, counts = np.unique(gains, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[codes]


def _statistics(codes: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    inside = codes[:, None] == np.unique(codes)
    # Rounded, for equal sums of halves may differ in their last digit.
    return ((shuffled @ inside) ** 2 / inside.sum(axis=0)).sum(axis=1).round(6)


def _shares(statistics: np.ndarray) -> np.ndarray:
    """Return for each value the share of values that are as large."""
    return 1 - np.searchsorted(np.sort(statistics), statistics) / len(statistics)
