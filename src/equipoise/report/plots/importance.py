"""What mattered in a search: importance of each part, and what its candidates scored."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from equipoise.report.formats import counted, percent, significant, whole
from equipoise.report.plots.search import score_axis
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
    percent_axis,
    svg,
)
from equipoise.report.search_reading import written, written_difference
from equipoise.report.vocabulary import METRICS

SURE = 0.05
"""Probability of a difference by chance below which a bar is coloured."""

_BARS = 24
"""Most parts that get a bar."""

_ROWS = 70
"""Most candidates that are drawn."""

_PANELS = 6
"""Most numbers that are drawn over their ranges: the most important ones."""

_WIDE = 30
"""Ratio of the largest to the smallest number from which an axis is logarithmic."""

Row = dict[str, Any]


def importance_bars(search: Row) -> Picture | None:
    """Draw importances with their standard errors; None without any."""
    roles, fields = (
        [part for part in search[key] if part["importance"] is not None]
        for key in ("roles", "fields")
    )
    parts = [*roles, *fields][:_BARS]
    if not parts:
        return None
    figure = canvas(70 + 19 * (len(parts) + bool(fields)))
    axes = figure.subplots()
    # A gap parts the roles from the fields, which are shares of something else.
    places = np.array([k + (k >= len(roles) > 0) for k in range(len(parts))])
    values, errors = (np.array([p[k] or 0.0 for p in parts]) for k in ("importance", "error"))
    is_sure = np.array([p["p"] is not None and p["p"] < SURE for p in parts])
    for chosen, colour in ((is_sure, CORRECTED), (~is_sure, BAR)):
        axes.barh(places[chosen], values[chosen], 0.62, color=colour)
    axes.hlines(places, np.maximum(values - errors, 0), values + errors, color=INK, linewidth=1.3)
    axes.set_yticks(places, [label(field_name(p["name"]), 22) for p in parts], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.invert_yaxis()
    axes.set_xlim(0, None)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    percent_axis(axes, "x")
    axes.set_xlabel("share of the variation between scores")
    words = [f"{p['name']} {percent(p['importance'], 0)}" for p in parts]
    tips = [Tip(axes, v, y, _share(p)) for v, y, p in zip(values, places, parts, strict=True)]
    return Picture(svg(figure, tips), f"Importance of the parts of a recipe: {', '.join(words)}.")


def _share(part: Row) -> str:
    """Return what is said about the bar of a part."""
    error = "" if part["error"] is None else f" ± {percent(part['error'])}"
    chance = "" if part["p"] is None else f", p = {significant(part['p'], 2)}"
    return f"{part['name']}: {percent(part['importance'])}{error}{chance}"


def _mean(row: Row, metric: str) -> str:
    """Return a mean score in words, with its standard error."""
    error = "" if row["error"] is None else f" ± {written_difference(row['error'], metric)}"
    return f"{written(row['mean'], metric)}{error}, {counted(row['n'], 'trial')}"


def field_name(name: str) -> str:
    """Return the name of a field without the role of its component.

    >>> field_name("optimizer.AdamW.lr"), field_name("optimizer")
    ('AdamW.lr', 'optimizer')
    """
    return name.partition(".")[2] or name


def candidate_means(search: Row) -> Picture | None:
    """Draw the mean score of each candidate of each part; None if nothing was varied."""
    groups = [p for p in (*search["roles"], *search["fields"]) if len(p["candidates"]) > 1]
    rows: list[tuple[str, Row | None]] = []
    for group in groups:
        rows += [(group["name"], None), *((group["name"], c) for c in group["candidates"])]
    rows = rows[:_ROWS]
    if not rows:
        return None
    metric = METRICS[search["metric"]]
    figure = canvas(50 + 15 * len(rows))
    axes = figure.subplots()
    before, after = search["prescribed"], search["chosen"]
    tips = []
    for place, (name, candidate) in enumerate(rows):
        if candidate is not None:
            is_in = [name in c and str(c[name]) == candidate["name"] for c in (before, after)]
            _point(axes, place, candidate, _colour(*is_in))
            what = f"{name}: {label(candidate['name'], 30)}"
            text = f"{what}, {_mean(candidate, search['metric'])}"
            tips.append(Tip(axes, candidate["mean"], place, text))
    axes.set_yticks(
        range(len(rows)),
        [label(field_name(n), 22) if c is None else label(c["name"], 20) for n, c in rows],
    )
    for tick, (_, candidate) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(INK if candidate is None else MUTED)
        tick.set_fontweight("bold" if candidate is None else "normal")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x")
    score_axis(axes, "x", metric)
    axes.set_xlabel(metric.label)
    return Picture(svg(figure, tips), _described(groups, search["metric"]))


def _point(axes: Axes, place: float, row: Row, colour: str) -> None:
    if row["error"] is not None:
        ends = (row["mean"] - row["error"], row["mean"] + row["error"])
        axes.hlines(place, *ends, color=colour, linewidth=1.3)
    axes.plot(row["mean"], place, "o", color=colour, markersize=4.4)
    axes.annotate(
        whole(row["n"]),
        (1.015, place),
        xycoords=("axes fraction", "data"),
        va="center",
        color=MUTED,
        fontsize=9,
    )


def _colour(is_prescribed: bool, is_taken: bool) -> str:
    return CORRECTED if is_taken else AS_IS if is_prescribed else MUTED


def _described(groups: Sequence[Row], metric: str) -> str:
    best = max if METRICS[metric].higher_is_better else min
    leaders = [(g["name"], best(g["candidates"], key=lambda c: c["mean"])) for g in groups]
    words = [f"{name}: {c['name']} with {written(c['mean'], metric)}" for name, c in leaders]
    return f"Mean score of each candidate; the best of each part are {'; '.join(words)}."


def range_means(search: Row) -> Picture | None:
    """Draw the mean score over ranges of the numbers that matter most; None without any."""
    parts = [part for part in search["fields"] if len(part["ranges"]) > 1][:_PANELS]
    if not parts:
        return None
    metric, n_rows = METRICS[search["metric"]], (len(parts) + 1) // 2
    figure = canvas(30 + 150 * n_rows)
    panels = figure.subplots(n_rows, 2, squeeze=False, sharey=True).ravel()
    tips = []
    for axes, part in zip(panels, parts, strict=False):
        tips += _curve(axes, part, search["metric"])
        for choices, colour in ((search["prescribed"], AS_IS), (search["chosen"], CORRECTED)):
            value = choices.get(part["name"])
            if isinstance(value, int | float):
                axes.axvline(value, color=colour, linewidth=1, linestyle=(0, (3, 2)))
        axes.set_title(label(field_name(part["name"]), 24), color=MUTED)
        axes.grid(axis="y")
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    score_axis(panels[0], "y", metric)
    panels[0].set_ylabel(metric.label)
    words = [f"{p['name']} ({counted(p['n'], 'trial')})" for p in parts]
    return Picture(svg(figure, tips), f"Mean score over the values of {', '.join(words)}.")


def _curve(axes: Axes, part: Row, metric: str) -> list[Tip]:
    """Draw each range as a line at its mean score, with its standard error; return words."""
    low, high = (np.array([row[key] for row in part["ranges"]]) for key in ("low", "high"))
    means = np.array([row["mean"] for row in part["ranges"]])
    errors = np.array([row["error"] or 0.0 for row in part["ranges"]])
    is_log = low[0] > 0 and high[-1] > _WIDE * low[0]
    middle = np.sqrt(low * high) if is_log else (low + high) / 2
    axes.plot(middle, means, color=BAR, linewidth=1)
    axes.hlines(means, low, high, color=MUTED, linewidth=2.2)
    axes.vlines(middle, means - errors, means + errors, color=MUTED, linewidth=1.2)
    axes.plot(middle, means, "o", color=MUTED, markersize=3.6)
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator(_log_ticks(low[0], high[-1])))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    name = part["name"]
    spans = [f"{significant(row['low'])} to {significant(row['high'])}" for row in part["ranges"]]
    return [
        Tip(axes, x, row["mean"], f"{name} {span}: {_mean(row, metric)}")
        for x, span, row in zip(middle, spans, part["ranges"], strict=True)
    ]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten between two ends, and three times these where that is one or none."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for ticks in (powers, np.sort([*powers, *(3 * powers)])):
        inside = [float(tick) for tick in ticks if low <= tick <= high]
        if len(inside) > 1:
            break
    return inside
