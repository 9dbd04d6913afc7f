"""Values of a JSON file that a stranger may have written: of the right kind, or refused."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")

LARGEST = 1e12
"""Numbers beyond it are no measurements, and cannot be drawn."""


def number(value: Any) -> float:
    """Return a finite number of a size that can be shown.

    Raises
    ------
    ValueError
        If it is anything else, such as NaN, text or a truth value.

    Examples
    --------
    >>> number(3)
    3.0
    """
    # Compared before it is converted: a whole number may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is needed, not {type(value).__name__}")
    if not -LARGEST < value < LARGEST or not math.isfinite(value):
        raise ValueError("a number is out of range")
    return float(value)


def count(value: Any) -> int:
    """Return a whole number from zero on.

    >>> count(True)
    Traceback (most recent call last):
    ...
    ValueError: a number is needed, not bool
    """
    if number(value) < 0 or not isinstance(value, int):
        raise ValueError("a whole number from zero on is needed")
    return value


def size(value: Any) -> float:
    """Return a number from zero on.

    >>> size(-0.5)
    Traceback (most recent call last):
    ...
    ValueError: a number from zero on is needed
    """
    if number(value) < 0:
        raise ValueError("a number from zero on is needed")
    return float(value)


def text(value: Any) -> str:
    """Return text.

    >>> text(None)
    Traceback (most recent call last):
    ...
    ValueError: text is needed, not NoneType
    """
    if not isinstance(value, str):
        raise ValueError(f"text is needed, not {type(value).__name__}")
    return value


def optional(read: Callable[[Any], ValueT], value: Any) -> ValueT | None:
    """Return what a reader makes of a value, or None where there is none.

    >>> optional(number, None) is None, optional(number, 2)
    (True, 2.0)
    """
    return None if value is None else read(value)


def rows(read: Callable[[Any], ValueT], values: Any) -> list[ValueT]:
    """Return what a reader makes of each value of a list.

    >>> rows(count, {"a": 1})
    Traceback (most recent call last):
    ...
    ValueError: a list is needed, not dict
    """
    if not isinstance(values, list):
        raise ValueError(f"a list is needed, not {type(values).__name__}")
    return [read(value) for value in values]


def scalar(value: Any) -> str:
    """Return text, a number or a truth value as text.

    >>> scalar("12s"), scalar(5), scalar(True)
    ('12s', '5', 'True')
    """
    return str(value) if isinstance(value, str | bool) else f"{number(value):g}"
