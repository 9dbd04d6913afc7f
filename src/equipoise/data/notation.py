"""How numbers are written in text: their decimal mark, and what separates thousands.

``1.234`` is a number above a thousand where the decimal mark is a comma, and a little above
one where it is a point. A mark is proven by a number that only it makes sense of: ``9,5``,
``4.474,03`` and ``1.234.567`` prove the comma, ``0.123`` and ``1,234.5`` the point.
"""

import contextlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np

DecimalMark = Literal["point", "comma"]
"""What stands before the decimals of a number."""

MARKS: dict[DecimalMark, str] = {"point": ".", "comma": ","}

OTHER: dict[DecimalMark, DecimalMark] = {"point": "comma", "comma": "point"}
"""The mark that separates thousands where the first is the decimal one."""

# Apostrophes and blanks (of any width) separate thousands beside either mark.
_SEPARATORS = "'’ \u00a0\u202f"  # noqa: RUF001 (these characters themselves are meant)
_DIGITS = "0123456789+-eE"
_SEPARATED = {*MARKS.values(), *_SEPARATORS}
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


@cache
def _plain(decimal: DecimalMark) -> re.Pattern[str]:
    mark = re.escape(MARKS[decimal])
    return re.compile(rf"[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?", re.ASCII)


@cache
def _grouped(decimal: DecimalMark) -> re.Pattern[str]:
    mark, other = re.escape(MARKS[decimal]), re.escape(MARKS[OTHER[decimal]])
    groups = rf"[1-9]\d{{0,2}}([{other}{_SEPARATORS}])\d{{3}}(\1\d{{3}})*"
    return re.compile(rf"[+-]?{groups}({mark}\d+)?", re.ASCII)


def canonical(text: str, decimal: DecimalMark) -> str | None:
    """Return a number as Python spells it, or None if the text is no number.

    Parameters
    ----------
    text : str
        Any text. Thousands may be separated, in groups of three digits and all of them alike,
        by the mark that is not the decimal one, by apostrophes or by blanks.
    decimal : {"point", "comma"}
        The decimal mark.

    Examples
    --------
    >>> canonical("4.474,03", "comma"), canonical("1.234", "comma"), canonical("1.234", "point")
    ('4474.03', '1234', '1.234')
    >>> canonical("9,5", "point") is None, canonical("12.34", "comma") is None
    (True, True)
    """
    text = text.strip()
    if _plain(decimal).fullmatch(text):
        return text.replace(MARKS[decimal], ".")
    if found := _grouped(decimal).fullmatch(text):
        return text.replace(found[1], "").replace(MARKS[decimal], ".")
    return text if text[-1:] in "fFyY" and _INFINITE.fullmatch(text) else None


def plain_characters(decimal: DecimalMark) -> set[str]:
    """Return the characters of numbers without separated thousands."""
    return {*_DIGITS, MARKS[decimal]}


def spelt_numbers(texts: Sequence[str], decimal: DecimalMark) -> np.ndarray:
    """Return what texts spell as float64, NaN for those that are no numbers.

    >>> spelt_numbers(["1,5", "2.000", "k.A."], "comma")
    array([1.5e+00, 2.0e+03,     nan])
    """
    if set("".join(texts)) <= plain_characters(decimal):
        # Most columns hold plain numbers alone, which need no look at each.
        with contextlib.suppress(ValueError):
            return np.array([float(text.replace(MARKS[decimal], ".")) for text in texts])
    spelt = (canonical(text, decimal) for text in texts)
    return np.array([np.nan if each is None else float(each) for each in spelt], dtype=np.float64)


def is_integer(text: str) -> bool:
    """Return whether a number, as `canonical` returns it, has neither mark nor exponent.

    >>> is_integer("12"), is_integer("12.0")
    (True, False)
    """
    return _INTEGER.fullmatch(text) is not None


def has_thousands(text: str, decimal: DecimalMark) -> bool:
    """Return whether a number is written with separated thousands.

    >>> has_thousands("1.234", "comma"), has_thousands("1.234", "point")
    (True, False)
    """
    text = text.strip()
    separated = not _SEPARATED.isdisjoint(text) and not _plain(decimal).fullmatch(text)
    return separated and _grouped(decimal).fullmatch(text) is not None
