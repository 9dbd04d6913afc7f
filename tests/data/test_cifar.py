"""Laws of reading CIFAR."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from equipoise.data.cifar import (
    CIFAR10,
    CIFAR10_CLASSES,
    CIFAR100,
    CIFAR100_CLASSES,
    CifarLayout,
    is_cifar_folder,
    read_cifar,
)
from equipoise.errors import InputError


def _write(folder: Path, layout: CifarLayout, images: np.ndarray, labels: np.ndarray) -> Path:
    """Write images in the published binary form: labels, then planes of red, green and blue."""
    place = folder / layout.folder
    place.mkdir(parents=True)
    batches = np.array_split(np.arange(len(images)), len(layout.files))
    for name, index in zip(layout.files, batches, strict=True):
        content = bytearray()
        for at in index:
            content += bytes([99, labels[at]][-layout.label_bytes :])
            for channel in range(3):
                content += images[at, :, :, channel].tobytes()
        (place / name).write_bytes(content)
    return place


@pytest.mark.parametrize("layout", [CIFAR10, CIFAR100])
def test_the_binary_form_gives_the_images_back(tmp_path: Path, layout: CifarLayout) -> None:
    """What was written in the published layout is read pixel by pixel, with the fine label."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(12) % 10
    place = _write(tmp_path, layout, images, labels)
    classes = CIFAR10_CLASSES if layout is CIFAR10 else CIFAR100_CLASSES
    data = read_cifar(place, layout, classes)
    np.testing.assert_array_equal(data.X, images)
    assert data.codes.tolist() == labels.tolist()
    tested = 2 if layout is CIFAR10 else 6
    assert data.parts is not None
    assert data.parts.tolist() == ["train"] * (12 - tested) + ["test"] * tested
    assert data.ids.tolist()[:2] == ["train/0", "train/1"]
    assert data.ids.tolist()[-tested] == "test/0"
    joined = b"".join((place / name).read_bytes() for name in layout.files)
    assert data.fingerprint == hashlib.sha256(joined).hexdigest()


def test_real_images_survive_the_binary_form(tmp_path: Path, assets: Path) -> None:
    """The first real test images, written in the binary form, are read unchanged."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as archive:
        images, labels = archive["test_images"][:30], archive["test_labels"][:30].ravel()
    data = read_cifar(_write(tmp_path, CIFAR10, images, labels), CIFAR10, CIFAR10_CLASSES)
    np.testing.assert_array_equal(data.X, images)
    assert data.y.tolist()[:4] == ["cat", "ship", "ship", "airplane"]


def test_a_folder_is_complete_or_it_is_none(tmp_path: Path) -> None:
    """One missing file makes the folder useless."""
    place = _write(tmp_path, CIFAR10, np.zeros((6, 32, 32, 3), np.uint8), np.zeros(6, int))
    assert is_cifar_folder(place, CIFAR10)
    assert not is_cifar_folder(place, CIFAR100)
    (place / "test_batch.bin").unlink()
    assert not is_cifar_folder(place, CIFAR10)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """A file that ends within a record, is empty, or has an impossible label is an input error."""
    labels = np.array([0, 1, 2, 3, 4, 11])
    place = _write(tmp_path, CIFAR10, np.zeros((6, 32, 32, 3), np.uint8), labels)
    with pytest.raises(InputError, match="A label is 11, of 10 classes"):
        read_cifar(place, CIFAR10, CIFAR10_CLASSES)
    for content in (bytes(3073 + 3072), b""):
        (place / "test_batch.bin").write_bytes(content)
        with pytest.raises(InputError, match="no multiple of 3,073"):
            read_cifar(place, CIFAR10, CIFAR10_CLASSES)


def test_the_fine_classes_are_a_hundred_in_order() -> None:
    """CIFAR-100's names are distinct and sorted, which is how its labels were numbered."""
    assert len(set(CIFAR100_CLASSES)) == 100
    assert list(CIFAR100_CLASSES) == sorted(CIFAR100_CLASSES)
    assert list(CIFAR10_CLASSES) == sorted(CIFAR10_CLASSES)
