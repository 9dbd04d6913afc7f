"""Laws of colour: each image is adjusted as torchvision would, by its own amounts."""

from collections.abc import Callable

import pytest
import torch
from scipy.stats import kstest, uniform
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from equipoise.errors import InputError
from equipoise.standard.augmentation import ColorJitter, Grayscale
from equipoise.standard.augmentation.colour import (
    ADJUSTMENTS,
    adjusted,
    brightness,
    contrast,
    hue,
    saturation,
    without_colour,
)

REFERENCES = {
    brightness: reference.adjust_brightness,
    contrast: reference.adjust_contrast,
    saturation: reference.adjust_saturation,
    hue: reference.adjust_hue,
}


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _amounts(adjust: object, n: int) -> Tensor:
    return torch.linspace(-0.5, 0.5, n) if adjust is hue else torch.linspace(0, 3, n)


def _by_torchvision(change: Callable[..., Tensor], images: Tensor, amounts: Tensor) -> Tensor:
    """Return what torchvision makes of each image; its floats go from 0 to 1."""
    scale = 255 if images.is_floating_point() else 1
    pairs = zip(images, amounts.tolist(), strict=True)
    return torch.stack([change(image / scale if scale > 1 else image, a) for image, a in pairs]) * (
        scale
    )


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_adjusted_bytes_are_those_of_torchvision(
    pictures: Tensor, adjust: Callable[..., Tensor], channels: int
) -> None:
    """Within one grey level everywhere, and exactly so for all but a few values."""
    images, amounts = pictures[:, :channels], _amounts(adjust, len(pictures))
    found = adjusted(images, [(adjust, amounts)])
    expected = _by_torchvision(REFERENCES[adjust], images, amounts)
    assert found.dtype == torch.uint8
    assert (found.int() - expected.int()).abs().max() <= 1
    assert (found == expected).float().mean() > 0.999


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_adjusted_floats_are_those_of_torchvision(
    pictures: Tensor, adjust: Callable[..., Tensor], channels: int
) -> None:
    """Within a thousandth of a grey level."""
    images, amounts = pictures[:, :channels].float() * 0.99, _amounts(adjust, len(pictures))
    found = adjusted(images, [(adjust, amounts)])
    expected = _by_torchvision(REFERENCES[adjust], images, amounts)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_brightness_of_bytes_is_exact(pictures: Tensor) -> None:
    """A product that is cut off leaves no room for rounding."""
    amounts = _amounts(brightness, len(pictures))
    expected = _by_torchvision(reference.adjust_brightness, pictures, amounts)
    assert torch.equal(adjusted(pictures, [(brightness, amounts)]), expected)


def test_hue_moves_all_colours_as_torchvision_does() -> None:
    """Corners and edges of the colour cube, grey included, by every twelfth of a turn."""
    levels = torch.tensor([0, 1, 64, 127, 128, 200, 254, 255], dtype=torch.uint8)
    cube = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 8, 64)
    images, amounts = cube.expand(13, 3, 8, 64), torch.arange(-6, 7) / 12
    found = adjusted(images, [(hue, amounts)])
    expected = _by_torchvision(reference.adjust_hue, images, amounts)
    assert (found.int() - expected.int()).abs().max() <= 1
    assert torch.equal(found[6], cube[0])


def test_a_third_of_a_turn_takes_red_to_green() -> None:
    """The direction of the hue circle, by hand."""
    red = torch.tensor([200.0, 0, 0]).reshape(1, 3, 1, 1)
    found = adjusted(red, [(hue, torch.tensor([1 / 3]))]).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 200, 0]), atol=1e-3, rtol=0)


def test_contrast_and_saturation_by_hand() -> None:
    """One pixel of (200, 100, 0) has grey 118.48: doubling the distance leaves the scale."""
    pixel = torch.tensor([200.0, 100, 0]).reshape(1, 3, 1, 1)
    half, double = torch.tensor([0.5]), torch.tensor([2.0])
    for step in (contrast, saturation):
        found = adjusted(pixel, [(step, half)]).flatten()
        torch.testing.assert_close(found, torch.tensor([159.24, 109.24, 59.24]))
        found = adjusted(pixel, [(step, double)]).flatten()
        torch.testing.assert_close(found, torch.tensor([255.0, 81.52, 0]))


def test_a_jitter_is_the_four_adjustments_in_the_drawn_order(pictures: Tensor) -> None:
    """With the same draws, torchvision's functions one after the other give the same images."""
    jitter, n, names = ColorJitter(probability=1), len(pictures), list(REFERENCES.values())
    for seed in range(5):
        source = _generator(seed)
        torch.rand(n, generator=source)
        order = torch.randperm(4, generator=source).tolist()
        amounts = jitter.amounts(torch.rand((4, n), generator=source), torch.ones(n))
        expected = pictures
        for step in order:
            expected = _by_torchvision(names[step], expected, amounts[step])
        off = (jitter(pictures, _generator(seed)).int() - expected.int()).abs()
        assert off.max() <= 3  # a level off in one step may be two in the next
        assert (off > 0).float().mean() < 0.01


def test_amounts_are_uniform_between_their_bounds() -> None:
    """Factors are around 1, never below 0; turns are around 0."""
    shifts = torch.rand((4, 3000), generator=_generator())
    jitter = ColorJitter(brightness=0.4, contrast=0.2, saturation=1.5, hue=0.1)
    amounts = jitter.amounts(shifts, torch.ones(3000)).numpy()
    for own, (low, high) in zip(
        amounts, [(0.6, 1.4), (0.8, 1.2), (0, 2.5), (-0.1, 0.1)], strict=True
    ):
        assert low - 1e-6 <= own.min() <= own.max() <= high + 1e-6
        assert kstest(own, uniform(low, high - low).cdf).pvalue > 1e-3


def test_the_tail_scale_multiplies_the_changes_up_to_their_limits() -> None:
    """Twice the strength is twice the range; factors stay positive and turns within a half."""
    ends = torch.tensor([[0.0, 1.0]]).expand(4, 2)
    jitter = ColorJitter(brightness=0.2, contrast=0.3, saturation=0.7, hue=0.3)
    found = jitter.amounts(ends, torch.full((2,), 2.0))
    expected = [[0.6, 1.4], [0.4, 1.6], [0, 2.4], [-0.5, 0.5]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_no_change_is_the_identity(pictures: Tensor) -> None:
    """Sizes of 0 and a probability of 0 leave images as they are."""
    still = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0, probability=1)
    assert torch.equal(still(pictures, _generator()), pictures)
    assert torch.equal(ColorJitter(probability=0)(pictures, _generator()), pictures)


@pytest.mark.parametrize("size", ["saturation", "hue"])
def test_grey_images_have_no_colour_to_change(pictures: Tensor, size: str) -> None:
    """Saturation and hue do nothing to images of one channel."""
    off = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "probability": 1}
    images = pictures[:, :1]
    assert torch.equal(ColorJitter(**(off | {size: 0.5}))(images, _generator()), images)
    assert not torch.equal(ColorJitter(**(off | {"contrast": 0.5}))(images, _generator()), images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_images_without_colour_are_those_of_torchvision(
    pictures: Tensor, dtype: torch.dtype
) -> None:
    """Exactly for bytes; floats within a thousandth."""
    images = pictures.to(dtype)
    expected = torch.stack([reference.rgb_to_grayscale(image, 3) for image in images])
    torch.testing.assert_close(
        without_colour(images), expected, atol=1e-3 if dtype == torch.float32 else 0, rtol=0
    )


@pytest.mark.parametrize(("kind", "default"), [(Grayscale, 0.2), (ColorJitter, 0.8)])
def test_the_share_of_changed_images_is_the_probability(
    pictures: Tensor, kind: type[Grayscale] | type[ColorJitter], default: float
) -> None:
    """Within five standard errors; the others come out untouched."""
    images = pictures[:1, :, 8:16, 8:16].expand(4000, -1, -1, -1)
    share = (kind()(images, _generator()) != images).flatten(1).any(1).double().mean().item()
    assert abs(share - default) < 5 * (0.2 * 0.8 / 4000) ** 0.5


def test_grey_images_stay_as_they_are(pictures: Tensor) -> None:
    """One channel has no colour."""
    images = pictures[:, :1]
    assert torch.equal(Grayscale(probability=1)(images, _generator()), images)


@pytest.mark.parametrize("options", [{"hue": 0.6}, {"brightness": -0.1}, {"probability": 1.5}])
def test_values_out_of_bounds_are_refused(options: dict[str, float]) -> None:
    """Hue turns by half the circle at most; changes are at least 0."""
    with pytest.raises(InputError, match=f"`{next(iter(options))}` of `ColorJitter`"):
        ColorJitter(**options).validate()
