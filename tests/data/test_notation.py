"""Laws of how numbers are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.notation import DecimalMark, canonical, has_thousands, spelt_numbers


def _german(text: str) -> str:
    return text.replace(",", "_").replace(".", ",").replace("_", ".")


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from([",", "'", " ", "\u202f"]))
def test_numbers_mean_the_same_in_every_country(number, mark) -> None:
    """However marks are set, with thousands apart or not, a number is what Python says it is."""
    for text in (f"{number:f}", f"{number:,f}"):
        here = text.replace(",", mark)
        assert float(str(canonical(here, "point"))) == float(number)
    assert float(str(canonical(_german(f"{number:,f}"), "comma"))) == float(number)
    assert canonical(_german(f"{number:,f}"), "point") is None


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("1.234", 1.234, 1234),
        ("12.500", 12.5, 12500),
        ("850", 850, 850),
        ("1.234.567", None, 1234567),
        ("4.474,03", None, 4474.03),
        ("4,474.03", 4474.03, None),
        ("9,5", None, 9.5),
        ("0.123", 0.123, None),
        ("0,123", None, 0.123),
        ("1234.567", 1234.567, None),
        ("12.34", 12.34, None),
        ("1.23.456", None, None),
        ("1,2,3", None, None),
        ("1'234,5", None, 1234.5),
        ("1'234 567", None, None),
        ("-1.5e3", -1500, None),
        ("+7", 7, 7),
        (" 8 ", 8, 8),
        ("<0,5", None, None),
        ("k.A.", None, None),
        ("-", None, None),
        ("", None, None),
        ("1_000", None, None),
        ("12.03.2022", None, None),
        ("inf", np.inf, np.inf),
        ("fluff", None, None),
    ],
)
def test_each_mark_has_its_numbers(text: str, point: float | None, comma: float | None) -> None:
    """A text is a number with one decimal mark, with both, or with none."""
    marks: tuple[tuple[DecimalMark, float | None], ...] = (("point", point), ("comma", comma))
    for decimal, expected in marks:
        for texts in ([text], [text, "k.A."]):
            found = spelt_numbers(texts, decimal)[0]
            assert np.isnan(found) if expected is None else found == expected


def test_thousands_are_seen_where_they_are_written() -> None:
    """Only a number whose thousands are apart counts, with the mark that makes it one."""
    assert has_thousands("1.234", "comma")
    assert has_thousands("1 234", "point")
    assert not any(has_thousands(text, "point") for text in ("1.234", "1234", "a,b", "1,23"))
