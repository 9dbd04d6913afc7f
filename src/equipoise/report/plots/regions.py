"""Decision regions of several methods in a plane, as one picture of its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equipoise.runs import replacing

COLUMNS = 3
"""Panels beside each other."""

MAJORITY, MINORITY = "#1a5fa6", "#b04c08"

SUFFIXES = (".svg", ".png", ".pdf")
"""What a picture can be written as."""


def decision_regions(
    X: np.ndarray,
    codes: np.ndarray,
    panels: Sequence[tuple[str, np.ndarray, str]],
    edge: float,
) -> Figure:
    """Return a picture with a panel for each method.

    Parameters
    ----------
    X : ndarray of float, shape (examples, 2)
        Training points.
    codes : ndarray of int, shape (examples,)
        0: majority, 1: minority.
    panels : sequence of (title, probabilities, note)
        Title, probability of the minority over the plane of shape (rows, columns), from below,
        and what stands under the panel.
    edge : float
        The plane goes from minus this to this, in both directions.
    """
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(3.1 * COLUMNS, 3.35 * rows), layout="constrained")
    drawn = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (title, proba, note) in zip(drawn, panels, strict=False):
        _panel(axes, X, codes, proba, edge)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel(note, fontsize=9, color="#585f67")
    for axes in drawn[len(panels) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, X: np.ndarray, codes: np.ndarray, proba: np.ndarray, edge: float) -> None:
    side = np.linspace(-edge, edge, len(proba))
    levels = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]
    axes.contourf(side, side, proba, levels=levels, cmap="PuOr_r", alpha=0.55, vmin=0, vmax=1)
    axes.contour(side, side, proba, levels=[0.5], colors="#1b1e22", linewidths=1.4)
    for code, colour, size, mark in ((0, MAJORITY, 7, "o"), (1, MINORITY, 34, "^")):
        own = X[codes == code]
        axes.scatter(*own.T, s=size, color=colour, marker=mark, linewidths=0.4, edgecolors="white")
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")


def save(figure: Figure, out: Path) -> None:
    """Write a picture; its form follows from the suffix. It appears only when it is whole."""
    with replacing(out) as file:
        kind = out.suffix.lower().removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)
