"""Laws of classes of a single example."""

import numpy as np
import pandas as pd
import pytest

from equipoise.data.dataset import Dataset
from equipoise.data.rare import merge_rare_classes
from equipoise.data.tables import from_frame
from equipoise.errors import InputError


def _data(labels: str) -> Dataset:
    return from_frame(pd.DataFrame({"x": np.arange(len(labels)), "y": list(labels)}))


def test_merging_joins_single_examples_into_one_class() -> None:
    """Classes of one example become `other`, last in order; all else stays."""
    data = merge_rare_classes(_data("daabbca"), "merge")
    assert data.classes == ("a", "b", "other")
    assert data.y.tolist() == ["other", "a", "a", "b", "b", "other", "a"]
    assert data.counts.tolist() == [3, 2, 2]
    assert data.notes[-1] == "2 classes of a single example became 'other': c, d."


def test_dropping_leaves_single_examples_out() -> None:
    """Their rows are gone, and the other rows keep labels and identifiers."""
    data = merge_rare_classes(_data("daabbca"), "drop")
    assert data.classes == ("a", "b")
    assert data.ids.tolist() == ["1", "2", "3", "4", "6"]
    assert data.y.tolist() == ["a", "a", "b", "b", "a"]
    assert isinstance(data.X, pd.DataFrame)
    assert data.X["x"].tolist() == [1, 2, 3, 4, 6]
    assert "c, d" in data.notes[-1]


@pytest.mark.parametrize("how", ["refuse", "merge", "drop"])
def test_data_without_single_examples_is_unchanged(how: str) -> None:
    """Whatever the choice, there is nothing to do."""
    data = _data("aabb")
    assert merge_rare_classes(data, how) is data  # pyright: ignore[reportArgumentType]


def test_refusing_leaves_the_decision_to_the_split() -> None:
    """The data stays as it is."""
    data = _data("aabbc")
    assert merge_rare_classes(data, "refuse") is data


@pytest.mark.parametrize(
    ("labels", "how", "match"),
    [
        ("aabbc", "merge", "There is only 'c'"),
        ("abcd", "merge", "one would be left"),
        ("aabc", "drop", "leaves 1 class"),
        ("aabb", "keep", "refuse, merge or drop"),
    ],
)
def test_choices_that_cannot_help_are_refused(labels: str, how: str, match: str) -> None:
    """Merging one class, or leaving fewer than two, is an input error."""
    with pytest.raises(InputError, match=match):
        merge_rare_classes(_data(labels), how)  # pyright: ignore[reportArgumentType]


def test_a_class_called_other_is_not_mixed_with_merged_ones() -> None:
    """The name must be free."""
    labels = ["other", "other", "a", "a", "b", "c"]
    data = from_frame(pd.DataFrame({"x": range(6), "y": labels}))
    with pytest.raises(InputError, match="exists already"):
        merge_rare_classes(data, "merge")
