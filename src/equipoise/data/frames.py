"""Table files as frames, before anything is known of labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from equipoise.data.columns import with_text_names
from equipoise.data.conversion import check_reading, interpreted, with_missing
from equipoise.data.delimited import read_header, read_rows
from equipoise.data.labels import LABEL_NAMES
from equipoise.data.options import ReadOptions
from equipoise.data.parquet import read_parquet
from equipoise.errors import InputError

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
"""Endings of table files; upper and lower case count the same."""


def read_frame(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, list[str], ReadOptions]:
    """Read the rows of a CSV or Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    options : ReadOptions
        `label`, `drop`, `decimal`, `missing`, `dates`, `encoding` and `kinds` are used.

    Returns
    -------
    frame : DataFrame
        The rows, called by their numbers from 0. The label of a CSV file is text as it is
        written; numbers are those that text spells; what is no number stays text.
    notes : list of str
        How they were read.
    options : ReadOptions
        The given ones with the decimal mark that was found, to read other rows in the same way.

    Raises
    ------
    InputError
        If the file is missing, empty or malformed, not in the encoding, a column is named twice,
        or numbers contradict the decimal mark.
    """
    check_reading(options)
    if not path.is_file():
        raise InputError("A table must be a file.", f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() in PARQUET_SUFFIXES:
        frame, notes = read_parquet(path)
        frame = with_missing(with_text_names(frame, str(path)), options.missing)
        skipped, separator = _labels(list(frame.columns), options), None
    else:
        frame, notes, separator = _read_delimited(path, options)
        skipped = _labels(list(frame.columns), options)
    frame, found, decimal = interpreted(frame, options, [*skipped, *options.drop], separator)
    return frame, [*notes, *found], replace(options, decimal=decimal)


def _labels(names: Sequence[str], options: ReadOptions) -> list[str]:
    """Return the columns that may be the label."""
    by_name = [name for name in names if name.lower() in LABEL_NAMES]
    return by_name if options.label is None else [options.label]


def _read_delimited(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, list[str], str]:
    header = read_header(path, options.encoding)
    frame = read_rows(path, header, _labels(header.names, options), options.missing)
    first, counting = header.names[0], [str(row) for row in range(len(frame))]
    if first == "" and frame[first].tolist() == counting:
        note = "The first column has no name and counts the rows: it was left out."
        return frame.drop(columns=first), [note], header.separator
    return frame, [], header.separator
