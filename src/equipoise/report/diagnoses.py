"""A diagnosis as plain data for its page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.report.pictures import data_uri
from equipoise.runs import Run

NAME = "diagnosis.json"
"""The file by which a folder is known as a diagnosis."""

MEASURES = {
    "recall_train": ("recall, training", True),
    "recall_validation": ("recall, validation", True),
    "recall_test": ("recall, test", True),
    "recall_as_is_test": ("recall, test, as trained", True),
    "late": ("late change of recall, validation", True),
    "nc1_train": ("NC1, training", False),
    "nc1_test": ("NC1, test", False),
    "cdnv_train": ("CDNV, training", False),
    "cdnv_test": ("CDNV, test", False),
    "deviation": ("feature deviation", False),
    "margin_train": ("margin, training", False),
    "margin_test": ("margin, test", False),
    "distance_train": ("distance to the boundary, training", False),
    "distance_test": ("distance to the boundary, test", False),
    "row_length": ("length of the row", False),
    "gradient_share": ("share of the gradient", True),
    "rise": ("rise of the loss", False),
}
"""Measures by class, with their names, and whether they are in per cent."""

TOGETHER = {
    "prior_bias": ("prior bias", True),
    "gap": ("training minus test recall", True),
    **{k: MEASURES[k] for k in ("recall_train", "recall_test", "nc1_train", "nc1_test")},
    "nc2_simplex_train": ("NC2, training", False),
    "nc3": ("NC3", False),
    "nc4_test": ("NC4, test", True),
    "deviation": MEASURES["deviation"],
    "margin_test": MEASURES["margin_test"],
    "row_slope": ("slope of row lengths", False),
    "rare_row_cosine": ("cosine of rare rows", False),
    "rise": MEASURES["rise"],
    "eigenvalue_all": ("top eigenvalue", False),
    "top_label_corrected": ("top-label error", True),
    "log_loss_corrected": ("log-loss, corrected", False),
}
"""Measures of a run that stand side by side."""


def is_diagnosis(folder: Path) -> bool:
    """Whether a folder holds a diagnosis."""
    return (folder / NAME).exists()


def summarise_diagnosis(folder: Path) -> dict[str, Any]:
    """Return everything that the page of a diagnosis shows, as plain data.

    Parameters
    ----------
    folder : Path
        Of the diagnosis.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    run = Run(folder)
    stored = run.read_json(NAME)
    try:
        return {
            "name": folder.name,
            "runs": [_summary(run, told, k) for k, told in enumerate(stored["runs"])],
            "order": {"score": stored["order"]["score"], "orders": stored["order"]["orders"]},
            "beside": _beside(stored["runs"]),
        }
    except (KeyError, TypeError, IndexError, ValueError) as fault:
        raise InputError(
            "A diagnosis must be as `equipoise diagnose` wrote it.",
            f"`{folder / NAME}` lacks something: {fault!r}.",
            "Diagnose again with --overwrite.",
        ) from None


def _summary(run: Run, told: Mapping[str, Any], number: int) -> dict[str, Any]:
    own, order = (
        told["by_class"],
        sorted(range(len(told["classes"])), key=lambda k: -told["counts"][k]),
    )
    known = [name for name in MEASURES if name in own]
    return {
        **told,
        "course": told.get("course"),  # diagnoses of before have none
        "columns": [MEASURES[name][0] for name in known],
        "rows": [
            {
                "name": told["classes"][k],
                "n": told["counts"][k],
                "cells": [_cell(own[name][k], per_cent=MEASURES[name][1]) for name in known],
            }
            for k in order
        ],
        "pictured": _pictured(run, told["suspects"], number),
    }


def _pictured(run: Run, suspects: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    name = f"suspects-{number}.npz"
    if not suspects or "row" in suspects[0]:
        return suspects
    images = run.read_arrays(name)["images"]
    pairs = zip(suspects, images, strict=True)
    return [{**suspect, "picture": data_uri(image)} for suspect, image in pairs]


def _beside(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each measure that is known of any run, with a cell for each run."""
    rows = []
    for name, (text, per_cent) in TOGETHER.items():
        values = [told["overall"].get(name) for told in runs]
        if any(value is not None for value in values):
            rows.append({"name": text, "cells": [_cell(v, per_cent=per_cent) for v in values]})
    return rows


def _cell(value: float | None, *, per_cent: bool) -> tuple[float | None, str | None]:
    """Return a number to sort by and its text."""
    if value is None:
        return None, None
    return value, f"{100 * value:.1f}" if per_cent else f"{value:.3g}"
