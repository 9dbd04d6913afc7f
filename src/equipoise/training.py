"""Training: ``train`` runs epochs, ``run_epoch`` runs steps, ``step`` takes a closure.

Everything random is drawn from a seed derived by name and epoch, so training that was
stopped after any epoch goes on with the same numbers, and no component disturbs another.
"""

import copy
import math
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equipoise._tensors import Inputs, Labels
from equipoise.batches import Examples, Source, in_order, shuffled
from equipoise.checkpoints import (
    Checkpoint,
    grouped,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from equipoise.devices import Device, reproducible
from equipoise.errors import InputError, TrainingError
from equipoise.seeds import derive_seed
from equipoise.selection import Selection, validation_scores
from equipoise.standard.augmentation import Augmentation
from equipoise.standard.averaging import EMA
from equipoise.standard.losses import Loss
from equipoise.standard.optimizers import Optimizer
from equipoise.standard.schedules import Schedule
from equipoise.standard.smoothing import Smoothing, soft_targets

PREDICTION_VALUES = 500 * 32 * 32 * 3
"""Predictions are made in batches of at most 500 examples and this many input values."""

CHECKPOINT_SECONDS = 10.0
"""Least time between two checkpoints; what is lost at a kill is at most this and an epoch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """What training does: every component and number resolved.

    Parameters
    ----------
    epochs : int
        Passes over the training examples, at least 1.
    batch_size : int
        Largest number of examples in a step, at least 1.
    optimizer, schedule, loss : component
        See `equipoise.standard`.
    smoothing, augmentation, average : component or None
        None: not used.
    clip_norm : float or None
        Largest norm of the whole gradient; None: not clipped.
    monitor : str
        Validation score by which the best epoch is chosen.
    patience : int or None
        Epochs without a new best after which training stops; None: it runs to the end.
    """

    epochs: int
    batch_size: int
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    smoothing: Smoothing | None = None
    augmentation: Augmentation | None = None
    average: EMA | None = None
    clip_norm: float | None = None
    monitor: str = "balanced_accuracy"
    patience: int | None = None


@dataclass(frozen=True)
class Progress:
    """What an observer is told after each step, and with `row` after each epoch.

    Parameters
    ----------
    epoch, epochs : int
        The epoch that is under way or done, from 1, and the number planned.
    step, steps : int
        The step that is done, from 1, and the number in this epoch; both 0 after an epoch.
    loss : Tensor
        Loss of the step, or the mean of the epoch; reading it makes the processor wait for
        the device.
    examples : int
        Examples seen in this epoch.
    seconds : float
        Time since this epoch began.
    row : mapping or None, default=None
        After an epoch its row of the history.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: Tensor
    examples: int
    seconds: float
    row: Mapping[str, Any] | None = None


Observer = Callable[[Progress], None]
"""Called while training advances; what it returns is ignored, what it raises stops training.

It must leave torch's global random generator alone, which dropout draws from.
"""


@dataclass(eq=False)
class Training:
    """A network being trained, with everything that changes from step to step.

    Parameters
    ----------
    stage : Stage
        What training does.
    network : Module
        What is trained, on its device.
    device : Device
        Where, and in which precision.
    counts : Tensor of float, shape (classes,)
        Training examples of each class, on the device.
    seed : int
        Seed of everything random.
    optimizer : torch.optim.Optimizer
        Built from the stage.
    rates : Tensor of float, shape (classes,)
        Smoothing rate of each class.
    average : Module or None
        The averaged network, if there is one.
    best : dict of str to Tensor
        State of the network that is kept.
    selection : Selection
        Which epoch is kept.
    history : list of dict
        One row an epoch.
    """

    stage: Stage
    network: nn.Module
    device: Device
    counts: Tensor
    seed: int
    optimizer: torch.optim.Optimizer = field(init=False)
    rates: Tensor = field(init=False)
    average: nn.Module | None = field(init=False)
    best: dict[str, Tensor] = field(init=False)
    selection: Selection = field(init=False)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        stage = self.stage
        self.optimizer = stage.optimizer.build(self.network)
        none = torch.zeros_like(self.counts)
        self.rates = none if stage.smoothing is None else stage.smoothing.rates(self.counts)
        self.average = stage.average.start(self.network) if stage.average else None
        self.best = copy.deepcopy(self.network.state_dict())
        self.selection = Selection(stage.monitor, stage.patience)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or patience has ended."""
        done = len(self.history)
        return done >= self.stage.epochs or self.selection.exhausted(done)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self.average is None else self.average

    def run_epoch(self, examples: Examples, observe: Observer) -> float:
        """Take one step for every batch; return the mean training loss."""
        epoch, stage = len(self.history), self.stage
        order = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        draws = torch.Generator().manual_seed(derive_seed(self.seed, "augmentation", epoch))
        batches = shuffled(len(examples), stage.batch_size, order)
        total = torch.zeros((), device=self.device.name)
        started, seen = time.perf_counter(), 0
        self.network.train()
        with reproducible(derive_seed(self.seed, "network", epoch), self.device.name):
            for i, positions in enumerate(batches):
                done = epoch * len(batches) + i
                self._set_rate((done + 0.5) / (stage.epochs * len(batches)))
                loss = self.step(*self._batch(examples, positions, draws), done)
                total += loss * len(positions)
                seen += len(positions)
                elapsed = time.perf_counter() - started
                observe(Progress(epoch + 1, stage.epochs, i + 1, len(batches), loss, seen, elapsed))
        return (total / len(examples)).item()

    def step(self, inputs: Inputs, labels: Labels, weights: Tensor | None, done: int) -> Tensor:
        """Update the network on one batch, as step number `done`; return the batch's loss."""
        stage = self.stage
        targets = soft_targets(labels, self.rates)

        def closure() -> Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            with self.device.autocast():
                logits = self.network(inputs)
            losses = stage.loss(logits.float(), targets, labels, self.counts)
            loss = (losses if weights is None else losses * weights).mean()
            loss.backward()
            if stage.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.network.parameters(), stage.clip_norm)
            return loss

        loss: Tensor = self.optimizer.step(closure)  # type: ignore[assignment]
        if stage.average is not None and self.average is not None:
            stage.average.update(self.average, self.network, done)
        return loss.detach()

    def finish_epoch(self, loss: float, logits: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
        """Record an epoch; keep its weights if they are the best so far."""
        scores = validation_scores(logits, codes) if len(codes) else {}
        is_best = self.selection.update(len(self.history), scores)
        if is_best:
            self.best = copy.deepcopy(self.evaluated.state_dict())
        row = {
            "epoch": len(self.history) + 1,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": loss,
            "validation": scores,
            "best": is_best,
        }
        self.history.append(row)
        return row

    def checkpoint(self) -> Checkpoint:
        """Return the whole state, from which `restore` goes on."""
        average = {} if self.average is None else self.average.state_dict()
        tensors = grouped(
            network=self.network.state_dict(),
            average=average,
            optimizer=optimizer_tensors(self.optimizer),
            best=self.best,
        )
        return Checkpoint(tensors, {"history": self.history, "selection": self.selection.state()})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state that `checkpoint` returned.

        Raises
        ------
        InputError
            If the checkpoint is of another network.
        """
        try:
            self._restore(checkpoint)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise InputError(
                "A checkpoint must be of the network that is being trained.",
                f"This one does not fit: {textwrap.shorten(str(error), 200)}",
                "Delete it to start this run again from its first epoch.",
            ) from error

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.group("network"))
        if self.average is not None:
            self.average.load_state_dict(checkpoint.group("average"))
        restore_optimizer(self.optimizer, checkpoint.group("optimizer"))
        self.best = checkpoint.group("best")
        self.history = list(checkpoint.facts["history"])
        self.selection.restore(checkpoint.facts["selection"])

    def _set_rate(self, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.optimizer.lr * self.stage.schedule(progress)

    def _batch(
        self, examples: Examples, positions: np.ndarray, draws: torch.Generator
    ) -> tuple[Inputs, Labels, Tensor | None]:
        device = self.device.name
        inputs = examples.source.take(positions).to(device)
        if self.stage.augmentation is not None:
            inputs = self.stage.augmentation(inputs, draws)
        labels = torch.from_numpy(examples.codes[positions]).to(device)
        if examples.weights is None:
            return inputs, labels, None
        weights = torch.from_numpy(examples.weights[positions]).float()
        return inputs, labels, weights.to(device)


def train(
    training: Training,
    examples: Examples,
    validation: Examples,
    *,
    observers: Sequence[Observer] = (),
    checkpoint: Path | None = None,
) -> None:
    """Train to the last epoch or until patience ends, and leave the best weights in the network.

    Parameters
    ----------
    training : Training
        The network and its stage; changed in place.
    examples, validation : Examples
        What is learnt from, and what the best epoch is chosen by. Without validation
        examples the last epoch is kept.
    observers : sequence of callable
        Told after every step and every epoch.
    checkpoint : Path or None
        File to resume from if it exists, and to keep the state in.

    Raises
    ------
    TrainingError
        If the loss, the weights or the logits of an epoch are not all finite numbers.
    InputError
        If the checkpoint is damaged, or of another network.
    """
    saved = None if checkpoint is None else read_checkpoint(checkpoint)
    if saved is not None:
        training.restore(saved)

    def observe(progress: Progress) -> None:
        for observer in observers:
            observer(progress)

    written = -math.inf
    while not training.finished:
        started = time.perf_counter()
        loss = training.run_epoch(examples, observe)
        logits = predict_logits(training.evaluated, validation.source, training.device)
        _check_finite(training, loss, logits)
        row = training.finish_epoch(loss, logits, validation.codes)
        seconds = time.perf_counter() - started
        row["seconds"] = seconds
        row["examples_per_second"] = len(examples) / seconds
        if checkpoint is not None and time.monotonic() - written > CHECKPOINT_SECONDS:
            write_checkpoint(checkpoint, training.checkpoint())
            written = time.monotonic()
        observe(_epoch_done(training, row, loss, len(examples)))
    training.network.load_state_dict(training.best)
    training.network.eval()


def _epoch_done(training: Training, row: Mapping[str, Any], loss: float, n: int) -> Progress:
    epochs = training.stage.epochs
    return Progress(row["epoch"], epochs, 0, 0, torch.tensor(loss), n, row["seconds"], row)


def _check_finite(training: Training, loss: float, logits: np.ndarray) -> None:
    state = training.evaluated.state_dict().values()
    whole = {
        "training loss": math.isfinite(loss),
        "weights": all(bool(tensor.isfinite().all()) for tensor in state),
        "validation logits": bool(np.isfinite(logits).all()),
    }
    if broken := [name for name, is_whole in whole.items() if not is_whole]:
        raise TrainingError(
            f"Training diverged: infinite or undefined {' and '.join(broken)} in epoch "
            f"{len(training.history) + 1}. "
            f"Lower the learning rate of {training.stage.optimizer!r}, or set a clip_norm."
        )


@torch.no_grad()
def predict_logits(network: nn.Module, source: Source, device: Device) -> np.ndarray:
    """Return the logits of every example of a source, float32, shape ``(examples, classes)``."""
    network.eval()
    values = int(np.prod(source.array.shape[1:]))
    batch_size = min(500, max(1, PREDICTION_VALUES // values))
    batches = []
    for positions in in_order(len(source), batch_size):
        inputs = source.take(positions).to(device.name)
        with device.autocast():
            batches.append(network(inputs).float().cpu().numpy())
    return np.concatenate(batches) if batches else np.empty((0, 0), np.float32)
