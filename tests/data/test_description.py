"""Laws of describing data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from equipoise.data.dataset import Dataset
from equipoise.data.description import describe
from equipoise.data.options import ReadOptions
from equipoise.data.splits import split
from equipoise.data.tables import from_frame, read_table


def _table() -> Dataset:
    frame = pd.DataFrame(
        {
            "n": [1.0, 2.0, None, 4.0, 1.0, 6.0],
            "c": ["u", "v", "u", None, "u", "v"],
            "same": 1,
            "y": ["a", "a", "a", "a", "b", "b"],
        }
    )
    return from_frame(frame, name="six")


def test_a_table_is_described_by_its_columns() -> None:
    """Kinds, missing values and constant columns are listed."""
    found = describe(_table())
    assert found["columns"] == [
        {
            "name": "n",
            "kind": "numeric",
            "missing": 1,
            "odd": 0,
            "left_out": None,
            "first": 1.0,
            "last": 6.0,
        },
        {
            "name": "c",
            "kind": "categorical",
            "missing": 1,
            "odd": 0,
            "left_out": None,
            "categories": 2,
        },
        {
            "name": "same",
            "kind": "constant",
            "missing": 0,
            "odd": 0,
            "left_out": "all values are the same",
        },
    ]
    assert found["constant"] == ["same"]
    assert "shape" not in found
    assert (found["name"], found["kind"], found["n"]) == ("six", "table", 6)
    left_out = "Left out, since all values are the same: 'same'."
    assert found["notes"] == [*_table().notes, left_out]


def test_what_fit_will_do_with_each_column_is_told(tmp_path: Path) -> None:
    """Text among numbers, the range of dates, how numbers were read and what is left out."""
    crp = ["k.A." if i == 7 else f"{i},5" for i in range(40)]
    days = [f"{1 + i % 28:02d}.03.2022" for i in range(40)]
    rows = [f"P{i:05d};{crp[i]};{days[i]};{'mw'[i % 2]};{'pn'[i % 2]}" for i in range(40)]
    path = tmp_path / "patients.csv"
    path.write_text("\n".join(["id;crp;day;sex;y", *rows]), encoding="utf-8")
    found = describe(read_table(path, ReadOptions()))
    columns = {column.pop("name"): column for column in found["columns"]}
    assert found["reading"] == {"decimal": "comma"}
    assert columns["crp"] == {
        "kind": "numeric",
        "missing": 0,
        "odd": 1,
        "left_out": None,
        "first": 0.5,
        "last": 39.5,
    }
    assert (columns["day"]["first"], columns["day"]["last"]) == ("2022-03-01", "2022-03-28")
    assert columns["sex"]["categories"] == 2
    assert "identifier" in columns["id"]["left_out"]
    assert "'k.A.' (row 7)" in " ".join(found["notes"])
    assert "Left out, since nearly all values differ" in " ".join(found["notes"])


def test_images_are_described_by_their_shape() -> None:
    """Height, width and channels stand in the place of columns."""
    data = Dataset(
        name="images",
        X=np.zeros((4, 5, 6, 3), np.uint8),
        codes=np.array([0, 0, 0, 1]),
        classes=("a", "b"),
        ids=np.array(["0", "1", "2", "3"]),
    )
    found = describe(data)
    assert found["shape"] == [5, 6, 3]
    assert "columns" not in found
    assert found["duplicates"]["within"] == {"all": 3}
    assert found["duplicates"]["conflicting"] == 4


def test_without_parts_all_examples_are_one() -> None:
    """Counts, ratio and copies are those of the whole."""
    found = describe(_table())
    assert found["parts"] == {"all": 6}
    assert [each["counts"] for each in found["classes"]] == [{"all": 4}, {"all": 2}]
    assert found["ratio"] == 2.0
    assert found["duplicates"] == {"within": {"all": 1}, "across": {}, "conflicting": 2, "ids": []}


def test_own_parts_are_counted_apart() -> None:
    """Each part has its counts; the ratio and the groups are those of training."""
    parts = np.array(["train", "train", "train", "test", "train", "test"])
    found = describe(replace(_table(), parts=parts))
    assert found["parts"] == {"train": 4, "test": 2}
    assert [each["counts"] for each in found["classes"]] == [
        {"train": 3, "test": 1},
        {"train": 1, "test": 1},
    ]
    assert found["ratio"] == 3.0
    assert [each["group"] for each in found["classes"]] == ["largest", "smallest"]


def test_a_given_split_wins_over_own_parts() -> None:
    """A split that was made is described, not the one that the source brought."""
    data = replace(_table(), parts=np.array(["train"] * 5 + ["test"]))
    made = split(data.codes, test=0.5, validation=0)
    assert describe(data, made)["parts"] == {"train": len(made.train), "test": len(made.test)}


def test_an_absent_class_has_no_ratio() -> None:
    """JSON knows no infinity, so the ratio is null."""
    data = replace(_table(), parts=np.array(["train"] * 4 + ["test"] * 2))
    assert describe(data)["ratio"] is None


def test_a_description_is_json(assets: Path) -> None:
    """Every value of a real description can be written and read back unchanged."""
    data = read_table(assets / "page_blocks.csv", ReadOptions())
    found = describe(data, split(data.codes, classes=data.classes))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {each["group"] for each in found["classes"]} == {"many", "medium"}
    assert found["duplicates"]["across"]["train/test"] > 0
