"""Laws of finding identical examples."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.data import hashing
from equipoise.data.dataset import Dataset
from equipoise.data.duplicates import duplicates_across
from equipoise.data.hashing import image_hashes, row_hashes
from equipoise.data.splits import Split, split


def _images(pixels: np.ndarray, codes: list[int]) -> Dataset:
    return Dataset(
        name="images",
        X=pixels,
        codes=np.array(codes),
        classes=("a", "b"),
        ids=np.array([f"i{at}" for at in range(len(codes))]),
    )


def test_copies_are_counted_where_they_are() -> None:
    """A hand-worked case: copies within a part, across parts and across classes."""
    values = [1, 1, 2, 3, 3, 2, 9, 1]
    pixels = np.array(values, dtype=np.uint8).reshape(-1, 1, 1, 1)
    data = _images(pixels, [0, 0, 0, 1, 1, 1, 1, 0])
    parts = Split(train=np.array([0, 1, 2, 3]), validation=np.array([4]), test=np.array([5, 6, 7]))
    found = duplicates_across(data, parts)
    assert found.within == {"train": 1, "validation": 0, "test": 0}
    assert found.across == {"train/validation": 1, "train/test": 2, "validation/test": 0}
    assert found.conflicting == 2
    assert found.ids == (("i0", "i1", "i7"), ("i2", "i5"), ("i3", "i4"))


def test_distinct_examples_have_no_copies() -> None:
    """Random images and rows are all different."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), dtype=np.uint8)
    found = duplicates_across(_images(pixels, [0, 1] * 150), split(np.array([0, 1] * 150)))
    assert not any([*found.within.values(), *found.across.values(), found.conflicting, found.ids])


def test_tables_are_compared_by_value() -> None:
    """Rows are equal if all values are, missing ones included."""
    frame = pd.DataFrame({"a": [1.0, None, None, 1.0], "b": ["x", "y", "y", "z"]})
    hashes = row_hashes(frame)
    assert (hashes == hashes[1]).tolist() == [False, True, True, False]
    mixed = pd.DataFrame({"o": pd.Series(["1", 1, "1"], dtype=object)})
    assert (row_hashes(mixed) == row_hashes(mixed)[0]).tolist() == [True, False, True]


def test_examples_outside_the_parts_do_not_count() -> None:
    """What subsampling left out is no duplicate of anything."""
    pixels = np.zeros((4, 1, 1, 1), dtype=np.uint8)
    pixels[3] = 1
    parts = Split(train=np.array([0]), test=np.array([3]))
    found = duplicates_across(_images(pixels, [0, 0, 0, 1]), parts)
    assert found.across == {"train/test": 0}
    assert found.ids == ()


def test_memory_mapped_images_are_hashed_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of the pieces changes nothing."""
    pixels = np.random.default_rng(0).integers(0, 2, (50, 2, 2, 1), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r", allow_pickle=False)
    whole = image_hashes(pixels)
    monkeypatch.setattr(hashing, "_CHUNK_BYTES", 12)
    np.testing.assert_array_equal(image_hashes(mapped), whole)
    found = duplicates_across(_images(mapped, [0, 1] * 25), Split(train=np.arange(50)))
    assert found.within["train"] == 50 - len({image.tobytes() for image in pixels})
