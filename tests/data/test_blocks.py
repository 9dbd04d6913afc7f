from pathlib import Path

import numpy as np
import pytest

from equipoise.data.arrays import read_npz
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


def entries(cache: Path) -> list[str]:
    return sorted(p.suffix for p in (cache / "images").glob("*") if p.is_file())


def test_names_are_taken_by_code(npz, options):
    """Classes are those that occur, in the order of their codes; the others are noted."""
    names = np.array(["zebra", "ant", "cow", "bee"])
    data = read_npz(
        npz(images=pictures(3), labels=[3, 0, 3], class_names=names, extra=[1]), options
    )
    assert data.classes == ("zebra", "bee")
    assert data.y.tolist() == ["bee", "zebra", "bee"]
    assert data.notes == (
        "These arrays were ignored: extra.",
        "Classes without an example were left out: ant, cow.",
    )


def test_gaps_between_codes_are_closed(npz, options):
    """Without names the classes are the codes that occur, in numeric order."""
    data = read_npz(npz(images=pictures(4), labels=[10, 9, 2, 10]), options)
    assert data.classes == ("2", "9", "10")
    assert data.codes.tolist() == [2, 1, 0, 2]


def test_labels_may_be_text(npz, options):
    """Text labels are sorted, or ordered as the names are."""
    labels = np.array(["cow", "ant", "cow"])
    data = read_npz(npz(images=pictures(3), labels=labels), options)
    assert (data.classes, data.codes.tolist()) == (("ant", "cow"), [1, 0, 1])
    names = np.array(["dog", "cow", "ant"])
    data = read_npz(npz(images=pictures(3), labels=labels, class_names=names), options)
    assert (data.classes, data.codes.tolist()) == (("cow", "ant"), [0, 1, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, ">i4", bool])
def test_labels_may_be_of_any_whole_type(npz, options, dtype):
    """Width, sign and byte order of the label type do not matter."""
    labels = np.array([0, 1, 1, 0]).astype(dtype)
    data = read_npz(npz(images=pictures(4), labels=labels), options)
    assert data.codes.tolist() == [0, 1, 1, 0]
    assert data.codes.dtype == np.int64


def test_whole_labels_may_be_stored_as_fractions(npz, options, parts):
    """Floating-point labels without a fraction are taken with a note; types may be mixed."""
    data = read_npz(npz(images=pictures(3), labels=[0.0, 2.0, 0.0]), options)
    assert data.classes == ("0", "2")
    assert data.notes == ("Labels are whole numbers stored as fractional ones.",)
    parts["train_labels"] = parts["train_labels"].astype(np.uint64)
    parts["test_labels"] = parts["test_labels"].astype(np.int8)
    assert read_npz(npz(**parts), options).notes == ("The validation part has no example of 0.",)


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ([0, 1.5, 1], "must be whole numbers. In `labels` that fails in row 1, first with 1.5"),
        ([0, np.nan, 1], "must not be missing or infinite.*row 1"),
        ([0, np.inf, 1], "must not be missing or infinite"),
        ([0, -1, 1], "must be from 0 to .*row 1, first with -1"),
        ([0, 2**40, 1], "must be from 0 to"),
        (["a", "", "b"], "must not be empty.*row 1"),
        ([b"a", b"b", b"a"], "whole numbers or text"),
        ([0, 1], "as many labels as images"),
        ([[0, 1], [1, 0], [0, 1]], "several labels an image"),
        ([1, 1, 1], "at least two classes"),
        (np.array([0, 1, None], dtype=object), "pickled Python objects"),
    ],
)
def test_unfit_labels_are_refused(npz, options, labels, fault):
    """Each kind of label that names no class is refused with its rows or shape."""
    with pytest.raises(InputError, match=fault):
        read_npz(npz(images=pictures(3), labels=np.asarray(labels)), options)
    assert entries(options.cache) == []


@pytest.mark.parametrize(
    ("labels", "names", "fault"),
    [
        ([0, 1, 2], ["a", "b"], "from 0 to 1.*row 2"),
        (["a", "b", "c"], ["a", "b"], "among the class names.*row 2"),
        ([0, 1, 0], ["a", "a"], "all different"),
        ([0, 1, 0], [1, 2], "one text for each class"),
        ([0, 1, 0], [["a", "b"]], "one text for each class"),
    ],
)
def test_unfit_names_are_refused(npz, options, labels, names, fault):
    """Every label must have a name, and names must be different texts."""
    with pytest.raises(InputError, match=fault):
        read_npz(npz(images=pictures(3), labels=labels, class_names=names), options)


def test_parts_must_fit_each_other(npz, options, parts):
    """Sizes and kinds of labels must agree, and the test part brings no class of its own."""
    wrong = [
        ("test_images", pictures(3, 5, 5), "equal in size"),
        ("test_labels", np.array(["0", "1", "2"]), "all text or all numbers"),
        ("test_labels", np.array([0, 1, 7]), "examples to train on.*7"),
    ]
    for key, value, fault in wrong:
        with pytest.raises(InputError, match=fault):
            read_npz(npz(**{**parts, key: value}), options)
