"""Laws of crops: images are shifted and mirrored, or a rectangle of each is magnified."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy.stats import chisquare, kstest, uniform
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from equipoise.errors import InputError
from equipoise.standard.augmentation import AUGMENTATIONS, CropFlip, RandomResizedCrop
from equipoise.standard.augmentation.draws import rectangles
from equipoise.standard.augmentation.resampling import resized


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
    assert AUGMENTATIONS["CropFlip"] is CropFlip
    assert all(name == kind.__name__ for name, kind in AUGMENTATIONS.items())


def _boxes(n: int, height: int, width: int) -> Tensor:
    """Return rectangles of all sizes inside images, drawn without the code under test."""
    draw = np.random.default_rng(5)
    high, wide = draw.integers(1, height + 1, n), draw.integers(1, width + 1, n)
    top, left = draw.integers(0, height - high + 1), draw.integers(0, width - wide + 1)
    return torch.from_numpy(np.stack((top, left, high, wide), 1))


def _by_torchvision(images: Tensor, boxes: Tensor, mirrored: Tensor, antialias: bool) -> Tensor:
    size, done = list(images.shape[2:]), []
    for image, box, mirror in zip(images, boxes.tolist(), mirrored, strict=True):
        top, left, high, wide = box
        crop = reference.resized_crop(image, top, left, high, wide, size, antialias=antialias)
        done.append(crop.flip(2) if mirror else crop)
    return torch.stack(done)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (19, 30)])
@pytest.mark.parametrize("channels", [1, 3])
def test_magnified_rectangles_are_those_of_torchvision(
    pictures: Tensor, height: int, width: int, channels: int, antialias: bool
) -> None:
    """Within 0.01 for floats, with the antialiasing filter or not; bytes are these, rounded.

    torchvision rounds bytes between rows and columns too, so that its own are a level off.
    """
    images = pictures[:, :channels, :height, :width]
    boxes, mirrored = _boxes(len(images), height, width), torch.arange(len(images)) % 2 == 1
    expected = _by_torchvision(images.float(), boxes, mirrored, antialias)
    found = resized(images, boxes, mirrored)
    assert (found == expected.round()).float().mean() > 0.99  # sums at .5 go either way
    off = found.int() - _by_torchvision(images, boxes, mirrored, antialias).int()
    assert off.abs().max() <= 1
    assert (off == 0).float().mean() > 0.85
    assert (resized(images.float(), boxes, mirrored) - expected).abs().max() < 0.01


def test_the_whole_image_stays_as_it_is(pictures: Tensor) -> None:
    """A share of 1 at a ratio of 1 is the identity, exactly for bytes."""
    crop = RandomResizedCrop(scale_low=1, ratio=1, flip=False)
    assert torch.equal(crop(pictures, _generator()), pictures)
    torch.testing.assert_close(
        crop(pictures.float(), _generator()), pictures.float(), atol=2e-3, rtol=0
    )


def test_rectangles_have_the_areas_and_ratios_that_were_asked_for() -> None:
    """They lie inside the image; areas and log ratios are uniform; both directions occur."""
    n, side, ratio = 4000, 1000, 2.0
    areas = 0.1 + 0.3 * torch.rand((n, 10), generator=_generator(1))
    boxes, found = rectangles(areas, ratio, (side, side), _generator())
    assert bool(found.all())
    top, left, high, wide = boxes.double().unbind(1)
    assert bool((boxes[:, :2] >= 0).all())
    assert bool((boxes[:, :2] + boxes[:, 2:] <= side).all())
    torch.testing.assert_close(high * wide / side**2, areas[:, 0].double(), rtol=0.01, atol=0)
    logs = (wide / high).log2()
    assert kstest(logs.numpy(), uniform(-1, 2).cdf).pvalue > 1e-3
    for start, spare in ((top, side - high), (left, side - wide)):
        assert kstest((start / spare).numpy(), uniform(0, 1).cdf).pvalue > 1e-3


def test_rectangles_that_do_not_fit_are_drawn_again() -> None:
    """At a share of 0.9 only ratios near 1 fit; of ten tries nearly always one does."""
    boxes, found = rectangles(torch.full((2000, 10), 0.9), 4 / 3, (100, 100), _generator())
    assert found.double().mean() > 0.99
    assert int((boxes[found, 2:] > 100).sum()) == 0
    once = rectangles(torch.full((2000, 1), 0.9), 4 / 3, (100, 100), _generator())[1]
    expected = np.log(1 / 0.9) / np.log(4 / 3)
    assert abs(once.double().mean().item() - expected) < 0.06
    assert not rectangles(torch.full((5, 10), 0.9), 4 / 3, (1, 100), _generator())[1].any()


def test_an_image_that_no_rectangle_fits_is_not_cropped() -> None:
    """In 1 x 100 pixels nothing of half the area is nearly square."""
    images = torch.arange(100, dtype=torch.uint8).reshape(1, 1, 1, 100)
    assert torch.equal(RandomResizedCrop(scale_low=0.5, flip=False)(images, _generator()), images)


def test_the_tail_scale_multiplies_the_share_that_is_cut_away() -> None:
    """At most 0.4 for the largest class becomes 0.8 for the smallest; bounds hold beyond."""
    rarity = torch.tensor([0, 0.5, 1])
    crop = RandomResizedCrop(scale_low=0.6, tail_scale=2)
    torch.testing.assert_close(crop.lowest(3, rarity), torch.tensor([0.6, 0.4, 0.2]))
    crop = RandomResizedCrop(scale_low=0.6, tail_scale=9)
    torch.testing.assert_close(crop.lowest(3, rarity)[2].item(), 0.05)
    crop = RandomResizedCrop(scale_low=0.01, tail_scale=9)
    torch.testing.assert_close(crop.lowest(3, rarity)[2].item(), 0.01)
    crop = RandomResizedCrop(scale_low=0.6, scale_high=0.9, tail_scale=0)
    torch.testing.assert_close(crop.lowest(3, rarity)[2].item(), 0.9)


def test_the_share_of_the_image_that_is_left_is_within_bounds() -> None:
    """The slope of a magnified ramp tells the width of each rectangle: here half the width."""
    ramp = torch.arange(64.0).expand(300, 1, 64, 64)
    crop = RandomResizedCrop(scale_low=0.25, scale_high=0.25, ratio=1)
    slope = (crop(ramp, _generator())[:, 0, 30, 40] - crop(ramp, _generator())[:, 0, 30, 20]) / 20
    torch.testing.assert_close(slope.abs(), torch.full((300,), 0.5), atol=1e-3, rtol=0)
    assert 0.3 < (slope < 0).double().mean() < 0.7


@pytest.mark.parametrize(
    ("crop", "field"),
    [
        (RandomResizedCrop(scale_low=0), "scale_low"),
        (RandomResizedCrop(scale_high=1.1), "scale_high"),
        (RandomResizedCrop(ratio=0.5), "ratio"),
    ],
)
def test_shares_and_ratios_out_of_bounds_are_refused(crop: RandomResizedCrop, field: str) -> None:
    """Shares are above 0 and up to 1, and the largest ratio at least 1."""
    with pytest.raises(InputError, match=f"`{field}` of"):
        crop.validate()


def test_swapped_shares_are_refused() -> None:
    """The message names both fields and values."""
    with pytest.raises(
        InputError, match=r"`scale_low` .* above `scale_high`. They are 0.5 and 0.4"
    ):
        RandomResizedCrop(scale_low=0.5, scale_high=0.4).validate()
