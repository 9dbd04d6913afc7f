"""What all backbones share: input formats, standardisation, the mean over positions."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.standard.backbones import ImageInput, InputFormat, Standardise, TableInput
from equipoise.standard.backbones.base import GlobalMean

FORMATS = [
    ImageInput(28, 24, 1, (0.286,), (0.353,)),
    ImageInput(32, 32, 3, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    TableInput(3),
    TableInput(0, (4, 1000)),
]


@pytest.mark.parametrize("inputs", FORMATS)
def test_formats_survive_json(inputs: ImageInput | TableInput) -> None:
    """A format written as JSON and read back is the same, whichever kind it is."""
    assert InputFormat.from_state(json.loads(json.dumps(inputs.to_state()))) == inputs


def test_unknown_kind_is_refused() -> None:
    """A format of neither kind is refused by name."""
    with pytest.raises(InputError, match="It is 'sound'"):
        InputFormat.from_state({"kind": "sound"})


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, width=32), st.floats(0.0625, 1, width=32)), min_size=3, max_size=3
    ),
    st.booleans(),
)
def test_standardise_is_the_textbook_formula(
    statistics: list[tuple[float, float]], stored: bool
) -> None:
    """Pixels become (x / 255 - mean) / std, from bytes and from floating point alike."""
    mean, std = zip(*statistics, strict=True)
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16)
    inputs = pixels if stored else pixels.float()
    if stored:  # statistics measured with numpy come as float64 scalars
        mean, std = tuple(np.asarray(mean)), tuple(np.asarray(std))
    column = [torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (mean, std)]
    expected = (pixels.double() / 255 - column[0]) / column[1]
    found = Standardise(mean, std)(inputs)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_standardise_keeps_the_memory_format_and_its_input() -> None:
    """Channels-last stays channels-last, contiguous stays contiguous, the input is untouched."""
    images = torch.rand(2, 3, 4, 5) * 255
    before = images.clone()
    standardise = Standardise((0.5,) * 3, (0.25,) * 3)
    last = standardise(images.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert standardise(images).is_contiguous()
    torch.testing.assert_close(images, before, rtol=0, atol=0)


def test_grey_is_repeated_for_several_means() -> None:
    """One grey channel gives what three equal channels give."""
    grey = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    standardise = Standardise((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    torch.testing.assert_close(standardise(grey), standardise(grey.repeat(1, 3, 1, 1)))


def test_a_constant_channel_stays_finite() -> None:
    """A deviation of zero counts as one grey level: one level off the mean is one unit."""
    images = torch.tensor([51, 52], dtype=torch.uint8).view(2, 1, 1, 1)
    found = Standardise((51 / 255,), (0.0,))(images).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)


def test_global_mean_sums_in_float32() -> None:
    """The mean of many bfloat16 values does not stall as a bfloat16 sum would."""
    maps = torch.full((1, 2, 64, 64), 1.0078125, dtype=torch.bfloat16)
    found = GlobalMean()(maps)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((1, 2), 1.0078125))
