"""One column of a table as network input: numbers, dates or category codes, fitted once."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.columns import as_dates, as_numbers, as_text, shown
from equipoise.errors import InputError

MISSING_SUFFIX = " missing"
"""Ending of the name of a column that marks where another one has no value."""

_FEWEST_ROWS = 2


@dataclass(frozen=True, kw_only=True)
class NumericFeature:
    """Numbers or booleans; a missing one becomes the training median.

    Parameters
    ----------
    name : str
        Column of the table.
    median : float
        Median of the training values.
    indicator : bool
        Whether training had missing values; a second output then marks them with 1.
    boolean : bool
        Whether values are 0 or 1, and stay so.
    lenient : bool
        Whether training held text that spells no number, which counts as missing.
    """

    name: str
    median: float
    indicator: bool
    boolean: bool = False
    lenient: bool = False

    @classmethod
    def fit(cls, column: pd.Series, *, boolean: bool = False) -> Self:
        """Return the feature of these training values."""
        lenient = not boolean and not _holds_numbers(column)
        numbers = as_numbers(column, lenient=lenient)
        missing = np.isnan(numbers)
        return cls(
            name=str(column.name),
            median=float(np.nanmedian(numbers)),
            indicator=bool(missing.any()),
            boolean=boolean,
            lenient=lenient,
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the numeric columns that `encode` returns."""
        return (self.name, self.name + MISSING_SUFFIX) if self.indicator else (self.name,)

    @property
    def flags(self) -> tuple[bool, ...]:
        """Whether each output holds only zeros and ones."""
        return (self.boolean, True)[: len(self.outputs)]

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return float64 of shape ``(rows, outputs)``, before scaling."""
        numbers = as_numbers(column, lenient=self.lenient)
        missing = np.isnan(numbers)
        if self.boolean:
            _refuse_other_than_booleans(column, numbers)
        filled = np.where(missing, self.median, numbers)
        return np.column_stack([filled, missing][: len(self.outputs)]).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class DateFeature:
    """Dates as days since 1970-01-01 and those of year, month, weekday and hour that vary.

    Parameters
    ----------
    name : str
        Column of the table.
    medians : dict of str to float
        The parts that are used, each with its training median: ``"day"`` (days since
        1970-01-01, with fraction), ``"year"``, ``"month"`` (1 to 12), ``"weekday"``
        (Monday 0 to Sunday 6), ``"hour"`` (0 to 23); all in UTC.
    indicator : bool
        Whether training had missing values; a last output then marks them with 1.
    """

    name: str
    medians: dict[str, float]
    indicator: bool

    @classmethod
    def fit(cls, column: pd.Series) -> Self:
        """Return the feature of these training values."""
        parts = _date_parts(as_dates(column))
        varying = {part: values for part, values in parts.items() if np.ptp(_present(values)) > 0}
        used = varying or {"day": parts["day"]}
        return cls(
            name=str(column.name),
            medians={part: float(np.median(_present(values))) for part, values in used.items()},
            indicator=bool(np.isnan(parts["day"]).any()),
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the numeric columns that `encode` returns."""
        missing = [self.name + MISSING_SUFFIX] if self.indicator else []
        return (*(f"{self.name} {part}" for part in self.medians), *missing)

    @property
    def flags(self) -> tuple[bool, ...]:
        """Whether each output holds only zeros and ones."""
        return (*(False for _ in self.medians), True)[: len(self.outputs)]

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return float64 of shape ``(rows, outputs)``, before scaling."""
        stamps = as_dates(column)
        if stamps.isna().all() and column.notna().any():
            raise self._no_dates(column)
        parts = _date_parts(stamps)
        missing = np.isnan(parts["day"])
        filled = [np.where(missing, median, parts[part]) for part, median in self.medians.items()]
        return np.column_stack([*filled, missing][: len(self.outputs)]).astype(np.float64)

    def _no_dates(self, column: pd.Series) -> InputError:
        return InputError(
            f"The column {self.name!r} must hold dates like 2024-02-29, as in training.",
            f"It holds {shown(column, column.notna().to_numpy())}.",
            "Write the dates in this form.",
        )


@dataclass(frozen=True, kw_only=True)
class CategoricalFeature:
    """Categories as codes; what training did not hold, or held once, shares code 0.

    A category of a single training row can only be learnt by heart. Its row serves code 0
    better: so the network meets, where there are such rows, what it must expect of categories
    that it does not know.

    Parameters
    ----------
    name : str
        Column of the table.
    categories : tuple of str
        Categories of at least two training rows, sorted; the first has code 1.
    missing : bool
        Whether training had missing values; they have the last code. Otherwise missing
        values have code 0.
    """

    name: str
    categories: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, column: pd.Series) -> Self:
        """Return the feature of these training values."""
        text = as_text(column)
        rows = Counter(text.dropna())
        kept = sorted(name for name, number in rows.items() if number >= _FEWEST_ROWS)
        return cls(name=str(column.name), categories=tuple(kept), missing=bool(text.isna().any()))

    @property
    def cardinality(self) -> int:
        """Number of codes, code 0 included."""
        return 1 + len(self.categories) + self.missing

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return codes, int64 of shape ``(rows,)``."""
        text = as_text(column)
        codes = pd.Index(self.categories, dtype=object).get_indexer(text) + 1
        if self.missing:
            codes[text.isna().to_numpy()] = self.cardinality - 1
        return codes


Feature = NumericFeature | DateFeature | CategoricalFeature
"""Any feature."""

_KINDS: dict[str, type[Feature]] = {
    "numeric": NumericFeature,
    "date": DateFeature,
    "categorical": CategoricalFeature,
}


def feature_state(feature: Feature) -> dict[str, Any]:
    """Return a feature as values that JSON can hold."""
    kind = next(kind for kind, family in _KINDS.items() if isinstance(feature, family))
    return {"kind": kind, **asdict(feature)}


def feature_from_state(state: dict[str, Any]) -> Feature:
    """Return the feature that `feature_state` described."""
    fields = {key: value for key, value in state.items() if key != "kind"}
    if "categories" in fields:
        fields["categories"] = tuple(fields["categories"])
    return _KINDS[state["kind"]](**fields)


def _holds_numbers(column: pd.Series) -> bool:
    try:
        as_numbers(column)
    except InputError:
        return types.is_numeric_dtype(column)
    return True


def _present(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _date_parts(stamps: pd.Series) -> dict[str, np.ndarray]:
    days = (stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    parts = {
        "day": days,
        "year": stamps.dt.year,
        "month": stamps.dt.month,
        "weekday": stamps.dt.day_of_week,
        "hour": stamps.dt.hour,
    }
    return {part: values.to_numpy(np.float64, na_value=np.nan) for part, values in parts.items()}


def _refuse_other_than_booleans(column: pd.Series, numbers: np.ndarray) -> None:
    other = ~np.isnan(numbers) & (numbers != 0) & (numbers != 1)
    if other.any():
        raise InputError(
            f"The column {column.name!r} must hold true or false, as in training.",
            f"It holds {shown(column, other)}.",
            "Write true or false, or 1 or 0.",
        )
