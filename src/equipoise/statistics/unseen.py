"""What a handful of test examples did not show of the difference between methods."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.statistics.noise import Rows


@dataclass(frozen=True, kw_only=True)
class Unseen:
    r"""How much of a difference may lie in examples of which none was seen.

    Parameters
    ----------
    wholes : tuple of float, default=()
        For each class, by how much the difference changes if one method is right about all of
        its examples and the other is wrong; above 0.
    sizes : tuple of float, default=()
        For each class, how many of its examples were tested over all seeds; above 0.

    Notes
    -----
    Of :math:`N` examples none shows what holds for a share :math:`\lambda` of their class with
    probability :math:`(1 - \lambda)^N`. So at level :math:`\alpha` a share of up to
    :math:`1 - \alpha^{1/N}` is not ruled out, about :math:`3 / N` at 0.05 [1]_. A spread of what
    was seen says nothing of it: where neither of two methods finds any of 30 rare examples, one
    of them may yet find one in ten, and be no worse in the mean of recalls than the other, which
    was seen to be better on a common class. Of several classes with :math:`U_k` for `wholes` it
    is the largest shift that shows nothing with probability :math:`\alpha`:

    .. math:: u(\alpha) = \max_\lambda \sum_k U_k \lambda_k
        \quad\text{where}\quad \prod_k (1 - \lambda_k)^{N_k} = \alpha

    With :math:`\lambda_k = 1 - \mu N_k / U_k` for those classes in which this is above 0, and
    :math:`\mu` from the condition, it is :math:`\sum_k U_k - \mu \sum_k N_k` over these classes.

    References
    ----------
    .. [1] J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?
       Interpreting zero numerators", JAMA 249, 1983.

    Examples
    --------
    >>> rare = Unseen(wholes=(0.5, 0.5), sizes=(3000, 30))
    >>> for alpha in 0.05, 0.001:
    ...     print(f"{rare.shift(alpha):.3f}")
    0.048
    0.103
    """

    wholes: tuple[float, ...] = ()
    sizes: tuple[float, ...] = ()

    def shift(self, alpha: float) -> float:
        """Return the shift that is not ruled out at a level, in (0, 1]."""
        if not self.wholes:
            return 0.0
        wholes, sizes = np.array(self.wholes), np.array(self.sizes)
        order = np.argsort(sizes / wholes, kind="stable")
        wholes, sizes = wholes[order], sizes[order]
        each = np.log(wholes / sizes)
        # With the first one class, the first two, and so on; all of those taken lie above mu.
        log_mu = (np.cumsum(sizes * each) + math.log(alpha)) / np.cumsum(sizes)
        last = int((each >= log_mu).sum()) - 1
        most, n = np.cumsum(wholes)[last], np.cumsum(sizes)[last]
        return max(float(most - math.exp(log_mu[last]) * n), 0.0)


ALL_SEEN = Unseen()
"""No shift at any level."""


def unseen(runs: Sequence[Rows], shared: float) -> list[Unseen]:
    r"""Return what the test examples of several runs may not have shown, for each score.

    Parameters
    ----------
    runs : sequence of Rows
        At least one; all have the same scores.
    shared : float
        Share :math:`\rho` of its rows that a run has in common with another one; 1 for one run.

    Returns
    -------
    list of Unseen
        Without `Rows.stakes`, and for scores that no example adds anything to, as the
        difference between methods that are right about the same ones, nothing.

    Notes
    -----
    :math:`R` runs with :math:`n` examples of a class each are as good as
    :math:`N = n R / (1 + (R - 1) \rho)` different ones: those of one run if all have the same,
    and of all runs if each has its own.

    Examples
    --------
    >>> rows = Rows(
    ...     ids=np.arange(100), codes=np.repeat([0, 1], [90, 10]), stakes=np.ones((100, 1)),
    ...     weights=np.repeat([1 / 180, 1 / 20], [90, 10]), values=np.eye(100)[:, :1],
    ... )
    >>> [found] = unseen([rows, rows], shared=1.0)
    >>> found.sizes, [round(whole, 3) for whole in found.wholes]
    ((90.0, 10.0), [0.5, 0.5])
    """
    alike = 1 + (len(runs) - 1) * shared
    differs = np.any([(rows.values != 0).any(axis=0) for rows in runs], axis=0)
    sizes, wholes = (np.mean(each, axis=0) for each in _by_class(runs))
    sizes *= len(runs) / alike
    found = []
    for own, is_seen in zip(wholes.T, differs, strict=True):
        here = own > 0
        counted = (tuple(own[here].tolist()), tuple(sizes[here].tolist()))
        found.append(Unseen(wholes=counted[0], sizes=counted[1]) if is_seen else ALL_SEEN)
    return found


def _by_class(runs: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each run the examples of each class, and what all of them add if they turn."""
    n_classes = 1 + max(int(rows.codes.max()) for rows in runs)
    sizes = np.zeros((len(runs), n_classes))
    wholes = np.zeros((len(runs), n_classes, runs[0].values.shape[1]))
    for run, rows in enumerate(runs):
        classes, first, counts = np.unique(rows.codes, return_index=True, return_counts=True)
        sizes[run, classes] = counts
        if rows.stakes is not None:
            wholes[run, classes] = (counts * rows.weights[first])[:, None] * rows.stakes[first]
    return sizes, wholes
