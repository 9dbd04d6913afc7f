"""Erasing: part of each image is covered, so that no single part decides."""

from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Graded
from equipoise.standard.augmentation.draws import TRIES, check_order, coins, rectangles, uniform

MIDDLE = 128
"""The grey that covers: the middle of the scale, near 0 once images are standardised."""


@dataclass(eq=False, repr=False, kw_only=True)
class Cutout(Graded):
    """Cover a square of each image with grey.

    Parameters
    ----------
    size : float, default=0.5
        Side of the square as a share of the shorter side of the image, from 0 to 1.
    probability : float, default=1.0
        Share of the images that are covered, from 0 to 1.
    tail_scale : float, default=1.0
        Multiplies `size` for the smallest class, up to 1.

    Notes
    -----
    The centre is any pixel of the image, each equally likely, and what reaches beyond the border
    is lost, so that the covered area varies [1]_. The cover is 128 in every channel: the authors
    put 0 into standardised images, which is the mean colour of the data; the middle of the scale
    comes near it and needs no statistics. uint8 images stay uint8.

    References
    ----------
    .. [1] T. DeVries and G. W. Taylor, "Improved regularization of convolutional neural networks
       with Cutout", arXiv:1708.04552, 2017.

    Examples
    --------
    >>> images = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    >>> Cutout()(images, torch.Generator().manual_seed(2))[0, 0]
    tensor([[  0,   0,   0,   0],
            [  0,   0,   0,   0],
            [128, 128,   0,   0],
            [128, 128,   0,   0]], dtype=torch.uint8)
    """

    tuned_for = ("images",)

    size: float = bounded(0.5, low=0, high=1, tune=Span(0.2, 0.6))
    probability: float = bounded(1.0, low=0, high=1)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n, _, height, width = images.shape
        chosen = coins(n, self.probability, generator)
        share = (self.size * self.strength(n, rarity)).clamp(max=1)
        side = (share * min(height, width)).round().long() * chosen
        top = torch.randint(height, (n,), generator=generator) - side // 2
        left = torch.randint(width, (n,), generator=generator) - side // 2
        return covered(images, torch.stack((top, left, side, side), 1), MIDDLE)


@dataclass(eq=False, repr=False, kw_only=True)
class RandomErasing(Graded):
    r"""Cover a rectangle of random area and shape in some images.

    Parameters
    ----------
    probability : float, default=0.25
        Share of the images of which a part is covered, from 0 to 1.
    area_low : float, default=0.02
        Least area of the rectangle as a share of the image's, above 0 and up to 1.
    area_high : float, default=0.33
        Largest area; it is uniform between them.
    ratio : float, default=3.3
        Largest ratio of width to height, at least 1; the smallest is its inverse. The logarithm
        is uniform.
    fill : {"noise", "zero"}, default="noise"
        What covers: levels from 0 to 255, drawn for each value of each pixel; or black.
    tail_scale : float, default=1.0
        Multiplies both areas for the smallest class, each up to 1.

    Notes
    -----
    Area and ratio are drawn again until the rectangle lies inside the image [1]_, ten times at
    most; an image for which none does is left alone. uint8 images stay uint8.

    References
    ----------
    .. [1] Z. Zhong et al., "Random erasing data augmentation", AAAI 2020, algorithm 1.

    Examples
    --------
    >>> images = torch.full((1, 1, 4, 4), 9, dtype=torch.uint8)
    >>> erasing = RandomErasing(probability=1, area_low=0.25, area_high=0.25, ratio=1, fill="zero")
    >>> erasing(images, torch.Generator().manual_seed(0))[0, 0]
    tensor([[9, 9, 9, 9],
            [9, 9, 9, 9],
            [9, 0, 0, 9],
            [9, 0, 0, 9]], dtype=torch.uint8)
    """

    probability: float = bounded(0.25, low=0, high=1)
    area_low: float = bounded(0.02, low=0, high=1, open_low=True)
    area_high: float = bounded(0.33, low=0, high=1, open_low=True)
    ratio: float = bounded(3.3, low=1)
    fill: str = bounded("noise", choices=("noise", "zero"))

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds, or the two bounds are swapped."""
        super().validate()
        check_order(self, "area_low", "area_high")

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n, _, height, width = images.shape
        chosen = coins(n, self.probability, generator)
        strength = self.strength(n, rarity)[:, None]
        low, high = ((strength * area).clamp(max=1) for area in (self.area_low, self.area_high))
        areas = uniform(low, high, torch.rand((n, TRIES), generator=generator))
        boxes, found = rectangles(areas, self.ratio, (height, width), generator)
        boxes = boxes * (chosen & found)[:, None]
        return covered(images, boxes, self._cover(images, generator))

    def _cover(self, images: ImageBatch, generator: torch.Generator) -> Tensor | int:
        if self.fill == "zero":
            return 0
        noise = torch.randint(256, images.shape, generator=generator, dtype=torch.uint8)
        return noise.to(images.device)


def covered(images: ImageBatch, boxes: Tensor, cover: Tensor | int) -> ImageBatch:
    """Return images with a rectangle of each replaced.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point.
    boxes : Tensor of int64, shape (batch, 4)
        Top, left, height and width in pixels; they may reach beyond the image.
    cover : Tensor or int
        What is seen instead, in levels from 0 to 255; broadcasts to the images.
    """
    top, left, high, wide = boxes.to(images.device).unsqueeze(2).unbind(1)
    rows = torch.arange(images.shape[2], device=images.device) - top
    columns = torch.arange(images.shape[3], device=images.device) - left
    inside_rows, inside_columns = (rows >= 0) & (rows < high), (columns >= 0) & (columns < wide)
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    over = torch.as_tensor(cover, device=images.device).to(images.dtype)
    return torch.where(inside, over, images).contiguous(memory_format=torch.channels_last)
