"""One stage of training: its optimizer and average, and the steps and epochs that it takes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from equipoise._tensors import ClassCounts, Inputs
from equipoise.assembly import Assembly, Batch, view_transforms
from equipoise.batches import Examples, shuffled
from equipoise.checkpoints import Checkpoint, optimizer_tensors, restore_optimizer
from equipoise.devices import Device, reproducible
from equipoise.distributed import World
from equipoise.objective import Learner, Objective, build_learner
from equipoise.progress import Observer, Progress
from equipoise.seeds import derive_seed
from equipoise.spec import resolve
from equipoise.specialized.translation import Translation
from equipoise.stage import Stage
from equipoise.standard.averaging import recompute_statistics
from equipoise.standard.backbones import InputFormat, TableInput
from equipoise.standard.constraints import CONSTRAINTS, Constraint
from equipoise.standard.sharpness.base import Gradients, trainable


@dataclass(eq=False, kw_only=True)
class Learning:
    """What a stage of training needs and changes from step to step.

    Parameters
    ----------
    stage : Stage
        What is done.
    network : Module
        What is trained, on its device.
    device : Device
        Where, and in which precision.
    counts : Tensor of float, shape (classes,)
        Training examples of each class, on the device.
    seed : int
        Seed of everything random in this stage.
    inputs : InputFormat or None
        What the inputs look like; None: images.
    shown : Tensor or None
        Encoded training examples, for augmentations of tables.
    scales : mapping of str to float
        Factor on the learning rate of a parameter, by its name in the network.
    world : World
        The processes that train together.
    first : int
        Epochs that the stages before have taken.
    epochs : int
        Epochs of all stages, of those before as many as they have taken.
    guide : Module or None
        What the stage before has kept, for a stage that translates examples.
    learner : Learner
        The network, and the projector of an auxiliary loss.
    optimizer : torch.optim.Optimizer
        Built from the stage.
    average : Module or None
        The averaged network, if there is one.
    assembly : Assembly
        How batches are made.
    objective : Objective
        What a step minimises.
    constraint : Constraint or None
        That of the stage, for the network that it began with.
    """

    stage: Stage
    network: nn.Module
    device: Device
    counts: ClassCounts
    seed: int
    inputs: InputFormat | None
    shown: Inputs | None
    scales: Mapping[str, float]
    world: World
    first: int
    epochs: int
    guide: nn.Module | None = None
    learner: Learner = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    average: nn.Module | None = field(init=False)
    assembly: Assembly = field(init=False)
    objective: Objective = field(init=False)
    constraint: Constraint | None = field(init=False)

    def __post_init__(self) -> None:
        stage = self.stage
        self.learner = build_learner(stage, self.network, self.seed, self.device)
        scales = {f"network.{name}": scale for name, scale in self.scales.items()}
        self.optimizer = stage.optimizer.build(self.learner, scales)
        self.average = stage.average.start(self.network) if stage.average else None
        bound = stage.constraint
        self.constraint = None if bound is None else bound.begun(self.network)  # type: ignore[arg-type]
        self.assembly = self._assembly()
        self.objective = Objective(
            learner=self.learner,
            loss=stage.loss,
            auxiliary=stage.auxiliary,
            counts=self.counts,
            device=self.device,
            accumulate=stage.accumulate,
            world=self.world,
        )

    def _assembly(self) -> Assembly:
        stage, inputs, counts = self.stage, self.inputs, self.counts
        return Assembly(
            transforms=view_transforms(stage.augmentation, stage.auxiliary, inputs, self.shown),
            mixing=stage.mixing,
            n_numeric=inputs.n_numeric if isinstance(inputs, TableInput) else None,
            rates=stage.rates(counts),
            counts=counts,
            class_weights=stage.weighting.weights(counts) if stage.weighting else None,
            seed=self.seed,
            device=self.device.name,
        )

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self.average is None else self.average

    def go_on_from(self, before: "Learning") -> None:
        """Take over from the stage before what a stage goes on with, beside the network."""
        projector = before.learner.projector
        if self.learner.projector is not None and projector is not None:
            self.learner.projector.load_state_dict(projector.state_dict())
        self.optimizer.load_state_dict(before.optimizer.state_dict())

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return all tensors that change from step to step, by what they are of."""
        return {
            "learner": self.learner.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            "guide": {} if self.guide is None else self.guide.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over what `tensors` returned, and the constraint of then."""
        self.learner.load_state_dict(checkpoint.group("learner"))
        if self.average is not None:
            self.average.load_state_dict(checkpoint.group("average"))
        if self.guide is not None:
            self.guide.load_state_dict(checkpoint.group("guide"))
        restore_optimizer(self.optimizer, checkpoint.group("optimizer"))
        # Measured when the stage began; checkpoints of earlier versions hold none.
        if (bound := checkpoint.facts.get("constraint")) is not None:
            self.constraint = resolve(bound, CONSTRAINTS, "constraint")

    def order(self, examples: Examples, epoch: int) -> list[np.ndarray]:
        """Return the positions of the examples of each batch of an epoch of this stage."""
        stage = self.stage
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        if stage.sampler is None:
            return shuffled(len(examples), stage.batch_size, generator)
        drawn = stage.sampler.order(examples.codes, epoch, stage.epochs, generator)
        return np.array_split(drawn, -(-len(drawn) // stage.batch_size))

    def run_epoch(
        self, examples: Examples, done: int, observe: Observer, deadline: float | None
    ) -> float:
        """Take one step for every batch; return the loss.

        Parameters
        ----------
        examples : Examples
            The training examples.
        done : int
            Epochs of all stages that are done.
        observe : callable
            Told after every step.
        deadline : float or None
            Time of `time.monotonic` after which the first epoch of all ends in its middle.
        """
        epoch = done - self.first
        batches = self.order(examples, epoch)
        total = torch.zeros((), device=self.device.name)
        started, seen = time.perf_counter(), 0
        self.learner.train()
        with reproducible(0, self.device.name):
            for i, positions in enumerate(batches):
                loss = self.step(examples, positions, epoch * len(batches) + i, len(batches))
                total += loss * len(positions)
                seen += len(positions)
                elapsed = time.perf_counter() - started
                observe(Progress(done + 1, self.epochs, i + 1, len(batches), loss, seen, elapsed))
                if done == 0 and self._is_late(deadline):
                    break
        self.world.share_buffers(self.learner)
        if self.average is not None:
            self.world.share_buffers(self.average)
        self._finish_average(examples, epoch + 1, len(batches))
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
        if stage.translation is not None:
            batch = self._translated(batch, examples, stage.translation, names)
        seed = derive_seed(self.seed, "network", *names)

        def closure(*weights: ClassCounts | None) -> tuple[Tensor, list[Gradients]]:
            return self.objective.gradients(batch, len(positions), seed, weights)

        if stage.sharpness is None:
            loss, (gradients,) = closure(None)
        else:
            loss, gradients = stage.sharpness.gradient(closure, self.learner, self.counts, done)
        self._descend(gradients, stage.progress((done + 0.5) / (stage.epochs * steps)))
        self.learner.fold()
        if self.constraint is not None:
            self.constraint.apply(self.network)  # type: ignore[arg-type]
        if stage.average is not None and self.average is not None:
            stage.average.update(self.average, self.network, done, stage.epochs * steps)
        return loss

    def _translated(
        self, batch: Batch, examples: Examples, translation: Translation, names: tuple[int, ...]
    ) -> Batch:
        """Return a batch with translated examples of larger classes in the place of some."""
        assert self.guide is not None
        generator = self.assembly.generator("translation", *names)
        rows, sources = translation.draw(batch.labels, self.counts, generator)
        if not len(rows):
            return batch
        positions = examples.draw_of(sources.numpy(), generator)
        others = self.assembly.plain(examples, positions, "augmentation of sources", *names)
        start = translation.disturbed(others.views[0], generator)
        rows = rows.to(self.device.name)
        classes = others.labels, batch.labels[rows]
        self.network.eval()
        with self.device.autocast():
            made, accepted = translation.translated(start, classes, (self.guide, self.network))
        self.network.train()
        view = batch.views[0].float().index_copy(0, rows[accepted], made[accepted])
        return replace(batch, views=(view,))

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

    def _finish_average(self, examples: Examples, epochs: int, steps: int) -> None:
        """Measure batch statistics anew where averaged weights have none of their own."""
        stage = self.stage
        done, total = epochs * steps, stage.epochs * steps
        if stage.trains != "all":  # a backbone that stays keeps its statistics
            return
        if self.average is None or not stage.average.needs_statistics(done, total):  # type: ignore[union-attr]
            return
        # Shuffled: in the order of many data sets a batch would hold a single class.
        order = torch.Generator().manual_seed(derive_seed(self.seed, "statistics", epochs))
        batches = (
            examples.source.take(positions).to(self.device.name)
            for positions in shuffled(len(examples), max(2, stage.batch_size), order)
        )
        recompute_statistics(self.average, batches, self.device.autocast)
