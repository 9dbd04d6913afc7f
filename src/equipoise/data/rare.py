"""Classes of a single example, which cannot be both trained and tested."""

from dataclasses import replace
from typing import Literal

import numpy as np

from equipoise.data.dataset import Dataset
from equipoise.data.wording import counted, listing
from equipoise.errors import InputError

Rare = Literal["refuse", "merge", "drop"]
"""What happens to classes of a single example."""

MERGED_NAME = "other"
"""Name of the class that classes of a single example are merged into."""


def merge_rare_classes(dataset: Dataset, how: Rare) -> Dataset:
    """Return the data set without classes of a single example.

    Parameters
    ----------
    dataset : Dataset
        Any data set.
    how : {"refuse", "merge", "drop"}
        ``"refuse"``: leave it as it is; `split` then refuses such classes. ``"merge"``: make
        them one class ``other``, the last in order. ``"drop"``: leave their examples out.

    Returns
    -------
    Dataset
        The same object if there is no such class; otherwise one with a note.

    Raises
    ------
    InputError
        If there is only one such class to merge, a class ``other`` exists already, or fewer
        than two classes would be left.

    Examples
    --------
    >>> import pandas as pd
    >>> from equipoise.data.tables import from_frame
    >>> labels = ["a"] * 5 + ["b"] * 5 + ["c", "d"]
    >>> data = from_frame(pd.DataFrame({"x": range(12), "y": labels}))
    >>> merge_rare_classes(data, "merge").classes
    ('a', 'b', 'other')
    """
    if how not in ("refuse", "merge", "drop"):
        raise InputError(
            "Classes of a single example can be refused, merged or dropped.",
            f"The choice is {how!r}.",
            "Give refuse, merge or drop.",
        )
    single = np.flatnonzero(dataset.counts == 1)
    if how == "refuse" or not len(single):
        return dataset
    names = [dataset.classes[code] for code in single]
    kept = [name for name in dataset.classes if name not in names]
    if how == "drop":
        return _dropped(dataset, kept, names)
    return _merged(dataset, kept, names)


def _dropped(dataset: Dataset, kept: list[str], names: list[str]) -> Dataset:
    if len(kept) < 2:
        raise InputError(
            "Training needs at least two classes.",
            f"Dropping {listing(names)} leaves {counted(len(kept), 'class', 'classes')}.",
            "Add examples of these classes, or merge them with `--rare merge`.",
        )
    left = dataset.take(np.flatnonzero(np.isin(dataset.y, kept)))
    count = counted(len(names), "class", "classes")
    note = f"The only examples of {count} were left out: {listing(names, 20)}."
    return _recoded(left, kept, left.y, note)


def _merged(dataset: Dataset, kept: list[str], names: list[str]) -> Dataset:
    if len(names) < 2 or MERGED_NAME in kept:
        clash = f"A class {MERGED_NAME!r} exists already."
        raise InputError(
            "Merging needs at least two classes of a single example, and a free name for them.",
            clash if MERGED_NAME in kept else f"There is only {names[0]!r}.",
            "Add examples, or drop such classes with `--rare drop`.",
        )
    if not kept:
        raise InputError(
            "Training needs at least two classes.",
            "Every class has a single example, so that one would be left.",
            "Add examples of each class.",
        )
    labels = np.where(np.isin(dataset.y, names), MERGED_NAME, dataset.y)
    count = counted(len(names), "class", "classes")
    note = f"{count} of a single example became {MERGED_NAME!r}: {listing(names, 20)}."
    return _recoded(dataset, [*kept, MERGED_NAME], labels, note)


def _recoded(dataset: Dataset, classes: list[str], labels: np.ndarray, note: str) -> Dataset:
    position = {name: code for code, name in enumerate(classes)}
    codes = np.array([position[str(label)] for label in labels], dtype=np.int64)
    return replace(dataset, codes=codes, classes=tuple(classes), notes=(*dataset.notes, note))
