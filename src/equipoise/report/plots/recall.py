"""The recall of each class against how often it was seen in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from equipoise.report.formats import interval, percent
from equipoise.report.plots.labels import separate
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    INK,
    Picture,
    Tip,
    canvas,
    label,
    log_axis,
    percent_axis,
    slanted,
    svg,
)

NAMED = 12
"""Most classes that are drawn one by one, with their names."""

_TOLD = 200
"""Most classes whose values are told where they are pointed at."""

_MEANS = 8
"""Points of the line that shows the trend of many classes."""

_Known = list[tuple[float, dict[str, Any]]]
_SERIES = (
    ("as_is", "as trained", AS_IS, "none", -1),
    ("balanced", "after prior correction", CORRECTED, CORRECTED, 1),
)


def recall_by_count(summary: dict[str, Any]) -> Picture | None:
    """Draw per-class recall with intervals over the training count; None without results."""
    if not summary["results"]:
        return None
    corrected = summary["results"]["balanced"]["per_class"]
    places, reach = _places([row["n_train"] for row in corrected])
    figure = canvas(310)
    axes = figure.subplots()
    tips: list[Tip] = []
    log_axis(axes, "x", places.min() / reach**0.05, places.max() * reach**0.05)
    for prior, name, colour, face, side in _SERIES:
        rows = summary["results"][prior]["per_class"]
        shift = reach ** (side * (0.009 if len(rows) <= NAMED else 0.003))
        known = [
            (place * shift, row["recall"])
            for place, row in zip(places, rows, strict=True)
            if row["recall"]["value"] is not None
        ]
        if len(rows) <= _TOLD:
            tips += _tips(axes, places * shift, rows, name)
        if len(rows) <= NAMED:
            _points(axes, known, (colour, face), name)
        else:
            _cloud(axes, known, colour, name)
    if len(corrected) <= NAMED:
        _name(axes, places, corrected)
    axes.set_ylim(-0.02, 1.03)
    axes.grid(axis="y")
    axes.set_xlabel("training examples of the class")
    percent_axis(axes, "y")
    figure.legend(loc="outside upper left", ncols=2)
    return Picture(svg(figure, tips), _description(corrected))


def _tips(axes: Axes, places: np.ndarray, rows: Sequence[dict[str, Any]], name: str) -> list[Tip]:
    """Return words about the recall of each class where it is known."""
    known = [
        (x, row) for x, row in zip(places, rows, strict=True) if row["recall"]["value"] is not None
    ]
    return [
        Tip(
            axes,
            x,
            row["recall"]["value"],
            f"{label(row['class'], 30)} ({row['n_train']} trained on), {name}: "
            f"{percent(row['recall']['value'])} ({interval(row['recall'])})",
            row["class"],
        )
        for x, row in known
    ]


def _places(counts: Sequence[int]) -> tuple[np.ndarray, float]:
    """Return where each class stands on the axis, and the ratio that the axis covers."""
    positive = np.maximum(np.asarray(counts, dtype=float), 0.7)
    reach = max(positive.max() / positive.min(), 4.0)
    gap = 0.055 * np.log(reach) if len(counts) <= NAMED else 0.0
    return np.exp(separate(np.log(positive), gap)), reach


def _whiskers(axes: Axes, known: _Known, colour: str, weight: tuple[float, float]) -> None:
    spans = [(x, r["low"], r["high"]) for x, r in known if r["low"] is not None]
    if spans:
        x, low, high = zip(*spans, strict=True)
        axes.vlines(x, low, high, color=colour, linewidth=weight[0], alpha=weight[1])


def _points(axes: Axes, known: _Known, colours: tuple[str, str], name: str) -> None:
    _whiskers(axes, known, colours[0], (1.3, 0.9))
    axes.plot(
        [x for x, _ in known],
        [r["value"] for _, r in known],
        "o",
        markersize=4.6,
        markeredgecolor=colours[0],
        markerfacecolor=colours[1],
        markeredgewidth=1.2,
        label=name,
    )


def _cloud(axes: Axes, known: _Known, colour: str, name: str) -> None:
    """Draw many classes as faint points and intervals, with a line through their local means."""
    _whiskers(axes, known, colour, (0.6, 0.25))
    if not known:
        return
    ordered = sorted((x, r["value"]) for x, r in known)
    x, y = np.array(ordered).T
    axes.plot(x, y, "o", color=colour, markersize=2.8, alpha=0.7, markeredgewidth=0)
    parts = np.array_split(np.arange(len(x)), min(len(x), _MEANS))
    means = [(np.exp(np.log(x[part]).mean()), y[part].mean()) for part in parts]
    axes.plot(*zip(*means, strict=True), color=colour, linewidth=1.8, label=name)


def _name(axes: Axes, places: np.ndarray, rows: list[dict[str, Any]]) -> None:
    names = [label(row["class"], 16) for row in rows]
    degrees = slanted(names, 50)
    for place, name in zip(places, names, strict=True):
        axes.annotate(
            name,
            (place, 1.045),
            rotation=degrees,
            rotation_mode="anchor",
            ha="left" if degrees else "center",
            va="center",
            color=INK,
            annotation_clip=False,
        )


def _description(rows: list[dict[str, Any]]) -> str:
    known = [row for row in rows if row["recall"]["value"] is not None]
    words = [f"{row['class']} {percent(row['recall']['value'], 0)}" for row in known[:NAMED]]
    more = " and others" if len(known) > NAMED else ""
    return f"Recall after prior correction: {', '.join(words)}{more}."
