"""Optimizers; each steps with a closure, and leaves norms and biases undecayed."""

from dataclasses import dataclass

import torch
from torch import nn

from equipoise.spec import Component, bounded
from equipoise.standard.networks import decay_groups


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return the groups of `decay_groups` as PyTorch's optimizers take them, empty ones left out.

    Examples
    --------
    >>> from torch import nn
    >>> groups = parameter_groups(nn.Linear(3, 2), weight_decay=0.01)
    >>> [(g["weight_decay"], len(g["params"])) for g in groups]
    [(0.01, 1), (0.0, 1)]
    """
    pairs = zip(decay_groups(module), (weight_decay, 0.0), strict=True)
    return [{"params": params, "weight_decay": decay} for params, decay in pairs if params]


@dataclass(eq=False, repr=False, kw_only=True)
class Optimizer(Component):
    """Base of optimizers: builds an object whose ``step(closure)`` updates a network.

    Parameters
    ----------
    lr : float, default=0.1
        Peak learning rate, at least 0.
    """

    lr: float = bounded(0.1, low=0)

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return an optimizer over the trainable parameters of a module."""
        raise NotImplementedError


@dataclass(eq=False, repr=False, kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    The usual choice for convolutional networks trained from scratch.

    Parameters
    ----------
    lr : float, default=0.1
        Peak learning rate, at least 0.
    momentum : float, default=0.9
        Momentum, from 0 to below 1.
    nesterov : bool, default=True
        Whether the gradient looks ahead; off where `momentum` is 0.
    weight_decay : float, default=5e-4
        L2 penalty on matrices and kernels, at least 0. Among the strongest settings under
        imbalance; tune it before believing any other comparison.

    Examples
    --------
    >>> from torch import nn
    >>> SGD(lr=0.05).build(nn.Linear(3, 2)).param_groups[0]["lr"]
    0.05
    """

    lr: float = bounded(0.1, low=0)
    momentum: float = bounded(0.9, low=0, high=1, open_high=True)
    nesterov: bool = bounded(True, choices=(True, False))
    weight_decay: float = bounded(5e-4, low=0)

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return `torch.optim.SGD` over the trainable parameters."""
        return torch.optim.SGD(
            parameter_groups(module, self.weight_decay),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
        )


@dataclass(eq=False, repr=False, kw_only=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    The usual choice for tables and for fine-tuning pretrained networks.

    Parameters
    ----------
    lr : float, default=1e-3
        Peak learning rate, at least 0.
    weight_decay : float, default=0.01
        Decay of matrices and kernels per unit of learning rate, at least 0.
    beta1 : float, default=0.9
        Memory of the mean gradient, from 0 to below 1.
    beta2 : float, default=0.999
        Memory of the squared gradient, from 0 to below 1.

    Examples
    --------
    >>> from torch import nn
    >>> AdamW().build(nn.Linear(3, 2)).param_groups[0]["weight_decay"]
    0.01
    """

    lr: float = bounded(1e-3, low=0)
    weight_decay: float = bounded(0.01, low=0)
    beta1: float = bounded(0.9, low=0, high=1, open_high=True)
    beta2: float = bounded(0.999, low=0, high=1, open_high=True)

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return `torch.optim.AdamW` over the trainable parameters."""
        return torch.optim.AdamW(
            parameter_groups(module, self.weight_decay),
            lr=self.lr,
            betas=(self.beta1, self.beta2),
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {"SGD": SGD, "AdamW": AdamW}
"""Optimizers by name."""
