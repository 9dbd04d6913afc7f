import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equipoise.data.arrays import is_idx_folder, read_idx_folder, read_npz
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


def entries(cache: Path) -> list[str]:
    return sorted(p.suffix for p in (cache / "images").glob("*") if p.is_file())


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


@pytest.mark.parametrize("kept", [0, 10, 200, -1])
def test_cut_archives_are_refused(npz, parts, options, kept):
    """An archive that ends early is no archive."""
    path = npz(**parts)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="complete archive"):
        read_npz(path, options)


def test_damaged_pixels_are_noticed(tmp_path, options):
    """A changed byte fails the archive's checksum, and no entry is left."""
    np.savez(tmp_path / "a.npz", images=pictures(50, 40, 40), labels=np.arange(50))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[40_000] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match="CRC"):
        read_npz(tmp_path / "a.npz", options)
    assert entries(options.cache) == []


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_anywhere_gives_data_or_a_reason(tmp_path_factory, damage):
    """No changed byte makes anything escape but the one error for users."""
    folder = tmp_path_factory.mktemp("damage")
    np.savez_compressed(folder / "a.npz", images=pictures(4), labels=[0, 1, 0, 1])
    data = bytearray((folder / "a.npz").read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    (folder / "a.npz").write_bytes(data)
    try:
        assert read_npz(folder / "a.npz", ReadOptions(cache=folder)).X.shape == (4, 4, 3, 1)
    except InputError as error:
        assert error.remedy  # noqa: PT017


def archive(path: Path, key: str, shape: tuple, content: bytes, descr: str = "|u1") -> Path:
    """Write an .npz file whose array declares whatever it is told to."""
    member = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{key}.npy", member.getvalue() + content)
        labels = io.BytesIO()
        np.save(labels, np.arange(2))
        if key != "labels":
            file.writestr("labels.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    "shape", [(2, 1 << 20, 1 << 20), (1 << 62, 4, 4), (2, 4, 3), (2, 4, 5), (-2, 4, 4), (-2, -4, 4)]
)
def test_declared_and_true_sizes_must_agree(tmp_path, options, shape):
    """An array that declares more or less than it has is refused before memory is taken."""
    path = archive(tmp_path / "a.npz", "images", shape, bytes(2 * 4 * 4))
    with pytest.raises(InputError, match=r"size that they declare|declares the shape"):
        read_npz(path, options)


def test_a_bomb_does_not_enter_memory(tmp_path):
    """A small archive of 100 MB of zeros is read in less memory than that."""
    content = bytes(100 * 2**20)
    path = archive(tmp_path / "a.npz", "images", (2, 50 * 2**10, 2**10), content)
    assert path.stat().st_size < 2**20
    code = """
import resource, sys
from pathlib import Path
from equipoise.data.arrays import read_npz
from equipoise.data.options import ReadOptions
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_npz(Path(sys.argv[1]), ReadOptions(cache=Path(sys.argv[2])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    pytest.importorskip("resource")
    call = [sys.executable, "-c", code, path, tmp_path / "cache"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40


def test_code_in_an_archive_is_never_run(tmp_path, options):
    """A pickle in the place of an array is refused, not loaded."""

    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "trapped",)

    for key in ("images", "labels", "class_names"):
        content = {"images": pictures(2), "labels": np.arange(2)}
        content[key] = np.array([Trap(), Trap()], dtype=object)
        np.savez(tmp_path / "a.npz", **content)
        with pytest.raises(InputError, match="could run code"):
            read_npz(tmp_path / "a.npz", options)
    assert not (tmp_path / "trapped").exists()


def test_files_that_are_no_archives_are_told_apart(tmp_path, options):
    """A missing file, a folder, text and a zip without arrays each have their message."""
    (tmp_path / "text.npz").write_text("hello")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as file:
        file.writestr("images.npy", "no array")
        file.writestr("readme.txt", "hello")
    for name, fault in [
        ("none.npz", "There is no"),
        ("", "is a folder"),
        ("text.npz", "not a zip file"),
        ("zip.npz", "no array of numbers or text|not `labels`"),
    ]:
        with pytest.raises(InputError, match=fault):
            read_npz(tmp_path / name, options)


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
