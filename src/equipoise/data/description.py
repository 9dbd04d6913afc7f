"""What is in a data set, as values that JSON can hold."""

from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import IndexArray
from equipoise.data.columns import column_kind
from equipoise.data.dataset import Dataset
from equipoise.data.duplicates import duplicates_across
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
          ``name``, ``kind`` and ``missing`` values, and the names of ``constant`` ones;
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
        "notes": list(dataset.notes),
    }


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
    columns = [
        {"name": str(name), "kind": column_kind(column), "missing": int(column.isna().sum())}
        for name, column in X.items()
    ]
    constant = [column["name"] for column in columns if column["kind"] == "constant"]
    return {"columns": columns, "constant": constant}


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
