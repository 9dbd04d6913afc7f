"""What a fit learns from: labelled examples, and which of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray, CountArray, ImageArray, IndexArray, WeightArray
from equipoise.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Labelled examples, and which of them to learn from.

    Parameters
    ----------
    X : ndarray of uint8, shape (examples, height, width, channels), or DataFrame
        All examples.
    codes : ndarray of int, shape (examples,)
        Class codes.
    n_classes : int
        Number of classes; each has a training example.
    train, validation : ndarray of int
        Positions of the examples to learn from and to choose the epoch by.
    weights : ndarray of float, shape (examples,), or None
        Weight of each example in the loss.
    supervised : bool, default=True
        Whether the labels are learnt; False: pre-training by the auxiliary loss alone.
    classes : sequence, or None
        Class labels in the order of the codes, by which a prior may be given; None: the epoch
        is chosen by predictions as the network gives them, whatever the prior.
    extra : like X, or None
        Further examples without labels, for pre-training.
    extra_rows : ndarray of int
        Which of these to learn from; none unless given.
    """

    X: "ImageArray | pd.DataFrame"
    codes: CodeArray
    n_classes: int
    train: IndexArray
    validation: IndexArray
    weights: WeightArray | None = None
    supervised: bool = True
    classes: Sequence[Any] | None = None
    extra: "ImageArray | pd.DataFrame | None" = None
    extra_rows: IndexArray = field(default_factory=lambda: np.arange(0))

    @property
    def counts(self) -> CountArray:
        """Training examples of each class."""
        return np.bincount(self.codes[self.train], minlength=self.n_classes)

    @property
    def class_weights(self) -> WeightArray | None:
        """Total weight of the training examples of each class; None without weights."""
        if self.weights is None:
            return None
        return np.bincount(self.codes[self.train], self.weights[self.train], self.n_classes)

    @property
    def facts(self) -> dict[str, Any]:
        """What automatic choices may depend on, besides the device."""
        _, height, width, channels = self.X.shape if isinstance(self.X, np.ndarray) else (0,) * 4
        counts = self.counts
        return {
            "kind": "images" if isinstance(self.X, np.ndarray) else "table",
            "n_train": len(self.train) + len(self.extra_rows),
            "pixels": height * width,
            "channels": channels,
            "n_classes": self.n_classes,
            "ratio": float(counts.max() / counts.min()),
            "smallest": int(counts.min()),
        }

    def check(self) -> None:
        """Raise `InputError` if these are no examples of several classes, each with some."""
        if self.n_classes < 2:
            raise InputError(
                "A classifier needs examples of at least two classes.",
                f"There is {self.n_classes} class.",
                "Check the labels, or add examples of another class.",
            )
        if missing := np.flatnonzero(self.counts == 0).tolist():
            raise InputError(
                "Each class needs at least one training example.",
                f"The classes with codes {missing} have none.",
                "Hold out less, or leave these classes out.",
            )
        if self.weights is not None and not (self.class_weights > 0).all():  # type: ignore[operator]
            raise InputError(
                "Each class needs a training example of a weight above zero.",
                f"The total weights of the classes are {self.class_weights}.",
                "Leave sample_weight out, or give positive weights.",
            )
