"""Residual networks for small images: the ResNets of the CIFAR literature and WideResNet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from equipoise._tensors import Inputs
from equipoise.errors import InputError
from equipoise.spaces import Options
from equipoise.spec import bounded
from equipoise.standard.backbones.base import (
    Backbone,
    Extractor,
    GlobalMean,
    ImageInput,
    Modality,
    Standardise,
)


def _conv(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)


class PaddedShortcut(nn.Module):
    """The shortcut without parameters: every ``stride``-th pixel, zeros as new channels.

    Option A of He et al. (CVPR 2016, section 4.2). Half of the zeros come before the
    channels and half after them.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (n_out - n_in) // 2
        self.after = n_out - n_in - self.before

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``(batch, n_out, ceil(height / stride), ceil(width / stride))``."""
        thinned = maps[:, :, :: self.stride, :: self.stride]
        return F.pad(thinned, (0, 0, 0, 0, self.before, self.after))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, normalised after each convolution.

    Where the shape changes the shortcut is a `PaddedShortcut`, or with ``projected`` a 1x1
    convolution (options A and B of He et al., CVPR 2016).
    """

    def __init__(self, n_in: int, n_out: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.conv1 = _conv(n_in, n_out, stride=stride)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = _conv(n_out, n_out)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if projected and (stride != 1 or n_in != n_out):
            self.shortcut = nn.Sequential(_conv(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))
        elif stride != 1 or n_in != n_out:
            self.shortcut = PaddedShortcut(n_in, n_out, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``(batch, n_out, ceil(height / stride), ceil(width / stride))``."""
        inner = F.relu_(self.norm1(self.conv1(maps)))
        inner = self.norm2(self.conv2(inner))
        inner += self.shortcut(maps)
        return F.relu_(inner)


class WideBlock(nn.Module):
    """Two 3x3 convolutions with normalisation before each, and dropout between them.

    Where the shape changes the shortcut is a 1x1 convolution of the normalised input.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(n_in)
        self.conv1 = _conv(n_in, n_out, stride=stride)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = _conv(n_out, n_out)
        changed = stride != 1 or n_in != n_out
        self.projection = _conv(n_in, n_out, 1, stride) if changed else None

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``(batch, n_out, ceil(height / stride), ceil(width / stride))``."""
        active = F.relu_(self.norm1(maps))
        shortcut = maps if self.projection is None else self.projection(active)
        inner = F.relu_(self.norm2(self.conv1(active)))
        inner = self.conv2(self.dropout(inner))
        inner += shortcut
        return inner


def _stages(blocks: Sequence[nn.Module], per_stage: int) -> list[tuple[str, nn.Module]]:
    starts = range(0, len(blocks), per_stage)
    return [
        (f"stage{i}", nn.Sequential(*blocks[start : start + per_stage]))
        for i, start in enumerate(starts, start=1)
    ]


def _shapes(stem: int, widths: Sequence[int], per_stage: int) -> list[tuple[int, int, int]]:
    """Return channels in, channels out and stride of each block; later stages halve the size."""
    outs = [width for width in widths for _ in range(per_stage)]
    strides = [1] * len(outs)
    for first in range(per_stage, len(outs), per_stage):
        strides[first] = 2
    return list(zip([stem, *outs[:-1]], outs, strides, strict=True))


def _initialise(network: Extractor) -> Extractor:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


def _residual_network(
    inputs: ImageInput, stem: int, stages: Sequence[tuple[str, nn.Module]], n_features: int
) -> Extractor:
    """Join standardisation, a normalised 3x3 stem, the stages and the global mean."""
    layers = [
        ("standardise", Standardise(inputs.mean, inputs.std)),
        ("stem", _conv(inputs.channels, stem)),
        ("norm", nn.BatchNorm2d(stem)),
        ("activation", nn.ReLU(inplace=True)),
        *stages,
        ("pool", GlobalMean()),
    ]
    return _initialise(Extractor(layers, n_features))


@dataclass(eq=False, repr=False, kw_only=True)
class ResNet(Backbone[ImageInput]):
    """The slim ResNet for 32x32 images: three stages and shortcuts without parameters.

    The usual network of the long-tail literature is ``ResNet(depth=32)``: 463,504
    parameters without its head, 464,154 with ten classes.

    Parameters
    ----------
    depth : int, default=32
        Number of layers with weights, the head counted: 6n + 2 (20, 32, 44, 56, 110, ...)
        for n blocks a stage.
    width : int, default=16
        Channels of the first stage; the second has twice and the third four times as many.

    Notes
    -----
    Each stage but the first halves height and width, rounded up. Convolutions start from
    a normal distribution of variance 2 / (9 * channels out), as He et al. (ICCV 2015)
    derive for the backward pass; features are the mean over all positions.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition",
       CVPR 2016, section 4.2. https://arxiv.org/abs/1512.03385

    Examples
    --------
    >>> network = ResNet().build(ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3))
    >>> network.n_features, sum(p.numel() for p in network.parameters())
    (64, 463504)
    """

    modality: ClassVar[Modality] = "images"
    depth: int = bounded(32, low=8, integer=True)
    width: int = bounded(16, low=1, integer=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds or the depth is not 6n + 2."""
        super().validate()
        _check_depth(self.depth, 2, "ResNet")

    def build(self, inputs: ImageInput, examples: Inputs | None = None) -> Extractor:  # noqa: ARG002
        """Return a new network; `examples` are not used."""
        per_stage = (self.depth - 2) // 6
        widths = [self.width, 2 * self.width, 4 * self.width]
        blocks = [
            BasicBlock(n_in, n_out, stride, projected=False)
            for n_in, n_out, stride in _shapes(self.width, widths, per_stage)
        ]
        return _residual_network(inputs, self.width, _stages(blocks, per_stage), widths[-1])


@dataclass(eq=False, repr=False, kw_only=True)
class ResNet18(Backbone[ImageInput]):
    """ResNet-18 for small images: a 3x3 stem with stride 1 and no max-pooling.

    Twenty-four times the parameters of ``ResNet(depth=32)``: 11.2 million.

    Parameters
    ----------
    width : int, default=64
        Channels of the first of four stages; each further stage doubles them.

    Notes
    -----
    Two blocks a stage; where the shape changes the shortcut is a 1x1 convolution (option B
    of [1]_). Each stage but the first halves height and width, rounded up. Initial weights
    are those of `ResNet`.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition",
       CVPR 2016. https://arxiv.org/abs/1512.03385

    Examples
    --------
    >>> network = ResNet18(width=8).build(ImageInput(28, 28, 1, (0.3,), (0.35,)))
    >>> network.n_features
    64
    """

    tuned_for = ("images",)

    modality: ClassVar[Modality] = "images"
    width: int = bounded(64, low=1, integer=True, tune=Options((8, 16, 32)))

    def build(self, inputs: ImageInput, examples: Inputs | None = None) -> Extractor:  # noqa: ARG002
        """Return a new network; `examples` are not used."""
        widths = [self.width * factor for factor in (1, 2, 4, 8)]
        blocks = [
            BasicBlock(n_in, n_out, stride, projected=True)
            for n_in, n_out, stride in _shapes(self.width, widths, 2)
        ]
        return _residual_network(inputs, self.width, _stages(blocks, 2), widths[-1])


@dataclass(eq=False, repr=False, kw_only=True)
class WideResNet(Backbone[ImageInput]):
    """A residual network that is wide rather than deep, normalised before each convolution.

    Parameters
    ----------
    depth : int, default=28
        Number of layers with weights, as the paper counts them: 6n + 4 (10, 16, 22, 28, 40,
        ...) for n blocks a stage.
    widen : int, default=10
        Factor on the stage widths 16, 32 and 64. With 10 and depth 28 there are 36.5
        million parameters.
    dropout : float, default=0.0
        Share of activations dropped between the two convolutions of a block, in [0, 1).

    Notes
    -----
    Each stage but the first halves height and width, rounded up. Initial weights are those
    of `ResNet`.

    References
    ----------
    .. [1] S. Zagoruyko, N. Komodakis, "Wide residual networks", BMVC 2016.
       https://arxiv.org/abs/1605.07146

    Examples
    --------
    >>> inputs = ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3)
    >>> network = WideResNet(depth=10, widen=1).build(inputs)
    >>> network.n_features
    64
    """

    modality: ClassVar[Modality] = "images"
    depth: int = bounded(28, low=10, integer=True)
    widen: int = bounded(10, low=1, integer=True)
    dropout: float = bounded(0.0, low=0, high=1, open_high=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds or the depth is not 6n + 4."""
        super().validate()
        _check_depth(self.depth, 4, "WideResNet")

    def build(self, inputs: ImageInput, examples: Inputs | None = None) -> Extractor:  # noqa: ARG002
        """Return a new network; `examples` are not used."""
        per_stage = (self.depth - 4) // 6
        widths = [16 * self.widen, 32 * self.widen, 64 * self.widen]
        blocks = [WideBlock(*shape, self.dropout) for shape in _shapes(16, widths, per_stage)]
        # No block normalises its own result, so the last one needs it; the first
        # normalises the stem.
        tail = [("norm", nn.BatchNorm2d(widths[-1])), ("activation", nn.ReLU(inplace=True))]
        layers = [
            ("standardise", Standardise(inputs.mean, inputs.std)),
            ("stem", _conv(inputs.channels, 16)),
            *_stages(blocks, per_stage),
            *tail,
            ("pool", GlobalMean()),
        ]
        return _initialise(Extractor(layers, widths[-1]))


def _check_depth(depth: int, rest: int, name: str) -> None:
    if depth % 6 != rest:
        below = max(depth - (depth - rest) % 6, 6 + rest)
        raise InputError(
            f"The depth of `{name}` must be 6n + {rest}, for n blocks in each of three stages.",
            f"It is {depth}.",
            f"The nearest depths are {below} and {below + 6}.",
        )
