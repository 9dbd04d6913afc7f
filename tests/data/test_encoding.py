"""Laws of the table encoder."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.encoding import TableEncoder
from equipoise.data.options import ReadOptions
from equipoise.data.scaling import Scaling
from equipoise.data.tables import read_table
from equipoise.errors import InputError

ALL: tuple[Scaling, ...] = ("standard", "quantile", "robust", "none")


def _mixed(n: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": random.normal(size=n),
            "holes": np.where(np.arange(n) % 7 == 0, np.nan, random.normal(size=n)),
            "flag": random.random(n) < 0.3,
            "day": pd.Timestamp("2023-12-01") + pd.to_timedelta(np.arange(n), unit="D"),
            "colour": random.choice(["red", "green", "blue"], n),
            "town": [None if i % 9 == 0 else f"t{i % 4}" for i in range(n)],
            "same": 3,
            "key": [f"key {i}" for i in range(n)],
        }
    )


def test_numbers_come_first_and_codes_last() -> None:
    """The matrix has n_numeric columns, then one code a categorical column."""
    frame = _mixed()
    encoder = TableEncoder("none").fit(frame)
    matrix = encoder.transform(frame)
    assert matrix.dtype == np.float32
    assert encoder.names == (
        *("number", "holes", "holes missing", "flag"),
        *("day day", "day year", "day month", "day weekday"),
        *("colour", "town"),
    )
    assert (encoder.n_numeric, encoder.cardinalities) == (8, (4, 6))
    assert matrix.shape == (60, 10)
    np.testing.assert_array_equal(matrix[:, 0], frame["number"].to_numpy(np.float32))
    np.testing.assert_array_equal(matrix[:, 3], frame["flag"])
    for column, cardinality in zip((8, 9), encoder.cardinalities, strict=True):
        codes = matrix[:, column]
        assert set(codes) <= set(range(1, cardinality))


def test_missing_numbers_are_the_median_and_marked() -> None:
    """A hole becomes the median of the training values, with a one in the next column."""
    frame = pd.DataFrame({"a": [1.0, None, 4.0, 9.0]})
    matrix = TableEncoder("none").fit(frame).transform(frame)
    np.testing.assert_array_equal(matrix, [[1, 0], [4, 1], [4, 0], [9, 0]])


def test_holes_that_training_did_not_have_are_filled_without_a_mark() -> None:
    """The width of the matrix is that of training."""
    encoder = TableEncoder("none").fit(pd.DataFrame({"a": [1.0, 4.0, 9.0]}))
    np.testing.assert_array_equal(encoder.transform(pd.DataFrame({"a": [None, 2.0]})), [[4], [2]])


def test_codes_follow_the_documented_order() -> None:
    """Code 0: unseen or seen once; then sorted categories; missing values last."""
    column = ["b", "a", "b", "a", "once", None]
    encoder = TableEncoder().fit(pd.DataFrame({"c": column}))
    assert encoder.cardinalities == (4,)
    codes = encoder.transform(pd.DataFrame({"c": ["a", "b", None, "once", "new"]}))
    assert codes.ravel().tolist() == [1, 2, 3, 0, 0]


def test_missing_categories_that_training_did_not_have_are_unseen() -> None:
    """Without missing values in training, a missing one has code 0."""
    encoder = TableEncoder().fit(pd.DataFrame({"c": ["a", "b", "a", "b"]}))
    assert encoder.transform(pd.DataFrame({"c": [None, "b"]})).ravel().tolist() == [0, 2]


def test_categories_do_not_depend_on_the_type_of_their_column() -> None:
    """Integers, fractional columns with holes and text give the same codes."""
    encoder = TableEncoder().fit(pd.DataFrame({"c": pd.Categorical([1, 2, 1, 2])}))
    for column in ([1, 2], [1.0, 2.0], ["1", "2"], pd.Categorical([1, 2])):
        assert encoder.transform(pd.DataFrame({"c": column})).ravel().tolist() == [1, 2]


def test_dates_become_days_and_the_parts_that_vary() -> None:
    """Day number, month, weekday and hour are the calendar's; a constant year is left out."""
    frame = pd.DataFrame({"t": ["2024-01-01T06:00", "2024-02-29T18:00", None]})
    encoder = TableEncoder("none").fit(frame)
    assert encoder.names == ("t day", "t month", "t weekday", "t hour", "t missing")
    matrix = encoder.transform(frame)
    np.testing.assert_array_equal(matrix[0], np.array([19723.25, 1, 0, 6, 0], np.float32))
    np.testing.assert_array_equal(matrix[1], np.array([19782.75, 2, 3, 18, 0], np.float32))
    np.testing.assert_array_equal(matrix[2], (matrix[0] + matrix[1]) / 2 + [0, 0, 0, 0, 1])


def test_dates_mean_the_same_as_text_and_as_timestamps() -> None:
    """Training on text and predicting on timestamps is the same, and so are time zones."""
    text = pd.DataFrame({"t": ["2024-01-01", "2024-02-29"]})
    stamps = pd.DataFrame({"t": pd.to_datetime(text["t"])})
    encoder = TableEncoder().fit(text)
    np.testing.assert_array_equal(encoder.transform(stamps), encoder.transform(text))
    zoned = stamps.assign(t=stamps["t"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    np.testing.assert_array_equal(encoder.transform(zoned), encoder.transform(text))


def test_text_among_numbers_that_was_known_is_always_missing() -> None:
    """Stray text in a column of numbers is tolerated with a note, and again however frequent."""
    frame = pd.DataFrame({"a": [*map(str, range(40)), "k.A."]})
    encoder = TableEncoder("none").fit(frame)
    assert encoder.names == ("a", "a missing")
    assert encoder.notes[0].endswith("counts as missing: 'k.A.' (row 40).")
    np.testing.assert_array_equal(
        encoder.transform(pd.DataFrame({"a": ["7", "k.A."]})), [[7, 0], [19.5, 1]]
    )


def test_new_text_among_numbers_is_missing_up_to_one_in_twenty() -> None:
    """At 5 % of the values it counts as missing, with a note; above it is refused with its rows."""
    encoder = TableEncoder("none").fit(pd.DataFrame({"a": [1.0, 2.0, 4.0]}))
    rows = pd.DataFrame({"a": [8.0] * 19 + ["k.A."]}, dtype=object)
    assert encoder.transform(rows)[:, 0].tolist() == [8.0] * 19 + [2.0]
    assert encoder.notes_on(rows)[0].endswith("'k.A.' (row 19).")
    assert encoder.notes_on(rows.iloc[:19]) == ()
    later = rows.iloc[1:].set_axis(range(101, 120))
    with pytest.raises(InputError, match=r"'k.A.' in row 119: 1 of 19 values.*--missing 'k.A.'"):
        encoder.transform(later)


def test_rows_outside_training_cannot_surprise() -> None:
    """Text, dates and kinds are found on all rows, so that every one of them can be encoded."""
    day = [f"{1 + i % 12:02d}.{1 + i % 12:02d}.2022" for i in range(59)]
    frame = pd.DataFrame(
        {
            "crp": [float(i) for i in range(57)] + ["<0,5", "k.A.", "k.A."],
            "seen": [*day, "25.03.2022"],
            "few": ["1", "2"] * 29 + ["unknown", "3"],
        }
    )
    encoder = TableEncoder("none").fit(frame, np.arange(50))
    matrix = encoder.transform(frame)
    assert encoder.names[:2] == ("crp", "seen day")
    assert matrix[57:, 0].tolist() == [24.5] * 3
    assert encoder.transform(frame.iloc[58:]).shape == (2, matrix.shape[1])
    days = matrix[:, encoder.names.index("seen day")]
    assert days[59] == (pd.Timestamp("2022-03-25") - pd.Timestamp("1970-01-01")).days


def test_rows_that_were_admitted_can_be_encoded_in_every_part() -> None:
    """Text that is rare among all rows is known in a part that holds little else."""
    encoder = TableEncoder("none").fit(pd.DataFrame({"a": [1.0, 2.0], "d": ["2022-03-25"] * 2}))
    days = pd.Series(["2022-03-26"] * 39 + ["soon"])
    rows = pd.DataFrame({"a": pd.Series([4.0] * 39 + ["k.A."], dtype=object), "d": days})
    with pytest.raises(InputError, match=r"'k.A.' in row 39"):
        encoder.transform(rows.iloc[38:])
    encoder.admit(rows)
    assert encoder.transform(rows.iloc[38:])[:, 0].tolist() == [4.0, 1.5]
    with pytest.raises(InputError, match=r"'n.b.' in rows 0, 1"):
        encoder.admit(pd.DataFrame({"a": ["n.b."] * 2, "d": days[:2]}))


def test_medians_categories_and_scaling_know_training_rows_only() -> None:
    """What other rows hold changes kinds at most, never a number that was learnt."""
    frame = _mixed()
    rows = np.arange(0, 60, 2)
    other = frame.copy()
    other.loc[frame.index[1::2], ["number", "colour"]] = [1e6, "pink"]
    probe = frame.iloc[rows]
    expected = TableEncoder("standard").fit(frame.iloc[rows]).transform(probe)
    for whole in (frame, other):
        found = TableEncoder("standard").fit(whole, rows).transform(probe)
        np.testing.assert_array_equal(found, expected)


def test_unknown_categories_are_counted() -> None:
    """The note names them with their rows; known ones leave none."""
    encoder = TableEncoder().fit(pd.DataFrame({"ward": ["surgery", "medicine"] * 4}))
    new = pd.DataFrame({"ward": ["surgery", "cardiology", None, "cardiology"]})
    assert encoder.notes_on(new)[0] == (
        "In the column 'ward', 2 of 4 rows have a category that training held in one row at most: "
        "'cardiology' (rows 1, 3)."
    )
    assert encoder.notes_on(new.iloc[[0, 2]]) == ()


def test_the_order_of_dates_is_kept() -> None:
    """A date that could be either is read as training proved; without proof, the note says so."""
    for text, month in ((["25.03.2022", "03.04.2022"], 4), (["03/25/2022", "03/04/2022"], 3)):
        encoder = TableEncoder("none").fit(pd.DataFrame({"d": text}))
        assert encoder.notes == ()
        again = TableEncoder.from_state(json.loads(json.dumps(encoder.to_state())))
        found = again.transform(pd.DataFrame({"d": [text[1]]}))[0, 0]
        assert found == (pd.Timestamp(2022, month, 7 - month) - pd.Timestamp("1970-01-01")).days
    unproven = TableEncoder().fit(pd.DataFrame({"d": ["03.04.2022", "05.06.2022"]}))
    assert "03.04.2022 was read with the day first; `--dates month-first`" in unproven.notes[0]


def test_dates_that_training_did_not_write_so_are_refused() -> None:
    """A model that met ISO dates alone does not guess which number is the month."""
    encoder = TableEncoder().fit(pd.DataFrame({"d": ["2022-03-25", "2022-04-03"]}))
    with pytest.raises(InputError, match=r"must hold dates like 2024-02-29.*'03.04.2022' in row 0"):
        encoder.transform(pd.DataFrame({"d": ["03.04.2022"]}))


def test_unusable_columns_are_left_out_with_notes() -> None:
    """Constant, empty and nearly unique text columns are named in the notes."""
    frame = _mixed().assign(nothing=None)
    notes = TableEncoder().fit(frame).notes
    assert len(notes) == 3
    for name, word in (("same", "the same"), ("key", "identifier"), ("nothing", "missing")):
        assert any(f"'{name}'" in note and word in note for note in notes)


def test_a_table_without_usable_columns_is_refused() -> None:
    """The message says why each column was left out."""
    with pytest.raises(InputError, match="all values are the same: 'a'"):
        TableEncoder().fit(pd.DataFrame({"a": [1, 1, 1]}))


@pytest.mark.parametrize("scaling", ALL)
def test_the_state_is_the_encoder(scaling: Scaling) -> None:
    """Written as JSON and read again, an encoder gives bit-equal matrices."""
    frame = _mixed()
    encoder = TableEncoder(scaling).fit(frame)
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.to_state())))
    probe = frame.iloc[::3].assign(colour="pink", holes=np.nan, town=None, number=1e30)
    for rows in (frame, probe):
        np.testing.assert_array_equal(again.transform(rows), encoder.transform(rows))
    assert (again.names, again.cardinalities, again.notes, again.scaling) == (
        *(encoder.names, encoder.cardinalities, encoder.notes),
        scaling,
    )


FITTED = TableEncoder().fit(_mixed())


@settings(deadline=None, derandomize=True, max_examples=15)
@given(order=st.permutations(list(_mixed().columns)), rows=st.integers(1, 20))
def test_column_order_and_extra_columns_do_not_matter(order: list[str], rows: int) -> None:
    """Columns are found by name, and others are ignored."""
    frame, encoder = _mixed(), FITTED
    shuffled = frame[order].assign(extra="x").iloc[:rows]
    expected = encoder.transform(frame)[:rows]
    np.testing.assert_array_equal(encoder.transform(shuffled), expected)


def test_rows_are_encoded_one_by_one() -> None:
    """A row's encoding does not depend on the rows beside it, nor on the index."""
    frame = _mixed()
    encoder = TableEncoder("quantile").fit(frame)
    expected = encoder.transform(frame)
    single = [encoder.transform(frame.iloc[[row]]) for row in range(0, 60, 7)]
    np.testing.assert_array_equal(np.concatenate(single), expected[::7])


def test_missing_columns_are_named() -> None:
    """A column that training used must be there; one that it left out need not."""
    frame = _mixed()
    encoder = TableEncoder().fit(frame)
    encoder.transform(frame.drop(columns=["same", "key"]))
    with pytest.raises(InputError, match="Missing are 'number', 'colour'"):
        encoder.transform(frame.drop(columns=["colour", "number"]))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"number": "high"}, "'number' must hold numbers, as .* It holds 'high' in rows 0, 1"),
        ({"number": np.inf}, "'number' must be finite"),
        ({"flag": 7}, "'flag' must hold true or false.*'7' in rows 0, 1"),
        ({"flag": "maybe"}, "'flag' must hold numbers, as .* It holds 'maybe'"),
        ({"day": "soon"}, "'day' must hold dates.*'soon' in rows 0, 1"),
        ({"day": 20240101}, "'day' must hold dates.*'20240101'"),
        ({"number": pd.Timestamp("2024-01-01")}, "'number' must hold numbers"),
    ],
)
def test_values_of_another_kind_are_refused_with_an_example(
    change: dict[str, object], match: str
) -> None:
    """The message names the column, a value and the rows."""
    encoder = TableEncoder().fit(_mixed())
    with pytest.raises(InputError, match=match):
        encoder.transform(_mixed(2).assign(**change))


def test_booleans_may_be_spelt() -> None:
    """True and false as text, numbers or booleans are the same."""
    encoder = TableEncoder("none").fit(pd.DataFrame({"b": [True, False, True]}))
    for column in ([True, False], ["True", "false"], [1, 0], [1.0, 0.0], ["1", "0"]):
        np.testing.assert_array_equal(encoder.transform(pd.DataFrame({"b": column})), [[1], [0]])


def test_arrays_are_frames_with_numbered_columns() -> None:
    """A plain array is encoded as the frame with columns x0, x1, ..."""
    array = np.random.default_rng(0).normal(size=(20, 3))
    array[3, 1] = np.nan
    encoder = TableEncoder().fit(array)
    assert encoder.names == ("x0", "x1", "x1 missing", "x2")
    frame = pd.DataFrame(array, columns=["x0", "x1", "x2"])
    np.testing.assert_array_equal(encoder.transform(array), encoder.transform(frame))
    for wrong in (array[:, :2], array[0]):
        with pytest.raises(InputError, match=r"shape \(examples, 3\)"):
            encoder.transform(wrong)


def test_columns_may_have_numbers_as_names() -> None:
    """Names are compared as text."""
    frame = pd.DataFrame({0: [1.0, 2.0], 1: [3.0, 5.0]})
    encoder = TableEncoder().fit(frame)
    np.testing.assert_array_equal(
        encoder.transform(frame.rename(columns=str)), encoder.transform(frame)
    )


def test_values_beyond_32_bits_are_kept_finite() -> None:
    """A value far outside the training range is cut to the largest float32."""
    encoder = TableEncoder().fit(pd.DataFrame({"a": [0.0, 1e-6]}))
    assert np.isfinite(encoder.transform(pd.DataFrame({"a": [3e38, -3e38]}))).all()


def test_an_unfitted_encoder_says_so() -> None:
    """Transforming before fitting is a mistake of the caller, not of the data."""
    with pytest.raises(RuntimeError, match="fit"):
        TableEncoder().transform(_mixed())
    with pytest.raises(RuntimeError, match="fit"):
        TableEncoder().to_state()


@pytest.mark.parametrize("name", ["keel/hypothyroid", "keel/automobile", "yeast"])
@pytest.mark.parametrize("scaling", ALL)
def test_real_tables_are_encoded_whole(assets: Path, name: str, scaling: Scaling) -> None:
    """Real tables give finite matrices whose numeric columns are of order one."""
    data = read_table(assets / f"{name}.csv", ReadOptions())
    assert isinstance(data.X, pd.DataFrame)
    encoder = TableEncoder(scaling).fit(data.X)
    matrix = encoder.transform(data.X)
    assert np.isfinite(matrix).all()
    if scaling != "none":
        assert np.abs(np.median(matrix[:, : encoder.n_numeric], axis=0)).max() < 1.5
    for column, size in enumerate(encoder.cardinalities, start=encoder.n_numeric):
        assert matrix[:, column].max() < size
