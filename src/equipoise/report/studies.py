"""A study as plain data for its page."""

from pathlib import Path
from typing import Any

from equipoise.report.formats import percent
from equipoise.studies.cells import NAME, read_cells
from equipoise.studies.findings import USUAL, found_in, read_found

TITLES = {"balanced": "Corrected to equal classes", "as_trained": "As trained"}
"""How the two kinds of predictions are headed."""


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / NAME).exists()


def summarise_study(folder: Path) -> dict[str, Any]:
    """Return everything that the page of a study shows, as plain data.

    Parameters
    ----------
    folder : Path
        Of the study; what is finished of it is shown.

    Raises
    ------
    InputError
        If no seed is finished for all values at all ratios, the reference is not, or a file is
        damaged.
    """
    cells = read_cells(folder)
    stored = read_found(folder)
    tests = sorted({row["test_ratio"] for row in stored.get("deployment", [])})
    found = found_in(cells, stored.get("metric", USUAL), tuple(tests))
    first = next(iter(cells.by_ratio.values()))
    return {
        **found,
        "name": folder.name,
        "titles": TITLES,
        "tables": {prior: _rows(found, prior) for prior in TITLES},
        "choices": first.told.get("choices", []),
        "failures": stored.get("failures", {}),
    }


def _rows(found: dict[str, Any], prior: str) -> list[dict[str, Any]]:
    """Return a row for each value: its score and standard error at each ratio."""
    in_nats = found["metric"].endswith("log_loss")
    rows = []
    for value in found["values"]:
        means = [own["means"].get(value["method"]) for own in found[prior]["ratios"].values()]
        texts = [None if m is None else _text(m, in_nats=in_nats) for m in means]
        numbers = [None if m is None else m["value"] for m in means]
        rows.append({"label": value["label"], "cells": list(zip(numbers, texts, strict=True))})
    return rows


def _text(mean: dict[str, float], *, in_nats: bool) -> str:
    if in_nats:
        return f"{mean['value']:.3f} ± {mean['error']:.3f}"
    return f"{percent(mean['value'])} ± {100 * mean['error']:.1f}"
