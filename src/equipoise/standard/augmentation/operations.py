"""The operations that policies choose from: their names, their magnitudes, and their use.

A `Space` says which operations a policy draws and how strong each can be; `perform` applies drawn
operations to a batch, every kind of operation once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.standard.augmentation.geometry import GEOMETRIC, Interpolation, Pixels, warp
from equipoise.standard.augmentation.photometric import COMPUTED, TABULAR, look_up

OPERATIONS: tuple[str, ...] = ("Identity", *GEOMETRIC, *TABULAR, *COMPUTED)
"""Names by code; operations that are done in one go have neighbouring codes."""

CODES: dict[str, int] = {name: code for code, name in enumerate(OPERATIONS)}
"""Codes by name."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Magnitudes of an operation, in equal steps.

    Parameters
    ----------
    start, end : float
        First and last magnitude, in the unit of the operation: slope of a shear, pixels, degrees,
        change of a factor, bits, share of 255.
    side : {"height", "width"} or None, default=None
        If given, `end` is a multiple of this side of the image.
    signed : bool, default=True
        Whether the magnitude is negated with probability 1/2.
    whole : bool, default=False
        Whether magnitudes are rounded.
    """

    end: float
    start: float = 0.0
    side: Literal["height", "width"] | None = None
    signed: bool = True
    whole: bool = False

    def magnitudes(self, bins: int, height: int, width: int) -> Tensor:
        """Return the magnitudes, float64 of shape ``(bins,)``."""
        if self.whole:
            steps = torch.arange(bins) * (self.end - self.start) / (bins - 1)
            return (self.start + steps).round().double()
        sides = {"height": height, "width": width, None: 1}
        return torch.linspace(self.start, self.end * sides[self.side], bins).double()


@dataclass(frozen=True, kw_only=True)
class Space:
    """Operations to choose from, and the scale of each; None: it has no magnitude.

    Parameters
    ----------
    scales : mapping of str to Scale or None
        By name of the operation.

    Examples
    --------
    >>> space = Space(scales={"Rotate": Scale(end=30.0), "Invert": None})
    >>> space.table(4, 32, 32)[space.codes].tolist()
    [[0.0, 10.0, 20.0, 30.0], [0.0, 0.0, 0.0, 0.0]]
    """

    scales: Mapping[str, Scale | None]

    @property
    def codes(self) -> Tensor:
        """Codes of the operations, int64."""
        return torch.tensor([CODES[name] for name in self.scales])

    def table(self, bins: int, height: int, width: int) -> Tensor:
        """Return magnitudes by code and bin, float64 of shape ``(operations, bins)``."""
        table = torch.zeros((len(OPERATIONS), bins), dtype=torch.float64)
        for name, scale in self.scales.items():
            if scale is not None:
                table[CODES[name]] = scale.magnitudes(bins, height, width)
        return table

    def signed(self) -> Tensor:
        """Return, by code, whether an operation has a sign."""
        scales = (self.scales.get(name) for name in OPERATIONS)
        return torch.tensor([scale is not None and scale.signed for scale in scales])

    def magnitudes(
        self, operations: Tensor, positions: Tensor, negative: Tensor, table: Tensor
    ) -> Tensor:
        """Return the magnitude of each example, float64 of shape ``(batch,)``.

        Parameters
        ----------
        operations : Tensor of int64, shape (batch,)
            Codes.
        positions : Tensor of float64, shape (batch,)
            Position on the scale, in bins from 0; limited to its ends, linear between bins.
        negative : Tensor of bool, shape (batch,)
            Whether a signed magnitude is negated.
        table : Tensor of float64, shape (operations, bins)
            Of `table`, for the bins and the size of the images.
        """
        positions = positions.clamp(0, table.shape[1] - 1)
        lower = positions.long()
        low = table[operations, lower]
        high = table[operations, (lower + 1).clamp_(max=table.shape[1] - 1)]
        values = low + (positions - lower) * (high - low)
        return torch.where(negative & self.signed()[operations], -values, values)


def _geometry(shear: float, shift: tuple[Scale, Scale], rotation: float) -> dict[str, Scale | None]:
    return {
        "ShearX": Scale(end=shear),
        "ShearY": Scale(end=shear),
        "TranslateX": shift[0],
        "TranslateY": shift[1],
        "Rotate": Scale(end=rotation),
    }


def _tones(change: float, bits: tuple[int, int]) -> dict[str, Scale | None]:
    return {
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), Scale(end=change)),
        "Posterize": Scale(start=bits[0], end=bits[1], signed=False, whole=True),
        "Solarize": Scale(start=1.0, end=0.0, signed=False),
        "AutoContrast": None,
        "Equalize": None,
    }


def _shifts(share: float) -> tuple[Scale, Scale]:
    return Scale(end=share, side="width"), Scale(end=share, side="height")


_MODERATE = {**_geometry(0.3, _shifts(150 / 331), 30.0), **_tones(0.9, (8, 4))}

AUTO = Space(scales={**_MODERATE, "Invert": None})
"""What AutoAugment draws from."""

RAND = Space(scales={"Identity": None, **_MODERATE})
"""What RandAugment draws from."""

WIDE = Space(
    scales={
        "Identity": None,
        **_geometry(0.99, (Scale(end=32.0), Scale(end=32.0)), 135.0),
        **_tones(0.99, (8, 2)),
    }
)
"""What TrivialAugment draws from."""

MIX = Space(scales={**_geometry(0.3, _shifts(1 / 3), 30.0), **_tones(0.9, (4, 0))})
"""What AugMix draws from."""


def to_pixels(images: ImageBatch) -> Pixels:
    """Return bytes with channels last; floating-point levels are rounded and limited to 0 to 255.

    Bytes that are channels-last in memory already are not copied.
    """
    pixels = images.permute(0, 2, 3, 1).contiguous()
    return pixels if pixels.dtype == torch.uint8 else pixels.round().clamp_(0, 255).byte()


def to_images(pixels: Pixels, dtype: torch.dtype) -> ImageBatch:
    """Return images of a given type; in memory the channels are last."""
    return pixels.permute(0, 3, 1, 2).to(dtype)


class _Group(NamedTuple):
    """Neighbouring images that get the same operation."""

    name: str
    rows: slice


def perform(
    pixels: Pixels,
    operations: Tensor,
    magnitudes: Tensor,
    interpolation: Interpolation = "nearest",
) -> Pixels:
    """Apply to each image its own operation.

    Parameters
    ----------
    pixels : Tensor of uint8, shape (batch, height, width, channels)
        Images; they are left alone.
    operations : Tensor of int64, shape (batch,)
        Codes, on the CPU.
    magnitudes : Tensor of float64, shape (batch,)
        Magnitudes, on the CPU; ignored by operations that have none.
    interpolation : {"nearest", "bilinear"}, default="nearest"
        Of the operations that move pixels.

    Returns
    -------
    Tensor of uint8, shape (batch, height, width, channels)
        New images.

    Examples
    --------
    >>> pixels = torch.full((2, 1, 1, 1), 9, dtype=torch.uint8)
    >>> codes = torch.tensor([CODES["Identity"], CODES["Invert"]])
    >>> perform(pixels, codes, torch.zeros(2, dtype=torch.float64)).flatten().tolist()
    [9, 246]
    """
    order = operations.argsort(stable=True)
    groups = _groups(operations)
    magnitudes = magnitudes[order]
    pixels = pixels.index_select(0, order.to(pixels.device))
    _move(pixels, magnitudes, [g for g in groups if g.name in GEOMETRIC], interpolation)
    _replace(pixels, magnitudes, [g for g in groups if g.name in TABULAR])
    for name, rows in groups:
        if name in COMPUTED:
            pixels[rows] = COMPUTED[name](pixels[rows], magnitudes[rows])
    return pixels.index_select(0, order.argsort().to(pixels.device))


def _groups(operations: Tensor) -> list[_Group]:
    sizes = torch.bincount(operations, minlength=len(OPERATIONS))
    stops = sizes.cumsum(0).tolist()
    ranges = zip(OPERATIONS, [0, *stops[:-1]], stops, strict=True)
    return [_Group(name, slice(start, stop)) for name, start, stop in ranges if stop > start]


def _together(groups: list[_Group]) -> slice:
    return slice(groups[0].rows.start, groups[-1].rows.stop)


def _move(
    pixels: Pixels, magnitudes: Tensor, groups: list[_Group], interpolation: Interpolation
) -> None:
    if groups:
        _, height, width, _ = pixels.shape
        matrices = [GEOMETRIC[name](magnitudes[rows], height, width) for name, rows in groups]
        rows = _together(groups)
        pixels[rows] = warp(pixels[rows], torch.cat(matrices), interpolation)


def _replace(pixels: Pixels, magnitudes: Tensor, groups: list[_Group]) -> None:
    if groups:
        channels = pixels.shape[3]
        tables = [
            TABULAR[name](pixels[rows], magnitudes[rows]).expand(-1, channels, 256)
            for name, rows in groups
        ]
        rows = _together(groups)
        pixels[rows] = look_up(pixels[rows], torch.cat(tables))
