"""Columns of text as the numbers, truth values and dates that they spell.

The decimal mark is a fact of a whole table: a column of ``1.234`` cannot tell by itself whether
these are thousands. What a column holds is found from all of its rows and never from labels.
"""

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.columns import (
    IDENTIFIER_ROWS,
    MOSTLY,
    as_text,
    column_of,
    exhibited,
)
from equipoise.data.dates import OTHER_ORDER, DateOrder, ends_with_year, iso_text, proven_order
from equipoise.data.decimals import (
    TextColumn,
    assumption,
    decide,
    notation_notes,
    refuse_foreign,
)
from equipoise.data.notation import DecimalMark, canonical, is_integer
from equipoise.data.options import Decimal, ReadOptions
from equipoise.data.wording import listing
from equipoise.errors import InputError

_TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def check_reading(options: ReadOptions) -> None:
    """Refuse options of reading text that are none, such as those of a run that was changed.

    Raises
    ------
    InputError
        If there is no such decimal mark or order of dates.
    """
    known = {"decimal": ("auto", "point", "comma"), "dates": ("auto", "day-first", "month-first")}
    for name, values in known.items():
        if getattr(options, name) not in values:
            raise InputError(
                f"`{name}` must be {listing(values[:-1])} or {values[-1]}.",
                f"It is {getattr(options, name)!r}.",
                "Give one of these.",
            )


def with_missing(frame: pd.DataFrame, missing: Collection[str]) -> pd.DataFrame:
    """Return a frame in which values that are spelt like one of these texts are missing."""
    if not missing:
        return frame
    found = {name: as_text(column_of(frame, name)).isin(list(missing)) for name in frame.columns}
    return frame.assign(**{name: frame[name].mask(mask) for name, mask in found.items()})


def interpreted(
    frame: pd.DataFrame,
    options: ReadOptions,
    skipped: Collection[str],
    separator: str | None = None,
) -> tuple[pd.DataFrame, list[str], Decimal]:
    """Return a frame whose text is read, notes, and the decimal mark that was decided.

    A column becomes numbers if at least 95 % of its values spell some, or `options.kinds` says
    so; other text stays among them. Dates stay text, which is written as ISO 8601 if
    `options.dates` says what stands first in them.

    Parameters
    ----------
    frame : DataFrame
        A table, each row called by its number.
    options : ReadOptions
        `decimal`, `dates` and `kinds` are used.
    skipped : collection of str
        Columns that stay as they are.
    separator : str or None, default=None
        Separator of a file in which all is text. None: some columns are text by their type, and
        become numbers only if they have more than 20 different values.

    Raises
    ------
    InputError
        If a number or a date contradicts the decimal mark or the order of dates.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": ["0,5", "1.234"], "b": ["x", "1"]})
    >>> frame, notes, decimal = interpreted(frame, ReadOptions(), (), ";")
    >>> frame["a"].tolist(), frame["b"].tolist(), decimal
    ([0.5, 1234.0], ['x', '1'], 'comma')
    """
    texts = [
        TextColumn.of(column_of(frame, name))
        for name in frame.columns
        if name not in skipped and _is_text(column_of(frame, name))
    ]
    numeric = [column for column in texts if _holds_numbers(column, options, separator)]
    decimal = decide(numeric, options, separator)
    notes = []
    changed: dict[str, pd.Series] = {}
    if decimal is not None:
        refuse_foreign(numeric, decimal, options)
        assumed = assumption(numeric, decimal, options)
        notes = [*notation_notes(numeric, decimal), *([assumed] if assumed else [])]
    for column in texts:
        if separator is not None and _holds_truth(column, options):
            changed[column.name] = _truth(column)
        elif column in numeric:
            changed[column.name] = _numbers(column, decimal or "point")
        elif options.dates != "auto" and _holds_dates(column, options, options.dates):
            changed[column.name] = _iso_dates(column, options.dates)
    return frame.assign(**changed), notes, decimal or options.decimal


def _is_text(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return types.infer_dtype(column, skipna=True) == "string"


def _holds_numbers(column: TextColumn, options: ReadOptions, separator: str | None) -> bool:
    if options.kinds is not None:
        return options.kinds.get(column.name) in ("numeric", "boolean")
    if separator is None and len(column.texts) <= IDENTIFIER_ROWS:
        return False
    return column.share(~np.isnan(column.point) | ~np.isnan(column.comma)) >= MOSTLY


def _numbers(column: TextColumn, decimal: DecimalMark) -> pd.Series:
    """Return a column as integers or fractions if all of it spells them, else as mixed values."""
    numbers = column.spelt(decimal)
    if np.isnan(numbers).any():
        pairs = zip(numbers.tolist(), column.texts, strict=True)
        return column.replaced([text if np.isnan(number) else number for number, text in pairs])
    whole = (column.codes >= 0).all() and (np.abs(numbers) < 2**62).all()
    if whole and (numbers == np.floor(numbers)).all():
        spelt = [str(canonical(text, decimal)) for text in column.texts]
        if all(map(is_integer, spelt)):
            integers = np.array([int(each) for each in spelt], dtype=np.int64)
            return pd.Series(integers[column.codes], index=column.values.index)
    return pd.Series(np.append(numbers, np.nan)[column.codes], index=column.values.index)


def _holds_truth(column: TextColumn, options: ReadOptions) -> bool:
    if options.kinds is not None and options.kinds.get(column.name) != "boolean":
        return False
    return bool(column.texts) and set(column.texts) <= set(_TRUTH)


def _truth(column: TextColumn) -> pd.Series:
    values = column.replaced([_TRUTH[text] for text in column.texts])
    return values.astype(bool) if (column.codes >= 0).all() else values


def _holds_dates(column: TextColumn, options: ReadOptions, order: DateOrder) -> bool:
    if options.kinds is not None:
        return options.kinds.get(column.name) == "date"
    dated = _where(column, lambda text: iso_text(text, order) is not None)
    return bool(_where(column, ends_with_year).any()) and column.share(dated) >= MOSTLY


def _iso_dates(column: TextColumn, order: DateOrder) -> pd.Series:
    against = _where(column, lambda text: proven_order([text]) == OTHER_ORDER[order])
    if against.any():
        first = order.split("-", maxsplit=1)[0]
        rows = column.rows(against)
        raise InputError(
            f"With `--dates {order}`, dates that end with their year must have the {first} first.",
            f"The column {column.name!r} holds {exhibited(column.values, rows)}.",
            "Write the dates like 2024-02-29, or give `--dates auto`, which lets each column prove "
            "its own order.",
        )
    return column.replaced([iso_text(text, order) or text for text in column.texts])


def _where(column: TextColumn, holds: Callable[[str], bool]) -> np.ndarray:
    return np.array([holds(text) for text in column.texts], dtype=bool)
