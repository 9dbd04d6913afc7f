"""Training: ``train`` runs epochs, ``run_epoch`` runs steps, ``step`` descends a gradient.

Everything random is drawn from a seed derived by name and step, so training that was stopped
after any epoch goes on with the same numbers, and no component disturbs another.
"""

import copy
import math
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equipoise._tensors import ClassCounts, Inputs
from equipoise.assembly import Assembly, view_transforms
from equipoise.batches import Examples, shuffled
from equipoise.checkpoints import (
    Checkpoint,
    grouped,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from equipoise.devices import Device, reproducible
from equipoise.distributed import World
from equipoise.divergence import require_finite
from equipoise.errors import InputError
from equipoise.objective import Learner, Objective, build_learner
from equipoise.prediction import predict_logits
from equipoise.progress import Observer, Progress
from equipoise.seeds import derive_seed
from equipoise.selection import Selection, validation_scores
from equipoise.stage import Stage
from equipoise.standard.averaging import recompute_statistics
from equipoise.standard.backbones import InputFormat, TableInput
from equipoise.standard.sharpness.base import Gradients, trainable

CHECKPOINT_SHARE = 0.02
"""Share of the time that writing checkpoints may take; what is lost at a stop follows from it."""


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
    inputs : InputFormat or None, default=None
        What the inputs look like; None: images.
    shown : Tensor or None, default=None
        Encoded training examples, for augmentations of tables.
    scales : mapping of str to float
        Factor on the learning rate of a parameter, by its name in the network.
    world : World
        The processes that train together.
    shift : ndarray of float, shape (classes,), or None
        Added to the logits of validation examples before they are scored: what the prior of
        training is corrected by; None: nothing.
    learner : Learner
        The network, and the projector of an auxiliary loss.
    optimizer : torch.optim.Optimizer
        Built from the stage.
    average : Module or None
        The averaged network, if there is one.
    best : dict of str to Tensor
        State of the network that is kept.
    selection : Selection
        Which epoch is kept.
    history : list of dict
        One row an epoch.
    assembly : Assembly
        How batches are made.
    objective : Objective
        What a step minimises.
    is_cut_short : bool
        Whether a deadline has ended training before its last epoch.
    """

    stage: Stage
    network: nn.Module
    device: Device
    counts: ClassCounts
    seed: int
    inputs: InputFormat | None = None
    shown: Inputs | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    world: World = World()  # noqa: RUF009 (frozen)
    shift: np.ndarray | None = None
    learner: Learner = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    average: nn.Module | None = field(init=False)
    best: dict[str, Tensor] = field(init=False)
    selection: Selection = field(init=False)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)
    assembly: Assembly = field(init=False)
    objective: Objective = field(init=False)
    is_cut_short: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        stage = self.stage
        self.learner = build_learner(stage, self.network, self.seed, self.device)
        scales = {f"network.{name}": scale for name, scale in self.scales.items()}
        self.optimizer = stage.optimizer.build(self.learner, scales)
        self.average = stage.average.start(self.network) if stage.average else None
        self.best = copy.deepcopy(self.network.state_dict())
        self.selection = Selection(stage.monitor, stage.patience)
        self.assembly = _assembly(self)
        self.objective = Objective(
            learner=self.learner,
            loss=stage.loss,
            auxiliary=stage.auxiliary,
            counts=self.counts,
            device=self.device,
            accumulate=stage.accumulate,
            world=self.world,
        )

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or patience has ended."""
        done = len(self.history)
        return done >= self.stage.epochs or self.selection.exhausted(done)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self.average is None else self.average

    def run_epoch(self, examples: Examples, observe: Observer, deadline: float | None) -> float:
        """Take one step for every batch, of the first epoch until a deadline; return the loss."""
        epoch, stage = len(self.history), self.stage
        order = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        if stage.sampler is None:
            batches = shuffled(len(examples), stage.batch_size, order)
        else:
            drawn = stage.sampler.order(examples.codes, epoch, stage.epochs, order)
            batches = np.array_split(drawn, -(-len(drawn) // stage.batch_size))
        total = torch.zeros((), device=self.device.name)
        started, seen = time.perf_counter(), 0
        self.learner.train()
        with reproducible(0, self.device.name):
            for i, positions in enumerate(batches):
                loss = self.step(examples, positions, epoch * len(batches) + i, len(batches))
                total += loss * len(positions)
                seen += len(positions)
                elapsed = time.perf_counter() - started
                observe(Progress(epoch + 1, stage.epochs, i + 1, len(batches), loss, seen, elapsed))
                if epoch == 0 and self._is_late(deadline):
                    break
        self.world.share_buffers(self.learner)
        if self.average is not None:
            self.world.share_buffers(self.average)
        self._finish_average(examples, (epoch + 1) * len(batches))
        return (total / seen).item()

    def _is_late(self, deadline: float | None) -> bool:
        """Whether a deadline has passed; not asked of several processes, which must agree."""
        return deadline is not None and self.world.size == 1 and time.monotonic() > deadline

    def step(self, examples: Examples, positions: np.ndarray, done: int, steps: int) -> Tensor:
        """Update the network on one batch, as step number `done`; return the batch's loss.

        Parameters
        ----------
        examples : Examples
            The training examples.
        positions : ndarray of int
            Which of them are in the batch, over all processes.
        done : int
            Number of the step, from 0.
        steps : int
            Steps in an epoch.
        """
        stage, world = self.stage, self.world
        # Named by rank only where there are several: one process draws as it always did.
        names = (done, world.rank) if world.size > 1 else (done,)
        batch = self.assembly.batch(examples, world.share(positions), *names)
        seed = derive_seed(self.seed, "network", *names)

        def closure(*weights: ClassCounts | None) -> tuple[Tensor, list[Gradients]]:
            return self.objective.gradients(batch, len(positions), seed, weights)

        if stage.sharpness is None:
            loss, (gradients,) = closure(None)
        else:
            loss, gradients = stage.sharpness.gradient(closure, self.learner, self.counts, done)
        self._descend(gradients, (done + 0.5) / (stage.epochs * steps))
        if stage.constraint is not None:
            stage.constraint.apply(self.network)  # type: ignore[arg-type]
        if stage.average is not None and self.average is not None:
            stage.average.update(self.average, self.network, done, stage.epochs * steps)
        return loss

    def _descend(self, gradients: Gradients, progress: float) -> None:
        """Clip, hand the gradients to the optimizer, and let it step."""
        stage = self.stage
        for group in self.optimizer.param_groups:
            rate = stage.optimizer.lr * stage.rate * stage.schedule(progress)
            group["lr"] = rate * group["lr_scale"]
        parameters = trainable(self.learner)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        if stage.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, stage.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _finish_average(self, examples: Examples, done: int) -> None:
        """Measure batch statistics anew where averaged weights have none of their own."""
        stage, epochs = self.stage, len(self.history) + 1
        total = done // epochs * stage.epochs
        if self.average is None or not stage.average.needs_statistics(done, total):  # type: ignore[union-attr]
            return
        # Shuffled: in the order of many data sets a batch would hold a single class.
        order = torch.Generator().manual_seed(derive_seed(self.seed, "statistics", epochs))
        batches = (
            examples.source.take(positions).to(self.device.name)
            for positions in shuffled(len(examples), max(2, stage.batch_size), order)
        )
        recompute_statistics(self.average, batches, self.device.autocast)

    def require_finite(self, loss: float, logits: np.ndarray) -> None:
        """Raise `TrainingError` if an epoch's loss, weights or logits are not finite."""
        epoch, optimizer = len(self.history) + 1, self.stage.optimizer
        require_finite(self.evaluated, loss, logits, epoch=epoch, optimizer=optimizer)

    def finish_epoch(self, loss: float, logits: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
        """Record an epoch; keep its weights if they are the best so far."""
        scores = validation_scores(self.corrected(logits), codes) if len(codes) else {}
        is_best = self.selection.update(len(self.history), scores)
        if is_best:
            self.best = copy.deepcopy(self.evaluated.state_dict())
        row = {
            "epoch": len(self.history) + 1,
            "learning_rate": max(group["lr"] for group in self.optimizer.param_groups),
            "train_loss": loss,
            "validation": scores,
            "best": is_best,
        }
        self.history.append(row)
        return row

    def corrected(self, logits: np.ndarray) -> np.ndarray:
        """Return logits for the prior of use."""
        return logits if self.shift is None else logits + self.shift

    def checkpoint(self) -> Checkpoint:
        """Return the whole state, from which `restore` goes on."""
        average = {} if self.average is None else self.average.state_dict()
        tensors = grouped(
            learner=self.learner.state_dict(),
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
        self.learner.load_state_dict(checkpoint.group("learner"))
        if self.average is not None:
            self.average.load_state_dict(checkpoint.group("average"))
        restore_optimizer(self.optimizer, checkpoint.group("optimizer"))
        self.best = checkpoint.group("best")
        self.history = list(checkpoint.facts["history"])
        self.selection.restore(checkpoint.facts["selection"])


def _assembly(training: Training) -> Assembly:
    stage, inputs = training.stage, training.inputs
    none = torch.zeros_like(training.counts)
    return Assembly(
        transforms=view_transforms(stage.augmentation, stage.auxiliary, inputs, training.shown),
        mixing=stage.mixing,
        n_numeric=inputs.n_numeric if isinstance(inputs, TableInput) else None,
        rates=none if stage.smoothing is None else stage.smoothing.rates(training.counts),
        counts=training.counts,
        class_weights=stage.weighting.weights(training.counts) if stage.weighting else None,
        seed=training.seed,
        device=training.device.name,
    )


def train(
    training: Training,
    examples: Examples,
    validation: Examples,
    *,
    observers: Sequence[Observer] = (),
    checkpoint: Path | None = None,
    deadline: float | None = None,
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
    deadline : float or None
        Time of `time.monotonic` after which no epoch shall end: training ends before one that,
        if it took as long as the last, would. The first ends in its middle if need be, but with
        several processes it is always trained.

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

    world = training.world

    def observe(progress: Progress) -> None:
        for observer in observers if world.is_first else ():
            observer(progress)

    due = -math.inf if world.is_first else math.inf
    while not training.finished and not _cut_short(training, deadline):
        started = time.perf_counter()
        loss = training.run_epoch(examples, observe, deadline)
        logits = predict_logits(training.evaluated, validation.source, training.device, world)
        training.require_finite(loss, logits)
        row = training.finish_epoch(loss, logits, validation.codes)
        seconds = time.perf_counter() - started
        row["seconds"] = seconds
        row["examples_per_second"] = len(examples) / seconds
        if checkpoint is not None and time.monotonic() > due:
            begun = time.monotonic()
            write_checkpoint(checkpoint, training.checkpoint())
            ended = time.monotonic()
            due = ended + (ended - begun) / CHECKPOINT_SHARE
        observe(_epoch_done(training, row, loss, len(examples)))
    training.network.load_state_dict(training.best)
    training.network.eval()


def _cut_short(training: Training, deadline: float | None) -> bool:
    """Note and return whether another epoch as long as the last would end after the deadline."""
    if deadline is None or not training.history:
        return False
    world = training.world
    ends = time.monotonic() + training.history[-1]["seconds"]
    # The first process decides for all: one that went on alone would wait for the others for ever.
    is_late = torch.tensor(float(world.is_first and ends > deadline), device=training.device.name)
    world.total([is_late])
    training.is_cut_short = bool(is_late)
    return training.is_cut_short


def _epoch_done(training: Training, row: Mapping[str, Any], loss: float, n: int) -> Progress:
    epochs = training.stage.epochs
    return Progress(row["epoch"], epochs, 0, 0, torch.tensor(loss), n, row["seconds"], row)
