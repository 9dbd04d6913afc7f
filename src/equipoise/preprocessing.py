"""How a network's inputs are made from images or from the rows of a table.

Fitted on training examples only, saved as JSON, applied unchanged at prediction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from equipoise._typing import ImageArray, IndexArray
from equipoise.batches import Source, in_order
from equipoise.data.encoding import TableEncoder
from equipoise.data.scaling import Scaling
from equipoise.errors import InputError
from equipoise.seeds import derive_seed
from equipoise.standard.backbones import ImageInput, TableInput

STATISTICS_EXAMPLES = 20_000
"""Mean and deviation of images are taken over at most this many training examples."""


@dataclass(eq=False)
class ImagePreprocessing:
    """Images pass unchanged; their shape is fixed and their mean and deviation are known.

    Parameters
    ----------
    spec : ImageInput
        Shape, and mean and deviation of each channel over training images.
    """

    spec: ImageInput
    kind: ClassVar[str] = "images"
    notes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fit(cls, images: ImageArray, rows: IndexArray) -> "ImagePreprocessing":
        """Measure mean and deviation of each channel over (at most 20,000) training images."""
        if len(rows) > STATISTICS_EXAMPLES:
            random = np.random.default_rng(derive_seed(0, "image statistics"))
            rows = random.choice(rows, STATISTICS_EXAMPLES, replace=False)
        _, height, width, channels = images.shape
        counts = np.zeros((channels, 256), np.int64)
        source = Source(images, np.sort(rows))  # it does not keep a memory map in memory
        for positions in in_order(len(rows), 500):
            chunk = source.take(positions)
            for channel in range(channels):
                counts[channel] += np.bincount(chunk[:, channel].flatten().numpy(), minlength=256)
        levels = np.arange(256) / 255
        share = counts / counts.sum(axis=1, keepdims=True)
        mean = share @ levels
        deviation = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0))
        # An image set of one single shade would otherwise be divided by zero.
        deviation[deviation < 1e-3] = 1.0
        return cls(
            ImageInput(height, width, channels, tuple(mean.tolist()), tuple(deviation.tolist()))
        )

    def transform(self, images: ImageArray) -> np.ndarray:
        """Return the images themselves, after a check of their shape.

        Raises
        ------
        InputError
            If they are not of the shape that was trained on.
        """
        if not isinstance(images, np.ndarray) or images.ndim != 4:
            raise InputError(
                "This model takes images.", "These examples are rows of a table.", "Give images."
            )
        expected = (self.spec.height, self.spec.width, self.spec.channels)
        if images.shape[1:] != expected:
            raise InputError(
                f"This model takes images of {_shape(expected)}.",
                f"These are {_shape(images.shape[1:])}.",
                "Give images as they were at training, or train on these.",
            )
        return images

    def admit(self, images: ImageArray) -> None:
        """Refuse images that `transform` would refuse later."""
        self.transform(images)

    def notes_on(self, images: ImageArray) -> tuple[str, ...]:  # noqa: ARG002 (as for tables)
        """Return nothing: there is nothing about images that training must have known."""
        return ()

    def to_state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"kind": self.kind, "input": self.spec.to_state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ImagePreprocessing":
        """Rebuild what `to_state` described."""
        spec = ImageInput.from_state(state["input"])
        if not isinstance(spec, ImageInput):
            raise TypeError("the input of images is that of a table")
        return cls(spec)


@dataclass(eq=False)
class TablePreprocessing:
    """Rows become one float32 matrix: scaled numbers, then codes of categories.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted on the training rows.
    """

    encoder: TableEncoder
    kind: ClassVar[str] = "table"

    @classmethod
    def fit(cls, frame: pd.DataFrame, rows: IndexArray, scaling: Scaling) -> "TablePreprocessing":
        """Fit the encoder on the training rows; kinds of columns are found on all of them."""
        return cls(TableEncoder(scaling=scaling).fit(frame, rows))

    @property
    def spec(self) -> TableInput:
        """What the backbone is told about its inputs."""
        return TableInput(self.encoder.n_numeric, tuple(self.encoder.cardinalities))

    @property
    def notes(self) -> tuple[str, ...]:
        """Choices that the encoder made, as sentences."""
        return tuple(self.encoder.notes)

    def admit(self, frame: pd.DataFrame) -> None:
        """Make sure that `transform` takes each of these rows later, or refuse them now."""
        self.encoder.admit(frame)

    def notes_on(self, frame: pd.DataFrame) -> tuple[str, ...]:
        """Return what these rows hold that training did not know, as sentences."""
        return self.encoder.notes_on(frame)

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the encoded rows, float32, shape ``(examples, features)``."""
        return self.encoder.transform(frame)

    def to_state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"kind": self.kind, "encoder": self.encoder.to_state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TablePreprocessing":
        """Rebuild what `to_state` described."""
        return cls(TableEncoder.from_state(state["encoder"]))


Preprocessing = ImagePreprocessing | TablePreprocessing


def preprocessing_from_state(state: Mapping[str, Any]) -> Preprocessing:
    """Rebuild the preprocessing of either kind from its JSON state."""
    kinds = {"images": ImagePreprocessing, "table": TablePreprocessing}
    try:
        return kinds[state["kind"]].from_state(state)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "A run's preprocessing.json must describe how its inputs are made.",
            f"It is damaged: {error!r}.",
            "Fit again, or restore the file.",
        ) from None


def _shape(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height} x {width} pixels with {channels} channel{'s' if channels > 1 else ''}"
