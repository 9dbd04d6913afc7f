"""Laws of reading the numbers, dates and missing values of messy CSV files."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.data.encoding import TableEncoder
from equipoise.data.options import Decimal, ReadOptions
from equipoise.data.tables import read_alike, read_table
from equipoise.data.unlabelled import load_unlabelled
from equipoise.errors import InputError


def _csv(folder: Path, columns: dict[str, list[str]], mark: str = ";") -> Path:
    """Write columns as CSV, with every field that holds the separator in quotes."""
    n = len(next(iter(columns.values())))
    columns = {**columns, "y": ["yes" if i % 3 == 0 else "no" for i in range(n)]}
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    lines = [mark.join(f'"{x}"' if mark in x else x for x in row) for row in rows]
    path = folder / "patients.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _read(folder: Path, columns: dict[str, list[str]], mark: str = ";", **options):
    data = read_table(_csv(folder, columns, mark), ReadOptions(**options))
    assert isinstance(data.X, pd.DataFrame)
    return data, data.X


CRP = ["9,5", "12,25", "0,5", "7,0", "8,1"]
COSTS = ["850", "987", "1.234", "12.500", "3.001"]


def test_points_separate_thousands_where_decimals_have_a_comma(tmp_path: Path) -> None:
    """1.234 beside 9,5 is above a thousand, and a note says so with an example."""
    data, X = _read(tmp_path, {"cost": COSTS, "crp": CRP})
    assert X["cost"].tolist() == [850, 987, 1234, 12500, 3001]
    assert X["crp"].tolist() == [9.5, 12.25, 0.5, 7.0, 8.1]
    assert "Separators of thousands were removed in 'cost' ('1.234' is 1234)." in data.notes
    assert data.reading == {"decimal": "comma"}


def test_commas_separate_thousands_where_decimals_have_a_point(tmp_path: Path) -> None:
    """Quoted 4,474.03 and 1,162 in a file with commas between its fields are numbers."""
    columns = {"cost": ["4,474.03", "812.10", "1,661.49"], "platelets": ["1,162", "950", "2,000"]}
    data, X = _read(tmp_path, columns, ",")
    assert X["cost"].tolist() == [4474.03, 812.1, 1661.49]
    assert X["platelets"].tolist() == [1162, 950, 2000]
    assert "'cost' ('4,474.03' is 4474.03), 'platelets' ('1,162' is 1162)" in " ".join(data.notes)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_quotes_allow_decimal_commas_beside_every_separator(tmp_path: Path, mark: str) -> None:
    """What numbers prove counts, not the separator of the fields."""
    _, X = _read(tmp_path, {"crp": CRP, "cost": COSTS}, mark)
    assert X["crp"].tolist() == [9.5, 12.25, 0.5, 7.0, 8.1]
    assert X["cost"].tolist() == [850, 987, 1234, 12500, 3001]


@pytest.mark.parametrize(
    ("odd", "columns", "mark"),
    [
        ("9.55", {"crp": CRP, "leukocytes": ["6,5", "7,1", "9.55", "8,0", "6,6"]}, ";"),
        ("7,25", {"crp": ["9.5", "1.25"] * 3, "k": ["6.5", "7,25", "9.5", "8.0", "6.6", "1"]}, ","),
    ],
)
def test_a_number_with_the_wrong_mark_is_refused_in_words(
    tmp_path: Path, odd: str, columns: dict[str, list[str]], mark: str
) -> None:
    """The message names the number, its row, what proves the other mark, and every way out."""
    path = _csv(tmp_path, columns, mark)
    with pytest.raises(InputError, match="can only separate thousands") as caught:
        read_table(path, ReadOptions())
    name = list(columns)[1]
    row = columns[name].index(odd)
    assert f"{name!r} holds {odd!r} (row {row})" in caught.value.actual
    assert re.search(r"'9[.,]5' in row 0 of 'crp' has a decimal", caught.value.actual)
    assert "--decimal" in caught.value.remedy
    read_table(path, ReadOptions(drop=(name,)))


def test_without_proof_the_guess_is_told_and_can_be_changed(tmp_path: Path) -> None:
    """1.234 alone is read with a point, 1,234 between semicolons with a comma, both aloud."""
    dotted, commaed = {"a": ["1.234", "2.500"]}, {"a": ["1,234", "2,500"]}
    for columns, mark, found, other in (
        (dotted, ";", 1.234, "comma"),
        (dotted, ",", 1.234, "comma"),
        (commaed, ";", 1.234, "point"),
        (commaed, ",", 1234, "comma"),
    ):
        data, X = _read(tmp_path, columns, mark)
        assert X["a"].tolist()[0] == found
        assert any(f"`--decimal {other}` reads it as" in note for note in data.notes)
        decimal: Decimal = "comma" if other == "comma" else "point"
        told, Y = _read(tmp_path, columns, mark, decimal=decimal)
        assert Y["a"].tolist()[0] == (1.234 if found == 1234 else 1234)
        assert not any("No number shows" in note for note in told.notes)


def test_apostrophes_and_blanks_may_separate_thousands(tmp_path: Path) -> None:
    """1'234.50 and 1 234,5 are numbers too."""
    _, swiss = _read(tmp_path, {"cost": ["1'234.50", "980.10", "12'000.00"]})
    assert swiss["cost"].tolist() == [1234.5, 980.1, 12000]
    _, french = _read(tmp_path, {"cost": ["1 234,5", "980,1", "12\u00a0000,0"]})
    assert french["cost"].tolist() == [1234.5, 980.1, 12000]


@pytest.mark.parametrize("decimal", ["comma", "point"])
def test_odd_cells_among_numbers_are_treated_alike_with_either_mark(
    tmp_path: Path, decimal: str
) -> None:
    """Two of 600 cells say <0,5: the column stays numeric, and a note counts and shows them."""
    crp = [f"{i / 10:.1f}" for i in range(1, 601)]
    crp[5] = crp[9] = "<0.5"
    if decimal == "comma":
        crp = [text.replace(".", ",") for text in crp]
    _, X = _read(tmp_path, {"crp": crp})
    encoder = TableEncoder().fit(X, np.arange(100, 600))
    assert encoder.names[0] == "crp"
    expected = f"2 of 600 values are no numbers and count as missing: {crp[5]!r} (rows 5, 9)."
    assert expected in encoder.notes[0]
    assert encoder.transform(X).shape == (600, encoder.n_numeric)


def test_up_to_five_odd_texts_are_shown(tmp_path: Path) -> None:
    """The most frequent come first, each with its rows; the rest are counted."""
    values = [str(i) for i in range(200)]
    for row, text in enumerate(["k.A.", "-", "k.A.", "<5", ">99", "n.b.", "neg", "pos"]):
        values[20 * row] = text
    _, X = _read(tmp_path, {"crp": values})
    shown = TableEncoder().fit(X).notes[0]
    assert "8 of 200 values are no numbers" in shown
    assert "'k.A.' (rows 0, 40), " in shown
    assert shown.endswith(" and 2 more.")


def test_text_above_one_in_twenty_is_no_number_and_told(tmp_path: Path) -> None:
    """Such a column is text, with a note that it looks like numbers; --missing makes it numeric."""
    leukocytes = ["k.A." if i % 10 == 0 else f"{i},5" for i in range(100)]
    _, X = _read(tmp_path, {"leukocytes": leukocytes, "crp": CRP * 20})
    notes = " ".join(TableEncoder().fit(X).notes)
    assert X["leukocytes"].tolist()[1] == "1,5"
    assert "looks like numbers but is taken as text, since 10 of 100 values (10 %)" in notes
    assert "'k.A.' (rows 0, 10, 20 and 7 more); `--missing TEXT`" in notes
    _, again = _read(tmp_path, {"leukocytes": leukocytes, "crp": CRP * 20}, missing=("k.A.",))
    assert int(again["leukocytes"].isna().to_numpy().sum()) == 10
    assert again["leukocytes"].tolist()[1] == 1.5


def test_texts_that_mean_missing_do_so_in_every_column(tmp_path: Path) -> None:
    """Numbers, categories, CSV and Parquet: a text of --missing is a missing value."""
    columns = {"crp": ["1.5", "-9", "2.5", "-9.5"], "ward": ["k.A.", "surgery", "-9", "surgery"]}
    _, X = _read(tmp_path, columns, missing=("-9", "k.A."))
    frame = pd.DataFrame({**columns, "crp": [1.5, -9, 2.5, -9.5], "y": list("abab")})
    frame.to_parquet(tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet", ReadOptions(missing=("-9", "k.A."))).X
    for table in (X, read):
        assert isinstance(table, pd.DataFrame)
        assert table["crp"].isna().tolist() == [False, True, False, False]
        assert table["ward"].isna().tolist() == [True, False, True, False]


def test_dates_follow_the_order_that_is_asked_for(tmp_path: Path) -> None:
    """--dates decides where no date proves its order, and contradictions are refused."""
    columns = {"day": ["03.04.2022", "05.06.2022", "07.08.2022"], "n": ["1", "2", "4"]}
    for order, month in (("day-first", "04"), ("month-first", "03")):
        _, X = _read(tmp_path, columns, dates=order)
        assert X["day"].tolist()[0][:7] == f"2022-{month}"
        assert "shows whether" not in " ".join(TableEncoder().fit(X).notes)
    columns["day"][1] = "25.06.2022"
    with pytest.raises(InputError, match=r"must have the month first.*'25.06.2022' \(row 1\)"):
        _read(tmp_path, columns, dates="month-first")


def test_german_and_american_dates_are_no_categories(tmp_path: Path) -> None:
    """Hundreds of days are one column of dates, whose order one of them proves."""
    days = pd.date_range("2021-01-01", periods=300).to_series()
    for form in ("%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y %H:%M"):
        _, X = _read(tmp_path, {"day": days.dt.strftime(form).tolist()})
        encoder = TableEncoder("none").fit(X)
        assert (encoder.names[0], encoder.cardinalities) == ("day day", ())
        found = encoder.transform(X)[:, 0]
        np.testing.assert_array_equal(found, 18628 + np.arange(300))


def test_years_of_two_digits_and_many_categories_are_pointed_out(tmp_path: Path) -> None:
    """What is not read as dates says so, and so does a column of very many categories."""
    days = pd.date_range("2021-01-01", periods=300).strftime("%d.%m.%y").tolist()
    codes = [f"A{i % 120}" for i in range(300)]
    _, X = _read(tmp_path, {"day": days, "code": codes, "n": [str(i) for i in range(300)]})
    notes = " ".join(TableEncoder().fit(X).notes)
    assert "'day' looks like dates with years of two digits ('01.01.21')" in notes
    assert "'code' is taken as 120 categories" in notes


def test_new_rows_are_read_as_those_that_were_learnt_from(tmp_path: Path) -> None:
    """A single row, which proves nothing, has the marks and the kinds of the whole table."""
    columns = {"cost": COSTS * 5, "crp": CRP * 5, "code": ["01", "1", "02", "2", "x"] * 5}
    data, X = _read(tmp_path, columns)
    new = tmp_path / "new.csv"
    new.write_text("cost;crp;code\n1.234;k.A.;01\n")
    read, _ = load_unlabelled(new, read_alike(ReadOptions(), data))
    assert isinstance(read, pd.DataFrame)
    assert read.iloc[0].tolist() == [1234, "k.A.", "01"]
    alone, _ = load_unlabelled(new, ReadOptions())
    assert isinstance(alone, pd.DataFrame)
    assert alone.iloc[0].tolist() == [1.234, "k.A.", 1]
    assert TableEncoder().fit(X).cardinalities == (6,)


def test_a_mark_that_neither_table_proves_is_asked_for(tmp_path: Path) -> None:
    """If training had whole numbers only, 1.234 among new rows is not guessed at."""
    data, _ = _read(tmp_path, {"cost": ["850", "987", "1234"]})
    assert data.reading == {}
    new = tmp_path / "new.csv"
    new.write_text("cost\n1.234\n")
    with pytest.raises(InputError, match=r"'1.234' is 1.234 or 1234.*--decimal point"):
        load_unlabelled(new, read_alike(ReadOptions(), data))
    X, _ = load_unlabelled(new, read_alike(ReadOptions(decimal="comma"), data))
    assert np.asarray(X).tolist() == [[1234]]


def test_numbers_keep_their_types_and_digits(tmp_path: Path) -> None:
    """Integers stay exact integers, and fractions are the nearest floats."""
    columns = {
        "i": ["1", "-2", "9007199254740993"],
        "f": ["0.1", "1e-7", "12345.678901234567"],
        "gap": ["1", "", "3"],
        "flag": ["True", "false", "TRUE"],
        "half": ["true", "", "false"],
    }
    _, X = _read(tmp_path, columns)
    assert X["i"].tolist() == [1, -2, 9007199254740993]
    assert X["f"].tolist() == [0.1, 1e-7, 12345.678901234567]
    assert (X["i"].dtype, X["flag"].dtype, X["gap"].dtype) == (np.int64, np.bool_, np.float64)
    assert X["half"].dropna().tolist() == [True, False]


def test_numbers_in_the_text_of_parquet_are_read_if_they_are_many(tmp_path: Path) -> None:
    """Text with more than 20 different numbers is numeric, with commas as well; codes stay text."""
    n = 60
    frame = pd.DataFrame(
        {
            "crp": [f"{i},5" for i in range(n)],
            "code": [str(i % 5) for i in range(n)],
            "y": ["a", "b"] * (n // 2),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    X = read_table(tmp_path / "t.parquet", ReadOptions()).X
    assert isinstance(X, pd.DataFrame)
    assert X["crp"].tolist() == [i + 0.5 for i in range(n)]
    assert X["code"].tolist() == frame["code"].tolist()


@pytest.mark.parametrize("name", ["decimal", "dates"])
def test_unknown_choices_are_refused(tmp_path: Path, name: str) -> None:
    """A run that was changed by hand cannot say what no option says."""
    with pytest.raises(InputError, match=f"`{name}` must be auto, .* It is 'German'"):
        _read(tmp_path, {"a": ["1", "2"]}, **{name: "German"})


def test_values_beyond_32_bits_are_refused_when_they_are_read(tmp_path: Path) -> None:
    """Also among text, where the column is no column of floats."""
    values = [str(i) for i in range(40)]
    for odd in ("1e39", "-inf"):
        with pytest.raises(InputError, match=r"'a' must be finite.*row 3"):
            _read(tmp_path, {"a": [*values[:3], odd, *values[4:39], "k.A."]})


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8"])
def test_the_encoding_can_be_given_and_marks_come_first(tmp_path: Path, encoding: str) -> None:
    """Umlauts are read in any encoding; a byte-order mark tells what no option says."""
    path = tmp_path / "t.csv"
    path.write_bytes("Größe;y\n1,5;Fußödem\n2,5;gesund\n".encode(encoding))
    data = read_table(path, ReadOptions(encoding=encoding))
    assert data.classes == ("Fußödem", "gesund")
    assert list(data.X) == ["Größe"]
    if encoding == "utf-16":
        assert read_table(path, ReadOptions()).classes == data.classes
    if encoding == "cp1252":
        with pytest.raises(InputError, match=r"(?s)encoding UTF-8.*0xF6.*--encoding cp1252"):
            read_table(path, ReadOptions())
    with pytest.raises(InputError, match="'kyrillisch' is none"):
        read_table(path, ReadOptions(encoding="kyrillisch"))
