"""The focal loss: examples that are already right count less."""

from dataclasses import dataclass

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
    the :math:`\alpha` of the paper. It fits no probabilities [2]_: what it predicts is less sure
    than it should be, so calibrate before using it.

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

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.
       https://arxiv.org/abs/1708.02002
    .. [2] N. Charoenphakdee et al., "On focal loss for class-posterior probability estimation: a
       theoretical perspective", CVPR 2021.

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
    """

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

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:  # noqa: ARG002
        """Return `shares` themselves, which is a heuristic.

        The larger class is also the larger in the logits, but for `gamma` above 0 less so than
        it was in training, where classes overlap: the least loss is not at the true
        probabilities. Shares of 0.9 and 0.1 come out as 0.69 and 0.31 with ``gamma=2`` and
        nothing else to learn from.
        """
        return shares
