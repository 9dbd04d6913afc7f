"""Hashes of files, tables and single examples: what makes two of them the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.util import hash_pandas_object

from equipoise._typing import ImageArray

HashArray = NDArray[np.uint64]
"""One hash an example; of n examples that differ, two agree with probability below n^2 / 2^65."""

_CHUNK_BYTES = 2**26
_hash_rows = cast("Callable[..., pd.Series]", hash_pandas_object)


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame_fingerprint(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the names, types and values of a table, in hexadecimal."""
    schema = repr([(name, str(dtype)) for name, dtype in frame.dtypes.items()])
    return hashlib.sha256(schema.encode() + row_hashes(frame).tobytes()).hexdigest()


def row_hashes(frame: pd.DataFrame) -> HashArray:
    """Return a hash of the values of each row.

    >>> hashes = row_hashes(pd.DataFrame({"a": [1, 2, 1], "b": ["x", "x", "x"]}))
    >>> (hashes == hashes[0]).tolist()
    [True, False, True]
    """
    # Object columns may hold values of several types, which pandas does not hash.
    mixed = [str(name) for name, dtype in frame.dtypes.items() if dtype.kind == "O"]
    plain = frame.assign(**{name: frame[name].map(repr) for name in mixed})
    return np.asarray(_hash_rows(plain, index=False), dtype=np.uint64)


def image_hashes(images: ImageArray) -> HashArray:
    """Return a hash of the pixels of each image; memory-mapped images are read in pieces.

    >>> images = np.zeros((2, 1, 1, 3), dtype=np.uint8)
    >>> len(set(image_hashes(images).tolist()))
    1
    """
    size = max(1, _CHUNK_BYTES // max(1, images[:1].nbytes))
    hashes = np.empty(len(images), dtype=np.uint64)
    for start in range(0, len(images), size):
        for offset, image in enumerate(np.ascontiguousarray(images[start : start + size])):
            digest = hashlib.blake2b(image, digest_size=8).digest()
            hashes[start + offset] = int.from_bytes(digest, "little")
    return hashes
