"""Fine-tuning: which parts of a network are trained, and at what share of the learning rate."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from equipoise.errors import InputError
from equipoise.spec import Component, bounded
from equipoise.standard.backbones.ensembles import SharedLinear
from equipoise.standard.blocks import frozen_modules, parameter_blocks
from equipoise.standard.networks import Network
from equipoise.standard.normalisation import FrozenBatchNorm, freeze_batch_norm, thaw_batch_norm


@dataclass(eq=False, repr=False, kw_only=True)
class FineTuning(Component):
    """Base of fine-tuning: `prepare` before training, `scales` for the optimizer, then `merge`.

    The head is always trained in full, at the full rate.
    """

    @abstractmethod
    def prepare(self, network: Network) -> None:
        """Freeze what is not trained, in place; once for each training.

        Raises
        ------
        InputError
            If the network has too few blocks.
        """

    def scales(self, network: Network) -> dict[str, float]:
        """Return the factor on the learning rate of each trainable parameter, by its name."""
        return _scales(network, 1.0)

    def merge(self, network: Network) -> None:
        """Undo `prepare` and keep what was learnt: plain modules, nothing frozen.

        Keys and shapes of the state dict, and which parameters take gradients, are those of
        the network before `prepare`; batch norm that was frozen before stays frozen.
        """
        for name in network.held:
            if isinstance(layer := network.get_submodule(name), FrozenBatchNorm):
                thaw_batch_norm(layer)
        network.thaw()


@dataclass(eq=False, repr=False, kw_only=True)
class Full(FineTuning):
    r"""Train every parameter; with a decay, the deeper below the head the slower.

    Parameters
    ----------
    rate_decay : float, default=1.0
        Factor on the learning rate from each block to the one before it, above 0 and at
        most 1; 0.65 to 0.9 are usual for pretrained networks. 1: one rate for all.

    Notes
    -----
    With :math:`L` blocks, numbered from 1 at the input, the rate of the head :math:`\eta` and
    the decay :math:`d`, block :math:`l` is trained at :math:`\eta \, d^{\,L + 1 - l}` [1]_. Blocks
    are those of `blocks.parameter_blocks`.

    References
    ----------
    .. [1] K. Clark, M.-T. Luong, Q. V. Le, C. D. Manning, "ELECTRA: pre-training text encoders
       as discriminators rather than generators", ICLR 2020. https://arxiv.org/abs/2003.10555

    Examples
    --------
    >>> from equipoise.standard.backbones import MLP, TableInput
    >>> from equipoise.standard.heads import Linear
    >>> from equipoise.standard.networks import build_network
    >>> network = build_network(MLP(layers=2, numeric=None), Linear(), TableInput(3), 2)
    >>> sorted(set(Full(rate_decay=0.5).scales(network).values()))
    [0.25, 0.5, 1.0]
    """

    rate_decay: float = bounded(1.0, low=0, high=1, open_low=True)

    def prepare(self, network: Network) -> None:
        """Do nothing: all is trained."""

    def scales(self, network: Network) -> dict[str, float]:
        """Return the factor on the learning rate of each trainable parameter, by its name."""
        return _scales(network, self.rate_decay)


@dataclass(eq=False, repr=False, kw_only=True)
class HeadOnly(FineTuning):
    """Train the head on frozen features: a linear probe.

    The whole backbone stays in evaluation mode. Dropout in it is off and batch norm uses its
    running statistics, which do not change, so an example's features never change.

    Examples
    --------
    >>> from equipoise.standard.backbones import MLP, TableInput
    >>> from equipoise.standard.heads import Linear
    >>> from equipoise.standard.networks import build_network
    >>> network = build_network(MLP(), Linear(), TableInput(3), 2)
    >>> HeadOnly().prepare(network)
    >>> [name for name, weights in network.named_parameters() if weights.requires_grad]
    ['head.weight', 'head.bias']
    """

    def prepare(self, network: Network) -> None:
        """Freeze the backbone."""
        _freeze_all(network, [name for block in _blocks(network) for name in block])


@dataclass(eq=False, repr=False, kw_only=True)
class LastBlocks(FineTuning):
    """Train the head and the last blocks of the backbone.

    Frozen blocks stay in evaluation mode: dropout in them is off, and batch norm uses its
    running statistics, which do not change.

    Parameters
    ----------
    blocks : int, default=1
        Number of blocks that are trained, at least 1 and at most as many as there are; see
        `blocks.parameter_blocks`.
    rate_decay : float, default=1.0
        Factor on the learning rate from each block to the one before it, above 0 and at
        most 1, as in `Full`.

    Examples
    --------
    >>> from equipoise.standard.backbones import MLP, TableInput
    >>> from equipoise.standard.heads import Linear
    >>> from equipoise.standard.networks import build_network
    >>> network = build_network(MLP(layers=2, numeric=None), Linear(), TableInput(3), 2)
    >>> LastBlocks().prepare(network)
    >>> [name for name, weights in network.named_parameters() if weights.requires_grad]
    ['backbone.hidden.1.0.weight', 'backbone.hidden.1.0.bias', 'head.weight', 'head.bias']
    """

    blocks: int = bounded(1, low=1, integer=True)
    rate_decay: float = bounded(1.0, low=0, high=1, open_low=True)

    def prepare(self, network: Network) -> None:
        """Freeze all blocks but the last."""
        blocks = _blocks(network)
        if self.blocks > len(blocks):
            raise InputError(
                "`blocks` of `LastBlocks` must be at most the number of blocks of the backbone.",
                f"It is {self.blocks}, and there are {len(blocks)}.",
                "Choose fewer, or `Full()` to train all of them.",
            )
        _freeze_all(network, [name for block in blocks[: -self.blocks] for name in block])

    def scales(self, network: Network) -> dict[str, float]:
        """Return the factor on the learning rate of each trainable parameter, by its name."""
        return _scales(network, self.rate_decay)


class LowRankUpdate(nn.Module):
    """Adds a matrix of low rank to a weight, as a parametrization of that weight.

    Parameters
    ----------
    weight : Tensor, shape (n_out, ...)
        Of a linear layer or a convolution; seen as a matrix ``(n_out, n_in)``, where `n_in`
        counts the positions of the kernel too.
    rank : int
        Rank of the update; at most the smaller side of the matrix is used.
    factor : float
        What the product of the two matrices is multiplied by.
    """

    def __init__(self, weight: Tensor, rank: int, factor: float) -> None:
        super().__init__()
        n_out, n_in = weight.flatten(1).shape
        self.factor = factor
        rank = min(rank, n_out, n_in)
        # Drawn on the CPU, so that every device starts from the same numbers.
        down = torch.randn(rank, n_in) * n_in**-0.5
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros(n_out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with the update added, of the same shape."""
        # Not in eight bits under autocast, or the merged network would be another one.
        with torch.autocast(weight.device.type, enabled=False):
            return weight + (self.factor * (self.up @ self.down)).view_as(weight)


@dataclass(eq=False, repr=False, kw_only=True)
class LowRank(FineTuning):
    r"""Freeze the backbone and train the head and an update of low rank to each matrix: LoRA.

    Parameters
    ----------
    rank : int, default=8
        Rank of the updates, at least 1; a smaller matrix gets an update of its full rank.
    alpha : float, default=16.0
        Updates are multiplied by ``alpha / rank``; above 0.
    rate_decay : float, default=1.0
        Factor on the learning rate from each block to the one before it, above 0 and at
        most 1, as in `Full`.

    Notes
    -----
    The weight :math:`W` of each linear layer and each convolution of the backbone becomes

    .. math:: W + \frac{\alpha}{r} B A

    with :math:`A` of shape ``(r, n_in)`` and :math:`B` of shape ``(n_out, r)`` [1]_; the kernel
    of a convolution is seen as a matrix ``(n_out, channels in * positions)``. :math:`A` starts
    normal with deviation ``1 / sqrt(n_in)`` and :math:`B` at zero, so the network starts
    unchanged. Only :math:`A`, :math:`B` and the head are trained; biases, norms and the
    embeddings of columns stay as they are. Batch norm uses its running statistics, which do not
    change. Dropout stays on, for what is trained is everywhere. `merge` adds the updates to the
    weights.

    References
    ----------
    .. [1] E. J. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
       https://arxiv.org/abs/2106.09685

    Examples
    --------
    >>> from equipoise.standard.backbones import MLP, TableInput
    >>> from equipoise.standard.heads import Linear
    >>> from equipoise.standard.networks import build_network
    >>> network = build_network(MLP(layers=1, numeric=None), Linear(), TableInput(30), 2)
    >>> LowRank(rank=2).prepare(network)
    >>> [tuple(weights.shape) for weights in network.parameters() if weights.requires_grad]
    [(2, 30), (256, 2), (2, 256), (2,)]
    >>> LowRank(rank=2).merge(network)
    """

    rank: int = bounded(8, low=1, integer=True)
    alpha: float = bounded(16.0, low=0, open_low=True)
    rate_decay: float = bounded(1.0, low=0, high=1, open_low=True)

    def prepare(self, network: Network) -> None:
        """Freeze the backbone and insert the updates."""
        names = [name for block in _blocks(network) for name in block]
        norms = [f"backbone.{name}" for name in freeze_batch_norm(network.backbone)]
        network.freeze(names, norms)
        for layer in list(_matrices(network.backbone)):
            update = LowRankUpdate(layer.get_parameter("weight"), self.rank, self.alpha / self.rank)
            parametrize.register_parametrization(layer, "weight", update)

    def scales(self, network: Network) -> dict[str, float]:
        """Return the factor on the learning rate of each trainable parameter, by its name."""
        return _scales(network, self.rate_decay)

    def merge(self, network: Network) -> None:
        """Add the updates to the weights and restore the plain modules."""
        for layer in list(_matrices(network.backbone)):
            if parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
                _first(layer, "weight")
        # A stage of the head alone has frozen and held the updates too, which are gone now.
        network.frozen &= {name for name, _ in network.named_parameters()}
        network.held &= {name for name, _ in network.named_modules()}
        super().merge(network)


def _first(layer: nn.Module, name: str) -> None:
    # PyTorch puts it back last; the order of the parameters is that of an optimizer's state.
    others = [other for other in layer._parameters if other != name]
    for other in others:
        layer._parameters[other] = layer._parameters.pop(other)


def _matrices(backbone: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, SharedLinear)
    for layer in backbone.modules():
        if isinstance(layer, kinds):
            yield layer


def _blocks(network: Network) -> list[list[str]]:
    blocks = parameter_blocks(network.backbone)
    return [[f"backbone.{name}" for name in names] for names in blocks]


def _scales(network: Network, decay: float) -> dict[str, float]:
    blocks = _blocks(network)
    factors = {
        name: decay ** (len(blocks) - number)
        for number, names in enumerate(blocks)
        for name in names
    }
    trained = (name for name, weights in network.named_parameters() if weights.requires_grad)
    return {name: factors.get(name, 1.0) for name in trained}


def _freeze_all(network: Network, names: list[str]) -> None:
    """Freeze parameters, and hold the largest submodules that have no others."""
    modules = list(frozen_modules(network, set(names)))
    norms = [
        f"{module}.{name}".rstrip(".")
        for module in modules
        for name in freeze_batch_norm(network.get_submodule(module))
    ]
    network.freeze(names, [*modules, *norms])


FINETUNINGS: dict[str, type[FineTuning]] = {
    "Full": Full,
    "HeadOnly": HeadOnly,
    "LastBlocks": LastBlocks,
    "LowRank": LowRank,
}
"""Kinds of fine-tuning by name."""
