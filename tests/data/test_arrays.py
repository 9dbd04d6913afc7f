from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equipoise.data.arrays import read_npz
from equipoise.data.cache import Cache
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *(shape or (4, 3))), dtype=np.uint8)


@pytest.fixture
def options(tmp_path):
    return ReadOptions(cache=tmp_path / "cache")


@pytest.fixture
def npz(tmp_path):
    """A function that writes an archive and returns its path."""

    def write(**arrays) -> Path:
        np.savez_compressed(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


@pytest.fixture
def parts():
    """Three parts as MedMNIST has them."""
    return {
        "train_images": pictures(6, seed=1),
        "train_labels": np.array([[0], [1], [2], [0], [1], [2]], dtype=np.uint8),
        "val_images": pictures(2, seed=2),
        "val_labels": np.array([[1], [2]], dtype=np.uint8),
        "test_images": pictures(3, seed=3),
        "test_labels": np.array([[2], [0], [1]], dtype=np.uint8),
    }


def test_parts_are_joined_in_order(npz, parts, options):
    """Training, validation and test images follow each other with their labels and numbers."""
    data = read_npz(npz(**parts), options)
    images = np.concatenate([parts[f"{p}_images"] for p in ("train", "val", "test")])
    np.testing.assert_array_equal(data.X[..., 0], images)
    assert data.codes.tolist() == [0, 1, 2, 0, 1, 2, 1, 2, 2, 0, 1]
    assert data.parts.tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 3
    assert data.ids[[0, 5, 6, 8, 10]].tolist() == [
        "train/0",
        "train/5",
        "validation/0",
        "test/0",
        "test/2",
    ]
    assert (data.name, data.classes) == ("data", ("0", "1", "2"))
    assert data.notes == ("The validation part has no example of 0.",)


def test_plain_arrays_have_no_parts(npz, options):
    """``images`` and ``labels`` are one block; training images alone are no split either."""
    plain = read_npz(npz(images=pictures(4), labels=[0, 1, 0, 1]), options)
    assert plain.parts is None
    assert plain.ids.tolist() == ["0", "1", "2", "3"]
    train = read_npz(npz(train_images=pictures(4), train_labels=[0, 1, 0, 1]), options)
    assert train.parts is None


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    images=st.tuples(st.integers(2, 5), st.integers(1, 6), st.integers(1, 6)).flatmap(
        lambda shape: st.sampled_from([shape, (*shape, 1), (*shape, 3)]).flatmap(
            lambda full: arrays(np.uint8, full)
        )
    ),
    compressed=st.booleans(),
)
def test_arrays_give_back_their_pixels(tmp_path_factory, images, compressed):
    """Whatever the shape, the images read are those written, with channels last."""
    folder = tmp_path_factory.mktemp("any")
    save = np.savez_compressed if compressed else np.savez
    save(folder / "a.npz", images=images, labels=np.arange(len(images)))
    data = read_npz(folder / "a.npz", ReadOptions(cache=folder))
    np.testing.assert_array_equal(data.X.reshape(images.shape), images)
    assert data.X.ndim == 4
    assert data.classes == tuple(map(str, range(len(images))))


def test_arrays_larger_than_one_chunk_are_copied_whole(npz, options):
    """Copying in pieces neither loses nor repeats a byte, and progress reaches the end."""
    images = pictures(3000, 31, 37)
    seen = []
    path = npz(images=images, labels=np.arange(3000) % 2)
    options = ReadOptions(cache=options.cache, progress=lambda *step: seen.append(step))
    np.testing.assert_array_equal(read_npz(path, options).X[..., 0], images)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (3000, 3000)


def test_a_second_reading_copies_nothing(npz, parts, options):
    """The content is recognised, so progress is silent and the entry untouched."""
    path = npz(**parts)
    first = read_npz(path, options)
    entry = Cache(options.cache).folder / f"{first.fingerprint}.npy"
    before = entry.stat().st_mtime_ns
    seen = []
    again = read_npz(path, ReadOptions(cache=options.cache, progress=lambda *s: seen.append(s)))
    assert (again.fingerprint, seen, entry.stat().st_mtime_ns) == (first.fingerprint, [], before)


def test_labels_belong_to_the_fingerprint(npz, parts, options):
    """Other labels on the same images are other data."""
    first = read_npz(npz(**parts), options).fingerprint
    parts["test_labels"] = parts["test_labels"][::-1]
    assert read_npz(npz(**parts), options).fingerprint != first


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        (np.zeros((3, 4, 4)), "of type float64.*Scale"),
        (np.zeros((3, 4, 4), np.int64), "of type int64"),
        (np.zeros((3, 16), np.uint8), "shape"),
        (np.zeros((3, 4, 4, 4), np.uint8), "shape"),
        (np.zeros((3, 3, 4, 4), np.uint8), r"transpose\(0, 2, 3, 1\)"),
        (np.zeros((3, 28, 28, 28, 1), np.uint8), "shape"),
        (np.zeros((3, 0, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 4), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.uint8).T, "column by column"),
        (np.full((3, 2, 2), None), "pickled Python objects"),
    ],
)
def test_unfit_images_are_refused(npz, options, images, fault):
    """Each kind of array that is no stack of 8-bit images is refused with a remedy."""
    with pytest.raises(InputError, match=fault):
        read_npz(npz(images=images, labels=np.arange(len(images))), options)


def test_arrays_must_have_known_names(npz, options, parts):
    """Missing images, labels or training data are told apart."""
    with pytest.raises(InputError, match="holds x, y"):
        read_npz(npz(x=pictures(3), y=[0, 1, 0]), options)
    with pytest.raises(InputError, match="not `test_labels`"):
        read_npz(npz(**{k: v for k, v in parts.items() if k != "test_labels"}), options)
    with pytest.raises(InputError, match="must hold `train_images`"):
        read_npz(npz(**{k: v for k, v in parts.items() if "train" not in k}), options)
