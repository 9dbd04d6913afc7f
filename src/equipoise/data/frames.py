"""Table files as frames, before anything is known of labels."""

from pathlib import Path

import numpy as np
import pandas as pd

from equipoise.data.columns import with_text_names
from equipoise.data.delimited import read_header, read_rows
from equipoise.data.labels import LABEL_NAMES
from equipoise.data.options import ReadOptions
from equipoise.data.parquet import read_parquet
from equipoise.errors import InputError

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
"""Endings of table files; upper and lower case count the same."""


def read_frame(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of a CSV or Parquet file, the label as text, and notes.

    Parameters
    ----------
    path : Path
        The file.
    options : ReadOptions
        `label` is used: this column of a CSV file is not interpreted.

    Raises
    ------
    InputError
        If the file is missing, empty, malformed or not UTF-8, or a column is named twice.
    """
    if not path.is_file():
        raise InputError("A table must be a file.", f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() in PARQUET_SUFFIXES:
        frame, notes = read_parquet(path)
        return with_text_names(frame, str(path)), notes
    return _read_delimited(path, options)


def _read_delimited(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    header = read_header(path)
    by_name = [name for name in header.names if name.lower() in LABEL_NAMES]
    labels = by_name if options.label is None else [options.label]
    frame, notes = read_rows(path, header, labels), []
    if header.decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    first = header.names[0]
    if first == "" and np.array_equal(frame[first], np.arange(len(frame))):
        frame = frame.drop(columns=first)
        notes.append("The first column has no name and counts the rows: it was left out.")
    return frame, notes
