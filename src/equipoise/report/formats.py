"""How numbers are written in sentences, tables and pictures."""

import math
import re
from typing import Any

DASH = "\N{EN DASH}"
"""Stands for a number that is not defined, such as the recall of a class without examples."""

_SPACE, _THIN = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"

_LONG_NUMBER = re.compile(r"(?<![\w.])\d{1,9}\.\d{4,30}(?:e[+-]?\d{1,2})?(?![\w.])", re.ASCII)


def defined(value: float | None) -> bool:
    """Say whether there is a finite number to write."""
    return value is not None and math.isfinite(value)


def percent(value: float | None, digits: int = 1) -> str:
    """Write a fraction as a percentage.

    >>> print(percent(0.8713), percent(0.8713, 0))
    87.1...% 87...%
    """
    return f"{100 * value:.{digits}f}{_SPACE}%" if value is not None and defined(value) else DASH


def decimal(value: float | None, digits: int = 3) -> str:
    """Write a number with a fixed number of decimals.

    >>> decimal(0.51234)
    '0.512'
    """
    return f"{value:.{digits}f}" if value is not None and defined(value) else DASH


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits.

    >>> significant(0.00012345), significant(97.8)
    ('0.000123', '97.8')
    """
    return f"{value:.{digits}g}" if value is not None and defined(value) else DASH


def whole(value: float | None) -> str:
    """Write a count in groups of three digits.

    >>> print(whole(12406))
    12...406
    """
    return f"{value:,.0f}".replace(",", _THIN) if value is not None and defined(value) else DASH


def rounded(value: float | None) -> str:
    """Write a large count with two or three digits and a word for its size.

    >>> print(rounded(2_173_184), "|", rounded(850), "|", rounded(68_862_592_000))
    2.2...million | 850 | 68.9...billion
    """
    if value is None or not defined(value) or value < 1e5:
        return whole(value)
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= 0.95 * size:
            return f"{value / size:.1f}{_SPACE}{word}"
    return f"{value / 1e3:.0f}{_SPACE}thousand"


def tick(value: float) -> str:
    """Write a round number beside an axis: short, and not as nothing where it is below one.

    >>> print(tick(0.5), "|", tick(2000), "|", tick(5e9))
    0.5 | 2...000 | 5...billion
    """
    return f"{value:g}" if value < 1 else rounded(value).replace(f".0{_SPACE}", _SPACE)


def interval(estimate: dict[str, Any], as_percent: bool = True) -> str:
    """Write the interval of an estimate, without the unit; empty if there is none.

    >>> print(interval({"value": 0.5, "low": 0.25, "high": 0.75}))
    25.0...75.0
    """
    low, high = estimate["low"], estimate["high"]
    if not (defined(low) and defined(high)):
        return ""
    if as_percent:
        return f"{100 * low:.1f}{DASH}{100 * high:.1f}"
    return f"{low:.3f}{DASH}{high:.3f}"


def duration(seconds: float | None) -> str:
    """Write a time span in its two largest units.

    >>> print(duration(272.4), "|", duration(7384), "|", duration(5.26))
    4...min 32...s | 2...h 3...min | 5.3...s
    """
    if seconds is None or not defined(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_SPACE}min {rest}{_SPACE}s"
    return f"{minutes // 60}{_SPACE}h {minutes % 60}{_SPACE}min"


def counted(n: int, thing: str) -> str:
    """Write how many there are of something.

    >>> print(counted(1, "test example"), "|", counted(0, "test example"))
    1 test example | no test examples
    """
    return f"{whole(n) if n else 'no'} {thing}{'' if n == 1 else 's'}"


def quoted(name: str) -> str:
    """Put a name, shortened if need be, in quotation marks.

    >>> print(quoted("cat"))
    “cat”
    """
    return f"\N{LEFT DOUBLE QUOTATION MARK}{shorten(name)}\N{RIGHT DOUBLE QUOTATION MARK}"


def brief(text: str) -> str:
    """Write the long numbers of a component with three significant digits.

    >>> brief("SGD(lr=0.0123456789, momentum=0.9)"), brief("Mixup(alpha=1.234567e-05)")
    ('SGD(lr=0.0123, momentum=0.9)', 'Mixup(alpha=1.23e-05)')
    """
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.3g}", text)


def shorten(name: str, length: int = 48) -> str:
    """Return a name in one line without control characters, cut with an ellipsis if long.

    >>> shorten("a class name that goes on and on", 12)
    'a class nam…'
    """
    printable = "".join(c if c.isprintable() else " " for c in name)
    line = " ".join(printable.split()) or "(empty)"
    return line if len(line) <= length else line[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
