"""Crops: shifted, mirrored, or of random size."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ImageBatch
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Augmentation, Graded
from equipoise.standard.augmentation.draws import TRIES, check_order, coins, rectangles, uniform
from equipoise.standard.augmentation.resampling import resized

SMALLEST = 0.05
"""Share of an image that a larger strength for rare classes leaves at the least."""


@dataclass(eq=False, repr=False, kw_only=True)
class CropFlip(Augmentation):
    """Shift each image at random over a black border, and mirror about every second one.

    The standard augmentation of small images. Leave `flip` off where left and right differ in
    meaning, as in digits.

    Parameters
    ----------
    padding : int, default=4
        Largest shift in pixels, in each direction, at least 0.
    flip : bool, default=True
        Whether each image is mirrored left to right with probability 1/2.

    Notes
    -----
    For an image of ``(height, width)``, offsets are uniform over the ``(2 padding + 1)^2`` crops
    of that size in the padded image [1]_. Nothing is converted: uint8 images stay uint8.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> images = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    >>> CropFlip(padding=1, flip=False)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 4, 4])
    >>> torch.equal(CropFlip(padding=0, flip=False)(images, torch.Generator()), images)
    True
    """

    padding: int = bounded(4, low=0, integer=True)
    flip: bool = bounded(True, choices=(True, False))

    def __call__(
        self,
        images: ImageBatch,
        generator: torch.Generator,
        rarity: Tensor | None = None,  # noqa: ARG002 (the contract of all augmentations)
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n, _, height, width = images.shape
        pad = self.padding
        rows = torch.randint(2 * pad + 1, (n, 1), generator=generator) + torch.arange(height)
        columns = torch.randint(2 * pad + 1, (n, 1), generator=generator) + torch.arange(width)
        if self.flip:
            mirrored = torch.rand((n, 1), generator=generator) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        padded = F.pad(images, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
        index = (
            torch.arange(n)[:, None, None],
            rows[:, :, None],
            columns[:, None, :],
        )
        crops = padded[tuple(i.to(images.device) for i in index)]
        return crops.permute(0, 3, 1, 2)


@dataclass(eq=False, repr=False, kw_only=True)
class RandomResizedCrop(Graded):
    r"""Cut out a rectangle of random area and shape, and magnify it to the size of the image.

    Parameters
    ----------
    scale_low : float, default=0.2
        Least area of the rectangle as a share of the image's, above 0 and up to 1.
    scale_high : float, default=1.0
        Largest area; it is uniform between them.
    ratio : float, default=1.3333333333333333
        Largest ratio of width to height of the rectangle in pixels, at least 1; the smallest is
        its inverse. The logarithm is uniform.
    flip : bool, default=True
        Whether each image is mirrored left to right with probability 1/2.
    tail_scale : float, default=1.0
        Multiplies, for the smallest class, the largest share that is cut away, which is
        ``1 - scale_low``. What remains is never less than 0.05 of the image (or `scale_low`,
        if that is less), nor is the lower bound ever above `scale_high`.

    Notes
    -----
    Area and ratio are drawn again until the rectangle fits, ten times at most [1]_; an image for
    which none fits is not cropped. Values are interpolated between the four nearest pixels of the
    rectangle. torchvision applies an antialiasing filter by default and takes a central crop where
    none fits; the filter makes no difference, because a rectangle is only ever magnified. uint8
    images are rounded and stay uint8.

    References
    ----------
    .. [1] C. Szegedy et al., "Going deeper with convolutions", CVPR 2015.

    Examples
    --------
    >>> images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    >>> found = RandomResizedCrop(scale_high=0.25)(images, torch.Generator().manual_seed(0))
    >>> found.shape, (found.max() - found.min() < 40).item()
    (torch.Size([1, 1, 8, 8]), True)
    """

    scale_low: float = bounded(0.2, low=0, high=1, open_low=True)
    scale_high: float = bounded(1.0, low=0, high=1, open_low=True)
    ratio: float = bounded(4 / 3, low=1)
    flip: bool = bounded(True, choices=(True, False))

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds, or the two bounds are swapped."""
        super().validate()
        check_order(self, "scale_low", "scale_high")

    def lowest(self, n: int, rarity: Tensor | None) -> Tensor:
        """Return the smallest area for each of `n` images, as a share of the image's."""
        kept = 1 - self.strength(n, rarity) * (1 - self.scale_low)
        return kept.clamp(min(self.scale_low, SMALLEST), self.scale_high)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n, _, height, width = images.shape
        low = self.lowest(n, rarity)[:, None]
        areas = uniform(low, self.scale_high, torch.rand((n, TRIES), generator=generator))
        boxes, found = rectangles(areas, self.ratio, (height, width), generator)
        whole = torch.tensor([0, 0, height, width])
        mirrored = coins(n, 0.5 if self.flip else 0, generator)
        return resized(images, torch.where(found[:, None], boxes, whole), mirrored)
