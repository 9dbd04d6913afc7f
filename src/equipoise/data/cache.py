"""Images that were decoded once, kept as memory-mapped arrays and found by their content.

An **entry** is ``images/<key>.npy``, a uint8 array ``(examples, height, width, channels)``,
beside ``images/<key>.json``, which is written last and says what the array must be. The key is a
SHA-256 of everything that the pixels follow from. So that a second run need not read all files to
know the key, ``images/index/<signature>`` keeps it under a signature of names, sizes and times,
as git's index does.
"""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import platformdirs

from equipoise._typing import ImageArray
from equipoise.errors import InputError
from equipoise.runs import refusal

READER_VERSION = 1
"""Part of every key; raised whenever the same files would give other pixels."""

_CLOCK_TICK = 2 * 10**9  # nanoseconds; the coarsest file times in use (FAT) step by 2 s
_ABANDONED = 24 * 3600  # seconds after which a temporary file is a killed run's


@dataclass(frozen=True)
class Signature:
    """What is known of files without reading them; two equal ones mean equal files.

    Parameters
    ----------
    digest : str
        SHA-256 over folder, names, sizes and times of change.
    settled : bool
        False while a file is so new that a further change might not change its time.
    """

    digest: str
    settled: bool


@dataclass(frozen=True)
class Entry:
    """One array of decoded images.

    Parameters
    ----------
    key : str
        SHA-256 of the content.
    images : ndarray of uint8, shape (examples, height, width, channels)
        Memory-mapped, read-only.
    broken : tuple of (int, str)
        Positions in the list of files that gave no image, each with the reason.
    notes : tuple of str
        What was done while decoding.
    """

    key: str
    images: ImageArray
    broken: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()


def sign(root: Path, names: Sequence[str], how: Sequence[object] = ()) -> Signature:
    """Return the signature of files, from their sizes and their times of last change.

    A file rewritten with equal size and a restored modification time is still noticed where
    the system keeps a time of change that programs cannot set (all but Windows).

    Parameters
    ----------
    root : Path
        Folder of the files.
    names : sequence of str
        Their names below it.
    how : sequence, default=()
        How they are read, as for `content_key`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.png").write_bytes(b"new")
    ...     sign(Path(folder), ["a.png"]).settled
    False
    """
    digest = hashlib.sha256(repr((READER_VERSION, str(root.resolve()), *how)).encode())
    newest, now = 0, time.time_ns()
    for name in names:
        try:
            status = (root / name).stat()
            facts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        except OSError:
            facts = (-1, 0, 0)
        newest = max(newest, facts[2] if os.name == "posix" else facts[1])
        digest.update(repr((name, facts)).encode())
    return Signature(digest.hexdigest(), settled=now - newest > _CLOCK_TICK)


def content_key(how: Sequence[object], names: Iterable[str], digests: Iterable[bytes]) -> str:
    """Return the SHA-256 of how files are read, their names and the digests of their bytes.

    >>> content_key(["grey"], ["a"], [b"1"]) == content_key(["rgb"], ["a"], [b"1"])
    False
    """
    total = hashlib.sha256(repr((READER_VERSION, *how)).encode())
    for name, digest in zip(names, digests, strict=True):
        total.update(repr((name, digest)).encode())
    return total.hexdigest()


class Cache:
    """The folder of decoded images; any number of processes may use it at once.

    Parameters
    ----------
    folder : Path or None, default=None
        None: ``$EQUIPOISE_CACHE``, else the user's cache folder. It is made if need be.

    Raises
    ------
    InputError
        If the folder cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder))
    ...     with cache.writing("0" * 64, (2, 2, 2, 1)) as entry:
    ...         entry.append(bytes(8))
    ...     cache.open("0" * 64).images.shape
    (2, 2, 2, 1)
    """

    def __init__(self, folder: Path | None = None) -> None:
        default = os.environ.get("EQUIPOISE_CACHE") or platformdirs.user_cache_dir("equipoise")
        self.folder = Path(folder or default) / "images"
        self._index = self.folder / "index"
        try:
            self._index.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(str(error)) from error
        if (refused := refusal(self.folder)) is not None:
            raise self._unusable(f"`{self.folder}` refuses to be written to: {refused}")

    def open(self, key: str) -> Entry | None:
        """Return an entry, or None if there is none or it is not what it must be."""
        try:
            facts = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            shape = tuple(facts["shape"])
            broken = tuple((int(at), str(reason)) for at, reason in facts["broken"])
            notes = tuple(map(str, facts["notes"]))
            path = self.folder / f"{key}.npy"
            # Read-only memory of a file that is too short would end the process at its use.
            if path.stat().st_size != facts["bytes"]:
                return None
            # A plain view of the map: memmap's own indexing costs a tenth of a batch's time.
            images = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        sound = images.dtype == np.uint8 and images.shape == shape and images.ndim == 4
        return Entry(key, images, broken, notes) if sound else None

    def written(self, key: str) -> Entry:
        """Return the entry that was just written."""
        entry = self.open(key)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "Decoded images vanished", str(self.folder / key))
        return entry

    def recall(self, signature: Signature) -> Entry | None:
        """Return the entry that files of this signature gave before, if it is still there."""
        try:
            key = (self._index / signature.digest).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return self.open(key) if len(key) == 64 and key.isalnum() else None

    def remember(self, signature: Signature, key: str) -> None:
        """Note the key for files of this signature, unless they may still change unseen."""
        if signature.settled:
            with _replacing(self._index / signature.digest) as file:
                file.write(key.encode("ascii"))

    @contextmanager
    def writing(self, key: str, shape: tuple[int, int, int, int]) -> "Iterator[Draft]":
        """Give a `Draft` to fill; the entry appears when the block ends without an error.

        Parameters
        ----------
        key : str
            Key of the entry.
        shape : tuple of int
            ``(examples, height, width, channels)``; fewer examples may be appended.

        Raises
        ------
        InputError
            If the disk has less room than the images need.
        OSError
            If writing fails, for example because the disk is full. Nothing is left behind.
        """
        self._sweep()
        self._refuse_more_than_free(shape)
        with _replacing(self.folder / f"{key}.npy") as file:
            draft = Draft(file, shape)
            yield draft
            facts = draft.finish()
        with _replacing(self.folder / f"{key}.json") as file:
            file.write(json.dumps(facts, indent=1).encode())

    def _sweep(self) -> None:
        """Remove what killed runs left behind."""
        for path in (*self.folder.glob("*.tmp"), *self._index.glob("*.tmp")):
            with suppress(OSError):  # another process may sweep at the same time
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _refuse_more_than_free(self, shape: tuple[int, int, int, int]) -> None:
        n, height, width, channels = shape
        need, free = n * height * width * channels, shutil.disk_usage(self.folder).free
        if need > free:
            raise InputError(
                f"The decoded images need {need / 2**30:,.1f} GiB of disk.",
                f"{self.folder} has {free / 2**30:,.1f} GiB left.",
                "Set `EQUIPOISE_CACHE` to a folder on a larger disk, or give a smaller `--size`.",
            )

    def _unusable(self, found: str) -> InputError:
        return InputError(
            "Decoded images need a folder that can be written.",
            f"The cache folder fails: {found}.",
            "Set `EQUIPOISE_CACHE` to another folder.",
        )


class Draft:
    """An entry that is being written, image after image."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int, int]) -> None:
        self._file, self._shape = file, shape
        self.image_bytes = int(np.prod(shape[1:], dtype=object))
        self._written = 0
        self.broken: list[tuple[int, str]] = []
        self.notes: list[str] = []
        self._write_header(shape[0])

    def append(self, pixels: bytes | memoryview) -> None:
        """Write further pixels, in the order of the array; they need not be whole images."""
        self._written += self._file.write(pixels)

    def finish(self) -> dict[str, Any]:
        """Write the final header and return the facts that the entry is checked against."""
        n, rest = divmod(self._written, self.image_bytes)
        if rest or not 0 < n <= self._shape[0]:
            raise ValueError(f"{self._written} bytes are no {self._shape[0]} images")
        self._file.seek(0)
        self._write_header(n)
        size = self._file.seek(0, os.SEEK_END)
        shape = (n, *self._shape[1:])
        return {"shape": shape, "bytes": size, "broken": self.broken, "notes": self.notes}

    def _write_header(self, n: int) -> None:
        # numpy leaves room in the header for any first length, so the pixels stay in place.
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, *self._shape[1:])}
        np.lib.format.write_array_header_1_0(self._file, header)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when it is complete, else vanishes."""
    new = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with new.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        # A failed write does not know its file; "No space left on device" alone helps nobody.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        new.unlink(missing_ok=True)
