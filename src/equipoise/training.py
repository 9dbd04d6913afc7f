"""Training: ``train`` runs epochs, ``run_epoch`` runs steps, ``step`` descends a gradient.

Everything random is drawn from a seed derived by name and step, so training that was stopped
after any epoch goes on with the same numbers, and no component disturbs another.
"""

import copy
import math
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equipoise._tensors import ClassCounts, Inputs
from equipoise.batches import Examples
from equipoise.checkpoints import (
    Checkpoint,
    grouped,
    read_checkpoint,
    write_checkpoint,
)
from equipoise.deadlines import Deadline
from equipoise.devices import Device
from equipoise.distributed import World
from equipoise.divergence import require_finite
from equipoise.errors import InputError
from equipoise.learning import Learning
from equipoise.prediction import predict_logits
from equipoise.progress import Observer, Progress
from equipoise.seeds import derive_seed
from equipoise.selection import Selection, class_recalls, validation_scores
from equipoise.stage import Stage
from equipoise.standard.backbones import InputFormat
from equipoise.standard.networks import Network

CHECKPOINT_SHARE = 0.02
"""Share of the time that writing checkpoints may take; what is lost at a stop follows from it."""


@dataclass(eq=False)
class Training:
    """A network being trained, with everything that changes from step to step.

    Parameters
    ----------
    stages : sequence of Stage
        What training does, one after the other.
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
    correct : callable or None, default=None
        Takes logits of validation examples, a stage, and how much of it is done, from 0 in its
        first epoch to 1 in its last; returns them for the prior of use, as they are scored. None:
        they are scored as they are.
    index : int
        Number of the stage that training is in, from 0.
    learning : Learning
        What that stage needs and changes.
    best : dict of str to Tensor
        State of the network that is kept.
    selection : Selection
        Which epoch of the stage is kept.
    history : list of dict
        One row an epoch, of all stages.
    is_cut_short : bool
        Whether a deadline has ended training, or a stage of it, before its last epoch.
    planned : tuple of int
        Epochs of each stage before a deadline has shortened any.
    """

    stages: Sequence[Stage]
    network: nn.Module
    device: Device
    counts: ClassCounts
    seed: int
    inputs: InputFormat | None = None
    shown: Inputs | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    world: World = World()  # noqa: RUF009 (frozen)
    correct: Callable[[np.ndarray, Stage, float], np.ndarray] | None = None
    index: int = field(init=False, default=0)
    learning: Learning = field(init=False)
    best: dict[str, Tensor] = field(init=False)
    selection: Selection = field(init=False)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)
    is_cut_short: bool = field(init=False, default=False)
    planned: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.planned = tuple(stage.epochs for stage in self.stages)
        is_needed = any(stage.fresh_head for stage in self.stages)
        self._head = copy.deepcopy(self.network.head.state_dict()) if is_needed else {}  # type: ignore[union-attr]
        self._enter(0, first=0)

    def _enter(self, index: int, first: int) -> None:
        """Begin a stage with the network as it is, after `first` epochs of the stages before."""
        self.index, stage = index, self.stages[index]
        before = self.learning if stage.continues else None
        if stage.trains != "all":
            self.network.freeze_backbone()  # type: ignore[operator]
        if stage.trains == "scales":
            self.network.freeze(n for n, _ in self.network.named_parameters())  # type: ignore[operator]
        if stage.fresh_head:
            self.network.head.load_state_dict(self._head)  # type: ignore[union-attr]
        guide = None if stage.translation is None else self._kept()
        self._predict_by(stage)
        self.learning = Learning(
            stage=stage,
            network=self.network,
            device=self.device,
            counts=self.counts,
            seed=derive_seed(self.seed, "stage", index) if index else self.seed,
            inputs=self.inputs,
            shown=self.shown,
            scales=self.scales,
            world=self.world,
            first=first,
            epochs=first + sum(each.epochs for each in self.stages[index:]),
            guide=guide,
        )
        if before is not None:
            self.learning.go_on_from(before)
        if not self.history:  # else what the stage before has kept stays until an epoch is done
            self.best = copy.deepcopy(self.network.state_dict())
        self.selection = Selection(stage.monitor, stage.patience)

    def _predict_by(self, stage: Stage) -> None:
        if isinstance(self.network, Network):
            self.network.loss = stage.loss

    def _kept(self) -> nn.Module:
        """Return a network of its own that predicts with the weights that are kept so far."""
        kept = copy.deepcopy(self.network)
        kept.load_state_dict(self.best)
        return kept.requires_grad_(False).eval()

    def advance(self) -> None:
        """Begin the next stage, with the weights that the one before has left."""
        following = self.stages[self.index + 1]
        if not following.continues:
            self.network.load_state_dict(self.best)
        self._enter(self.index + 1, first=len(self.history))

    def shorten(self) -> None:
        """End the stage with the epochs that it has had, and make later ones as much shorter."""
        done = self.done_in_stage
        lengths = [
            *self._lengths[: self.index],
            done,
            *(max(1, round(n * done / self.stage.epochs)) for n in self._lengths[self.index + 1 :]),
        ]
        self._take_lengths(lengths)

    @property
    def _lengths(self) -> list[int]:
        return [stage.epochs for stage in self.stages]

    def _take_lengths(self, lengths: Sequence[int]) -> None:
        pairs = zip(self.stages, lengths, strict=True)
        self.stages = tuple(replace(stage, epochs=n) for stage, n in pairs)
        self.is_cut_short = tuple(lengths) != self.planned

    @property
    def stage(self) -> Stage:
        """The stage that training is in."""
        return self.stages[self.index]

    @property
    def epochs(self) -> int:
        """Epochs of all stages: those done of the stages before, those planned of the others."""
        return self.learning.epochs

    @property
    def done_in_stage(self) -> int:
        """Epochs of the stage that are done."""
        return len(self.history) - self.learning.first

    @property
    def kept(self) -> int:
        """Number of the stage whose weights are kept, from 0; before any epoch, of the last."""
        # The first epoch of a stage always replaces what the stage before has kept.
        return self.history[-1]["stage"] - 1 if self.history else len(self.stages) - 1

    @property
    def kept_progress(self) -> float:
        """How much of its stage was done in the epoch that is kept, from 0 to 1.

        That is 0 in the first epoch and 1 in the last of those planned, and before any epoch.
        """
        rows = [row for row in self.history if row["stage"] == self.kept + 1]
        best = [place for place, row in enumerate(rows) if row["best"]]
        if not best:
            return 1.0
        own = self.learning.stage if self.kept == self.index else self.stages[self.kept]
        return min(best[-1] / max(1, own.epochs - 1), 1.0)

    @property
    def ends_stage(self) -> bool:
        """Whether the last epoch of the stage is done or its patience has ended."""
        done = self.done_in_stage
        return done >= self.stage.epochs or (
            done > 0 and self.selection.exhausted(len(self.history))
        )

    @property
    def finished(self) -> bool:
        """Whether the last stage has ended."""
        return self.index == len(self.stages) - 1 and self.ends_stage

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.learning.evaluated

    def require_finite(self, loss: float, logits: np.ndarray) -> None:
        """Raise `TrainingError` if an epoch's loss, weights or logits are not finite."""
        epoch, optimizer = len(self.history) + 1, self.stage.optimizer
        require_finite(self.evaluated, loss, logits, epoch=epoch, optimizer=optimizer)

    def finish_epoch(self, loss: float, logits: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
        """Record an epoch; keep its weights if they are the best so far.

        Recalls of held-out classes are of the logits as they are, before any correction.
        """
        scores = validation_scores(self.corrected(logits), codes) if len(codes) else {}
        is_best = self.selection.update(len(self.history), scores)
        if is_best:
            self.best = copy.deepcopy(self.evaluated.state_dict())
        row = {
            "epoch": len(self.history) + 1,
            "stage": self.index + 1,
            "learning_rate": max(group["lr"] for group in self.learning.optimizer.param_groups),
            "train_loss": loss,
            "validation": scores,
            "recall": class_recalls(logits, codes) if len(codes) else [],
            "best": is_best,
        }
        self.history.append(row)
        return row

    def corrected(self, logits: np.ndarray) -> np.ndarray:
        """Return logits after the epoch that training is in for the prior of use."""
        done = self.done_in_stage / max(1, self.stage.epochs - 1)
        if self.correct is None:
            return logits
        return self.correct(logits, self.stage, min(done, 1.0))

    def take_best(self) -> None:
        """Leave the weights that are kept in the network, ready to predict."""
        self.network.load_state_dict(self.best)
        self._predict_by(self.stages[self.kept])
        self.network.eval()

    def checkpoint(self) -> Checkpoint:
        """Return the whole state, from which `restore` goes on."""
        learning = self.learning
        facts = {
            "history": self.history,
            "selection": self.selection.state(),
            "shortened": self._lengths if tuple(self._lengths) != self.planned else None,
            "stage": self.index,
            "first": learning.first,
            "constraint": None if learning.constraint is None else repr(learning.constraint),
        }
        return Checkpoint(grouped(**learning.tensors(), best=self.best), facts)

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
        if checkpoint.facts["shortened"] is not None:
            self._take_lengths(checkpoint.facts["shortened"])
        for index in range(self.index + 1, checkpoint.facts["stage"] + 1):
            self._enter(index, first=checkpoint.facts["first"])
        self.learning.restore(checkpoint)
        self.best = checkpoint.group("best")
        self.history = list(checkpoint.facts["history"])
        self.selection.restore(checkpoint.facts["selection"])


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
        Time of `time.monotonic` after which no epoch shall end, see `Deadline`. The first
        ends in its middle if need be, but with several processes it is always trained.

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
    limit = Deadline(training, examples, deadline)
    while not training.finished and not limit.is_over():
        started = time.perf_counter()
        if training.ends_stage:
            training.advance()
        loss = training.learning.run_epoch(examples, len(training.history), observe, deadline)
        limit.learning = time.perf_counter() - started
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
    training.take_best()


def _epoch_done(training: Training, row: Mapping[str, Any], loss: float, n: int) -> Progress:
    return Progress(row["epoch"], training.epochs, 0, 0, torch.tensor(loss), n, row["seconds"], row)
