"""Laws of operations on grey levels: they are torchvision's and Pillow's, image by image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from equipoise.standard.augmentation import photometric

SIGNED = ("Brightness", "Color", "Contrast", "Sharpness")
EXACT = ("Brightness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert")

REFERENCES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "Brightness": lambda image, m: F.adjust_brightness(image, 1.0 + m),
    "Color": lambda image, m: F.adjust_saturation(image, 1.0 + m),
    "Contrast": lambda image, m: F.adjust_contrast(image, 1.0 + m),
    "Sharpness": lambda image, m: F.adjust_sharpness(image, 1.0 + m),
    "Posterize": lambda image, m: F.posterize(image, int(m)),
    "Solarize": lambda image, m: F.solarize(image, 255.0 * m),
    "AutoContrast": lambda image, _: F.autocontrast(image),
    "Equalize": lambda image, _: F.equalize(image),
    "Invert": lambda image, _: F.invert(image),
}


def _pixels(n: int, height: int, width: int, channels: int) -> Tensor:
    """Return noise of a different range of levels in each image and channel."""
    generator = torch.Generator().manual_seed(n + height)
    noise = torch.rand((n, height, width, channels), generator=generator)
    ends = torch.rand((2, n, 1, 1, channels), generator=generator)
    return ((ends[0] + (ends[1] - ends[0]) * noise) * 255).to(torch.uint8)


def _done(name: str, pixels: Tensor, magnitudes: Tensor) -> Tensor:
    if name in photometric.COMPUTED:
        return photometric.COMPUTED[name](pixels, magnitudes)
    return photometric.look_up(pixels, photometric.TABULAR[name](pixels, magnitudes))


def _magnitudes(name: str) -> Tensor:
    """Return the magnitudes of all tables of torchvision."""
    if name in SIGNED:
        ends = [(end, bins) for end in (0.9, 0.99) for bins in (31, 10)]
        scales = torch.cat([torch.linspace(0, end, bins) for end, bins in ends]).double()
        return torch.cat((scales, -scales))
    if name == "Posterize":
        return torch.arange(9).double()
    if name == "Solarize":
        return torch.cat([torch.linspace(1, 0, bins) for bins in (31, 10)]).double()
    return torch.zeros(40, dtype=torch.float64)


def _by_torchvision(name: str, pixels: Tensor, magnitudes: Tensor) -> Tensor:
    images = zip(pixels.permute(0, 3, 1, 2), magnitudes.tolist(), strict=True)
    return torch.stack([REFERENCES[name](image, m) for image, m in images]).permute(0, 2, 3, 1)


def _distance(first: Tensor, second: Tensor) -> int:
    return int((first.int() - second.int()).abs().max())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (28, 28), (20, 17)])
@pytest.mark.parametrize("name", REFERENCES)
def test_levels_are_those_of_torchvision(name: str, size: tuple[int, int], channels: int) -> None:
    """All table magnitudes give torchvision's levels: exactly, or to within one where it blends."""
    magnitudes = _magnitudes(name)
    pixels = _pixels(len(magnitudes), *size, channels)
    expected = _by_torchvision(name, pixels, magnitudes)
    distance = _distance(_done(name, pixels, magnitudes), expected)
    assert distance <= (0 if name in EXACT else 1)
    assert name == "Color" or not torch.equal(expected, pixels)


@pytest.fixture(scope="module")
def photographs(assets: Path) -> Tensor:
    """Return 200 real images, channels last."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as stored:
        return torch.from_numpy(stored["train_images"][:200])


@pytest.mark.parametrize("name", REFERENCES)
def test_levels_of_photographs_are_those_of_torchvision(name: str, photographs: Tensor) -> None:
    """The same holds for real images."""
    magnitudes = _magnitudes(name)
    pixels = photographs[: len(magnitudes)]
    expected = _by_torchvision(name, pixels, magnitudes)
    assert _distance(_done(name, pixels, magnitudes), expected) <= (0 if name in EXACT else 1)


@pytest.mark.parametrize(
    ("name", "reference", "tolerance"),
    [
        ("Equalize", ImageOps.equalize, 0),
        ("AutoContrast", ImageOps.autocontrast, 1),
        ("Invert", ImageOps.invert, 0),
        ("Posterize", lambda picture: ImageOps.posterize(picture, 3), 0),
        ("Solarize", lambda picture: ImageOps.solarize(picture, 153), 0),
    ],
)
def test_levels_are_those_of_pillow(
    name: str, reference: Callable[[Image.Image], Image.Image], tolerance: int
) -> None:
    """Histogram operations and bit operations agree with Pillow too."""
    magnitude = {"Posterize": 3.0, "Solarize": 0.6}.get(name, 0.0)
    pixels = _pixels(20, 32, 32, 3)
    found = _done(name, pixels, torch.full((20,), magnitude, dtype=torch.float64))
    pictures = [np.array(reference(Image.fromarray(image.numpy()))) for image in pixels]
    assert _distance(found, torch.from_numpy(np.stack(pictures))) <= tolerance


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize"])
def test_images_of_one_level_are_kept(name: str) -> None:
    """There is no contrast to stretch in an image of one level; no division by zero shows."""
    levels = torch.tensor([0, 1, 128, 255], dtype=torch.uint8)
    pixels = levels.view(4, 1, 1, 1).repeat(1, 6, 5, 3)
    assert torch.equal(_done(name, pixels, torch.zeros(4)), pixels)


def test_too_few_pixels_are_not_equalised() -> None:
    """With fewer than 255 pixels below the highest level, an image is kept, as Pillow does."""
    pixels = _pixels(8, 15, 17, 3)
    assert torch.equal(_done("Equalize", pixels, torch.zeros(8)), pixels)
    larger = _pixels(8, 17, 17, 3)
    assert not torch.equal(_done("Equalize", larger, torch.zeros(8)), larger)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SIGNED)
def test_magnitude_zero_is_the_identity(name: str, channels: int) -> None:
    """No signed operation changes a bit at magnitude 0."""
    pixels = _pixels(5, 8, 8, channels)
    assert torch.equal(_done(name, pixels, torch.zeros(5, dtype=torch.float64)), pixels)


@pytest.mark.parametrize(("name", "neutral"), [("Posterize", 8.0), ("Solarize", 1.0)])
def test_the_start_of_a_scale_is_the_identity(name: str, neutral: float) -> None:
    """Eight bits keep all levels; the threshold 255 inverts at most white."""
    pixels = _pixels(5, 8, 8, 3).clamp_(max=254)
    assert torch.equal(_done(name, pixels, torch.full((5,), neutral)), pixels)


def test_hand_worked_levels() -> None:
    """A factor multiplies and is cut off; bits are dropped; levels from the threshold invert."""
    pixels = torch.tensor([0, 3, 100, 255], dtype=torch.uint8).view(1, 1, 4, 1)
    cases = {
        ("Brightness", -0.5): [0, 1, 50, 127],
        ("Brightness", 0.5): [0, 4, 150, 255],
        ("Contrast", -1.0): [89, 89, 89, 89],  # mean 89.5
        ("Posterize", 2.0): [0, 0, 64, 192],
        ("Posterize", 0.0): [0, 0, 0, 0],
        ("Solarize", 100 / 255): [0, 3, 155, 0],
        ("Invert", 0.0): [255, 252, 155, 0],
    }
    for (name, magnitude), expected in cases.items():
        found = _done(name, pixels, torch.tensor([magnitude], dtype=torch.float64))
        assert found.flatten().tolist() == expected, name


def test_colours_are_pulled_to_grey() -> None:
    """At -1 the colour is gone: the grey level of pure red is 76; above 0 it departs from grey."""
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 1, 1, 3)
    found = [photometric.saturation(red, torch.tensor([m])) for m in (-1.0, 0.5)]
    assert [f.flatten().tolist() for f in found] == [[76, 76, 76], [255, 0, 0]]


def test_a_blurred_point_spreads_to_its_neighbours() -> None:
    """At -1 a lone white pixel keeps 5/13, its inner neighbours get 1/13; the border is kept."""
    pixels = torch.zeros((1, 5, 5, 1), dtype=torch.uint8)
    pixels[0, 2, 2] = 255
    found = photometric.sharpness(pixels, torch.tensor([-1.0])).view(5, 5)
    expected = torch.zeros((5, 5), dtype=torch.uint8)
    expected[1:4, 1:4], expected[2, 2] = 20, 98
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", REFERENCES)
def test_images_do_not_mix(name: str) -> None:
    """A batch gives what its images give alone, and is left alone."""
    magnitudes = _magnitudes(name)[::7]
    pixels = _pixels(len(magnitudes), 6, 7, 3)
    before = pixels.clone()
    alone = [_done(name, pixels[i : i + 1], magnitudes[i : i + 1]) for i in range(len(pixels))]
    assert torch.equal(_done(name, pixels, magnitudes), torch.cat(alone))
    assert torch.equal(pixels, before)
