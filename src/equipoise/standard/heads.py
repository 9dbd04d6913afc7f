"""Heads: what maps features to logits."""

from dataclasses import dataclass

from torch import nn

from equipoise.spec import Component


@dataclass(eq=False, repr=False, kw_only=True)
class Head(Component):
    """Base of heads: builds the module from ``(batch, n_features)`` to ``(batch, n_classes)``."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return a new head; initial weights are drawn from torch's global generator."""
        raise NotImplementedError


@dataclass(eq=False, repr=False, kw_only=True)
class Linear(Head):
    r"""One logit a class, linear in the features.

    Notes
    -----
    For features :math:`h` of shape ``(batch, n_features)``, the logits are
    :math:`h W^\top + b` with :math:`W` of shape ``(n_classes, n_features)``. Weights and
    biases start uniform in :math:`\pm 1 / \sqrt{\text{n\_features}}`, PyTorch's own choice.

    Examples
    --------
    >>> Linear().build(64, 10)
    Linear(in_features=64, out_features=10, bias=True)
    """

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return a new linear layer."""
        return nn.Linear(n_features, n_classes)


HEADS: dict[str, type[Head]] = {"Linear": Linear}
"""Heads by name."""
