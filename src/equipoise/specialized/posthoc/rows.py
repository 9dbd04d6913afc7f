"""Rows of a head divided by a power of their lengths: tau-normalisation."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise._typing import PriorArray
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.posthoc.base import (
    ClassRows,
    Evidence,
    HeadChange,
    MemberOffsets,
    MemberRows,
    Offsets,
    PostHoc,
    normalised_prior,
)

TRIED = tuple(i / 20 for i in range(41))
"""Powers that are tried on held-out examples."""


def tau_norm(
    weight: ClassRows, bias: Offsets | None, tau: float
) -> tuple[ClassRows, Offsets | None]:
    r"""Return a linear head whose rows were divided by a power of their lengths.

    Rows of common classes grow longer in training than those of rare ones, so this favours rare
    classes; with `tau` chosen on validation data. It rests on that habit of the optimizer: where
    lengths do not follow class sizes, as with strong decay or a cosine head, correct the prior
    instead.

    Parameters
    ----------
    weight : ndarray of float, shape (classes, features)
        Rows :math:`w_k`.
    bias : ndarray of float, shape (classes,), or None
        Biases :math:`b_k`, divided as well; the paper leaves them out.
    tau : float
        Power: 0 changes nothing, 1 makes all rows of length one.

    Returns
    -------
    weight : ndarray of float64, shape (classes, features)
        :math:`w_k / \lVert w_k \rVert_2^\tau`; a row of zeros stays one.
    bias : ndarray of float64, shape (classes,), or None
        :math:`b_k / \lVert w_k \rVert_2^\tau`, so that all logits of a class are divided alike.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> tau_norm(np.array([[3.0, 4.0], [0.0, 1.0]]), None, 1.0)[0]
    array([[0.6, 0.8],
           [0. , 1. ]])
    """
    rows = np.asarray(weight, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    divisors = np.where(lengths > 0, lengths, 1.0) ** tau
    return rows / divisors[:, None], None if bias is None else bias / divisors


@dataclass(eq=False, repr=False, kw_only=True)
class TauNorm(PostHoc):
    r"""The rows of the head, divided by a power of their lengths once they are trained.

    Training makes the rows of common classes longer than those of rare ones; this takes that back
    without another epoch. It needs a head whose lengths follow the class sizes: strong weight
    decay, `MaxNorm` or a balanced sampler leave little to divide by. Prior correction does not
    rest on that habit; compare with it.

    Parameters
    ----------
    tau : float or "auto", default="auto"
        Power: 0 changes nothing, 1 makes all rows equally long, and up to 2 the longest become
        the shortest, which helps where decay has kept rows too even. ``"auto"``:
        the one of 0, 0.05, ..., 2 that is best on the held-out examples by the classifier's
        ``monitor``, of equal ones that with the lower balanced log-loss, then the smallest.
        Values cost nothing to try once the network is trained, and which is best
        differs from data to data, in the paper too; a search that trains a network for each is a
        waste. A number needs no held-out examples.

    Notes
    -----
    With rows :math:`w_k`, biases :math:`b_k` and the geometric mean :math:`g` of the lengths,
    where a row of zeros counts as of length 1,

    .. math::
        w'_k = \left(\frac{g}{\lVert w_k \rVert_2}\right)^{\tau} w_k, \qquad
        b'_k = \left(\frac{g}{\lVert w_k \rVert_2}\right)^{\tau} b_k

    The paper [1]_ has no bias and no :math:`g`, a factor common to all classes, which changes no
    prediction: with it logits keep their size, so that probabilities stay about as sure, and rows
    of equal lengths stay as they are. Each member of an ensemble is normalised on its own.

    The class probabilities that the logits contain are taken to be :math:`\pi_k^{1-\tau}`,
    scaled to sum to 1, where the trained head contains :math:`\pi`: all of it with 0,
    none with 1 and above, where the paper aims at equal classes. In between it is an
    interpolation, not a theorem.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020, section 4.1. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> TauNorm(tau=0.5).needs_validation, TauNorm().needs_validation
    (False, True)
    """

    exact_prior: ClassVar[bool] = False

    tau: float | str = bounded("auto", low=0, high=2, auto=True, tune=Span(0.0, 2.0))

    @property
    def needs_validation(self) -> bool:
        """Whether `tau` is chosen by held-out examples."""
        return self.tau == "auto"

    def change(self, evidence: Evidence) -> HeadChange:
        """Return the head with its rows divided."""
        tau, reason = float(self.tau) if self.tau != "auto" else 0.0, "as given"
        if self.tau == "auto":
            tau = _best(evidence)
            reason = f"the best of 0, 0.05, ..., 2 on {len(evidence.codes)} held-out examples"
        factors = _factors(evidence.weight, tau)
        return HeadChange(
            weight=evidence.weight * factors[:, :, None],
            bias=evidence.bias * factors,
            prior=tempered(evidence.prior, tau),
            chosen={"tau": (tau, reason)},
            found={},
        )


def tempered(prior: PriorArray, tau: float) -> PriorArray:
    """Return class probabilities to the power of one less tau, at least 0, scaled to sum to 1.

    >>> tempered(np.array([0.8, 0.2]), 0.5).round(4), tempered(np.array([0.8, 0.2]), 1.0)
    (array([0.6667, 0.3333]), array([0.5, 0.5]))
    """
    return prior if tau == 0 else normalised_prior(max(1 - tau, 0.0) * np.log(prior))


def _best(evidence: Evidence) -> float:
    logits = evidence.products(evidence.weight) + evidence.bias

    def gain(tau: float) -> tuple[float, float, float]:
        score, closeness = evidence.gain(logits * _factors(evidence.weight, tau))
        return score, closeness, -tau

    return max(TRIED, key=gain)


def _factors(weight: MemberRows, tau: float) -> MemberOffsets:
    """Return what each row is multiplied by, of geometric mean 1 over the classes."""
    lengths = np.linalg.norm(weight, axis=2)
    lengths = np.where(lengths > 0, lengths, 1.0)
    means = np.exp(np.log(lengths).mean(axis=1, keepdims=True))
    return (means / lengths) ** tau
