"""Delimited text (CSV): its dialect, its header and its rows, with every fault named."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from equipoise.data.wording import counted, listing
from equipoise.errors import InputError

SEPARATORS = (",", ";", "\t")
"""Separators that are recognised; the one that cuts the header into most names is taken."""

# "None" is not among the marks of the label column: it is a natural name of a class.
_MISSING = ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
_MISSING_FEATURE = (*_MISSING, "None", "?", "-nan", "-NaN", "#NA")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first lines of a delimited file say about the rest.

    Parameters
    ----------
    names : tuple of str
        Names of the columns, without surrounding blanks.
    separator : str
        Comma, semicolon or tab.
    encoding : str
        Encoding of the file: that of its byte-order mark, else the one that was given.
    """

    names: tuple[str, ...]
    separator: str
    encoding: str


def read_header(path: Path, encoding: str = "utf-8") -> Header:
    """Return the column names and the dialect of a delimited file.

    Raises
    ------
    InputError
        If there is no such encoding, or the file is empty, is not in it, has no header line
        or names a column twice.
    """
    encoding = _encoding(path, encoding)
    heads = {mark: list(islice(_records(path, mark, encoding), 2)) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=lambda mark: len(heads[mark][0][1]) if heads[mark] else 0)
    if not heads[separator]:
        raise InputError(
            "A table must have a header line and rows.",
            f"The file {path} is empty.",
            "Check that it was written completely.",
        )
    (_, first), *rows = heads[separator]
    names = tuple(name.strip() for name in first)
    _check_names(names, path)
    if rows and len(rows[0][1]) > len(names):
        raise _ragged(path, rows[0][0], len(rows[0][1]), len(names))
    return Header(names=names, separator=separator, encoding=encoding)


def read_rows(
    path: Path, header: Header, labels: Collection[str] = (), missing: Collection[str] = ()
) -> pd.DataFrame:
    """Return the rows of a delimited file, every value as it is written.

    Empty cells, ``NA``, ``NaN``, ``null``, ``None``, ``?`` and what `missing` names are missing
    values. In the columns `labels`, ``None`` and ``?`` are class names.

    Raises
    ------
    InputError
        If there are no rows, or a row has more or fewer fields than the header.
    """
    absent = {
        name: [*(_MISSING if name in labels else _MISSING_FEATURE), *missing]
        for name in header.names
    }
    try:
        frame = pd.read_csv(
            path,
            sep=header.separator,
            names=list(header.names),
            header=0,
            dtype=str,
            na_values=absent,
            keep_default_na=False,
            skipinitialspace=True,
            encoding=header.encoding,
        )
    except pd.errors.ParserError as error:
        raise _malformed(path, error) from None
    except UnicodeError:
        raise _undecodable(path, header.encoding) from None
    if frame.empty:
        raise InputError(
            "A table must have rows.",
            f"The file {path} holds a header line only.",
            "Check that it was written completely.",
        )
    _refuse_short_rows(path, header, frame)
    return frame


def _check_names(names: tuple[str, ...], path: Path) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            "Every column of a table must have a name of its own.",
            f"In {path} these names stand more than once: {listing(map(repr, repeated))}.",
            "Rename or remove the repeated columns.",
        )
    counting = [*map(str, range(len(names)))], [*map(str, range(1, len(names) + 1))]
    if all(_NUMBER.fullmatch(name) for name in names) and list(names) not in counting:
        raise InputError(
            "The first line of a table must name the columns.",
            f"In {path} it holds only numbers: {listing(names)}.",
            "Add a header line.",
        )


def _encoding(path: Path, encoding: str) -> str:
    """Return the encoding that a file's byte-order mark tells, else the given one."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise InputError(
            "`--encoding` must be the name of a text encoding.",
            f"{encoding!r} is none that Python knows.",
            "Give one such as utf-8, cp1252, latin-1 or utf-16.",
        ) from None
    with path.open("rb") as file:
        start = file.read(3)
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), encoding)


def _refuse_short_rows(path: Path, header: Header, frame: pd.DataFrame) -> None:
    """Refuse rows with too few fields, which pandas fills up with missing values.

    Such a row lacks its last field, so that most files need no second look.
    """
    if not np.asarray(frame[header.names[-1]].isna()).any():
        return
    for line, row in _records(path, header.separator, header.encoding):
        if len(row) < len(header.names):
            raise _ragged(path, line, len(row), len(header.names))


def _records(path: Path, separator: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the fields of each record that is not blank."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        try:
            for row in reader:
                if any(map(str.strip, row)):
                    yield reader.line_num, row
        except csv.Error as error:
            raise _malformed(path, error) from None
        except UnicodeError:
            raise _undecodable(path, encoding) from None


def _ragged(path: Path, line: int, fields: int, names: int) -> InputError:
    return InputError(
        "Every row of a table must have as many fields as the header.",
        f"Line {line} of {path} has {counted(fields, 'field')}, the header {names}.",
        "Correct the line; put text that holds the separator in quotes.",
    )


def _malformed(path: Path, error: Exception) -> InputError:
    fault = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
    return InputError(
        "Every row of a table must have as many fields as the header, with quotes closed.",
        f"Reading {path} failed: {fault}.",
        "Correct the line; put text that holds the separator in quotes.",
    )


def _undecodable(path: Path, encoding: str) -> InputError:
    """Say where a file stops being text in its encoding."""
    name = "UTF-8" if encoding in ("utf-8", "utf-8-sig") else encoding
    where = "It cannot be decoded"
    with path.open("rb") as file:
        # In UTF-16 and UTF-32 a line does not end at a single byte.
        lines = file if "\n".encode(encoding) == b"\n" or name == "UTF-8" else ()
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                byte = line[error.start]
                where = f"Line {number} has the byte 0x{byte:02X} at position {error.start + 1}"
                break
    return InputError(
        f"The table {path} must be text in the encoding {name}.",
        f"{where}.",
        "Give its own encoding, for example `--encoding cp1252` for Western European Windows, or "
        "convert it with `iconv -f WINDOWS-1252 -t UTF-8`.",
    )
