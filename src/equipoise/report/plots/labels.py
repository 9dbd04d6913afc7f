"""Where labels stand so that they cover neither each other nor what they name."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from equipoise.report.plots.theme import MUTED

LINE = 13.0
"""Height of a label, in units of the picture."""

_NEAR = np.array([5.0, 8.0])
"""From a point to the left end of its label, at half its height: above lines through the point."""

_RADIUS = 3.0
"""Of a point."""

_FAR = 24.0
"""Distance of labels from points where lines lead from these to labels that were moved."""

_LED = 3.0
"""How far a label may be moved without a line that leads to it."""


def separate(
    positions: Sequence[float] | np.ndarray,
    gap: float,
    bounds: tuple[float, float] | None = None,
) -> np.ndarray:
    """Move positions apart until no two are closer than a gap, each as little as needed.

    Parameters
    ----------
    positions : array-like of float, shape (n,)
        Places on a line.
    gap : float
        Smallest distance between neighbours afterwards, at least 0.
    bounds : (float, float) or None, default=None
        Between which they lie afterwards, at least ``(n - 1) * gap`` apart; None: anywhere.

    Returns
    -------
    ndarray of float, shape (n,)
        New places in the given order, with the smallest sum of squared moves: after
        subtracting ``rank * gap``, this is isotonic regression, solved by pooling neighbours,
        and cut off at the bounds.

    Examples
    --------
    >>> separate([1.0, 1.0, 9.0], gap=2.0), separate([1.0, 1.0, 9.0], 2.0, (1.0, 12.0))
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
    if bounds is not None:
        flat = np.clip(flat, bounds[0], bounds[1] - (len(given) - 1) * gap)
    moved[order] = flat + np.arange(len(given)) * gap
    return moved


def beside(
    points: np.ndarray, widths: Sequence[float], line: float, bounds: tuple[float, float]
) -> np.ndarray:
    """Return where labels of points begin, to the right of them.

    Each label stands beside its point. Where two meet each other or a point, all of these points
    get one column of labels to their right, and so on until no two columns with their points
    meet.

    Parameters
    ----------
    points : ndarray of float, shape (n, 2)
        Across and up.
    widths : sequence of float
        Of the labels.
    line : float
        Height of a label.
    bounds : (float, float)
        Between which the middles of labels lie, at least ``(n - 1) * line`` apart.

    Returns
    -------
    ndarray of float, shape (n, 2)
        The left end of each label, at half its height.
    """
    groups = [[k] for k in range(len(points))]
    while True:
        columns = [
            _column(points[own], max(widths[k] for k in own), line, bounds) for own in groups
        ]
        boxes = [box for _, box in columns]
        met = [(i, j) for i, j in combinations(range(len(boxes)), 2) if _meet(boxes[i], boxes[j])]
        if not met:
            break
        i, j = met[0]
        groups[i] += groups.pop(j)
    placed = np.empty_like(points)
    for own, (ends, _) in zip(groups, columns, strict=True):
        placed[own] = ends
    return placed


def _column(
    points: np.ndarray, width: float, line: float, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the left ends of labels in one column, and corners of the box around all of it."""
    wanted = points[:, 1] + _NEAR[1]
    up = separate(wanted, line, bounds)
    start = points[:, 0].max() + (_FAR if np.abs(up - wanted).max() > _LED else _NEAR[0])
    ends = np.column_stack([np.full(len(up), start), up])
    half, far = np.array([0.0, line / 2]), np.array([width, line / 2])
    spots = np.concatenate([points - _RADIUS, points + _RADIUS, ends - half, ends + far])
    return ends, np.array([spots.min(axis=0), spots.max(axis=0)])


def _meet(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a[0] < b[1]).all() and (b[0] < a[1]).all())


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
    bounds = axes.bbox.y0 / unit + LINE / 2, axes.bbox.y1 / unit - LINE / 2
    for text, move in zip(texts, beside(places, widths, LINE, bounds) - places, strict=True):
        text.set_position(tuple(move))
        assert text.arrow_patch is not None
        text.arrow_patch.set_visible(bool(np.hypot(*(move - _NEAR)) > _LED))


def _text(axes: Axes, point: tuple[float, float], name: str) -> Annotation:
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2.5}
    text = axes.annotate(
        name,
        point,
        (0, 0),
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
