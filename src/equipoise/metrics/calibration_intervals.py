"""Intervals for calibration errors, which are biased upwards and cannot be resampled.

Even a perfectly calibrated classifier shows an error, from chance alone, and a resample of the
data shows that chance once more on top. So the bootstrap puts the interval above the truth.
"""

import math
from typing import NamedTuple

import numpy as np

from equipoise._typing import WeightArray
from equipoise.metrics.calibration import N_BINS, bins_of
from equipoise.metrics.intervals import normal_quantile


class _Noise(NamedTuple):
    error: float
    excess: float
    deviation: float


def calibration_interval(
    events: list[tuple[np.ndarray, np.ndarray]], weights: WeightArray, level: float
) -> tuple[float, float]:
    r"""Interval for a calibration error, or for the mean of those of several events.

    Parameters
    ----------
    events : list of (ndarray, ndarray), each of shape (examples,)
        Probability and outcome of each event. One event for the top-label error; one for each
        class for the class-wise error, of which each example is concerned in two.
    weights : ndarray, shape (examples,)
        Weight of each example; they sum to 1.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end; they contain the error, and the lower end is 0 when the data do
        not contradict perfect calibration.

    Notes
    -----
    The error is :math:`\sum_b |g_b|` with the weighted gap :math:`g_b` between confidence and
    accuracy in bin :math:`b`. The variance of a gap is
    :math:`\sigma_b^2 = \sum_{i \in b} w_i^2 \, [a (1 - a) + d^2]`, where :math:`d` is the
    difference of confidence and accuracy, and the accuracy :math:`a` is the centre of its
    Wilson interval, so that a bin in which all are right has a variance too. Noise lifts
    :math:`|g_b|` by

    .. math:: \sigma_b \left( \sqrt{2 / \pi} \, e^{-x^2 / 2} - 2 x \Phi(-x) \right)

    on average, with :math:`x = |g_b| / \sigma_b` of the true gap and the normal distribution
    function :math:`\Phi`. The lower end subtracts the lift at half a deviation below the gap
    that was seen, and z deviations; the upper end adds z deviations and takes no lift off. For
    several events the variances are added, doubled, since an example that leaves one
    class enters another.

    The interval is wider than its level asks for: how much of a sum of absolute values is
    noise cannot be known.

    Examples
    --------
    >>> proba, right = np.full(100, 0.9), np.arange(100) < 85
    >>> low, high = calibration_interval([(proba, right)], np.full(100, 0.01), 0.95)
    >>> print(f"{low:.2f} to {high:.2f}")
    0.00 to 0.12
    """
    z = normal_quantile(level)
    noise = [_noise(proba, outcome, weights, z) for proba, outcome in events]
    n, shared = len(noise), min(2, len(noise))
    error = sum(part.error for part in noise) / n
    excess = sum(part.excess for part in noise) / n
    deviation = math.sqrt(shared * sum(part.deviation**2 for part in noise)) / n
    return max(error - excess - z * deviation, 0.0), min(error + z * deviation, 1.0)


def _noise(proba: np.ndarray, outcome: np.ndarray, weights: WeightArray, z: float) -> _Noise:
    bins = bins_of(proba)
    mass, squares, right, said = (
        np.bincount(bins, values, minlength=N_BINS)
        for values in (weights, weights**2, weights * outcome, weights * proba)
    )
    used = mass > 0
    mass, squares = mass[used], squares[used]
    accuracy, gap = right[used] / mass, np.abs(said - right)[used]
    size = mass**2 / squares
    cautious = (size * accuracy + z**2 / 2) / (size + z**2)
    deviation = np.sqrt(squares * (cautious * (1 - cautious) + (gap / mass) ** 2))
    excess = deviation * _lift(np.maximum(gap / deviation - 0.5, 0))
    return _Noise(float(gap.sum()), float(excess.sum()), float(np.sqrt((deviation**2).sum())))


def _lift(x: np.ndarray) -> np.ndarray:
    """Mean of ``|x + e| - x`` for standard normal e."""
    tails = np.array([math.erfc(value / math.sqrt(2)) for value in x])
    return math.sqrt(2 / math.pi) * np.exp(-(x**2) / 2) - x * tails
