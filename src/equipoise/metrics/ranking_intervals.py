r"""Intervals for rankings: the bootstrap, believed as far as it can know.

A bootstrap of 3 positive examples draws the same 3 again and shows too little spread, or none.
So its variance is mixed with one that a formula gives for the number of examples:

.. math:: \frac{1}{N} = \frac{n}{n + 10} \frac{s^2}{v (1 - v)} + \frac{10}{n + 10} \frac{1}{N_0}

Here :math:`v` is the value and :math:`s^2` its bootstrap variance; :math:`n` is the number of
positive examples, or the effective number of the others if that is less; :math:`N_0` is the
size at which :math:`v (1 - v) / N_0` is the formula's variance; and :math:`N` is the number of
examples that Wilson's interval is given.
"""

import numpy as np

from equipoise.metrics.aggregates import mean_interval
from equipoise.metrics.intervals import normal_quantile
from equipoise.metrics.sample import Sample

_DOUBT = 10
"""Number of examples with which the bootstrap is believed by half."""


def auroc_sizes(values: np.ndarray, draws: np.ndarray, sample: Sample, level: float) -> np.ndarray:
    r"""Return the effective number of examples behind each area under the ROC curve.

    Parameters
    ----------
    values : ndarray, shape (present classes,)
        Areas; NaN if only one class is present.
    draws : ndarray, shape (resamples, present classes)
        The same of resampled data.
    sample : Sample
        The evaluated examples.
    level : float
        Confidence level in (0, 1), which sets how cautious the formula is.

    Returns
    -------
    ndarray, shape (present classes,)
        Sizes as the module describes.

    Notes
    -----
    The formula is that of Hanley and McNeil [1]_ for large samples,
    :math:`1 / N_0 = \frac{1 - a}{2 - a} / n_+ + \frac{a}{1 + a} / n_-`, at the centre
    :math:`a` of Wilson's interval rather than at the value, which may be 1.

    References
    ----------
    .. [1] J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver
       operating characteristic (ROC) curve", Radiology 143, 1982.
    """
    positives, others = sample.counts[sample.present], _others(sample)
    square = normal_quantile(level) ** 2
    area = (positives * values + square / 2) / (positives + square)
    formula = (1 - area) / (2 - area) / positives + area / (1 + area) / others
    return _mixed(values, draws, np.minimum(positives, others), formula)


def auprc_sizes(values: np.ndarray, draws: np.ndarray, sample: Sample) -> np.ndarray:
    r"""Return the effective number of examples behind each average precision.

    Parameters
    ----------
    values : ndarray, shape (present classes,)
        Average precisions; NaN if only one class is present.
    draws : ndarray, shape (resamples, present classes)
        The same of resampled data.
    sample : Sample
        The evaluated examples.

    Returns
    -------
    ndarray, shape (present classes,)
        Sizes as the module describes.

    Notes
    -----
    The formula takes average precision for a proportion of the :math:`n_+` positive examples
    [1]_, :math:`N_0 = n_+`; with class shares :math:`q` other than those of the data it is the
    size for precision at full recall, as in
    `equipoise.metrics.confusion_intervals.ConfusionIntervals`:
    :math:`1 / N_0 = (1 - v) / n_+ + v (1 - q) / (q n_-)`, with the effective number
    :math:`n_-` of the other examples.

    References
    ----------
    .. [1] K. Boyd, K. H. Eng, C. D. Page, "Area under the precision-recall curve: point
       estimates and confidence intervals", ECML PKDD 2013.
    """
    positives, others = sample.counts[sample.present], _others(sample)
    share = sample.shares[sample.present]
    formula = (1 - values) / positives + values * (1 - share) / (share * others)
    return _mixed(values, draws, np.minimum(positives, others), formula)


def macro_interval(
    values: np.ndarray, draws: np.ndarray, sizes: np.ndarray, level: float
) -> tuple[float, float]:
    """Interval for the mean over the classes of a ranking metric.

    Parameters
    ----------
    values, sizes : ndarray, shape (present classes,)
        The metric of each class and the number of examples behind it.
    draws : ndarray, shape (resamples, present classes)
        The metric of resampled data.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end of `equipoise.metrics.aggregates.mean_interval`, with the positive
        correlation between classes and the bias that the bootstrap shows.
    """
    even = np.full(len(values), 1 / len(values))
    bias = float(draws.mean() - values.mean())
    return mean_interval(values, sizes, even, level, _correlation(draws), bias)


def _others(sample: Sample) -> np.ndarray:
    """Effective number of the examples outside each class; 1 if there are none."""
    shares = sample.shares[sample.present]
    squares = shares * sample.example_shares[sample.present]
    mass, spread = shares.sum() - shares, squares.sum() - squares
    return np.divide(mass**2, spread, out=np.ones_like(mass), where=mass > 1e-12)


def _mixed(values: np.ndarray, draws: np.ndarray, n: np.ndarray, formula: np.ndarray) -> np.ndarray:
    binomial = values * (1 - values)
    seen = np.divide(draws.var(axis=0), binomial, out=formula.copy(), where=binomial > 1e-12)
    return (n + _DOUBT) / (n * seen + _DOUBT * formula)


def _correlation(draws: np.ndarray) -> np.ndarray:
    """Positive correlation of the columns; one that never varies is correlated with none."""
    centred = draws - draws.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-7)
    # That errors cancel between classes is not believed: in tiny classes it is mere chance.
    related = np.maximum(scaled.T @ scaled, 0)
    np.fill_diagonal(related, 1)
    return related
