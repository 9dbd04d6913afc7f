"""Pictures of a comparison: prior bias, differences to the control, cost against quality."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from equipoise.report.formats import duration, interval, percent, rounded
from equipoise.report.plots.labels import LINE, annotate
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    TRAINING,
    Picture,
    Tip,
    canvas,
    label,
    log_axis,
    percent_axis,
    svg,
)
from equipoise.statistics.wording import amount, number

ROW = 26.0
"""Height of a method's row, in units of the picture."""

_HEAD = 70.0
"""Height of axis and legend."""

_METRIC = "balanced_accuracy"
"""What all of these pictures are about."""

_WRITTEN = {"seconds": duration, "multiply_adds": lambda n: f"{rounded(n)} multiply-adds"}
"""How costs are written."""

_TOLD = {True: "told apart", False: "not told apart"}

Row = Mapping[str, Any]


def prior_bias(rows: Sequence[Row]) -> Picture:
    """Draw each method's balanced accuracy as trained and corrected, with intervals.

    Parameters
    ----------
    rows : sequence of dict
        The leaderboard, the best first.
    """
    figure = canvas(_HEAD + ROW * len(rows))
    axes = figure.subplots()
    _names(axes, [row["method"] for row in rows])
    series = (
        ("balanced_accuracy", "as trained", AS_IS, "none", -0.14),
        ("balanced_accuracy_corrected", "corrected", CORRECTED, CORRECTED, 0.14),
    )
    tips = []
    for name, title, colour, face, shift in series:
        places = [i + shift for i in range(len(rows))]
        _whiskers(axes, places, [row[name] for row in rows], colour)
        values = [row[name]["value"] for row in rows]
        style = {"markeredgecolor": colour, "markerfacecolor": face, "markersize": 4.6}
        axes.plot(values, places, "o", label=title, **style)
        for row, place in zip(rows, places, strict=True):
            tips.append(_tip(axes, (row[name]["value"], place), row, title, row[name]))
    axes.set_xlabel("balanced accuracy")
    axes.grid(axis="x")
    percent_axis(axes, "x")
    figure.legend(loc="outside upper left", ncols=2)
    told = "; ".join(
        f"{row['method']} {percent(row['balanced_accuracy']['value'])} as trained and "
        f"{percent(row['balanced_accuracy_corrected']['value'])} corrected"
        for row in rows
    )
    return Picture(svg(figure, tips), f"Balanced accuracy of each method: {told}.")


def differences_to_control(facts: Sequence[Row], control: str) -> Picture | None:
    """Draw what each method gains over the control, with intervals; None without a control.

    Parameters
    ----------
    facts : sequence of dict
        ``to_control`` of a verdict.
    control : str
        Its name.
    """
    if not facts:
        return None
    ordered = sorted(facts, key=lambda fact: -fact["value"])
    figure = canvas(_HEAD + ROW * len(ordered))
    axes = figure.subplots()
    _names(axes, [fact["method"] for fact in ordered])
    axes.axvline(0, color=MUTED, linewidth=1)
    for is_told, colour in ((True, CORRECTED), (False, TRAINING)):
        own = [(i, fact) for i, fact in enumerate(ordered) if fact["told_apart"] == is_told]
        if own:
            places = [float(i) for i, _ in own]
            _whiskers(axes, places, [fact for _, fact in own], colour)
            values = [fact["value"] for _, fact in own]
            axes.plot(values, places, "o", color=colour, markersize=4.6, label=_TOLD[is_told])
    axes.set_xlabel(f"points better than {label(control)}, after correction")
    axes.grid(axis="x")
    percent_axis(axes, "x", unit="")
    figure.legend(loc="outside upper left", ncols=2)
    told = "; ".join(
        f"{fact['method']} {_gain(fact)}{', told apart' if fact['told_apart'] else ''}"
        for fact in ordered
    )
    tips = [
        Tip(
            axes,
            *(fact["value"], i),
            f"{label(fact['method'], 30)}, {_TOLD[fact['told_apart']]}: {_gain(fact)}",
            fact["method"],
        )
        for i, fact in enumerate(ordered)
    ]
    return Picture(
        svg(figure, tips), f"Gain of each method over {control}, with intervals: {told}."
    )


def _gain(fact: Row) -> str:
    """Return a difference of shares, which is no percentage, in points with its interval.

    >>> _gain({"value": 0.204, "low": 0.1, "high": 0.308})
    '20.4 points (10.0 to 30.8)'
    """
    low, high = (number(fact[end], _METRIC) for end in ("low", "high"))
    return f"{amount(fact['value'], _METRIC)} ({low} to {high})"


def cost_and_quality(rows: Sequence[Row], cost: str, title: str) -> Picture | None:
    """Draw corrected balanced accuracy over a cost, with the front; None where no cost is known.

    Parameters
    ----------
    rows : sequence of dict
        The leaderboard; methods of which the cost is unknown, or nothing, are left out.
    cost : str
        ``"seconds"`` or ``"multiply_adds"``.
    title : str
        What stands under the axis.
    """
    left_out = [str(row["method"]) for row in rows if not row[cost]]
    rows = [row for row in rows if row[cost]]
    if not rows:
        return None
    figure = canvas(max(290, _HEAD + LINE * len(rows)))
    axes = figure.subplots()
    costs = [row[cost] for row in rows]
    log_axis(axes, "x", min(costs) / 1.4, max(costs) * 2.2)
    figures = [row["balanced_accuracy_corrected"] for row in rows]
    front = pareto_front(costs, [figure_["value"] for figure_ in figures])
    tips = []
    for i, (row, figure_) in enumerate(zip(rows, figures, strict=True)):
        colour = CORRECTED if i in front else TRAINING
        axes.vlines(
            row[cost], figure_["low"], figure_["high"], color=colour, linewidth=1, alpha=0.6
        )
        axes.plot([row[cost]], [figure_["value"]], "o", color=colour, markersize=4.6)
        text = f"corrected, {_WRITTEN[cost](row[cost])}"
        tips.append(_tip(axes, (row[cost], figure_["value"]), row, text, figure_))
    steps = sorted((costs[i], figures[i]["value"]) for i in front)
    axes.plot(*zip(*steps, strict=True), color=CORRECTED, linewidth=1, drawstyle="steps-post")
    axes.set_xlabel(title)
    axes.grid(axis="y")
    percent_axis(axes, "y")
    places = list(zip(costs, [figure_["value"] for figure_ in figures], strict=True))
    annotate(axes, places, [label(row["method"]) for row in rows])
    names = ", ".join(str(rows[i]["method"]) for i in front)
    told = f"Balanced accuracy, corrected, against {title}; no method is better and cheaper than "
    without = f" Not shown, for it is unknown: {', '.join(left_out)}." if left_out else ""
    return Picture(svg(figure, tips), f"{told}{names}.{without}")


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Return the positions that none beats in one of cost and value without losing in the other.

    Examples
    --------
    >>> pareto_front([1.0, 2.0, 3.0, 1.0], [0.5, 0.7, 0.6, 0.4])
    [0, 1]
    """
    pairs = list(zip(costs, values, strict=True))
    return [
        i
        for i, (cost, value) in enumerate(pairs)
        if not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in pairs)
    ]


def _tip(axes: Axes, place: tuple[float, float], row: Row, title: str, estimate: Row) -> Tip:
    """Return words about the point of a method."""
    figures = f"{percent(estimate['value'])} ({interval(dict(estimate))})"
    return Tip(axes, *place, f"{label(row['method'], 30)}, {title}: {figures}", row["method"])


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [label(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _whiskers(axes: Axes, places: Sequence[float], spans: Sequence[Row], colour: str) -> None:
    low, high = ([span[end] for span in spans] for end in ("low", "high"))
    axes.hlines(places, low, high, color=colour, linewidth=1.3, alpha=0.9)
