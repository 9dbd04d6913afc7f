"""How many examples each class has."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equipoise.report.formats import significant, whole
from equipoise.report.plots.theme import (
    AS_IS,
    BAR,
    CORRECTED,
    INK,
    MUTED,
    Picture,
    Tip,
    canvas,
    label,
    log_axis,
    svg,
)

NAMED = 25
"""Most classes that are drawn as a bar with a name each."""

_TOLD = 200
"""Most classes whose numbers are told where they are pointed at."""

_FLOOR = 0.8
_PARTS = (
    ("validation", "D", CORRECTED, 3.6),
    ("test", "o", AS_IS, 4.6),
)


def class_counts(summary: dict[str, Any]) -> Picture:
    """Draw training, validation and test counts on a logarithmic axis, largest class first."""
    classes = sorted(summary["classes"], key=lambda c: -c["train"])
    draw = _bars if len(classes) <= NAMED else _profile
    most, least = classes[0], classes[-1]
    ratio = significant(summary["ratio"])
    return Picture(
        draw(classes),
        f"Training examples of {len(classes)} classes, from {whole(most['train'])} "
        f"({most['name']}) to {whole(least['train'])} ({least['name']}); ratio {ratio}.",
    )


def _bars(classes: list[dict[str, Any]]) -> str:
    figure = canvas(58 + 19 * len(classes))
    axes = figure.subplots()
    rows = range(len(classes))
    axes.barh(
        rows,
        [c["train"] for c in classes],
        height=0.62,
        color=BAR,
        label="training",
    )
    _mark_parts(axes, classes, rows, horizontal=True)
    axes.set_yticks(rows, [label(c["name"]) for c in classes], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    log_axis(axes, "x", _FLOOR, _ceiling(classes))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    for row, c in enumerate(classes):
        axes.annotate(
            whole(c["train"]),
            (1.015, row),
            xycoords=("axes fraction", "data"),
            va="center",
            color=MUTED,
        )
    _legend(figure, axes)
    return svg(
        figure,
        [Tip(axes, max(c["train"], _FLOOR), row, *_words(c)) for row, c in enumerate(classes)],
    )


def _profile(classes: list[dict[str, Any]]) -> str:
    figure = canvas(250)
    axes = figure.subplots()
    ranks = range(1, len(classes) + 1)
    axes.fill_between(
        ranks,
        [max(c["train"], _FLOOR) for c in classes],
        _FLOOR,
        step="mid",
        color=BAR,
        linewidth=0,
        label="training",
    )
    _mark_parts(axes, classes, ranks, horizontal=False)
    log_axis(axes, "y", _FLOOR, _ceiling(classes))
    axes.set_xlim(0.5, len(classes) + 0.5)
    axes.set_xlabel("classes, from most to fewest training examples")
    axes.grid(axis="y")
    _legend(figure, axes)
    told = [(i, max(c["train"], _FLOOR), c) for i, c in enumerate(classes[:_TOLD], start=1)]
    return svg(figure, [Tip(axes, rank, height, *_words(c)) for rank, height, c in told])


def _words(c: dict[str, Any]) -> tuple[str, str]:
    """Return what is said about a class, and its name."""
    told = ", ".join(f"{whole(c[part])} {part}" for part in ("train", "validation", "test"))
    return f"{label(c['name'], 30)}: {told}", c["name"]


def _mark_parts(axes: Axes, classes: list[dict[str, Any]], places: range, horizontal: bool) -> None:
    for part, marker, colour, size in _PARTS:
        known = [(c[part], place) for c, place in zip(classes, places, strict=True) if c[part]]
        if not known:
            continue
        numbers, where = zip(*known, strict=True)
        x, y = (numbers, where) if horizontal else (where, numbers)
        axes.plot(
            x,
            y,
            marker,
            markersize=size if horizontal else size / 2,
            markerfacecolor="none" if part == "test" else colour,
            markeredgecolor=colour,
            markeredgewidth=1.3 if horizontal else 0.9,
            label=part,
        )


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    known = dict(zip(names, handles, strict=True))
    order = [name for name in ("training", "validation", "test") if name in known]
    figure.legend([known[n] for n in order], order, loc="outside upper left", ncols=3)


def _ceiling(classes: list[dict[str, Any]]) -> float:
    return 1.4 * max(1, *(c[part] for c in classes for part in ("train", "validation", "test")))
