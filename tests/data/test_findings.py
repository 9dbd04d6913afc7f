"""Laws of what is found in the columns of a table."""

import pandas as pd

from equipoise.data.columns import MOSTLY
from equipoise.data.findings import find, notes_on


def test_nothing_unusual_leaves_no_note() -> None:
    """Numbers, categories and ISO dates as they should be are not commented on."""
    days = pd.date_range("2021-01-01", periods=60).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"n": range(60), "c": ["u", "v"] * 30, "d": days})
    assert notes_on(find(frame)) == []


def test_text_with_thousands_is_recognised_in_frames() -> None:
    """Numbers with thousands apart, as text of a frame in memory, are named as what they are."""
    for form in ("{},000.50", "{}'000.50", "{}.000,50", "{},5"):
        table = pd.DataFrame({"cost": [form.format(i) for i in range(1, 61)]})
        assert find(table)["cost"].kind == "text"
        note = " ".join(notes_on(find(table)))
        assert "looks like numbers with decimal commas or separators of thousands" in note
        assert repr(form.format(1)) in note


def test_dates_without_proof_follow_those_with_proof() -> None:
    """Where one column proves the month first, another is read so too, and it is said."""
    frame = pd.DataFrame({"a": ["03/25/2022", "03/04/2022"], "b": ["05/06/2022", "07/08/2022"]})
    found = find(frame)
    assert (found["b"].order, found["b"].proven) == ("month-first", False)
    assert "05/06/2022 was read with the month first; `--dates day-first`" in notes_on(found)[0]
    against = find(frame.assign(c=["25/03/2022", "04/03/2022"]))
    assert [against[name].order for name in "abc"] == ["month-first", "day-first", "day-first"]


def test_odd_texts_are_those_that_count_as_missing() -> None:
    """Among dates and numbers each different text is listed once, and missing values are none."""
    dates = [f"{1 + i % 28:02d}.03.2022" for i in range(58)] + ["31.02.2022", "soon"]
    numbers = pd.Series([float(i) for i in range(57)] + ["k.A.", None, "k.A."], dtype=object)
    found = find(pd.DataFrame({"day": dates, "n": numbers}))
    assert found["day"].texts == ("31.02.2022", "soon")
    assert found["n"].texts == ("k.A.",)
    assert found["n"].odd.sum() == 2
    assert "are no dates and count as missing: '31.02.2022' (row 58)" in notes_on(found)[0]
    share = 1 - found["day"].odd.mean()
    assert share >= MOSTLY
