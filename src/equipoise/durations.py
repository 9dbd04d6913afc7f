"""Lengths of time as people write them: ``90s``, ``5m``, ``1h30m``, or plain seconds."""

import math
import re
from numbers import Real

from equipoise.errors import InputError

_PARTS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))

_NUMBER = r"(\d+(?:\.\d+)?)"

_FORM = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit, _ in _PARTS))


def parse_duration(text: str) -> float:
    """Return the seconds that a text means.

    Parameters
    ----------
    text : str
        Days, hours, minutes and seconds in this order, each a number followed by ``d``, ``h``,
        ``m`` or ``s``; or a number alone, which means seconds.

    Returns
    -------
    float
        Above 0.

    Raises
    ------
    InputError
        If the text has another form, or means no time at all.

    Examples
    --------
    >>> [parse_duration(text) for text in ("90s", "5m", "1h30m", "1.5h", "45")]
    [90.0, 300.0, 5400.0, 5400.0, 45.0]
    """
    words = text.strip().lower().replace(" ", "")
    if re.fullmatch(_NUMBER, words, re.ASCII):
        words += "s"
    found = re.fullmatch(_FORM, words) if words.isascii() else None
    pairs = zip(found.groups(), _PARTS, strict=True) if found else ()
    seconds = sum(float(number) * length for number, (_, length) in pairs if number)
    if not 0 < seconds < math.inf:
        raise InputError(
            "A length of time must be above zero, and written like 90s, 5m or 1h30m.",
            f"It is {text!r}.",
            "Write seconds as 90s, minutes as 5m, hours as 2h, or a number of seconds.",
        )
    return seconds


def seconds_of(value: str | float) -> float:
    """Return the seconds that a length of time means, whether it is written or a number.

    Parameters
    ----------
    value : str or float
        As for `parse_duration`, or seconds, above 0.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> seconds_of("5m"), seconds_of(90)
    (300.0, 90.0)
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if is_number and 0 < (seconds := float(value)) < math.inf:
        return seconds
    return parse_duration(value if isinstance(value, str) else repr(value))


def format_duration(seconds: float) -> str:
    """Return a length of time as `parse_duration` reads it.

    Parameters
    ----------
    seconds : float
        At least 0. Below 10 it is written with two digits, or two after the point, as measured
        times are; from there on to the nearest second.

    Examples
    --------
    >>> [format_duration(seconds) for seconds in (0.0042, 0.844, 42.2, 300, 5430, 90_000)]
    ['0.0042s', '0.84s', '42s', '5m', '1h30m30s', '1d1h']
    """
    if seconds < 9.995:
        digits = f"{seconds:.2f}".rstrip("0").rstrip(".") if seconds >= 0.1 else f"{seconds:.2g}"
        return f"{digits}s"
    rest, text = round(seconds), ""
    for unit, length in _PARTS:
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text
