"""Tables as data sets: CSV and Parquet files, and frames that are already in memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise._typing import NameArray
from equipoise.data.columns import column_kind, column_of, with_text_names
from equipoise.data.dataset import Dataset
from equipoise.data.frames import read_frame
from equipoise.data.hashing import file_fingerprint, frame_fingerprint
from equipoise.data.labels import encode_labels, find_label, label_notes
from equipoise.data.options import ReadOptions
from equipoise.data.parts import PART_NAMES, check_classes, own_split
from equipoise.data.wording import listing, rows_where, suggestion
from equipoise.errors import InputError

SPLIT_COLUMN = "split"
"""Name of the column that is taken as the data's own split if its values are names of parts."""

_FEWEST_COUNTED = 10


def read_table(path: Path, options: ReadOptions) -> Dataset:
    r"""Read a CSV or Parquet file with one row an example and one column for the label.

    CSV is UTF-8 text or has a byte-order mark, unless `options` gives its encoding; the separator
    (comma, semicolon or tab) is found from the header, and the decimal mark from the numbers. A
    column ``split`` that holds only ``train``, ``val`` or
    ``validation``, and ``test`` becomes the data set's own split. A first column without a
    name that counts the rows is left out.

    Parameters
    ----------
    path : Path
        File that ends in ``.csv``, ``.tsv``, ``.txt`` or ``.parquet``.
    options : ReadOptions
        `label` (None: the only column called target, label, class or y), `drop`, `decimal`,
        `missing`, `dates`, `encoding` and `kinds` are used.

    Returns
    -------
    Dataset
        `X` is a DataFrame without the label; `ids` are row numbers from 0; the fingerprint is
        that of the file.

    Raises
    ------
    InputError
        If the file is missing, empty, malformed or not in the encoding, if a column is named
        twice, without any value, infinite or written with two decimal marks, or if the label does
        not name at least two classes.

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
    return make_table(path, *read_frame(path, options))


def make_table(
    path: Path, frame: pd.DataFrame, notes: Sequence[str], options: ReadOptions
) -> Dataset:
    """Make a data set of what `read_frame` returned for a file.

    Parameters
    ----------
    path : Path
        The file.
    frame : DataFrame
        Its rows, the label among the columns.
    notes : sequence of str
        Notes on the reading.
    options : ReadOptions
        As for `read_table`, with the decimal mark that was found.

    Raises
    ------
    InputError
        As `read_table` does.
    """
    dataset = _dataset(frame, options)
    return replace(
        dataset,
        name=path.stem,
        fingerprint=file_fingerprint(path),
        reading={} if options.decimal == "auto" else {"decimal": options.decimal},
        notes=(*notes, *dataset.notes),
    )


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
    frame = with_text_names(frame, name).reset_index(drop=True)
    dataset = _dataset(frame, ReadOptions(label=label))
    return replace(dataset, name=name, fingerprint=frame_fingerprint(frame))


def read_alike(options: ReadOptions, dataset: Dataset) -> ReadOptions:
    """Return options with which other rows are read as those of a data set were.

    Examples
    --------
    >>> data = from_frame(pd.DataFrame({"age": [3, 5, 4], "y": [True, False, True]}))
    >>> read_alike(ReadOptions(), data).kinds
    {'age': 'numeric'}
    """
    if not isinstance(dataset.X, pd.DataFrame):
        return options
    kinds = {str(name): _known_kind(column) for name, column in dataset.X.items()}
    return replace(options, **dataset.reading, kinds=kinds)  # pyright: ignore[reportArgumentType]


def _known_kind(column: pd.Series) -> str:
    # By its type first: a column that is constant here may hold other numbers elsewhere.
    if types.is_bool_dtype(column):
        return "boolean"
    return "numeric" if types.is_numeric_dtype(column) else column_kind(column)


def _dataset(frame: pd.DataFrame, options: ReadOptions) -> Dataset:
    if frame.empty:
        raise InputError(
            "A table must have rows and columns.",
            f"It has the shape {frame.shape}.",
            "Check that it was written completely.",
        )
    label, chosen = find_label(list(frame.columns), options.label)
    codes, classes = encode_labels(column_of(frame, label))
    X = frame.drop(columns=[label, *_dropped(frame, label, options)])
    X, parts, notes = _own_split(X)
    _check_features(X)
    lacks = check_classes(codes, classes, parts)
    return Dataset(
        name="",
        X=X,
        codes=codes,
        classes=classes,
        ids=np.arange(len(X)).astype(str),
        parts=parts,
        notes=(
            *([chosen] if chosen else []),
            *notes,
            *lacks,
            *label_notes(classes),
            *_counting_notes(X),
        ),
    )


def _dropped(frame: pd.DataFrame, label: str, options: ReadOptions) -> list[str]:
    columns = list(frame.columns)
    for name in options.drop:
        if name == label:
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
        beyond = np.abs(_numbers(column)) > np.finfo(np.float32).max
        if beyond.any():
            raise InputError(
                f"The values of the column {name!r} must be finite 32-bit numbers.",
                f"They are infinite or too large in {rows_where(beyond)}.",
                f"Correct them, leave them empty, or leave the column out with `--drop {name!r}`.",
            )


def _numbers(column: pd.Series) -> np.ndarray:
    """Return the numbers of a column as float64; NaN stands for everything else."""
    if types.is_float_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    if column.dtype != object:
        return np.full(len(column), np.nan)
    return np.array([x if isinstance(x, float) else np.nan for x in column], dtype=np.float64)


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
