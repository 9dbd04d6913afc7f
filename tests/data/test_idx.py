import gzip
from pathlib import Path

import numpy as np
import pytest

from equipoise.data.arrays import is_idx_folder, read_idx_folder, read_npz
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


def idx(path: Path, values: np.ndarray, magic: int | None = None, extra: bytes = b"") -> None:
    """Write an idx file, compressed if its name says so."""
    head = np.array([magic or 0x800 | values.ndim, *values.shape], dtype=">u4").tobytes()
    data = head + values.tobytes() + extra
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture(params=["", ".gz"])
def mnist(request, tmp_path):
    """A small folder of idx files, plain and compressed."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for stem, seed, labels in (("train", 1, [7, 2, 7, 0]), ("t10k", 2, [0, 7])):
        images = pictures(len(labels), 5, 4, seed=seed)
        idx(folder / f"{stem}-images-idx3-ubyte{request.param}", images)
        idx(folder / f"{stem}-labels-idx1-ubyte{request.param}", np.array(labels, np.uint8))
    return folder


def named(folder: Path, stem: str) -> Path:
    return next(folder.glob(f"{stem}*"))


def test_idx_files_become_a_data_set(mnist, options):
    """Both parts, in order, with the codes that occur as classes."""
    assert is_idx_folder(mnist)
    data = read_idx_folder(mnist, options)
    expected = np.concatenate([pictures(4, 5, 4, seed=1), pictures(2, 5, 4, seed=2)])
    np.testing.assert_array_equal(data.X[..., 0], expected)
    assert (data.name, data.classes) == ("mnist", ("0", "2", "7"))
    assert data.codes.tolist() == [2, 1, 2, 0, 0, 2]
    assert data.ids.tolist()[3:5] == ["train/3", "test/0"]
    assert data.parts.tolist() == ["train"] * 4 + ["test"] * 2
    assert data.notes == ("The test part has no example of 2.",)


def test_the_test_part_may_be_called_test_or_be_absent(mnist, options):
    """The two names of the test part mean the same, and without it there is no split."""
    for what in "images", "labels":
        path = named(mnist, f"t10k-{what}")
        path.rename(path.with_name(path.name.replace("t10k", "test")))
    assert read_idx_folder(mnist, options).parts.tolist() == ["train"] * 4 + ["test"] * 2
    for path in mnist.glob("test*"):
        path.unlink()
    assert read_idx_folder(mnist, options).parts is None


def test_other_folders_are_no_idx_folders(tmp_path):
    """Labels alone, other names and missing folders are not taken for idx data."""
    (tmp_path / "train-labels-idx1-ubyte").touch()
    (tmp_path / "images-idx3-ubyte").touch()
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert not is_idx_folder(tmp_path)
    assert not is_idx_folder(tmp_path / "missing")
    assert not is_idx_folder(tmp_path / "train-labels-idx1-ubyte")


@pytest.mark.parametrize("stem", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
@pytest.mark.parametrize("kept", [0, 3, -1])
def test_cut_idx_files_are_refused(mnist, options, stem, kept):
    """A file that ends in its header or before its last value is damaged."""
    path = named(mnist, stem)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=path.name):
        read_idx_folder(mnist, options)
    assert entries(options.cache) == []


def test_other_faults_of_idx_files_are_refused(mnist, options):
    """Another type, more values than declared, and unequal numbers are told apart."""
    images, labels = named(mnist, "train-images"), named(mnist, "train-labels")
    good, right = images.read_bytes(), labels.read_bytes()
    for path, values, how, fault in [
        (images, pictures(4, 5, 4), {"magic": 0x0D03}, "first bytes are 0x00000D03"),
        (images, pictures(4, 5, 4), {"extra": b"!"}, "longer than it declares"),
        (images, pictures(3, 5, 4), {}, "holds 3 images of 4x5, with 4 labels"),
        (images, pictures(4, 5, 0), {}, "holds 4 images of 0x5"),
        (images, pictures(4, 6, 4), {}, "equal in size"),
        (labels, np.zeros(4, np.uint8), {"magic": 0x0803}, "first bytes"),
        (labels, np.zeros(5, np.uint8), {}, "with 5 labels"),
        (labels, np.full(4, 2, np.uint8), {}, "examples to train on.*0, 7"),
    ]:
        images.write_bytes(good)
        labels.write_bytes(right)
        idx(path, values, **how)
        with pytest.raises(InputError, match=fault):
            read_idx_folder(mnist, options)
    labels.unlink()
    with pytest.raises(InputError, match="with no labels file"):
        read_idx_folder(mnist, options)
    assert entries(options.cache) == []


def test_a_damaged_gzip_file_is_refused(mnist, options):
    """A changed byte in a compressed file fails its checksum or its decoding."""
    path = named(mnist, "train-images")
    if path.suffix != ".gz":
        pytest.skip("plain idx files have no checksum")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="CRC"):
        read_idx_folder(mnist, options)
    path.write_bytes(b"not gzip" * 9)
    with pytest.raises(InputError, match=path.name):
        read_idx_folder(mnist, options)


def test_a_declared_monster_is_refused_before_it_is_copied(mnist, options):
    """A file that declares more than the disk holds fails on the room, or on its labels."""
    n = 2**32 - 1
    path = named(mnist, "train-images")
    head = np.array([0x803, n, n, n], dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(head) if path.suffix == ".gz" else head)
    with pytest.raises(InputError, match="equal in number"):
        read_idx_folder(mnist, options)
    head = np.array([0x803, 4, n, n], dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(head) if path.suffix == ".gz" else head)
    for stem in "t10k-images", "t10k-labels":
        named(mnist, stem).unlink()
    with pytest.raises(InputError, match=r"need 68,719,476,704.0 GiB of disk"):
        read_idx_folder(mnist, options)


def test_both_forms_of_fashion_mnist_are_the_same(assets, options):
    """The .npz file and the idx files of the real data hold equal images and labels."""
    packed = read_npz(assets / "fashion_mnist.npz", options)
    files = read_idx_folder(assets / "fashion-mnist", options)
    assert packed.X.shape == files.X.shape == (70_000, 28, 28, 1)
    np.testing.assert_array_equal(packed.X, files.X)
    np.testing.assert_array_equal(packed.codes, files.codes)
    assert packed.parts.tolist() == files.parts.tolist()
    assert (packed.classes[0], files.classes) == ("T-shirt/top", tuple("0123456789"))
    assert packed.fingerprint != files.fingerprint
