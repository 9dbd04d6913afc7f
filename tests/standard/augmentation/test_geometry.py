"""Laws of affine operations: they are torchvision's, image by image, on whole batches."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from equipoise.standard.augmentation import geometry

SIZES = [(32, 32), (28, 28), (13, 7)]
RANGES = {
    "ShearX": (0.3, 0.99),
    "ShearY": (0.3, 0.99),
    "TranslateX": (32 * 150 / 331, 32 / 3, 32.0),
    "TranslateY": (28 * 150 / 331, 28 / 3, 32.0),
    "Rotate": (30.0, 135.0),
}


def _pixels(n: int, height: int, width: int, channels: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, height, width, channels), generator=generator)
    return pixels.to(torch.uint8)


def _magnitudes(name: str) -> Tensor:
    """Return the magnitudes of all tables of torchvision, with both signs."""
    scales = [torch.linspace(0, end, bins) for end in RANGES[name] for bins in (31, 10)]
    magnitudes = torch.cat(scales).double()
    return torch.cat((magnitudes, -magnitudes))


def _affine(
    image: Tensor, shift: tuple[int, int], shear: tuple[float, float], mode: InterpolationMode
) -> Tensor:
    slopes = [math.degrees(math.atan(slope)) for slope in shear]
    centre = [0.0, 0.0] if any(shear) else None
    return F.affine(image, 0.0, list(shift), 1.0, slopes, mode, center=centre)


REFERENCES: dict[str, Callable[[Tensor, float, InterpolationMode], Tensor]] = {
    "ShearX": lambda image, m, mode: _affine(image, (0, 0), (m, 0.0), mode),
    "ShearY": lambda image, m, mode: _affine(image, (0, 0), (0.0, m), mode),
    "TranslateX": lambda image, m, mode: _affine(image, (int(m), 0), (0.0, 0.0), mode),
    "TranslateY": lambda image, m, mode: _affine(image, (0, int(m)), (0.0, 0.0), mode),
    "Rotate": F.rotate,
}


def _by_torchvision(
    name: str, pixels: Tensor, magnitudes: Tensor, mode: InterpolationMode
) -> Tensor:
    images = [
        REFERENCES[name](image, m, mode)
        for image, m in zip(pixels.permute(0, 3, 1, 2), magnitudes.tolist(), strict=True)
    ]
    return torch.stack(images).permute(0, 2, 3, 1)


def _is_halfway(matrices: Tensor, height: int, width: int) -> Tensor:
    """Return which positions are halfway between two pixels, where the last bit decides."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ones = torch.ones(height, width)
    base = torch.stack((x - (width - 1) / 2, y - (height - 1) / 2, ones)).double()
    half = torch.tensor([(width - 1) / 2, (height - 1) / 2])[:, None, None]
    sources = torch.einsum("nij,jhw->nihw", matrices, base) + half
    return ((sources - sources.floor() - 0.5).abs() < 1e-4).any(1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", geometry.GEOMETRIC)
def test_nearest_pixels_are_those_of_torchvision(
    name: str, size: tuple[int, int], channels: int
) -> None:
    """All table magnitudes pick the pixels torchvision picks; halves agree but for rounding."""
    magnitudes = _magnitudes(name)
    pixels = _pixels(len(magnitudes), *size, channels)
    matrices = geometry.GEOMETRIC[name](magnitudes, *size)
    found = geometry.warp(pixels, matrices)
    wrong = found != _by_torchvision(name, pixels, magnitudes, InterpolationMode.NEAREST)
    assert not (wrong.any(3) & ~_is_halfway(matrices, *size)).any()
    assert wrong.float().mean() < 1e-3
    assert found.float().std() > 10


@pytest.mark.parametrize(("size", "channels"), [((32, 32), 3), ((28, 28), 1)])
@pytest.mark.parametrize("name", geometry.GEOMETRIC)
def test_bilinear_levels_are_those_of_torchvision(
    name: str, size: tuple[int, int], channels: int
) -> None:
    """All table magnitudes give torchvision's bilinear levels to within one."""
    magnitudes = _magnitudes(name)
    pixels = _pixels(len(magnitudes), *size, channels)
    found = geometry.warp(pixels, geometry.GEOMETRIC[name](magnitudes, *size), "bilinear")
    expected = _by_torchvision(name, pixels, magnitudes, InterpolationMode.BILINEAR)
    assert (found.int() - expected.int()).abs().max() <= 1


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    angle=st.floats(-180, 180),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    channels=st.sampled_from([1, 3]),
)
def test_any_angle_is_that_of_torchvision(
    angle: float, height: int, width: int, channels: int
) -> None:
    """Angles outside of the tables, on images of any shape, turn as torchvision does."""
    magnitudes = torch.tensor([angle], dtype=torch.float64)
    pixels = _pixels(1, height, width, channels)
    matrices = geometry.rotate(magnitudes, height, width)
    found = geometry.warp(pixels, matrices)
    wrong = found != _by_torchvision("Rotate", pixels, magnitudes, InterpolationMode.NEAREST)
    assert not (wrong.any(3) & ~_is_halfway(matrices, height, width)).any()


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
def test_right_angles_lose_nothing(turns: int) -> None:
    """Quarter turns of square images are exact, and positive ones are counter-clockwise."""
    pixels = _pixels(5, 9, 9, 3)
    angles = torch.full((5,), 90.0 * turns, dtype=torch.float64)
    found = geometry.warp(pixels, geometry.rotate(angles, 9, 9))
    assert torch.equal(found, torch.rot90(pixels, turns, (1, 2)))


def test_each_image_has_its_own_shift() -> None:
    """A positive shift goes right or down, fractions are cut off towards 0, the rest is black."""
    pixels = torch.arange(1, 5, dtype=torch.uint8).view(1, 1, 4, 1).repeat(4, 1, 1, 1)
    shifts = torch.tensor([1.9, -1.9, 0.9, 4.0], dtype=torch.float64)
    rows = [[0, 1, 2, 3], [2, 3, 4, 0], [1, 2, 3, 4], [0, 0, 0, 0]]
    found = geometry.warp(pixels, geometry.translate_x(shifts, 1, 4))
    assert found.view(4, 4).tolist() == rows
    turned = geometry.warp(pixels.transpose(1, 2).contiguous(), geometry.translate_y(shifts, 4, 1))
    assert turned.view(4, 4).tolist() == rows


def test_a_shear_grows_from_the_corner() -> None:
    """A slope of 0.8 moves row k by 0.8 (k + 1/2) pixels to the left, rounded."""
    pixels = torch.arange(1, 13, dtype=torch.uint8).view(1, 3, 4, 1)
    slope = torch.tensor([0.8], dtype=torch.float64)
    found = geometry.warp(pixels, geometry.shear_x(slope, 3, 4))
    # by 0.4, 1.2 and 2.0 pixels
    assert found.view(3, 4).tolist() == [[1, 2, 3, 4], [6, 7, 8, 0], [11, 12, 0, 0]]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("name", geometry.GEOMETRIC)
def test_magnitude_zero_is_the_identity(name: str, interpolation: geometry.Interpolation) -> None:
    """Nothing moves at magnitude 0, and the result is not the input itself."""
    pixels = _pixels(3, 11, 8, 3)
    matrices = geometry.GEOMETRIC[name](torch.zeros(3, dtype=torch.float64), 11, 8)
    found = geometry.warp(pixels, matrices, interpolation)
    assert torch.equal(found, pixels)
    assert found.data_ptr() != pixels.data_ptr()
