import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equipoise.data.decoding import decode_files, ordered_map
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError

N = 24


def pictures(n: int = N, *shape: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *(shape or (6, 5, 3))), dtype=np.uint8)


def write(folder: Path, images: np.ndarray) -> list[str]:
    folder.mkdir(exist_ok=True)
    names = [f"{at:03d}.png" for at in range(len(images))]
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return names


class Steps(list):
    """A progress callback that remembers."""

    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "data", pictures())
    return tmp_path / "data"


@pytest.fixture
def names():
    return [f"{at:03d}.png" for at in range(N)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def entries(cache: Path) -> list[str]:
    return sorted(p.suffix for p in (cache / "images").glob("*") if p.is_file())


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_images_keep_their_order(folder, names, cache, workers):
    """The array holds the files in the order of their names, however many threads decode."""
    decoded = decode_files(folder, names[::-1], ReadOptions(cache=cache, workers=workers))
    np.testing.assert_array_equal(decoded.images, pictures()[::-1])
    assert decoded.kept.tolist() == [*range(N)]
    assert decoded.notes == ()


def test_progress_counts_both_readings(folder, names, cache):
    """Each file is counted once when it is read and once when it is decoded."""
    steps = Steps()
    decode_files(folder, names, ReadOptions(cache=cache, progress=steps))
    assert steps == [(done, 2 * N) for done in range(1, 2 * N + 1)]


def test_known_content_is_not_decoded_again(folder, names, cache):
    """The same files in another place, with other times, give the same entry untouched."""
    first = decode_files(folder, names, ReadOptions(cache=cache))
    before = (cache / "images" / f"{first.key}.npy").stat().st_mtime_ns
    moved = folder.rename(folder.with_name("moved"))
    os.utime(moved / names[0], (0, 0))
    steps = Steps()
    again = decode_files(moved, names, ReadOptions(cache=cache, progress=steps))
    assert again.key == first.key
    assert (cache / "images" / f"{first.key}.npy").stat().st_mtime_ns == before
    assert steps == [*((done, 2 * N) for done in range(1, N + 1)), (2 * N, 2 * N)]


def test_known_files_are_not_even_read(folder, names, cache):
    """Files that have not changed since a while are recognised without reading them."""
    options = ReadOptions(cache=cache)
    first = decode_files(folder, names, options)
    time.sleep(2.1)  # longer than the coarsest clock of a file system
    decode_files(folder, names, options)
    steps = Steps()
    again = decode_files(folder, names, ReadOptions(cache=cache, progress=steps))
    assert steps == []
    np.testing.assert_array_equal(again.images, first.images)
    grey = decode_files(folder, names, ReadOptions(cache=cache, channels="grey"))
    assert grey.key != first.key


def test_a_changed_pixel_is_decoded_again(folder, names, cache):
    """Another content of the same size gives another key and the new pixels."""
    first = decode_files(folder, names, ReadOptions(cache=cache))
    images = pictures()
    images[3, 0, 0, 0] ^= 1
    write(folder, images)
    again = decode_files(folder, names, ReadOptions(cache=cache))
    assert again.key != first.key
    np.testing.assert_array_equal(again.images, images)


def test_a_damaged_entry_is_rebuilt(folder, names, cache):
    """A cut entry is noticed and decoded anew."""
    key = decode_files(folder, names, ReadOptions(cache=cache)).key
    os.truncate(cache / "images" / f"{key}.npy", 500)
    again = decode_files(folder, names, ReadOptions(cache=cache))
    assert again.key == key
    np.testing.assert_array_equal(again.images, pictures())


@pytest.fixture
def spoilt(folder, names):
    """Seven files of the folder, each broken in its own way."""
    whole = (folder / names[0]).read_bytes()
    (folder / names[1]).write_bytes(b"")
    (folder / names[3]).write_bytes(whole[:-30])
    (folder / names[5]).write_bytes(b"not an image")
    (folder / names[6]).unlink()
    (folder / names[8]).unlink()
    (os.mkfifo if hasattr(os, "mkfifo") else os.mkdir)(folder / names[8])
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    (folder / names[10]).write_bytes(
        whole[:8] + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + whole[33:]
    )
    (folder / names[12]).write_bytes(whole.replace(b"IDAT", b"IDOT"))
    return [1, 3, 5, 6, 8, 10, 12]


@pytest.mark.usefixtures("spoilt")
def test_broken_files_are_an_error_that_lists_them(folder, names, cache):
    """The count, the first five names with reasons, and the way out are told."""
    with pytest.raises(InputError) as caught:
        decode_files(folder, names, ReadOptions(cache=cache))
    assert caught.value.actual.startswith("7 of 24 files cannot be used: 001.png is empty; 003.png")
    assert "006.png does not exist; 008.png is no file; and 2 more." in caught.value.actual
    assert "--skip-broken" in caught.value.remedy


def test_broken_files_can_be_left_out(folder, names, cache, spoilt):
    """With `skip_broken` the others stay in order, and the notes name what is missing."""
    decoded = decode_files(folder, names, ReadOptions(cache=cache, skip_broken=True))
    whole = np.setdiff1d(np.arange(N), spoilt)
    assert decoded.kept.tolist() == whole.tolist()
    np.testing.assert_array_equal(decoded.images, pictures()[whole])
    (note,) = decoded.notes
    assert note.startswith("7 broken files left out: 001.png (is empty), 003.png (")
    assert "010.png (declares over 64 megapixels)" in note


@pytest.mark.usefixtures("spoilt")
def test_leaving_out_does_not_decode_again(folder, names, cache):
    """The error and its remedy share one entry, and the key does not depend on the choice."""
    with pytest.raises(InputError):
        decode_files(folder, names, ReadOptions(cache=cache))
    steps = Steps()
    decode_files(folder, names, ReadOptions(cache=cache, skip_broken=True, progress=steps))
    assert steps[-2:] == [(N, 2 * N), (2 * N, 2 * N)]
    assert entries(cache) == [".json", ".npy"]


def test_notes_name_twenty_broken_files(tmp_path, cache):
    """Of many broken files the first twenty are named."""
    names = write(tmp_path / "data", pictures(30))
    for name in names[1:]:
        (tmp_path / "data" / name).write_bytes(b"")
    options = ReadOptions(cache=cache, skip_broken=True)
    (note,) = decode_files(tmp_path / "data", names, options).notes
    assert note.startswith("29 broken files left out: 001.png")
    assert note.endswith("020.png (is empty) and 9 more.")


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("content", [b"", None])
def test_nothing_but_broken_files_is_an_error(folder, names, cache, skip, content):
    """Without one readable image there is no data, and no entry is kept."""
    for name in names:
        data = (folder / name).read_bytes()[:-40] if content is None else content
        (folder / name).write_bytes(data)
    with pytest.raises(InputError, match="24 of 24 files"):
        decode_files(folder, names, ReadOptions(cache=cache, skip_broken=skip))
    assert entries(cache) == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="file permissions are POSIX")
def test_a_forbidden_file_is_broken(names):
    """A file that may not be read counts as broken, with the system's reason."""
    with tempfile.TemporaryDirectory() as open_to_all:
        folder, cache = Path(open_to_all, "data"), Path(open_to_all, "cache")
        write(folder, pictures())
        cache.mkdir()
        for path, mode in ((open_to_all, 0o755), (cache, 0o777), (folder / names[2], 0)):
            Path(path).chmod(mode)
        administrator = os.geteuid() == 0
        if administrator:  # who may read everything
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match=r"002\.png cannot be read \(Permission denied\)"):
                decode_files(folder, names, ReadOptions(cache=cache))
        finally:
            if administrator:
                os.seteuid(0)


def test_sizes_must_agree_or_be_given(tmp_path, cache):
    """The error counts the sizes, names the extremes and suggests the median shorter side."""
    (tmp_path / "data").mkdir()
    sizes = [(31, 20), (40, 30), (40, 30), (50, 64), (500, 400)]
    names = [f"{at}.png" for at in range(len(sizes))]
    for name, size in zip(names, sizes, strict=True):
        Image.new("RGB", size, "red").save(tmp_path / "data" / name)
    with pytest.raises(InputError) as caught:
        decode_files(tmp_path / "data", names, ReadOptions(cache=cache))
    assert caught.value.actual == "They have 4 sizes, from 31x20 to 500x400."
    assert "`--size 30`" in caught.value.remedy
    decoded = decode_files(tmp_path / "data", names, ReadOptions(cache=cache, size=30))
    assert decoded.images.shape == (5, 30, 30, 3)
    assert decoded.notes == ("Images were scaled and cropped in the centre to 30x30.",)


def test_images_of_the_size_asked_for_stay_as_they_are(tmp_path, cache):
    """Giving the size that images have changes no pixel and makes no note."""
    images = pictures(4, 6, 6, 3)
    names = write(tmp_path / "data", images)
    decoded = decode_files(tmp_path / "data", names, ReadOptions(cache=cache, size=6))
    np.testing.assert_array_equal(decoded.images, images)
    assert decoded.notes == ()


@pytest.mark.parametrize(
    ("channels", "expected", "note"),
    [
        ("auto", 3, "1 grey file among 2 in colour got three channels."),
        ("rgb", 3, "1 grey file among 2 in colour got three channels."),
        ("grey", 1, "Colour was turned into grey in 2 files."),
    ],
)
def test_grey_and_colour_together_become_one_of_them(tmp_path, cache, channels, expected, note):
    """Mixed files become colour unless grey is asked for, and the note counts them."""
    names = write(tmp_path, pictures(3))
    Image.fromarray(pictures(1, 6, 5)[0]).save(tmp_path / names[1])
    decoded = decode_files(tmp_path, names, ReadOptions(cache=cache, channels=channels))
    assert decoded.images.shape == (3, 6, 5, expected)
    assert decoded.notes == (note,)


@pytest.mark.parametrize(("channels", "expected"), [("auto", 1), ("rgb", 3), ("grey", 1)])
def test_grey_images_have_one_channel(tmp_path, cache, channels, expected):
    """Only-grey files have one channel unless three are asked for, without a note."""
    images = pictures(3, 6, 5)
    names = write(tmp_path, images)
    decoded = decode_files(tmp_path, names, ReadOptions(cache=cache, channels=channels))
    np.testing.assert_array_equal(decoded.images, images[..., None].repeat(expected, 3))
    assert decoded.notes == ()


def test_what_was_done_is_counted_in_notes(tmp_path, cache):
    """Each kind of conversion has one note with the number of its files."""
    names = write(tmp_path, pictures(5, 6, 6, 3))
    for name in names[:2]:
        Image.new("RGBA", (6, 6), (0, 0, 250, 9)).save(tmp_path / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 6), "red").save(tmp_path / names[2], exif=exif)
    decoded = decode_files(tmp_path, names, ReadOptions(cache=cache))
    assert sorted(decoded.notes) == [
        "EXIF data turned or mirrored the picture in 1 file.",
        "Transparency was laid on white in 2 files.",
    ]
    assert decode_files(tmp_path, names, ReadOptions(cache=cache)).notes == decoded.notes


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": 8001}, {"channels": "blue"}, {"workers": 0}]
)
def test_options_out_of_range_are_refused(folder, names, cache, wrong):
    """Each option that decoding uses is checked before anything is read."""
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be"):
        decode_files(folder, names, ReadOptions(cache=cache, **wrong))


def test_files_that_change_meanwhile_are_refused(folder, names, cache):
    """The pixels always belong to the content that the key was made of."""

    def spoil(done: int, total: int) -> None:
        if done == total // 2:
            Image.new("RGB", (5, 6)).save(folder / names[-1])

    with pytest.raises(InputError, match=f"{names[-1]} did"):
        decode_files(folder, names, ReadOptions(cache=cache, progress=spoil))
    assert entries(cache) == []


def test_pillows_warnings_do_not_leak(folder, names, cache):
    """Pillow's warnings about oversized or odd files are not shown, and filters stay."""
    Image.new("1", (9500, 9500)).save(folder / names[0])
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with pytest.raises(InputError, match=r"000\.png declares over 64 megapixels"):
            decode_files(folder, names, ReadOptions(cache=cache))
        assert warnings.filters == before
    assert leaked == []


@pytest.mark.parametrize("batch", [1, 7])
def test_little_is_decoded_ahead_of_the_writer(batch):
    """The number of results in memory is bounded by the number of threads."""
    started = []
    results = ordered_map(lambda at: started.append(at) or at, range(1000), 2, batch)
    assert [next(results) for _ in range(10)] == [*range(10)]
    assert len(started) <= 10 + 4 * 2 * batch
    assert [*results] == [*range(10, 1000)]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_a_thread_reaches_the_caller(workers):
    """The first failing item ends the mapping with its own exception."""
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(lambda item: 1 // (5 - item), range(1000), workers=workers))


def run(code: str, *arguments: object, **how) -> subprocess.Popen:
    call = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


KILLED = f"""
import os, signal, sys
from pathlib import Path
from equipoise.data.decoding import decode_files
from equipoise.data.options import ReadOptions
def kill(done, total):
    if done == total - 3:
        os.kill(os.getpid(), signal.SIGKILL)
names = [f"{{at:03d}}.png" for at in range({N})]
decode_files(Path(sys.argv[1]), names, ReadOptions(cache=Path(sys.argv[2]), progress=kill))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are POSIX")
def test_a_killed_run_leaves_no_entry(folder, names, cache):
    """After a kill amid decoding there is at most a temporary file, and the next run works."""
    process = run(KILLED, folder, cache)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert set(entries(cache)) <= {".tmp"}
    decoded = decode_files(folder, names, ReadOptions(cache=cache))
    np.testing.assert_array_equal(decoded.images, pictures())


TOGETHER = f"""
import sys, time
from pathlib import Path
from equipoise.data.decoding import decode_files
from equipoise.data.options import ReadOptions
names = [f"{{at:03d}}.png" for at in range({N})]
def meet(done, total):
    if done == total // 2:
        Path(sys.argv[3]).touch()
        while not Path(sys.argv[4]).exists():
            time.sleep(0.001)
data = decode_files(Path(sys.argv[1]), names, ReadOptions(cache=Path(sys.argv[2]), progress=meet))
print(data.key, int(data.images.sum()))
"""


def test_two_processes_may_decode_the_same_files(folder, cache, tmp_path):
    """Both decode at once, both get the same images, and one entry remains."""
    here, there = tmp_path / "here", tmp_path / "there"
    both = run(TOGETHER, folder, cache, here, there), run(TOGETHER, folder, cache, there, here)
    (one, fault), (other, other_fault) = (p.communicate(timeout=60) for p in both)
    assert (fault, other_fault, one) == ("", "", other)
    assert int(one.split()[1]) == pictures().sum()
    assert entries(cache) == [".json", ".npy"]


def test_an_interrupted_run_leaves_no_file(folder, names, cache):
    """Interrupting at the keyboard ends the threads and removes the temporary file."""

    def interrupt(done: int, total: int) -> None:
        if done == total - 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_files(folder, names, ReadOptions(cache=cache, progress=interrupt))
    assert entries(cache) == []
