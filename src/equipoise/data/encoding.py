"""A table as one matrix: scaled numbers first, then category codes; fitted on training rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise._typing import IndexArray
from equipoise.data.columns import as_dates, as_numbers, column_of, with_text_names
from equipoise.data.features import (
    CategoricalFeature,
    DateFeature,
    Feature,
    NumericFeature,
    feature_from_state,
    feature_state,
)
from equipoise.data.findings import Finding, find, notes_on, with_counting
from equipoise.data.scaling import Scaler, Scaling, check_scaling
from equipoise.data.wording import listing
from equipoise.errors import InputError

EncodedMatrix = NDArray[np.float32]
"""Scaled numeric columns, then one column of category codes for each categorical column."""


class TableEncoder:
    """Turns the rows of a table into one matrix, the same way in training and in use.

    Each column becomes, by its kind (`column_kind`):

    - numeric: its scaled value; a missing one is the training median, and where training had
      missing values another column marks them;
    - boolean: 0 or 1, with missing values as above;
    - date: days since 1970-01-01 and those of year, month, weekday and hour that vary, scaled;
    - categorical: a code; 0 stands for what training did not hold or held only once, and
      missing values have a code of their own if training had any.

    Columns that are constant, empty or nearly all different text are left out, with a note. In a
    column of numbers or dates, other text counts as missing: that which `fit` met, and any other
    while it is at most 5 % of the values.

    Parameters
    ----------
    scaling : {"standard", "quantile", "robust", "none"}, default="standard"
        How numeric columns are scaled; see `Scaler`.

    Attributes
    ----------
    n_numeric : int
        Number of numeric columns of the matrix; they come first.
    cardinalities : tuple of int
        Number of codes of each categorical column, code 0 included.
    names : tuple of str
        Name of each column of the matrix.
    notes : tuple of str
        What was left out or read in a way that may surprise, as sentences.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [2.0, 4.0, None, 6.0], "fur": ["red", "blue", "red", "blue"]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.names, encoder.n_numeric, encoder.cardinalities
    (('age', 'age missing', 'fur'), 2, (3,))
    >>> encoder.transform(pd.DataFrame({"fur": ["green"], "age": [4]}))
    array([[0., 0., 0.]], dtype=float32)
    """

    def __init__(self, scaling: Scaling = "standard") -> None:
        self.scaling: Scaling = scaling
        self.columns: tuple[str, ...] = ()
        self.numeric: tuple[NumericFeature | DateFeature, ...] = ()
        self.categorical: tuple[CategoricalFeature, ...] = ()
        self.scaler: Scaler | None = None
        self.notes: tuple[str, ...] = ()

    @property
    def n_numeric(self) -> int:
        """Number of numeric columns of the matrix."""
        return sum(len(feature.outputs) for feature in self.numeric)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each categorical column, code 0 included."""
        return tuple(feature.cardinality for feature in self.categorical)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of the matrix."""
        numeric = [name for feature in self.numeric for name in feature.outputs]
        return (*numeric, *(feature.name for feature in self.categorical))

    def fit(self, X: "pd.DataFrame | np.ndarray", rows: IndexArray | None = None) -> Self:
        """Learn kinds, medians, categories and scaling.

        Parameters
        ----------
        X : DataFrame, or ndarray of shape (examples, columns)
            Rows of a table; the columns of an array are called ``x0``, ``x1``, ... Their kinds,
            the order of dates and the texts among numbers are found on all of them.
        rows : ndarray of int or None, default=None
            Positions of the training rows, from which everything else is learnt. None: all.

        Returns
        -------
        TableEncoder
            Itself.

        Raises
        ------
        InputError
            If no column is usable, a name occurs twice, or values are infinite or nested.
        """
        check_scaling(self.scaling)
        whole = _as_frame(X)
        frame = whole if rows is None else whole.iloc[rows]
        found = {name: _in_training(each, frame) for name, each in find(whole).items()}
        features = [_fit_feature(column_of(frame, name), each) for name, each in found.items()]
        self.columns = tuple(frame.columns)
        self.numeric = tuple(f for f in features if isinstance(f, NumericFeature | DateFeature))
        self.categorical = tuple(f for f in features if isinstance(f, CategoricalFeature))
        self.notes = tuple(notes_on(found))
        if not self.numeric and not self.categorical:
            raise InputError(
                "A table must have at least one column that can be used.",
                " ".join(self.notes) or "It has no columns.",
                "Add columns that tell examples apart.",
            )
        flags = [flag for feature in self.numeric for flag in feature.flags]
        values = self._numbers(frame)
        self.scaler = Scaler.fit(values, np.asarray(flags, dtype=bool), self.scaling)
        return self

    def admit(self, X: "pd.DataFrame | np.ndarray") -> None:
        """Make sure that `transform` takes every one of these rows later, alone or with others.

        The text among their numbers and dates is known from now on, as that which `fit` met is.

        Raises
        ------
        InputError
            As `transform` does.
        """
        self.transform(X)
        frame = _as_frame(X, self.columns)
        self.numeric = tuple(f.admitting(column_of(frame, f.name)) for f in self.numeric)

    def notes_on(self, X: "pd.DataFrame | np.ndarray") -> tuple[str, ...]:
        """Return what these rows hold that training did not know, as sentences.

        Parameters
        ----------
        X : DataFrame, or ndarray of shape (examples, columns)
            As for `transform`.

        Examples
        --------
        >>> encoder = TableEncoder().fit(pd.DataFrame({"fur": ["red", "blue", "red", "blue"]}))
        >>> encoder.notes_on(pd.DataFrame({"fur": ["red", "green"]}))[0]
        "In the column 'fur', 1 of 2 rows has a category that training held in one row at most:\
 'green' (row 1)."
        """
        frame = _as_frame(X, self.columns)
        self._refuse_missing_columns(frame)
        features = (*self.numeric, *self.categorical)
        notes = (feature.note(column_of(frame, feature.name)) for feature in features)
        return tuple(with_counting([note for note in notes if note]))

    def transform(self, X: "pd.DataFrame | np.ndarray") -> EncodedMatrix:
        """Return the matrix of these rows.

        Parameters
        ----------
        X : DataFrame, or ndarray of shape (examples, columns)
            Rows with the columns of training: in any order in a DataFrame, where others are
            ignored; as many and in the same order in an array.

        Returns
        -------
        ndarray of float32, shape (examples, n_numeric + n_categorical)
            Scaled numbers, then category codes. All values are finite.

        Raises
        ------
        InputError
            If a column is missing, or holds values of another kind than in training.
        """
        if self.scaler is None:
            raise RuntimeError("Call `fit` before `transform`.")
        frame = _as_frame(X, self.columns)
        self._refuse_missing_columns(frame)
        scaled = self.scaler.transform(self._numbers(frame))
        codes = [feature.encode(column_of(frame, feature.name)) for feature in self.categorical]
        limit = np.finfo(np.float32).max
        return np.column_stack([np.clip(scaled, -limit, limit), *codes]).astype(np.float32)

    def to_state(self) -> dict[str, Any]:
        """Return all that was learnt as values that JSON can hold; see `from_state`."""
        if self.scaler is None:
            raise RuntimeError("Call `fit` before `to_state`.")
        return {
            "columns": list(self.columns),
            "features": [feature_state(f) for f in (*self.numeric, *self.categorical)],
            "scaler": self.scaler.to_state(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return an encoder that transforms exactly as the one that `to_state` described."""
        scaler = Scaler.from_state(state["scaler"])
        features = [feature_from_state(each) for each in state["features"]]
        encoder = cls(scaler.scaling)
        encoder.columns = tuple(state["columns"])
        encoder.numeric = tuple(f for f in features if isinstance(f, NumericFeature | DateFeature))
        encoder.categorical = tuple(f for f in features if isinstance(f, CategoricalFeature))
        encoder.scaler = scaler
        encoder.notes = tuple(state["notes"])
        return encoder

    def _numbers(self, frame: pd.DataFrame) -> np.ndarray:
        blocks = [feature.encode(column_of(frame, feature.name)) for feature in self.numeric]
        return np.concatenate([np.empty((len(frame), 0)), *blocks], axis=1)

    def _refuse_missing_columns(self, frame: pd.DataFrame) -> None:
        needed = [feature.name for feature in (*self.numeric, *self.categorical)]
        absent = [name for name in needed if name not in frame.columns]
        if absent:
            raise InputError(
                "A table must have the columns of training.",
                f"Missing are {listing(map(repr, absent))}.",
                f"Add them; the columns here are {listing(map(repr, frame.columns))}.",
            )


def _as_frame(X: "pd.DataFrame | np.ndarray", columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return rows as a frame whose columns are called as in training."""
    if isinstance(X, pd.DataFrame):
        return with_text_names(X, "the table")
    array = np.asarray(X)
    if array.ndim != 2 or (columns is not None and array.shape[1] != len(columns)):
        expected = "n" if columns is None else len(columns)
        raise InputError(
            f"A table must have the shape (examples, {expected}).",
            f"It is {array.shape}.",
            "Give one row an example, with the columns of training.",
        )
    names = [f"x{position}" for position in range(array.shape[1])] if columns is None else columns
    return pd.DataFrame(array, columns=list(names)).infer_objects()


def _in_training(found: Finding, frame: pd.DataFrame) -> Finding:
    """Return a finding as it is on training rows, where a column may be constant or empty."""
    column = column_of(frame, found.name)
    match found.kind:
        case "numeric" | "boolean":
            values = pd.Series(as_numbers(column, lenient=True))
        case "date":
            values = as_dates(column, found.order)
        case _:
            values = column
    present = values.dropna()
    if present.empty:
        return replace(found, kind="empty")
    constant = len(present) == len(values) and present.nunique() == 1
    return replace(found, kind="constant") if constant else found


def _fit_feature(column: pd.Series, found: Finding) -> Feature | None:
    match found.kind:
        case "numeric" | "boolean":
            boolean = found.kind == "boolean"
            return NumericFeature.fit(column, boolean=boolean, texts=found.texts)
        case "date":
            return DateFeature.fit(column, order=found.order, texts=found.texts)
        case "categorical":
            return CategoricalFeature.fit(column)
        case _:
            return None
