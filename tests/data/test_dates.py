"""Laws of dates in text."""

import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.dates import iso_text, parse_dates, proven_order

DAYS = st.dates(datetime.date(1800, 1, 1), datetime.date(2200, 12, 31))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(day=DAYS, mark=st.sampled_from("./-"), time=st.times())
def test_every_form_gives_the_day_that_was_written(
    day: datetime.date, mark: str, time: datetime.time
) -> None:
    """Year first, day first and month first, with and without a time, are one moment."""
    time = time.replace(microsecond=0)
    forms = {
        "day-first": f"%d{mark}%m{mark}%Y",
        "month-first": f"%m{mark}%d{mark}%Y",
        None: f"%Y{mark}%m{mark}%d",
    }
    for order, form in forms.items():
        text = day.strftime(form).replace("%Y", f"{day.year:04d}")
        found = parse_dates(pd.Series([text, f"{text} {time}", f"{text}T{time:%H:%M}"]), order)  # type: ignore[arg-type]
        moments = [
            pd.Timestamp(datetime.datetime.combine(day, each))
            for each in (datetime.time(), time, time.replace(second=0))
        ]
        assert found.tolist() == moments


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(DAYS, min_size=1), st.booleans())
def test_a_number_above_twelve_proves_the_order(days: list[datetime.date], day_first: bool) -> None:
    """The order is that in which the dates were written, if and only if a day is above 12."""
    texts = [f"{day:%d.%m.}{day.year}" if day_first else f"{day:%m.%d.}{day.year}" for day in days]
    proven = any(day.day > 12 for day in days)
    expected = ("day-first" if day_first else "month-first") if proven else None
    assert proven_order(texts) == expected


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("3.4.2022", "2022-04-03"),
        ("03/04/2022 1:30 PM", "2022-04-03T13:30:00"),
        ("03/04/2022 12:05 a.m.", "2022-04-03T00:05:00"),
        ("03.04.2022, 08:30 Uhr", "2022-04-03T08:30:00"),
        ("2022/3/25", "2022-03-25"),
        ("2024-02-29T10:00:00+02:00", "2024-02-29T10:00:00+02:00"),
        ("03.04.22", None),
        ("03.04/2022", None),
        ("03.04.20221", None),
        ("20220325", None),
        ("1.2022", None),
        ("soon", None),
    ],
)
def test_what_has_the_form_of_a_date_is_rewritten(text: str, iso: str | None) -> None:
    """Times may follow; years have four digits; marks are the same on both sides."""
    assert iso_text(text, "day-first") == iso


def test_days_that_the_calendar_lacks_are_missing() -> None:
    """The 31st of February is no date, in either order."""
    text = pd.Series(["31.02.2022", "02/30/2022", "29.02.2024"])
    assert parse_dates(text, "day-first").isna().tolist() == [True, True, False]
    assert parse_dates(text, "month-first").isna().tolist() == [True, True, True]
