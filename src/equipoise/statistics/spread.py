"""How far a mean over seeds may lie from the truth: test examples and seeds apart, then joined."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special

from equipoise.statistics.unseen import ALL_SEEN, Unseen

_TINIEST = 1e-15
"""No probability below this is told."""

POWER = 0.8
"""Chance to see a difference that is as large as the smallest detectable one."""

_EXAMPLES, _SEEDS = (
    (np.polynomial.legendre.leggauss(n) + np.array([[1.0], [0.0]])) / 2 for n in (64, 320)
)
"""Probabilities, and their weights in a mean over 0 to 1 (Gauss and Legendre); with 2 seeds the
half-width varies so much that few would not do."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    r"""Variances of a mean over seeds, and the half-width that they make together.

    Parameters
    ----------
    examples : float
        Variance from the draw of the test examples, were there no other noise.
    common : float
        The part of it that all seeds have in common, since they are tested by the same rows; 0
        where every seed has its own.
    example_freedom : float
        Degrees of freedom behind both.
    seeds : float or None
        Squared standard deviation between seeds over their number; None for one seed, of which
        nothing is known.
    seed_freedom : int
        Degrees of freedom behind it.
    brought : float, default=0.0
        How much the examples' variance grows with a difference :math:`\delta`: it becomes
        :math:`1 + b\,\delta (1 - \delta)` times as large, with :math:`b` this number.
    unseen : Unseen, optional
        What the examples may not have shown; by default nothing.

    Notes
    -----
    The deviation between seeds holds the noise of training and that part of the examples' noise
    which seeds do not share, so only the common part :math:`C` is added. With Student's
    quantiles :math:`t` at the respective degrees of freedom and variance :math:`A` from seeds,
    the half-width is

    .. math:: h = \sqrt{\max\left(t_C^2 C + t_A^2 A,\; t_C^2 V\right) + u^2}

    with the examples' variance :math:`V`, below which noise cannot fall, and the shift :math:`u`
    that examples did not show. That it is added as if it were independent is a convention; where
    classes show many differences it makes intervals wider than they need be. If nothing is
    unseen, the noise is normal and the variances are independent, such an interval covers the
    truth at least as often as it claims [1]_, at any ratio of the two. With Satterthwaite's
    degrees of freedom it need not: 2 seeds that agree by chance give many, and in simulations of
    methods that were alike, with 2 seeds that differ much, such a test at level 5 % told 10 % of
    pairs apart.

    References
    ----------
    .. [1] S. K. Banerjee, "Approximate confidence interval for linear functions of means of k
       populations when the population variances are not equal", Sankhya 22, 1960.

    Examples
    --------
    Two seeds know little of how much seeds differ:

    >>> for freedom in 1, 4, 100:
    ...     both = Spread(
    ...         examples=1, common=1, example_freedom=1000, seeds=1, seed_freedom=freedom
    ...     )
    ...     print(f"{both.half_width(0.05):.1f}")
    12.9
    3.4
    2.8
    """

    examples: float
    common: float
    example_freedom: float
    seeds: float | None
    seed_freedom: int
    brought: float = 0.0
    unseen: Unseen = ALL_SEEN

    @property
    def error(self) -> float:
        """Standard error, of what was seen."""
        return math.sqrt(max(self.common + (self.seeds or 0.0), self.examples))

    def half_width(self, alpha: float) -> float:
        """Return the half-width of an interval that misses the truth with probability `alpha`."""
        return self._joined(alpha / 2)

    def p(self, difference: float) -> float:
        """Return the two-sided p: the smallest `alpha` whose interval leaves out zero."""
        distance = abs(difference)
        if distance == 0 or self.half_width(1 - 1e-12) >= distance:
            return 1.0
        if self.half_width(_TINIEST) <= distance:
            return _TINIEST
        solved = optimize.root_scalar(
            lambda log: self.half_width(math.exp(log)) - distance,
            bracket=(math.log(_TINIEST), math.log(1 - 1e-12)),
        )
        return math.exp(solved.root)

    def detectable(self, alpha: float) -> float:
        r"""Return the true difference that is told with probability `POWER` at level `alpha`.

        The variances are taken for the true ones of methods that are alike; what a difference
        brings comes to them. If one method is right about a share :math:`\delta` of each class's
        examples, about which the other is wrong, and all else is as it was, the sum
        :math:`\sum_i w_i d_i` gains the variance
        :math:`\delta (1 - \delta) \sum_i w_i^2`, as large a part of which is common to the
        seeds as of the noise that is there.

        Where there is only one variance, its square root :math:`\sigma` and the degrees of
        freedom :math:`\nu`, the difference :math:`\delta` is that at which a noncentral t with
        parameter :math:`\delta / \sigma` exceeds :math:`t_{1-\alpha/2}` with probability 0.8.
        Where there are both, the probability to exceed the half-width is averaged over what the
        variances might have been estimated as.
        """
        if self.error == 0:
            return self.half_width(alpha)

        def missing(size: float) -> float:
            own = self._with_difference(size)
            told = special.ndtr((size - own._estimated_half_widths(alpha)) / own.error)
            return float(_EXAMPLES[1] @ told @ _SEEDS[1]) - POWER

        most = self.error
        while missing(most) < 0:
            most *= 2
        return optimize.root_scalar(missing, bracket=(0, most)).root

    def _with_difference(self, size: float) -> "Spread":
        """Return the spread where the methods differ by so much."""
        more = self.brought * size * max(1 - size, 0)
        own = max(self.examples - self.common, 0)
        return replace(
            self,
            examples=self.examples * (1 + more),
            common=self.common * (1 + more),
            seeds=None if self.seeds is None else self.seeds + own * more,
        )

    def _estimated_half_widths(self, alpha: float) -> np.ndarray:
        """Return half-widths as they come out, shape (nodes of examples, nodes of seeds)."""
        own = _estimates(self.example_freedom, _EXAMPLES[0])[:, None]
        t = special.stdtrit(self.example_freedom, alpha / 2)
        shift = self.unseen.shift(alpha) ** 2
        least = t**2 * own * self.examples
        if self.seeds is None:
            return np.repeat(np.sqrt(least + shift), len(_SEEDS[0]), axis=1)
        of_seeds = special.stdtrit(self.seed_freedom, alpha / 2) ** 2 * self.seeds
        both = t**2 * own * self.common + of_seeds * _estimates(self.seed_freedom, _SEEDS[0])
        return np.sqrt(np.maximum(both, least) + shift)

    def _joined(self, above: float) -> float:
        # By the upper tail, for 1 - alpha / 2 would round to 1.
        t = -special.stdtrit(self.example_freedom, above)
        shift = self.unseen.shift(2 * above) ** 2
        least = t**2 * self.examples
        if self.seeds is None:
            return math.sqrt(least + shift)
        both = t**2 * self.common + special.stdtrit(self.seed_freedom, above) ** 2 * self.seeds
        return math.sqrt(max(both, least) + shift)


def _estimates(freedom: float, at: np.ndarray) -> np.ndarray:
    """Return quantiles of an estimated variance over the true one."""
    return special.gammaincinv(freedom / 2, at) * 2 / freedom
