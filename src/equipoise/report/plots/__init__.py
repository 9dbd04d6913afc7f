"""The pictures of the report: a summary in, themed SVG out."""

from collections.abc import Callable, Mapping
from typing import Any

from equipoise.report.plots.comparison import (
    cost_and_quality,
    differences_to_control,
    prior_bias,
)
from equipoise.report.plots.confusion import confusion_matrix
from equipoise.report.plots.counts import class_counts
from equipoise.report.plots.course import recall_course
from equipoise.report.plots.curves import learning_curves
from equipoise.report.plots.diagnosis import (
    class_measures,
    points_lost,
    recall_gap,
    what_orders,
)
from equipoise.report.plots.importance import candidate_means, importance_bars, range_means
from equipoise.report.plots.ranks import critical_differences
from equipoise.report.plots.recall import recall_by_count
from equipoise.report.plots.reliability import reliability_diagram
from equipoise.report.plots.search import search_course
from equipoise.report.plots.study import changes, groups, places
from equipoise.report.plots.theme import Picture, themed

__all__ = [
    "Picture",
    "draw",
    "draw_comparison",
    "draw_diagnosis",
    "draw_order",
    "draw_ranking",
    "draw_study",
]

Painter = Callable[[dict[str, Any]], Picture | None]


def draw_comparison(summary: dict[str, Any], salt: str) -> dict[str, Picture | None]:
    """Return the pictures of a comparison.

    Parameters
    ----------
    summary : dict
        As `equipoise.report.comparisons` returns it.
    salt : str
        Different for each comparison of a page.

    Returns
    -------
    dict of str to Picture
        ``prior_bias``, ``differences``, ``cost`` and ``inference``; None for what there is no
        data for.
    """
    facts = summary["balanced"]["facts"]["to_control"]
    inference = "multiply-adds of a prediction"
    painters: dict[str, Painter] = {
        "prior_bias": lambda s: prior_bias(s["leaderboard"]),
        "differences": lambda s: differences_to_control(facts, s["control"]),
        "cost": lambda s: cost_and_quality(s["leaderboard"], "seconds", "seconds of a run"),
        "inference": lambda s: cost_and_quality(s["leaderboard"], "multiply_adds", inference),
    }
    return _painted(painters, salt, summary)


def draw(summary: dict[str, Any], salt: str) -> dict[str, Picture | None]:
    """Return the pictures of one run.

    Parameters
    ----------
    summary : dict
        As `equipoise.report.summaries` returns it.
    salt : str
        Different for each run of a page; the same salt and summary give the same bytes.

    Returns
    -------
    dict of str to Picture
        ``counts``, ``curves``, ``recall``, ``confusion_as_is``, ``confusion_balanced`` and
        ``reliability``; for a run that was searched for also ``search_course``,
        ``importances``, ``candidates`` and ``ranges``. None for what the run has no data for.
    """
    painters = {
        "counts": class_counts,
        "curves": learning_curves,
        "recall": recall_by_count,
        "confusion_as_is": lambda s: confusion_matrix(s, "as_is"),
        "confusion_balanced": lambda s: confusion_matrix(s, "balanced"),
        "reliability": reliability_diagram,
    }
    if summary["search"]:
        painters |= {
            "search_course": lambda s: search_course(s["search"]),
            "importances": lambda s: importance_bars(s["search"]),
            "candidates": lambda s: candidate_means(s["search"]),
            "ranges": lambda s: range_means(s["search"]),
        }
    return _painted(painters, salt, summary)


def draw_ranking(ranking: dict[str, Any]) -> Picture:
    """Return the critical-difference diagram of a ranking."""
    ranks = {name: row["rank"] for name, row in ranking["methods"].items()}
    with themed("ranking"):
        return critical_differences(ranks, ranking["cliques"], ranking["critical_difference"])


def draw_study(found: dict[str, Any], salt: str) -> dict[str, Picture | None]:
    """Return the pictures of a study.

    Parameters
    ----------
    found : dict
        As `equipoise.report.studies` returns it.
    salt : str
        Different for each study of a page.

    Returns
    -------
    dict of str to Picture
        ``changes``, ``groups`` and ``places``; None for what there is no data for.
    """
    return _painted({"changes": changes, "groups": groups, "places": places}, salt, found)


def draw_diagnosis(found: dict[str, Any], salt: str) -> dict[str, Picture | None]:
    """Return the pictures of one run's diagnosis.

    Parameters
    ----------
    found : dict
        As `equipoise.report.diagnoses` returns it.
    salt : str
        Different for each run of a page.

    Returns
    -------
    dict of str to Picture
        ``points_lost``, ``recall_gap``, ``recall_course`` and ``class_measures``; None for what
        there is no data for.
    """
    painters = {
        "points_lost": points_lost,
        "recall_gap": recall_gap,
        "recall_course": recall_course,
        "class_measures": class_measures,
    }
    return _painted(painters, salt, found)


def draw_order(order: dict[str, Any]) -> Picture | None:
    """Return the picture of which measure goes with success; None of few runs."""
    with themed("order"):
        return what_orders(order)


def _painted(
    painters: Mapping[str, Painter], salt: str, summary: dict[str, Any]
) -> dict[str, Picture | None]:
    pictures = {}
    for name, paint in painters.items():
        with themed(f"{salt}-{name}"):
            pictures[name] = paint(summary)
    return pictures
