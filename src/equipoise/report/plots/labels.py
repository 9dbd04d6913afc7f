"""Where labels stand so that they cover neither each other nor what they name."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from equipoise.report.plots.theme import MUTED

LINE = 13.0
"""Height of a label, in units of the picture."""

_NEAR = 7.0
"""Distance of a label from its point, and of the next points from it."""

_FAR = 24.0
"""Distance of labels from points where lines lead from these to labels that were moved."""

_LED = 3.0
"""How far a label may be moved without a line that leads to it."""


def separate(
    positions: Sequence[float] | np.ndarray,
    gap: float,
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    """Move positions apart until no two are closer than a gap, each as little as needed.

    Parameters
    ----------
    positions : array-like of float, shape (n,)
        Places on a line.
    gap : float
        Smallest distance between neighbours afterwards, at least 0.
    low, high : float, default=-inf, inf
        Between which they lie afterwards; at least ``(n - 1) * gap`` apart.

    Returns
    -------
    ndarray of float, shape (n,)
        New places in the given order, with the smallest sum of squared moves: after
        subtracting ``rank * gap``, this is isotonic regression, solved by pooling neighbours,
        and cut off at the bounds.

    Examples
    --------
    >>> separate([1.0, 1.0, 9.0], gap=2.0), separate([1.0, 1.0, 9.0], gap=2.0, low=1.0)
    (array([0., 2., 9.]), array([1., 3., 9.]))
    """
    given = np.asarray(positions, dtype=float)
    order = np.argsort(given, kind="stable")
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([float(given[index]) - rank * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            total = blocks[-1][1] + size
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / total, total]
    flat = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    moved = np.empty_like(given)
    within = np.clip(flat, low, high - (len(given) - 1) * gap)
    moved[order] = within + np.arange(len(given)) * gap
    return moved


def beside(
    points: np.ndarray, widths: Sequence[float], low: float, high: float, line: float = LINE
) -> np.ndarray:
    """Return where labels of points begin, to the right of them.

    From left to right, points share a column of labels until the next point has room beside
    the column. So no column holds a point, and none meets another.

    Parameters
    ----------
    points : ndarray of float, shape (n, 2)
        Across and up.
    widths : sequence of float
        Of the labels.
    low, high : float
        Between which the middles of labels lie, at least ``(n - 1) * line`` apart.
    line : float, default=LINE
        Height of a label.

    Returns
    -------
    ndarray of float, shape (n, 2)
        The left end of each label, at half its height.
    """
    order = np.argsort(points[:, 0], kind="stable")
    placed = np.empty_like(points)
    column: list[int] = []
    for index, after in zip(order, [*order[1:], None], strict=True):
        column.append(int(index))
        up = separate(points[column, 1], line, low, high)
        is_led = np.abs(up - points[column, 1]).max() > _LED
        start = points[index, 0] + (_FAR if is_led else _NEAR)
        end = start + max(widths[k] for k in column)
        if after is None or points[after, 0] >= end + _NEAR:
            placed[column] = np.column_stack([np.full(len(column), start), up])
            column = []
    return placed


def annotate(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Write names beside points, with a line to each that had to be moved.

    The axis across is logarithmic and grows until the names have room; what else the picture
    holds is drawn by now. Places hold for the figure's size, so that its layout ends here.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    texts = [_text(axes, *pair) for pair in zip(points, names, strict=True)]
    figure.draw_without_rendering()
    unit = figure.dpi / 72
    widths = [text.get_window_extent().width / unit for text in texts]
    _make_room(axes, max(x for x, _ in points), max(widths) + _FAR, axes.bbox.width / unit)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    places = axes.transData.transform(points) / unit
    low, high = axes.bbox.y0 / unit + LINE / 2, axes.bbox.y1 / unit - LINE / 2
    for text, move in zip(texts, beside(places, widths, low, high) - places, strict=True):
        text.set_position(tuple(move))
        assert text.arrow_patch is not None
        text.arrow_patch.set_visible(bool(np.hypot(*(move - (_NEAR, 0))) > _LED))


def _text(axes: Axes, point: tuple[float, float], name: str) -> Annotation:
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2.5}
    text = axes.annotate(
        name,
        point,
        (_NEAR, 0),
        textcoords="offset points",
        va="center",
        arrowprops=line | {"relpos": (0, 0.5)},
    )
    text.set_in_layout(False)
    return text


def _make_room(axes: Axes, last: float, wanted: float, width: float) -> None:
    """Raise the upper end until the last point has room for a label to its right."""
    low, high = axes.get_xlim()
    part = wanted / width
    axes.set_xlim(low, max(high, last * (last / low) ** (part / (1 - part))))
