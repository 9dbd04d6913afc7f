"""Samplers: how often each class is shown, and in which order examples are drawn for an epoch."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from equipoise._tensors import ClassCounts
from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.spaces import Span
from equipoise.spec import Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class Sampler(Component):
    r"""Base of samplers: an epoch shows as many examples as there are, but of other shares.

    Weights change what an example counts, samplers how often it is seen: an example of a rare
    class returns many times an epoch, each time augmented anew, and of a common class some are
    left out until another epoch. Logits then contain the shares that were shown, not those of
    the data.

    Notes
    -----
    With :math:`n` examples and the probability :math:`p_k` of class :math:`k`, an epoch holds
    :math:`\lfloor n p_k \rfloor` or :math:`\lceil n p_k \rceil` examples of it, the larger number
    with just the probability that makes the mean :math:`n p_k` (systematic sampling). Independent
    draws would scatter by :math:`\sqrt{n p_k}`; fixed rounding would never show a class of
    :math:`n p_k < 1/2` at all. Within a class no example returns before all others were drawn
    as often, so numbers of draws differ by one at most. Nothing is remembered between epochs.

    Shares equal to those of the data give a uniform random permutation.
    """

    exact_prior: ClassVar[bool] = True
    """Whether the shares of an epoch are what logits contain that were trained so for long."""

    @abstractmethod
    def shares(self, counts: ClassCounts, progress: float) -> Tensor:
        """Return the probability that an example drawn is of each class.

        Parameters
        ----------
        counts : Tensor of float, shape (classes,)
            Training examples of each class, one class at least having some.
        progress : float
            Part of the training that is done, from 0 in the first epoch to 1 in the last.

        Returns
        -------
        Tensor of float, shape (classes,)
            Sums to 1; 0 for a class without examples.
        """

    def order(
        self, codes: CodeArray, epoch: int, epochs: int, generator: torch.Generator
    ) -> IndexArray:
        """Return the positions of the examples to show in one epoch, in order.

        Parameters
        ----------
        codes : ndarray of int, shape (examples,)
            Class of each training example.
        epoch : int
            Number of the epoch, from 0.
        epochs : int
            How many there will be.
        generator : torch.Generator
            The only source of randomness, on the CPU. Seeded alike, all processes, and a run
            that was resumed, find the same order.

        Returns
        -------
        ndarray of int64, shape (examples,)
            As many positions as there are examples.
        """
        counts = np.bincount(codes)
        progress = epoch / max(1, epochs - 1)
        shares = self.shares(torch.from_numpy(counts).double(), progress).numpy()
        quotas = class_quotas(shares, len(codes), float(torch.rand((), generator=generator)))
        drawn = np.concatenate(list(_drawn(codes, counts, quotas, generator)))
        # Which class comes when is shuffled, but each class keeps the order in which it was
        # drawn: only so do all its examples come before any returns.
        classes = np.repeat(np.arange(len(quotas)), quotas)
        shuffled = classes[torch.randperm(len(codes), generator=generator).numpy()]
        order = np.empty(len(codes), dtype=np.int64)
        order[np.argsort(shuffled, kind="stable")] = drawn
        return order


def class_quotas(shares: np.ndarray, n: int, start: float) -> CountArray:
    r"""Return how many of `n` draws each class gets, by systematic sampling.

    Parameters
    ----------
    shares : ndarray of float64, shape (classes,)
        Probability of each class; they sum to 1.
    n : int
        Number of draws.
    start : float
        Uniform random number from 0 to below 1, of float32: it must add to whole numbers
        without rounding.

    Returns
    -------
    ndarray of int64, shape (classes,)
        They sum to `n`; each is :math:`n p_k` rounded up or down, and over all starts
        :math:`n p_k` on average.

    Notes
    -----
    Pieces of length :math:`n p_k` are laid end to end on a line; a class gets a draw for each of
    the points ``1 - start``, ``2 - start``, ..., ``n - start`` that its piece ends on or holds.

    Examples
    --------
    >>> class_quotas(np.array([0.55, 0.25, 0.2]), 10, 0.75)
    array([6, 2, 2])
    >>> class_quotas(np.array([0.55, 0.25, 0.2]), 10, 0.25)
    array([5, 3, 2])
    """
    ends = np.cumsum(shares)
    ends = ends / ends[-1] * n
    nearest = np.rint(ends)
    # What rounding made of a whole number is one: shares of the data must give the data.
    ends = np.where(np.abs(ends - nearest) < 1e-6, nearest, ends)
    return np.diff(np.floor(ends + start), prepend=0).astype(np.int64)


def power_shares(counts: ClassCounts, power: float) -> Tensor:
    """Return shares in proportion to a power of the counts; 0 for classes without examples.

    >>> power_shares(torch.tensor([90.0, 10.0, 0.0]), 0.5)
    tensor([0.7500, 0.2500, 0.0000])
    """
    present = torch.where(counts > 0, (counts / counts.max()) ** power, 0.0)
    return present / present.sum()


@dataclass(eq=False, repr=False, kw_only=True)
class PowerSampling(Sampler):
    r"""Shares in proportion to a power of the class size.

    Parameters
    ----------
    power : float, default=0.5
        From 0, which is `ClassBalanced`, to 1, which shows every example once an epoch.

    Notes
    -----
    For :math:`n_k` examples of class :math:`k`: :math:`p_k = n_k^q / \sum_j n_j^q` with the power
    :math:`q` [1]_.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> PowerSampling(power=1.0).shares(torch.tensor([90.0, 10.0]), 0.0)
    tensor([0.9000, 0.1000])
    """

    power: float = bounded(0.5, low=0, high=1, tune=Span(0.0, 1.0))

    def shares(self, counts: ClassCounts, progress: float) -> Tensor:  # noqa: ARG002
        """Return the shares, the same in all epochs."""
        return power_shares(counts, self.power)


@dataclass(eq=False, repr=False, kw_only=True)
class ClassBalanced(Sampler):
    """All classes equally often.

    The usual choice for training a classifier on features that are already there. For features
    it is often a bad one: the few examples of rare classes are seen so often that they are
    learnt by heart. Published top-1 of training with it from the start, at ratio 100, ResNet-32:
    72.5 on CIFAR-10, 35.2 on CIFAR-100; cross-entropy there has 70.4 to 72.0, and 37.7 to 38.8.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> ClassBalanced().shares(torch.tensor([90.0, 10.0, 0.0]), 0.0)
    tensor([0.5000, 0.5000, 0.0000])
    >>> codes = np.array([0, 0, 0, 0, 0, 1])
    >>> order = ClassBalanced().order(codes, 0, 1, torch.Generator().manual_seed(0))
    >>> codes[order].mean().item()
    0.5
    """

    def shares(self, counts: ClassCounts, progress: float) -> Tensor:  # noqa: ARG002
        """Return equal shares of all classes that have examples."""
        return power_shares(counts, 0.0)


@dataclass(eq=False, repr=False, kw_only=True)
class SquareRoot(Sampler):
    """Shares in proportion to the square root of the class size: ``PowerSampling(power=0.5)``.

    A compromise between the data as they are and `ClassBalanced`, which repeats rare examples
    less often: at an imbalance ratio of 100 ten times as often as common ones.

    References
    ----------
    .. [1] D. Mahajan et al., "Exploring the limits of weakly supervised pretraining", ECCV 2018.

    Examples
    --------
    >>> SquareRoot().shares(torch.tensor([90.0, 10.0]), 0.0)
    tensor([0.7500, 0.2500])
    """

    def shares(self, counts: ClassCounts, progress: float) -> Tensor:  # noqa: ARG002
        """Return the shares, the same in all epochs."""
        return power_shares(counts, 0.5)


@dataclass(eq=False, repr=False, kw_only=True)
class Progressive(Sampler):
    r"""From the data as they are in the first epoch to balanced classes in the last.

    Features are learnt from all examples, and the classifier turns to balanced classes late.

    Notes
    -----
    With :math:`u` the progress from 0 to 1, :math:`n_k` of :math:`N` examples in class :math:`k`
    and :math:`K` classes [1]_:

    .. math:: p_k = (1 - u)\,\frac{n_k}{N} + u\,\frac{1}{K}

    A training of one epoch shows the data as they are. What the logits contain in the end lies
    between the shares of the last epochs and earlier ones, the further back the smaller the
    learning rate became: correction to other class frequencies is a heuristic.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020, eq. 3. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> for progress in 0.0, 0.5, 1.0:
    ...     print(Progressive().shares(torch.tensor([90.0, 10.0]), progress))
    tensor([0.9000, 0.1000])
    tensor([0.7000, 0.3000])
    tensor([0.5000, 0.5000])
    """

    exact_prior: ClassVar[bool] = False

    def shares(self, counts: ClassCounts, progress: float) -> Tensor:
        """Return the shares at this progress."""
        return _blend(counts, progress)


@dataclass(eq=False, repr=False, kw_only=True)
class Mixed(Sampler):
    r"""A part of each epoch as the data are, the other with balanced classes.

    Parameters
    ----------
    balanced : float, default=0.5
        The part with balanced classes: from 0, the data as they are, to 1, `ClassBalanced`.

    Notes
    -----
    With :math:`b` for `balanced`, :math:`n_k` of :math:`N` examples in class :math:`k` and
    :math:`K` classes: :math:`p_k = (1 - b)\,n_k / N + b / K`, which gives every class at least
    :math:`b / K`. An example is drawn once for both parts together.

    Examples
    --------
    >>> Mixed(balanced=0.25).shares(torch.tensor([90.0, 10.0]), 0.0)
    tensor([0.8000, 0.2000])
    """

    balanced: float = bounded(0.5, low=0, high=1, tune=Span(0.0, 1.0))

    def shares(self, counts: ClassCounts, progress: float) -> Tensor:  # noqa: ARG002
        """Return the shares, the same in all epochs."""
        return _blend(counts, self.balanced)


def _blend(counts: ClassCounts, balanced: float) -> Tensor:
    return (1 - balanced) * power_shares(counts, 1.0) + balanced * power_shares(counts, 0.0)


def _drawn(
    codes: CodeArray, counts: CountArray, quotas: CountArray, generator: torch.Generator
) -> Iterator[IndexArray]:
    """Yield the positions drawn of each class: one permutation of its examples after another."""
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    for own, quota in zip(members, quotas, strict=True):
        if quota > 0:
            passes = -(-int(quota) // len(own))
            keys = torch.rand((passes, len(own)), dtype=torch.float64, generator=generator)
            yield own[keys.argsort(dim=1).flatten().numpy()[:quota]]


SAMPLERS: dict[str, type[Sampler]] = {
    "PowerSampling": PowerSampling,
    "ClassBalanced": ClassBalanced,
    "SquareRoot": SquareRoot,
    "Progressive": Progressive,
    "Mixed": Mixed,
}
"""Samplers by name."""
