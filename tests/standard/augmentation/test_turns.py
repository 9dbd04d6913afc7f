"""Laws of turns: by right angles pixels only move, by other angles as torchvision turns them."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from equipoise.errors import InputError
from equipoise.standard.augmentation import FlipRotate, Rotation
from equipoise.standard.augmentation.resampling import turned
from equipoise.standard.augmentation.turns import moved


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_moves_are_those_of_torch(pictures: Tensor, dtype: torch.dtype) -> None:
    """Each of the 16 combinations is `rot90`, then flips, image by image and exactly."""
    images = pictures[:16].to(dtype)
    number = torch.arange(16)
    across, down, quarters = number % 2 == 1, number // 2 % 2 == 1, number // 4
    found = moved(images, across, down, quarters)
    for i, image in enumerate(images):
        expected = torch.rot90(image, int(quarters[i]), (1, 2))
        expected = expected.flip(2) if across[i] else expected
        expected = expected.flip(1) if down[i] else expected
        assert torch.equal(found[i], expected)


def _results(augmentation: FlipRotate, image: Tensor, n: int) -> Counter[tuple[int, ...]]:
    found = augmentation(image.expand(n, *image.shape[1:]), _generator())
    return Counter(tuple(each.flatten().tolist()) for each in found)


SQUARE = torch.arange(4).to(torch.uint8).reshape(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("options", "results"),
    [
        ({}, 8),
        ({"vertical": False}, 8),
        ({"horizontal": False, "vertical": False}, 4),
        ({"quarter_turns": False}, 4),
        ({"quarter_turns": False, "vertical": False}, 2),
        ({"quarter_turns": False, "vertical": False, "horizontal": False}, 1),
    ],
)
def test_all_symmetries_are_equally_likely(options: dict[str, bool], results: int) -> None:
    """A square has eight symmetries; what is switched off takes some away."""
    seen = _results(FlipRotate(**options), SQUARE, 4000)
    assert len(seen) == results
    assert results == 1 or chisquare(list(seen.values())).pvalue > 1e-3


def test_each_option_does_what_it_says() -> None:
    """Left to right, top to bottom and counter-clockwise turns, by hand."""
    by_option = {
        "horizontal": {(1, 0, 3, 2)},
        "vertical": {(2, 3, 0, 1)},
        "quarter_turns": {(1, 3, 0, 2), (3, 2, 1, 0), (2, 0, 3, 1)},
    }
    for name, expected in by_option.items():
        options = {other: other == name for other in by_option}
        assert set(_results(FlipRotate(**options), SQUARE, 200)) == {(0, 1, 2, 3)} | expected


def test_images_that_are_not_square_are_turned_by_half_turns() -> None:
    """Of 1 x 3 pixels only both directions are left, and the shape stays."""
    image = torch.arange(3).to(torch.uint8).reshape(1, 1, 1, 3)
    turns = FlipRotate(horizontal=False, vertical=False)
    assert set(_results(turns, image, 100)) == {(0, 1, 2), (2, 1, 0)}


def _by_torchvision(images: Tensor, degrees: Tensor) -> Tensor:
    mode = InterpolationMode.BILINEAR
    pairs = zip(images, degrees.tolist(), strict=True)
    return torch.stack([reference.rotate(image, angle, mode) for image, angle in pairs])


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 31)])
@pytest.mark.parametrize("channels", [1, 3])
def test_turned_images_are_those_of_torchvision(
    pictures: Tensor, height: int, width: int, channels: int
) -> None:
    """Within one grey level for bytes, and a hundredth for floats, at an angle for each image."""
    images = pictures[:, :channels, :height, :width]
    degrees = torch.linspace(-175, 178, len(images))
    found, expected = turned(images, degrees), _by_torchvision(images, degrees)
    assert (found.int() - expected.int()).abs().max() <= 1
    assert (found == expected).float().mean() > 0.999
    found = turned(images.float(), degrees)
    assert (found - _by_torchvision(images.float(), degrees)).abs().max() < 0.01


def test_positive_angles_turn_counter_clockwise() -> None:
    """A quarter turn equals `rot90`, and no turn changes nothing."""
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    for quarters in range(4):
        found = turned(image, torch.tensor([90.0 * quarters]))
        torch.testing.assert_close(found, torch.rot90(image, quarters, (2, 3)), atol=1e-3, rtol=0)


def test_angles_are_uniform_and_as_large_as_allowed() -> None:
    """Angles read off a turned picture fill the range, and the rare class has the larger one."""
    x = (torch.arange(41) - 20.0).expand(41, 41)
    bright = torch.stack((100 + x, 100 + x.T))[None]
    n = 2000
    rarity = torch.arange(n) % 2
    found = Rotation(degrees=20, tail_scale=2)(
        bright[:, :1].expand(n, 1, 41, 41), _generator(), rarity.float()
    )
    sine = (found[:, 0, 30, 20] - found[:, 0, 10, 20]) / 20
    angles = torch.rad2deg(torch.asin(-sine.clamp(-1, 1)))
    for bound, own in ((20, angles[rarity == 0]), (40, angles[rarity == 1])):
        assert own.abs().max() <= bound + 0.1
        assert own.min() < -0.97 * bound < 0.97 * bound < own.max()
        seen = torch.histc(own, bins=8, min=-bound, max=bound)
        assert chisquare(seen.numpy()).pvalue > 1e-3


def test_rotation_is_never_more_than_half_a_turn() -> None:
    """A large tail scale is cut off at 180 degrees, so that angles stay uniform."""
    n, image = 4000, torch.zeros(1, 1, 3, 3)
    image[0, 0, 0, 1] = 255
    turns = Rotation(degrees=90, tail_scale=3)
    found = turns(image.expand(n, 1, 3, 3), _generator(), torch.ones(n))
    places = found.flatten(1).argmax(1)
    sides = [int((places == place).sum()) for place in (1, 3, 5, 7)]
    assert chisquare(sides).pvalue > 1e-3


@pytest.mark.parametrize("degrees", [-1, 181])
def test_angles_beyond_half_a_turn_are_refused(degrees: float) -> None:
    """Degrees are from 0 to 180."""
    with pytest.raises(InputError, match="`degrees`"):
        Rotation(degrees=degrees).validate()
