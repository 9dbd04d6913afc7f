"""A diagnosis as plain data for its page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.metrics.groups import GROUPS
from equipoise.report.pictures import data_uri
from equipoise.runs import Run
from equipoise.shapes import MAYBE, NUMBER, TEXT, mismatch

NAME = "diagnosis.json"
"""The file by which a folder is known as a diagnosis."""

FORMAT = 2
"""Version of what is read."""

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
    "top_label_tempered": ("top-label error, after a temperature", True),
    "log_loss_corrected": ("log-loss, corrected", False),
    "log_loss_tempered": ("log-loss, corrected, after a temperature", False),
}
"""Measures of a run that stand side by side."""

_ENDS = {"value": NUMBER, "low": NUMBER, "high": NUMBER}

RUN = {
    "name": TEXT,
    "classes": [TEXT],
    "counts": [NUMBER],
    "notes": [TEXT],
    "headline": TEXT,
    "scores": {"as_is": _ENDS, "corrected": _ENDS},
    "right": _ENDS,
    "advice": [{"cause": TEXT, "evidence": TEXT, "remedy": TEXT}],
    "ledger": [{"cause": TEXT, **_ENDS}],
    "by_class": {"recall_train": [MAYBE], "recall_test": [MAYBE], ...: [MAYBE]},
    "overall": {...: MAYBE},
    "calibration": [
        dict.fromkeys(("temperature", "top_label", "class_wise", "log_loss", "brier"), NUMBER)
    ],
    "suspects": [dict.fromkeys(("id", "label", "kind", "looks_like"), TEXT)],
    "readings": {...: TEXT},
}
"""What a page needs of each run; `...` stands for any other key."""

COURSE = {
    "epochs": [NUMBER],
    "kept": MAYBE,
    "held_out": [[MAYBE]],
    "by_group": {"held_out": {...: [MAYBE]}, "train": {...: MAYBE}, ...: {...: MAYBE}},
}
"""What it needs of how recall went over epochs, where that is known."""

ORDER = {
    "score": TEXT,
    "orders": [{"measure": TEXT, **dict.fromkeys(("correlation", "low", "high", "n"), NUMBER)}],
}
"""What it needs of how runs are ordered."""


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
    if (found := _fault(stored)) is not None:
        raise _refused(folder, found)
    try:
        runs = [_summary(run, told, k) for k, told in enumerate(stored["runs"])]
    except ValueError as fault:
        raise _refused(folder, f"pictures and examples do not agree ({fault})") from None
    return {
        "name": folder.name,
        "runs": runs,
        "order": stored["order"],
        "beside": _beside(stored["runs"]),
    }


def _refused(folder: Path, fault: str) -> InputError:
    return InputError(
        "A diagnosis must be as `equipoise diagnose` wrote it.",
        f"In `{folder / NAME}`, {fault}.",
        "Diagnose again with --overwrite.",
    )


def _fault(stored: Any) -> str | None:
    """Return what keeps a stored diagnosis, which may be a stranger's, from being shown."""
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        return f"the format is not {FORMAT}"
    found = mismatch(stored, {"runs": [RUN], "order": ORDER})
    if found is not None:
        return found
    faults = (_disagreement(told) for told in stored["runs"])
    return next(filter(None, faults), None) if stored["runs"] else "there is no run"


def _disagreement(told: Mapping[str, Any]) -> str | None:
    """Return what parts of a run do not agree on."""
    n = len(told["classes"])
    if n < 2:
        return "classes are fewer than two"
    for name, values in {"counts": told["counts"], **told["by_class"]}.items():
        if len(values) != n:
            return f"{name} has {len(values)} values for {n} classes"
    if told.get("course") is not None and (fault := _off_course(told, told["course"])) is not None:
        return fault
    has_rows = {isinstance(suspect.get("row"), dict) for suspect in told["suspects"]}
    return "examples to look at are rows and pictures" if len(has_rows) > 1 else None


def _off_course(told: Mapping[str, Any], course: Any) -> str | None:
    """Return what keeps the course of recall over epochs from being drawn."""
    if (found := mismatch(course, COURSE, "course")) is not None:
        return found
    groups, n = told.get("groups"), len(told["classes"])
    if not isinstance(groups, list) or len(groups) != n or not {*groups} <= {*GROUPS}:
        return f"groups are not one of {', '.join(GROUPS)} for each of {n} classes"
    lines = [*course["held_out"], *course["by_group"]["held_out"].values()]
    if len(course["held_out"]) != n or any(len(own) != len(course["epochs"]) for own in lines):
        return "course.held_out has not a line for each class with a value for each epoch"
    return None


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
    rows, known = [], [{**told["overall"], **_calibration(told)} for told in runs]
    for name, (text, per_cent) in TOGETHER.items():
        values = [own.get(name) for own in known]
        if any(value is not None for value in values):
            rows.append({"name": text, "cells": [_cell(v, per_cent=per_cent) for v in values]})
    return rows


def _calibration(told: Mapping[str, Any]) -> dict[str, float]:
    """Return errors before and after a temperature; earlier diagnoses had both under one name."""
    corrected = [each for each in told["calibration"] if each.get("corrected")]
    return {
        f"{name}_{when}": each[name]
        for when, each in zip(("corrected", "tempered"), corrected, strict=False)
        for name in ("top_label", "log_loss")
    }


def _cell(value: float | None, *, per_cent: bool) -> tuple[float | None, str | None]:
    """Return a number to sort by and its text."""
    if value is None:
        return None, None
    return value, f"{100 * value:.1f}" if per_cent else f"{value:.3g}"
