"""Margins: an example must be right by more, the rarer its class is."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Logits, Losses, Targets
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.losses.base import SpecializedLoss, log_odds


@dataclass(eq=False, repr=False, kw_only=True)
class LDAM(SpecializedLoss):
    r"""Cross-entropy after a margin, larger for rarer classes, was taken off the right logit.

    Use it with the head ``Cosine``, whose logits are bounded, so that a margin means something,
    and with ``scale`` equal to that of the head; the paper's setting is 30 for both, weights
    deferred to the last part of training ("DRW"). With a linear head the logits can outgrow any
    margin. Published top-1 of LDAM with DRW, at ratio 100, ResNet-32: 77.0 on CIFAR-10, 42.0 on
    CIFAR-100; cross-entropy there has 70.4 to 72.0, and 37.7 to 38.8.

    Parameters
    ----------
    max_margin : float, default=0.5
        Margin of the smallest class, in cosines, at least 0; 0 is cross-entropy.
    scale : float, default=16.0
        What the head multiplies cosines by, above 0. The head has done so already, so the
        margin is multiplied here.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k`, the margins are

    .. math:: \Delta_k = max\_margin \cdot (n_{min} / n_k)^{1/4}

    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)``, and :math:`s` the
    scale, in nats [1]_:

    .. math::

       \ell(z, t) = -\sum_k t_k \log
       \frac{e^{z_k - s \Delta_k}}{e^{z_k - s \Delta_k} + \sum_{j \ne k} e^{z_j}}

    With one-hot targets this is the loss of the paper. Soft targets take the mean of that loss
    over labels drawn from them: each class meets its own margin as if it were the label, so the
    loss of a blend is the blend of the losses of its two labels, and smoothed mass costs by
    class too. What predicts is :math:`z`, as in the paper; corrections to another prior start
    from the class probabilities that :math:`z` stands for, see
    `equipoise.metrics.without_margins`. Classes without examples have the largest margin, and do
    not make that of others smaller.

    References
    ----------
    .. [1] K. Cao et al., "Learning imbalanced datasets with label-distribution-aware margin
       loss", NeurIPS 2019. https://arxiv.org/abs/1906.07413

    Examples
    --------
    The same answer costs more on the rare class:

    >>> import torch
    >>> logits, targets, labels = torch.zeros(2, 2), torch.eye(2), torch.arange(2)
    >>> LDAM(scale=1.0)(logits, targets, labels, torch.tensor([16.0, 1.0]))
    tensor([0.8259, 0.9741])
    """

    max_margin: float = bounded(0.5, low=0, tune=Span(0.1, 1.0))
    scale: float = bounded(16.0, low=0, open_low=True)

    def margins(self, counts: ClassCounts) -> Tensor:
        r"""Return the margin of each class in nats, :math:`s \Delta_k`, shape ``(classes,)``."""
        smallest = counts.masked_fill(counts == 0, counts.max()).min()
        return self.scale * self.max_margin * (smallest / counts.clamp(min=smallest)) ** 0.25

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""
        return (targets * F.softplus(self.margins(counts) - log_odds(logits))).sum(dim=1)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:  # noqa: ARG002
        """Return `shares` themselves: probabilities without the margins contain them.

        The logits do not: margins move boundaries away from rare classes, see
        `equipoise.metrics.without_margins`.
        """
        return shares
