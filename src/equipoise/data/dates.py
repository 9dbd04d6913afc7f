"""Dates in text: which forms are known, and whether the day or the month stands first.

A date that begins with the year says so itself. One that ends with it (``03.04.2022``) does not,
unless one of its numbers is above 12; then the other dates of its column follow it.
"""

import re
from collections.abc import Iterable
from typing import Literal

import pandas as pd

DateOrder = Literal["day-first", "month-first"]
"""What stands first in a date that ends with its year."""

OTHER_ORDER: dict[DateOrder, DateOrder] = {"day-first": "month-first", "month-first": "day-first"}
"""The order that a date is not written in."""

_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*Uhr)?)?"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_TIME}",
    re.ASCII,
)
_YEAR_LAST = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){_TIME}",
    re.ASCII,
)
_SHORT_YEAR = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}", re.ASCII)
_MONTHS = 12


def ends_with_year(text: str) -> bool:
    """Return whether a text is a date in numbers that ends with a year of four digits.

    >>> ends_with_year("12.03.2022 08:30"), ends_with_year("2022-03-12")
    (True, False)
    """
    return _YEAR_LAST.fullmatch(text.strip()) is not None


def has_short_year(text: str) -> bool:
    """Return whether a text looks like a date whose year has two digits, which is not read.

    >>> has_short_year("12.03.22"), has_short_year("12.03.2022")
    (True, False)
    """
    return _SHORT_YEAR.fullmatch(text.strip()) is not None


def proven_order(texts: Iterable[str]) -> DateOrder | None:
    """Return the order that dates prove by a number above 12, None if none does.

    Parameters
    ----------
    texts : iterable of str
        Dates and other texts. Where some dates prove one order and some the other, that of
        the larger number of texts is returned.

    Examples
    --------
    >>> proven_order(["03.04.2022", "25.03.2022"]), proven_order(["03/25/2022", "03/04/2022"])
    ('day-first', 'month-first')
    >>> proven_order(["03.04.2022", "2022-03-25"]) is None
    True
    """
    days = months = 0
    for text in texts:
        if found := _YEAR_LAST.fullmatch(text.strip()):
            days += int(found["first"]) > _MONTHS
            months += int(found["second_"]) > _MONTHS
    if not days and not months:
        return None
    return "day-first" if days >= months else "month-first"


def iso_text(text: str, order: DateOrder | None) -> str | None:
    """Return a date as ISO 8601 text, or None if the text has the form of no date.

    Whether the calendar has that day is not checked.

    Parameters
    ----------
    text : str
        Any text. A time of day may follow the date.
    order : {"day-first", "month-first"} or None
        What stands first in a date that ends with its year. None: such a text is no date.

    Examples
    --------
    >>> iso_text("3.4.2022", "day-first"), iso_text("03/04/2022 1:30 pm", "month-first")
    ('2022-04-03', '2022-03-04T13:30:00')
    >>> iso_text("2022/03/25", "day-first"), iso_text("soon", "day-first")
    ('2022-03-25', None)
    """
    text = text.strip()
    if found := _YEAR_FIRST.fullmatch(text):
        return _written(found, found["month"], found["day"])
    if order and (found := _YEAR_LAST.fullmatch(text)):
        first, second = found["first"], found["second_"]
        return _written(found, *((second, first) if order == "day-first" else (first, second)))
    return text if _ISO.match(text) else None


def _written(found: re.Match[str], month: str, day: str) -> str:
    date = f"{found['year']}-{int(month):02d}-{int(day):02d}"
    if found["hour"] is None:
        return date
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + 12 * (found["half"] in "Pp")
    seconds = found["second"] or "00"
    return f"{date}T{hour:02d}:{found['minute']}:{seconds}"


def parse_dates(text: pd.Series, order: DateOrder | None) -> pd.Series:
    """Return text as timestamps in UTC without a zone; what is no date is NaT.

    >>> parse_dates(pd.Series(["25.03.2022", "31.02.2022", None]), "day-first").dt.day.tolist()
    [25.0, nan, nan]
    """
    codes, distinct = pd.factorize(text)
    # Missing values have code -1, the last of the texts.
    iso = [*(iso_text(str(each), order) for each in distinct), None]
    stamps = pd.to_datetime(
        pd.Series(iso, dtype=object), format="ISO8601", errors="coerce", utc=True
    )
    return stamps.dt.tz_localize(None).iloc[codes].set_axis(text.index).rename(text.name)
