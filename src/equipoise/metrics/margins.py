"""Class probabilities from logits that were fitted with margins, and for another prior."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise._typing import LogitArray, MarginArray, PriorArray
from equipoise.metrics.prior import resolve_prior, shift_logits
from equipoise.metrics.sample import log_softmax


def without_margins(logits: LogitArray, margins: MarginArray | None) -> LogitArray:
    r"""Return log-probabilities of the classes, from logits fitted by a loss with margins.

    Use it before probabilities are read off such logits, or corrected to another prior by
    `shift_logits`: their softmax is no probability, and dividing it by class frequencies is not
    Bayes' rule. The most probable class need not be the one with the largest logit.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Finite logits, which the loss was least at.
    margins : ndarray, shape (classes,), or None
        What the loss took off the logit of the true class in training, in nats, at least 0, by
        class. None: nothing.

    Returns
    -------
    ndarray, shape (examples, classes)
        Log-probabilities, which contain the class frequencies of training; the logits themselves
        if there are no margins.

    Notes
    -----
    Let an example of class :math:`k` cost
    :math:`-\log \frac{e^{z_k - m_k}}{e^{z_k - m_k} + \sum_{j \ne k} e^{z_j}}`, with logits
    :math:`z` and margins :math:`m`, as LDAM has it [1]_. Of examples that look the same, let a
    part :math:`q_k` be of class :math:`k`. Their mean cost is convex in :math:`z`; its gradient
    vanishes where, with :math:`p = \operatorname{softmax}(z)`,

    .. math:: q_k \propto p_k \, (1 - p_k + p_k e^{-m_k})

    So :math:`m = 0` leaves :math:`q = p`. With large margins and two classes, the classes are
    as probable as each other where :math:`z_1 - m_1 / 2 = z_2 - m_2 / 2`, not where their
    logits are alike: half of the difference in margins acts as a correction of the prior.

    References
    ----------
    .. [1] K. Cao et al., "Learning imbalanced datasets with label-distribution-aware margin
       loss", NeurIPS 2019, equation 10; the inversion is derived here.

    Examples
    --------
    Equal logits, but the second class had to be ahead by 4 to cost as little:

    >>> np.exp(without_margins(np.zeros((1, 2)), np.array([0.0, 4.0]))).round(3)
    array([[0.663, 0.337]])
    """
    if margins is None:
        return logits
    log_p = log_softmax(logits)
    return log_softmax(log_p + np.logaddexp(_log_others(log_p), log_p - margins))


def correct_logits(
    logits: LogitArray,
    own: PriorArray,
    margins: MarginArray | None,
    prior: Any,
    classes: Sequence[Any] | None,
) -> LogitArray:
    """Return a network's logits for the prior of use, however that is given.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Those of the network.
    own : ndarray, shape (classes,)
        The class probabilities that they contain.
    margins : ndarray, shape (classes,), or None
        The margins that they contain; None: none.
    prior : text, mapping of class to probability, array_like of shape (classes,), or None
        As for `resolve_prior`. None, ``"none"`` and ``"train"``: logits as they are.
    classes : sequence of shape (classes,), or None
        Class labels in the order of the codes. None: there are none, and nothing to correct.

    Returns
    -------
    ndarray, shape (examples, classes)
        The logits themselves, or with margins taken out and the prior corrected.

    Raises
    ------
    InputError
        If the prior cannot be used.

    Examples
    --------
    >>> own, logits = np.array([0.9, 0.1]), np.zeros((1, 2))
    >>> correct_logits(logits, own, None, "balanced", ["cat", "dog"]).round(3)
    array([[-0.588,  1.609]])
    """
    used = None if classes is None else resolve_prior(prior, classes, own)
    if used is None or is_as_trained(prior):
        return logits
    plain = without_margins(logits, margins)
    return plain if np.allclose(used, own, rtol=1e-9) else shift_logits(plain, own, used)


def is_as_trained(prior: Any) -> bool:
    """Return whether a prior, as it is given, leaves the network's logits as they are.

    >>> is_as_trained("train"), is_as_trained(None), is_as_trained("balanced")
    (True, True, False)
    """
    return prior is None or (
        isinstance(prior, str) and prior.strip().lower() in ("none", "as-is", "train")
    )


def _log_others(log_p: LogitArray) -> LogitArray:
    """Return the logarithm of 1 - p, also where p rounds to 1: there others are summed anew."""
    rows, top = np.arange(len(log_p)), log_p.argmax(axis=1)
    proba, others = np.exp(log_p), log_p.copy()
    proba[rows, top] = 0.0
    others[rows, top] = -np.inf
    found = np.log1p(-proba)
    found[rows, top] = np.logaddexp.reduce(others, axis=1)
    return found
