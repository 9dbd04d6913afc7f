"""What happened epoch by epoch."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from equipoise.report.formats import decimal, percent
from equipoise.report.plots.theme import (
    AS_IS,
    CORRECTED,
    MUTED,
    TRAINING,
    Picture,
    canvas,
    percent_axis,
    svg,
)

_DOTTED = 60
"""Most epochs that get a dot each; more would run together."""


def learning_curves(summary: dict[str, Any]) -> Picture | None:
    """Draw loss and balanced accuracy over epochs, the kept epoch marked; None without epochs."""
    history = summary["history"]
    if not history:
        return None
    figure = canvas(330)
    above, below = figure.subplots(2, 1, sharex=True)
    _line(above, history, "validation.balanced_accuracy", CORRECTED, "validation")
    _line(above, history, "train_accuracy", TRAINING, "training (accuracy)")
    _line(below, history, "validation.balanced_log_loss", CORRECTED, "validation, balanced")
    _line(below, history, "train_loss", TRAINING, "training")
    above.set_title("Balanced accuracy", color=MUTED)
    below.set_title("Loss, in nats", color=MUTED)
    percent_axis(above, "y")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    for axes in (above, below):
        axes.grid(axis="y")
        _mark_best(axes, summary["best_epoch"], "kept epoch" if axes is above else None)
        axes.legend(loc="best")
    return Picture(svg(figure), _description(summary))


def value_at(row: dict[str, Any], key: str) -> float | None:
    """Return a value of a history row; the key may lead into a nested one.

    >>> value_at({"validation": {"accuracy": 0.5}}, "validation.accuracy")
    0.5
    """
    outer, _, inner = key.partition(".")
    value = row.get(outer)
    return (value or {}).get(inner) if inner else value


def _line(axes: Axes, history: list[dict[str, Any]], key: str, colour: str, name: str) -> None:
    points = [(row["epoch"], value_at(row, key)) for row in history]
    known = [(epoch, value) for epoch, value in points if value is not None]
    if known:
        axes.plot(
            *zip(*known, strict=True),
            color=colour,
            label=name,
            marker="o" if len(known) <= _DOTTED else None,
            markersize=2.6,
        )


def _mark_best(axes: Axes, epoch: int | None, name: str | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=AS_IS, linewidth=1, linestyle=(0, (3, 2)), label=name)


def _description(summary: dict[str, Any]) -> str:
    history, best = summary["history"], summary["best_epoch"]
    shown = next((row for row in history if row["epoch"] == best), history[-1])
    accuracy = percent(value_at(shown, "validation.balanced_accuracy"))
    loss = decimal(value_at(shown, "validation.balanced_log_loss"))
    return (
        f"Learning curves over {len(history)} epochs; at epoch {shown['epoch']} the validation "
        f"balanced accuracy is {accuracy} and the balanced log-loss {loss}."
    )
