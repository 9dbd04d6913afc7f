"""Pictures of a diagnosis: where points go, measures class by class, and what orders runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from equipoise.report.formats import percent
from equipoise.report.plots.theme import (
    BAR,
    CORRECTED,
    INK,
    MUTED,
    TRAINING,
    WRONG,
    Picture,
    Tip,
    canvas,
    label,
    percent_axis,
    svg,
)

ROW = 22.0
"""Height of a row, in units of the picture."""

HEAD = 78.0
"""Height of what stands around the rows."""

MOST_CLASSES = 30
"""Of more classes the rarest are drawn."""

MOST_ORDERS = 14
"""Most measures whose correlation is drawn."""

PANELS = (
    ("NC1", "nc1_train", "nc1_test"),
    ("margin", "margin_train", "margin_test"),
    ("deviation", None, "deviation"),
    ("row length", "row_length", None),
    ("rise of loss", "rise", None),
)
"""Title of a panel, and what is drawn in it of training and of test examples."""

_PARTS = {"train": ", training", "test": ", test"}
"""How the measures of a part are told apart, by the end of their names."""

Found = Mapping[str, Any]


def points_lost(found: Found) -> Picture:
    """Draw where balanced accuracy goes, as bars that follow each other to 100 %."""
    right = found["right"]["value"]
    rows = [
        ("right as trained", right, None),
        *((x["cause"], x["value"], x) for x in found["ledger"]),
    ]
    figure = canvas(HEAD + ROW * len(rows))
    axes = figure.subplots()
    at, tips = 0.0, []
    for i, (_, value, loss) in enumerate(rows):
        colour = CORRECTED if loss is None else WRONG if value >= 0 else BAR
        axes.barh(i, value, left=at, height=0.62, color=colour)
        end = max(at, at + value)
        axes.text(end + 0.01, i, _points(value), va="center", color=INK)
        if loss is not None:
            ends = at + loss["low"], at + loss["high"]
            axes.hlines(i + 0.4, *ends, color=MUTED, linewidth=1)
        tips.append(Tip(axes, at + value / 2, i, _lost(rows[i][0], value, loss)))
        at += value
    _rows(axes, [name for name, *_ in rows])
    axes.set_xlim(0, 1.16)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.grid(axis="x")
    percent_axis(axes, "x")
    axes.set_xlabel("balanced accuracy on the test set")
    told = "; ".join(f"{name} {_points(value)} points" for name, value, _ in rows)
    return Picture(svg(figure, tips), f"Where 100 points of balanced accuracy go: {told}.")


def recall_gap(found: Found) -> Picture:
    """Draw each class's recall on training, validation and test examples, rarest class last."""
    own = found["by_class"]
    order = _order(found)
    figure = canvas(HEAD + ROW * len(order))
    axes = figure.subplots()
    for i, k in enumerate(order):
        ends = [own[f"recall_{part}"][k] for part in ("train", "test")]
        if None not in ends:
            axes.hlines(i, *ends, color=MUTED, linewidth=1)
    series = (("train", "training", "o", TRAINING), ("validation", "validation", "|", MUTED))
    tips = []
    for part, name, mark, colour in (*series, ("test", "test", "o", CORRECTED)):
        values = own.get(f"recall_{part}")
        if values is not None:
            known = [(values[k], i) for i, k in enumerate(order) if values[k] is not None]
            style = {"color": colour, "label": name, "markersize": 5.2, "linestyle": "none"}
            axes.plot(*zip(*known, strict=True), marker=mark, **style)
            said = [(v, i, f"{percent(v)} on {name} examples") for v, i in known]
            tips += _tips(axes, found, order, said)
    _rows(axes, [_class(found, k) for k in order])
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x")
    percent_axis(axes, "x")
    axes.set_xlabel("recall, corrected to equal class frequencies")
    figure.legend(loc="outside upper left", ncols=3)
    told = "; ".join(
        f"{found['classes'][k]} {percent(own['recall_train'][k])} and "
        f"{percent(own['recall_test'][k])}"
        for k in order
    )
    return Picture(
        svg(figure, tips), f"Recall of each class on training and on test examples: {told}."
    )


def class_measures(found: Found) -> Picture:
    """Draw measures class by class, a panel each; filled marks are of test examples."""
    own, order = found["by_class"], _order(found)
    drawn = [panel for panel in PANELS if any(name in own for name in panel[1:] if name)]
    figure = canvas(HEAD + ROW * len(order), width=760)
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    tips = []
    for axes, (title, train, test) in zip(panels, drawn, strict=True):
        for name, colour, face in ((train, TRAINING, "none"), (test, CORRECTED, CORRECTED)):
            values = own.get(name, [])
            known = [
                (values[k], i) for i, k in enumerate(order) if values and values[k] is not None
            ]
            if known:
                style = {"markeredgecolor": colour, "markerfacecolor": face, "markersize": 4.6}
                axes.plot(*zip(*known, strict=True), "o", **style)
                words = f"{title}{_PARTS.get(str(name).rpartition('_')[2], '')}"
                said = [(v, i, f"{words} {v:.3g}") for v, i in known]
                tips += _tips(axes, found, order, said)
        axes.set_title(title, color=MUTED)
        axes.grid(axis="both")
        axes.locator_params(axis="x", nbins=3)
        axes.tick_params(axis="y", length=0)
    _rows(panels[0], [_class(found, k) for k in order])
    told = "; ".join(
        f"{title} of {found['classes'][k]} {own[test or train][k]:.3g}"
        for title, train, test in drawn
        for k in order
        if own.get(test or train) and own[test or train][k] is not None
    )
    return Picture(svg(figure, tips), f"Measures of each class: {told}.")


def what_orders(order: Found) -> Picture | None:
    """Draw how strongly each measure goes with the success of runs; None of few runs."""
    rows: Sequence[Found] = order["orders"][:MOST_ORDERS]
    if not rows:
        return None
    figure = canvas(HEAD + ROW * len(rows))
    axes = figure.subplots()
    tips = []
    for i, each in enumerate(rows):
        words = f"{each['correlation']:.2f} ({each['low']:.2f} to {each['high']:.2f})"
        tips.append(Tip(axes, each["correlation"], i, f"{each['measure']}: {words}"))
        axes.hlines(i, each["low"], each["high"], color=CORRECTED, linewidth=1.3)
        axes.plot([each["correlation"]], [i], "o", color=CORRECTED, markersize=4.6)
    axes.axvline(0, color=MUTED, linewidth=1)
    _rows(axes, [each["measure"].replace("_", " ") for each in rows])
    axes.set_xlim(-1.05, 1.05)
    axes.grid(axis="x")
    axes.set_xlabel("rank correlation with corrected balanced accuracy")
    told = "; ".join(
        f"{each['measure']} {each['correlation']:.2f} ({each['low']:.2f} to {each['high']:.2f})"
        for each in rows
    )
    return Picture(svg(figure, tips), f"Rank correlations over {rows[0]['n']} runs: {told}.")


def _tips(
    axes: Axes, found: Found, order: Sequence[int], said: Sequence[tuple[float, int, str]]
) -> list[Tip]:
    """Return words about points of classes: a value, a row, and what is said."""
    names = [found["classes"][k] for k in order]
    return [Tip(axes, v, i, f"{label(names[i], 30)}: {text}", names[i]) for v, i, text in said]


def _lost(cause: str, value: float, loss: Found | None) -> str:
    text = f"{cause}: {_points(value)} points"
    return text if loss is None else f"{text} ({_points(loss['low'])} to {_points(loss['high'])})"


def _order(found: Found) -> list[int]:
    """Return classes from the most to the least frequent; of many, the rarest."""
    counts = found["counts"]
    return sorted(range(len(counts)), key=lambda k: -counts[k])[-MOST_CLASSES:]


def _class(found: Found, k: int) -> str:
    return f"{label(found['classes'][k], 14)} ({found['counts'][k]})"


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [label(name, 24) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _points(value: float) -> str:
    """Return hundredths as points.

    >>> _points(0.061), _points(-0.0001)
    ('6.1', '0.0')
    """
    text = f"{100 * value:.1f}"
    return text.removeprefix("-") if float(text) == 0 else text
