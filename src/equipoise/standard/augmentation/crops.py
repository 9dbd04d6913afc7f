"""Crops: shifted, mirrored, or of random size."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ImageBatch
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Augmentation


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
