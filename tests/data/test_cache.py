import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from equipoise.data.cache import Cache, Signature, content_key, sign
from equipoise.errors import InputError

KEY = "a" * 64
SETTLED = Signature("b" * 64, settled=True)


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 3, 1), dtype=np.uint8)


@pytest.fixture
def filled(cache, pixels):
    with cache.writing(KEY, pixels.shape) as draft:
        draft.append(pixels.tobytes())
        draft.broken.append((7, "is empty"))
        draft.notes.append("Noted.")
    return cache


def test_a_cache_on_a_read_only_disk_is_refused(cache, monkeypatch):
    """Permissions would not tell: it is found out by trying."""

    def refuse(*, dir):
        raise OSError(errno.EROFS, "Read-only file system", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"images` refuses .*: Read-only file system\..*CACHE"):
        Cache(cache.folder.parent)


def test_an_entry_gives_back_what_was_written(filled, pixels):
    """Pixels, broken files and notes survive the way through the cache."""
    entry = filled.open(KEY)
    np.testing.assert_array_equal(entry.images, pixels)
    assert (entry.key, entry.broken, entry.notes) == (KEY, ((7, "is empty"),), ("Noted.",))


def test_entries_are_mapped_and_read_only(filled):
    """Images are not copied into memory and cannot be changed by a reader."""
    images = filled.open(KEY).images
    assert type(images) is np.ndarray
    assert isinstance(images.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_fewer_images_than_announced_make_a_shorter_array(cache, pixels):
    """The number of images may turn out lower; the file is a plain .npy file all the same."""
    with cache.writing(KEY, (10**6, 4, 3, 1)) as draft:
        for image in pixels:
            draft.append(image.data)
    np.testing.assert_array_equal(np.load(cache.folder / f"{KEY}.npy", allow_pickle=False), pixels)
    assert cache.open(KEY).images.shape == pixels.shape


@pytest.mark.parametrize("n_bytes", [0, 11, 24])
def test_what_are_no_whole_images_becomes_no_entry(cache, n_bytes):
    """No image, a part of one, or more than announced are not kept."""
    with (
        pytest.raises(ValueError, match="are no 1 images"),
        cache.writing(KEY, (1, 4, 3, 1)) as draft,
    ):
        draft.append(bytes(n_bytes))
    assert files_below(cache.folder) == []


def test_an_interrupted_entry_leaves_nothing(cache):
    """Whatever ends the writing, no file stays behind."""

    def interrupted() -> None:
        with cache.writing(KEY, (2, 4, 3, 1)) as draft:
            draft.append(bytes(12))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files_below(cache.folder) == []


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def scribble(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("damage", [cut, lengthen, scribble, Path.unlink])
@pytest.mark.parametrize("kind", ["npy", "json"])
def test_damaged_entries_count_as_absent(filled, damage, kind):
    """An entry of which either file is damaged or gone is not opened."""
    path = filled.folder / f"{KEY}.{kind}"
    damage(path)
    assert filled.open(KEY) is None


@pytest.mark.parametrize(
    ("name", "value"), [("shape", [4, 5, 3, 1]), ("shape", 3), ("broken", None), ("notes", 1)]
)
def test_facts_must_fit_the_array(filled, name, value):
    """An entry whose record does not describe its array is not opened."""
    path = filled.folder / f"{KEY}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    assert filled.open(KEY) is None


def test_pickles_are_not_opened(filled):
    """An array of Python objects in the place of an entry is refused unread."""
    path = filled.folder / f"{KEY}.npy"
    np.save(path, np.array([print, {}], dtype=object), allow_pickle=True)
    record = filled.folder / f"{KEY}.json"
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({**facts, "bytes": path.stat().st_size}))
    assert filled.open(KEY) is None


def test_a_damaged_entry_can_be_written_again(filled, pixels):
    """Writing replaces what was damaged."""
    cut(filled.folder / f"{KEY}.npy")
    with filled.writing(KEY, pixels.shape) as draft:
        draft.append(pixels.tobytes())
    np.testing.assert_array_equal(filled.open(KEY).images, pixels)


def test_the_key_depends_on_everything():
    """Another option, name, order, content or borderline gives another key."""
    keys = [
        content_key((32, "grey"), ["a", "b"], [b"1", b"2"]),
        content_key((32, "rgb"), ["a", "b"], [b"1", b"2"]),
        content_key((64, "grey"), ["a", "b"], [b"1", b"2"]),
        content_key((32, "grey"), ["a", "c"], [b"1", b"2"]),
        content_key((32, "grey"), ["b", "a"], [b"2", b"1"]),
        content_key((32, "grey"), ["a", "b"], [b"2", b"1"]),
        content_key((32, "grey"), ["a"], [b"1"]),
        content_key((32, "grey"), ["ab", ""], [b"1", b"2"]),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == content_key((32, "grey"), ["a", "b"], [b"1", b"2"])


def test_signatures_notice_changes(tmp_path):
    """Another size, time, name, folder or way of reading gives another signature."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    signatures = [sign(tmp_path, ["a"]), sign(tmp_path, ["a"], ["grey"]), sign(tmp_path, ["b"])]
    signatures.append(sign(tmp_path / "..", [f"{tmp_path.name}/a"]))
    path.write_bytes(b"longer")
    signatures.append(sign(tmp_path, ["a"]))
    os.utime(path, ns=(10**18, 10**18))
    signatures.append(sign(tmp_path, ["a"]))
    digests = {signature.digest for signature in signatures}
    assert len(digests) == len(signatures)
    assert sign(tmp_path, ["a"]).digest in digests


@pytest.mark.skipif(os.name != "posix", reason="the time of change is that of creation elsewhere")
def test_signatures_notice_a_restored_time(tmp_path):
    """Equal size and a restored modification time do not hide a change."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    before = sign(tmp_path, ["a"])
    while sign(tmp_path, ["a"]).digest == before.digest:  # at most one tick of the clock
        path.write_bytes(b"two")
        os.utime(path, ns=(10**18, 10**18))
    status = path.stat()
    assert (status.st_size, status.st_mtime_ns) == (3, 10**18)


def test_known_files_need_not_be_read(filled):
    """A signature that was remembered leads to its entry; another one does not."""
    filled.remember(SETTLED, KEY)
    assert filled.recall(SETTLED).key == KEY
    assert filled.recall(Signature("c" * 64, settled=True)) is None


def test_files_that_just_changed_are_not_trusted(filled, tmp_path):
    """A file changed within the clock's last tick could change again unseen."""
    (tmp_path / "a").write_bytes(b"new")
    signature = sign(tmp_path, ["a"])
    filled.remember(signature, KEY)
    assert not signature.settled
    assert filled.recall(signature) is None


@pytest.mark.parametrize("content", [b"", b"../" * 21 + b"x", b"\xff" * 64, b"c" * 64])
def test_a_damaged_index_counts_as_absent(filled, content):
    """What is no key, or the key of no entry, leads nowhere."""
    filled.remember(SETTLED, KEY)
    (filled.folder / "index" / SETTLED.digest).write_bytes(content)
    assert filled.recall(SETTLED) is None


def test_leftovers_of_killed_runs_are_removed(cache, pixels):
    """Old temporary files go when an entry is written; fresh ones may belong to a live run."""
    old, fresh = cache.folder / "old.tmp", cache.folder / "fresh.tmp"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    with cache.writing(KEY, pixels.shape) as draft:
        draft.append(pixels.tobytes())
    assert not old.exists()
    assert fresh.exists()


def test_more_than_the_disk_holds_is_refused(cache):
    """Images that cannot fit are refused before the first is decoded."""
    with (
        pytest.raises(InputError, match=r"need .* GiB of disk"),
        cache.writing(KEY, (2**50, 32, 32, 3)),
    ):
        pytest.fail("the block must not be entered")
    assert files_below(cache.folder) == []


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """When writing fails, the system's error names the file, and the file is gone."""
    code = f"""
import resource, signal
from pathlib import Path
from equipoise.data.cache import Cache
cache = Cache(Path({str(tmp_path)!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    with cache.writing("a" * 64, (100, 32, 32, 1)) as draft:
        for _ in range(100):
            draft.append(bytes(1024))
except OSError as error:
    print(type(error).__name__, error.strerror, Path(error.filename).name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["OSError", "File", "too", "large", f"{KEY}.npy"]
    assert files_below(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_the_users_to_change(tmp_path):
    """A file in the cache's place is an input error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="EQUIPOISE_CACHE"):
        Cache(tmp_path / "file")


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    """The variable wins over the user's cache folder, and a given folder over both."""
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "variable"))
    assert Cache().folder == tmp_path / "variable" / "images"
    assert Cache(tmp_path / "given").folder == tmp_path / "given" / "images"
    monkeypatch.delenv("EQUIPOISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    if sys.platform == "linux":
        assert Cache().folder == tmp_path / "user" / "equipoise" / "images"
