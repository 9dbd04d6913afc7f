"""What people see while they wait, and the tables that they read after."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from equipoise._typing import ProgressCallback

errors = Console(stderr=True, highlight=False)
"""Progress and choices go to standard error, so that standard output is the result."""

results = Console(highlight=False)
"""Results go to standard output."""

OVERALL = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "g_mean": "G-mean",
    "worst_class_recall": "worst class recall",
    "macro_auroc": "macro AUROC",
    "macro_auprc": "macro AUPRC",
    "log_loss": "log-loss",
    "balanced_log_loss": "balanced log-loss",
    "brier": "Brier score",
    "top_label_ece": "top-label ECE",
    "class_wise_ece": "class-wise ECE",
}
"""Overall metrics in the order in which they are read, with their names."""

IN_PER_CENT = ("balanced_accuracy", "accuracy", "macro_f1", "g_mean", "worst_class_recall")
"""Overall metrics that are shown in per cent."""


def say(text: str) -> None:
    """Print a choice or a fact for people, on standard error."""
    errors.print(f"[dim]-[/dim] {escape(text)}")


def print_json(value: Any) -> None:
    """Print a result for machines, on standard output."""
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False) + "\n")


@contextmanager
def reading_bar(text: str) -> Iterator[ProgressCallback]:
    """Show a bar for (done, total) callbacks while data is read; nothing if it is quick."""
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task: list[TaskID] = []

        def advance(done: int, total: int) -> None:
            if not task:
                task.append(progress.add_task(text, total=total))
            progress.update(task[0], completed=done, total=total)

        yield advance


@contextmanager
def counting_bar(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar of how many of a number of long tasks have ended."""
    columns = (SpinnerColumn(), TextColumn(text), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors) as progress:
        task = progress.add_task(text, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def training_bar() -> Iterator[Callable[[Any], None]]:
    """Show a live bar with loss, validation score, speed and the time that is left."""
    columns = (
        SpinnerColumn(),
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=errors, refresh_per_second=4) as progress:
        task = progress.add_task("", total=None, epoch="", facts="", visible=False)
        shown = {"score": "", "time": 0.0}

        def observe(state: Any) -> None:
            if state.row is not None:
                score = state.row["validation"].get("balanced_accuracy")
                shown["score"] = "" if score is None else f"  bal. acc. {score:.1%}"
                return
            now = progress.get_time()
            if now - shown["time"] < 0.25 and state.step < state.steps:  # type: ignore[operator]
                return
            shown["time"] = now
            speed = f"{state.examples / max(state.seconds, 1e-9):,.0f}/s"
            facts = f"loss {float(state.loss):.3f}{shown['score']}  {speed}"
            done = (state.epoch - 1) * state.steps + state.step
            progress.update(
                task,
                visible=True,
                completed=done,
                total=state.epochs * state.steps,
                epoch=f"{state.epoch}/{state.epochs}",
                facts=facts,
            )

        yield observe


def interval(found: Mapping[str, Any] | None, *, per_cent: bool = True) -> str:
    """Return a value with its interval as text; a dash where it is undefined.

    >>> interval({"value": 0.5, "low": 0.25, "high": 0.75})
    '50.0 % (25.0 to 75.0)'
    """
    if found is None or found["value"] is None:
        return "-"
    scale, digits = (100, 1) if per_cent else (1, 3)
    value, low, high = (found[k] for k in ("value", "low", "high"))
    around = "" if low is None else f" ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
    return f"{scale * value:.{digits}f}{' %' if per_cent else ''}{around}"


def print_metrics(title: str, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Print overall and per-class metrics, one column for each prior."""
    table = Table(title=escape(title), title_justify="left", caption_justify="left")
    table.add_column("")
    first = next(iter(metrics.values()))
    for name in metrics:
        table.add_column(escape(name), justify="right")
    for key, text in OVERALL.items():
        cells = [interval(m["overall"][key], per_cent=key in IN_PER_CENT) for m in metrics.values()]
        table.add_row(text, *cells)
    for group in first["groups"]:
        cells = [interval(m["groups"][group]["recall"]) for m in metrics.values()]
        table.add_row(f"recall of {group} classes", *cells)
    table.caption = f"{first['n']} examples; {first['level']:.0%} intervals in brackets"
    results.print(table)
    _print_classes(metrics)


def _print_classes(metrics: Mapping[str, Mapping[str, Any]]) -> None:
    table = Table(title="Recall of each class", title_justify="left")
    table.add_column("class", overflow="fold")
    # In two lines, so that intervals stand in one on a screen of 80 columns.
    for name in ("trained\non", "measured\non", *metrics):
        table.add_column(escape(name), justify="right")
    rows: Sequence[Sequence[Mapping[str, Any]]] = list(
        zip(*(m["per_class"] for m in metrics.values()), strict=True)
    )
    for row in rows:
        cells = [interval(entry["recall"]) for entry in row]
        head = row[0]
        table.add_row(escape(str(head["class"])), str(head["n_train"]), str(head["n"]), *cells)
    results.print(table)
