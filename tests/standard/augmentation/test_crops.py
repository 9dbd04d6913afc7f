"""Laws of augmentation: each image is shifted and mirrored, and nothing else happens to it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy.stats import chisquare
from torch import Tensor

from equipoise.standard.augmentation import AUGMENTATIONS, CropFlip


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(n: int, height: int = 6, width: int = 5, channels: int = 3) -> Tensor:
    """Return channels-last uint8 images, no pixel of which is black."""
    pixels = torch.randint(1, 256, (n, height, width, channels), generator=_generator(7))
    return pixels.to(torch.uint8).permute(0, 3, 1, 2)


def _by_pil(images: Tensor, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Return what a loop over images does with the same draws."""
    n, channels, height, width = images.shape
    tops = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    lefts = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    mirrored = torch.rand((n, 1), generator=generator) < 0.5
    done = []
    for i in range(n):
        pixels = images[i].permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
        picture = ImageOps.expand(picture, padding, fill=0)
        left, top = int(lefts[i]), int(tops[i])
        picture = picture.crop((left, top, left + width, top + height))
        picture = ImageOps.mirror(picture) if flip and mirrored[i] else picture
        done.append(np.asarray(picture).reshape(height, width, channels))
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    padding=st.integers(0, 7),
    flip=st.booleans(),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
)
def test_a_batch_is_what_a_loop_over_images_gives(
    padding: int, flip: bool, channels: int, height: int, width: int
) -> None:
    """Whole-batch arithmetic equals Pillow's expand, crop and mirror, image by image."""
    images = _images(9, height, width, channels)
    found = CropFlip(padding=padding, flip=flip)(images, _generator(3))
    assert torch.equal(found, _by_pil(images, padding, flip, _generator(3)))


def test_every_result_is_a_crop_of_the_padded_image() -> None:
    """Whatever is drawn, the result is one of the shifted images or its mirror image."""
    images = _images(40)
    found = CropFlip(padding=2)(images, _generator())
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    for image, result in zip(padded, found, strict=True):
        crops = [image[:, top : top + 6, left : left + 5] for top in range(5) for left in range(5)]
        assert any(torch.equal(result, c) or torch.equal(result, c.flip(2)) for c in crops)


def test_offsets_are_uniform() -> None:
    """Each of the (2 padding + 1)^2 shifts is equally likely, rows and columns apart."""
    n, image = 18_000, torch.arange(1, 10, dtype=torch.uint8).reshape(1, 1, 3, 3)
    found = CropFlip(padding=1, flip=False)(image.expand(n, 1, 3, 3), _generator())
    centre = found[:, 0, 1, 1].numpy()
    seen = np.bincount(centre, minlength=10)[1:]
    assert seen.sum() == n
    assert chisquare(seen).pvalue > 1e-3


def test_half_of_the_images_are_mirrored() -> None:
    """The mirror is a fair coin for each image, within five standard errors."""
    n, image = 10_000, torch.tensor([[[[1, 2]]]], dtype=torch.uint8)
    found = CropFlip(padding=0)(image.expand(n, 1, 1, 2), _generator())
    share = (found[:, 0, 0, 0] == 2).double().mean().item()
    assert abs(share - 0.5) < 5 * 0.5 / n**0.5


def test_examples_are_drawn_apart() -> None:
    """Copies of one image in a batch come out different."""
    found = CropFlip()(_images(1).expand(20, 3, 6, 5), _generator())
    assert len({result.numpy().tobytes() for result in found}) > 10


def test_the_mirror_does_not_change_the_shifts() -> None:
    """Switching `flip` on leaves each image where it was, mirrored or not."""
    images = _images(30)
    plain = CropFlip(padding=2, flip=False)(images, _generator(1))
    mirrored = CropFlip(padding=2, flip=True)(images, _generator(1))
    is_mirrored = [not torch.equal(a, b) for a, b in zip(plain, mirrored, strict=True)]
    assert 0 < sum(is_mirrored) < 30
    for a, b, changed in zip(plain, mirrored, is_mirrored, strict=True):
        assert torch.equal(a.flip(2) if changed else a, b)


def test_the_same_generator_gives_the_same_images() -> None:
    """The generator is the only source of randomness, and it is used."""
    images, state = _images(20), torch.get_rng_state()
    first, again, other = (CropFlip()(images, _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_type_and_memory_format_are_kept(dtype: torch.dtype) -> None:
    """Images stay of their type, channels last in memory, as the network wants them."""
    found = CropFlip()(_images(4).to(dtype), _generator())
    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_memory_format_of_the_input_does_not_matter() -> None:
    """Images whose channels come first in memory give the same values."""
    images = _images(10)
    found = CropFlip()(images.contiguous(), _generator())
    assert torch.equal(found, CropFlip()(images, _generator()))


def test_the_input_is_left_alone() -> None:
    """Augmentation works on a copy."""
    images = _images(10)
    before = images.clone()
    CropFlip()(images, _generator()).zero_()
    assert torch.equal(images, before)


def test_no_padding_and_no_flip_change_nothing() -> None:
    """With both parts off the augmentation is the identity."""
    images = _images(10)
    assert torch.equal(CropFlip(padding=0, flip=False)(images, _generator()), images)


def test_every_augmentation_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in AUGMENTATIONS.items()} == {"CropFlip": "CropFlip"}
