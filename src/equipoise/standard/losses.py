"""The standard loss, cross-entropy on soft targets, and the contract that every loss keeps."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Logits, Losses, Targets
from equipoise.spec import Component


@dataclass(eq=False, repr=False, kw_only=True)
class Loss(Component):
    """Base of losses: one value an example, so that weights multiply it and nothing else.

    `needs_features` says whether the loss must be called with the keyword ``features``, of
    shape ``(batch, n_features)``: what the backbone returns. `maps_logits` says whether
    `posterior_logits` does anything.
    """

    needs_features: ClassVar[bool] = False
    maps_logits: ClassVar[bool] = False

    @property
    def exact_prior(self) -> bool:
        """Whether the prior that `prior` returns is exact where the network is free to fit.

        Then correcting it is Bayes' rule. Otherwise it is a heuristic: the loss is not least at
        probabilities that contain this prior, and corrected predictions are to be read with care.
        """
        return True

    @abstractmethod
    def __call__(
        self, logits: Logits, targets: Targets, labels: Labels, counts: ClassCounts
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""

    def posterior_logits(self, logits: Logits) -> Logits:
        """Return the logits that predict, of those that the loss has fitted.

        A trained network predicts by these, in validation too. For most losses they are the same.

        Parameters
        ----------
        logits : Tensor of float, shape (batch, classes)
            What the head returns.

        Returns
        -------
        Tensor of float, shape (batch, classes)
            Where the loss is least, their softmax is the probability of each class.
        """
        return logits

    def margins(self, counts: ClassCounts) -> Tensor | None:  # noqa: ARG002
        """Return what the loss takes off the logit of the label, in nats, by class; None: nothing.

        Corrections go by it, see `equipoise.metrics.without_margins`; a network predicts by its
        logits as they are.

        Parameters
        ----------
        counts : Tensor of float, shape (classes,)
            Those that the loss was called with.
        """
        return None

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:  # noqa: ARG002
        """Return the class probabilities that the logits contain once the loss was minimised.

        These are the logits of `posterior_logits`, once `margins` are taken out. A classifier's
        logits are corrected from this prior to that of use, so that every method is compared
        under the same one. Cross-entropy puts the mean of its targets there; losses that shift
        logits leave out a part of it.

        Parameters
        ----------
        shares : Tensor of float, shape (classes,)
            Mean of the targets that were trained on, as they were sampled, weighted, smoothed
            and mixed; sums to 1.
        counts : Tensor of float, shape (classes,), or None, default=None
            The counts that the loss was called with. None: in proportion to `shares`, which is
            so unless targets were smoothed, weighted or sampled.

        Returns
        -------
        Tensor of float, shape (classes,)
            Sums to 1.
        """
        return shares


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
