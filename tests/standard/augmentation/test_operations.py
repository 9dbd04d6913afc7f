"""Laws of the operations: torchvision's tables, and each image of a batch gets its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import v2

from equipoise.standard.augmentation import operations
from equipoise.standard.augmentation.operations import CODES, OPERATIONS, Scale, Space

SPACES = {
    "auto": (operations.AUTO, v2.AutoAugment._AUGMENTATION_SPACE),
    "rand": (operations.RAND, v2.RandAugment._AUGMENTATION_SPACE),
    "wide": (operations.WIDE, v2.TrivialAugmentWide._AUGMENTATION_SPACE),
    "mix": (operations.MIX, v2.AugMix._AUGMENTATION_SPACE),
}

_TORCHVISION = v2.AugMix()


def _by_torchvision(
    pixels: Tensor, codes: Tensor, magnitudes: Tensor, interpolation: str = "nearest"
) -> Tensor:
    images = [
        torch.as_tensor(
            _TORCHVISION._apply_image_or_video_transform(
                image, OPERATIONS[code], magnitude, v2.InterpolationMode(interpolation), {}
            )
        )
        for image, code, magnitude in zip(
            pixels.permute(0, 3, 1, 2), codes.tolist(), magnitudes.tolist(), strict=True
        )
    ]
    return torch.stack(images).permute(0, 2, 3, 1)


@pytest.fixture(scope="module")
def photographs(assets: Path) -> Tensor:
    """Return 400 real images, channels last."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as stored:
        return torch.from_numpy(stored["train_images"][:400])


def _drawn(n: int, bins: int = 31) -> tuple[Tensor, Tensor]:
    """Return operations and magnitudes of the wide space, for images of 32 x 32."""
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(len(OPERATIONS), (n,), generator=generator)
    positions = torch.randint(bins, (n,), generator=generator).double()
    negative = torch.rand(n, generator=generator) < 0.5
    space = operations.WIDE
    return codes, space.magnitudes(codes, positions, negative, space.table(bins, 32, 32))


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (30, 47), (224, 224)])
@pytest.mark.parametrize("bins", [2, 9, 10, 25, 31])
@pytest.mark.parametrize("name", SPACES)
def test_tables_are_those_of_torchvision(name: str, bins: int, size: tuple[int, int]) -> None:
    """Operations, signs and every magnitude are equal to the last bit, for all image sizes."""
    space, reference = SPACES[name]
    assert set(space.scales) == set(reference)
    assert sorted(space.codes.tolist()) == sorted(CODES[operation] for operation in reference)
    table, signed = space.table(bins, *size), space.signed()
    for operation, (magnitudes, is_signed) in reference.items():
        expected = magnitudes(bins, *size)
        row = table[CODES[operation]]
        assert torch.equal(row, torch.zeros(bins) if expected is None else expected.double())
        assert signed[CODES[operation]] == is_signed


def test_every_name_is_one_operation() -> None:
    """Codes are positions, and each name but the identity is in exactly one family."""
    families = (operations.GEOMETRIC, operations.TABULAR, operations.COMPUTED)
    names = [name for family in families for name in family]
    assert sorted(names) == sorted(set(OPERATIONS) - {"Identity"})
    assert [CODES[name] for name in OPERATIONS] == list(range(15))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_gets_what_torchvision_gives_each_image(
    interpolation: operations.Interpolation, channels: int, photographs: Tensor
) -> None:
    """All operations in one batch of real images equal torchvision's, to within one level."""
    pixels = photographs[..., :channels].contiguous()
    codes, magnitudes = _drawn(400)
    found = operations.perform(pixels, codes, magnitudes, interpolation)
    expected = _by_torchvision(pixels, codes, magnitudes, interpolation)
    wrong = (found.int() - expected.int()).abs() > 1
    assert wrong.float().mean() < 1e-4  # positions halfway between two pixels
    assert (found != pixels).flatten(1).any(1).float().mean() > 0.7


@settings(deadline=None, derandomize=True, max_examples=25)
@given(order=st.permutations(range(12)), kept=st.integers(1, 12))
def test_the_order_of_a_batch_does_not_matter(order: list[int], kept: int) -> None:
    """Images moved in the batch, or without their neighbours, get the same result."""
    chosen = torch.tensor(order[:kept])
    pixels = torch.arange(12 * 108).remainder(251).to(torch.uint8).view(12, 6, 6, 3)
    codes, magnitudes = _drawn(12)
    found = operations.perform(pixels, codes, magnitudes)
    part = operations.perform(pixels[chosen], codes[chosen], magnitudes[chosen])
    assert torch.equal(part, found[chosen])


def test_the_input_is_left_alone() -> None:
    """Results are new tensors, also where nothing is done."""
    pixels = torch.arange(300, dtype=torch.float32).remainder(256).byte().view(4, 5, 5, 3)
    before = pixels.clone()
    for code in range(len(OPERATIONS)):
        result = operations.perform(pixels, torch.full((4,), code), torch.full((4,), 0.7).double())
        result.zero_()
        assert torch.equal(pixels, before), OPERATIONS[code]


def test_positions_between_bins_are_interpolated_and_limited() -> None:
    """A position is linear between two bins, ends at the last, and its sign is the one drawn."""
    scales = {"Rotate": Scale(end=30.0), "Solarize": Scale(start=1, end=0, signed=False)}
    space = Space(scales=scales)
    table = space.table(4, 32, 32)
    positions = torch.tensor([0.0, 1.5, 3.0, 7.0, 1.0], dtype=torch.float64)
    negative = torch.tensor([False, True, False, True, True])
    rotations = space.magnitudes(torch.full((5,), CODES["Rotate"]), positions, negative, table)
    assert rotations.tolist() == [0.0, -15.0, 30.0, -30.0, -10.0]
    thresholds = space.magnitudes(torch.full((5,), CODES["Solarize"]), positions, negative, table)
    assert thresholds.tolist() == pytest.approx([1.0, 0.5, 0.0, 0.0, 2 / 3])


def test_floats_are_rounded_and_limited() -> None:
    """Floating-point levels become the nearest whole level from 0 to 255, halves to even."""
    levels = torch.tensor([[-3.0, 0.4, 0.6], [2.5, 254.6, 300.0]])
    images = levels.view(1, 1, 2, 3)
    pixels = operations.to_pixels(images)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (1, 2, 3, 1)
    assert pixels.view(2, 3).tolist() == [[0, 0, 1], [2, 255, 255]]
    assert operations.to_images(pixels, torch.float32).dtype == torch.float32


def test_both_memory_formats_are_read() -> None:
    """Bytes come out channels last whatever they were, and unchanged."""
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
    last = images.to(memory_format=torch.channels_last)
    for given_images in (images, last):
        pixels = operations.to_pixels(given_images)
        assert pixels.is_contiguous()
        assert torch.equal(pixels.permute(0, 3, 1, 2), images)
        assert torch.equal(operations.to_images(pixels, torch.uint8), images)
