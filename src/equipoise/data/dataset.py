"""A labelled data set in one form, whatever it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray, CountArray, ImageArray, IndexArray, NameArray
from equipoise.errors import InputError

Part = Literal["train", "validation", "test"]
"""The three parts of a data set that comes with its own split."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Examples, their classes, and what is known about where they came from.

    Parameters
    ----------
    name : str
        Short name, used in titles and default folder names.
    X : ndarray of uint8, shape (examples, height, width, channels), or DataFrame
        Images, often memory-mapped, or the rows of a table without the label column.
    codes : ndarray of int64, shape (examples,)
        Class of each example as a position in `classes`.
    classes : tuple of str
        Class names in label order.
    ids : ndarray of str, shape (examples,)
        What a person needs to find an example again: a path, ``"test/17"``, a row number.
    parts : ndarray of str, shape (examples,), or None
        ``"train"``, ``"validation"`` or ``"test"`` where the source brings its own split.
    fingerprint : str
        SHA-256 of the content, in hexadecimal.
    notes : tuple of str
        Every choice that was made while reading, as sentences for the user.
    reading : mapping of str to str
        Options of reading that the data decided, such as ``{"decimal": "comma"}``; other rows
        are read in the same way with them.
    """

    name: str
    X: "ImageArray | pd.DataFrame"
    codes: CodeArray
    classes: tuple[str, ...]
    ids: NameArray
    parts: NameArray | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    reading: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.X) == len(self.codes) == len(self.ids):
            raise InputError(
                "Examples, labels and identifiers must be equal in number.",
                f"There are {len(self.X)}, {len(self.codes)} and {len(self.ids)}.",
                "Check the source of the data.",
            )

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def kind(self) -> Literal["images", "table"]:
        """``"table"`` if the examples are rows of a DataFrame, else ``"images"``."""
        return "table" if isinstance(self.X, pd.DataFrame) else "images"

    @property
    def y(self) -> NameArray:
        """Class name of each example, shape ``(examples,)``."""
        return np.asarray(self.classes)[self.codes]

    @property
    def counts(self) -> CountArray:
        """Number of examples of each class, shape ``(classes,)``."""
        return np.bincount(self.codes, minlength=len(self.classes))

    def take(self, index: IndexArray) -> "Dataset":
        """Return the examples at these positions; images are copied into memory."""
        rows = self.X.iloc[index] if isinstance(self.X, pd.DataFrame) else self.X[index]
        return replace(
            self,
            X=rows,
            codes=self.codes[index],
            ids=self.ids[index],
            parts=None if self.parts is None else self.parts[index],
        )

    def part(self, name: Part) -> IndexArray:
        """Return the positions of the examples in one part, empty without given parts."""
        if self.parts is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.parts == name)
