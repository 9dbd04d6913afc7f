"""The best score over the time of a search."""

import re

import pytest

from equipoise.report.plots.search import search_course
from equipoise.report.plots.theme import Picture, themed


def drawn(scores: list[float | None], metric: str = "log_loss", seconds: float = 2.0):
    trials = [
        {
            "number": number,
            "state": "stopped" if score is None else "complete",
            "score": score,
            "elapsed": seconds * (number + 1),
        }
        for number, score in enumerate(scores)
    ]
    with themed("test"):
        return search_course({"metric": metric, "trials": trials})


def words(picture: Picture | None) -> str:
    assert picture is not None
    return picture.description.replace("\N{NO-BREAK SPACE}", " ")


def test_the_best_of_a_loss_is_the_smallest() -> None:
    """What a later recipe does worse is not forgotten, nor counted."""
    assert "over 8.0 s of training, from 0.900 to 0.400, in 3 recipes" in words(
        drawn([0.9, 0.4, None, 0.7])
    )


def test_the_best_of_an_accuracy_is_the_largest() -> None:
    """The direction is that of the metric."""
    picture = drawn([0.4, 0.9, 0.7], "balanced_accuracy")
    assert "from 40.0 % to 90.0 %" in words(picture)


def test_without_a_full_training_there_is_no_course() -> None:
    """Scores that cannot be compared make no line."""
    assert drawn([None, None]) is None


@pytest.mark.parametrize(("seconds", "unit"), [(2, "seconds"), (90, "minutes"), (9000, "hours")])
def test_time_has_the_unit_of_its_length(seconds: float, unit: str) -> None:
    """No axis of ten thousand seconds."""
    picture = drawn([0.9, 0.4, 0.7], seconds=seconds)
    assert picture is not None
    assert f">{unit} of training" in picture.svg


def test_the_prescription_is_drawn_where_it_was_trained_in_full() -> None:
    """Its score is the first trial's, and no other's."""
    with_it, without = drawn([0.9, 0.4]), drawn([None, 0.4])
    assert with_it is not None
    assert without is not None
    assert "prescription" in with_it.svg
    assert "prescription" not in without.svg


def test_thousands_of_trials_stay_small() -> None:
    """They get no mark each."""
    picture = drawn([1 / (k + 1) if k % 2 == 0 else None for k in range(5000)])
    assert picture is not None
    assert len(picture.svg) < 300_000
    assert not re.search(r">not trained in full<", picture.svg)


def test_trials_tell_their_scores() -> None:
    """The best so far stands beside each; what was not trained in full has none."""
    picture = drawn([0.9, 0.4, None, 0.7])
    assert picture is not None
    told = re.findall(r"<title>(.*?)</title>", picture.svg.replace("\N{NO-BREAK SPACE}", " "))
    assert told == [
        "trial 0, after 2.0 s: 0.900, best so far 0.900",
        "trial 1, after 4.0 s: 0.400, best so far 0.400",
        "trial 3, after 8.0 s: 0.700, best so far 0.400",
        "trial 2, after 6.0 s: stopped early",
    ]
