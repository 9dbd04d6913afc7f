"""The course of a search: the best score over the time that was spent on it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from equipoise.report.formats import duration
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    Picture,
    Tip,
    canvas,
    percent_axis,
    spaced,
    svg,
)
from equipoise.report.search import STATES
from equipoise.report.search_reading import written
from equipoise.report.vocabulary import METRICS, Metric

_MARKED = 300
"""Most trials that get a mark each."""

_LEVEL = 0.025
"""Height at which trials that were not trained in full are marked, as a share of the picture's."""

_UNITS = (("hours", 3600.0, 3.0), ("minutes", 60.0, 3.0), ("seconds", 1.0, 0.0))
"""Units of time, their seconds, and how many of them there must be."""


def search_course(search: dict[str, Any]) -> Picture | None:
    """Draw the best score so far over the time spent; None if no recipe was trained in full."""
    trials, metric = search["trials"], METRICS[search["metric"]]
    done = [t for t in trials if t["state"] == "complete" and t["score"] is not None]
    if not done:
        return None
    total = trials[-1]["elapsed"]
    unit, seconds = next((name, s) for name, s, least in _UNITS if total >= least * s)
    figure = canvas(260)
    axes = figure.subplots()
    best = _best(axes, done, (seconds, total), metric.higher_is_better)
    short = [t for t in trials if t["state"] != "complete"]
    _ticks(axes, [t["elapsed"] / seconds for t in short])
    axes.margins(y=0.15)
    axes.set_xlim(0, 1.02 * total / seconds or 1)
    axes.grid(axis="y")
    axes.set_title(metric.label, color=MUTED)
    axes.set_xlabel(f"{unit} of training, those of all trials so far together")
    score_axis(axes, "y", metric)
    figure.legend(loc="outside upper left", ncols=2)
    tips = _told(axes, done, best, seconds, search["metric"]) + _untrained(axes, short, seconds)
    return Picture(svg(figure, tips), _description(search, len(done), best))


def score_axis(axes: Axes, which: str, metric: Metric) -> None:
    """Label an axis of scores, with as many decimals as its ticks need."""
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(MaxNLocator(7 if which == "x" else 5, steps=[1, 2, 5, 10]))
    if metric.as_percent:
        percent_axis(axes, which)


def _best(
    axes: Axes, done: list[dict[str, Any]], time: tuple[float, float], is_raised: bool
) -> list[float]:
    """Draw scores, the best of them so far, and that of the prescription."""
    unit, total = time
    times, scores = [t["elapsed"] / unit for t in done], [t["score"] for t in done]
    better = np.maximum if is_raised else np.minimum
    best = better.accumulate(np.array(scores)).tolist()
    if done[0]["number"] == 0:
        style = {"color": AS_IS, "linewidth": 1, "linestyle": (0, (3, 2))}
        axes.axhline(scores[0], label="prescription", **style)
    ends = [*times, total / unit], [*best, best[-1]]
    axes.step(*ends, where="post", color=CORRECTED, label="best so far")
    if len(done) <= _MARKED:
        axes.plot(times, scores, "o", color=CORRECTED, markersize=3.6, label="trained in full")
    return best


def _ticks(axes: Axes, times: list[float]) -> None:
    if 0 < len(times) <= _MARKED:
        style = {"color": MUTED, "markersize": 7, "transform": axes.get_xaxis_transform()}
        axes.plot(times, [_LEVEL] * len(times), "|", label="not trained in full", **style)


def _told(
    axes: Axes, done: list[dict[str, Any]], best: list[float], unit: float, metric: str
) -> list[Tip]:
    """Return words about trials that were trained in full; of many, about the best so far."""
    tips = []
    for k in spaced(len(done), _MARKED):
        trial, score = done[k], done[k]["score"]
        when = f"trial {trial['number']}, after {duration(trial['elapsed'])}"
        text = f"{when}: {written(score, metric)}, best so far {written(best[k], metric)}"
        at = score if len(done) <= _MARKED else best[k]
        tips.append(Tip(axes, trial["elapsed"] / unit, at, text))
    return tips


def _untrained(axes: Axes, trials: list[dict[str, Any]], unit: float) -> list[Tip]:
    """Return words about trials that have a tick only; of many, none."""
    low, high = axes.get_ylim()
    height = low + _LEVEL * (high - low)
    return [
        Tip(
            axes,
            t["elapsed"] / unit,
            height,
            f"trial {t['number']}, after {duration(t['elapsed'])}: {STATES[t['state']]}",
        )
        for t in trials
        if len(trials) <= _MARKED
    ]


def _description(search: dict[str, Any], n: int, best: list[float]) -> str:
    metric, total = search["metric"], search["trials"][-1]["elapsed"]
    return (
        f"Best {METRICS[metric].label.lower()} so far over {duration(total)} of training, from "
        f"{written(best[0], metric)} to {written(best[-1], metric)}, in {n} recipes that were "
        "trained in full."
    )
