"""Laws of what may be tuned: a space holds what it says and nothing else."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.spaces import Options, Span

finite = st.floats(-1e6, 1e6)


@settings(deadline=None, derandomize=True)
@given(ends=st.tuples(finite, finite), value=finite)
def test_a_span_holds_its_ends_and_what_lies_between(
    ends: tuple[float, float], value: float
) -> None:
    """A number is inside if sorting it among the ends leaves it in the middle."""
    low, high = sorted(ends)
    span = Span(low, high)
    assert low in span
    assert high in span
    assert (value in span) == (sorted([low, value, high])[1] == value)
    assert math.nextafter(high, math.inf) not in span
    assert math.nextafter(low, -math.inf) not in span


@pytest.mark.parametrize("value", [True, False, None, "1", math.nan, math.inf, (1,), 1j])
def test_what_is_no_number_is_in_no_span(value: object) -> None:
    """Truth values are no numbers, although Python adds them."""
    assert value not in Span(-10, 10)
    assert value not in Span(-10, 10, integer=True)


def test_a_whole_span_holds_whole_numbers_only() -> None:
    """A float is not inside, even if it has no fraction, for it is written in another way."""
    whole = Span(1, 4, integer=True)
    assert [value for value in (0, 1, 2, 4, 5, 1.0, 2.5, 4.0) if value in whole] == [1, 2, 4]


def test_the_scale_does_not_change_what_is_inside() -> None:
    """Logarithmic spans are drawn from in another way, but hold the same numbers."""
    values = [0.0, 0.001, 0.01, 0.5, 1.0, 1.5]
    both = [[value in Span(0.01, 1.0, log=log) for value in values] for log in (False, True)]
    assert both[0] == both[1] == [False, False, True, True, True, False]


def test_options_hold_their_values_and_no_others() -> None:
    """None can be one of them."""
    options = Options(("piecewise", 3, None))
    inside = [value for value in ("piecewise", 3, None, "linear", 4, True, "") if value in options]
    assert inside == ["piecewise", 3, None]
    assert None not in Options(("piecewise",))
