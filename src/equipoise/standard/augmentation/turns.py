"""Turns: by right angles with mirrors, or by small angles."""

from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Augmentation, Graded
from equipoise.standard.augmentation.draws import coins, uniform
from equipoise.standard.augmentation.resampling import turned


@dataclass(eq=False, repr=False, kw_only=True)
class FlipRotate(Augmentation):
    """Mirror each image and turn it by right angles, at random.

    For images without an up direction: microscopy, satellite images, surfaces.

    Parameters
    ----------
    horizontal : bool, default=True
        Whether each image is mirrored left to right with probability 1/2.
    vertical : bool, default=True
        Whether each image is mirrored top to bottom with probability 1/2.
    quarter_turns : bool, default=True
        Whether each image is turned by 0, 90, 180 or 270 degrees, each equally likely. Images
        that are not square are turned by 0 or 180 degrees.

    Notes
    -----
    The turn comes before the mirrors. With all three, the eight symmetries of a square image are
    equally likely. Pixels are moved and not changed, whatever their type.

    Examples
    --------
    >>> images = torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8)
    >>> found = FlipRotate()(images.expand(500, 1, 2, 2), torch.Generator().manual_seed(0))
    >>> len({tuple(image.flatten().tolist()) for image in found})
    8
    """

    horizontal: bool = bounded(True, choices=(True, False))
    vertical: bool = bounded(True, choices=(True, False))
    quarter_turns: bool = bounded(True, choices=(True, False))

    def __call__(
        self,
        images: ImageBatch,
        generator: torch.Generator,
        rarity: Tensor | None = None,  # noqa: ARG002 (the contract of all augmentations)
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n, _, height, width = images.shape
        across = coins(n, 0.5 if self.horizontal else 0, generator)
        down = coins(n, 0.5 if self.vertical else 0, generator)
        quarters = torch.randint(4, (n,), generator=generator) * self.quarter_turns
        return moved(images, across, down, quarters if height == width else quarters // 2 * 2)


def moved(images: ImageBatch, across: Tensor, down: Tensor, quarters: Tensor) -> ImageBatch:
    """Return images turned counter-clockwise by quarters, then mirrored.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        Of any type; square if `quarters` is odd anywhere.
    across, down : Tensor of bool, shape (batch,)
        Which are mirrored left to right, and top to bottom.
    quarters : Tensor of int64, shape (batch,)
        Number of quarter turns, from 0 to 3.
    """
    n, channels, height, width = images.shape
    row = _counted(height, down)[:, :, None].expand(n, height, width)
    column = _counted(width, across)[:, None, :].expand(n, height, width)
    odd, turns = (quarters % 2 == 1)[:, None, None], quarters[:, None, None]
    row, column = torch.where(odd, column, row), torch.where(odd, row, column)
    row = torch.where(turns >= 2, height - 1 - row, row)
    column = torch.where((turns == 1) | (turns == 2), width - 1 - column, column)
    there = (row * width + column).flatten(1).to(images.device)
    pixels = images.permute(0, 2, 3, 1).reshape(n, height * width, channels)
    found = pixels[torch.arange(n, device=images.device)[:, None], there]
    return found.reshape(n, height, width, channels).permute(0, 3, 1, 2)


def _counted(length: int, backwards: Tensor) -> Tensor:
    steps = torch.arange(length)
    return torch.where(backwards[:, None], steps.flip(0), steps)


@dataclass(eq=False, repr=False, kw_only=True)
class Rotation(Graded):
    r"""Turn each image by a random small angle about its centre.

    Parameters
    ----------
    degrees : float, default=15
        Largest angle, from 0 to 180, in either direction; all angles are equally likely.
    tail_scale : float, default=1.0
        Multiplies `degrees` for the smallest class, up to 180.

    Notes
    -----
    Values are interpolated between the four nearest pixels; what lies outside of the image
    counts as black. uint8 images are rounded and stay uint8.

    Examples
    --------
    >>> images = torch.full((1, 1, 5, 5), 200, dtype=torch.uint8)
    >>> found = Rotation(degrees=30)(images, torch.Generator().manual_seed(0))
    >>> found.dtype, found[0, 0, 2, 2].item(), found[0, 0, 0, 0].item() < 200
    (torch.uint8, 200, True)
    """

    degrees: float = bounded(15, low=0, high=180)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n = len(images)
        bound = (self.degrees * self.strength(n, rarity)).clamp(max=180)
        return turned(images, uniform(-bound, bound, torch.rand(n, generator=generator)))
