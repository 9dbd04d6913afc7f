"""How the recall of classes went from epoch to epoch."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from equipoise.report.formats import percent
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    TRAINING,
    Picture,
    Tip,
    canvas,
    label,
    percent_axis,
    spaced,
    svg,
)

COLOURS = {
    "many": TRAINING,
    "largest": TRAINING,
    "medium": AS_IS,
    "middle": AS_IS,
    "few": CORRECTED,
    "smallest": CORRECTED,
}
"""Of each group of classes."""

MOST_CLASSES = 30
"""Of more classes the rarest have a line of their own."""

TOLD = 12
"""Most epochs of a line whose values are told where they are pointed at."""

Found = Mapping[str, Any]


def recall_course(found: Found) -> Picture | None:
    """Draw held-out recall over epochs, a line for each class and a strong one for each group.

    At the kept epoch stands the recall of each group on training examples. None where epochs
    have not recorded the recall of classes.
    """
    own = found["course"]
    if own is None:
        return None
    figure = canvas(300)
    axes = figure.subplots()
    tips: list[Tip] = []
    rarest = sorted(range(len(found["counts"])), key=lambda k: -found["counts"][k])[-MOST_CLASSES:]
    for k in rarest:
        name = found["classes"][k]
        style: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.45, "gid": f"class-{k}"}
        style["color"] = COLOURS[found["groups"][k]]
        tips += _line(axes, own["epochs"], own["held_out"][k], style, label(name, 30))
    groups = [group for group in COLOURS if group in own["by_group"]["held_out"]]
    for group in groups:
        style = {"linewidth": 2.2, "label": group, "color": COLOURS[group]}
        tips += _line(axes, own["epochs"], own["by_group"]["held_out"][group], style, group)
        trained = own["by_group"]["train"].get(group)
        if own["kept"] is not None and trained is not None:
            colours: dict[str, Any] = {"markeredgecolor": COLOURS[group], "markerfacecolor": "none"}
            axes.plot([own["kept"]], [trained], "o", markersize=6, clip_on=False, **colours)
            text = f"{group}, training examples, epoch {own['kept']}: {percent(trained)}"
            tips.append(Tip(axes, own["kept"], trained, text))
    if own["kept"] is not None:
        axes.axvline(own["kept"], color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
    axes.set_ylim(-0.02, 1.02)
    axes.grid(axis="y")
    percent_axis(axes, "y")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    figure.legend(loc="outside upper left", ncols=3)
    names = {f"class-{k}": found["classes"][k] for k in rarest}
    return Picture(svg(figure, tips, names), _aloud(own, groups))


def _line(
    axes: Axes,
    epochs: list[int],
    values: list[float | None],
    style: dict[str, Any],
    name: str,
) -> list[Tip]:
    """Draw a line; return words about some of its points."""
    known = [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None]
    if known:
        axes.plot(*zip(*known, strict=True), **style)
    told = [known[i] for i in spaced(len(known), TOLD)]
    return [Tip(axes, e, v, f"{name}, epoch {e}: {percent(v)}") for e, v in told]


def _aloud(own: Found, groups: list[str]) -> str:
    told = []
    for group in groups:
        known = [v for v in own["by_group"]["held_out"][group] if v is not None]
        if known:
            trained = percent(own["by_group"]["train"].get(group))
            told.append(
                f"{group} {percent(known[0])} in the first epoch, {percent(max(known))} at best, "
                f"{percent(known[-1])} in the last, {trained} on training examples"
            )
    return f"Held-out recall over {len(own['epochs'])} epochs, as trained: {'; '.join(told)}."
