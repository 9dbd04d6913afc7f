"""What specialized losses share: what their logits contain, and the odds that they are made of."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ClassCounts, Logits
from equipoise.standard.losses import Loss


@dataclass(eq=False, repr=False, kw_only=True)
class SpecializedLoss(Loss):
    """Base of losses that treat rare classes, or hard examples, otherwise than cross-entropy does.

    Each says what prior its logits contain.
    """

    @abstractmethod
    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:
        """Return the class probabilities that the logits contain; see `Loss.prior`."""


def class_shares(counts: ClassCounts) -> Tensor:
    """Return the part of the training examples that each class has.

    A class without examples counts as if it had one, lest it be impossible.

    >>> class_shares(torch.tensor([6.0, 2.0]))
    tensor([0.7500, 0.2500])
    """
    present = counts.clamp(min=1)
    return present / present.sum()


def shifted_prior(shares: Tensor, counts: ClassCounts | None, tau: float) -> Tensor:
    r"""Return what is left of the prior in logits that were trained with a shift.

    Parameters
    ----------
    shares : Tensor of float, shape (classes,)
        Mean :math:`\bar t` of the targets.
    counts : Tensor of float, shape (classes,), or None
        Counts whose shares :math:`\pi` the shift was made from. None: :math:`\pi = \bar t`.
    tau : float
        Strength of the shift.

    Returns
    -------
    Tensor of float, shape (classes,)
        :math:`\bar t_k \pi_k^{-\tau}`, scaled to sum to 1: cross-entropy is least where
        :math:`\operatorname{softmax}(z + \tau \log \pi)` has the mean :math:`\bar t`.

    Examples
    --------
    >>> shifted_prior(torch.tensor([0.9, 0.1]), None, 0.5)
    tensor([0.7500, 0.2500])
    >>> shifted_prior(torch.tensor([0.5, 0.5]), torch.tensor([9.0, 1.0]), 1.0)
    tensor([0.1000, 0.9000])
    """
    used = shares if counts is None else class_shares(counts).to(shares)
    return (shares.log() - tau * used.log()).softmax(dim=0)


def log_odds(logits: Logits) -> Tensor:
    r"""Return the log odds of each class against all others together.

    Parameters
    ----------
    logits : Tensor of float, shape (batch, classes)
        Of two classes or more.

    Returns
    -------
    Tensor of float, shape (batch, classes)
        :math:`a_k = z_k - \log \sum_{j \ne k} e^{z_j} = \log \frac{p_k}{1 - p_k}`, exact to
        rounding also where :math:`p_k` rounds to 1. So :math:`-\log p_k` is softplus of
        :math:`-a_k` and :math:`-\log(1 - p_k)` softplus of :math:`a_k`.

    Examples
    --------
    >>> log_odds(torch.tensor([[100.0, 0.0, 0.0]]))
    tensor([[  99.3069, -100.0000, -100.0000]])
    """
    total = logits.logsumexp(dim=1, keepdim=True)
    top = logits.argmax(dim=1, keepdim=True)
    # Only the largest can pass 1/2; taking it out of the sum would leave rounding errors, so for
    # it the others are summed anew. The rest are taken out of the sum.
    others = logits.scatter(1, top, -torch.inf).logsumexp(dim=1, keepdim=True)
    proba = (logits - total).exp().scatter(1, top, 0.0)
    return logits - (total + torch.log1p(-proba)).scatter(1, top, others)
