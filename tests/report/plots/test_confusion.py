"""The heat map of the confusion matrix."""

import re
from html import unescape
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


def told(picture: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<title>(.*?)</title>", picture)]


def test_cells_tell_the_matrix(run_folders: dict[str, Path]) -> None:
    """Row by row, most frequent class first, zeros too; each is of its true class."""
    summary = summarise(run_folders["table"])
    metrics = summary["results"]["balanced"]
    order = sorted(range(5), key=lambda k: -metrics["per_class"][k]["n_train"])
    names = [metrics["per_class"][k]["class"] for k in order]
    expected = []
    for i, true in zip(order, names, strict=True):
        for j, taken in zip(order, names, strict=True):
            row = metrics["confusion"][i]
            what = "is right" if i == j else f"is taken for {taken}"
            share = f"{100 * row[j] / sum(row):.1f}\N{NO-BREAK SPACE}%"
            expected.append(f"{true} {what}: {row[j]} of {sum(row)} ({share})")
    picture = drawn(summary)
    assert told(picture) == expected
    assert re.findall(r'class="tip"[^>]*data-of="([^"]*)"', picture) == list(np.repeat(names, 5))
    assert 'data-columns="5"' in picture


def test_of_many_classes_the_largest_shares_are_told(run_folders: dict[str, Path]) -> None:
    """All of the diagonal that is not empty, no empty cell, and none twice."""
    summary = summarise(run_folders["hundred"])
    share = np.array(summary["results"]["balanced"]["confusion"]) / 20
    words = told(drawn(summary))
    values = [float(text.rpartition("(")[2].removesuffix("\N{NO-BREAK SPACE}%)")) for text in words]
    assert len(set(words)) == len(words) == 300
    np.testing.assert_allclose(sorted(values), 100 * np.sort(share, axis=None)[-300:], atol=0.051)


def test_a_class_without_test_examples_tells_no_share(run_folders: dict[str, Path]) -> None:
    """Nothing divided by nothing is not 0 %."""
    summary = summarise(run_folders["table"])
    summary["results"]["balanced"]["confusion"] = np.zeros((5, 5), dtype=int).tolist()
    assert told(drawn(summary))[0] == "text is right: 0 of 0"
