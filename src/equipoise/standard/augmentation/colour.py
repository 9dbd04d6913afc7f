"""Colour: brightness, contrast, saturation and hue of each image, or none at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Augmentation, Graded
from equipoise.standard.augmentation.draws import (
    coins,
    in_type_of,
    per_image,
    planes,
    uniform,
    where_chosen,
)

Adjustment = Callable[[Tensor, Tensor, bool], Tensor]
"""From float pixels, amounts of shape (batch, 1, 1, 1) and whether they are whole, to pixels."""

LUMA = (0.2989, 0.587, 0.114)
"""Share of red, green and blue in the brightness that is seen (ITU-R BT.601, rounded)."""


@dataclass(eq=False, repr=False, kw_only=True)
class ColorJitter(Graded):
    r"""Change brightness, contrast, saturation and hue at random.

    Grey images keep neither saturation nor hue, so `saturation` and `hue` do nothing to them.

    Parameters
    ----------
    brightness, contrast, saturation : float, default=0.4
        Largest change of the factor, at least 0: factors are uniform over
        :math:`[\max(0, 1 - b),\, 1 + b]`.
    hue : float, default=0.1
        Largest shift of the hue in either direction, in turns of the colour circle, from 0 to 0.5.
    probability : float, default=0.8
        Share of the images that are changed, from 0 to 1.
    tail_scale : float, default=1.0
        Multiplies all four changes for the smallest class; `hue` up to 0.5.

    Notes
    -----
    With :math:`g` the grey image (0.2989 red + 0.587 green + 0.114 blue), :math:`\bar g` its mean
    and factor :math:`f`, results being cut off at 0 and 255:

    - brightness: :math:`f x`
    - contrast: :math:`f x + (1 - f) \bar g`
    - saturation: :math:`f x + (1 - f) g`
    - hue: the pixel turns about the hue circle of HSV; value and saturation stay.

    These are the definitions of torchvision. uint8 images stay uint8; decimals are cut off after
    each step, as there. The order of the four is drawn for each batch, everything else for each
    image. The defaults are those of the views of [1]_ for small images.

    References
    ----------
    .. [1] T. Chen et al., "A simple framework for contrastive learning of visual
       representations", ICML 2020, appendix.

    Examples
    --------
    >>> images = torch.full((4, 3, 2, 2), 100, dtype=torch.uint8)
    >>> jitter = ColorJitter(brightness=0.5, contrast=0, saturation=0, hue=0, probability=1)
    >>> found = jitter(images, torch.Generator().manual_seed(0))
    >>> found[:, 0, 0, 0].tolist()
    [139, 95, 113, 84]
    """

    brightness: float = bounded(0.4, low=0)
    contrast: float = bounded(0.4, low=0)
    saturation: float = bounded(0.4, low=0)
    hue: float = bounded(0.1, low=0, high=0.5)
    probability: float = bounded(0.8, low=0, high=1)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n = len(images)
        chosen = coins(n, self.probability, generator)
        order = torch.randperm(4, generator=generator).tolist()
        shifts = torch.rand((4, n), generator=generator)
        amounts = self.amounts(shifts, self.strength(n, rarity))
        steps = [(ADJUSTMENTS[i], amounts[i]) for i in order if self.sizes[i] > 0]
        return where_chosen(
            images,
            chosen,
            lambda some, at: adjusted(some, [(step, amount[at]) for step, amount in steps]),
        )

    @property
    def sizes(self) -> tuple[float, float, float, float]:
        """The four largest changes: brightness, contrast, saturation, hue."""
        return self.brightness, self.contrast, self.saturation, self.hue

    def amounts(self, shifts: Tensor, strength: Tensor) -> Tensor:
        """Return three factors and the turn of the hue, from numbers between 0 and 1.

        Parameters
        ----------
        shifts : Tensor of float, shape (4, images)
            Place of each of the four between its lowest and its highest value.
        strength : Tensor of float, shape (images,)
            Multiple of the largest change.
        """
        largest = torch.tensor(self.sizes)[:, None] * strength
        low = torch.cat((1 - largest[:3].clamp(max=1), -largest[3:].clamp(max=0.5)))
        high = torch.cat((1 + largest[:3], largest[3:].clamp(max=0.5)))
        return uniform(low, high, shifts)


@dataclass(eq=False, repr=False, kw_only=True)
class Grayscale(Augmentation):
    """Take the colour out of some images, which stay of three channels.

    Parameters
    ----------
    probability : float, default=0.2
        Share of the images that turn grey, from 0 to 1.

    Notes
    -----
    Each channel becomes 0.2989 red + 0.587 green + 0.114 blue; in uint8 images decimals are cut
    off. Images of one channel stay as they are.

    Examples
    --------
    >>> images = torch.tensor([100, 200, 50], dtype=torch.uint8).reshape(1, 3, 1, 1)
    >>> Grayscale(probability=1)(images, torch.Generator()).flatten().tolist()
    [152, 152, 152]
    """

    probability: float = bounded(0.2, low=0, high=1)

    def __call__(
        self,
        images: ImageBatch,
        generator: torch.Generator,
        rarity: Tensor | None = None,  # noqa: ARG002 (the contract of all augmentations)
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        chosen = coins(len(images), self.probability, generator)
        return where_chosen(images, chosen, lambda some, _: without_colour(some))


def without_colour(images: ImageBatch) -> ImageBatch:
    """Return images whose channels are all equal to the brightness that is seen."""
    return in_type_of(images, grey(planes(images)).expand(images.shape))


def adjusted(images: ImageBatch, steps: Sequence[tuple[Adjustment, Tensor]]) -> Tensor:
    """Return images after several adjustments, one after the other.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point.
    steps : sequence of (adjustment, Tensor)
        One of `ADJUSTMENTS`, and its factors (or, for `hue`, turns), shape (batch,).

    Returns
    -------
    Tensor
        New images of the same type. After each step, decimals of uint8 images are cut off.
    """
    pixels, is_whole = planes(images), not images.is_floating_point()
    for adjust, amounts in steps:
        pixels = adjust(pixels, per_image(amounts, images), is_whole)
        pixels = pixels.floor_() if is_whole else pixels
    return in_type_of(images, pixels)


def brightness(pixels: Tensor, factors: Tensor, is_whole: bool) -> Tensor:  # noqa: ARG001
    """Return pixels multiplied by a factor for each image, at least 0."""
    return (pixels * factors).clamp_(0, 255)


def contrast(pixels: Tensor, factors: Tensor, is_whole: bool) -> Tensor:
    """Return pixels whose distance from the image's mean grey is multiplied."""
    mean = _grey_as_stored(pixels, is_whole).mean((1, 2, 3), keepdim=True)
    return _blended(pixels, mean, factors)


def saturation(pixels: Tensor, factors: Tensor, is_whole: bool) -> Tensor:
    """Return pixels whose distance from their own grey is multiplied."""
    if pixels.shape[1] == 1:
        return pixels
    return _blended(pixels, _grey_as_stored(pixels, is_whole), factors)


def hue(pixels: Tensor, turns: Tensor, is_whole: bool) -> Tensor:
    r"""Return pixels whose hue is shifted by a part of the colour circle; 1/3: red to green.

    Parameters
    ----------
    pixels : Tensor of float, shape (batch, channels, height, width)
        From 0 to 255.
    turns : Tensor of float, shape (batch, 1, 1, 1)
        Shifts :math:`t`.
    is_whole : bool
        Whether decimals will be cut off.

    Notes
    -----
    With hue :math:`h` in turns, largest channel :math:`v` and its distance :math:`c` from the
    smallest one, red, green and blue (:math:`n = 5, 3, 1`) become

    .. math:: v - c \min(1, \max(0, \min(k, 4 - k))), \quad k = (n + 6(h + t)) \bmod 6
    """
    if pixels.shape[1] == 1:
        return pixels
    sixths, high, span = _hue_value_chroma(pixels)
    sixths += turns[:, 0] * 6
    result = torch.empty_like(pixels)
    for channel, corner in enumerate((5, 3, 1)):
        place = sixths + corner
        place -= (place / 6).floor_() * 6
        inside = torch.minimum(place, 4 - place).clamp_(0, 1)
        torch.addcmul(high, span, inside, value=-1, out=result[:, channel])
    # torchvision takes the interval [v, v + 1) of 256 to level v, of a scale that ends at 1.
    return result.mul_((256 - 1e-3) / 255) if is_whole else result


ADJUSTMENTS: tuple[Adjustment, ...] = (brightness, contrast, saturation, hue)
"""What `ColorJitter` does, in the order of its parameters."""


def grey(pixels: Tensor) -> Tensor:
    """Return the brightness that is seen, shape (batch, 1, height, width)."""
    if pixels.shape[1] == 1:
        return pixels
    red, green, blue = pixels.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(1)


def _grey_as_stored(pixels: Tensor, is_whole: bool) -> Tensor:
    return grey(pixels).floor() if is_whole else grey(pixels)


def _blended(pixels: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    return (pixels * factors).addcmul_(other, 1 - factors).clamp_(0, 255)


def _hue_value_chroma(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the hue in sixths of the circle, the largest channel, and its distance from the least.

    Written without `where` and `aminmax`, which take ten times as long as this arithmetic.
    """
    red, green, blue = pixels.unbind(1)
    high = torch.maximum(torch.maximum(red, green), blue)
    span = high - torch.minimum(torch.minimum(red, green), blue)
    divisor = span.clamp(min=1e-6)  # without colour all differences are 0, and so is the hue
    is_red = torch.eq(high, red, out=torch.empty_like(high))
    is_green = torch.eq(high, green, out=torch.empty_like(high))
    by_blue, by_green = (red - green) / divisor + 4, (blue - red) / divisor + 2
    sixths = by_blue.lerp_(by_green, is_green).lerp_((green - blue) / divisor, is_red)
    return sixths, high, span
