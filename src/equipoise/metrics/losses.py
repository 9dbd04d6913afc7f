"""Losses that judge the predicted probabilities: log-loss and Brier score, with intervals."""

from typing import NamedTuple

import numpy as np

from equipoise._typing import CodeArray, LogitArray, PriorArray
from equipoise.metrics.intervals import normal_quantile, student_quantile, wilson

_BORROWED = 4
"""How many examples the other classes lend each class when its spread is judged."""

_SUPPOSED = 0.5
"""How many right answers, and how many mistakes, are added when its spread is judged."""


class Losses(NamedTuple):
    """The loss of each example, what right answers and mistakes usually cost, and the worst."""

    values: np.ndarray
    right: float
    mistake: float
    worst: float


def log_losses(log_proba: LogitArray, codes: CodeArray) -> Losses:
    r"""Return the log-loss of each example, in nats.

    Parameters
    ----------
    log_proba : ndarray, shape (examples, classes)
        Logarithms of probabilities.
    codes : ndarray of int, shape (examples,)
        True classes.

    Returns
    -------
    Losses
        :math:`-\log p_y`. The usual right answer is an example whose most probable class is
        true, the usual mistake one whose second most probable class is true. The worst loss,
        which has no bound, is put at twice the largest loss of a mistake, seen or possible.

    Examples
    --------
    >>> log_losses(np.log(np.array([[0.8, 0.2]])), np.array([0])).values.round(3)
    array([0.223])
    """
    true = np.take_along_axis(log_proba, codes[:, None], axis=1)[:, 0]
    second, first = _two_largest(log_proba)
    mistakes = -second
    largest = max(float(mistakes.max()), -float(true.min()))
    return Losses(-true, -float(first.mean()), float(mistakes.mean()), 2 * largest)


def brier_scores(log_proba: LogitArray, codes: CodeArray) -> Losses:
    r"""Return the Brier score of each example, from 0 to 2.

    Parameters
    ----------
    log_proba : ndarray, shape (examples, classes)
        Logarithms of probabilities.
    codes : ndarray of int, shape (examples,)
        True classes.

    Returns
    -------
    Losses
        :math:`\sum_k (p_k - [k = y])^2` [1]_; right answers and mistakes as in `log_losses`.
        The worst loss is 2.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability",
       Monthly Weather Review 78, 1950. For two classes scikit-learn gives half of it.

    Examples
    --------
    >>> brier_scores(np.log(np.array([[0.8, 0.2]])), np.array([0])).values.round(3)
    array([0.08])
    """
    proba = np.exp(log_proba)
    squares = (proba**2).sum(axis=1) + 1
    true = np.take_along_axis(proba, codes[:, None], axis=1)[:, 0]
    second, first = np.exp(_two_largest(log_proba))
    mistake, right = (float((squares - 2 * rank).mean()) for rank in (second, first))
    return Losses(np.maximum(squares - 2 * true, 0), right, mistake, 2.0)


def _two_largest(log_proba: LogitArray) -> np.ndarray:
    return np.partition(log_proba, -2, axis=1)[:, -2:].T


def loss_interval(
    losses: Losses, codes: CodeArray, weights: PriorArray, level: float
) -> tuple[float, float]:
    r"""Interval for a weighted mean over the classes of the class's mean loss.

    It contains the mean, lies between 0 and the worst loss, and has a width even if no example
    has a loss.

    Parameters
    ----------
    losses : Losses
        Non-negative losses.
    codes : ndarray of int, shape (examples,)
        True classes.
    weights : ndarray, shape (classes,)
        Weight of each class's mean loss; they sum to 1, and are 0 for a class without examples.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end.

    Notes
    -----
    Three examples say little about the spread of their class's loss, least of all when no
    mistake is among them. So the variance and the size of the loss of class :math:`k` are
    judged with :math:`m = 4` more examples from a pool that holds all classes in equal parts,
    and with half a right answer and half a mistake of the usual costs :math:`c_1` and
    :math:`c_2`:

    .. math:: s_k^2 = \frac{\sum_i (\ell_i - \bar\ell_k)^2 + m s_0^2
        + \frac12 \sum_j (c_j - \bar\ell_k)^2}{n_k + m}, \qquad
        \mu_k = \frac{n_k \bar\ell_k + m \mu_0 + \frac12 \sum_j c_j}{n_k + m + 1}

    with mean :math:`\mu_0` and variance :math:`s_0^2` of the pool. This only tells how
    uncertain the mean :math:`T` is; it does not move it. The variance of a mean of rare, large
    losses depends on the mean as that of a proportion does. So :math:`T`, on the scale from 0
    to the worst loss :math:`C`, gets Wilson's interval at the effective size

    .. math:: \frac{\mu (C - \mu)}{\sum_k w_k^2 s_k^2 / n_k} \frac{z^2}{t^2},
        \qquad \mu = \sum_k w_k \mu_k

    with Student's quantile :math:`t` for the degrees of freedom of that variance by Welch and
    Satterthwaite.

    Examples
    --------
    Two classes of 3 and 4 examples, all right with probability 0.99:

    >>> log_proba = np.log(np.tile([0.99, 0.01], (7, 1)))
    >>> losses = log_losses(log_proba, np.zeros(7, dtype=int))
    >>> low, high = loss_interval(losses, np.array([0, 0, 0, 1, 1, 1, 1]), np.ones(2) / 2, 0.95)
    >>> print(f"{low:.4f} to {high:.1f}")
    0.0000 to 2.6
    """
    counts = np.maximum(np.bincount(codes, minlength=len(weights)), 1)
    means = np.bincount(codes, losses.values, minlength=len(weights)) / counts
    squares = np.bincount(codes, (losses.values - means[codes]) ** 2, minlength=len(weights))
    pool_mean, pool_variance = _pool(losses.values, codes, counts)
    supposed = (losses.right - means) ** 2 + (losses.mistake - means) ** 2
    squares = squares + _BORROWED * pool_variance + _SUPPOSED * supposed
    # A classifier that always says the same can have losses without any spread.
    squares = np.maximum(squares, 1e-12 * losses.worst**2)
    added = _BORROWED + 2 * _SUPPOSED
    freedom = counts - 1 + added
    parts = weights**2 * squares / freedom / counts
    sums = counts * means + _BORROWED * pool_mean + _SUPPOSED * (losses.right + losses.mistake)
    likely = weights @ (sums / (counts + added)) / losses.worst
    t = student_quantile(level, float(parts.sum() ** 2 / (parts**2 / freedom).sum()))
    size = likely * (1 - likely) / parts.sum() * (losses.worst * normal_quantile(level) / t) ** 2
    mean = np.minimum(weights @ means / losses.worst, 1)
    low, high = wilson(mean, size, level)
    return float(low * losses.worst), float(high * losses.worst)


def _pool(values: np.ndarray, codes: CodeArray, counts: np.ndarray) -> tuple[float, float]:
    equal = 1 / (len(np.unique(codes)) * counts[codes])
    mean = equal @ values
    return float(mean), float(equal @ (values - mean) ** 2)
