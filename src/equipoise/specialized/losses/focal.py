"""The focal loss: examples that are already right count less."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Logits, Losses, Targets
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.losses.base import SpecializedLoss, log_odds


@dataclass(eq=False, repr=False, kw_only=True)
class Focal(SpecializedLoss):
    r"""Cross-entropy in which an example counts the less, the surer the network is of it.

    Made for detection, where easy background drowns everything else. Class sizes are not used:
    it helps rare classes only as far as they are hard, so combine it with a class weighting for
    the :math:`\alpha` of the paper. What it fits are no probabilities of classes, but they follow
    from it [2]_: a network that was trained by it predicts by them, see `posterior_logits`.

    Parameters
    ----------
    gamma : float, default=2.0
        How fast sure examples lose weight, at least 0; 0 is cross-entropy. The paper tries 0
        to 5.

    Notes
    -----
    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)`` and
    :math:`p = \operatorname{softmax}(z)`, in nats:

    .. math:: \ell(z, t) = -\sum_k t_k (1 - p_k)^\gamma \log p_k

    With one-hot targets this is [1]_, for several classes. It is linear in the targets: the loss
    of a blend is the blend of the losses of its two labels, and smoothed mass on class :math:`k`
    costs what an example of class :math:`k` would. The factor is part of the gradient.

    Where classes overlap, the loss is least at :math:`p` that are less sure than the class
    probabilities :math:`\eta`. There :math:`\eta_k` times the slope of :math:`(1 - p_k)^\gamma \log
    p_k` is the same for all classes, so [2]_

    .. math::

        \eta_k = \frac{h(p_k)}{\sum_j h(p_j)}, \qquad
        h(v) = \frac{v}{(1 - v)^\gamma - \gamma (1 - v)^{\gamma - 1} v \log v}

    :math:`h` grows with :math:`v` for every :math:`\gamma \ge 0`, for
    :math:`-(1 - v)^\gamma \log v` is convex: all classes keep their order, and so the class that is
    predicted stays, until another prior is corrected to.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.
       https://arxiv.org/abs/1708.02002
    .. [2] N. Charoenphakdee et al., "On focal loss for class-posterior probability estimation: a
       theoretical perspective", CVPR 2021. https://arxiv.org/abs/2011.09172

    Examples
    --------
    An example that is 90 % sure counts a hundredth:

    >>> import torch
    >>> logits = torch.tensor([[0.9, 0.1]]).log()
    >>> targets, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    >>> for gamma in 0.0, 2.0:
    ...     loss = Focal(gamma=gamma)(logits, targets, labels, torch.tensor([5.0, 5.0]))
    ...     print(f"{loss.item():.6f}")
    0.105361
    0.001054

    With nothing to learn but shares of 0.9 and 0.1 the loss is least at 0.694 and 0.306:

    >>> fitted = torch.tensor([[0.69421, 0.30579]]).log()
    >>> Focal().posterior_logits(fitted).exp()
    tensor([[0.9000, 0.1000]])
    """

    maps_logits: ClassVar[bool] = True

    gamma: float = bounded(2.0, low=0, tune=Span(0.5, 5.0))

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,  # noqa: ARG002
    ) -> Losses:
        """Return the focal loss of each example, shape ``(batch,)``, in nats."""
        odds = log_odds(logits)
        # As a power of e, because the slope of a root of 1 - p is infinite where p is 1.
        unsure = (-self.gamma * F.softplus(odds)).exp()
        return (targets * unsure * F.softplus(-odds)).sum(dim=1)

    def posterior_logits(self, logits: Logits) -> Logits:
        r"""Return log-probabilities of the classes, :math:`\log \eta`, of logits that were fitted.

        Parameters
        ----------
        logits : Tensor of float, shape (batch, classes)
            Of two classes or more.

        Returns
        -------
        Tensor of float, shape (batch, classes)
            In the same order as `logits` in each row.
        """
        odds = log_odds(logits)
        # p / (1 - p) times -log p, which is 1 where p is: of large odds by their inverse.
        inverse = (-odds.clamp(min=0)).exp().clamp(min=torch.finfo(odds.dtype).tiny)
        small = odds.clamp(max=0)
        slope = torch.where(odds > 0, inverse.log1p() / inverse, small.exp() * F.softplus(-small))
        logs = self.gamma * F.softplus(odds) - F.softplus(-odds) - (self.gamma * slope).log1p()
        return logs.log_softmax(dim=1)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:  # noqa: ARG002
        """Return `shares` themselves: the logits of `posterior_logits` contain them."""
        return shares
