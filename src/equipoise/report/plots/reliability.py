"""Whether the stated confidence can be believed."""

from typing import Any

from matplotlib.axes import Axes

from equipoise.report.formats import decimal, percent
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    Picture,
    Tip,
    canvas,
    percent_axis,
    svg,
)

_SERIES = (
    ("as_is", "as trained", AS_IS),
    ("balanced", "after prior correction", CORRECTED),
)


def reliability_diagram(summary: dict[str, Any]) -> Picture | None:
    """Draw accuracy over confidence, and how often each confidence occurs; None without results."""
    results = summary["results"]
    if not results:
        return None
    figure = canvas(350)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    above.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
    tips = []
    for prior, name, colour in _SERIES:
        bins = [b for b in results[prior]["reliability"] if b["confidence"] is not None]
        _curve(above, bins, colour, name, filled=prior == "balanced")
        _histogram(below, bins, colour, filled=prior == "balanced")
        tips += _tips((above, below), bins, name)
    above.set_title("Share of right answers", color=MUTED)
    below.set_title("Share of examples", color=MUTED)
    below.set_xlabel("stated confidence")
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    for axes in (above, below):
        axes.grid(axis="y")
        percent_axis(axes, "y")
    percent_axis(below, "x")
    figure.legend(loc="outside upper left", ncols=2)
    return Picture(svg(figure, tips), _description(results))


def _curve(axes: Axes, bins: list[dict[str, Any]], colour: str, name: str, filled: bool) -> None:
    """Draw accuracy over confidence; the area of a point is the share of its examples."""
    confidence, accuracy = ([b[key] for b in bins] for key in ("confidence", "accuracy"))
    axes.plot(confidence, accuracy, color=colour, linewidth=1.0, label=name)
    axes.scatter(
        confidence,
        accuracy,
        s=[3 + 120 * share for share in _shares(bins)],
        facecolor=colour if filled else "none",
        edgecolor=colour,
        linewidth=1.1,
        zorder=3,
        clip_on=False,
    )


def _histogram(axes: Axes, bins: list[dict[str, Any]], colour: str, filled: bool) -> None:
    axes.bar(
        [b["low"] for b in bins],
        _shares(bins),
        [b["high"] - b["low"] for b in bins],
        align="edge",
        facecolor=colour if filled else "none",
        edgecolor="none" if filled else colour,
        alpha=0.5 if filled else 1.0,
        linewidth=0.0 if filled else 1.1,
    )


def _shares(bins: list[dict[str, Any]]) -> list[float]:
    total = sum(b["weight"] for b in bins) or 1.0
    return [b["weight"] / total for b in bins]


def _tips(panels: tuple[Axes, Axes], bins: list[dict[str, Any]], name: str) -> list[Tip]:
    """Return words about each point of the curve, then about each bar."""
    above, below = panels
    points, bars = [], []
    for b, share in zip(bins, _shares(bins), strict=True):
        right, often = percent(b["accuracy"]), f"{percent(share)} of the examples"
        text = f"{name}, {percent(b['confidence'])} stated: {right} right, {often}"
        points.append(Tip(above, b["confidence"], b["accuracy"], text))
        stated = f"{percent(b['low'], 0)} to {percent(b['high'], 0)} stated"
        bars.append(Tip(below, (b["low"] + b["high"]) / 2, share, f"{name}, {stated}: {often}"))
    return points + bars


def _description(results: dict[str, Any]) -> str:
    errors = [
        f"{decimal(results[prior]['overall']['top_label_ece']['value'])} {name}"
        for prior, name, _ in _SERIES
    ]
    return f"Reliability diagram; mean gap between confidence and accuracy: {', '.join(errors)}."
