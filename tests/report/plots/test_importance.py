"""Importances, and mean scores of candidates and of ranges."""

import re
from typing import Any

import pytest

from equipoise.report.plots.importance import candidate_means, importance_bars, range_means
from equipoise.report.plots.theme import Picture, themed


def mean(value: float, error: float | None = 0.01, **of: Any) -> dict[str, Any]:
    return {**of, "n": 12, "mean": value, "error": error}


def part(name: str, importance: float | None, p: float | None, **of: Any) -> dict[str, Any]:
    rows = {"candidates": [], "ranges": []} | of
    return {"name": name, "n": 40, "importance": importance, "error": 0.05, "p": p, **rows}


def search(**changes: Any) -> dict[str, Any]:
    candidates = [mean(0.6, name="SGD"), mean(0.5, None, name="AdamW"), mean(0.4, name="Lion")]
    ranges = [mean(0.5, low=0.001, high=0.09), mean(0.6, low=0.1, high=0.9)]
    return {
        "metric": "balanced_accuracy",
        "roles": [
            part("optimizer", 0.6, 0.01, candidates=candidates),
            part("head", 0.1, 0.5),
            part("scaling", None, None, candidates=candidates[:1]),
        ],
        "fields": [part("optimizer.SGD.lr", 0.4, 0.2, ranges=ranges)],
        "prescribed": {"optimizer": "AdamW"},
        "chosen": {"optimizer": "SGD", "optimizer.SGD.lr": 0.02},
    } | changes


def painted(paint: Any, **changes: Any) -> Picture:
    with themed("test"):
        picture = paint(search(**changes))
    assert picture is not None
    return picture


def n_marks(picture: Picture, colour: str) -> int:
    return len(re.findall(rf"fill:var\(--{colour}\)", picture.svg))


def test_only_what_is_more_than_chance_is_coloured() -> None:
    """One bar of three; where none is sure, none."""
    assert n_marks(painted(importance_bars), "corrected") == 1
    assert n_marks(painted(importance_bars), "bar") == 2
    roles = [part("optimizer", 0.6, 0.06)]
    assert n_marks(painted(importance_bars, roles=roles), "corrected") == 0


def test_importances_are_described() -> None:
    """Who cannot see the bars learns their lengths; what is not known has no bar."""
    description = painted(importance_bars).description.replace("\N{NO-BREAK SPACE}", " ")
    assert "optimizer 60 %, head 10 %, optimizer.SGD.lr 40 %" in description
    assert "scaling" not in description


def test_candidates_of_both_recipes_are_coloured() -> None:
    """Blue what is taken, orange what was prescribed, grey the others."""
    picture = painted(candidate_means)
    assert re.findall(r">(SGD|AdamW|Lion|scaling)<", picture.svg) == ["SGD", "AdamW", "Lion"]
    points = re.findall(r"<use[^>]*fill:var\(--(corrected|as-is|muted)\)", picture.svg)
    assert points.count("corrected") == points.count("as-is") == 1


def test_a_candidate_that_is_both_counts_as_taken() -> None:
    """A part that was left alone is blue."""
    picture = painted(candidate_means, prescribed={"optimizer": "SGD"})
    assert "var(--as-is)" not in picture.svg


def test_a_single_trial_has_no_whisker() -> None:
    """A mean without an error is a point alone."""
    pair = [mean(0.6, name="SGD"), mean(0.5, name="AdamW")]
    bare = [row | {"error": None} for row in pair]
    both, none = (
        painted(candidate_means, roles=[part("optimizer", 1.0, 0.5, candidates=rows)]).svg
        for rows in (pair, bare)
    )
    assert both.count("stroke:var(--corrected)") - none.count("stroke:var(--corrected)") == 1
    assert both.count("stroke:var(--as-is)") - none.count("stroke:var(--as-is)") == 1


@pytest.mark.parametrize(("metric", "leader"), [("g_mean", "SGD"), ("log_loss", "Lion")])
def test_the_best_candidate_is_told_in_the_direction_of_the_metric(
    metric: str, leader: str
) -> None:
    """Lower is better for a loss."""
    assert f"optimizer: {leader} with" in painted(candidate_means, metric=metric).description


def test_numbers_of_both_recipes_stand_in_their_panel() -> None:
    """A dashed line for the one that has the component, and none for the other."""
    lines = re.findall(r'style="([^"]*dasharray[^"]*)"', painted(range_means).svg)
    assert len(lines) == 1
    assert "stroke:var(--corrected)" in lines[0]


def test_a_wide_range_is_logarithmic() -> None:
    """Powers of ten are labelled, and a narrow range has plain numbers."""
    ticks = re.findall(r">([\d.]+)</text>", painted(range_means).svg)
    assert {"0.01", "0.1"} <= set(ticks)
    narrow = [mean(0.5, low=1.0, high=2.0), mean(0.6, low=3.0, high=4.0)]
    fields = [part("backbone.MLP.layers", 0.4, 0.2, ranges=narrow)]
    picture = painted(range_means, fields=fields)
    assert {"1", "2", "3", "4"} <= set(re.findall(r">(\d)</text>", picture.svg))


@pytest.mark.parametrize("paint", [importance_bars, candidate_means, range_means])
def test_nothing_known_is_nothing_drawn(paint: Any) -> None:
    """Too few trials leave no empty axes."""
    with themed("test"):
        assert paint(search(roles=[], fields=[])) is None


def told(picture: Picture) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", picture.svg.replace("\N{NO-BREAK SPACE}", " "))


def test_bars_and_points_tell_their_values() -> None:
    """With standard errors where these are known."""
    assert told(painted(importance_bars)) == [
        "optimizer: 60.0 % ± 5.0 %, p = 0.01",
        "head: 10.0 % ± 5.0 %, p = 0.5",
        "optimizer.SGD.lr: 40.0 % ± 5.0 %, p = 0.2",
    ]
    assert told(painted(candidate_means)) == [
        "optimizer: SGD, 60.0 % ± 1.0 points, 12 trials",
        "optimizer: AdamW, 50.0 %, 12 trials",
        "optimizer: Lion, 40.0 % ± 1.0 points, 12 trials",
    ]
    assert told(painted(range_means)) == [
        "optimizer.SGD.lr 0.001 to 0.09: 50.0 % ± 1.0 points, 12 trials",
        "optimizer.SGD.lr 0.1 to 0.9: 60.0 % ± 1.0 points, 12 trials",
    ]
