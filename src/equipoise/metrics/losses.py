"""Losses that judge the predicted probabilities: log-loss and Brier score, with intervals."""

from typing import NamedTuple

import numpy as np

from equipoise._typing import CodeArray, LogitArray, PriorArray
from equipoise.metrics.intervals import student_quantile

_BORROWED = 4
"""How many examples the other classes lend each class when its spread is judged."""


class Losses(NamedTuple):
    """The loss of each example, and what one more mistake would cost on average."""

    values: np.ndarray
    mistake: float


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
        :math:`-\log p_y`; a mistake is an example whose second most probable class is true.

    Examples
    --------
    >>> log_losses(np.log(np.array([[0.8, 0.2]])), np.array([0])).values.round(3)
    array([0.223])
    """
    true = np.take_along_axis(log_proba, codes[:, None], axis=1)[:, 0]
    return Losses(-true, -float(_runner_up(log_proba).mean()))


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
        :math:`\sum_k (p_k - [k = y])^2` [1]_; a mistake is an example whose second most
        probable class is true.

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
    mistakes = squares - 2 * np.exp(_runner_up(log_proba))
    return Losses(np.maximum(squares - 2 * true, 0), float(mistakes.mean()))


def _runner_up(log_proba: LogitArray) -> np.ndarray:
    return np.partition(log_proba, -2, axis=1)[:, -2]


def loss_interval(
    losses: Losses, codes: CodeArray, weights: PriorArray, level: float
) -> tuple[float, float]:
    r"""Interval for a weighted mean over the classes of the class's mean loss.

    It contains the mean, does not reach below 0, and has a width even if all losses are 0.

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
    mistake is among them. So each class borrows :math:`m = 4` examples from a pool that holds
    all classes in equal parts and one more mistake:

    .. math:: s_k^2 = \frac{\sum_i (\ell_i - \bar\ell_k)^2 + m s_0^2}{n_k - 1 + m}, \qquad
        \mu_k = \frac{n_k \bar\ell_k + m \mu_0}{n_k + m}

    with :math:`\mu_0, s_0^2` mean and variance of the pool. Borrowing only tells how uncertain
    the mean :math:`T` is; it does not move it. As the variance of a mean of rare, large losses
    grows with the mean, the interval holds every truth :math:`\theta` for which
    :math:`(T - \theta)^2 \le t^2 \phi \theta`, with
    :math:`\phi = \sum_k w_k^2 (s_k^2 / n_k) / \sum_k w_k \mu_k` and Student's quantile
    :math:`t` for the degrees of freedom of that variance by Welch and Satterthwaite. It is
    what Wilson's interval becomes for rare events.

    In simulations at level 0.95 (9 settings of 2 to 100 classes with 2 to 1000 examples) it
    covered the true log-loss in 92 to 99 % of samples, the balanced log-loss in 92 to 99 %,
    and the Brier score in 90 to 99 %; lowest where one class of 1000 had few mistakes.

    Examples
    --------
    Two classes of 3 and 4 examples, all right with probability 0.99:

    >>> log_proba = np.log(np.tile([0.99, 0.01], (7, 1)))
    >>> losses = log_losses(log_proba, np.zeros(7, dtype=int))
    >>> low, high = loss_interval(losses, np.array([0, 0, 0, 1, 1, 1, 1]), np.ones(2) / 2, 0.95)
    >>> print(f"{low:.4f} to {high:.1f}")
    0.0000 to 3.6
    """
    counts = np.maximum(np.bincount(codes, minlength=len(weights)), 1)
    means = np.bincount(codes, losses.values, minlength=len(weights)) / counts
    pool_mean, pool_variance = _pool(losses, codes, counts)
    squares = np.bincount(codes, (losses.values - means[codes]) ** 2, minlength=len(weights))
    freedom = counts - 1 + _BORROWED
    parts = weights**2 * (squares + _BORROWED * pool_variance) / freedom / counts
    expected = weights @ ((counts * means + _BORROWED * pool_mean) / (counts + _BORROWED))
    t = student_quantile(level, max(parts.sum() ** 2 / (parts**2 / freedom).sum(), 3))
    mean, step = weights @ means, t**2 * parts.sum() / expected
    half = np.sqrt(step * mean + step**2 / 4)
    return float(min(max(mean + step / 2 - half, 0), mean)), float(mean + step / 2 + half)


def _pool(losses: Losses, codes: CodeArray, counts: np.ndarray) -> tuple[float, float]:
    present = len(np.unique(codes))
    equal = 1 / (present * counts[codes])
    mean = float(equal @ losses.values)
    variance = float(equal @ (losses.values - mean) ** 2)
    n = len(codes) + 1
    return mean + losses.mistake / n, variance + losses.mistake**2 / n
