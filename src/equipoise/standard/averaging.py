"""Weight averaging: an exponential moving average of the network while it trains."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from equipoise.spec import Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class EMA(Component):
    r"""Exponential moving average of weights and batch-norm statistics.

    The averaged network is the one that is validated and kept. It is smoother than the last
    iterate, most of all while the learning rate is high.

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

    def start(self, module: nn.Module) -> nn.Module:
        """Return a copy of the module that will hold the average."""
        average = copy.deepcopy(module)
        return average.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, average: nn.Module, module: nn.Module, step: int) -> None:
        """Move the average towards the module, after step number `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        held, new = average.state_dict(), module.state_dict()
        floating = [name for name, value in held.items() if value.is_floating_point()]
        mix = get_ema_multi_avg_fn(decay)
        mix([held[name] for name in floating], [new[name] for name in floating], step)
        for name in held.keys() - set(floating):
            held[name].copy_(new[name])


AVERAGES: dict[str, type[EMA]] = {"EMA": EMA}
"""Weight averages by name."""
