"""Label smoothing: how much of each target is spread evenly over all classes."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Labels, Targets
from equipoise.spaces import Span
from equipoise.spec import Component, bounded


def soft_targets(labels: Labels, rates: ClassCounts) -> Targets:
    r"""Return smoothed one-hot targets.

    Parameters
    ----------
    labels : Tensor of int64, shape (batch,)
        Class codes.
    rates : Tensor of float, shape (classes,)
        Smoothing rate :math:`\epsilon_k` of each class, from 0 to 1.

    Returns
    -------
    Tensor of float, shape (batch, classes)
        For an example of class :math:`y` among :math:`K`:
        :math:`(1 - \epsilon_y)\,\mathrm{onehot}(y) + \epsilon_y / K`. Rows sum to one.

    Examples
    --------
    >>> import torch
    >>> soft_targets(torch.tensor([0, 1]), torch.tensor([0.0, 0.5]))
    tensor([[1.0000, 0.0000],
            [0.2500, 0.7500]])
    """
    n_classes = len(rates)
    onehot = F.one_hot(labels, n_classes).to(rates.dtype)
    rate = rates[labels, None]
    return (1 - rate) * onehot + rate / n_classes


def smoothed_prior(prior: ClassCounts, rates: ClassCounts) -> ClassCounts:
    r"""Return the class probabilities of smoothed targets, which a network's logits contain.

    Correct from this prior, not from the class shares, to that of another place: smoothing gives
    rare classes a floor that the shares know nothing of, and a correction from the shares then
    overshoots.

    Parameters
    ----------
    prior : Tensor of float, shape (classes,)
        Class shares :math:`\pi_k` in training.
    rates : Tensor of float, shape (classes,)
        Smoothing rate :math:`\epsilon_k` of each class.

    Returns
    -------
    Tensor of float, shape (classes,)
        :math:`(1 - \epsilon_k)\,\pi_k + \frac{1}{K} \sum_j \epsilon_j \pi_j` for :math:`K` classes.

    Examples
    --------
    >>> import torch
    >>> smoothed_prior(torch.tensor([0.9, 0.1]), torch.tensor([0.2, 0.2]))
    tensor([0.8200, 0.1800])
    """
    return (1 - rates) * prior + (rates * prior).sum() / len(prior)


@dataclass(eq=False, repr=False, kw_only=True)
class Smoothing(Component):
    """Base of label smoothing: a rate for each class."""

    @abstractmethod
    def rates(self, counts: ClassCounts) -> ClassCounts:
        """Return the smoothing rate of each class, from 0 to 1."""


@dataclass(eq=False, repr=False, kw_only=True)
class Uniform(Smoothing):
    """The same smoothing for every class (Szegedy et al., CVPR 2016, section 7).

    Parameters
    ----------
    eps : float, default=0.1
        Share of each target that is spread evenly over all classes, from 0 to 1.

    Examples
    --------
    >>> import torch
    >>> Uniform(eps=0.2).rates(torch.tensor([90.0, 10.0]))
    tensor([0.2000, 0.2000])
    """

    tuned_for = ("images", "table")

    eps: float = bounded(0.1, low=0, high=1, tune=Span(0.01, 0.3, log=True))

    def rates(self, counts: ClassCounts) -> ClassCounts:
        """Return `eps` for every class."""
        return torch.full_like(counts, self.eps)


@dataclass(eq=False, repr=False, kw_only=True)
class ClassConditional(Smoothing):
    r"""Smoothing that changes from the largest class to the smallest.

    With ``tail > head`` rare classes are smoothed more, to keep the network from memorising
    them [1]_; with ``head > tail`` common classes are smoothed more [2]_. Which of the two
    helps depends on the data.

    Parameters
    ----------
    head : float, default=0.0
        Rate of the largest class, from 0 to 1.
    tail : float, default=0.2
        Rate of the smallest class, from 0 to 1.
    profile : {"log", "linear"}, default="log"
        Whether the rate between the two follows the logarithm of the class count or the count.

    Notes
    -----
    With :math:`u_k` the count of class :math:`k`, or its logarithm, scaled to 1 for the largest
    class and 0 for the smallest: :math:`\epsilon_k = tail + (head - tail)\,u_k`. With equal
    counts :math:`u_k = 1`. Counts must be at least 1.

    References
    ----------
    .. [1] R. Shwartz-Ziv et al., "Simplifying neural network training under class imbalance",
       NeurIPS 2023.
    .. [2] Z. Zhong et al., "Improving calibration for long-tailed recognition", CVPR 2021.

    Examples
    --------
    >>> import torch
    >>> ClassConditional(tail=0.2).rates(torch.tensor([1000.0, 100.0, 10.0]))
    tensor([0.0000, 0.1000, 0.2000])
    """

    tuned_for = ("images", "table")

    head: float = bounded(0.0, low=0, high=1, tune=Span(0.0, 0.3))
    tail: float = bounded(0.2, low=0, high=1, tune=Span(0.0, 0.4))
    profile: str = bounded("log", choices=("log", "linear"))

    def rates(self, counts: ClassCounts) -> ClassCounts:
        """Return the rate of each class, shape ``(classes,)``."""
        size = counts.log() if self.profile == "log" else counts
        low, high = size.min(), size.max()
        share = (size - low) / (high - low) if high > low else torch.ones_like(size)
        return self.tail + (self.head - self.tail) * share


SMOOTHINGS: dict[str, type[Smoothing]] = {
    "Uniform": Uniform,
    "ClassConditional": ClassConditional,
}
"""Label smoothings by name."""
