"""Laws of blur: each image through the Gaussian filter of torchvision, with its own width."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from equipoise.errors import InputError
from equipoise.standard.augmentation import Blur
from equipoise.standard.augmentation.blur import blurred


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _by_torchvision(images: Tensor, sigma: Tensor, size: int) -> Tensor:
    pairs = zip(images, sigma.tolist(), strict=True)
    return torch.stack([reference.gaussian_blur(image, [size, size], [s]) for image, s in pairs])


@pytest.mark.parametrize(("factor", "size"), [(1, 3), (2, 7), (3, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_blurred_images_are_those_of_torchvision(
    pictures: Tensor, factor: int, size: int, channels: int
) -> None:
    """Within one grey level for bytes and 0.001 for floats; the filter is a tenth of the side."""
    images = pictures[:8, :channels].repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    images = images[:, :, : 32 * factor - 1]
    sigma = torch.linspace(0.1, 2.5, 8)
    found, expected = blurred(images, sigma), _by_torchvision(images, sigma, size)
    assert (found.int() - expected.int()).abs().max() <= 1
    assert (found == expected).float().mean() > 0.999
    found = blurred(images.float(), sigma)
    assert (found - _by_torchvision(images.float(), sigma, size)).abs().max() < 1e-3


def test_a_point_spreads_by_the_filter() -> None:
    """By hand: exp(-1 / 2 s^2) = 1/2 gives weights 1/4, 1/2, 1/4 in each direction."""
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 2] = 16
    sigma = torch.tensor([(1 / (2 * torch.tensor(2.0).log())).sqrt()])
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    torch.testing.assert_close(blurred(image, sigma)[0, 0, 1:4, 1:4], expected)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_the_smallest_images_can_be_blurred(height: int, width: int) -> None:
    """Flat images stay as they are down to a single pixel."""
    images = torch.full((2, 3, height, width), 77, dtype=torch.uint8)
    assert torch.equal(Blur(probability=1)(images, _generator()), images)


def test_a_width_of_zero_changes_nothing(pictures: Tensor) -> None:
    """The narrowest filter is the identity, not a division by zero."""
    assert torch.equal(blurred(pictures, torch.zeros(len(pictures))), pictures)


def test_the_share_of_blurred_images_is_the_probability(pictures: Tensor) -> None:
    """The others come out untouched; the share is right within five standard errors."""
    images = pictures[:1].expand(2000, -1, -1, -1)
    found = Blur(probability=0.3, sigma_low=2)(images, _generator())
    share = (found != images).flatten(1).any(1).double().mean().item()
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5


def test_widths_lie_between_the_bounds(pictures: Tensor) -> None:
    """The strongest and the weakest blur are those of the bounds, times the strength."""
    images = pictures[:1].float().expand(500, -1, -1, -1)
    for scale, rarity in ((1, None), (2, torch.ones(500))):
        blur = Blur(probability=1, sigma_low=0.5, sigma_high=0.8, tail_scale=scale)
        spread = blur(images, _generator(), rarity).var((1, 2, 3))
        ends = blurred(images[:2], torch.tensor([0.5, 0.8]) * scale).var((1, 2, 3))
        assert spread.max() <= ends[0] + 1e-2
        assert spread.min() >= ends[1] - 1e-2
        assert (spread.max() - spread.min()) / (ends[0] - ends[1]) > 0.97


def test_swapped_bounds_are_refused() -> None:
    """The message names both fields."""
    with pytest.raises(InputError, match="`sigma_low` of `Blur` must not be above `sigma_high`"):
        Blur(sigma_low=3).validate()
    Blur(sigma_low=2.0).validate()
