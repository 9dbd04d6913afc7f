"""How numbers are written."""

import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.report import formats

WRITERS = (
    formats.percent,
    formats.decimal,
    formats.significant,
    formats.whole,
    formats.duration,
)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_defined_is_a_dash(write, value) -> None:
    """No writer invents a number."""
    assert write(value) == formats.DASH


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
    ],
)
def test_durations_use_their_two_largest_units(seconds: float, text: str) -> None:
    """Time spans read as a person would say them."""
    assert unicodedata.normalize("NFKC", formats.duration(seconds)) == text


def test_numbers_are_not_broken_over_lines() -> None:
    """The space within a number is not a place to break the line."""
    assert " " not in formats.percent(0.5) + formats.whole(1234567) + formats.duration(10)


def test_an_interval_without_bounds_is_empty() -> None:
    """An estimate may come without an interval."""
    assert formats.interval({"value": 0.5, "low": None, "high": None}) == ""


def test_intervals_of_losses_are_not_percentages() -> None:
    """The unit follows the metric."""
    estimate = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert formats.interval(estimate, as_percent=False) == f"0.250{formats.DASH}0.750"
    assert formats.interval(estimate) == f"25.0{formats.DASH}75.0"


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=80), st.integers(2, 40))
def test_shortened_names_fit_and_can_be_printed(name: str, length: int) -> None:
    """A name of any characters becomes one visible line of at most the given length."""
    short = formats.shorten(name, length)
    assert 0 < len(short) <= max(length, len("(empty)"))
    assert short.isprintable()


def test_short_names_stay_as_they_are() -> None:
    """Nothing is cut that fits."""
    assert formats.shorten("Ankle boot", 10) == "Ankle boot"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (99_999, "99 999"),
        (464_154, "464 thousand"),
        (949_999, "950 thousand"),
        (999_999, "1.0 million"),
        (68_862_592, "68.9 million"),
        (2.5e9, "2.5 billion"),
        (3.1e13, "31.0 trillion"),
        (None, formats.DASH),
    ],
)
def test_large_counts_are_written_with_a_word(count: float | None, text: str) -> None:
    """A reader need not count digits."""
    assert unicodedata.normalize("NFKC", formats.rounded(count)) == text


def test_one_thing_is_singular() -> None:
    """Only one is one."""
    written = [formats.counted(n, "row") for n in (0, 1, 2)]
    assert written == ["no rows", "1 row", "2 rows"]
