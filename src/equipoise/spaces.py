"""What may be tuned, and on what scale: declared on the fields of components, in one place."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Span:
    """Numbers between two ends.

    Parameters
    ----------
    low, high : float
        The ends, both inside.
    log : bool, default=False
        Whether equal ratios count as equal steps; `low` is then above 0.
    integer : bool, default=False
        Whether only whole numbers are inside.

    Examples
    --------
    >>> 0.1 in Span(0.01, 1.0, log=True), 2.0 in Span(0.01, 1.0)
    (True, False)
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __contains__(self, value: object) -> bool:
        kinds = (int,) if self.integer else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high  # type: ignore[operator]


@dataclass(frozen=True)
class Options:
    """A few values without an order.

    Parameters
    ----------
    values : tuple
        Text, numbers, booleans or None; at least one.

    Examples
    --------
    >>> None in Options(("piecewise", None))
    True
    """

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


Space = Span | Options
"""Values that a search may try for one field."""
