"""What random changes of images share: draws for each example, and keeping the type."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.errors import InputError
from equipoise.spec import Component

TRIES = 10
"""How often a rectangle is drawn before an image goes without."""


def uniform(low: Tensor | float, high: Tensor | float, share: Tensor) -> Tensor:
    """Return numbers between two bounds, from numbers between 0 and 1."""
    return low + (high - low) * share


def coins(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """Return which of n examples are chosen, each with the same probability."""
    return torch.rand(n, generator=generator) < probability


def per_image(values: Tensor, images: ImageBatch) -> Tensor:
    """Return one value an image, shape (batch, 1, 1, 1), on the device of the images."""
    return values.to(images.device).reshape(-1, 1, 1, 1)


def planes(images: ImageBatch) -> ImageBatch:
    """Return a float copy whose channels come first in memory, which arithmetic is fastest on."""
    return images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def in_type_of(images: ImageBatch, pixels: Tensor) -> Tensor:
    """Return pixels in the type of the images, cut off and not rounded; channels last."""
    return pixels.to(images.dtype).contiguous(memory_format=torch.channels_last)


def rounded_like(images: ImageBatch, pixels: Tensor) -> Tensor:
    """Return pixels in the type of the images, rounded if these are whole; channels last."""
    return in_type_of(images, pixels if images.is_floating_point() else pixels.round())


def where_chosen(
    images: ImageBatch, chosen: Tensor, change: Callable[[ImageBatch, Tensor], ImageBatch]
) -> ImageBatch:
    """Return a copy in which the chosen images are changed.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        They are left alone.
    chosen : Tensor of bool, shape (batch,)
        On the CPU, so that nothing waits for another device.
    change : callable
        Takes the chosen images and their positions in the batch, and returns new images.
    """
    result = images.clone(memory_format=torch.channels_last)
    positions = chosen.nonzero().squeeze(1)
    if len(positions):
        there = positions.to(images.device)
        result[there] = change(images[there], positions)
    return result


def rectangles(
    areas: Tensor, ratio: float, size: tuple[int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    r"""Return a random rectangle inside each image.

    Parameters
    ----------
    areas : Tensor of float, shape (batch, tries)
        Areas to try, as shares of the image's.
    ratio : float
        Largest ratio of width to height. Its logarithm is uniform over
        :math:`\pm \log(ratio)`.
    size : tuple of int
        Height and width of the images.
    generator : torch.Generator
        Source of ratios and places.

    Returns
    -------
    boxes : Tensor of int64, shape (batch, 4)
        Top, left, height and width of the first rectangle that fits.
    found : Tensor of bool, shape (batch,)
        Whether any fitted; the box means nothing otherwise.
    """
    height, width = size
    bound = math.log(ratio)
    root = uniform(-bound, bound, torch.rand(areas.shape, generator=generator)).exp().sqrt()
    side = (areas * height * width).sqrt()
    heights, widths = (side / root).round().long(), (side * root).round().long()
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits.byte().argmax(1, keepdim=True)
    high, wide = heights.gather(1, first), widths.gather(1, first)
    places = torch.rand((len(areas), 2), generator=generator)
    spare = torch.cat((height - high, width - wide), 1) + 1
    return torch.cat(((places * spare).long(), high, wide), 1), fits.any(1)


def check_order(component: Component, low: str, high: str) -> None:
    """Raise `InputError` if the field named `low` is above the one named `high`."""
    first, second = getattr(component, low), getattr(component, high)
    if first > second:
        raise InputError(
            f"`{low}` of `{type(component).__name__}` must not be above `{high}`.",
            f"They are {first!r} and {second!r}.",
            "Swap them, or make them equal for a fixed value.",
        )
