"""Weight averaging: a second network whose weights are means of those that training passes."""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from equipoise.spec import Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class Average(Component):
    """Base of averages: the averaged network is the one that is validated and kept."""

    def needs_statistics(self, done: int, total: int) -> bool:  # noqa: ARG002 (for overriding)
        """Return whether batch norm must be measured anew before the average is used.

        Parameters
        ----------
        done, total : int
            Steps that are done, and planned.
        """
        return False

    def start(self, module: nn.Module) -> nn.Module:
        """Return a copy of the module that will hold the average."""
        average = copy.deepcopy(module)
        return average.requires_grad_(False).eval()

    @abstractmethod
    def update(self, average: nn.Module, module: nn.Module, done: int, total: int) -> None:
        """Take the module's weights into the average.

        Parameters
        ----------
        average : Module
            What `start` returned; changed in place.
        module : Module
            The network, after a step.
        done : int
            Number of that step, from 0.
        total : int
            Number of steps planned; `done` is below it.
        """


@dataclass(eq=False, repr=False, kw_only=True)
class EMA(Average):
    r"""Exponential moving average of weights and batch-norm statistics.

    It is smoother than the last iterate, most of all while the learning rate is high.

    Parameters
    ----------
    decay : float, default=0.998
        Memory of one step, from 0 to below 1; the average spans about ``1 / (1 - decay)`` steps.

    Notes
    -----
    After step :math:`t` (from 0), :math:`\bar\theta \leftarrow d_t \bar\theta + (1 - d_t)\theta`
    with :math:`d_t = \min(decay, (1 + t)/(10 + t))`, so that the initial weights are soon
    forgotten in short runs.

    Examples
    --------
    >>> from torch import nn
    >>> average = EMA(decay=0.9).start(nn.Linear(2, 1))
    """

    decay: float = bounded(0.998, low=0, high=1, open_high=True)

    @torch.no_grad()
    def update(
        self,
        average: nn.Module,
        module: nn.Module,
        done: int,
        total: int,  # noqa: ARG002 (the base's contract)
    ) -> None:
        """Move the average towards the module, after step number `done` (from 0)."""
        decay = min(self.decay, (1 + done) / (10 + done))
        held, new = _distinct(average), module.state_dict()
        floating = [name for name, value in held.items() if value.is_floating_point()]
        mix = get_ema_multi_avg_fn(decay)
        mix([held[name] for name in floating], [new[name] for name in floating], done)
        for name in held.keys() - set(floating):
            held[name].copy_(new[name])


@dataclass(eq=False, repr=False, kw_only=True)
class SWA(Average):
    r"""Stochastic weight averaging: the equal-weight mean of late weights.

    The mean of weights along the end of training often generalises better than any one of
    them [1]_, most of all under a rate that stays high there (`Constant`, or `Linear` with a
    high `final`). The paper takes the weights in once an epoch; here each step counts, which
    needs no choice of a period and gives nearly the same mean.

    Parameters
    ----------
    begin : float, default=0.75
        Share of training after which averaging begins, from 0 to 1. Before, the average is
        the network itself. The last step always counts.

    Notes
    -----
    Of :math:`T` steps, numbered from 0, let :math:`a` be the first with :math:`a / T \ge begin`.
    After step :math:`t \ge a`: :math:`\bar\theta = \frac{1}{t - a + 1} \sum_{i=a}^{t} \theta_i`.
    Buffers are the network's. The mean of weights has other activations than any of the
    networks it is of, so the statistics of batch norm are computed anew before it is used.

    References
    ----------
    .. [1] P. Izmailov et al., "Averaging weights leads to wider optima and better
       generalization", UAI 2018. https://arxiv.org/abs/1803.05407

    Examples
    --------
    >>> from torch import nn
    >>> module = nn.Linear(1, 1, bias=False)
    >>> average = SWA(begin=0.5).start(module)
    >>> for step in range(4):
    ...     _ = nn.init.constant_(module.weight, step)
    ...     SWA(begin=0.5).update(average, module, step, total=4)
    >>> average.weight.item()
    2.5
    """

    begin: float = bounded(0.75, low=0, high=1)

    @torch.no_grad()
    def update(self, average: nn.Module, module: nn.Module, done: int, total: int) -> None:
        """Take step number `done` (from 0) of `total` into the mean, or copy the network."""
        n_averaged = done - self._first(total)
        held, new = _distinct(average), module.state_dict()
        mixed = [name for name, _ in average.named_parameters()] if n_averaged > 0 else []
        if mixed:
            mix = get_swa_multi_avg_fn()
            mix([held[name] for name in mixed], [new[name] for name in mixed], n_averaged)
        for name in held.keys() - set(mixed):
            held[name].copy_(new[name])

    def needs_statistics(self, done: int, total: int) -> bool:
        """Return whether several steps have been averaged by now."""
        return done - 1 > self._first(total)

    def _first(self, total: int) -> int:
        # Less a little, as 0.28 * 25 is more than 7.
        return min(math.ceil(self.begin * total - 1e-9), total - 1)


def _distinct(module: nn.Module) -> dict[str, Tensor]:
    """Return the state of a module, each tensor once, by the first of its names."""
    seen: dict[int, str] = {}
    state = module.state_dict(keep_vars=True)
    return {name: v for name, v in state.items() if seen.setdefault(id(v), name) == name}


@torch.no_grad()
def recompute_statistics(
    module: nn.Module,
    batches: Iterable[Tensor],
    autocast: Callable[[], AbstractContextManager[object]],
) -> None:
    """Replace the running statistics of batch norm by their means over batches.

    Everything but batch norm is in evaluation mode meanwhile, as it is when the network is
    used, so that nothing is dropped. The module's modes and momenta are as before afterwards.

    Parameters
    ----------
    module : Module
        Changed in place; one without batch norm is left alone and no batch is taken.
    batches : iterable of Tensor
        Inputs of training examples, on the module's device. Each batch counts alike,
        whatever its size; a single example is no batch and is passed over.
    autocast : callable
        Returns a context in which the module is called: ``Device.autocast``, or
        ``contextlib.nullcontext``.

    Raises
    ------
    ValueError
        If there is no batch of two examples or more.

    Examples
    --------
    >>> import contextlib, torch
    >>> norm = torch.nn.BatchNorm1d(1)
    >>> batches = torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]])
    >>> recompute_statistics(norm, batches, contextlib.nullcontext)
    >>> norm.running_mean.item(), norm.running_var.item()
    (4.0, 2.0)
    """
    norms = [
        part
        for part in module.modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]
    if not norms:
        return
    n_batches = 0
    with _averaging(module, norms):
        for inputs in batches:
            if len(inputs) > 1:
                with autocast():
                    module(inputs)
                n_batches += 1
    if n_batches == 0:
        raise ValueError("Statistics need a batch of at least two examples.")


@contextmanager
def _averaging(module: nn.Module, norms: list[_BatchNorm]) -> Iterator[None]:
    """Let batch norm alone train, from nothing and with equal weight for every batch."""
    modes = [(part, part.training) for part in module.modules()]
    momenta = [(norm, norm.momentum) for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # PyTorch's sign for a mean in which all batches count alike
    try:
        yield
    finally:
        for norm, momentum in momenta:
            norm.momentum = momentum
        for part, mode in modes:
            part.training = mode


AVERAGES: dict[str, type[Average]] = {"EMA": EMA, "SWA": SWA}
"""Weight averages by name."""
