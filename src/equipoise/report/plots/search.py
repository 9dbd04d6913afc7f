"""The course of a search: the best score over the time that was spent on it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from equipoise.report.formats import duration
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    Picture,
    canvas,
    svg,
)
from equipoise.report.search_reading import written
from equipoise.report.vocabulary import METRICS, Metric

_MARKED = 300
"""Most trials that get a mark each."""

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
    _ticks(axes, [t["elapsed"] / seconds for t in trials if t["state"] != "complete"])
    axes.margins(y=0.15)
    axes.set_xlim(0, 1.02 * total / seconds or 1)
    axes.grid(axis="y")
    axes.set_title(metric.label, color=MUTED)
    axes.set_xlabel(f"{unit} of training, those of all trials so far together")
    score_axis(axes, "y", metric)
    figure.legend(loc="outside upper left", ncols=2)
    return Picture(svg(figure), _description(search, len(done), best))


def score_axis(axes: Axes, which: str, metric: Metric) -> None:
    """Label an axis of scores, with as many decimals as its ticks need."""
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(MaxNLocator(7 if which == "x" else 5, steps=[1, 2, 5, 10]))
    if metric.as_percent:
        axis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{100 * value:.4g}\N{NO-BREAK SPACE}%")
        )


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
        axes.plot(times, [0.025] * len(times), "|", label="not trained in full", **style)


def _description(search: dict[str, Any], n: int, best: list[float]) -> str:
    metric, total = search["metric"], search["trials"][-1]["elapsed"]
    return (
        f"Best {METRICS[metric].label.lower()} so far over {duration(total)} of training, from "
        f"{written(best[0], metric)} to {written(best[-1], metric)}, in {n} recipes that were "
        "trained in full."
    )
