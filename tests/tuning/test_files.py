"""Laws of the files of a search: one of another shape is refused, in words."""

from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.shapes import NUMBER, TEXT
from equipoise.tuning.files import read_shaped
from equipoise.tuning.identity import check_identity, write_identity
from equipoise.tuning.starts import note_start

SHAPE = {"a": NUMBER, "b": [TEXT]}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """As it was."""
    found = {"a": 1.5, "b": ["c"]}
    Run(tmp_path).write_json("f.json", found)
    assert read_shaped(tmp_path, "f.json", SHAPE) == found


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([], "all of it is no object"),
        ({"a": 1}, "all of it lacks b"),
        ({"a": 1, "b": [2]}, r"b\[0\] is not text"),
        ({"a": 1, "b": [], "d": 0, "c": 0}, "c is unknown"),
    ],
)
def test_what_was_not_written_so_is_refused(found: Any, fault: str, tmp_path: Path) -> None:
    """By the name of the file, and of what is wrong with it."""
    Run(tmp_path).write_json("f.json", found)
    with pytest.raises(InputError, match=rf"^f\.json of a search .*f\.json`, {fault}\."):
        read_shaped(tmp_path, "f.json", SHAPE)


@pytest.mark.parametrize(
    "found", [[], {}, {"study": 3}, {"study": "s", "storage": 3}, {"study": "s"}]
)
def test_an_identity_of_another_shape_is_refused(found: Any, tmp_path: Path) -> None:
    """It names the study of the search, and its storage is a URL."""
    write_identity(tmp_path, {"study": "s", "storage": None, "seed": 0})
    check_identity(tmp_path, {"seed": 0})
    Run(tmp_path).write_json("search.json", found)
    with pytest.raises(InputError, match=r"search\.json of a search must be"):
        check_identity(tmp_path, {"seed": 0})


@pytest.mark.parametrize("found", [[], {"starts": 1}, {"starts": "1", "reached": 0}])
def test_starts_of_another_shape_are_refused(found: Any, tmp_path: Path) -> None:
    """They say how often a trial has ended its process."""
    assert [note_start(tmp_path) for _ in range(2)] == [1, 2]
    Run(tmp_path).write_json("start.json", found)
    with pytest.raises(InputError, match=r"start\.json of a search must be"):
        note_start(tmp_path)
