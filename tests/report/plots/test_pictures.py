"""All pictures of a run."""

from pathlib import Path

import pytest

from equipoise.report import summarise
from equipoise.report.plots import draw


def test_an_unfinished_run_has_the_pictures_it_has_data_for(
    run_folders: dict[str, Path],
) -> None:
    """Counts and curves need no results; the others are left out."""
    pictures = draw(summarise(run_folders["partial"]), "run-1")
    assert [name for name, picture in pictures.items() if picture] == ["counts", "curves"]


def test_descriptions_carry_the_numbers(run_folders: dict[str, Path]) -> None:
    """Who cannot see a picture learns its main numbers."""
    pictures = draw(summarise(run_folders["table"]), "run-1")
    descriptions = {name: p.description for name, p in pictures.items() if p}
    assert "3\N{NARROW NO-BREAK SPACE}144 (text) to 18 (graphic)" in descriptions["counts"]
    assert "over 40 epochs" in descriptions["curves"]
    assert "horizontal line" in descriptions["recall"]


def test_identifiers_differ_between_runs_and_not_between_days(
    run_folders: dict[str, Path],
) -> None:
    """The salt decides the identifiers, so that equal pictures may share a page."""
    summary = summarise(run_folders["partial"])
    first, again, other = (draw(summary, salt)["curves"] for salt in ("a", "a", "b"))
    assert first == again
    assert first != other


@pytest.mark.parametrize("counts", [(7, 7), (1000, 1), (3,) * 13])
def test_odd_counts_can_be_drawn(make_run, counts: tuple[int, ...]) -> None:
    """Equal counts, extreme ones, more classes than have names: all pictures can be drawn."""
    names = tuple("abcdefghijklm"[: len(counts)])
    folder = make_run(classes=names, counts=counts, n_test=(2,) * len(counts))
    assert all(draw(summarise(folder), "run-1").values())


def test_without_validation_only_the_loss_is_drawn(run_folders: dict[str, Path]) -> None:
    """Pre-training has no accuracy and no chosen epoch, and so no empty axes for them."""
    pictures = {
        name: draw(summarise(run_folders[name]), "run-1")["curves"]
        for name in ("pretraining", "images")
    }
    bare, full = pictures["pretraining"], pictures["images"]
    assert bare is not None
    assert full is not None
    for words in ("Balanced accuracy", "kept epoch"):
        assert words in full.svg
        assert words not in bare.svg
    assert "Loss, in nats" in bare.svg
    history = summarise(run_folders["pretraining"])["history"]
    ends = " in the first to ".join(f"{history[k]['train_loss']:.3f}" for k in (0, -1))
    assert bare.description == f"Loss in training over 40 epochs, from {ends} in the last."
