"""Reading idx files, the format of MNIST and Fashion-MNIST, plain or compressed with gzip."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

import numpy as np

from equipoise.errors import InputError

_CHUNK = 2**20
_Readable = gzip.GzipFile | BufferedReader
_UINT8 = 0x08  # the type code of unsigned bytes, the third byte of every file


def idx_file(folder: Path, stem: str) -> Path | None:
    """Return ``folder/stem`` or ``folder/stem.gz``, whichever exists.

    >>> idx_file(Path("nowhere"), "train-images-idx3-ubyte") is None
    True
    """
    with suppress(OSError):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def idx_shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape that the file declares.

    Raises
    ------
    InputError
        If it is no idx file of unsigned bytes with so many dimensions.
    """
    with _opened(path) as file:
        return _shape(path, file, dimensions)


def idx_chunks(path: Path, dimensions: int) -> Iterator[bytes]:
    """Yield the values in order, at most 1 MiB at a time.

    Raises
    ------
    InputError
        If the file holds fewer or more values than it declares, or is damaged.
    """
    with _opened(path) as file:
        left = 1
        for length in _shape(path, file, dimensions):
            left *= length
        while left:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                raise _damaged(path, f"{left:,} bytes are missing at its end")
            left -= len(chunk)
            yield chunk
        # Reading to the end also compares the checksum of a compressed file.
        if file.read(1):
            raise _damaged(path, "it is longer than it declares")


def idx_labels(path: Path) -> np.ndarray:
    """Return the labels of a one-dimensional idx file, uint8, shape ``(examples,)``."""
    return np.frombuffer(b"".join(idx_chunks(path, 1)), dtype=np.uint8)


def _shape(path: Path, file: _Readable, dimensions: int) -> tuple[int, ...]:
    head = file.read(4 * (1 + dimensions))
    if len(head) < 4 * (1 + dimensions):
        raise _damaged(path, "its header is incomplete")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", head)
    if magic != _UINT8 << 8 | dimensions:
        raise _damaged(path, f"its first bytes are 0x{magic:08X}")
    return tuple(shape)


@contextmanager
def _opened(path: Path) -> Iterator[_Readable]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _damaged(path, str(error).rstrip(".")) from error
    except PermissionError as error:
        raise _damaged(path, str(error.strerror)) from error


def _damaged(path: Path, fault: str) -> InputError:
    return InputError(
        "An idx file must be complete and hold unsigned bytes.",
        f"{path} cannot be used: {fault}.",
        "Download it again.",
    )
