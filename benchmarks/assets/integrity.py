"""What must hold of an asset, and the digests that prove it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class AssetError(Exception):
    """One asset cannot be made; the message says why and what to do."""


class Array(Protocol):
    """The part of a numpy array that a digest needs, so that digests need no numpy."""

    @property
    def dtype(self) -> "object":
        """Type of the elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        ...

    def tobytes(self) -> bytes:
        """Return the elements in memory order."""
        ...


def expect(condition: bool, message: str) -> None:
    """Raise `AssetError` with this message unless the condition holds."""
    if not condition:
        raise AssetError(message)


def expect_sha256(what: str, found: str, wanted: str) -> None:
    """Raise `AssetError` unless the two digests are equal."""
    expect(found == wanted, f"{what} has sha256 {found}, expected {wanted}.")


def bytes_sha256(payload: bytes) -> str:
    """Return the digest of a byte string, in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the digest of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_sha256(parts: Mapping[str, bytes | Array]) -> str:
    """Return one digest for named arrays or byte strings, whatever file holds them.

    Compression differs between versions of a library; the content does not.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        part = parts[name]
        if isinstance(part, bytes):
            digest.update(f"{name} bytes {len(part)}\n".encode())
            digest.update(part)
        else:
            kind = getattr(part.dtype, "str", part.dtype)
            digest.update(f"{name} {kind} {part.shape}\n".encode())
            digest.update(part.tobytes())
    return digest.hexdigest()
