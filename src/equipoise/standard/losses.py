"""The standard loss, cross-entropy on soft targets, and the contract that every loss keeps."""

from abc import abstractmethod
from dataclasses import dataclass

from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Logits, Losses, Targets
from equipoise.spec import Component


@dataclass(eq=False, repr=False, kw_only=True)
class Loss(Component):
    """Base of losses: one value an example, so that weights multiply it and nothing else."""

    @abstractmethod
    def __call__(
        self, logits: Logits, targets: Targets, labels: Labels, counts: ClassCounts
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""


@dataclass(eq=False, repr=False, kw_only=True)
class CrossEntropy(Loss):
    r"""Cross-entropy between soft targets and the softmax of the logits.

    The default. Smoothing and mixing change the targets, not the loss.

    Notes
    -----
    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)``, in nats:

    .. math:: \ell(z, t) = -\sum_k t_k \log \operatorname{softmax}(z)_k

    Labels and class counts are not used.

    Examples
    --------
    >>> import torch
    >>> targets = torch.tensor([[0.9, 0.1]])
    >>> loss = CrossEntropy()
    >>> loss(torch.zeros(1, 2), targets, torch.tensor([0]), torch.tensor([5.0, 5.0]))
    tensor([0.6931])
    """

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,  # noqa: ARG002
    ) -> Losses:
        """Return the cross-entropy of each example, shape ``(batch,)``, in nats."""
        return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1)


LOSSES: dict[str, type[Loss]] = {"CrossEntropy": CrossEntropy}
"""Losses by name."""
