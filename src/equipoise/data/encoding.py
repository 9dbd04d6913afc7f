"""A table as one matrix: scaled numbers first, then category codes; fitted on training rows."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.data.columns import Kind, column_kind, column_of, with_text_names
from equipoise.data.features import (
    CategoricalFeature,
    DateFeature,
    Feature,
    NumericFeature,
    feature_from_state,
    feature_state,
)
from equipoise.data.scaling import Scaler, Scaling, check_scaling
from equipoise.data.wording import listing
from equipoise.errors import InputError

EncodedMatrix = NDArray[np.float32]
"""Scaled numeric columns, then one column of category codes for each categorical column."""

_LEFT_OUT: dict[Kind, str] = {
    "constant": "Left out, since all values are the same",
    "empty": "Left out, since all values are missing",
    "text": "Left out, since nearly all values differ (an identifier or free text)",
}


class TableEncoder:
    """Turns the rows of a table into one matrix, the same way in training and in use.

    Each column becomes, by its kind (`column_kind`):

    - numeric: its scaled value; a missing one is the training median, and where training had
      missing values another column marks them;
    - boolean: 0 or 1, with missing values as above;
    - date: days since 1970-01-01 and those of year, month, weekday and hour that vary, scaled;
    - categorical: a code; 0 stands for what training did not hold or held only once, and
      missing values have a code of their own if training had any.

    Columns that are constant, empty or nearly all different text are left out, with a note.

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

    def fit(self, X: "pd.DataFrame | np.ndarray") -> Self:
        """Learn kinds, medians, categories and scaling from training rows.

        Parameters
        ----------
        X : DataFrame, or ndarray of shape (examples, columns)
            Training rows; the columns of an array are called ``x0``, ``x1``, ...

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
        frame = _as_frame(X)
        kinds: dict[str, Kind] = {str(name): column_kind(column) for name, column in frame.items()}
        features = [_fit_feature(column_of(frame, name), kind) for name, kind in kinds.items()]
        self.columns = tuple(frame.columns)
        self.numeric = tuple(f for f in features if isinstance(f, NumericFeature | DateFeature))
        self.categorical = tuple(f for f in features if isinstance(f, CategoricalFeature))
        self.notes = (*_notes(kinds), *_lenient_notes(self.numeric))
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
        return with_text_names(X, "the table").reset_index(drop=True)
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


def _fit_feature(column: pd.Series, kind: Kind) -> Feature | None:
    match kind:
        case "numeric" | "boolean":
            return NumericFeature.fit(column, boolean=kind == "boolean")
        case "date":
            return DateFeature.fit(column)
        case "categorical":
            return CategoricalFeature.fit(column)
        case _:
            return None


def _notes(kinds: dict[str, Kind]) -> list[str]:
    notes = []
    for kind, reason in _LEFT_OUT.items():
        names = [name for name, each in kinds.items() if each == kind]
        if names:
            notes.append(f"{reason}: {listing(map(repr, names), 20)}.")
    return notes


def _lenient_notes(features: Sequence[NumericFeature | DateFeature]) -> list[str]:
    lenient = [f.name for f in features if isinstance(f, NumericFeature) and f.lenient]
    if not lenient:
        return []
    return [f"Text among the numbers counts as missing in: {listing(map(repr, lenient), 20)}."]
