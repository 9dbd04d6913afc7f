import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
