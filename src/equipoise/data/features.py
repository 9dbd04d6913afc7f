"""One column of a table as network input: numbers, dates or category codes, fitted once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from equipoise.data.columns import MOSTLY, as_dates, as_numbers, as_text, exhibited, shown
from equipoise.data.dates import DateOrder
from equipoise.data.wording import counted
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
    texts : tuple of str
        Texts that are known to stand among the numbers; they count as missing. Other text does
        so too while it is at most 5 % of the values.
    """

    name: str
    median: float
    indicator: bool
    boolean: bool = False
    texts: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: pd.Series, *, boolean: bool = False, texts: tuple[str, ...] = ()) -> Self:
        """Return the feature of these training values."""
        numbers = as_numbers(column, lenient=True)
        return cls(
            name=str(column.name),
            median=float(np.nanmedian(numbers)),
            indicator=bool(np.isnan(numbers).any()),
            boolean=boolean,
            texts=texts,
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
        numbers = as_numbers(column, lenient=True)
        missing = np.isnan(numbers)
        _refuse_odd(column, self.odd(column), self.texts, "numbers")
        if self.boolean:
            _refuse_other_than_booleans(column, numbers)
        filled = np.where(missing, self.median, numbers)
        return np.column_stack([filled, missing][: len(self.outputs)]).astype(np.float64)

    def odd(self, column: pd.Series) -> np.ndarray:
        """Return where text stands among the numbers."""
        return np.isnan(as_numbers(column, lenient=True)) & column.notna().to_numpy()

    def admitting(self, column: pd.Series) -> Self:
        """Return the feature that knows the text among these numbers too."""
        return replace(self, texts=_joined(self.texts, column, self.odd(column)))

    def note(self, column: pd.Series) -> str | None:
        """Return a sentence on text that counts as missing in these values, if there is some."""
        return _odd_note(column, self.odd(column), "numbers")


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
    order : {"day-first", "month-first"} or None
        What stands first in dates that end with their year; None: none did in training.
    texts : tuple of str
        Texts that are known to stand among the dates, as for `NumericFeature`.
    """

    name: str
    medians: dict[str, float]
    indicator: bool
    order: DateOrder | None = None
    texts: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        column: pd.Series,
        *,
        order: DateOrder | None = None,
        texts: tuple[str, ...] = (),
    ) -> Self:
        """Return the feature of these training values."""
        parts = _date_parts(as_dates(column, order))
        varying = {part: values for part, values in parts.items() if np.ptp(_present(values)) > 0}
        used = varying or {"day": parts["day"]}
        return cls(
            name=str(column.name),
            medians={part: float(np.median(_present(values))) for part, values in used.items()},
            indicator=bool(np.isnan(parts["day"]).any()),
            order=order,
            texts=texts,
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
        _refuse_odd(column, self.odd(column), self.texts, "dates like 2024-02-29")
        parts = _date_parts(as_dates(column, self.order))
        missing = np.isnan(parts["day"])
        filled = [np.where(missing, median, parts[part]) for part, median in self.medians.items()]
        return np.column_stack([*filled, missing][: len(self.outputs)]).astype(np.float64)

    def odd(self, column: pd.Series) -> np.ndarray:
        """Return where something else stands among the dates."""
        return (as_dates(column, self.order).isna() & column.notna()).to_numpy()

    def admitting(self, column: pd.Series) -> Self:
        """Return the feature that knows what else stands among these dates too."""
        return replace(self, texts=_joined(self.texts, column, self.odd(column)))

    def note(self, column: pd.Series) -> str | None:
        """Return a sentence on text that counts as missing in these values, if there is some."""
        return _odd_note(column, self.odd(column), "dates")


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

    def note(self, column: pd.Series) -> str | None:
        """Return a sentence on categories that training did not know, if there are some."""
        unknown = (self.encode(column) == 0) & column.notna().to_numpy()
        if not unknown.any():
            return None
        of = counted(len(column), "row")
        return (
            f"In the column {self.name!r}, {unknown.sum():,} of {of} "
            f"{'has' if unknown.sum() == 1 else 'have'} a category that training held in one row "
            f"at most: {exhibited(column, unknown)}."
        )


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
    fields |= {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return _KINDS[state["kind"]](**fields)


def known_kinds(features: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what each column is known to hold, from the states of its features.

    >>> state = feature_state(NumericFeature(name="a", median=0.0, indicator=False))
    >>> known_kinds([state])
    {'a': 'numeric'}
    """
    return {
        state["name"]: "boolean" if state.get("boolean") else state["kind"] for state in features
    }


def _joined(known: tuple[str, ...], column: pd.Series, odd: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted({*known, *as_text(column.loc[odd])}))


def _refuse_odd(column: pd.Series, odd: np.ndarray, known: tuple[str, ...], form: str) -> None:
    """Refuse text that training did not know if it is more than 5 % of the values."""
    if not odd.any():
        return
    unknown = odd & ~as_text(column).isin(list(known)).to_numpy()
    values = int(column.notna().sum())
    if unknown.sum() <= (1 - MOSTLY) * values:
        return
    first = str(np.asarray(column, dtype=object)[unknown][0])
    raise InputError(
        f"The column {column.name!r} must hold {form}, as in training.",
        f"It holds {shown(column, unknown)}: {unknown.sum():,} of {counted(values, 'value')}, "
        f"which is more than {100 * (1 - MOSTLY):.0f} %.",
        f"Correct these values, or leave them empty; `--missing {first!r}` counts one as missing.",
    )


def _odd_note(column: pd.Series, odd: np.ndarray, form: str) -> str | None:
    if not odd.any():
        return None
    return (
        f"In the column {column.name!r}, {odd.sum():,} of {counted(len(column), 'row')} "
        f"{'counts' if odd.sum() == 1 else 'count'} as missing, for the column holds {form}: "
        f"{exhibited(column, odd)}."
    )


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
