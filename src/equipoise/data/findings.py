"""What was found in the columns of a table, on all of its rows: kinds, order of dates, odd text.

These are facts of how the table is written. They are found without labels and on every row, so
that no row that was held out for testing can bring a value that its column was not known to hold.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from equipoise.data.columns import (
    IDENTIFIER_ROWS,
    MOSTLY,
    Kind,
    as_dates,
    as_numbers,
    as_text,
    column_kind,
    date_order,
    exhibited,
)
from equipoise.data.dates import DateOrder, ends_with_year, has_short_year
from equipoise.data.notation import spelt_numbers
from equipoise.data.wording import counted, listing

MANY_CATEGORIES = 100
"""A column of more categories than this is pointed out."""

_ROWS = re.compile(r"\(rows? ")

_SUSPICIOUS = 0.5
"""Share of the values of a column that look like numbers or dates above which it is said."""

LEFT_OUT: dict[Kind, str] = {
    "constant": "all values are the same",
    "empty": "all values are missing",
    "text": "nearly all values differ (an identifier or free text)",
}
"""Why columns of these kinds are not used."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What one column holds.

    Parameters
    ----------
    column : Series
        Its values, on all rows.
    kind : str
        What it holds.
    order : {"day-first", "month-first"} or None
        What stands first in dates that end with their year; None: there are none.
    proven : bool
        Whether that follows from the column itself.
    odd : ndarray of bool, shape (rows,)
        Where it holds no number or date though the other values are: these count as missing.
    """

    column: pd.Series
    kind: Kind
    order: DateOrder | None
    proven: bool
    odd: np.ndarray

    @property
    def name(self) -> str:
        """Name of the column."""
        return str(self.column.name)

    @property
    def texts(self) -> tuple[str, ...]:
        """The different texts that count as missing."""
        return tuple(sorted(as_text(self.column.loc[self.odd]).unique()))


def find(frame: pd.DataFrame) -> dict[str, Finding]:
    """Return what each column of a table holds.

    Dates of a column that does not prove their order follow the columns that do, if these agree.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": ["03.04.2022", "05.06.2022"], "b": [1, 2]})
    >>> found = find(frame)
    >>> found["a"].kind, found["a"].order, found["a"].proven, found["b"].kind
    ('date', 'day-first', False, 'numeric')
    """
    columns = {str(name): column for name, column in frame.items()}
    kinds: dict[str, Kind] = {name: column_kind(column) for name, column in columns.items()}
    orders: dict[str, DateOrder | None]
    orders = {name: date_order(columns[name]) for name, kind in kinds.items() if kind == "date"}
    agreed: set[DateOrder] = {order for order in orders.values() if order}
    usual: DateOrder = agreed.pop() if len(agreed) == 1 else "day-first"
    found = {}
    for name, kind in kinds.items():
        proven = orders.get(name)
        order = usual if kind == "date" and _ends_with_year(columns[name]) else None
        odd = odd_values(columns[name], kind, proven or order)
        found[name] = Finding(columns[name], kind, proven or order, proven is not None, odd)
    return found


def odd_values(column: pd.Series, kind: Kind, order: DateOrder | None) -> np.ndarray:
    """Return where a column of numbers or dates holds something else."""
    match kind:
        case "numeric" | "boolean":
            missing = np.isnan(as_numbers(column, lenient=True))
        case "date":
            missing = as_dates(column, order).isna().to_numpy()
        case _:
            return np.zeros(len(column), dtype=bool)
    return missing & column.notna().to_numpy()


def notes_on(found: Mapping[str, Finding]) -> list[str]:
    """Return what may surprise in how columns were understood, as sentences."""
    notes = []
    for kind, reason in LEFT_OUT.items():
        names = [repr(name) for name, each in found.items() if each.kind == kind]
        if names:
            notes.append(f"Left out, since {reason}: {listing(names, 20)}.")
    for each in found.values():
        notes += filter(None, (_odd_note(each), _order_note(each), suspicion(each)))
    return with_counting(notes)


def with_counting(notes: Sequence[str]) -> list[str]:
    """Return notes, followed by how rows are counted if one of them names rows.

    >>> with_counting(["'k.A.' (row 3)"])[1]
    'Rows are counted from 0, which is the first below the header.'
    """
    counting = "Rows are counted from 0, which is the first below the header."
    return [*notes, *([counting] if any(_ROWS.search(note) for note in notes) else [])]


def _odd_note(found: Finding) -> str | None:
    if found.kind not in ("numeric", "boolean", "date") or not found.odd.any():
        return None
    of = counted(int(found.column.notna().sum()), "value")
    are = "is no" if found.odd.sum() == 1 else "are no"
    what = "date" if found.kind == "date" else "number"
    what, count = (what, "counts") if found.odd.sum() == 1 else (what + "s", "count")
    return (
        f"In the column {found.name!r}, {found.odd.sum():,} of {of} {are} {what} and {count} as "
        f"missing: {exhibited(found.column, found.odd)}."
    )


def _order_note(found: Finding) -> str | None:
    if found.kind != "date" or found.order is None or found.proven:
        return None
    text = next(text for text in as_text(found.column).dropna() if ends_with_year(text))
    other = "month" if found.order == "day-first" else "day"
    return (
        f"No date of the column {found.name!r} shows whether the day or the month stands first: "
        f"{text} was read with the {found.order.split('-')[0]} first; `--dates {other}-first` "
        "changes that."
    )


def suspicion(found: Finding) -> str | None:
    """Return what a column of text may be beside text, as a sentence, or None.

    >>> column = pd.Series([f"{i}.000,5" for i in range(1, 31)], name="cost")
    >>> "looks like numbers with decimal commas" in suspicion(find(column.to_frame())["cost"])
    True
    """
    if found.kind not in ("categorical", "text") or isinstance(
        found.column.dtype, pd.CategoricalDtype
    ):
        return None
    text = as_text(found.column).dropna()
    if text.nunique() <= IDENTIFIER_ROWS:
        return None
    return _as_numbers(found, text) or _as_dates(found, text) or _as_categories(found, text)


def _as_numbers(found: Finding, text: pd.Series) -> str | None:
    values = text.tolist()
    point, comma = (~np.isnan(spelt_numbers(values, mark)) for mark in ("point", "comma"))
    either = point | comma
    if either.mean() < _SUSPICIOUS:
        return None
    if either.mean() >= MOSTLY:
        example = values[int(np.flatnonzero(either & np.isnan(as_numbers(text, lenient=True)))[0])]
        return (
            f"The column {found.name!r} looks like numbers with decimal commas or separators of "
            f"thousands ({example!r}) and is taken as text; convert it to numbers."
        )
    odd = ~either
    return (
        f"The column {found.name!r} looks like numbers but is taken as text, since "
        f"{_counted(odd)} are none: {exhibited(text, odd)}; `--missing TEXT` makes one of these a "
        "missing value."
    )


def _as_dates(found: Finding, text: pd.Series) -> str | None:
    if text.map(has_short_year).mean() >= _SUSPICIOUS:
        return (
            f"The column {found.name!r} looks like dates with years of two digits "
            f"({text.iloc[0]!r}), which are taken as text; write years with four digits."
        )
    none = as_dates(text).isna().to_numpy()
    if 1 - none.mean() < _SUSPICIOUS:
        return None
    return (
        f"The column {found.name!r} looks like dates but is taken as text, since {_counted(none)} "
        f"are none: {exhibited(text, none)}; `--missing TEXT` makes one of these a missing value."
    )


def _as_categories(found: Finding, text: pd.Series) -> str | None:
    number = text.nunique()
    if found.kind != "categorical" or number <= MANY_CATEGORIES:
        return None
    return (
        f"The column {found.name!r} is taken as {number:,} categories; leave it out with "
        f"`--drop {found.name!r}` unless they mean something."
    )


def _counted(mask: np.ndarray) -> str:
    return f"{mask.sum():,} of {counted(len(mask), 'value')} ({100 * mask.mean():.0f} %)"


def _ends_with_year(column: pd.Series) -> bool:
    return any(map(ends_with_year, as_text(column).dropna().unique()))
