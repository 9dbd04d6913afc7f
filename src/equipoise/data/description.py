"""What is in a data set, as values that JSON can hold."""

from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import IndexArray
from equipoise.data.columns import as_dates, as_numbers, as_text
from equipoise.data.dataset import Dataset
from equipoise.data.duplicates import duplicates_across
from equipoise.data.findings import LEFT_OUT, Finding, find, notes_on
from equipoise.data.imbalance import imbalance_ratio
from equipoise.data.splits import Split
from equipoise.metrics.groups import groups_by_frequency


def describe(dataset: Dataset, split: Split | None = None) -> dict[str, Any]:
    """Describe a data set: classes and their sizes, columns, copies, and what was noted.

    Parameters
    ----------
    dataset : Dataset
        Any data set.
    split : Split or None, default=None
        Its parts. None: those that the source brought, else one part called ``"all"``.

    Returns
    -------
    dict
        - ``name``, ``kind``, ``n``, ``fingerprint``, ``notes``;
        - ``shape`` of an image (height, width, channels), or ``columns`` of a table, each with
          ``name``, ``kind``, ``missing`` values, ``odd`` ones that count as missing (text among
          numbers or dates), ``left_out`` (why it is not used, or None), and what is known of its
          values: ``categories`` (their number), or ``first`` and ``last`` (the smallest and the
          largest number, or the first and the last date);
        - ``constant`` columns of a table, and ``reading``: the options that its data decided;
        - ``parts``: examples in each part;
        - ``classes``: for each class ``name``, ``counts`` by part and ``group`` (many, medium
          or few training examples, or a third of the classes, as `groups_by_frequency` says);
        - ``ratio``: largest over smallest class in training, None if one has no examples;
        - ``duplicates``: copies ``within`` and ``across`` parts, ``conflicting`` ones with
          different classes, and ``ids`` of those in several parts.

    Examples
    --------
    >>> from equipoise.data.tables import from_frame
    >>> data = from_frame(pd.DataFrame({"x": [1, 2, 2, 3], "y": ["a", "a", "b", "a"]}))
    >>> found = describe(data)
    >>> found["ratio"], found["duplicates"]["conflicting"], found["classes"][1]["counts"]
    (3.0, 2, {'all': 1})
    """
    parts = _parts(dataset, split)
    counts = {name: _counts(dataset, index) for name, index in parts.items()}
    training = counts.get("train", counts.get("all"))
    ratio = imbalance_ratio(np.asarray(training))
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "n": len(dataset),
        **_features(dataset),
        "parts": {name: len(index) for name, index in parts.items()},
        "classes": _classes(dataset, counts, np.asarray(training)),
        "ratio": ratio if np.isfinite(ratio) else None,
        "duplicates": _duplicates(dataset, parts),
        "fingerprint": dataset.fingerprint,
        "notes": [*dataset.notes, *_column_notes(dataset)],
    }


def _column_notes(dataset: Dataset) -> list[str]:
    return notes_on(find(dataset.X)) if isinstance(dataset.X, pd.DataFrame) else []


def _parts(dataset: Dataset, split: Split | None) -> dict[str, IndexArray]:
    if split is not None:
        parts = {"train": split.train, "validation": split.validation, "test": split.test}
    elif dataset.parts is not None:
        names = ("train", "validation", "test")
        parts = {name: np.flatnonzero(dataset.parts == name) for name in names}
    else:
        parts = {"all": np.arange(len(dataset))}
    return {name: index for name, index in parts.items() if len(index)}


def _counts(dataset: Dataset, index: IndexArray) -> np.ndarray:
    return np.bincount(dataset.codes[index], minlength=len(dataset.classes))


def _features(dataset: Dataset) -> dict[str, Any]:
    X = dataset.X
    if not isinstance(X, pd.DataFrame):
        return {"shape": [int(size) for size in X.shape[1:]]}
    columns = [_column(finding) for finding in find(X).values()]
    constant = [column["name"] for column in columns if column["kind"] == "constant"]
    return {"columns": columns, "constant": constant, "reading": dict(dataset.reading)}


def _column(found: Finding) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.kind,
        "missing": int(found.column.isna().sum()),
        "odd": int(found.odd.sum()),
        "left_out": LEFT_OUT.get(found.kind),
        **_range(found),
    }


def _range(found: Finding) -> dict[str, Any]:
    """Return the extent of a column's values, by its kind."""
    match found.kind:
        case "numeric":
            numbers = as_numbers(found.column, lenient=True)
            return {"first": float(np.nanmin(numbers)), "last": float(np.nanmax(numbers))}
        case "date":
            dates = as_dates(found.column, found.order)
            return {"first": _moment(dates.min()), "last": _moment(dates.max())}
        case "categorical" | "text":
            return {"categories": int(as_text(found.column).nunique())}
        case _:
            return {}


def _moment(stamp: pd.Timestamp) -> str:
    return str(stamp.date()) if stamp == stamp.normalize() else stamp.isoformat()


def _classes(
    dataset: Dataset, counts: dict[str, np.ndarray], training: np.ndarray
) -> list[dict[str, Any]]:
    named = zip(dataset.classes, groups_by_frequency(training), strict=True)
    return [
        {
            "name": name,
            "counts": {part: int(sizes[code]) for part, sizes in counts.items()},
            "group": group,
        }
        for code, (name, group) in enumerate(named)
    ]


def _duplicates(dataset: Dataset, parts: dict[str, IndexArray]) -> dict[str, Any]:
    none = np.empty(0, dtype=np.int64)
    train = parts.get("train", parts.get("all", none))
    validation, test = parts.get("validation", none), parts.get("test", none)
    found = duplicates_across(dataset, Split(train=train, validation=validation, test=test))
    within = {"all": found.within["train"]} if "all" in parts else found.within
    return {
        "within": within,
        "across": found.across,
        "conflicting": found.conflicting,
        "ids": [list(group) for group in found.ids],
    }
