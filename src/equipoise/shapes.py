"""Whether JSON is of the shape that was written, for it may be a stranger's."""

import math
from typing import Any

NUMBER, MAYBE, WHOLE = "a number", "a number or null", "a whole number"
TEXT, TEXT_OR_NULL, ANY = "text", "text or null", "anything"
"""What a value can be."""


def mismatch(value: Any, shape: Any, at: str = "all of it") -> str | None:
    """Return where a value of JSON is not of a shape, and how; None if it is.

    Parameters
    ----------
    value : JSON value
        Any.
    shape : dict, list or str
        A dict has the value's keys and their shapes, `...` standing for others; a list has the
        shape of each item; else `NUMBER` (finite), `MAYBE`, `WHOLE`, `TEXT`, `TEXT_OR_NULL` or
        `ANY`.
    at : str, default="all of it"
        What the value is called.

    Examples
    --------
    >>> mismatch({"runs": [1, "two"]}, {"runs": [NUMBER]})
    'runs[1] is not a number'
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{at} is no object"
        named = {key: own for key, own in shape.items() if key is not ...}
        if lacking := named.keys() - value.keys():
            return f"{at} lacks {min(lacking)}"
        rest = dict.fromkeys(value.keys() - named.keys(), shape[...]) if ... in shape else {}
        pairs = [(key, value[key], own) for key, own in {**named, **rest}.items()]
        prefix = "" if at == "all of it" else f"{at}."
        each = (mismatch(one, own, f"{prefix}{key}") for key, one, own in pairs)
        return next((found for found in each if found is not None), None)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{at} is no list"
        each = (mismatch(one, shape[0], f"{at}[{i}]") for i, one in enumerate(value))
        return next((found for found in each if found is not None), None)
    is_number = isinstance(value, int | float) and math.isfinite(value)
    is_text, is_null = isinstance(value, str), value is None
    fits = {
        TEXT: is_text,
        TEXT_OR_NULL: is_text or is_null,
        NUMBER: is_number,
        MAYBE: is_number or is_null,
        WHOLE: isinstance(value, int) and not isinstance(value, bool),
        ANY: True,
    }
    return None if fits[shape] else f"{at} is not {shape}"
