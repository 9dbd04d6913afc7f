"""From examples and parameters to a trained network; the classifier and runs both fit here."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from equipoise._typing import LogitArray, MarginArray, PriorArray
from equipoise.adjustment import Adjustment, adjust, check_adjustable
from equipoise.batches import Examples
from equipoise.contained import contained_margins, contained_prior, is_exact
from equipoise.defaults import Choice, DataFacts, has_weights
from equipoise.devices import Device, choose_device, own_device, reproducible
from equipoise.distributed import World
from equipoise.errors import InputError
from equipoise.initial import Initial
from equipoise.material import Material, facts_of
from equipoise.metrics import correct_logits
from equipoise.models import Model
from equipoise.parallel import SharedArray, companions
from equipoise.preprocessing import ImagePreprocessing, Preprocessing, TablePreprocessing
from equipoise.progress import Observer
from equipoise.seeds import derive_seed
from equipoise.settings import Settings, resolve_resampling, resolve_settings
from equipoise.specialized.mixing import CMO, Remix
from equipoise.specialized.samplers import Sampler
from equipoise.stage import Stage
from equipoise.standard.finetuning import Full
from equipoise.standard.networks import Network, build_network, rebuild_network
from equipoise.standard.normalisation import apply_norm, has_batch_norm
from equipoise.standard.sharpness import SAMA, FocalSAM, ImbSAM
from equipoise.task import Task
from equipoise.training import Training, train

BY_LABELS = (Sampler, Remix, CMO, SAMA, ImbSAM, FocalSAM)
"""Components that pre-training must do without."""


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
    material : Material
        The examples, ready for the network.
    training : Training
        The network and its state.
    params : mapping of str to value
        The parameters that all this came from.
    adjustment : Adjustment or None
        What was done to the head after training; None: nothing, or not yet.
    """

    task: Task
    seed: int
    settings: Settings
    choices: list[Choice]
    device: Device
    preprocessing: Preprocessing
    material: Material
    training: Training
    params: Mapping[str, Any]
    adjustment: Adjustment | None = None

    @classmethod
    def prepare(cls, task: Task, params: Mapping[str, Any], seed: int, rank: int = 0) -> "Fit":
        """Resolve everything and build the network, ready to `run`.

        Parameters
        ----------
        task : Task
            The examples.
        params : mapping of str to value
            A classifier's parameters.
        seed : int
            Seed of everything random.
        rank : int, default=0
            Number of this process, where several train together.

        Raises
        ------
        InputError
            If the data or a parameter cannot be used.
        """
        task.check()
        initial = Initial.read(params["initial"]) if params["initial"] is not None else None
        given = params if initial is None else initial.params(params)
        device_name = choose_device(given["device"])
        known = facts_of(task, resolve_resampling(given))
        facts = DataFacts(**known, device=device_name, pretrained=initial is not None)
        settings, choices = resolve_settings(given, facts)
        world = World(rank, settings.devices)
        device = Device(own_device(device_name, world), settings.precision)  # type: ignore[arg-type]
        preprocessing = _preprocessing(task, settings, initial)
        material = Material(task, preprocessing, settings.resampling, seed)
        network = _network(material, settings, initial)
        _check_batch_norm(network, facts.n_train, settings)
        check_adjustable(settings, task, network)
        tuning = settings.finetuning
        training = Training(
            stages=_stages(task, settings),
            network=network.to(device.name),
            device=device,
            counts=torch.from_numpy(task.counts).float().to(device.name),
            seed=seed,
            inputs=preprocessing.spec,
            shown=material.shown,
            scales={} if tuning is None else tuning.scales(network),
            world=world,
        )
        fit = cls(task, seed, settings, choices, device, preprocessing, material, training, params)
        training.correct = fit.corrected_after
        return fit

    @property
    def model(self) -> Model:
        """The model, trained once `run` has returned."""
        return Model(
            network=self.training.network,
            preprocessing=self.preprocessing,
            device=self.device,
            counts=self.task.counts,
            prior=self.prior,
            margins=self.margins,
        )

    @property
    def network(self) -> dict[str, Any]:
        """What the network can be built from again, see `equipoise.loading.rebuild_model`."""
        settings = self.settings
        return {
            "backbone": repr(settings.backbone),
            "head": repr(settings.head),
            "norm": settings.norm,
            "precision": self.device.precision,
            "counts": self.task.counts.tolist(),
            "prior": self.prior.tolist(),
            **self.fitted_by,
        }

    @property
    def fitted_by(self) -> dict[str, Any]:
        """What the loss has done to the logits, where it has done anything.

        ``loss``, by which the network predicts, as text; ``margins``, by class.
        """
        loss, margins = getattr(self.training.network, "loss", None), self.margins
        named = {"loss": repr(loss)} if loss is not None and loss.maps_logits else {}
        return named | ({} if margins is None else {"margins": margins.tolist()})

    @property
    def exact_prior(self) -> bool:
        """Whether correction to other class frequencies is exact, see `is_exact`."""
        training, is_adjusted = self.training, self.adjustment is not None
        is_last = 0 < training.kept == len(training.stages) - 1
        stage = training.stages[training.kept]
        return is_exact(stage, self.settings, is_last=is_last, is_adjusted=is_adjusted)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how inputs are made and what is trained, as sentences."""
        settings, tuned = self.settings, self.settings.finetuning
        scratch = self.params["initial"] is None and not has_weights(settings.backbone)
        spared = tuned is not None and not isinstance(tuned, Full)
        notes = (*self.preprocessing.notes, *self.material.notes)
        if not scratch or not (spared or settings.norm == "frozen"):
            return notes
        what = repr(tuned) if spared else "norm='frozen'"
        caution = (
            f"Careful: the backbone starts from random weights, and {what} trains few of them. "
            "Start from a run with --initial, or from pretrained weights."
        )
        return (*notes, caution)

    @property
    def prior(self) -> PriorArray:
        """What the logits contain: see `prior_after`, of the stage whose weights are kept.

        Before any epoch it is that of the last stage. What has changed the head after training
        has changed it too.
        """
        if self.adjustment is not None:
            return self.adjustment.prior
        training = self.training
        return self.prior_after(training.stages[training.kept], training.kept_progress)

    @property
    def margins(self) -> MarginArray | None:
        """The margins that the logits contain; None: none, or another head than it was has them."""
        if self.adjustment is not None:
            return None
        return contained_margins(self.training.stages[self.training.kept], self.task.counts)

    def corrected(self, logits: LogitArray) -> LogitArray:
        """Return the model's logits for the prior of use."""
        used, classes = self.params["prior"], self.task.classes
        return correct_logits(logits, self.prior, self.margins, used, classes)

    def corrected_after(self, logits: LogitArray, stage: Stage, done: float = 1.0) -> LogitArray:
        """Return logits after a part of a stage, as `corrected` does those of the model."""
        own, margins = self.prior_after(stage, done), contained_margins(stage, self.task.counts)
        return correct_logits(logits, own, margins, self.params["prior"], self.task.classes)

    def prior_after(self, stage: Stage, progress: float = 1.0) -> PriorArray:
        """Return what logits contain after a part of a stage, see `contained_prior`."""
        shown, inputs = self.material.counts, self.preprocessing.spec
        return contained_prior(stage, progress, task=self.task, shown=shown, inputs=inputs)

    def lasting(self, epochs: int) -> "Fit":
        """Return this fit with another number of epochs, as if it had been given.

        Parameters
        ----------
        epochs : int
            Passes over the training examples, at the reference batch size.
        """
        settings = replace(self.settings, epochs=epochs)
        return replace(
            self,
            settings=settings,
            choices=[choice for choice in self.choices if choice.field != "epochs"],
            training=replace(self.training, stages=_stages(self.task, settings)),
            params={**self.params, "epochs": epochs},
        )

    def run(
        self,
        *,
        observers: Sequence[Observer] = (),
        checkpoint: Path | None = None,
        deadline: float | None = None,
    ) -> None:
        """Train, from the checkpoint on if there is one, and leave the best weights.

        Parameters
        ----------
        observers, checkpoint, deadline
            As for `equipoise.training.train`.
        """
        task, world = self.task, self.training.world
        sent = (self.params, self.seed, checkpoint, deadline)
        shared = () if world.size == 1 else (_Shared.of(task), *sent)
        with companions(world.size, self.device.kind, _train_share, shared):
            self._train(observers, checkpoint, deadline)
        if self.settings.finetuning is not None:
            self.settings.finetuning.merge(self.training.network)  # type: ignore[arg-type]
        self.training.network.eval()
        adjust(self)

    def _train(
        self, observers: Sequence[Observer], checkpoint: Path | None, deadline: float | None
    ) -> None:
        learnt, held = self.examples
        train(
            self.training,
            learnt,
            held,
            observers=observers,
            checkpoint=checkpoint,
            deadline=deadline,
        )

    @property
    def examples(self) -> tuple[Examples, Examples]:
        """The examples to learn from and those to choose the epoch by, ready for the network."""
        return self.material.examples


def _stages(task: Task, settings: Settings) -> tuple[Stage, ...]:
    return settings.all_stages() if task.supervised else (pretraining_stage(settings),)


def pretraining_stage(settings: Settings) -> Stage:
    """Return a stage that learns by the auxiliary loss alone, at full weight.

    Raises
    ------
    InputError
        If there is no auxiliary loss, or a component goes by labels.
    """
    if settings.auxiliary is None:
        raise InputError(
            "Pre-training needs a self-supervised loss.",
            "There is none.",
            'Give one, such as --objective "SimCLR()".',
        )
    for part in (settings.sampler, settings.mixing, settings.sharpness):
        if isinstance(part, BY_LABELS):
            raise InputError(
                "Pre-training must be without labels.",
                f"{part!r} goes by them.",
                "Leave it out here, and give it to the fit that starts from this run.",
            )
    objective = copy.deepcopy(settings.auxiliary)
    objective.weight = 1.0
    return replace(settings.stage(), loss=None, auxiliary=objective)


@dataclass(frozen=True, eq=False)
class _Shared:
    """A task on its way to another process: its images are not copied."""

    task: Task
    images: Mapping[str, SharedArray]

    @classmethod
    def of(cls, task: Task) -> "_Shared":
        arrays = {name: getattr(task, name) for name in ("X", "extra")}
        arrays = {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}
        sent = replace(task, **{name: array[:0] for name, array in arrays.items()})
        return cls(sent, {name: SharedArray.of(array) for name, array in arrays.items()})

    def received(self) -> Task:
        return replace(self.task, **{name: each.array() for name, each in self.images.items()})


def _train_share(
    rank: int,
    shared: _Shared,
    params: Mapping[str, Any],
    seed: int,
    checkpoint: Path | None,
    deadline: float | None,
) -> None:
    """Train as one of several processes, which this one has met."""
    Fit.prepare(shared.received(), params, seed, rank)._train((), checkpoint, deadline)


def _preprocessing(task: Task, settings: Settings, initial: Initial | None) -> Preprocessing:
    if initial is not None:
        initial.check(task.X)
        return initial.preprocessing
    if isinstance(task.X, np.ndarray):
        return ImagePreprocessing.fit(task.X, task.train)
    return TablePreprocessing.fit(task.X, task.train, settings.scaling)


def _network(material: Material, settings: Settings, initial: Initial | None) -> Network:
    task, seed = material.task, material.seed
    with reproducible(derive_seed(seed, "initial weights")):
        parts = (settings.backbone, settings.head, material.preprocessing.spec, task.n_classes)
        # A start brings all weights: those that its backbone once came from are not looked for.
        network = (
            build_network(*parts, material.shown) if initial is None else rebuild_network(*parts)
        )
    if isinstance(task.X, np.ndarray):
        network = network.to(memory_format=torch.channels_last)
    # Weights that were trained with group norm fit only once it is there.
    grouped = initial is not None and initial.norm == "group"
    if initial is not None and not grouped:
        initial.load(network)
    apply_norm(network, settings.norm)  # type: ignore[arg-type]
    if initial is not None and grouped:
        initial.load(network)
    if settings.finetuning is not None:
        with reproducible(derive_seed(seed, "finetuning")):
            settings.finetuning.prepare(network)
    return network


def _check_batch_norm(network: nn.Module, n: int, settings: Settings) -> None:
    size = settings.batch_size
    share = n // math.ceil(n / size.size) // settings.devices
    if share < 1:
        raise InputError(
            "Every device needs an example of each batch.",
            f"With {n} training examples, batches of {size.size} and {settings.devices} devices, "
            "one has none.",
            "Give a larger --batch-size, or fewer --devices.",
        )
    if share // size.accumulate < 2 and has_batch_norm(network):
        raise InputError(
            "A network with batch norm needs at least two examples in every batch.",
            f"With {n} training examples and batches of {size.size} in {size.accumulate} pieces on "
            f"{settings.devices} devices, the smallest piece has one.",
            'Give a larger --batch-size, or --norm "group".',
        )
