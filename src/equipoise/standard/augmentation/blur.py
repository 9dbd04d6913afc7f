"""Blur: each image through a Gaussian filter of its own width."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ImageBatch
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Graded
from equipoise.standard.augmentation.draws import (
    check_order,
    coins,
    per_image,
    planes,
    rounded_like,
    uniform,
    where_chosen,
)

NARROWEST = 1e-3
"""Standard deviation, in pixels, at which the filter changes nothing; keeps 0 out of a ratio."""


@dataclass(eq=False, repr=False, kw_only=True)
class Blur(Graded):
    r"""Blur images by a Gaussian filter.

    Mostly for views in self-supervised learning, and for images larger than 64 pixels.

    Parameters
    ----------
    probability : float, default=0.5
        Share of the images that are blurred, from 0 to 1.
    sigma_low : float, default=0.1
        Least standard deviation of the filter in pixels, above 0.
    sigma_high : float, default=2.0
        Largest one; it is uniform between them.
    tail_scale : float, default=1.0
        Multiplies the standard deviation for the smallest class. At 0 nothing is blurred.

    Notes
    -----
    The filter has :math:`2r + 1` weights in each direction, with :math:`r` a twentieth of the
    shorter side, rounded down but at least 1:

    .. math:: w_i \propto \exp(-i^2 / (2 \sigma^2)), \quad i = -r, \ldots, r

    The image is mirrored about its border pixels. The size of the filter and its use for views
    follow [1]_. uint8 images are rounded and stay uint8.

    References
    ----------
    .. [1] T. Chen et al., "A simple framework for contrastive learning of visual
       representations", ICML 2020, appendix A.

    Examples
    --------
    >>> images = torch.zeros(1, 1, 5, 5)
    >>> images[0, 0, 2, 2] = 160
    >>> blur = Blur(probability=1, sigma_low=0.85, sigma_high=0.85)
    >>> blur(images, torch.Generator())[0, 0, 1:4, 1:4].round()
    tensor([[10., 20., 10.],
            [20., 40., 20.],
            [10., 20., 10.]])
    """

    probability: float = bounded(0.5, low=0, high=1)
    sigma_low: float = bounded(0.1, low=0, open_low=True)
    sigma_high: float = bounded(2.0, low=0, open_low=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds, or the two bounds are swapped."""
        super().validate()
        check_order(self, "sigma_low", "sigma_high")

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last."""
        n = len(images)
        chosen = coins(n, self.probability, generator)
        sigma = uniform(self.sigma_low, self.sigma_high, torch.rand(n, generator=generator))
        sigma = sigma * self.strength(n, rarity)
        return where_chosen(images, chosen, lambda some, at: blurred(some, sigma[at]))


def blurred(images: ImageBatch, sigma: Tensor) -> ImageBatch:
    """Return images through Gaussian filters of given standard deviations.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
        uint8 or floating point.
    sigma : Tensor of float, shape (batch,)
        Standard deviations in pixels, at least 0.
    """
    height, width = images.shape[2:]
    radius = max(1, min(height, width) // 20)
    steps = torch.arange(-radius, radius + 1)
    weights = (-((steps / sigma.clamp(min=NARROWEST)[:, None]) ** 2) / 2).softmax(1)
    filters = [per_image(weight, images) for weight in weights.unbind(1)]
    pixels = planes(images)
    if width > 1:
        pixels = _filtered(F.pad(pixels, (radius, radius, 0, 0), mode="reflect"), filters, 3)
    if height > 1:
        pixels = _filtered(F.pad(pixels, (0, 0, radius, radius), mode="reflect"), filters, 2)
    return rounded_like(images, pixels)


def _filtered(padded: Tensor, filters: list[Tensor], axis: int) -> Tensor:
    """Return the weighted sum of shifted images: for small filters faster than a convolution."""
    size = padded.shape[axis] - len(filters) + 1
    total = padded.narrow(axis, 0, size) * filters[0]
    for shift, weight in enumerate(filters[1:], 1):
        total.addcmul_(padded.narrow(axis, shift, size), weight)
    return total
