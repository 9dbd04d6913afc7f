"""From examples and parameters to a trained network; the classifier and runs both fit here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from equipoise._typing import CodeArray, CountArray, ImageArray, IndexArray, WeightArray
from equipoise.batches import Source
from equipoise.defaults import Choice, DataFacts
from equipoise.devices import Device, choose_device, reproducible
from equipoise.errors import InputError
from equipoise.models import Model
from equipoise.preprocessing import ImagePreprocessing, Preprocessing, TablePreprocessing
from equipoise.seeds import derive_seed
from equipoise.settings import Settings, resolve_settings
from equipoise.standard.heads import Linear
from equipoise.standard.networks import Network, build_network
from equipoise.training import Examples, Observer, Training, train

INITIAL_EXAMPLES = 10_000
"""At most so many training rows are shown to a backbone that starts from data."""


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
    """

    X: "ImageArray | pd.DataFrame"
    codes: CodeArray
    n_classes: int
    train: IndexArray
    validation: IndexArray
    weights: WeightArray | None = None

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
        return {
            "kind": "images" if isinstance(self.X, np.ndarray) else "table",
            "n_train": len(self.train),
            "pixels": height * width,
            "channels": channels,
        }


@dataclass(eq=False)
class Fit:
    """A fit about to run, running, or done; `prepare` makes one.

    Parameters
    ----------
    task : Task
        The examples.
    seed : int
        Seed of everything random.
    settings : Settings
        Everything resolved.
    choices : list of Choice
        What stood in for each ``"auto"``.
    device : Device
        Where training runs.
    preprocessing : ImagePreprocessing or TablePreprocessing
        How inputs are made.
    training : Training
        The network and its state.
    """

    task: Task
    seed: int
    settings: Settings
    choices: list[Choice]
    device: Device
    preprocessing: Preprocessing
    training: Training

    @classmethod
    def prepare(cls, task: Task, params: Mapping[str, Any], seed: int) -> "Fit":
        """Resolve everything and build the network, ready to `run`.

        Raises
        ------
        InputError
            If the data or a parameter cannot be used.
        """
        _check_task(task)
        device_name = choose_device(params["device"])
        facts = DataFacts(**task.facts, device=device_name)
        settings, choices = resolve_settings(params, facts)
        device = Device(device_name, settings.precision)  # type: ignore[arg-type]
        preprocessing = _preprocessing(task, settings)
        network = _network(task, settings, preprocessing, seed).to(device_name)
        counts = torch.from_numpy(task.counts).float().to(device_name)
        training = Training(settings.stage(), network, device, counts, seed)
        return cls(task, seed, settings, choices, device, preprocessing, training)

    @property
    def model(self) -> Model:
        """The model, trained once `run` has returned."""
        return Model(
            network=self.training.network,
            preprocessing=self.preprocessing,
            device=self.device,
            counts=self.task.counts,
            weights=self.task.class_weights,
        )

    def run(self, *, observers: Sequence[Observer] = (), checkpoint: Path | None = None) -> None:
        """Train, from the checkpoint on if there is one, and leave the best weights."""
        task = self.task
        used = np.concatenate([task.train, task.validation])
        if isinstance(task.X, np.ndarray):
            array, train_rows, validation_rows = task.X, task.train, task.validation
        else:
            array = self.preprocessing.transform(task.X.iloc[used])  # type: ignore[arg-type]
            train_rows, validation_rows = np.split(np.arange(len(used)), [len(task.train)])
        weights = None if task.weights is None else _normalised(task.weights[task.train])
        train(
            self.training,
            Examples(Source(array, train_rows), task.codes[task.train], weights),
            Examples(Source(array, validation_rows), task.codes[task.validation]),
            observers=observers,
            checkpoint=checkpoint,
        )


def _check_task(task: Task) -> None:
    if task.n_classes < 2:
        raise InputError(
            "A classifier needs examples of at least two classes.",
            f"There is {task.n_classes} class.",
            "Check the labels, or add examples of another class.",
        )
    if missing := np.flatnonzero(task.counts == 0).tolist():
        raise InputError(
            "Each class needs at least one training example.",
            f"The classes with codes {missing} have none.",
            "Hold out less, or leave these classes out.",
        )
    if task.weights is not None and not (task.class_weights > 0).all():  # type: ignore[operator]
        raise InputError(
            "Each class needs a training example of a weight above zero.",
            f"The total weights of the classes are {task.class_weights}.",
            "Leave sample_weight out, or give positive weights.",
        )


def _preprocessing(task: Task, settings: Settings) -> Preprocessing:
    if isinstance(task.X, np.ndarray):
        return ImagePreprocessing.fit(task.X, task.train)
    return TablePreprocessing.fit(task.X, task.train, settings.scaling)


def _network(task: Task, settings: Settings, preprocessing: Preprocessing, seed: int) -> Network:
    examples = None
    if isinstance(task.X, pd.DataFrame):
        random = np.random.default_rng(derive_seed(seed, "initial examples"))
        shown = task.X.iloc[random.permutation(task.train)[:INITIAL_EXAMPLES]]
        examples = torch.from_numpy(preprocessing.transform(shown))  # type: ignore[arg-type]
    with reproducible(derive_seed(seed, "initial weights")):
        network = build_network(
            settings.backbone, Linear(), preprocessing.spec, task.n_classes, examples
        )
    if isinstance(task.X, np.ndarray):
        network = network.to(memory_format=torch.channels_last)
    _check_batch_norm(network, len(task.train), settings.batch_size)
    return network


def _check_batch_norm(network: nn.Module, n: int, batch_size: int) -> None:
    normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    smallest = n // math.ceil(n / batch_size)
    if normed and smallest < 2:
        raise InputError(
            "A network with batch norm needs at least two examples in every batch.",
            f"With {n} training examples and batches of {batch_size}, the smallest has one.",
            "Give a larger --batch-size, or a backbone without batch norm.",
        )


def _normalised(weights: WeightArray) -> np.ndarray:
    # Scaled by the largest first, for the sum of large weights may overflow.
    scaled = weights / weights.max()
    return (scaled / scaled.mean()).astype(np.float32)
