"""The depth of a network: its parameters in blocks, from the input to the output."""

from collections.abc import Collection, Iterator
from typing import Any

from torch import nn

from equipoise.standard.backbones.base import Extractor


def parameter_blocks(backbone: Extractor) -> list[list[str]]:
    """Return the names of a backbone's parameters block by block, the stem first.

    A block is what networks are made of: a residual block, a transformer block, a hidden layer.
    The stem, and the embedding of a table, are a block each. Models of timm are split as timm
    splits them for its own layer-wise decay, others by their children and the items of these.
    What holds vectors only (a norm) belongs to the block before it.

    Parameters
    ----------
    backbone : Extractor
        Any backbone; low-rank updates may be in place.

    Returns
    -------
    list of list of str
        Names relative to the backbone, each once.

    Examples
    --------
    >>> from equipoise.standard.backbones import ImageInput, ResNet
    >>> backbone = ResNet(depth=8).build(ImageInput(32, 32, 1, (0.5,), (0.25,)))
    >>> [names[0] for names in parameter_blocks(backbone)]
    ['stem.weight', 'stage1.0.conv1.weight', 'stage2.0.conv1.weight', 'stage3.0.conv1.weight']
    """
    sizes = {name: parameter.ndim for name, parameter in backbone.named_parameters()}
    blocks: list[list[str]] = []
    for names in _groups(backbone):
        if blocks and all(sizes[name] < 2 for name in names):
            blocks[-1] += names
        elif names:
            blocks.append(names)
    return blocks


def frozen_modules(module: nn.Module, frozen: Collection[str], prefix: str = "") -> Iterator[str]:
    """Yield the names of the largest submodules that have parameters, all of them in `frozen`.

    Parameters
    ----------
    module : Module
        What is searched.
    frozen : collection of str
        Full names of parameters.
    prefix : str, default=""
        What full names have before those of `module`; ends in a dot, or is empty.

    Examples
    --------
    >>> network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Dropout()), nn.Linear(2, 1))
    >>> list(frozen_modules(network, {"0.0.weight", "0.0.bias"}))
    ['0']
    """
    for name, child in module.named_children():
        own = [f"{prefix}{name}.{each}" for each, _ in child.named_parameters()]
        if own and all(each in frozen for each in own):
            yield f"{prefix}{name}"
        else:
            yield from frozen_modules(child, frozen, f"{prefix}{name}.")


def _groups(backbone: Extractor) -> Iterator[list[str]]:
    for name, child in backbone.named_children():
        if hasattr(child, "group_matcher"):
            yield from _timm_groups(child, f"{name}.")
        elif isinstance(child, nn.Sequential):
            for item, part in child.named_children():
                yield _names(part, f"{name}.{item}.")
        else:
            yield _names(child, f"{name}.")


def _names(module: nn.Module, prefix: str) -> list[str]:
    return [prefix + name for name, _ in module.named_parameters()]


def _timm_groups(model: Any, prefix: str) -> Iterator[list[str]]:
    from timm.models import group_parameters  # noqa: PLC0415 (who has such a model has timm)

    groups = group_parameters(model, model.group_matcher(coarse=False))
    for _, names in sorted(groups.items()):
        yield [prefix + name for name in names]
