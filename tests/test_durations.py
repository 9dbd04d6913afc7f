"""Laws of lengths of time: what is written can be read, and nothing else is taken for a time."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.durations import format_duration, parse_duration
from equipoise.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93_784),
        ("1.5h", 5400),
        ("0.5", 0.5),
        ("45", 45),
        (" 5 M ", 300),
        ("1h 30m", 5400),
        ("120m", 7200),
    ],
)
def test_a_time_means_its_seconds(text: str, seconds: float) -> None:
    """Each unit counts what a clock does; a number alone is seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0s", "0h0m", "m5", "5x", "-5m", "5m-", "1e3", "nan", "inf", "1h1h"),
        *("30s5m", "5 minutes", "1:30", "1,5h", "\N{ARABIC-INDIC DIGIT THREE}m", "9" * 400),
        *(".5s", "5.m"),
    ],
)
def test_what_is_no_time_is_refused_in_words(text: str) -> None:
    """The message shows how a time is written."""
    with pytest.raises(InputError, match="90s, 5m or 1h30m"):
        parse_duration(text)


@settings(deadline=None, derandomize=True)
@given(st.floats(0.001, 1e8))
def test_a_written_time_is_read_again(seconds: float) -> None:
    """Writing rounds: to the second from 10 on, to two digits below."""
    again = parse_duration(format_duration(seconds))
    if seconds >= 9.995:
        assert abs(again - seconds) <= 0.5
    else:
        assert math.isclose(again, seconds, rel_tol=0.051)


def test_no_time_can_be_written() -> None:
    """What is left of a budget may be nothing."""
    assert format_duration(0) == "0s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59.6, "1m"), (9.994, "9.99s"), (9.996, "10s"), (3600, "1h"), (3599.7, "1h"), (0.05, "0.05s")],
)
def test_a_time_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    """Seconds that make a minute become one, and no part is zero."""
    assert format_duration(seconds) == text
