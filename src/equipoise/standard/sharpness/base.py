"""What a sharpness-aware gradient is: its passes, its moved weights, its batch statistics."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import get_total_norm

from equipoise._tensors import ClassCounts
from equipoise.spaces import Options, Span
from equipoise.spec import Component, bounded

Gradients = list[Tensor | None]
"""One gradient for each trainable parameter of a network, in order; None: it was not used."""


@runtime_checkable
class Closure(Protocol):
    """One forward pass at the network's present weights, and gradients of its weighted losses."""

    def __call__(self, *weights: ClassCounts | None) -> tuple[Tensor, list[Gradients]]:
        r"""Return the mean loss and one list of gradients for each entry of `weights`.

        Parameters
        ----------
        *weights : Tensor of float, shape (classes,), or None
            Class weights :math:`w`; None: all 1. The gradients are those of
            :math:`\sum_i w_{y_i} \ell_i / n` over the :math:`n` examples of the batch.

        Returns
        -------
        (Tensor, list of Gradients)
            The unweighted mean loss, detached; the gradients, each aligned with the
            parameters that require one.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassWeights:
    """How each class counts in the gradients of one perturbed step.

    The descent gradient is that of `here` at the weights plus that of `there` at the moved
    weights.

    Parameters
    ----------
    ascent : Tensor of float, shape (classes,), or None, default=None
        Weights of the gradient along which the network's weights are moved; None: all 1.
    there : Tensor of float, shape (classes,), or None, default=None
        Weights of the gradient at the moved weights; None: all 1. Where it is the same object
        as `ascent`, a step that cannot be moved needs no second pass.
    here : Tensor of float, shape (classes,), or None, default=None
        Weights of the gradient that is kept from the unmoved weights; None: all 0.
    plain_norm : bool, default=False
        Whether the move is divided by the norm of the unweighted gradient, not by that of the
        ascent gradient.
    """

    ascent: ClassCounts | None = None
    there: ClassCounts | None = None
    here: ClassCounts | None = None
    plain_norm: bool = False


@dataclass(eq=False, repr=False, kw_only=True)
class Sharpness(Component):
    r"""Base of sharpness-aware methods: how a step's gradient is found.

    Parameters
    ----------
    rho : float, default=0.05
        Radius of the move, at least 0; 0 is plain training. Search 0.02 to 1 on a log scale.
    every : int, default=1
        Every how many steps the weights are moved, at least 1; the other steps are plain. Of
        steps numbered from 0 those are ``every - 1``, ``2 * every - 1``, ...
    """

    rho: float = bounded(0.05, low=0, tune=Span(0.02, 1.0, log=True))
    every: int = bounded(1, low=1, integer=True, tune=Options((1, 2, 5)))

    @abstractmethod
    def weights(self, counts: ClassCounts) -> ClassWeights | None:
        """Return how classes of these sizes count; None: every step is plain."""

    def offsets(self, ascent: Gradients, norm: float, network: nn.Module) -> Gradients:  # noqa: ARG002
        r"""Return the move of each parameter, :math:`\rho\,g_a / norm`; `norm` is above 0."""
        # The norm first: rho / norm can overflow where gradient / norm cannot.
        units = torch._foreach_div([g for g in ascent if g is not None], norm)  # type: ignore[attr-defined]
        moves = iter(torch._foreach_mul(units, self.rho))  # type: ignore[attr-defined]
        return [None if g is None else next(moves) for g in ascent]

    def norm(self, gradients: Gradients, network: nn.Module) -> float:  # noqa: ARG002
        """Return the Euclidean norm over all parameters."""
        return get_total_norm([g for g in gradients if g is not None]).item()

    def gradient(
        self, closure: Closure, network: nn.Module, counts: ClassCounts, done: int
    ) -> tuple[Tensor, Gradients]:
        """Return the loss of a batch and the gradient to descend along.

        Parameters
        ----------
        closure : Closure
            Passes over the batch. All passes of a step must draw the same dropout masks.
        network : Module
            What is trained. Its weights are moved in place and restored exactly, also where
            the closure raises; batch-norm statistics are updated by the first pass only.
        counts : Tensor of float, shape (classes,)
            Training examples of each class.
        done : int
            Number of the step, from 0.

        Returns
        -------
        (Tensor, Gradients)
            The mean loss at the unmoved weights, and the gradients. Where the norm that the
            move is divided by is 0 or not finite, nothing is moved: an infinite or undefined
            loss or gradient comes through as it is.
        """
        moving = self.rho > 0 and (done + 1) % self.every == 0
        weights = self.weights(counts) if moving else None
        if weights is None:
            loss, (plain,) = closure(None)
            return loss, plain
        return self._moved_gradient(closure, network, weights)

    def _moved_gradient(
        self, closure: Closure, network: nn.Module, weights: ClassWeights
    ) -> tuple[Tensor, Gradients]:
        asked = [weights.ascent]
        asked += [] if weights.here is None else [weights.here]
        asked += [None] if weights.plain_norm else []
        loss, found = closure(*asked)
        ascent, kept = found[0], None if weights.here is None else found[1]
        norm = self.norm(found[-1] if weights.plain_norm else ascent, network)
        movable = 0 < norm < math.inf
        if not movable and weights.there is weights.ascent:
            return loss, added(ascent, kept)
        offsets = self.offsets(ascent, norm, network) if movable else []
        del ascent, found  # their memory is free for the second pass
        with _moved(network, offsets), frozen_statistics(network):
            _, (there,) = closure(weights.there)
        return loss, added(there, kept)


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that gradients are aligned with.

    >>> len(trainable(nn.Linear(3, 2))), len(trainable(nn.Linear(3, 2).requires_grad_(False)))
    (2, 0)
    """
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Let no forward pass update the running statistics of batch norm.

    Layers in training mode go on normalising by the statistics of their batch; only their
    running mean, running variance and count of batches stay as they are.

    Examples
    --------
    >>> layer = nn.BatchNorm1d(2)
    >>> with frozen_statistics(layer):
    ...     _ = layer(torch.ones(3, 2))
    >>> layer.num_batches_tracked.item(), layer.track_running_stats
    (0, True)
    """
    layers = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
    try:
        for layer in layers:
            layer.track_running_stats = False
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


@contextmanager
def _moved(network: nn.Module, offsets: Gradients) -> Iterator[None]:
    moves = [offset for offset in offsets if offset is not None]
    if not moves:
        yield
        return
    pairs = zip(trainable(network), offsets, strict=True)
    moving: list[Tensor] = [parameter for parameter, offset in pairs if offset is not None]
    # Copies, because adding and subtracting the same number need not give back the weights.
    copies = [parameter.detach().clone() for parameter in moving]
    try:
        with torch.no_grad():
            torch._foreach_add_(moving, moves)  # type: ignore[attr-defined]
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(moving, copies)  # type: ignore[attr-defined]


def added(first: Gradients, second: Gradients | None) -> Gradients:
    """Return the sum of two gradients; what only one of them has is taken from it."""
    if second is None:
        return first
    return [
        b if a is None else a if b is None else a + b for a, b in zip(first, second, strict=True)
    ]
