"""Batch norm in small batches: replaced by group norm, or kept at its running statistics."""

from collections.abc import Iterator
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from equipoise.errors import InputError

MOST_GROUPS = 32
"""The most groups that ``"auto"`` makes, the number of Wu and He (ECCV 2018)."""

LEAST_CHANNELS = 4
"""The fewest channels that ``"auto"`` puts in a group, if there are as many."""


def apply_norm(network: nn.Module, norm: Literal["batch", "group", "frozen"]) -> None:
    """Do with batch norm what a configuration says, in place.

    Parameters
    ----------
    network : Module
        As it was built, with the weights that it starts from.
    norm : {"batch", "group", "frozen"}
        ``"batch"``: nothing; ``"group"``: `replace_batch_norm`; ``"frozen"``:
        `freeze_batch_norm`. To rebuild a stored network, ``"group"`` must be applied before
        its weights are loaded; the other two have the same state dict.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64))
    >>> apply_norm(network, "group")
    >>> has_batch_norm(network)
    False
    """
    if norm == "group":
        replace_batch_norm(network)
    elif norm == "frozen":
        freeze_batch_norm(network)


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a layer would normalise by the batch in training; frozen ones would not.

    >>> has_batch_norm(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
    True
    """
    return any(isinstance(layer, _BatchNorm) for layer in network.modules())


def replace_batch_norm(network: nn.Module, groups: int | Literal["auto"] = "auto") -> int:
    r"""Replace each batch norm inside a network by group norm, which knows no batch.

    Weights and biases are carried over; running statistics are given up. A network whose
    weights were learnt with batch norm must be trained on afterwards.

    Parameters
    ----------
    network : Module
        Changed in place.
    groups : int or "auto", default="auto"
        Groups of channels. ``"auto"``: 1 for ``BatchNorm1d``; for others the largest divisor
        of the number of channels that is at most 32 and leaves 4 channels a group, or 1.

    Returns
    -------
    int
        Number of layers replaced.

    Raises
    ------
    InputError
        If a number of channels is no multiple of `groups`. The network is unchanged then.

    Notes
    -----
    Each group of channels of each example is brought to zero mean and unit variance over its
    channels and positions [1]_, then scaled and shifted by channel:

    .. math:: y_c = \gamma_c \frac{x_c - \mu_{g(c)}}{\sqrt{\sigma_{g(c)}^2 + \epsilon}} + \beta_c

    Thirty-two groups are the paper's. Its networks are wide: with 16 or 32 channels, 32 groups
    are impossible or leave one channel each, and where maps have shrunk to one pixel a group
    of one value is always 0, one of two always -1 and 1. Four channels still tell
    something. Rows without positions, ``(batch, channels)``, are such a pixel always, so all
    channels are one group there, which is layer norm. timm's batch norm with activation
    becomes timm's group norm with the same activation.

    References
    ----------
    .. [1] Y. Wu, K. He, "Group normalization", ECCV 2018. https://arxiv.org/abs/1803.08494

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU())
    >>> replace_batch_norm(network)
    1
    >>> type(network[1]).__name__, network[1].num_groups
    ('GroupNorm', 16)
    """
    found = list(_places(network))
    numbers = [_groups(layer, groups) for _, _, layer in found]
    for (parent, name, layer), number in zip(found, numbers, strict=True):
        setattr(parent, name, _group_norm(layer, number))
    return len(found)


class FrozenBatchNorm(nn.Module):
    """Batch norm that always uses its running statistics and never changes them.

    `freeze_batch_norm` makes a layer one by giving it this class; parameters, statistics,
    their names, and timm's activation and drop stay. It is no ``_BatchNorm`` any more, so code
    that resets or recomputes the statistics of those, such as
    ``torch.optim.swa_utils.update_bn``, leaves it alone.
    """

    thawed: type[nn.Module]
    running_mean: Tensor
    running_var: Tensor
    weight: Tensor | None
    bias: Tensor | None
    eps: float

    def train(self, mode: bool = True) -> "FrozenBatchNorm":
        """Leave this layer in evaluation mode; a drop layer inside follows the mode."""
        super().train(mode)
        self.training = False
        return self

    def forward(self, values: Tensor) -> Tensor:
        """Return the normalised values, of the shape that came in."""
        mean, variance = self.running_mean, self.running_var
        normal = F.batch_norm(values, mean, variance, self.weight, self.bias, eps=self.eps)
        for name in ("drop", "act"):  # of timm
            if name in self._modules:
                normal = self.get_submodule(name)(normal)
        return normal


def freeze_batch_norm(network: nn.Module) -> list[str]:
    """Make each batch norm inside a network use its running statistics, also in training.

    Weights and biases are still trained; ``network.train()`` changes nothing. Meant for
    pretrained networks and small batches: the statistics of new weights are mean 0 and
    variance 1, which normalise nothing. Layers that keep no running statistics stay
    as they are. Keys and shapes of the state dict do not change, so a plain network takes it.

    Parameters
    ----------
    network : Module
        Changed in place, to `FrozenBatchNorm` layers.

    Returns
    -------
    list of str
        Names of the layers that were frozen by this call.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
    >>> freeze_batch_norm(network)
    ['1']
    >>> network.train()[1].training
    False
    """
    frozen = []
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            kind, changed = type(layer), _as(layer, FrozenBatchNorm)
            changed.thawed = kind
            changed.train(layer.training)
            frozen.append(name)
    return frozen


def thaw_batch_norm(layer: nn.Module) -> None:
    """Give a `FrozenBatchNorm` back the class that it had, in evaluation mode.

    >>> network = nn.Sequential(nn.BatchNorm1d(4))
    >>> _ = freeze_batch_norm(network)
    >>> thaw_batch_norm(network[0])
    >>> type(network[0]).__name__
    'BatchNorm1d'
    """
    _as(layer, vars(layer).pop("thawed"))


def _as(layer: nn.Module, kind: type[Any]) -> Any:
    # The same object under another class: whoever holds it, and its parameters, still do.
    layer.__class__ = kind
    return layer


def _places(network: nn.Module) -> Iterator[tuple[nn.Module, str, _BatchNorm]]:
    for parent in network.modules():
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                yield parent, name, child


def _groups(layer: _BatchNorm, groups: int | Literal["auto"]) -> int:
    channels = layer.num_features
    if groups == "auto":
        most = 1 if isinstance(layer, nn.BatchNorm1d) else channels // LEAST_CHANNELS
        allowed = range(min(MOST_GROUPS, most), 0, -1)
        return next((number for number in allowed if channels % number == 0), 1)
    if groups < 1 or channels % groups:
        raise InputError(
            "The number of groups must divide the number of channels of every batch norm.",
            f"One has {channels} channels, and there are {groups} groups.",
            'Choose "auto", or a number that divides all of them.',
        )
    return groups


def _group_norm(layer: _BatchNorm, groups: int) -> nn.GroupNorm:
    new = _matching(layer, groups)
    if layer.affine:
        new.weight, new.bias = layer.weight, layer.bias
    return new.train(layer.training)


def _matching(layer: _BatchNorm, groups: int) -> nn.GroupNorm:
    if "act" not in layer._modules:
        return nn.GroupNorm(groups, layer.num_features, eps=layer.eps, affine=layer.affine)
    from timm.layers.norm_act import GroupNormAct  # noqa: PLC0415 (who has such a layer has timm)

    new = GroupNormAct(layer.num_features, groups, eps=layer.eps, affine=layer.affine)
    new.drop, new.act = layer.get_submodule("drop"), layer.get_submodule("act")
    return new
