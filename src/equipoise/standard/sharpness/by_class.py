"""Sharpness-aware methods in which rare classes count for more: SAMA, ImbSAM and FocalSAM."""

from dataclasses import dataclass

from torch import Tensor

from equipoise._tensors import ClassCounts
from equipoise.spaces import Options, Span
from equipoise.spec import bounded
from equipoise.standard.sharpness.base import ClassWeights, Sharpness

READINGS = ("direction", "radius")
"""What rare classes do to the move of `SAMA`."""


@dataclass(eq=False, repr=False, kw_only=True)
class SAMA(Sharpness):
    r"""SAM whose move is steered, or lengthened, by the rare classes.

    The boundary is pushed away from the few examples of rare classes. All classes count alike
    in the gradient that is descended.

    Parameters
    ----------
    rho : float, default=0.05
        Length of the move, at least 0; 0 is plain training.
    every : int, default=1
        Every how many steps the weights are moved, at least 1.
    gamma : float, default=0.5
        How strongly rarity counts, at least 0; 0 is SAM.
    reading : {"direction", "radius"}, default="direction"
        Whether rare classes turn the move, or also lengthen it.

    Notes
    -----
    For classes of :math:`n_k` training examples let :math:`w_k = (n_{max} / n_k)^\gamma`,
    :math:`g` the gradient of the batch loss and :math:`g_w` that of the loss whose examples
    count :math:`w_y`. The step descends along :math:`g(\theta + \epsilon)` with

    .. math::

       \epsilon = \rho\, g_w / \lVert g_w \rVert_2 \quad\text{(direction)}, \qquad
       \epsilon = \rho\, g_w / \lVert g \rVert_2 \quad\text{(radius)}

    at :math:`\theta`. The paper words the second: a larger step for minority classes. Its
    authors' code does the first, with ``gamma=1``. In `radius` the move of a batch of class
    :math:`k` alone is :math:`\rho w_k` long; where the gradients of classes cancel it is
    longer still, so it wants a smaller `rho`. With equal counts both are SAM.

    Two forward passes; two backward passes in `direction`, three in `radius`.

    References
    ----------
    R. Shwartz-Ziv et al., "Simplifying neural network training under class imbalance",
    NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> SAMA(gamma=0.5).weights(torch.tensor([900.0, 100.0])).ascent
    tensor([1., 3.])
    """

    tuned_for = ("images", "table")

    gamma: float = bounded(0.5, low=0, tune=Span(0.1, 1.0))
    reading: str = bounded("direction", choices=READINGS, tune=Options(READINGS))

    def weights(self, counts: ClassCounts) -> ClassWeights:
        """Return larger weights in the ascent for smaller classes."""
        present = counts.clamp(min=1)  # a class without examples is in no batch
        rarity = (present.max() / present) ** self.gamma
        return ClassWeights(ascent=rarity, plain_norm=self.reading == "radius")


@dataclass(eq=False, repr=False, kw_only=True)
class ImbSAM(Sharpness):
    r"""SAM for the tail classes, plain training for the others.

    Parameters
    ----------
    rho : float, default=0.05
        Length of the move, at least 0; 0 is plain training.
    every : int, default=1
        Every how many steps the weights are moved, at least 1.
    threshold : int or None, default=None
        A class of at most this many training examples is a tail class. None: the smaller half
        of the classes.

    Notes
    -----
    With :math:`g_h` and :math:`g_t` the parts of the batch gradient that come from head and
    from tail examples, the step descends along

    .. math::

       g_h(\theta) + g_t(\theta + \epsilon), \qquad
       \epsilon = \rho\, g_t(\theta) / \lVert g_t(\theta) \rVert_2

    With None and :math:`K` classes, the tail are the classes no larger than the
    :math:`\lfloor K/2 \rfloor`-th smallest and smaller than the largest; so classes of the same
    size are on the same side. With equal counts there is no tail to tell apart and all are
    taken: this is then SAM. A `threshold` below all counts gives plain training, one that no
    count exceeds gives SAM.

    Two forward and three backward passes; a batch without tail examples takes one forward and
    two backward passes. If all classes are tail classes, the cost is SAM's.

    References
    ----------
    Y. Zhou et al., "ImbSAM: A closer look at sharpness-aware minimization in class-imbalanced
    recognition", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> ImbSAM().tail(torch.tensor([500.0, 100.0, 20.0, 5.0]))
    tensor([False, False,  True,  True])
    >>> ImbSAM(threshold=100).tail(torch.tensor([500.0, 100.0, 20.0, 5.0]))
    tensor([False,  True,  True,  True])
    """

    threshold: int | None = bounded(None, low=1, integer=True, optional=True)

    def tail(self, counts: ClassCounts) -> Tensor:
        """Return which classes are tail classes, bool of shape ``(classes,)``."""
        if self.threshold is not None:
            return counts <= self.threshold
        middle = counts.sort().values[max(len(counts) // 2 - 1, 0)]
        tail = (counts <= middle) & (counts < counts.max())
        return tail if tail.any() else tail.logical_not()

    def weights(self, counts: ClassCounts) -> ClassWeights | None:
        """Return 1 for tail classes there and in the ascent, 1 for head classes here."""
        tail = self.tail(counts)
        if not tail.any():
            return None
        moved = tail.to(counts.dtype)
        return ClassWeights(ascent=moved, there=moved, here=None if tail.all() else 1 - moved)


@dataclass(eq=False, repr=False, kw_only=True)
class FocalSAM(Sharpness):
    r"""A penalty on sharpness in which each class counts the more, the rarer it is.

    Parameters
    ----------
    rho : float, default=0.05
        Length of the move, at least 0; 0 is plain training.
    every : int, default=1
        Every how many steps the weights are moved, at least 1.
    gamma : float, default=1.0
        How strongly rarity counts, at least 0. With 0, and ``weight=1``, this is SAM.
    weight : float, default=1.0
        Weight of the penalty in the loss, at least 0; 0 is plain training.

    Notes
    -----
    Class :math:`k` with the share :math:`\pi_k` of the training examples counts
    :math:`(1 - \pi_k)^\gamma` in :math:`L^\gamma`, 1 in the loss :math:`L`. The step descends
    along the gradient, for fixed :math:`\epsilon`, of

    .. math::

       L(\theta) + weight\,\left[L^\gamma(\theta + \epsilon) - L^\gamma(\theta)\right], \qquad
       \epsilon = \rho\,\nabla L^\gamma(\theta) / \lVert \nabla L^\gamma(\theta) \rVert_2

    With equal counts all :math:`K` classes count :math:`(1 - 1/K)^\gamma`, so the penalty is
    that share of SAM's.

    Two forward and three backward passes; two of each where nothing is kept from
    :math:`\theta`, as in SAM.

    References
    ----------
    S. Li et al., "Focal-SAM: Focal sharpness-aware minimization for long-tailed
    classification", ICML 2025.

    Examples
    --------
    >>> import torch
    >>> FocalSAM(gamma=2.0).weights(torch.tensor([75.0, 25.0])).there
    tensor([0.0625, 0.5625])
    """

    gamma: float = bounded(1.0, low=0)
    weight: float = bounded(1.0, low=0)

    def weights(self, counts: ClassCounts) -> ClassWeights | None:
        """Return the weights of the penalty, and here what is left of the loss."""
        if self.weight == 0:
            return None
        # The ascent may share them: the factor `weight` drops out of its direction.
        moved = self.weight * (1 - counts / counts.sum()) ** self.gamma
        kept = 1 - moved
        return ClassWeights(ascent=moved, there=moved, here=kept if kept.any() else None)
