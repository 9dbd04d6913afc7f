"""Laws of presets: pipelines that suit a kind of picture, made to the size of the images."""

import pytest
import torch
from torch import Tensor

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.augmentation import (
    AUGMENTATIONS,
    ColorJitter,
    CropFlip,
    FlipRotate,
    Graded,
    Pipeline,
    Preset,
)
from equipoise.standard.backbones.base import ImageInput, TableInput

DOMAINS = Preset.__dataclass_fields__["domain"].metadata["bounds"].choices


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _format(height: int, width: int, channels: int) -> ImageInput:
    return ImageInput(height, width, channels, (0.5,) * channels, (0.25,) * channels)


@pytest.mark.parametrize(
    ("domain", "shape", "text"),
    [
        (
            "natural",
            (32, 32, 3),
            "CropFlip() | ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)"
            " | Cutout(size=0.25)",
        ),
        (
            "medical",
            (224, 200, 1),
            "Rotation(degrees=10) | CropFlip(padding=12, flip=False)"
            " | ColorJitter(brightness=0.1, contrast=0.1, saturation=0, hue=0)",
        ),
        ("digits", (28, 28, 1), "CropFlip(padding=3, flip=False) | Rotation(degrees=10)"),
        ("contrastive", (64, 64, 3), "RandomResizedCrop() | ColorJitter() | Grayscale()"),
        ("contrastive", (65, 65, 3), "RandomResizedCrop() | ColorJitter() | Grayscale() | Blur()"),
        ("contrastive", (65, 64, 1), "RandomResizedCrop() | ColorJitter(saturation=0, hue=0)"),
        (
            "industrial",
            (8, 8, 3),
            "FlipRotate() | CropFlip(padding=1, flip=False)"
            " | ColorJitter(brightness=0.2, contrast=0.2, saturation=0, hue=0)",
        ),
    ],
)
def test_pipelines_are_those_written_down(
    domain: str, shape: tuple[int, int, int], text: str
) -> None:
    """A sample of domains, sizes and channels, part by part."""
    assert repr(Preset(domain=domain).pipeline(*shape)) == text


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (96, 70, 3), (28, 28, 1), (1, 9, 1)])
def test_every_pipeline_is_valid_text(domain: str, shape: tuple[int, int, int]) -> None:
    """What a preset stands for can be copied into a configuration, and edited there."""
    text = repr(Preset(domain=domain).pipeline(*shape))
    assert repr(resolve(text, AUGMENTATIONS, "augmentation", Pipeline)) == text


@pytest.mark.parametrize("domain", DOMAINS)
def test_grey_images_get_no_colour_operations(domain: str) -> None:
    """Without channels to tell apart, saturation and hue are off and nothing turns grey."""
    for part in Preset(domain=domain).pipeline(96, 96, 1).parts:
        assert type(part).__name__ != "Grayscale"
        if isinstance(part, ColorJitter):
            assert (part.saturation, part.hue) == (0, 0)


@pytest.mark.parametrize("domain", ["medical", "digits"])
def test_images_with_a_side_are_never_mirrored(domain: str) -> None:
    """Hearts are on the left, and a mirrored 2 is no 2."""
    parts = Preset(domain=domain).pipeline(64, 64, 3).parts
    assert not any(isinstance(part, FlipRotate) for part in parts)
    assert not any(isinstance(part, CropFlip) and part.flip for part in parts)


@pytest.mark.parametrize("domain", ["microscopy", "satellite", "industrial"])
def test_images_without_an_up_direction_take_all_symmetries(domain: str) -> None:
    """Quarter turns and both mirrors come first."""
    assert repr(Preset(domain=domain).pipeline(64, 64, 3).parts[0]) == "FlipRotate()"


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_preset_called_bound_or_written_out_is_the_same(
    pictures: Tensor, domain: str, channels: int
) -> None:
    """The size of the batch tells what `bind` is told."""
    images = pictures[:, :channels, :, :28]
    preset = Preset(domain=domain)
    called = preset(images, _generator())
    assert torch.equal(called, preset.bind(_format(32, 28, channels))(images, _generator(), None))
    assert torch.equal(called, preset.pipeline(32, 28, channels)(images, _generator()))
    assert not torch.equal(called, images)


def test_the_tail_scale_reaches_every_part_that_has_one() -> None:
    """A preset grades as its parts do, and leaves the rest alone."""
    for domain in DOMAINS:
        for part in Preset(domain=domain, tail_scale=1.5).pipeline(96, 96, 3).parts:
            assert not isinstance(part, Graded) or part.tail_scale == 1.5


def test_an_unknown_domain_is_refused() -> None:
    """The message lists the domains."""
    with pytest.raises(InputError, match="one of 'natural', 'medical', 'microscopy'"):
        Preset(domain="art").validate()


def test_tables_are_refused() -> None:
    """A preset for a table is an error, not a map that fails in the first batch."""
    with pytest.raises(InputError, match="is an augmentation of images"):
        Preset().bind(TableInput(n_numeric=2, cardinalities=()))
