"""Laws of the kinds of columns and of their values."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from equipoise.data.columns import as_dates, as_numbers, as_text, column_kind
from equipoise.errors import InputError

NUMBERED = [str(number) for number in range(40)]


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1, 2], None, "numeric"),
        ([1.5, None], None, "numeric"),
        ([1, None], "Int64", "numeric"),
        ([1.5, None], "Float32", "numeric"),
        ([Decimal("1.5"), None, Decimal(2)], None, "numeric"),
        ([1, 2.5], "object", "numeric"),
        (pd.to_timedelta([1, 2], unit="h"), None, "numeric"),
        ([True, False], None, "boolean"),
        ([True, None, False], "object", "boolean"),
        ([True, None, False], "boolean", "boolean"),
        (pd.to_datetime(["2024-01-01", "2024-02-01"]), None, "date"),
        (pd.to_datetime(["2024-01-01", "2024-02-01"], utc=True), None, "date"),
        ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "object", "date"),
        (["2024-01-01", "2024-01-02T10:00:00+02:00"], None, "date"),
        (["2024-01-01"] * 18 + ["2024-01-02", "unknown"], None, "date"),
        (["2024-01-01"] * 17 + ["2024-01-02", "unknown", "?"], None, "categorical"),
        (["03.04.2022", "25.03.2022"], None, "date"),
        (["03/25/2022 08:15", "03/04/2022 17:00"], None, "date"),
        (["2022/03/25", "2022/03/26"], None, "date"),
        (["25.03.22", "26.03.22"], None, "categorical"),
        ([*range(19), "k.A."], "object", "numeric"),
        ([*range(18), "k.A."], "object", "categorical"),
        ([1.0, 2.0] * 19 + ["<0,5", "k.A."], "object", "numeric"),
        (["a", "b", "a"], None, "categorical"),
        (["a", "b", "a"], "category", "categorical"),
        ([1, 2, 1], "category", "categorical"),
        ([1, "a", 1], "object", "categorical"),
        (["1", "2", "1"], None, "categorical"),
        (NUMBERED, None, "numeric"),
        ([*NUMBERED, "?"], None, "numeric"),
        ([*NUMBERED, *"abc"], None, "text"),
        ([f"id{i}" for i in range(21)], None, "text"),
        ([f"id{i}" for i in range(20)], None, "categorical"),
        ([f"id{i}" for i in range(27)] + ["id0"] * 3, None, "categorical"),
        ([f"id{i}" for i in range(28)] + ["id0"] * 2, None, "text"),
        ([7, 7], None, "constant"),
        (["a", "a"], None, "constant"),
        ([7, None], None, "numeric"),
        ([None, None], None, "empty"),
        ([np.nan, np.nan], None, "empty"),
    ],
)
def test_kinds_follow_type_and_values(values: object, dtype: str | None, kind: str) -> None:
    """Each type, and each border between kinds of text, has the documented kind."""
    assert column_kind(pd.Series(values, dtype=dtype)) == kind


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}], [1j, 2j], [b"a", b"b"]])
def test_values_that_are_not_single_are_refused(values: list[object]) -> None:
    """Lists, records, complex numbers and bytes are no features."""
    with pytest.raises(InputError, match="'c' must hold single numbers"):
        column_kind(pd.Series(values, name="c"))


def test_equal_categories_are_spelt_equally_in_every_type() -> None:
    """An integer category keeps its name when a missing value makes the column fractional."""
    for column in (pd.Series([1, 2]), pd.Series([1.0, 2.0]), pd.Series([1, 2], dtype="category")):
        assert as_text(column).tolist() == ["1", "2"]
    assert as_text(pd.Series([1.0, None, 2.5])).tolist() == ["1", None, "2.5"]
    assert as_text(pd.Series([True, None], dtype="object")).tolist() == ["True", None]


def test_dates_are_read_in_utc() -> None:
    """Time zones are converted; what is no date is missing."""
    text = pd.Series(["2024-03-01T01:30:00+02:00", "in March", "2024-02-30", None])
    dates = as_dates(text)
    assert dates.iloc[0] == pd.Timestamp("2024-02-29 23:30")
    assert dates.isna().tolist() == [False, True, True, True]
    zoned = pd.Series(pd.to_datetime(["2024-03-01 01:30"])).dt.tz_localize("Europe/Helsinki")
    assert as_dates(zoned).iloc[0] == pd.Timestamp("2024-02-29 23:30")


def test_numbers_are_what_they_spell() -> None:
    """Integers, booleans, durations, decimals and text give the numbers that they mean."""
    cases = {
        "1.5": pd.Series(["1.5", None]),
        "1": pd.Series([True, None], dtype="object"),
        "0.5": pd.Series(pd.to_timedelta([12, None], unit="h")),
        "2.25": pd.Series([Decimal("2.25"), None]),
        "3": pd.Series([3, None], dtype="Int64"),
    }
    for number, column in cases.items():
        np.testing.assert_array_equal(as_numbers(column), [float(number), np.nan])


def test_what_is_no_number_is_refused_with_value_and_rows() -> None:
    """Text, dates and values beyond 32-bit floats in a numeric column are input errors."""
    with pytest.raises(InputError, match=r"'c' must hold numbers. It holds 'x' in rows 1, 2"):
        as_numbers(pd.Series([1, "x", "y"], name="c"))
    with pytest.raises(InputError, match="'c' must hold numbers"):
        as_numbers(pd.Series(pd.to_datetime(["2024-01-01"]), name="c"))
    for value in (np.inf, -np.inf, 1e39):
        with pytest.raises(InputError, match=r"'c' must be finite.*row 1"):
            as_numbers(pd.Series([0, value], name="c"))
    assert np.isnan(as_numbers(pd.Series([1, "x"]), lenient=True)[1])
