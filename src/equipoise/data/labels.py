"""The label column of a table: which column it is, and the classes that it names."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray
from equipoise.data.wording import listing, rows_where, suggestion
from equipoise.errors import InputError

LABEL_NAMES = ("target", "label", "class", "y")
"""Names that mark the label column when none is given; upper and lower case count the same."""

MOST_NUMBERS = 100
"""Distinct fractional values above which a label is taken for a measurement, not a class."""

_UNLABELLED = "For rows that have no label, use `equipoise predict`."

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def find_label(columns: Sequence[str], label: str | None) -> tuple[str, str | None]:
    """Return the label column, and a note if it was chosen by its name.

    Parameters
    ----------
    columns : sequence of str
        All columns of the table.
    label : str or None
        The column that was asked for. None: the only one of `LABEL_NAMES` in the table.

    Raises
    ------
    InputError
        If the column does not exist, or None is given and no column or several fit.

    Examples
    --------
    >>> find_label(["age", "Class"], None)
    ('Class', "The label is the column 'Class', chosen by its name.")
    """
    if label is None:
        return _label_by_name(columns)
    if label not in columns:
        raise InputError(
            f"The label column {label!r} must be in the table.",
            f"The columns are {listing(columns, 20)}.",
            suggestion(label, columns, f"Name one of these. {_UNLABELLED}"),
        )
    return label, None


def _label_by_name(columns: Sequence[str]) -> tuple[str, str]:
    found = [name for name in columns if name.lower() in LABEL_NAMES]
    if len(found) != 1:
        raise InputError(
            f"The label column must be given, or be the only one called {', '.join(LABEL_NAMES)}.",
            f"The columns are {listing(columns, 20)}.",
            f"Give it with `--label {found[0] if found else 'NAME'}`. {_UNLABELLED}",
        )
    return found[0], f"The label is the column {found[0]!r}, chosen by its name."


def encode_labels(labels: pd.Series) -> tuple[CodeArray, tuple[str, ...]]:
    """Return the class code of each example, and the class names.

    Parameters
    ----------
    labels : Series of length examples
        Text, whole numbers or booleans. Fractional numbers are taken as class names while
        there are at most `MOST_NUMBERS` of them.

    Returns
    -------
    codes : ndarray of int64, shape (examples,)
        Positions in `classes`.
    classes : tuple of str
        Numbers in numeric order, all else sorted as text; so False comes before True.

    Raises
    ------
    InputError
        If labels are missing, all the same, or look like a measurement.

    Examples
    --------
    >>> encode_labels(pd.Series([10, 9, 10]))
    (array([1, 0, 1]), ('9', '10'))
    """
    _refuse_missing(labels)
    names = _names(labels)
    numbers = np.asarray(pd.to_numeric(names, errors="coerce"), dtype=np.float64)
    _refuse_measurement(labels.name, numbers)
    classes = _ordered(names.unique().tolist(), numeric=bool(np.isfinite(numbers).all()))
    if len(classes) < 2:
        raise InputError(
            f"The label column {labels.name!r} must hold at least two classes.",
            f"Every label is {classes[0]!r}." if classes else "There are no rows.",
            "Choose another label column or add examples of another class.",
        )
    return pd.Index(classes).get_indexer(pd.Index(names)).astype(np.int64), tuple(classes)


def label_notes(classes: Sequence[str]) -> list[str]:
    """Return a note for class names that differ only in case or surrounding blanks."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(name.strip().casefold(), []).append(name)
    return [
        f"The classes {listing(map(repr, names))} differ only in case or blanks; are they one?"
        for names in alike.values()
        if len(names) > 1
    ]


def _refuse_missing(labels: pd.Series) -> None:
    missing = labels.isna().to_numpy(bool)
    if missing.any():
        raise InputError(
            f"Every row must have a label in the column {labels.name!r}.",
            f"Labels are missing in {missing.sum():,} of {len(labels):,}: {rows_where(missing)}.",
            "Fill them in or remove these rows; rename a class called like a missing value.",
        )


def _refuse_measurement(name: object, numbers: np.ndarray) -> None:
    distinct = np.unique(numbers[np.isfinite(numbers)])
    fractional = (distinct != np.floor(distinct)).any()
    if np.isfinite(numbers).all() and fractional and len(distinct) > MOST_NUMBERS:
        raise InputError(
            f"The label column {name!r} must name classes.",
            f"It holds {len(distinct):,} different fractional numbers, like a measurement.",
            "Choose another column, or cut this one into ranges first.",
        )


def _names(labels: pd.Series) -> pd.Series:
    """Write each label as text, whole numbers without a decimal point."""
    names = labels.astype(object).map(str)
    distinct = names.unique()
    if all(_WHOLE.fullmatch(name) for name in distinct) and any("." in name for name in distinct):
        return names.str.split(".").str[0]
    return names


def _ordered(names: list[str], *, numeric: bool) -> list[str]:
    return sorted(names, key=lambda name: (float(name), name)) if numeric else sorted(names)
