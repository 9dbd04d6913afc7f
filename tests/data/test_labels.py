"""Laws of the label column."""

import numpy as np
import pandas as pd
import pytest

from equipoise.data.labels import encode_labels, find_label, label_notes
from equipoise.errors import InputError


def test_codes_are_positions_of_the_names() -> None:
    """Looking up each code among the classes gives the label back."""
    labels = pd.Series(["b", "c", "a", "b"])
    codes, classes = encode_labels(labels)
    assert codes.dtype == np.int64
    assert [classes[code] for code in codes] == labels.tolist()


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 9, -1], ("-1", "9", "10")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        ([10.0, 9.0, 10.0], ("9", "10")),
        (["10.0", "9.0"], ("9", "10")),
        ([True, False], ("False", "True")),
        (["b", "B", "a"], ("B", "a", "b")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["01", "1", "2"], ("01", "1", "2")),
        ([0.5, 0.25, 2.0], ("0.25", "0.5", "2.0")),
        (["None", "some"], ("None", "some")),
    ],
)
def test_numbers_are_ordered_as_numbers_and_all_else_as_text(
    values: list[object], classes: tuple[str, ...]
) -> None:
    """Class order is numeric where all names are numbers, else that of sorted text."""
    assert encode_labels(pd.Series(values))[1] == classes


@pytest.mark.parametrize("dtype", ["Int64", "category", "object", "boolean", "string"])
def test_every_type_of_column_can_be_a_label(dtype: str) -> None:
    """Nullable, categorical and object columns give the same codes as plain ones."""
    values = [True, False, True] if dtype == "boolean" else [1, 0, 1]
    texts = [str(value) for value in values]
    labels = pd.Series(texts if dtype == "string" else values, dtype=dtype)
    assert encode_labels(labels)[0].tolist() == [1, 0, 1]


def test_missing_labels_are_refused_with_their_rows() -> None:
    """The message names the rows without a label."""
    with pytest.raises(InputError, match="rows 1, 3"):
        encode_labels(pd.Series(["a", None, "b", np.nan], name="y"))


def test_one_class_is_refused() -> None:
    """A constant label cannot be learnt."""
    with pytest.raises(InputError, match=r"at least two classes.*Every label is 'a'"):
        encode_labels(pd.Series(["a", "a"], name="y"))


def test_measurements_are_refused_and_grades_are_not() -> None:
    """More than 100 fractional values are no classes; 100 are, and so are whole numbers."""
    grades = pd.Series(np.arange(100) / 4, name="y")
    assert len(encode_labels(grades)[1]) == 100
    assert len(encode_labels(pd.Series(np.arange(500.0)))[1]) == 500
    with pytest.raises(InputError, match="101 different fractional"):
        encode_labels(pd.Series(np.arange(101) / 4, name="y"))
    with pytest.raises(InputError, match="fractional"):
        encode_labels(pd.Series((np.arange(101) / 4).astype(str), name="y"))


def test_the_only_column_called_like_a_label_is_it() -> None:
    """Target, label, class and y count in any case, if there is just one of them."""
    assert find_label(["a", "CLASS"], None)[0] == "CLASS"
    assert find_label(["a", "y"], "a") == ("a", None)
    for columns in (["a", "b"], ["y", "label"]):
        with pytest.raises(InputError, match=f"columns are {', '.join(columns)}"):
            find_label(columns, None)


def test_a_mistyped_label_is_answered_with_the_near_name() -> None:
    """The remedy suggests the column that was probably meant."""
    with pytest.raises(InputError, match="Did you mean 'species'"):
        find_label(["age", "species"], "specie")


def test_names_that_look_alike_are_pointed_out() -> None:
    """Classes that differ only in case or blanks get a note, others none."""
    assert len(label_notes(["cat", "Cat ", "dog"])) == 1
    assert label_notes(["cat", "dog"]) == []
