"""The confusion matrix as a heat map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from equipoise.report.formats import percent, whole
from equipoise.report.plots.theme import (
    INK,
    MUTED,
    RIGHT,
    WRONG,
    Picture,
    Tip,
    canvas,
    label,
    slanted,
    svg,
)

COUNTED = 12
"""Most classes whose counts are written into the cells."""

NAMED = 30
"""Most classes whose names stand beside the rows."""

_TOLD = 300
"""Most cells of more classes that are told where they are pointed at: those of largest share."""

TINT = 0.55
"""Opacity of a full cell that has text in it: the text on it keeps a contrast above 4.5."""

KEY = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Shares that the key under the matrices shows."""

_LEVELS = np.linspace(0.0, 1.0, 21)


def confusion_matrix(summary: dict[str, Any], prior: str) -> Picture | None:
    """Draw the shares of each true class, most frequent class first; None without results."""
    if not summary["results"]:
        return None
    metrics = summary["results"][prior]
    order = np.argsort([-row["n_train"] for row in metrics["per_class"]], kind="stable")
    counts = np.asarray(metrics["confusion"])[np.ix_(order, order)]
    names = [metrics["per_class"][i]["class"] for i in order]
    figure = canvas(350 if len(names) <= NAMED else 370)
    axes = figure.subplots()
    _cells(axes, counts, _full(len(names)))
    if len(names) <= COUNTED:
        _numbers(axes, counts)
    _frame(axes, names)
    is_told = len(names) <= COUNTED
    tips = _tips(axes, counts, names, np.ones(counts.shape, bool) if is_told else _largest(counts))
    found = np.trace(counts) / max(counts.sum(), 1)
    return Picture(
        svg(figure, tips, columns=len(names) if is_told else 1),
        f"Confusion matrix of {len(names)} classes: {percent(found)} of the test examples are on "
        "the diagonal; the most frequent confusions are listed in the table.",
    )


def shade(share: np.ndarray) -> np.ndarray:
    """Return the opacity of a share: its square root, so that rare confusions can be seen.

    >>> shade(np.array([0.0, 0.01, 1.0]))
    array([0. , 0.1, 1. ])
    """
    return np.sqrt(share)


def key(n_classes: int) -> list[tuple[str, float]]:
    """Return the shares of the key with their opacities.

    >>> key(10)[-1][1], key(100)[-1][1]
    (0.55, 1.0)
    """
    return [(percent(s, 0), round(_full(n_classes) * float(shade(np.array(s))), 3)) for s in KEY]


def _full(n_classes: int) -> float:
    return TINT if n_classes <= COUNTED else 1.0


def _share(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _largest(counts: np.ndarray) -> np.ndarray:
    """Return which cells that are not empty have the largest shares of their rows."""
    share = _share(counts)
    chosen = np.argsort(-share, axis=None, kind="stable")[:_TOLD]
    return np.isin(np.arange(share.size), chosen).reshape(share.shape) & (counts > 0)


def _tips(axes: Axes, counts: np.ndarray, names: Sequence[str], told: np.ndarray) -> list[Tip]:
    """Return what chosen cells say, row by row."""
    totals, short = counts.sum(axis=1).tolist(), [label(name, 30) for name in names]
    tips = []
    for row, column in np.argwhere(told).tolist():
        count, total = int(counts[row, column]), totals[row]
        what = "is right" if row == column else f"is taken for {short[column]}"
        part = f" ({percent(count / total)})" if total else ""
        text = f"{short[row]} {what}: {whole(count)} of {whole(total)}{part}"
        tips.append(Tip(axes, column, row, text, names[row], side=1.0))
    return tips


def _cells(axes: Axes, counts: np.ndarray, full: float) -> None:
    share = _share(counts)
    # One path for each shade keeps a hundred classes at a few kilobytes.
    level = np.searchsorted(_LEVELS, shade(share))
    diagonal = np.eye(len(counts), dtype=bool)
    for colour, where in ((RIGHT, diagonal), (WRONG, ~diagonal)):
        for k in np.unique(level[where & (level > 0)]):
            squares = [_square(row, column) for row, column in np.argwhere(where & (level == k))]
            axes.add_patch(
                PathPatch(
                    Path.make_compound_path(*squares),
                    facecolor=colour,
                    alpha=full * _LEVELS[k],
                    linewidth=0,
                )
            )


def _square(row: int, column: int) -> Path:
    left, top, right, bottom = column - 0.5, row - 0.5, column + 0.5, row + 0.5
    return Path(
        [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], closed=True
    )


def _numbers(axes: Axes, counts: np.ndarray) -> None:
    size = 10.5 if len(counts) <= 6 else 8.5 if len(counts) <= 10 else 7.5
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, whole(count), ha="center", va="center", fontsize=size)


def _frame(axes: Axes, names: Sequence[str]) -> None:
    n = len(names)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if n > NAMED:
        axes.set_xticks([0, n - 1], ["most frequent", "rarest"], color=MUTED)
        axes.set_yticks([0, n - 1], ["1", whole(n)], color=MUTED)
        left, right = axes.get_xticklabels()
        left.set_horizontalalignment("left")
        right.set_horizontalalignment("right")
        return
    size = 9.5 if n <= COUNTED else 6.5
    short = [label(name, 14) for name in names]
    axes.set_yticks(range(n), short, color=INK, fontsize=size)
    degrees = slanted(short, 45)
    axes.set_xticks(
        range(n),
        short,
        color=INK,
        fontsize=size,
        rotation=degrees,
        rotation_mode="anchor",
        ha="right" if degrees else "center",
    )
