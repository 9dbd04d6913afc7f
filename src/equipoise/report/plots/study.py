"""Pictures of a study: each value at each ratio, by group of classes, and in other places."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from equipoise.report.formats import percent
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    INK,
    MUTED,
    PAGE,
    Picture,
    Tip,
    canvas,
    label,
    percent_axis,
    svg,
)

ROW = 30.0
"""Height of a value's row, in units of the picture."""

SERIES = (("as_trained", "as trained", AS_IS, -0.15), ("balanced", "corrected", CORRECTED, 0.15))
"""Prior, name, colour and shift of each mark."""

Found = Mapping[str, Any]

Marks = Mapping[str, Mapping[str, tuple[float, float | None]]]
"""By prior and method, a value and its standard error; None where it is not known."""


def changes(found: Found) -> Picture | None:
    """Draw how far each value is behind the best, in per cent of it, a panel for each ratio."""
    if len(found["values"]) < 2:
        return None
    panels = [
        (f"ratio {ratio}" if ratio != "as it is" else ratio, _percent(found, ratio))
        for ratio in found["ratios"]
    ]
    picture = _panelled(found, panels, "change from the best value, in per cent of it")
    return Picture(picture, f"Change from the best value at each ratio. {_aloud(found)}")


def groups(found: Found) -> Picture | None:
    """Draw the recall of each group of classes at the largest ratio, a panel for each group."""
    ratio = found["ratios"][-1]
    own = found["balanced"]["ratios"][ratio]["groups"]
    names = list(dict.fromkeys(name for each in own.values() for name in each))
    if len(found["values"]) < 2 or len(names) < 2:
        return None
    panels = [(name, _recall(found, ratio, name)) for name in names]
    picture = _panelled(found, panels, f"recall in per cent, {_at(ratio)}", as_percent=True)
    told = "; ".join(
        f"{_labels(found)[method]} "
        + ", ".join(f"{name} {percent(each['value'])}" for name, each in by_group.items())
        for method, by_group in own.items()
    )
    return Picture(picture, f"Corrected recall by group of classes at ratio {ratio}: {told}.")


def places(found: Found) -> Picture | None:
    """Draw the accuracy of the reference for each training and test ratio; None without any."""
    rows = [r for r in found["deployment"] if r["method"] == found["reference"]]
    tests = sorted({row["test_ratio"] for row in rows})
    if not tests:
        return None
    trained = list(found["ratios"])
    cells = [[_corrected(rows, ratio, test) for test in tests] for ratio in trained]
    grid = np.array([[value for value, _ in row] for row in cells])
    texts = [[_value(*cell, as_percent=True) for cell in row] for row in cells]
    figure = canvas(90 + 34 * len(trained))
    axes = figure.subplots()
    _squares(axes, grid)
    axes.set_yticks(range(len(trained)), [str(ratio) for ratio in trained])
    axes.set_xticks(range(len(tests)), [f"{test:g}" for test in tests])
    axes.set_xlabel("imbalance ratio of the place of use")
    axes.set_ylabel("of training")
    axes.tick_params(length=0)
    told = "; ".join(
        f"trained at {ratio}: "
        + ", ".join(f"{text} at {t:g}" for text, t in zip(row, tests, strict=True))
        for ratio, row in zip(trained, texts, strict=True)
    )
    tips = [
        Tip(axes, j, i, f"trained at {ratio}, used at {test:g}: {texts[i][j]}", side=1.0)
        for i, ratio in enumerate(trained)
        for j, test in enumerate(tests)
    ]
    drawn = svg(figure, tips, columns=len(tests))
    return Picture(drawn, f"Accuracy, corrected to the place of use. {told}.")


def _squares(axes: Axes, grid: np.ndarray) -> None:
    """Draw a square for each cell, the darker the better, with its figure."""
    low, high = grid.min(), grid.max()
    for (i, j), value in np.ndenumerate(grid):
        strength = (value - low) / (high - low) if high > low else 1.0
        style = {"color": CORRECTED, "alpha": 0.12 + 0.75 * strength, "linewidth": 0}
        axes.fill_between([j - 0.48, j + 0.48], i - 0.46, i + 0.46, **style)
        colour = PAGE if strength > 0.55 else INK
        axes.text(j, i, percent(value), ha="center", va="center", color=colour)
    axes.set_xlim(-0.5, grid.shape[1] - 0.5)
    axes.set_ylim(grid.shape[0] - 0.5, -0.5)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _corrected(rows: Sequence[Found], ratio: str, test: float) -> tuple[float, float | None]:
    """Return a mean accuracy and its standard error, which findings of before do not have."""
    own = next(r for r in rows if r["ratio"] == ratio and r["test_ratio"] == test)
    return float(np.mean(own["corrected"])), own.get("corrected_error")


def _panelled(
    found: Found, panels: Sequence[tuple[str, Marks]], title: str, *, as_percent: bool = False
) -> str:
    """Draw a row for each value and a panel for each pair of a title and its marks."""
    names = _labels(found)
    methods = [m for m in names if m in next(iter(panels[0][1].values()))]
    figure = canvas(90 + ROW * len(methods))
    drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    tips = []
    for axes, (head, marks) in zip(drawn, panels, strict=True):
        for prior, name, colour, shift in SERIES:
            at = [i + shift for i in range(len(methods))]
            own = [marks[prior][method] for method in methods]
            for (v, e), y in zip(own, at, strict=True):
                if e is not None:
                    axes.hlines(y, v - e, v + e, color=colour, linewidth=1.2)
            face = "none" if prior == "as_trained" else colour
            style = {"markeredgecolor": colour, "markerfacecolor": face, "markersize": 4.2}
            axes.plot(
                [v for v, _ in own], at, "o", label=name if axes is drawn[0] else None, **style
            )
            for method, (v, e), y in zip(methods, own, at, strict=True):
                value = _value(v, e, as_percent=as_percent)
                tips.append(
                    Tip(axes, v, y, f"{names[method]}, {head}, {name}: {value}", names[method])
                )
        axes.set_title(head, color=MUTED)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=2)
        axes.tick_params(axis="y", length=0)
        if as_percent:  # without the sign, for which narrow panels have no room
            percent_axis(axes, "x", unit="")
    drawn[0].set_yticks(range(len(methods)), [_wrapped(names[m]) for m in methods])
    drawn[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.supxlabel(title, color=MUTED, fontsize=10.5)
    figure.legend(loc="outside upper left", ncols=2)
    return svg(figure, tips)


def _value(value: float, error: float | None, *, as_percent: bool) -> str:
    """Return a value with its standard error, if that is known.

    >>> print(_value(0.5, 0.01, as_percent=True))
    50.0...% ± 1.0
    >>> _value(-3.0, 0.5, as_percent=False)
    '-3.0 ± 0.5 %'
    """
    if as_percent:
        return percent(value) + ("" if error is None else f" ± {100 * error:.1f}")
    return f"{value:.1f}{'' if error is None else f' ± {error:.1f}'} %"


def _wrapped(name: str) -> str:
    r"""Return a name in at most two lines.

    >>> _wrapped("ClassConditional(head=0.2, tail=0.0)")
    'ClassConditional(head=0.2,\ntail=0.0)'
    """
    lines = textwrap.wrap(name, 26) or [""]
    return "\n".join([*lines[:1], *([label(" ".join(lines[1:]), 26)] if lines[1:] else [])])


def _at(ratio: str) -> str:
    return "the data as it is" if ratio == "as it is" else f"ratio {ratio}"


def _labels(found: Found) -> dict[str, str]:
    return {value["method"]: value["label"] for value in found["values"]}


def _percent(found: Found, ratio: str) -> Marks:
    return {
        prior: {
            method: (own["value"], own["error"])
            for method, own in found[prior]["ratios"][ratio]["percent"].items()
        }
        for prior, *_ in SERIES
    }


def _recall(found: Found, ratio: str, group: str) -> Marks:
    return {
        prior: {
            method: (own[group]["value"], own[group]["error"])
            for method, own in found[prior]["ratios"][ratio]["groups"].items()
        }
        for prior, *_ in SERIES
    }


def _aloud(found: Found) -> str:
    names = _labels(found)
    return " ".join(
        f"Ratio {ratio}: "
        + ", ".join(f"{names[m]} {own['value']:.1f} %" for m, own in each["percent"].items())
        + "."
        for ratio, each in found["balanced"]["ratios"].items()
    )
