"""Tables as data sets: CSV and Parquet files, and frames that are already in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise._typing import NameArray
from equipoise.data.columns import column_of
from equipoise.data.dataset import Dataset
from equipoise.data.delimited import read_header, read_rows
from equipoise.data.hashing import file_fingerprint, frame_fingerprint
from equipoise.data.labels import encode_labels, find_label, label_notes
from equipoise.data.options import ReadOptions
from equipoise.data.parquet import read_parquet
from equipoise.data.parts import PART_NAMES, check_classes, own_split
from equipoise.data.wording import listing, rows_where, suggestion
from equipoise.errors import InputError

SPLIT_COLUMN = "split"
"""Name of the column that is taken as the data's own split if its values are names of parts."""

_FEWEST_COUNTED = 10


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """A table before anything is taken out of it."""

    frame: pd.DataFrame
    label: str
    name: str
    fingerprint: str
    notes: tuple[str, ...] = ()


def read_table(path: Path, options: ReadOptions) -> Dataset:
    r"""Read a CSV or Parquet file with one row an example and one column for the label.

    CSV is UTF-8 text, with or without a byte-order mark; the separator (comma, semicolon or
    tab) is found from the header. A column ``split`` that holds only ``train``, ``val`` or
    ``validation``, and ``test`` becomes the data set's own split. A first column without a
    name that counts the rows is left out.

    Parameters
    ----------
    path : Path
        File that ends in ``.csv``, ``.tsv``, ``.txt`` or ``.parquet``.
    options : ReadOptions
        `label` (None: the only column called target, label, class or y) and `drop` are used.

    Returns
    -------
    Dataset
        `X` is a DataFrame without the label; `ids` are row numbers from 0; the fingerprint is
        that of the file.

    Raises
    ------
    InputError
        If the file is missing, empty, malformed or not UTF-8, if a column is named twice,
        without any value or infinite, or if the label does not name at least two classes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pets.csv")
    ...     _ = path.write_text("age;species\n3;cat\n5;dog\n")
    ...     data = read_table(path, ReadOptions(label="species"))
    >>> data.classes, data.X.columns.tolist()
    (('cat', 'dog'), ['age'])
    """
    if not path.is_file():
        raise InputError("A table must be a file.", f"There is no file {path}.", "Check the path.")
    parquet = path.suffix.lower() == ".parquet"
    return _dataset(_raw_parquet(path, options) if parquet else _raw_csv(path, options), options)


def from_frame(frame: pd.DataFrame, label: str | None = None, name: str = "table") -> Dataset:
    """Make a data set of a DataFrame that holds the label as a column.

    Parameters
    ----------
    frame : DataFrame
        One row an example. The index is not used.
    label : str or None, default=None
        Label column; None as in `read_table`.
    name : str, default="table"
        Name of the data set.

    Returns
    -------
    Dataset
        As `read_table` returns it; the fingerprint is that of columns, types and values.

    Raises
    ------
    InputError
        As `read_table` does.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [3, 5, 4], "y": [True, False, True]})
    >>> from_frame(frame).classes
    ('False', 'True')
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    _refuse_repeated(frame, name)
    column, note = find_label(list(frame.columns), label)
    raw = _Raw(
        frame=frame.reset_index(drop=True),
        label=column,
        name=name,
        fingerprint=frame_fingerprint(frame),
        notes=(note,) if note else (),
    )
    return _dataset(raw, ReadOptions(label=label))


def _raw_csv(path: Path, options: ReadOptions) -> _Raw:
    header = read_header(path)
    label, note = find_label(header.names, options.label)
    frame = read_rows(path, header, label)
    notes = [note] if note else []
    if header.decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    first = header.names[0]
    if first == "" and np.array_equal(frame[first], np.arange(len(frame))):
        frame = frame.drop(columns=first)
        notes.append("The first column has no name and counts the rows: it was left out.")
    return _Raw(
        frame=frame,
        label=label,
        name=path.stem,
        fingerprint=file_fingerprint(path),
        notes=tuple(notes),
    )


def _raw_parquet(path: Path, options: ReadOptions) -> _Raw:
    frame, notes = read_parquet(path)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    _refuse_repeated(frame, str(path))
    label, note = find_label(list(frame.columns), options.label)
    return _Raw(
        frame=frame,
        label=label,
        name=path.stem,
        fingerprint=file_fingerprint(path),
        notes=tuple([note, *notes] if note else notes),
    )


def _dataset(raw: _Raw, options: ReadOptions) -> Dataset:
    _refuse_no_rows(raw)
    codes, classes = encode_labels(column_of(raw.frame, raw.label))
    X = raw.frame.drop(columns=[raw.label, *_dropped(raw, options)])
    X, parts, notes = _own_split(X)
    _check_features(X)
    notes += check_classes(codes, classes, parts)
    return Dataset(
        name=raw.name,
        X=X,
        codes=codes,
        classes=classes,
        ids=np.arange(len(X)).astype(str),
        parts=parts,
        fingerprint=raw.fingerprint,
        notes=(*raw.notes, *notes, *label_notes(classes), *_counting_notes(X)),
    )


def _refuse_no_rows(raw: _Raw) -> None:
    if raw.frame.empty:
        raise InputError(
            "A table must have rows.",
            f"The table {raw.name} has columns only.",
            "Check that it was written completely.",
        )


def _dropped(raw: _Raw, options: ReadOptions) -> list[str]:
    columns = list(raw.frame.columns)
    for name in options.drop:
        if name == raw.label:
            raise InputError(
                "The label column cannot be dropped.",
                f"{name!r} is both the label and dropped.",
                "Choose another label column with `--label`, or keep this one.",
            )
        if name not in columns:
            raise InputError(
                "A column to drop must be in the table.",
                f"There is no {name!r} among {listing(columns, 20)}.",
                suggestion(name, columns, "Name one of these."),
            )
    return list(options.drop)


def _own_split(X: pd.DataFrame) -> tuple[pd.DataFrame, NameArray | None, list[str]]:
    if SPLIT_COLUMN not in X.columns:
        return X, None, []
    values = [str(value).strip().lower() for value in X[SPLIT_COLUMN]]
    if not set(values) <= set(PART_NAMES):
        return X, None, []
    note = f"The column {SPLIT_COLUMN!r} was taken as the data's own split."
    parts = own_split(np.array([PART_NAMES[value] for value in values]))
    return X.drop(columns=SPLIT_COLUMN), parts, [note]


def _check_features(X: pd.DataFrame) -> None:
    if X.columns.empty:
        raise InputError(
            "A table must have at least one column beside the label.",
            "No other column is left.",
            "Add columns, or drop fewer.",
        )
    empty = [name for name, column in X.items() if column.isna().all()]
    if empty:
        raise InputError(
            "Every column must hold a value.",
            f"All values are missing in {listing(map(repr, empty))}.",
            f"Leave out such a column with `--drop {empty[0]!r}`.",
        )
    for name, column in X.items():
        fractional = types.is_float_dtype(column)
        infinite = np.isinf(column.to_numpy(np.float64, na_value=np.nan)) if fractional else False
        if np.any(infinite):
            raise InputError(
                f"The values of the column {name!r} must be finite.",
                f"They are infinite in {rows_where(infinite)}.",
                f"Correct them, leave them empty, or leave the column out with `--drop {name!r}`.",
            )


def _counting_notes(X: pd.DataFrame) -> list[str]:
    """Point at columns that number the rows: such a column gives away a sorted label."""
    if len(X) < _FEWEST_COUNTED:
        return []
    steps = np.arange(len(X))
    counting = [
        name
        for name, column in X.items()
        if types.is_integer_dtype(column)
        and column.notna().all()
        and np.array_equal(column.to_numpy(np.int64) - column.iloc[0], steps)
    ]
    return [
        f"The column {name!r} numbers the rows; leave it out with `--drop {name!r}` "
        "unless it means something."
        for name in counting
    ]


def _refuse_repeated(frame: pd.DataFrame, source: str) -> None:
    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):
        raise InputError(
            "Every column of a table must have a name of its own.",
            f"In {source} these names stand more than once: {listing(map(repr, repeated))}.",
            "Rename or remove the repeated columns.",
        )
