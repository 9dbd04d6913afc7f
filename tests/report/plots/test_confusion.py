"""The heat map of the confusion matrix."""

import re
from pathlib import Path

import numpy as np
import pytest

from equipoise.report import summarise
from equipoise.report.plots.confusion import confusion_matrix, key, shade
from equipoise.report.plots.theme import themed


def drawn(summary: dict) -> str:
    with themed("test"):
        picture = confusion_matrix(summary, "balanced")
    assert picture is not None
    return picture.svg


def test_shades_keep_the_order_of_shares() -> None:
    """A larger share is never fainter, and the whole range of opacity is used."""
    shares = np.linspace(0, 1, 50)
    assert np.all(np.diff(shade(shares)) > 0)
    assert shade(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


def test_the_key_shows_what_the_cells_use() -> None:
    """A full cell has the opacity of the last step of the key."""
    assert key(12)[-1][1] < key(13)[-1][1] == 1.0


def test_counts_are_written_into_the_cells_of_few_classes(run_folders: dict[str, Path]) -> None:
    """The numbers in the picture are those of the matrix, zeros left out."""
    summary = summarise(run_folders["table"])
    confusion = np.array(summary["results"]["balanced"]["confusion"])
    written = re.findall(r">([\d\N{NARROW NO-BREAK SPACE}]+)</text>", drawn(summary))
    numbers = sorted(int(re.sub(r"\D", "", text)) for text in written)
    assert numbers == sorted(confusion[confusion > 0].tolist())


def test_a_hundred_classes_stay_small(run_folders: dict[str, Path]) -> None:
    """The drawing of ten thousand cells has no text in them and is less than 200 kB."""
    picture = drawn(summarise(run_folders["hundred"]))
    assert len(picture) < 200_000
    assert picture.count("<text") < 10


@pytest.mark.parametrize(("row", "column", "colour"), [(0, 0, "right"), (0, 1, "wrong")])
def test_colours_tell_right_from_wrong(
    run_folders: dict[str, Path], row: int, column: int, colour: str
) -> None:
    """Only the diagonal is drawn in the colour of right answers."""
    summary = summarise(run_folders["table"])
    alone = np.zeros((5, 5), dtype=int)
    alone[row, column] = 7
    summary["results"]["balanced"]["confusion"] = alone.tolist()
    picture = drawn(summary)
    assert f"fill:var(--{colour})" in picture
    assert picture.count("fill:var(--right)") + picture.count("fill:var(--wrong)") == 1
