"""Affine operations on whole batches of bytes, each image with a magnitude of its own.

An operation is a matrix for each image that maps a position of the result to the position in
the image that is shown there; `warp` applies the matrices. What comes from outside is black.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Pixels = Tensor
"""Bytes of shape ``(batch, height, width, channels)``, contiguous."""

Interpolation = Literal["nearest", "bilinear"]
"""Whether a pixel is that at the nearest position, or blended from four."""

Matrices = Tensor
"""Shape ``(batch, 2, 3)``, float64: rows x and y, columns x, y and 1, in pixels from the centre."""


def shear_x(magnitudes: Tensor, height: int, width: int) -> Matrices:  # noqa: ARG001
    """Return matrices that shift a row by ``-magnitude`` times its distance from the top."""
    matrices = _identity(len(magnitudes))
    matrices[:, 0, 1] = magnitudes
    matrices[:, 0, 2] = magnitudes * (height / 2)
    return matrices


def shear_y(magnitudes: Tensor, height: int, width: int) -> Matrices:  # noqa: ARG001
    """Return matrices that shift a column by ``-magnitude`` times its distance from the left."""
    matrices = _identity(len(magnitudes))
    matrices[:, 1, 0] = magnitudes
    matrices[:, 1, 2] = magnitudes * (width / 2)
    return matrices


def translate_x(magnitudes: Tensor, height: int, width: int) -> Matrices:  # noqa: ARG001
    """Return matrices that shift to the right by whole pixels; fractions are cut off."""
    matrices = _identity(len(magnitudes))
    matrices[:, 0, 2] = -magnitudes.trunc()
    return matrices


def translate_y(magnitudes: Tensor, height: int, width: int) -> Matrices:  # noqa: ARG001
    """Return matrices that shift downwards by whole pixels; fractions are cut off."""
    matrices = _identity(len(magnitudes))
    matrices[:, 1, 2] = -magnitudes.trunc()
    return matrices


def rotate(magnitudes: Tensor, height: int, width: int) -> Matrices:  # noqa: ARG001
    """Return matrices that turn about the centre, counter-clockwise, by degrees."""
    matrices, angles = _identity(len(magnitudes)), torch.deg2rad(magnitudes)
    matrices[:, 0, 0] = matrices[:, 1, 1] = angles.cos()
    matrices[:, 1, 0] = angles.sin()
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices


GEOMETRIC: dict[str, Callable[[Tensor, int, int], Matrices]] = {
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "Rotate": rotate,
}
"""By name: float64 magnitudes ``(batch,)``, height and width in pixels to matrices."""


def warp(pixels: Pixels, matrices: Matrices, interpolation: Interpolation = "nearest") -> Pixels:
    """Return the images seen through their matrices.

    Parameters
    ----------
    pixels : Tensor of uint8, shape (batch, height, width, channels)
        Images; they are left alone.
    matrices : Tensor of float64, shape (batch, 2, 3)
        For each image, where a position of the result is read, relative to the centre.
    interpolation : {"nearest", "bilinear"}, default="nearest"
        Halves are rounded to the even neighbour; bilinear values to the nearest byte.

    Returns
    -------
    Tensor of uint8, shape (batch, height, width, channels)
        New images; positions outside of the image read 0.

    Examples
    --------
    >>> pixels = torch.arange(1, 4, dtype=torch.uint8).view(1, 1, 3, 1)
    >>> right = translate_x(torch.tensor([1.0], dtype=torch.float64), 1, 3)
    >>> warp(pixels, right).flatten().tolist()
    [0, 1, 2]
    """
    _, height, width, _ = pixels.shape
    x, y = _grid(matrices, height, width, pixels.device)
    if interpolation == "bilinear":
        images = pixels.permute(0, 3, 1, 2).float()
        seen = F.grid_sample(images, torch.stack((x, y), 3), align_corners=False)
        return seen.round_().permute(0, 2, 3, 1).to(torch.uint8)
    return _gather(pixels, _nearest(x, width), _nearest(y, height))


def _identity(n: int) -> Matrices:
    return torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1)


def _grid(
    matrices: Matrices, height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return source positions x and y, each ``(batch, height, width)``; the image spans -1 to 1.

    Many positions of a shear lie halfway between two pixels, so that the last bit decides. The
    order of the operations, in float32, is therefore that of ``grid_sample`` and its callers.
    """
    half = torch.tensor([[width / 2], [height / 2]])
    rows = (matrices.float() / half).to(device)
    x = torch.arange(width, device=device) - (width - 1) / 2
    y = torch.arange(height, device=device) - (height - 1) / 2
    along = (rows[:, :, 0, None] * x)[:, :, None, :]
    down = (rows[:, :, 1, None] * y)[:, :, :, None]
    positions = (along + down).add_(rows[:, :, 2, None, None])
    return positions[:, 0], positions[:, 1]


def _nearest(positions: Tensor, side: int) -> Tensor:
    """Return the whole number of the pixel nearest to each position; -1 where it is outside."""
    found = ((positions + 1).mul_(side / 2)).sub_(0.5).round_()
    outside = (found < 0) | (found >= side)
    return found.masked_fill_(outside, -1).long()


def _gather(pixels: Pixels, columns: Tensor, rows: Tensor) -> Pixels:
    n, height, width, channels = pixels.shape
    first = torch.arange(n, device=pixels.device)[:, None, None] * (height * width)
    outside = (columns < 0) | (rows < 0)
    index = (rows * width).add_(columns).add_(first).masked_fill_(outside, n * height * width)
    black = pixels.new_zeros((1, channels))
    flat = torch.cat((pixels.view(-1, channels), black))
    return flat.index_select(0, index.view(-1)).view(pixels.shape)
