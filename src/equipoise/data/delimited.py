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
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first lines of a delimited file say about the rest.

    Parameters
    ----------
    names : tuple of str
        Names of the columns, without surrounding blanks.
    separator : str
        Comma, semicolon or tab.
    decimal : str
        Decimal point or, where the separator is another, decimal comma.
    """

    names: tuple[str, ...]
    separator: str
    decimal: str


def read_header(path: Path) -> Header:
    """Return the column names and the dialect of a delimited file.

    Raises
    ------
    InputError
        If the file is empty, is not UTF-8, has no header line or names a column twice.
    """
    heads = {mark: list(islice(_records(path, mark), 20)) for mark in SEPARATORS}
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
    return Header(names=names, separator=separator, decimal=_decimal(separator, rows))


def read_rows(path: Path, header: Header, labels: Collection[str] = ()) -> pd.DataFrame:
    """Return the rows of a delimited file.

    Empty cells, ``NA``, ``NaN``, ``null``, ``None`` and ``?`` are missing values. Columns in
    `labels` stay text, and there ``None`` and ``?`` are class names.

    Raises
    ------
    InputError
        If there are no rows, or a row has more or fewer fields than the header.
    """
    missing = {
        name: list(_MISSING if name in labels else _MISSING_FEATURE) for name in header.names
    }
    try:
        frame = pd.read_csv(
            path,
            sep=header.separator,
            decimal=header.decimal,
            names=list(header.names),
            header=0,
            dtype=dict.fromkeys(labels, str),
            na_values=missing,
            keep_default_na=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise _malformed(path, error) from None
    except UnicodeDecodeError:
        raise _undecodable(path) from None
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


def _decimal(separator: str, rows: list[tuple[int, list[str]]]) -> str:
    cells = [cell.strip() for _, row in rows for cell in row]
    comma = any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return "," if separator != "," and comma else "."


def _refuse_short_rows(path: Path, header: Header, frame: pd.DataFrame) -> None:
    """Refuse rows with too few fields, which pandas fills up with missing values.

    Such a row lacks its last field, so that most files need no second look.
    """
    if not np.asarray(frame[header.names[-1]].isna()).any():
        return
    for line, row in _records(path, header.separator):
        if len(row) < len(header.names):
            raise _ragged(path, line, len(row), len(header.names))


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the fields of each record that is not blank."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        try:
            for row in reader:
                if any(map(str.strip, row)):
                    yield reader.line_num, row
        except csv.Error as error:
            raise _malformed(path, error) from None
        except UnicodeDecodeError:
            raise _undecodable(path) from None


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


def _undecodable(path: Path) -> InputError:
    """Say where a file stops being UTF-8."""
    where = "It cannot be decoded"
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                where = f"Line {number} has the byte 0x{byte:02X} at position {error.start + 1}"
                break
    return InputError(
        f"The table {path} must be UTF-8 text.",
        f"{where}.",
        "Convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`.",
    )
