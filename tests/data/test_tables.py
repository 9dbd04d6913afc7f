"""Laws of reading tables."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.data.dataset import Dataset
from equipoise.data.options import ReadOptions
from equipoise.data.tables import from_frame, read_table
from equipoise.errors import InputError

OPTIONS = ReadOptions()
PLAIN = "age,fur,y\n3,red,cat\n5,blue,dog\n4,red,cat\n"


def _write(folder: Path, text: str | bytes, name: str = "pets.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _features(data: Dataset) -> pd.DataFrame:
    assert isinstance(data.X, pd.DataFrame)
    return data.X


def _refused(folder: Path, text: str | bytes, match: str, options: ReadOptions = OPTIONS) -> str:
    with pytest.raises(InputError, match=match) as caught:
        read_table(_write(folder, text), options)
    error = caught.value
    sentences = (error.requirement, error.actual, error.remedy)
    assert all(part.strip().endswith((".", "?")) for part in sentences), sentences
    return str(error)


def test_a_table_becomes_features_and_codes(tmp_path: Path) -> None:
    """X holds every column but the label; codes, classes, ids and fingerprint belong to rows."""
    data = read_table(_write(tmp_path, PLAIN), OPTIONS)
    assert _features(data).to_dict("list") == {"age": [3, 5, 4], "fur": ["red", "blue", "red"]}
    assert (data.classes, data.codes.tolist()) == (("cat", "dog"), [0, 1, 0])
    assert data.ids.tolist() == ["0", "1", "2"]
    assert data.fingerprint == hashlib.sha256(PLAIN.encode()).hexdigest()
    assert (data.name, data.kind, data.parts) == ("pets", "table", None)
    assert data.notes == ("The label is the column 'y', chosen by its name.",)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dialects_do_not_change_what_is_read(
    tmp_path: Path, separator: str, mark: bytes, newline: str
) -> None:
    """Separator, byte-order mark and line ends leave the values as they are."""
    text = PLAIN.replace(",", separator).replace("\n", newline)
    data = read_table(_write(tmp_path, mark + text.encode()), OPTIONS)
    expected = read_table(_write(tmp_path, PLAIN), OPTIONS)
    pd.testing.assert_frame_equal(_features(data), _features(expected))
    assert data.classes == expected.classes


def test_quoted_fields_may_hold_separators_and_lines(tmp_path: Path) -> None:
    """Quotes protect separators and line breaks, in the header too."""
    text = '"first, name","a\nb",y\n"x, y",1,cat\n"l1\nl2",2,dog\n'
    data = read_table(_write(tmp_path, text), OPTIONS)
    assert _features(data).to_dict("list") == {"first, name": ["x, y", "l1\nl2"], "a\nb": [1, 2]}


def test_blanks_after_separators_do_not_count(tmp_path: Path) -> None:
    """Values after a separator and a blank are those without the blank, quoted or not."""
    data = read_table(_write(tmp_path, 'a, b, y\n1, x, cat\n2, "y, z", dog\n'), OPTIONS)
    assert _features(data).to_dict("list") == {"a": [1, 2], "b": ["x", "y, z"]}
    assert data.classes == ("cat", "dog")


def test_decimal_commas_are_numbers_where_the_separator_allows(tmp_path: Path) -> None:
    """With semicolons 1,5 is a number, and the note says so."""
    data = read_table(_write(tmp_path, "a;y\n1,5;cat\n2;dog\n"), OPTIONS)
    assert data.X["a"].tolist() == [1.5, 2.0]
    assert any("decimal comma" in note for note in data.notes)
    plain = read_table(_write(tmp_path, "a;y\n1.5;cat\n2;dog\n"), OPTIONS)
    assert plain.X["a"].tolist() == [1.5, 2.0]


def test_csv_and_parquet_of_one_frame_are_equal(tmp_path: Path) -> None:
    """Both forms give the same features, codes and classes."""
    frame = pd.DataFrame(
        {"n": [1.5, None, 3.0], "t": ["a", "b", None], "i": [1, 2, 3], "y": [10, 9, 10]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.PARQUET")
    csv = read_table(tmp_path / "t.csv", OPTIONS)
    parquet = read_table(tmp_path / "t.PARQUET", OPTIONS)
    pd.testing.assert_frame_equal(_features(csv), _features(parquet), check_dtype=False)
    assert csv.classes == parquet.classes == ("9", "10")
    assert csv.codes.tolist() == parquet.codes.tolist()


def test_missing_marks_are_missing_in_features_only(tmp_path: Path) -> None:
    """NA, None and ? are missing values, but None and ? can name a class."""
    data = read_table(_write(tmp_path, "a,b,y\n1,x,None\n?,NA,?\n,None,None\n"), OPTIONS)
    assert _features(data).isna().to_numpy().tolist() == [
        [False, False],
        [True, True],
        [True, True],
    ]
    assert data.classes == ("?", "None")


def test_labels_keep_their_spelling(tmp_path: Path) -> None:
    """Leading zeros and lower-case booleans of a label are names, not values."""
    assert read_table(_write(tmp_path, "a,y\n1,01\n2,1\n"), OPTIONS).classes == ("01", "1")
    data = read_table(_write(tmp_path, "a,y\n1,false\n2,true\n"), OPTIONS)
    assert data.classes == ("false", "true")


def test_an_unnamed_first_column_that_counts_rows_is_left_out(tmp_path: Path) -> None:
    """What pandas writes as index is no feature; any other unnamed column stays."""
    data = read_table(_write(tmp_path, ",a,y\n0,5,cat\n1,7,dog\n"), OPTIONS)
    assert list(data.X) == ["a"]
    assert any("left out" in note for note in data.notes)
    kept = read_table(_write(tmp_path, ",a,y\n4,5,cat\n1,7,dog\n"), OPTIONS)
    assert list(kept.X) == ["", "a"]
    named = read_table(_write(tmp_path, "n,a,y\n0,5,cat\n1,7,dog\n"), OPTIONS)
    assert list(named.X) == ["n", "a"]


def test_a_parquet_index_is_a_column_only_if_it_has_a_name(tmp_path: Path) -> None:
    """A named index is read as a column, one without a name is left out with a note."""
    frame = pd.DataFrame({"a": [1, 2], "y": ["u", "v"]}, index=[7, 3])
    frame.to_parquet(tmp_path / "t.parquet")
    unnamed = read_table(tmp_path / "t.parquet", OPTIONS)
    assert list(unnamed.X) == ["a"]
    assert any("index" in note for note in unnamed.notes)
    frame.rename_axis("key").to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", OPTIONS).X["key"].tolist() == [7, 3]


def test_a_split_column_is_special_only_if_it_names_parts(tmp_path: Path) -> None:
    """Train, val and test in every row make parts; any other value makes a feature."""
    text = "a,split,y\n1,train,u\n2,Train,v\n3,val,u\n4,test,v\n"
    data = read_table(_write(tmp_path, text), OPTIONS)
    assert data.parts is not None
    assert data.parts.tolist() == ["train", "train", "validation", "test"]
    assert list(data.X) == ["a"]
    assert any("split" in note for note in data.notes)
    plain = read_table(_write(tmp_path, text.replace("val,", "banana,")), OPTIONS)
    assert plain.parts is None
    assert list(plain.X) == ["a", "split"]


def test_dropped_columns_are_gone(tmp_path: Path) -> None:
    """A dropped column is neither a feature nor checked."""
    data = read_table(_write(tmp_path, "a,b,y\n1,,u\n2,,v\n"), ReadOptions(drop=("b",)))
    assert list(data.X) == ["a"]


def test_a_column_that_numbers_the_rows_is_pointed_out(tmp_path: Path) -> None:
    """An identifier that counts up would give away a sorted label, so there is a note."""
    rows = [f"{100 + i},{i % 3},{'uv'[i % 2]}" for i in range(12)]
    data = read_table(_write(tmp_path, "\n".join(["id,b,y", *rows])), OPTIONS)
    assert [note for note in data.notes if "'id' numbers the rows" in note]
    assert not [note for note in data.notes if "'b'" in note]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,y\n", "header line only"),
        ("a,y\n1,u\n2,v,3\n", "line 3"),
        ("a,y\n1,u,3\n2,v,3\n", "Line 2 .* has 3 fields, the header 2"),
        ("a,b,y\n1,2,u\n3\n4,5,v\n", "Line 3 .* has 1 field, the header 3"),
        ('a,y\n1,u\n2,"v\n', "EOF inside string"),
        ("a,a,y\n1,2,u\n3,4,v\n", "more than once: 'a'"),
        ("a, a,y\n1,2,u\n3,4,v\n", "more than once: 'a'"),
        ("1.5,2,u\n1,2,u\n", "label column must be given"),
        ("1.5,2,7\n1,2,0\n", "only numbers: 1.5, 2, 7"),
        ("a,y\n1,u\n2,\n3,v\n", "row 1"),
        ("a,y\n1,u\n2,NA\n3,v\n", "row 1"),
        ("a,y\n1,u\n2,u\n", "Every label is 'u'"),
        ("a,b,y\n1,,u\n2,,v\n", "missing in 'b'.*--drop 'b'"),
        ("a,b,y\n1,2,u\n2,inf,v\n3,-inf,v\n", "'b' must be finite.*rows 1, 2"),
        ("y\nu\nv\n", "No other column"),
        ("a,split,y\n1,train,u\n2,train,u\n3,test,v\n", "train on.*v"),
    ],
)
def test_faulty_text_is_refused_with_the_place(tmp_path: Path, text: str, match: str) -> None:
    """Every fault of a CSV file is an input error that names where it is."""
    _refused(tmp_path, text, f"(?s){match}")


def test_text_that_is_not_utf_8_is_refused_with_line_and_byte(tmp_path: Path) -> None:
    """The message says which byte of which line, and how to convert."""
    early = _refused(tmp_path, "a,y\n1,u\n2,caf\xe9\n".encode("latin-1"), "UTF-8")
    assert "Line 3 has the byte 0xE9 at position 6" in early
    assert "iconv" in early
    rows = "".join(f"{i},u\n" for i in range(50_000)).encode()
    late = _refused(tmp_path, b"a,y\n" + rows + b"1,\xff\n", "UTF-8")
    assert "Line 50002" in late


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    """A label or a dropped column must exist, and must not be the same."""
    _refused(tmp_path, PLAIN, "Did you mean 'fur'", ReadOptions(label="furr"))
    _refused(tmp_path, PLAIN, "Did you mean 'age'", ReadOptions(drop=("agee",)))
    _refused(tmp_path, PLAIN, "both the label and dropped", ReadOptions(label="fur", drop=("fur",)))
    _refused(tmp_path, "a,b\n1,2\n3,4\n", "columns are a, b")
    with pytest.raises(InputError, match="no file"):
        read_table(tmp_path / "none.csv", OPTIONS)


def test_only_plain_parquet_is_read(tmp_path: Path) -> None:
    """Other files, nested and binary columns are input errors."""
    with pytest.raises(InputError, match="Parquet format"):
        read_table(_write(tmp_path, PLAIN, "t.parquet"), OPTIONS)
    for values in ([[1], [2]], [{"k": 1}, {"k": 2}], [b"a", b"b"]):
        pd.DataFrame({"a": values, "y": ["u", "v"]}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(InputError, match=r"Nested or binary are: a \("):
            read_table(tmp_path / "t.parquet", OPTIONS)
    pd.DataFrame({"a": [], "y": []}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="rows"):
        read_table(tmp_path / "t.parquet", OPTIONS)


def test_a_frame_is_read_like_its_file(tmp_path: Path) -> None:
    """A DataFrame and the CSV file of it give equal data sets, but for the fingerprint."""
    frame = pd.DataFrame({"age": [3, 5, 4], "fur": ["red", "blue", "red"], "y": list("cdc")})
    from_file = read_table(_write(tmp_path, frame.to_csv(index=False)), OPTIONS)
    data = from_frame(frame.set_index(pd.Index([9, 9, 9])), name="pets")
    pd.testing.assert_frame_equal(_features(data), _features(from_file))
    assert (data.classes, data.codes.tolist()) == (from_file.classes, from_file.codes.tolist())
    assert data.name == "pets"


def test_the_fingerprint_of_a_frame_follows_content_only() -> None:
    """Equal frames agree; a value, a name or a type that differs changes it."""
    base = pd.DataFrame({"a": [1, 2], "o": ["x", 1], "y": ["u", "v"]})
    variants = [
        base.assign(a=[1, 3]),
        base.assign(o=["x", "1"]),
        base.assign(a=[1.0, 2.0]),
        base.rename(columns={"a": "b"}),
        base.iloc[::-1],
    ]
    prints = [from_frame(frame).fingerprint for frame in (base, base.copy(), *variants)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 1 + len(variants)


def test_repeated_names_of_a_frame_are_refused() -> None:
    """Names that become equal as text are equal."""
    frame = pd.DataFrame([[1, 2, "u"], [3, 4, "v"]], columns=[1, "1", "y"])
    with pytest.raises(InputError, match="more than once: '1'"):
        from_frame(frame)


def test_real_tables_are_read_with_their_counts(assets: Path) -> None:
    """Page-blocks has the class sizes that its publishers state."""
    data = read_table(assets / "page_blocks.csv", OPTIONS)
    assert data.classes == ("1", "2", "3", "4", "5")
    assert data.counts.tolist() == [4913, 329, 28, 87, 115]
    assert np.shape(data.X) == (5472, 10)
