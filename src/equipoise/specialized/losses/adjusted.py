"""Losses on logits that were shifted, and scaled, by how often each class occurs."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Logits, Losses, Targets
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.losses.base import SpecializedLoss, class_shares, shifted_prior


@dataclass(eq=False, repr=False, kw_only=True)
class BalancedSoftmax(SpecializedLoss):
    r"""Cross-entropy on logits to which the log frequency of each class was added.

    The network then need not learn the frequencies, and predicts as if all classes were equally
    common. Use it where they matter equally. What it does to the predictions, prior correction
    does to those of cross-entropy, which is the control. Published top-1 at ratio 100,
    ResNet-32: 77.5 on CIFAR-10, 43.0 on CIFAR-100; cross-entropy there has 70.4 to 72.0, and
    37.7 to 38.8, without correction.

    Notes
    -----
    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)`` and class
    frequencies :math:`\pi` of shape ``(classes,)``, in nats [1]_:

    .. math:: \ell(z, t) = -\sum_k t_k \log \operatorname{softmax}(z + \log \pi)_k

    The shift is the same for all labels, so soft targets need nothing further. The same loss as
    ``LogitAdjusted(tau=1.0)``. A class without examples counts as if it had one.

    References
    ----------
    .. [1] J. Ren et al., "Balanced meta-softmax for long-tailed visual recognition", NeurIPS
       2020. https://arxiv.org/abs/2007.10740

    Examples
    --------
    >>> import torch
    >>> logits, targets, labels = torch.zeros(2, 2), torch.eye(2), torch.arange(2)
    >>> BalancedSoftmax()(logits, targets, labels, torch.tensor([90.0, 10.0]))
    tensor([0.1054, 2.3026])
    """

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""
        return _cross_entropy(logits + class_shares(counts).log(), targets)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:
        """Return equal probabilities; `shares` over those of the counts where these are given.

        Exact where the network is free to fit and targets have this mean.
        """
        return shifted_prior(shares, counts, 1.0)


@dataclass(eq=False, repr=False, kw_only=True)
class LogitAdjusted(SpecializedLoss):
    r"""Cross-entropy on logits shifted by the log frequency of each class, more or less strongly.

    With ``tau=1`` the class of the largest logit is the one that minimises the balanced error.
    Use it where rare and common classes matter equally. Prior correction of cross-entropy is the
    control; it comes after training, so it costs no run for each strength.

    Parameters
    ----------
    tau : float, default=1.0
        Strength of the shift, at least 0; 0 is cross-entropy, 1 is `BalancedSoftmax`.

    Notes
    -----
    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)`` and class
    frequencies :math:`\pi` of shape ``(classes,)``, in nats [1]_:

    .. math:: \ell(z, t) = -\sum_k t_k \log \operatorname{softmax}(z + \tau \log \pi)_k

    The shift is the same for all labels, so soft targets need nothing further. A class without
    examples counts as if it had one.

    References
    ----------
    .. [1] A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, eq. 10.
       https://arxiv.org/abs/2007.07314

    Examples
    --------
    A mistake on the rare class costs more than it does under cross-entropy:

    >>> import torch
    >>> logits, counts = torch.zeros(1, 2), torch.tensor([90.0, 10.0])
    >>> targets, rare = torch.tensor([[0.0, 1.0]]), torch.tensor([1])
    >>> for tau in 0.0, 1.0:
    ...     print(f"{LogitAdjusted(tau=tau)(logits, targets, rare, counts).item():.3f}")
    0.693
    2.303
    """

    tau: float = bounded(1.0, low=0, tune=Span(0.25, 2.0))

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""
        return _cross_entropy(logits + self.tau * class_shares(counts).log(), targets)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:
        r"""Return what the shift left: in proportion to :math:`share_k^{1 - \tau}`.

        With `counts` given, to :math:`share_k \pi_k^{-\tau}`. Exact where the network is free
        to fit and targets have this mean.
        """
        return shifted_prior(shares, counts, self.tau)


@dataclass(eq=False, repr=False, kw_only=True)
class VectorScaling(SpecializedLoss):
    r"""Cross-entropy on logits that are scaled and shifted by class ("VS").

    Shifts alone cease to matter once a network has fitted its training data; scales still move
    the boundary then, and shifts repair what scales do at the start. Use it for long training
    of networks that fit everything, where `LogitAdjusted` loses its effect.

    Parameters
    ----------
    gamma : float, default=0.2
        How strongly logits of rare classes are scaled down, at least 0; 0 is `LogitAdjusted`.
    tau : float, default=1.0
        Strength of the shift, at least 0.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k` and class frequencies :math:`\pi`, of
    shape ``(classes,)``, let :math:`\Delta_k = (n_k / n_{max})^\gamma`. For logits :math:`z` and
    targets :math:`t` of shape ``(batch, classes)``, in nats [1]_:

    .. math:: \ell(z, t) = -\sum_k t_k \log \operatorname{softmax}(\Delta z + \tau \log \pi)_k

    The logits of rare classes must be larger to have the same effect, which is a margin. Scale
    and shift are the same for all labels, so soft targets need nothing further. A class without
    examples counts as if it had one. Classes are predicted by :math:`z` itself.

    References
    ----------
    .. [1] G. R. Kini et al., "Label-imbalanced and group-sensitive classification under
       overparameterization", NeurIPS 2021. https://arxiv.org/abs/2103.01550

    Examples
    --------
    >>> import torch
    >>> logits, targets, labels = torch.ones(2, 2), torch.eye(2), torch.arange(2)
    >>> loss = VectorScaling(gamma=0.5, tau=0.0)
    >>> loss(logits, targets, labels, torch.tensor([16.0, 1.0]))
    tensor([0.3869, 1.1369])
    """

    gamma: float = bounded(0.2, low=0, tune=Span(0.0, 0.5))
    tau: float = bounded(1.0, low=0, tune=Span(0.25, 2.0))

    @property
    def exact_prior(self) -> bool:
        """Whether the scales are all 1."""
        return self.gamma == 0

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats."""
        shares = class_shares(counts)
        scales = (shares / shares.max()) ** self.gamma
        return _cross_entropy(scales * logits + self.tau * shares.log(), targets)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:
        r"""Return what the shift left, as for `LogitAdjusted`; the scales break it.

        It is exact for the scaled logits :math:`\Delta z`, but those that predict are :math:`z`.
        A constant added to all scaled logits changes no loss, yet adds more to rare logits than
        to common ones: the loss itself leaves open how common a class is in :math:`z`, and only
        how the network got there decides. So for `gamma` above 0 this is a heuristic.
        """
        return shifted_prior(shares, counts, self.tau)


def _cross_entropy(logits: Logits, targets: Targets) -> Losses:
    return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1)
