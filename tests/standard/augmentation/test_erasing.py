"""Laws of erasing: a square or rectangle is covered, and the rest of the image stays."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest, uniform
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from equipoise.errors import InputError
from equipoise.standard.augmentation import Cutout, RandomErasing
from equipoise.standard.augmentation.erasing import covered


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_covered_images_are_those_of_torchvision(pictures: Tensor, dtype: torch.dtype) -> None:
    """Exactly `erase` at a box for each image, with one cover for all or values of its own."""
    images = pictures.to(dtype)
    n = torch.arange(len(images))
    boxes = torch.stack((n % 7, n % 5, n, 31 - n), 1).clamp(max=25)
    noise = torch.randint(256, images.shape, generator=_generator()).to(torch.uint8)
    for cover in (128, noise):
        found = covered(images, boxes, cover)
        for image, result, box, values in zip(images, found, boxes.tolist(), noise, strict=True):
            top, left, high, wide = box
            own = values[:, top : top + high, left : left + wide].to(dtype)
            value = own if cover is noise else torch.full((1, 1, 1), 128, dtype=dtype)
            assert torch.equal(result, reference.erase(image, top, left, high, wide, value))


def _boxes(found: Tensor, cover: int) -> list[tuple[int, int, int, int]]:
    """Return rows and columns of what is covered in images of another value, as half-open spans."""
    boxes = []
    for image in found[:, 0]:
        rows, columns = np.nonzero((image == cover).numpy())
        boxes.append((rows.min(), rows.max() + 1, columns.min(), columns.max() + 1))
        assert len(rows) == (boxes[-1][1] - boxes[-1][0]) * (boxes[-1][3] - boxes[-1][2])
    return boxes


@pytest.mark.parametrize(("height", "width", "side"), [(10, 10, 5), (8, 12, 4), (12, 8, 4)])
def test_cutout_is_a_square_about_a_uniform_centre(height: int, width: int, side: int) -> None:
    """Clipped at the border, as DeVries and Taylor do; every centre is equally likely."""
    n = 4000
    found = Cutout()(torch.zeros(n, 3, height, width, dtype=torch.uint8), _generator())
    boxes = _boxes(found, 128)
    for axis, length in ((0, height), (2, width)):
        possible = {
            (max(0, centre - side // 2), min(length, centre - side // 2 + side)): centre
            for centre in range(length)
        }
        centres = [possible[box[axis], box[axis + 1]] for box in boxes]
        assert chisquare(np.bincount(centres, minlength=length)).pvalue > 1e-3


def test_all_channels_are_covered_alike(pictures: Tensor) -> None:
    """What is covered is grey 128; everything else is untouched."""
    for change in (Cutout(), RandomErasing(fill="zero", probability=1)):
        found = change(pictures, _generator())
        changed = (found != pictures).any(1, keepdim=True).expand_as(found)
        cover = 128 if isinstance(change, Cutout) else 0
        assert bool((found[changed] == cover).all())
        assert 0.02 < changed.float().mean() < 0.5


def test_the_tail_scale_multiplies_the_side_up_to_the_whole() -> None:
    """A fifth of ten pixels is two; twice that is four; ten times that is all ten."""
    images = torch.zeros(400, 1, 10, 10)
    for scale, side in ((1, 2), (2, 4), (10, 10)):
        found = Cutout(size=0.2, tail_scale=scale)(images, _generator(), torch.ones(400))
        boxes = _boxes(found, 128)
        assert max(bottom - top for top, bottom, _, _ in boxes) == side
        assert max(right - left for _, _, left, right in boxes) == side


@pytest.mark.parametrize(
    ("change", "share"), [(Cutout(probability=0.4), 0.4), (RandomErasing(), 0.25)]
)
def test_the_share_of_covered_images_is_the_probability(
    change: Cutout | RandomErasing, share: float
) -> None:
    """Within five standard errors; the others come out untouched."""
    found = change(torch.full((4000, 1, 16, 16), 7, dtype=torch.uint8), _generator())
    seen = (found != 7).flatten(1).any(1).double().mean().item()
    assert abs(seen - share) < 5 * (0.25 / 4000) ** 0.5


def test_erased_areas_are_uniform_and_whole_rectangles() -> None:
    """Areas follow the bounds, and widths exceed heights as often as not."""
    images = torch.full((1500, 1, 100, 100), 7, dtype=torch.uint8)
    erasing = RandomErasing(probability=1, area_low=0.05, area_high=0.25, ratio=2, fill="zero")
    boxes = np.array(_boxes(erasing(images, _generator()), 0))
    high, wide = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    assert kstest(high * wide / 1e4, uniform(0.05, 0.2).cdf).pvalue > 1e-3
    assert kstest(np.log2(wide / high), uniform(-1, 2).cdf).pvalue > 1e-3


def test_the_tail_scale_multiplies_the_erased_area() -> None:
    """Three times a tenth is three tenths, and the area is never more than the image."""
    images = torch.full((200, 1, 50, 50), 7, dtype=torch.uint8)
    for scale, area in ((1, 0.1), (3, 0.3), (30, 1.0)):
        erasing = RandomErasing(
            probability=1, area_low=0.1, area_high=0.1, ratio=1, fill="zero", tail_scale=scale
        )
        found = erasing(images, _generator(), torch.ones(200))
        share = (found == 0).float().mean((1, 2, 3))
        torch.testing.assert_close(share, torch.full((200,), area), atol=0.01, rtol=0)


def test_noise_is_uniform_over_all_levels() -> None:
    """Each value of each pixel is drawn apart, from 0 to 255."""
    images = torch.full((100, 3, 40, 40), 7.0)
    found = RandomErasing(probability=1, area_low=0.2)(images, _generator())
    changed = (found != 7).any(1)
    values = found.permute(0, 2, 3, 1)[changed]
    assert chisquare(np.bincount(values.flatten().long().numpy(), minlength=256)).pvalue > 1e-3
    assert (values[:, 0] == values[:, 1]).float().mean() < 0.02
    assert values[:, 0].unique().numel() == 256


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Cutout(size=1.1), "size"),
        (RandomErasing(area_low=0), "area_low"),
        (RandomErasing(area_low=0.5), "area_low"),
        (RandomErasing(ratio=0.3), "ratio"),
        (RandomErasing(fill="mean"), "fill"),
    ],
)
def test_values_out_of_bounds_are_refused(change: Cutout | RandomErasing, field: str) -> None:
    """The message names the field; bounds in the wrong order are out of bounds."""
    with pytest.raises(InputError, match=f"`{field}` of"):
        change.validate()
