"""The influence-balanced loss: examples that pull hardest on the classifier count less."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Features, Labels, Logits, Losses, Targets
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.losses.base import SpecializedLoss, log_odds

FLOOR = 1e-3
"""Added to each influence, as in the authors' code: an example without any has a finite weight."""


@dataclass(eq=False, repr=False, kw_only=True)
class InfluenceBalanced(SpecializedLoss):
    r"""Cross-entropy over the influence that each example has on the classifier's weights.

    Boundaries bend around a few examples of overwhelming influence; here the loss of each is
    divided by it. The paper trains with cross-entropy first and turns to this loss halfway, with
    the weighting ``Inverse()`` and a hundredth of the learning rate: see `DeferredLoss`.

    Parameters
    ----------
    alpha : float, default=100.0
        Factor of all losses, above 0, and so of the learning rate. It goes with the width of the
        features: twice as many want twice as much. The authors' code has 1000, for weights of a
        mean of 1 over the classes; for CIFAR-10 at ratio 100 that is 162 with ours.

    Notes
    -----
    For logits :math:`z` and targets :math:`t` of shape ``(batch, classes)``,
    :math:`p = \operatorname{softmax}(z)` and features :math:`h` of shape
    ``(batch, n_features)``, in nats [1]_:

    .. math::

       \ell = \frac{\alpha}{\lVert p - t \rVert_1 \lVert h \rVert_1 + 10^{-3}}
       \left(-\sum_k t_k \log p_k\right)

    The denominator is the size of the gradient of cross-entropy on a linear head's weights.
    Gradients of this loss flow through it, as in the authors' code: held fixed, every example
    would pull alike for ever, however right it is. Soft targets need nothing further:
    :math:`p - t` is their gradient. The class weights :math:`\lambda_k` of the paper are a
    weighting's, not this loss's.

    References
    ----------
    .. [1] S. Park et al., "Influence-balanced loss for imbalanced visual classification", ICCV
       2021. https://arxiv.org/abs/2110.02444

    Examples
    --------
    Twice the features, half the loss:

    >>> import torch
    >>> logits, targets, labels = torch.zeros(2, 2), torch.eye(2), torch.arange(2)
    >>> counts, features = torch.tensor([9.0, 1.0]), torch.tensor([[10.0, 0.0], [10.0, -10.0]])
    >>> InfluenceBalanced(alpha=10.0)(logits, targets, labels, counts, features=features)
    tensor([0.6931, 0.3466])
    """

    needs_features: ClassVar[bool] = True

    alpha: float = bounded(100.0, low=0, open_low=True, tune=Span(10.0, 1000.0, log=True))

    @property
    def exact_prior(self) -> bool:
        """Always false."""
        return False

    def __call__(
        self,
        logits: Logits,
        targets: Targets,
        labels: Labels,  # noqa: ARG002 (the contract of all losses)
        counts: ClassCounts,  # noqa: ARG002
        *,
        features: Features | None = None,
    ) -> Losses:
        """Return the loss of each example, shape ``(batch,)``, in nats; features are needed."""
        if features is None:
            raise TypeError("InfluenceBalanced is called with the features of the examples")
        odds = log_odds(logits)
        # From 1 - p where p is near 1: of sure examples p itself has no digits left to subtract.
        near_one = 1 - targets - (-odds).sigmoid()
        gaps = torch.where(targets > 0.5, near_one, odds.sigmoid() - targets)
        lengths = features.to(logits.dtype).abs().sum(dim=1)
        influence = gaps.abs().sum(dim=1) * lengths
        return self.alpha / (influence + FLOOR) * (targets * F.softplus(-odds)).sum(dim=1)

    def prior(self, shares: Tensor, counts: ClassCounts | None = None) -> Tensor:  # noqa: ARG002
        """Return `shares` themselves, which is a heuristic.

        Where classes overlap, a right answer that is sure pulls hardly and a wrong one as if it
        were alone, so the loss is least at other probabilities than the shares, which have no
        closed form.
        """
        return shares
