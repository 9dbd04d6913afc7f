"""The parts of data that bring their own split, and what each class must have in them."""

from collections.abc import Sequence

import numpy as np

from equipoise._typing import CodeArray, NameArray
from equipoise.data.dataset import Part
from equipoise.data.wording import listing
from equipoise.errors import InputError

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""What a folder or a value in a split column may call a part, in lower case."""


def own_split(parts: NameArray) -> NameArray | None:
    """Return the parts, or None if all is training data: then nothing was split yet.

    Raises
    ------
    InputError
        If no example is for training.

    Examples
    --------
    >>> own_split(np.array(["train", "train"])) is None
    True
    """
    present = np.unique(parts)
    if "train" not in present:
        raise InputError(
            "Data with its own split must have training examples.",
            f"There is only {listing(present)}.",
            "Add a part `train`, or remove the split.",
        )
    return parts if len(present) > 1 else None


def check_classes(codes: CodeArray, classes: Sequence[str], parts: NameArray | None) -> list[str]:
    """Refuse classes that cannot be learned; return notes on those that parts lack.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        Class of each example.
    classes : sequence of str
        All class names.
    parts : ndarray of str, shape (examples,), or None
        Part of each example.

    Returns
    -------
    list of str
        One note for each part that lacks classes.

    Raises
    ------
    InputError
        If there are fewer than two classes, or one has no example to train on.

    Examples
    --------
    >>> check_classes(np.array([0, 1, 0]), ["cat", "dog"], np.array(["train", "train", "test"]))
    ['The test part has no example of dog.']
    """
    if len(classes) < 2:
        raise InputError(
            "Training needs at least two classes.",
            f"There is only {classes[0]!r}." if classes else "There are none.",
            "Add examples of another class.",
        )
    absent = {
        part: _absent(codes if parts is None else codes[parts == part], classes)
        for part in (("train",) if parts is None else np.unique(parts))
    }
    untrained = absent.pop("train")
    if untrained:
        raise InputError(
            "Every class must have examples to train on.",
            f"These have none: {listing(untrained)}.",
            "Add some, or remove these classes from every part.",
        )
    return [
        f"The {part} part has no example of {listing(names)}."
        for part, names in absent.items()
        if names
    ]


def _absent(codes: CodeArray, classes: Sequence[str]) -> list[str]:
    counts = np.bincount(codes, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if count == 0]
