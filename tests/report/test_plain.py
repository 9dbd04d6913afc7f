"""Values of JSON files that a stranger may have written."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from equipoise.report.plain import count, number, optional, rows, scalar, size, text

NO_NUMBERS = ("3", None, True, [], {}, "NaN", json.loads("NaN"), json.loads("-Infinity"), 10**400)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1e300, -1e13])
@pytest.mark.parametrize("read", [number, size, count])
def test_what_is_no_finite_number_is_refused(read: Callable[[Any], float], value: Any) -> None:
    """Text, truth values, NaN, infinity, and numbers that no float or axis can hold."""
    with pytest.raises(ValueError):  # noqa: PT011 (its text is told by the tests of the page)
        read(value)


@pytest.mark.parametrize("value", [0, 3, 2.5, -1e11])
def test_numbers_are_kept(value: float) -> None:
    """Whole or not, of either sign."""
    assert number(value) == value


def test_sizes_and_counts_begin_at_zero() -> None:
    """A standard error is not negative, and half a trial is no count."""
    assert (size(0), size(0.5), count(0), count(7)) == (0, 0.5, 0, 7)
    for read, value in ((size, -0.1), (count, -1), (count, 0.5), (count, 1.0)):
        with pytest.raises(ValueError, match="from zero on"):
            read(value)


@pytest.mark.parametrize("value", [None, 3, ["a"], {"a": 1}])
def test_only_text_is_text(value: Any) -> None:
    """Nothing is turned into text silently."""
    with pytest.raises(ValueError, match="text is needed"):
        text(value)


def test_scalars_are_text_numbers_and_truth_values() -> None:
    """Each as it is read by people; a list is none."""
    assert [scalar(v) for v in ("12s", 5, 0.25, False)] == ["12s", "5", "0.25", "False"]
    with pytest.raises(ValueError, match="a number is needed"):
        scalar(["a"])


def test_a_list_is_read_value_by_value() -> None:
    """One value of the wrong kind spoils it, and so does another thing than a list."""
    assert rows(text, ["a", "b"]) == ["a", "b"]
    assert optional(lambda v: rows(count, v), None) is None
    for value in (["a", 1], "ab", {"a": "b"}, None):
        with pytest.raises(ValueError, match="is needed"):
            rows(text, value)
