"""A plan's settings as people and machines read them: value, why, and what shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from equipoise.commands import console
from equipoise.plan import Plan
from equipoise.prescription import Setting

WIDE = 120
"""From this many columns on there is a table; below, a paragraph for each setting."""

ORIGINS = {
    "automatic": "the data",
    "measured": "the budget",
    "standing": "the defaults",
    "recipe": "the recipe",
    "given": "you",
    "start": "the start",
}
"""Who decided, in words."""


def show_choices(plan: Plan) -> None:
    """Print what a plan has decided on standard output, for machines."""
    config = plan.config()
    told = {part: config[part] for part in ("choices", "classifier", "network")}
    console.print_json({"notes": config["data"]["notes"], **told})


def show_settings(plan: Plan, *, as_json: bool) -> None:
    """Print every setting of the classifier on standard output.

    Parameters
    ----------
    plan : Plan
        What is about to run.
    as_json : bool
        Whether it is for machines.
    """
    facts = plan.fit.task.facts
    if as_json:
        found = {"recipe": plan.experiment.recipe, "facts": facts}
        console.print_json({**found, "settings": [asdict(setting) for setting in plan.settings]})
        return
    console.results.print(f"For {_told(facts)}:")
    if console.results.width < WIDE:
        _print_paragraphs(plan.settings)
        return
    table = Table("setting", "value", "decided by", "why", "source")
    for setting in plan.settings:
        table.add_row(*map(escape, _row(setting)))
    console.results.print(table)


def _print_paragraphs(settings: Sequence[Setting]) -> None:
    for setting in settings:
        field, value, origin, reason, source = map(escape, _row(setting))
        console.results.print(f"[bold]{field}[/bold] = {value}")
        lines = f"{origin}: {reason}" + (f"\n[dim]{source}[/dim]" if source else "")
        console.results.print(Padding(lines, (0, 0, 0, 4)))


def _row(setting: Setting) -> tuple[str, ...]:
    origin = ORIGINS[setting.origin]
    return setting.field, str(setting.value), origin, setting.reason, setting.source


def _told(facts: Mapping[str, Any]) -> str:
    kind, n = facts["kind"], facts["n_train"]
    what = f"training images of {facts['pixels']:,} pixels" if kind == "images" else "training rows"
    return (
        f"{n:,} {what} in {facts['n_classes']} classes, the smallest of which has "
        f"{facts['smallest']:,} (imbalance ratio {facts['ratio']:.4g})"
    )
