"""Class weights: how much the loss of an example counts, by the size of its class."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ClassCounts
from equipoise.spaces import Options, Span
from equipoise.spec import Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class Weighting(Component):
    r"""Base of class weights.

    Weights multiply the loss of each example, that of a mixed one by the blend of its two
    weights, and never enter targets: smoothed mass is not weighted.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k` and :math:`N` in all, weights are
    scaled so that the mean weight of a training example is 1:

    .. math:: \sum_k n_k w_k = N

    The mean loss then keeps its size, and the learning rate its meaning, whatever the
    weighting. Had the weights a mean of 1 over the *classes*, as in much published code, each
    weighting would bring a learning rate of its own.
    """

    @abstractmethod
    def relative(self, counts: ClassCounts) -> Tensor:
        """Return weights up to a common factor, the largest of them 1.

        Parameters
        ----------
        counts : Tensor of float64, shape (classes,)
            Training examples of each class, above 0.
        """

    def weights(self, counts: ClassCounts) -> Tensor:
        """Return the weight of each class.

        Parameters
        ----------
        counts : Tensor of float, shape (classes,)
            Training examples of each class, one class at least having some.

        Returns
        -------
        Tensor of float, shape (classes,)
            Not negative, finite, of the type and on the device of `counts`. A class without
            examples weighs as much as the smallest that has some.
        """
        # float64 on the CPU: not every accelerator has it, and this is done once a training.
        exact = counts.detach().double().cpu()
        found = self.relative(exact.clamp(min=float(exact[exact > 0].min())))
        return (found * (exact.sum() / (exact * found).sum())).to(counts)


@dataclass(eq=False, repr=False, kw_only=True)
class Inverse(Weighting):
    r"""Weights in inverse proportion to a power of the class size.

    Use it where rare classes matter as much as common ones and the network cannot fit all it is
    shown. Do not expect much of it where a network fits its training data to the end: there
    the weights hardly move the boundary, and rare classes are memorised the sooner. Prior
    correction of unweighted training is the control.

    Parameters
    ----------
    power : float, default=1.0
        How strongly rarity counts, at least 0: 0 is no weighting, 0.5 the square root, 1 gives
        all classes the same total weight.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k` and :math:`N` in all:

    .. math:: w_k = N n_k^{-power} \Big/ \sum_j n_j^{1 - power}

    With ``power=1`` and :math:`K` classes this is :math:`N / (K n_k)`, scikit-learn's
    ``"balanced"``.

    References
    ----------
    .. [1] C. Huang et al., "Learning deep representation for imbalanced classification",
       CVPR 2016 (inverse frequency).
    .. [2] D. Mahajan et al., "Exploring the limits of weakly supervised pretraining", ECCV 2018
       (square root, there of the sampling).

    Examples
    --------
    >>> counts = torch.tensor([90.0, 10.0])
    >>> Inverse().weights(counts)
    tensor([0.5556, 5.0000])
    >>> Inverse(power=0.5).weights(counts)
    tensor([0.8333, 2.5000])
    """

    power: float = bounded(1.0, low=0, tune=Span(0.25, 1.0))

    def relative(self, counts: ClassCounts) -> Tensor:
        """Return a power of each count over the smallest."""
        return (counts.min() / counts) ** self.power


@dataclass(eq=False, repr=False, kw_only=True)
class EffectiveNumber(Weighting):
    r"""Weights in inverse proportion to the effective number of examples.

    Examples of a large class overlap, so that the next one adds less. Between no weighting and
    inverse frequency, as ``Inverse(power=0.5)`` is; `beta` says above which size a class's
    further examples cease to count: about :math:`1 / (1 - \beta)`. Where all classes are far
    smaller than that, below a thousand examples with the default, it is ``Inverse()``.

    Parameters
    ----------
    beta : float, default=0.9999
        From 0, which is no weighting, to below 1, towards which it becomes ``Inverse()``. What
        matters is how far it is from 1.

    Notes
    -----
    The effective number of :math:`n_k` examples is [1]_

    .. math:: E_k = \frac{1 - \beta^{n_k}}{1 - \beta}, \qquad w_k \propto \frac{1}{E_k}

    computed as :math:`-\operatorname{expm1}(n_k \log \beta)`, which keeps its digits for
    :math:`\beta` as near to 1 as a number can be. The paper scales weights to a mean of 1 over
    the classes; see `Weighting` for why they are scaled otherwise here.

    References
    ----------
    .. [1] Y. Cui et al., "Class-balanced loss based on effective number of samples", CVPR 2019.
       https://arxiv.org/abs/1901.05555

    Examples
    --------
    >>> EffectiveNumber(beta=0.5).weights(torch.tensor([2.0, 1.0]))
    tensor([0.8571, 1.2857])
    >>> EffectiveNumber(beta=0.0).weights(torch.tensor([90.0, 10.0]))
    tensor([1., 1.])
    """

    beta: float = bounded(
        0.9999,
        low=0,
        high=1,
        open_high=True,
        tune=Options((0.9, 0.99, 0.999, 0.9999, 0.99999)),
    )

    def relative(self, counts: ClassCounts) -> Tensor:
        """Return the smallest effective number over that of each class."""
        numbers = -torch.expm1(counts * counts.new_tensor(self.beta).log())
        return numbers.min() / numbers


WEIGHTINGS: dict[str, type[Weighting]] = {"Inverse": Inverse, "EffectiveNumber": EffectiveNumber}
"""Class weightings by name."""
