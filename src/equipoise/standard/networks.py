"""Networks: a backbone and a head, joined."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from equipoise._tensors import Features, Inputs, Logits
from equipoise.errors import InputError
from equipoise.standard.backbones.base import Backbone, Extractor, ImageInput, TableInput
from equipoise.standard.heads import Head


class Network(nn.Module):
    """A classifier network: inputs to features by the backbone, to logits by the head.

    The head is computed in float32, also under autocast: it costs next to nothing, and
    logits of eight bits would coarsen every loss and probability.

    Parameters
    ----------
    backbone : Extractor
        From inputs to features ``(batch, n_features)``.
    head : Module
        From features to logits ``(batch, classes)``.
    """

    def __init__(self, backbone: Extractor, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def features(self, inputs: Inputs) -> Features:
        """Return the features, float32 ``(batch, n_features)``."""
        return self.backbone(inputs).float()

    def forward(self, inputs: Inputs) -> Logits:
        """Return the logits, float32 ``(batch, classes)``."""
        features = self.features(inputs)
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features)


def build_network(
    backbone: Backbone[Any],
    head: Head,
    inputs: ImageInput | TableInput,
    n_classes: int,
    examples: Inputs | None = None,
) -> Network:
    """Return a new network, ready to be trained.

    Parameters
    ----------
    backbone, head : Backbone, Head
        Validated components.
    inputs : ImageInput or TableInput
        What the inputs look like.
    n_classes : int
        Number of logits.
    examples : Tensor, shape (examples, ...), optional
        Encoded training inputs, for what is initialised from data.

    Returns
    -------
    Network
        On the CPU, in training mode. Initial weights are drawn from torch's global
        generator: seed it for a repeatable network.

    Raises
    ------
    InputError
        If the backbone is for the other kind of input, or cannot be built for these.

    Examples
    --------
    >>> from equipoise.standard.backbones import ResNet
    >>> from equipoise.standard.heads import Linear
    >>> inputs = ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3)
    >>> count_parameters(build_network(ResNet(depth=32), Linear(), inputs, n_classes=10))
    464154
    """
    _check_modality(backbone, inputs)
    extractor = backbone.build(inputs, examples)
    return Network(extractor, head.build(extractor.n_features, n_classes))


def rebuild_network(
    backbone: Backbone[Any], head: Head, inputs: ImageInput | TableInput, n_classes: int
) -> Network:
    """Return a network of the shape that `build_network` gives, to be filled by stored weights.

    It reads no pretrained weights, and leaves torch's global generator as it was.
    """
    _check_modality(backbone, inputs)
    with torch.random.fork_rng(devices=[]):
        extractor = backbone.rebuild(inputs)
        return Network(extractor, head.build(extractor.n_features, n_classes))


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters; buffers, such as running means, are not counted."""
    return sum(parameter.numel() for parameter in module.parameters())


def decay_groups(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the trainable parameters into those that decay towards zero and those that do not.

    Biases, the parameters of normalisation and whatever a submodule names in its
    ``no_weight_decay()`` (timm's convention: position embeddings, frequencies) do not
    decay: zero is no sensible value for them to be drawn to. All else decays.

    Returns
    -------
    (list of Parameter, list of Parameter)
        With decay and without.

    Examples
    --------
    >>> decay, no_decay = decay_groups(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
    >>> [p.ndim for p in decay], [p.ndim for p in no_decay]
    ([4], [1, 1, 1])
    """
    spared = _spared_names(module)
    decay: list[nn.Parameter] = []
    no_decay: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            small = parameter.ndim <= 1 or name.endswith("bias") or name in spared
            (no_decay if small else decay).append(parameter)
    return decay, no_decay


def _spared_names(module: nn.Module) -> set[str]:
    spared: set[str] = set()
    for path, part in module.named_modules():
        names: Callable[[], set[str]] | None = getattr(part, "no_weight_decay", None)
        if names is not None:
            spared.update(f"{path}.{name}" if path else name for name in names())
    return spared


def _check_modality(backbone: Backbone[Any], inputs: ImageInput | TableInput) -> None:
    if backbone.modality != inputs.kind:
        raise InputError(
            f"The backbone must be one for {'a table' if inputs.kind == 'table' else 'images'}.",
            f"`{type(backbone).__name__}` is for {backbone.modality}.",
            "Choose `MLP` or `TabularResNet` for a table, `ResNet` or `Timm` for images.",
        )
