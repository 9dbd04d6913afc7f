"""What a handful of test examples did not show of the difference between methods."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.statistics.noise import Rows

_USUAL = 0.05
"""Level at which the class is picked whose unseen examples count most."""


@dataclass(frozen=True, kw_only=True)
class Unseen:
    r"""How much of a difference may lie in examples of one class of which none was seen.

    Parameters
    ----------
    whole : float, default=0.0
        By how much the difference changes if one method is right about all examples of the
        class and the other is wrong.
    n_examples : float, default=1.0
        Different examples of the class that were tested, over all seeds; above 0.
    common : float, default=1.0
        Which part of the square of the shift all seeds have in common, in [0, 1].

    Notes
    -----
    Of :math:`N` examples none shows what holds for a share :math:`\lambda` of its class with
    probability :math:`(1 - \lambda)^N`. So at level :math:`\alpha` a share of up to
    :math:`1 - \alpha^{1/N}` is not ruled out, about :math:`3 / N` at 0.05 [1]_, and shifts the
    difference by

    .. math:: u(\alpha) = U \big(1 - \alpha^{1/N}\big)

    with :math:`U` for `whole`. A spread of what was seen says nothing of it: where neither of
    two methods finds any of 30 rare examples, one of them may yet find one in ten, and be no
    worse in the mean of recalls than the other, which was seen to be better on a common class.

    References
    ----------
    .. [1] J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?
       Interpreting zero numerators", JAMA 249, 1983.

    Examples
    --------
    >>> rare = Unseen(whole=0.5, n_examples=30)
    >>> for alpha in 0.05, 0.001:
    ...     print(f"{rare.shift(alpha):.3f}")
    0.048
    0.103
    """

    whole: float = 0.0
    n_examples: float = 1.0
    common: float = 1.0

    def shift(self, alpha: float) -> float:
        """Return the shift that is not ruled out at a level, in (0, 1]."""
        return -self.whole * math.expm1(math.log(alpha) / self.n_examples)


ALL_SEEN = Unseen()
"""No shift at any level."""


def unseen(runs: Sequence[Rows], shared: float) -> list[Unseen]:
    r"""Return what the test examples of several runs may not have shown, for each score.

    Parameters
    ----------
    runs : sequence of Rows
        At least one; all have the same scores.
    shared : float
        Share :math:`\rho` of its rows that a run has in common with another one.

    Returns
    -------
    list of Unseen
        Of the class that shifts the score most at level 0.05. Without `Rows.stakes`, and for
        scores that no example adds anything to, as the difference between copies, nothing.

    Notes
    -----
    :math:`R` runs with :math:`n` examples of a class have :math:`N = n R / (1 + (R - 1) \rho)`
    different ones, and the part :math:`R \rho / (1 + (R - 1) \rho)` in common: all of it if they
    have the same rows, nothing if each has its own.

    One class is enough. The probability that nothing is seen of shares of several classes is
    the product of those of each, so all together have hardly more examples unseen than one may
    have alone, and in this one they count most.

    Examples
    --------
    >>> rows = Rows(
    ...     ids=np.arange(100), codes=np.repeat([0, 1], [90, 10]), stakes=np.ones((100, 1)),
    ...     weights=np.repeat([1 / 180, 1 / 20], [90, 10]), values=np.eye(100)[:, :1],
    ... )
    >>> [found] = unseen([rows, rows], shared=1.0)
    >>> print(f"{found.whole:.1f} of {found.n_examples:.0f}")
    0.5 of 10
    """
    alike = 1 + (len(runs) - 1) * shared
    differs = np.any([(rows.values != 0).any(axis=0) for rows in runs], axis=0)
    sizes, wholes = (np.mean(each, axis=0) for each in _by_class(runs))
    sizes = np.maximum(sizes * len(runs) / alike, np.finfo(float).tiny)
    chosen = (wholes * (1 - _USUAL ** (1 / sizes))[:, None]).argmax(axis=0)
    return [
        Unseen(
            whole=float(wholes[code, score] * differs[score]),
            n_examples=float(sizes[code]),
            common=len(runs) * shared / alike,
        )
        for score, code in enumerate(chosen)
    ]


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
