"""Columns of a table: what kind each is, and how its values become numbers or categories."""

from decimal import Decimal
from numbers import Real
from typing import Literal, cast

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.dates import DateOrder, parse_dates, proven_order
from equipoise.data.wording import listing
from equipoise.errors import InputError

Kind = Literal["numeric", "boolean", "date", "categorical", "text", "constant", "empty"]
"""What a column holds; text (values nearly all different), constant and empty are not used."""

MOSTLY = 0.95
"""Share of the values of a column that must be numbers, or dates, for the rest to be forgiven."""

IDENTIFIER_SHARE, IDENTIFIER_ROWS = 0.9, 20
"""Text with more than this share of different values, in more rows than this, is not used."""

_TRUTH = {"true": 1.0, "false": 0.0}
_NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
_DATES = {"date", "datetime", "datetime64"}


def with_text_names(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a frame whose column names are text, each of which occurs once.

    Raises
    ------
    InputError
        If a name occurs twice; `source` says where.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):
        raise InputError(
            "Every column of a table must have a name of its own.",
            f"In {source} these names stand more than once: {listing(map(repr, repeated))}.",
            "Rename or remove the repeated columns.",
        )
    return frame


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return one column; names occur once in every frame that is read here."""
    return cast("pd.Series", frame[name])


def named_rows(index: pd.Index, limit: int = 8) -> str:
    """Name rows by their index, which counts the rows of a file from 0.

    >>> named_rows(pd.Index([4, 7]))
    'rows 4, 7'
    """
    return f"row{'s' if len(index) != 1 else ''} {listing(index, limit)}"


def shown(column: pd.Series, mask: np.ndarray) -> str:
    """Return an example of the values where a mask is true, and the rows that have one.

    >>> shown(pd.Series([1, "a", "b"]), np.array([False, True, True]))
    "'a' in rows 1, 2"
    """
    value = np.asarray(column, dtype=object)[mask][0]
    return f"{str(value)!r} in {named_rows(column.index[mask])}"


def exhibited(column: pd.Series, mask: np.ndarray, limit: int = 5) -> str:
    """Return the most frequent values where a mask is true, each with the rows that have it.

    >>> exhibited(pd.Series(["k.A.", 1, "-", "k.A."]), np.array([True, False, True, True]))
    "'k.A.' (rows 0, 3), '-' (row 2)"
    """
    values = as_text(column.loc[mask])
    rows = {str(text): index for text, index in values.groupby(values, sort=False).groups.items()}
    frequent = sorted(rows, key=lambda text: -len(rows[text]))
    return listing((f"{text!r} ({named_rows(rows[text], 3)})" for text in frequent), limit)


def column_kind(column: pd.Series) -> Kind:
    """Return what a column holds, by its type and by its values.

    A column of which at least 95 % are dates (see `equipoise.data.dates`) is a date; one of
    which at least 95 % are numbers is numeric, where numbers may be spelt by text if it has
    more than 20 different values; the rest of either counts as missing. Text with more than
    0.9 n different values among n > 20 is an identifier or free text. All other text is
    categorical, and so is every categorical type.

    Raises
    ------
    InputError
        If values are lists, records, bytes or complex numbers.

    Examples
    --------
    >>> column_kind(pd.Series(["2024-02-01", "2024-03-01"])), column_kind(pd.Series([1.5, 2.0]))
    ('date', 'numeric')
    >>> column_kind(pd.Series(["red", "blue", "red"])), column_kind(pd.Series([7, 7]))
    ('categorical', 'constant')
    """
    refuse_unfit(column)
    present = column.dropna()
    if present.empty:
        return "empty"
    if len(present) == len(column) and present.nunique() == 1:
        return "constant"
    inferred = types.infer_dtype(present)
    if inferred == "boolean":
        return "boolean"
    if _is_numeric(column, present, inferred):
        return "numeric"
    if types.is_datetime64_any_dtype(column) or inferred in _DATES:
        return "date"
    return _kind_of_text(present, categorical=isinstance(column.dtype, pd.CategoricalDtype))


def _is_numeric(column: pd.Series, present: pd.Series, inferred: str) -> bool:
    if types.is_numeric_dtype(column) or types.is_timedelta64_dtype(column) or inferred in _NUMBERS:
        return True
    return column.dtype == object and present.map(_is_number).mean() >= MOSTLY


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def refuse_unfit(column: pd.Series) -> None:
    """Raise `InputError` for values that are no single number, date or text."""
    scalars = column.dtype != object or column.map(types.is_scalar).all()
    if types.is_complex_dtype(column) or types.infer_dtype(column) == "bytes" or not scalars:
        raise InputError(
            f"The column {column.name!r} must hold single numbers, dates or text.",
            f"Its first value is {column.iloc[0]!r}.",
            f"Leave it out with `--drop {column.name!r}`, or spread it over several columns.",
        )


def _kind_of_text(present: pd.Series, *, categorical: bool) -> Kind:
    text, different = as_text(present), present.nunique()
    if as_dates(text).notna().mean() >= MOSTLY:
        return "date"
    numeric = np.isfinite(_spelt(text)).mean()
    if not categorical and different > IDENTIFIER_ROWS and numeric >= MOSTLY:
        return "numeric"
    identifier = len(present) > IDENTIFIER_ROWS and different > IDENTIFIER_SHARE * len(present)
    return "text" if identifier else "categorical"


def as_text(column: pd.Series) -> pd.Series:
    """Return values as text, missing ones as None; 1.0 is written ``1``, like the integer.

    >>> as_text(pd.Series([1.0, None])).tolist()
    ['1', None]
    """
    codes, distinct = pd.factorize(column)
    # Missing values have code -1, the last of the texts.
    texts = np.array([*map(_spelling, distinct), None], dtype=object)
    return pd.Series(texts[codes], index=column.index, name=column.name, dtype=object)


def _spelling(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def date_order(column: pd.Series) -> DateOrder | None:
    """Return what stands first in the dates of a column, None if none of them proves it.

    >>> date_order(pd.Series(["03.04.2022", "25.04.2022"]))
    'day-first'
    """
    if types.is_datetime64_any_dtype(column):
        return None
    return proven_order(as_text(column).dropna().unique())


def as_dates(column: pd.Series, order: DateOrder | Literal["auto"] | None = "auto") -> pd.Series:
    """Return values as timestamps in UTC without a zone; what is no date is NaT.

    Parameters
    ----------
    column : Series
        Timestamps, or text in a form of `equipoise.data.dates`.
    order : {"auto", "day-first", "month-first"} or None, default="auto"
        What stands first in a date that ends with its year. ``"auto"``: what a date of the column
        proves, else the day. None: such a text is no date.
    """
    if types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True).dt.tz_localize(None)
    if order == "auto":
        order = date_order(column) or "day-first"
    return parse_dates(as_text(column), order)


def as_numbers(column: pd.Series, *, lenient: bool = False) -> np.ndarray:
    """Return values as float64 of shape ``(rows,)``, missing ones as NaN.

    Parameters
    ----------
    column : Series
        Numbers, booleans, durations (in days) or text that spells numbers.
    lenient : bool, default=False
        Whether text that spells no number is a missing value rather than an error.

    Raises
    ------
    InputError
        For dates, for text that spells no number, and for values beyond 32-bit floats.

    Examples
    --------
    >>> as_numbers(pd.Series(["1.5", None]))
    array([1.5, nan])
    """
    if types.is_datetime64_any_dtype(column):
        raise _no_number(column, column.notna().to_numpy())
    if types.is_timedelta64_dtype(column):
        column = column / pd.Timedelta(days=1)
    if types.is_numeric_dtype(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
    else:
        numbers = _spelt_numbers(column, lenient=lenient)
    beyond = np.abs(numbers) > np.finfo(np.float32).max
    if beyond.any():
        name = str(column.name)
        raise InputError(
            f"The values of the column {column.name!r} must be finite 32-bit numbers.",
            f"They are infinite or too large in {named_rows(column.index[beyond])}.",
            f"Correct them, leave them empty, or leave the column out with `--drop {name!r}`.",
        )
    return numbers


def _spelt_numbers(column: pd.Series, *, lenient: bool) -> np.ndarray:
    values = column.astype(object)
    values = values.map(lambda value: _TRUTH.get(str(value).strip().lower(), value), "ignore")
    numbers = _spelt(values)
    wrong = np.isnan(numbers) & column.notna().to_numpy()
    if wrong.any() and not lenient:
        raise _no_number(column, wrong)
    return numbers


def _spelt(values: pd.Series) -> np.ndarray:
    return np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def _no_number(column: pd.Series, wrong: np.ndarray) -> InputError:
    return InputError(
        f"The column {column.name!r} must hold numbers.",
        f"It holds {shown(column, wrong)}.",
        "Correct these values or leave them empty.",
    )
