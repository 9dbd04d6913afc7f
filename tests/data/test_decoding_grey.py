"""Laws of grey that is stored in colour, as scanners and converters often leave it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equipoise.data.decoding import decode_files
from equipoise.data.images import read_class_folder
from equipoise.data.options import ReadOptions


def noise(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def write(folder: Path, images: np.ndarray) -> list[str]:
    names = [f"{at:03d}.png" for at in range(len(images))]
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return names


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("n_declared", [0, 20])
def test_grey_stored_in_colour_is_read_as_grey(
    tmp_path: Path, cache: Path, mode: str, n_declared: int
) -> None:
    """If red, green and blue are equal in every file, there is one channel, and a note."""
    images = noise(40, 6, 5)
    names = write(tmp_path, images)
    for at, name in enumerate(names[n_declared:], n_declared):
        names[at] = name.replace("png", "tiff")
        stored = Image.fromarray(images[at][..., None].repeat(3, 2)).convert(mode)
        stored.save(tmp_path / names[at])
    decoded = decode_files(tmp_path, names, ReadOptions(cache=cache, workers=2))
    np.testing.assert_array_equal(decoded.images, images[..., None])
    n = 40 - n_declared
    note = f"{n} files are stored in colour and hold only grey: all were read as grey."
    assert decoded.notes == (note,)
    again = decode_files(tmp_path, names, ReadOptions(cache=cache, channels="rgb"))
    assert again.images.shape == (40, 6, 5, 3)
    assert again.notes == ()


@pytest.mark.parametrize("workers", [1, 2])
def test_one_coloured_pixel_late_makes_all_colour(
    tmp_path: Path, cache: Path, workers: int
) -> None:
    """However late colour is found, no image loses it, and grey ones are counted."""
    images = noise(200, 20, 20)[..., None].repeat(3, 3)
    images[150, 3, 7, 2] ^= 1
    names = write(tmp_path, images)
    steps: list[tuple[int, int]] = []
    options = ReadOptions(cache=cache, workers=workers, progress=lambda *step: steps.append(step))
    decoded = decode_files(tmp_path, names, options)
    np.testing.assert_array_equal(decoded.images, images)
    assert decoded.notes == ("199 grey files among 1 in colour got three channels.",)
    assert steps[-200:] == [(done, 400) for done in range(201, 401)]
    assert max(done for done, _ in steps) == 400
    assert len([*(cache / "images").glob("*.npy")]) == 1


def test_a_folder_of_grey_in_colour_is_a_grey_data_set(tmp_path: Path, cache: Path) -> None:
    """Files declared grey and files stored in colour together have one channel, and it is said."""
    for at, image in enumerate(noise(12, 6, 6)):
        folder = tmp_path / "scans" / ("ill" if at % 3 else "well")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = image if at % 2 else image[..., None].repeat(3, 2)
        Image.fromarray(pixels).save(folder / f"{at}.png")
    data = read_class_folder(tmp_path / "scans", ReadOptions(cache=cache))
    assert data.X.shape == (12, 6, 6, 1)
    assert "6 files are stored in colour and hold only grey: all were read as grey." in data.notes
