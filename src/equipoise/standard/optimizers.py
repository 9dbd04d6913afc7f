"""Optimizers; each leaves norms and biases undecayed, and takes a rate scale by parameter."""

import importlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import Component, bounded
from equipoise.standard.libraries import (
    PYTORCH_OPTIMIZER,
    TORCH,
    check_name,
    check_options,
    keywords,
)
from equipoise.standard.networks import decay_groups


def parameter_groups(
    module: nn.Module, weight_decay: float, scales: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Return groups of parameters of one decay and one rate scale, as PyTorch takes them.

    Parameters
    ----------
    module : Module
        Whose trainable parameters are grouped; what `decay_groups` spares has decay 0.
    weight_decay : float
        Decay of the others, at least 0.
    scales : mapping of str to float, optional
        Factor of the learning rate by name of a parameter, at least 0; 1 where absent. A
        parameter of several names goes by the first of them.

    Returns
    -------
    list of dict
        Keys ``params``, ``weight_decay`` and ``lr_scale``, by which training multiplies the
        rate of each step. Decayed groups come first; none is empty.

    Raises
    ------
    ValueError
        If a name is not one of the module's.

    Examples
    --------
    >>> from torch import nn
    >>> groups = parameter_groups(nn.Linear(3, 2), 0.01, {"weight": 0.1})
    >>> [(g["weight_decay"], g["lr_scale"], len(g["params"])) for g in groups]
    [(0.01, 0.1, 1), (0.0, 1.0, 1)]
    """
    scales = scales or {}
    if unknown := scales.keys() - dict(module.named_parameters(remove_duplicate=False)).keys():
        raise ValueError(f"The module has no parameters {sorted(unknown)}.")
    names = {parameter: name for name, parameter in module.named_parameters()}
    groups: list[dict[str, Any]] = []
    for members, decay in zip(decay_groups(module), (weight_decay, 0.0), strict=True):
        by_scale: dict[float, list[nn.Parameter]] = {}
        for parameter in members:
            by_scale.setdefault(scales.get(names[parameter], 1.0), []).append(parameter)
        groups += [
            {"params": params, "weight_decay": decay, "lr_scale": scale}
            for scale, params in by_scale.items()
        ]
    return groups


@dataclass(eq=False, repr=False, kw_only=True)
class Optimizer(Component):
    """Base of optimizers: builds an object whose ``step()`` updates a network.

    Parameters
    ----------
    lr : float, default=0.1
        Peak learning rate, at least 0.
    """

    lr: float = bounded(0.1, low=0)

    @abstractmethod
    def build(
        self, module: nn.Module, scales: Mapping[str, float] | None = None
    ) -> torch.optim.Optimizer:
        """Return an optimizer over the trainable parameters of a module.

        Parameters
        ----------
        module : Module
            What is trained.
        scales : mapping of str to float, optional
            Factor of the learning rate by name of a parameter; see `parameter_groups`.
        """


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

    tuned_for = ("images", "table")

    lr: float = bounded(0.1, low=0, tune=Span(0.005, 0.5, log=True))
    momentum: float = bounded(0.9, low=0, high=1, open_high=True)
    nesterov: bool = bounded(True, choices=(True, False))
    weight_decay: float = bounded(5e-4, low=0, tune=Span(1e-5, 1e-2, log=True))

    def build(
        self, module: nn.Module, scales: Mapping[str, float] | None = None
    ) -> torch.optim.Optimizer:
        """Return `torch.optim.SGD` over the trainable parameters."""
        return torch.optim.SGD(
            parameter_groups(module, self.weight_decay, scales),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
        )


@dataclass(eq=False, repr=False, kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015), with weight decay as an L2 penalty in the gradient.

    The penalty passes through Adam's scaling, so that what has large gradients decays less;
    `AdamW` is usually preferred where weights decay.

    Parameters
    ----------
    lr : float, default=1e-3
        Peak learning rate, at least 0.
    weight_decay : float, default=0.0
        L2 penalty on matrices and kernels, at least 0.
    beta1 : float, default=0.9
        Memory of the mean gradient, from 0 to below 1.
    beta2 : float, default=0.999
        Memory of the squared gradient, from 0 to below 1.

    Examples
    --------
    >>> from torch import nn
    >>> Adam(beta1=0.8).build(nn.Linear(3, 2)).param_groups[0]["betas"]
    (0.8, 0.999)
    """

    lr: float = bounded(1e-3, low=0)
    weight_decay: float = bounded(0.0, low=0)
    beta1: float = bounded(0.9, low=0, high=1, open_high=True)
    beta2: float = bounded(0.999, low=0, high=1, open_high=True)

    def build(
        self, module: nn.Module, scales: Mapping[str, float] | None = None
    ) -> torch.optim.Optimizer:
        """Return `torch.optim.Adam` over the trainable parameters."""
        groups = parameter_groups(module, self.weight_decay, scales)
        return torch.optim.Adam(groups, lr=self.lr, betas=(self.beta1, self.beta2))


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

    tuned_for = ("images", "table")

    lr: float = bounded(1e-3, low=0, tune=Span(1e-4, 1e-2, log=True))
    weight_decay: float = bounded(0.01, low=0, tune=Span(1e-4, 0.3, log=True))
    beta1: float = bounded(0.9, low=0, high=1, open_high=True)
    beta2: float = bounded(0.999, low=0, high=1, open_high=True)

    def build(
        self, module: nn.Module, scales: Mapping[str, float] | None = None
    ) -> torch.optim.Optimizer:
        """Return `torch.optim.AdamW` over the trainable parameters."""
        groups = parameter_groups(module, self.weight_decay, scales)
        return torch.optim.AdamW(groups, lr=self.lr, betas=(self.beta1, self.beta2))


@dataclass(eq=False, repr=False, kw_only=True)
class FromLibrary(Optimizer):
    """Base of optimizers that are named as their library names them.

    Parameters
    ----------
    name : str, default="SGD"
        Name of the class in its library; see `equipoise.standard.libraries`.
    lr : float, default=0.1
        Peak learning rate, at least 0.
    weight_decay : float, default=0.0
        Decay of matrices and kernels, at least 0, as the library applies it.
    options : tuple of (str, literal) pairs, default=()
        Further keywords of the class: ``(("momentum", 0.9),)``.
    """

    name: str = "SGD"
    weight_decay: float = bounded(0.0, low=0)
    options: tuple[Any, ...] = ()

    library: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    def validate(self) -> None:
        """Raise `InputError` if a field is outside its bounds, or the class refuses an option."""
        super().validate()
        check_name(self.name, self.names, self.library)
        kind = self.kind()
        check_options(kind, self.options)
        if self.weight_decay > 0 and "weight_decay" not in keywords(kind):
            raise InputError(
                f"`weight_decay` of `{self.name}` must be 0: the class has none.",
                f"It is {self.weight_decay!r}.",
                "Leave it out, or choose another optimizer.",
            )
        self._try(kind)

    @abstractmethod
    def kind(self) -> type[torch.optim.Optimizer]:
        """Return the class from its library."""

    def build(
        self, module: nn.Module, scales: Mapping[str, float] | None = None
    ) -> torch.optim.Optimizer:
        """Return the library's optimizer over the trainable parameters."""
        groups = parameter_groups(module, self.weight_decay, scales)
        return self._make(self.kind(), groups)

    def _make(
        self, kind: type[torch.optim.Optimizer], groups: list[dict[str, Any]]
    ) -> torch.optim.Optimizer:
        settings = {"lr": self.lr, **dict(self.options)}
        return kind(groups, **settings)

    def _try(self, kind: type[torch.optim.Optimizer]) -> None:
        # Values are checked by the classes themselves, when they are made.
        parameter = nn.Parameter(torch.zeros(2, 2))
        try:
            self._make(kind, [{"params": [parameter], "weight_decay": self.weight_decay}])
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise InputError(
                f"`{self.name}` of `{self.library}` must accept the options and rates given.",
                f"With lr={self.lr!r} and options={self.options!r} it says: {error}.",
                "See its documentation for what it takes.",
            ) from error


@dataclass(eq=False, repr=False, kw_only=True)
class TorchOptim(FromLibrary):
    """Any optimizer of `torch.optim` that steps on dense gradients without a closure.

    Parameters
    ----------
    name : str, default="RMSprop"
        Name of the class: one of `equipoise.standard.libraries.TORCH`.
    lr : float, default=1e-3
        Peak learning rate, at least 0.
    weight_decay : float, default=0.0
        Decay of matrices and kernels, at least 0, as the class applies it.
    options : tuple of (str, literal) pairs, default=()
        Further keywords of the class.

    Examples
    --------
    >>> from torch import nn
    >>> optimizer = TorchOptim(options=(("momentum", 0.9),)).build(nn.Linear(3, 2))
    >>> type(optimizer).__name__, optimizer.param_groups[0]["momentum"]
    ('RMSprop', 0.9)
    """

    name: str = "RMSprop"
    lr: float = bounded(1e-3, low=0)

    library: ClassVar[str] = "torch.optim"
    names: ClassVar[tuple[str, ...]] = TORCH

    def kind(self) -> type[torch.optim.Optimizer]:
        """Return the class from `torch.optim`."""
        check_name(self.name, self.names, self.library)
        return getattr(torch.optim, self.name)


@dataclass(eq=False, repr=False, kw_only=True)
class PytorchOptimizer(FromLibrary):
    """An optimizer of the extra package `pytorch_optimizer`, which collects published ones.

    Parameters
    ----------
    name : str, default="Lion"
        Name of the class: one of `equipoise.standard.libraries.PYTORCH_OPTIMIZER`.
    lr : float, default=1e-4
        Peak learning rate, at least 0. The default suits Lion; most others want another, and
        those that estimate the rate (Prodigy, DAdaptAdam) want 1.
    weight_decay : float, default=0.0
        Decay of matrices and kernels, at least 0, as the class applies it.
    options : tuple of (str, literal) pairs, default=()
        Further keywords of the class.

    Examples
    --------
    >>> PytorchOptimizer(name="AdaBelief", lr=1e-3, options=(("betas", (0.9, 0.99)),))
    PytorchOptimizer(lr=0.001, name='AdaBelief', options=(('betas', (0.9, 0.99)),))
    """

    name: str = "Lion"
    lr: float = bounded(1e-4, low=0)

    library: ClassVar[str] = "pytorch_optimizer"
    names: ClassVar[tuple[str, ...]] = PYTORCH_OPTIMIZER

    def kind(self) -> type[torch.optim.Optimizer]:
        """Return the class from the package, or say how to install it."""
        check_name(self.name, self.names, self.library)
        try:
            return getattr(importlib.import_module("pytorch_optimizer"), self.name)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"`PytorchOptimizer(name={self.name!r})` needs the package `pytorch_optimizer`.",
                f"It cannot be imported from it: {error}.",
                'Install it: pip install "equipoise[optimizers]".',
            ) from error


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "SGD": SGD,
    "Adam": Adam,
    "AdamW": AdamW,
    "TorchOptim": TorchOptim,
    "PytorchOptimizer": PytorchOptimizer,
}
"""Optimizers by name."""
