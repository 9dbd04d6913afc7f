"""What happened epoch by epoch."""

from collections.abc import Iterable
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
    Tip,
    canvas,
    percent_axis,
    spaced,
    svg,
)

_PANELS = (
    (
        "Balanced accuracy",
        (
            ("validation.balanced_accuracy", CORRECTED, "validation"),
            ("train_accuracy", TRAINING, "training (accuracy)"),
        ),
    ),
    (
        "Loss, in nats",
        (
            ("validation.balanced_log_loss", CORRECTED, "validation, balanced"),
            ("train_loss", TRAINING, "training"),
        ),
    ),
)
"""Title, and key, colour and name of each line, from above."""

_DOTTED = 60
"""Most epochs that get a dot each, and of which values are told; more would run together."""


def learning_curves(summary: dict[str, Any]) -> Picture | None:
    """Draw loss and balanced accuracy over epochs, the kept epoch marked; None without epochs.

    Without validation, as in pre-training, there is the loss of training alone.
    """
    history = summary["history"]
    if not history:
        return None
    panels = [panel for panel in _PANELS if _has_values(history, panel[1])]
    figure = canvas(60 + 135 * len(panels))
    drawn = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    tips = []
    for axes, (title, lines) in zip(drawn, panels, strict=True):
        for key, colour, name in lines:
            tips += _line(axes, history, key, colour, name)
        axes.set_title(title, color=MUTED)
        axes.grid(axis="y")
        _mark_best(axes, summary["best_epoch"], "kept epoch" if axes is drawn[0] else None)
        axes.legend(loc="best")
    if len(panels) > 1:
        percent_axis(drawn[0], "y")
    drawn[-1].set_xlabel("epoch")
    drawn[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return Picture(svg(figure, tips), _description(summary))


def value_at(row: dict[str, Any], key: str) -> float | None:
    """Return a value of a history row; the key may lead into a nested one.

    >>> value_at({"validation": {"accuracy": 0.5}}, "validation.accuracy")
    0.5
    """
    outer, _, inner = key.partition(".")
    value = row.get(outer)
    return (value or {}).get(inner) if inner else value


def _has_values(history: list[dict[str, Any]], lines: Iterable[tuple[str, str, str]]) -> bool:
    return any(value_at(row, key) is not None for row in history for key, _, _ in lines)


def _line(axes: Axes, history: list[dict[str, Any]], key: str, colour: str, name: str) -> list[Tip]:
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
    write = decimal if "loss" in key else percent
    told = [known[i] for i in spaced(len(known), _DOTTED)]
    return [Tip(axes, e, v, f"{name}, epoch {e}: {write(v)}") for e, v in told]


def _mark_best(axes: Axes, epoch: int | None, name: str | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=AS_IS, linewidth=1, linestyle=(0, (3, 2)), label=name)


def _description(summary: dict[str, Any]) -> str:
    history, best = summary["history"], summary["best_epoch"]
    shown = next((row for row in history if row["epoch"] == best), history[-1])
    if best is None:
        losses = [decimal(row["train_loss"]) for row in (history[0], history[-1])]
        return (
            f"Loss in training over {len(history)} epochs, from {losses[0]} in the first to "
            f"{losses[1]} in the last."
        )
    accuracy = percent(value_at(shown, "validation.balanced_accuracy"))
    loss = decimal(value_at(shown, "validation.balanced_log_loss"))
    return (
        f"Learning curves over {len(history)} epochs; at epoch {shown['epoch']} the validation "
        f"balanced accuracy is {accuracy} and the balanced log-loss {loss}."
    )
