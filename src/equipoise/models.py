"""A trained model: its network, its preprocessing and the class counts it learnt from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from equipoise._typing import (
    CountArray,
    ImageArray,
    IndexArray,
    LogitArray,
    MarginArray,
    PriorArray,
)
from equipoise.batches import Source
from equipoise.checkpoints import write_weights
from equipoise.devices import Device
from equipoise.prediction import predict_logits
from equipoise.preprocessing import Preprocessing
from equipoise.runs import write_json


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network ready to predict.

    Parameters
    ----------
    network : Module
        Maps prepared inputs to logits.
    preprocessing : ImagePreprocessing or TablePreprocessing
        Prepares them.
    device : Device
        Where the network is.
    counts : ndarray of int, shape (classes,)
        Training examples of each class.
    prior : ndarray of float, shape (classes,)
        The class probabilities that the logits contain: the mean of the targets in training,
        weighted and smoothed as they were.
    margins : ndarray of float, shape (classes,), or None, default=None
        The margins that the logits contain, in nats, see `equipoise.metrics.without_margins`.
    """

    network: nn.Module
    preprocessing: Preprocessing
    device: Device
    counts: CountArray
    prior: PriorArray
    margins: MarginArray | None = None

    def logits(self, X: "ImageArray | pd.DataFrame", rows: IndexArray | None = None) -> LogitArray:
        """Return logits, float32, shape ``(examples, classes)``.

        Parameters
        ----------
        X : ndarray of uint8, shape (examples, height, width, channels), or DataFrame
            Examples like those trained on.
        rows : ndarray of int or None
            Positions of the examples that are wanted; None: all.
        """
        return predict_logits(self.network, self.source(X, rows), self.device)

    def source(self, X: "ImageArray | pd.DataFrame", rows: IndexArray | None = None) -> Source:
        """Return examples as the network reads them; see `logits`."""
        if isinstance(X, pd.DataFrame):
            X = X if rows is None else X.iloc[rows]
            rows = None
        array = self.preprocessing.transform(X)  # type: ignore[arg-type]
        return Source(array, np.arange(len(array)) if rows is None else rows)

    def save(self, folder: Path) -> None:
        """Write ``preprocessing.json`` and ``model.safetensors`` into a run's folder."""
        write_json(folder / "preprocessing.json", self.preprocessing.to_state())
        write_weights(folder / "model.safetensors", self.network)
