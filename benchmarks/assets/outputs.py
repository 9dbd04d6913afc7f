"""What a conversion returns, and how it is put on disk."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrity import Array, expect


@dataclass(frozen=True, kw_only=True)
class Converted:
    """An asset in memory.

    Parameters
    ----------
    files : mapping of str to bytes
        Path below the output folder, and what to write there.
    parts : mapping of str to bytes or array
        What the digest of the content covers.
    counts : mapping of str to mapping of str to int
        Part or table, then class, then its number of rows.
    note : str, default=""
        What else a person should know about it.
    """

    files: Mapping[str, bytes]
    parts: Mapping[str, bytes | Array]
    counts: Mapping[str, Mapping[str, int]]
    note: str = ""


def table(file: str, features: Sequence[str], rows: Sequence[Sequence[str]]) -> Converted:
    """Return a CSV file with a header row and the class in the last column, ``target``."""
    expect(all(len(row) == len(features) + 1 for row in rows), f"{file}: ragged rows.")
    content = {file: _csv_bytes([*features, "target"], rows)}
    counts = Counter(row[-1] for row in rows).most_common()
    return Converted(files=content, parts=content, counts={"rows": dict(counts)})


def _csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def write_atomically(path: Path, payload: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as handle:
            handle.write(payload)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
