"""Reading .npz archives piece by piece: nothing is unpickled, nothing large enters memory."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from equipoise.errors import InputError

_MOST_IN_MEMORY = 2**30  # bytes of one array of labels or names
_CHUNK = 2**20


@dataclass(frozen=True)
class ArrayHeader:
    """What one array in an archive declares.

    Parameters
    ----------
    shape : tuple of int
        Its lengths, none below 0.
    dtype : dtype
        Type of its values; never Python objects.
    offset : int
        Bytes before the first value.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    @property
    def n_bytes(self) -> int:
        """Size of the values; a Python integer, so that no shape makes it overflow."""
        return prod(self.shape) * self.dtype.itemsize


class Archive:
    """An open .npz file; use `open_archive`."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self._file = path, file
        self.keys = [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]

    def header(self, key: str) -> ArrayHeader:
        """Return what an array declares, after checking it against the archive.

        Raises
        ------
        InputError
            If the array holds Python objects, is stored in column order, or is not of the
            size that it declares.
        """
        with self._opened(key) as member:
            header = self._header(key, member)
        declared = header.offset + header.n_bytes
        found = self._file.getinfo(f"{key}.npy").file_size
        if declared != found:
            raise InputError(
                "Arrays in an .npz file must have the size that they declare.",
                f"`{key}` in {self.path} declares {declared:,} bytes and has {found:,}.",
                "Write the file again.",
            )
        return header

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the bytes of an array's values in order, at most 1 MiB at a time."""
        header = self.header(key)
        left = header.n_bytes
        with self._opened(key) as member:
            member.read(header.offset)
            while left:
                chunk = member.read(min(_CHUNK, left))
                if not chunk:
                    raise _damaged(self.path, f"`{key}` ends early")
                left -= len(chunk)
                yield chunk

    def array(self, key: str) -> np.ndarray:
        """Return a small array, such as the labels."""
        header = self.header(key)
        if header.n_bytes > _MOST_IN_MEMORY:
            raise InputError(
                "Labels and class names must fit into memory.",
                f"`{key}` in {self.path} has {header.n_bytes / 2**30:,.1f} GiB.",
                "Check how the file was made.",
            )
        values = np.frombuffer(b"".join(self.chunks(key)), dtype=header.dtype)
        return values.reshape(header.shape)

    @contextmanager
    def _opened(self, key: str) -> Iterator[IO[bytes]]:
        info = self._file.getinfo(f"{key}.npy")
        if info.flag_bits & 1:
            raise _damaged(self.path, f"`{key}` is encrypted")
        with _faults(self.path), self._file.open(info) as member:
            yield member

    def _header(self, key: str, member: IO[bytes]) -> ArrayHeader:
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        try:
            shape, by_column, dtype = readers[np.lib.format.read_magic(member)](member)
        # The header is a Python literal; parsing a damaged one may raise nearly anything.
        except Exception as error:
            raise _damaged(self.path, f"`{key}` is no array of numbers or text") from error
        if dtype.hasobject:
            raise InputError(
                "Arrays must hold numbers or text.",
                f"`{key}` in {self.path} holds pickled Python objects, which could run code.",
                "Save it with a plain type, for example `array.astype(str)`.",
            )
        if by_column and len(shape) > 1:
            raise InputError(
                "Arrays must be stored row by row.",
                f"`{key}` in {self.path} is stored column by column.",
                "Save `np.ascontiguousarray(array)`.",
            )
        if min(shape, default=0) < 0:
            raise _damaged(self.path, f"`{key}` declares the shape {shape}")
        return ArrayHeader(shape, dtype, member.tell())


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an .npz file for reading.

    Raises
    ------
    InputError
        If it is no complete zip archive, here or at any later reading.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), labels=np.arange(3))
    ...     with open_archive(Path(folder, "a.npz")) as archive:
    ...         archive.keys, archive.header("labels").shape, archive.array("labels").tolist()
    (['labels'], (3,), [0, 1, 2])
    """
    with _faults(path):
        file = zipfile.ZipFile(path)
    with file:
        yield Archive(path, file)


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what damaged archives raise into one error."""
    try:
        yield
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    # A damaged directory sends the reader to places before the file or to unknown methods.
    except (OSError, ValueError, OverflowError, NotImplementedError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, fault: str) -> InputError:
    return InputError(
        "An .npz file must be a complete archive, as `np.savez` writes it.",
        f"{path} cannot be read: {fault}.",
        "Download or write it again.",
    )
