"""Intervals for what is made of one value a class: their mean, geometric mean and minimum.

Resampling the examples cannot do this. A class of 3 examples that are all right has no wrong
one to draw, and a prior that pulls each class towards one half pulls the mean of 100 classes
just as far while its interval shrinks. Here each class keeps the interval of its own size,
and these are combined.
"""

import math

import numpy as np

from equipoise._typing import CountArray, PriorArray
from equipoise.metrics.intervals import clopper_pearson, corrected_wilson, normal_quantile, wilson


def mean_interval(
    values: np.ndarray,
    sizes: np.ndarray,
    weights: PriorArray,
    level: float,
    correlation: np.ndarray | None = None,
    bias: float = 0.0,
) -> tuple[float, float]:
    r"""Interval for a weighted mean of values in [0, 1], one value a class.

    It contains the mean of the values, is never of zero width, and for one class is Wilson's
    with continuity correction.

    Parameters
    ----------
    values : ndarray, shape (classes,)
        Values in [0, 1], such as recalls; NaN gives NaN.
    sizes : ndarray, shape (classes,)
        Number of examples behind each value, above 0, effective where examples are weighted.
    weights : ndarray, shape (classes,)
        Non-negative; they sum to 1.
    level : float
        Confidence level in (0, 1).
    correlation : ndarray, shape (classes, classes), optional
        Correlation between the errors of the values; by default they are independent.
    bias : float, default=0.0
        Expected excess of the mean over its true value, where that is known.

    Returns
    -------
    tuple of float
        Lower and upper end.

    Notes
    -----
    The wider of two intervals, since each is too short where the other is right:

    - with few classes, the class intervals :math:`[l_k, u_k]`, those of Wilson with continuity
      correction, combined as
      :math:`\bar v - \sqrt{a^T R a}` and :math:`\bar v + \sqrt{b^T R b}`, where
      :math:`a_k = w_k (v_k - l_k)`, :math:`b_k = w_k (u_k - v_k)` and :math:`R` is the
      correlation [1]_ [2]_;
    - with many classes, Wilson's interval at the effective size :math:`c (1 - c) / s^T R s`
      of the mean [3]_. Here :math:`s_k^2 = w_k^2 c_k (1 - c_k) / n_k`, the
      :math:`c_k = (n_k v_k + z^2 / 2) / (n_k + z^2)` are the centres of Wilson's intervals,
      and :math:`c = \sum_k w_k c_k`. The cautious :math:`c_k` only tell how uncertain the
      mean is; they do not move it.

    It never goes beyond the mean of the :math:`l_k` and the mean of the :math:`u_k`.

    In simulations at level 0.95 with independent recalls, over 26 settings of 1 to 100
    classes of 1 to 1000 examples and true recalls from 0.2 to 1, it covered the true mean in
    93 to 100 % of samples.

    References
    ----------
    .. [1] G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures:
       a general approach", Statistics in Medicine 27, 2008.
    .. [2] G. Y. Zou, "Toward using confidence intervals to compare correlations",
       Psychological Methods 12, 2007 (dependent values).
    .. [3] N. Dean and M. Pagano, "Evaluating confidence interval methods for binomial
       proportions in clustered surveys", Journal of Survey Statistics and Methodology 3, 2015.

    Examples
    --------
    Ten classes of 5 examples, all right, say much less than 50 examples of one class:

    >>> ten = np.ones(10)
    >>> low, high = mean_interval(ten, 5 * ten, ten / 10, 0.95)
    >>> print(f"{low:.3f} to {high:.3f}; {wilson(1.0, 50, 0.95)[0]:.3f}")
    0.830 to 1.000; 0.929
    """
    related = np.eye(len(values)) if correlation is None else correlation
    mean = weights @ values
    own_low, own_high = corrected_wilson(values, sizes, level)
    below = _length(weights * (values - own_low), related)
    above = _length(weights * (own_high - values), related)
    size = _effective_size(values, sizes, weights, related, normal_quantile(level))
    low, high = wilson(np.clip(mean - bias, 0, 1), size, level)
    return (
        float(max(min(low, mean - below), weights @ own_low)),
        float(min(max(high, mean + above), weights @ own_high)),
    )


def _length(steps: np.ndarray, related: np.ndarray) -> float:
    return math.sqrt(max(float(steps @ related @ steps), 0.0))


def _effective_size(
    values: np.ndarray, sizes: np.ndarray, weights: PriorArray, related: np.ndarray, z: float
) -> float:
    cautious = (values * sizes + z**2 / 2) / (sizes + z**2)
    centre = weights @ cautious
    deviation = _length(weights * np.sqrt(cautious * (1 - cautious) / sizes), related)
    return float(centre * (1 - centre)) / deviation**2


def geometric_mean_interval(
    successes: CountArray, sizes: CountArray, level: float
) -> tuple[float, float]:
    r"""Interval for the geometric mean of proportions, one proportion a class.

    Parameters
    ----------
    successes, sizes : ndarray of int, shape (classes,)
        Successes and examples of each class; ``0 <= successes <= sizes``, sizes above 0.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end. The lower one is 0 as soon as one class has no success; the upper
        one is not, as such a class may have been unlucky.

    Notes
    -----
    All on the logarithmic scale, where the geometric mean is a mean. The logarithm of a small
    sample's proportion lies too low on average, so the two ends are found differently.

    - Lower end: the distances from :math:`\log v_k` to the logarithm of the class's lower end are
      combined as the root of their sum of squares, as in `mean_interval`.
    - Upper end: minus the logarithm of a :math:`\mathrm{Beta}(k + 1, n - k)` value, the
      distribution behind the exact upper bound for :math:`k` successes of :math:`n`, has mean
      :math:`\sum_{i=k+1}^n 1/i` and variance :math:`\sum_{i=k+1}^n 1/i^2`. These add up over
      the classes; the end lies :math:`z` standard deviations above the mean, and never above
      the geometric mean of the upper ends of the classes.

    In simulations at level 0.95, over the 26 settings of `mean_interval`, it covered the true
    geometric mean in 96 to 100 % of samples.

    Examples
    --------
    >>> low, high = geometric_mean_interval(np.array([0, 90]), np.array([2, 100]), 0.95)
    >>> print(f"{low:.2f} to {high:.2f}")
    0.00 to 0.87
    """
    z, n_classes = normal_quantile(level), len(sizes)
    own_low, own_high = corrected_wilson(successes / sizes, sizes, level)
    steps = 1 / np.arange(1, sizes.max() + 1)
    mean = _sum_after(successes, sizes, steps).sum() / n_classes
    deviation = np.sqrt(_sum_after(successes, sizes, steps**2).sum()) / n_classes
    high = np.exp(min(z * deviation - mean, np.log(own_high).mean()))
    if np.any(successes == 0):
        return 0.0, float(high)
    logs = np.log(successes / sizes)
    distance = np.sqrt(((logs - np.log(own_low)) ** 2).sum()) / n_classes
    return float(np.exp(logs.mean() - distance)), float(high)


def _sum_after(successes: CountArray, sizes: CountArray, terms: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(terms)])
    return sums[sizes] - sums[successes]


def minimum_interval(successes: CountArray, sizes: CountArray, level: float) -> tuple[float, float]:
    r"""Interval for the smallest of several proportions, one proportion a class.

    The smallest observed proportion is smaller than the truth on average: among many small
    classes some are unlucky. The interval allows for it and can be wide.

    Parameters
    ----------
    successes, sizes : ndarray of int, shape (classes,)
        Successes and examples of each class; ``0 <= successes <= sizes``, sizes above 0.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end; the chance to miss is at most ``1 - level``, for any proportions.

    Notes
    -----
    With :math:`\alpha` one minus the level. Lower end: the smallest exact lower bound at
    :math:`\alpha / 2`; it fails only if it fails for the truly worst class. Upper end: the
    smallest exact upper bound, at :math:`1 - (1 - \alpha / 2)^{1 / K}` for each of the
    :math:`K` classes [1]_, as any of them can fail.

    References
    ----------
    .. [1] Z. Sidak, "Rectangular confidence regions for the means of multivariate normal
       distributions", Journal of the American Statistical Association 62, 1967.

    Examples
    --------
    >>> low, high = minimum_interval(np.array([1, 90]), np.array([2, 100]), 0.95)
    >>> print(f"{low:.2f} to {high:.2f}")
    0.01 to 0.96
    """
    tail = (1 - level) / 2
    each = -np.expm1(np.log1p(-tail) / len(sizes))
    low, high = clopper_pearson(successes, sizes, (tail, float(each)))
    return float(low.min()), float(high.min())
