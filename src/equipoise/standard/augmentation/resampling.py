"""Bilinear sampling of images at places that differ from image to image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ImageBatch
from equipoise.standard.augmentation.draws import planes, rounded_like


def sample(images: ImageBatch, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the images' values between their pixels, by bilinear interpolation.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point. What lies outside counts as black.
    rows, columns : Tensor of float32
        Place of each new pixel in the old image, in pixels from the centre of the first one;
        of shapes that broadcast to (batch, new height, new width).

    Returns
    -------
    Tensor
        New images of the same type, rounded if that is uint8; channels last in memory.

    Examples
    --------
    >>> images = torch.tensor([[[[0, 10], [20, 30]]]], dtype=torch.uint8)
    >>> sample(images, torch.tensor([[[0.5]]]), torch.tensor([[[0.0, 0.5]]])).tolist()
    [[[[10, 15]]]]
    """
    height, width = images.shape[2:]
    x, y = (columns * 2 + 1) / width - 1, (rows * 2 + 1) / height - 1
    grid = torch.stack(torch.broadcast_tensors(x, y), 3).to(images.device)
    grid = grid.expand(len(images), -1, -1, -1)
    return rounded_like(images, F.grid_sample(planes(images), grid, align_corners=False))


def turned(images: ImageBatch, degrees: Tensor) -> ImageBatch:
    r"""Return images turned about their centres, counter-clockwise, each by its own angle.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point.
    degrees : Tensor of float, shape (batch,)
        Angles :math:`\varphi`.

    Notes
    -----
    The new pixel at :math:`(x, y)` from the centre, :math:`y` downwards, is the old image at
    :math:`(x \cos\varphi - y \sin\varphi,\; x \sin\varphi + y \cos\varphi)`.

    Examples
    --------
    >>> images = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> turned(images, torch.tensor([90.0])).round().tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """
    height, width = images.shape[2:]
    angles = torch.deg2rad(degrees).reshape(-1, 1, 1).to(images.device, torch.float32)
    y = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    rows = x * angles.sin() + y * angles.cos() + (height - 1) / 2
    columns = x * angles.cos() - y * angles.sin() + (width - 1) / 2
    return sample(images, rows, columns)


def resized(images: ImageBatch, boxes: Tensor, mirrored: Tensor) -> ImageBatch:
    r"""Return rectangles of the images, each its own, magnified to the size of the images.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point.
    boxes : Tensor of int64, shape (batch, 4)
        Top, left, height and width in pixels.
    mirrored : Tensor of bool, shape (batch,)
        Which are mirrored left to right.

    Notes
    -----
    Pixel :math:`i` of :math:`n`, from a rectangle that starts at :math:`a` and is :math:`m \le n`
    long, is the old image at :math:`a + \min(\max((i + 1/2)\, m / n - 1/2, 0), m - 1)`: no pixel
    outside of the rectangle is looked at. A rectangle is never made smaller, so there is nothing
    for an antialiasing filter to do.
    """
    height, width = images.shape[2:]
    top, left, high, wide = boxes.to(images.device).unsqueeze(2).unbind(1)
    rows = _places(height, high) + top
    columns = _places(width, wide) + left
    columns = torch.where(mirrored.to(images.device)[:, None], columns.flip(1), columns)
    return sample(images, rows[:, :, None], columns[:, None, :])


def _places(n: int, length: Tensor) -> Tensor:
    steps = torch.arange(n, device=length.device) + 0.5
    return (steps * length / n - 0.5).clamp(min=0).minimum(length - 1.0)
