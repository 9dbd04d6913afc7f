"""A classifier's parameters, resolved: every text an object, every ``"auto"`` a value."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from equipoise.data.scaling import Scaling
from equipoise.defaults import (
    Choice,
    DataFacts,
    automatic_batch_size,
    automatic_choices,
    choose_norm,
)
from equipoise.errors import InputError
from equipoise.selection import MONITORS
from equipoise.spec import Bounds, Component, resolve
from equipoise.specialized import LDAM
from equipoise.specialized import LOSSES as SPECIALIZED_LOSSES
from equipoise.specialized import MIXINGS as SPECIALIZED_MIXINGS
from equipoise.specialized.posthoc import POSTHOCS, PostHoc
from equipoise.specialized.resampling import RESAMPLINGS, Resampling
from equipoise.specialized.samplers import SAMPLERS, Sampler
from equipoise.specialized.stages import STAGES, Stages
from equipoise.specialized.weighting import WEIGHTINGS, Weighting
from equipoise.stage import Stage
from equipoise.standard.augmentation import AUGMENTATIONS, Augmentation, Pipeline
from equipoise.standard.averaging import AVERAGES, Average
from equipoise.standard.backbones import BACKBONES, Backbone
from equipoise.standard.batch_size import BatchSize, resolve_batch_size
from equipoise.standard.constraints import CONSTRAINTS, Constraint
from equipoise.standard.finetuning import FINETUNINGS, FineTuning, LowRank
from equipoise.standard.heads import HEADS, Cosine, Head
from equipoise.standard.losses import LOSSES, Loss
from equipoise.standard.mixing import MIXINGS, Mixing
from equipoise.standard.optimizers import OPTIMIZERS, Optimizer
from equipoise.standard.schedules import SCHEDULES, Schedule
from equipoise.standard.self_supervision import SELF_SUPERVISIONS, SelfSupervision
from equipoise.standard.sharpness import SHARPNESSES, Sharpness
from equipoise.standard.smoothing import SMOOTHINGS, Smoothing

COMPONENTS: dict[str, dict[str, Any]] = {
    "backbone": BACKBONES,
    "head": HEADS,
    "finetuning": FINETUNINGS,
    "augmentation": AUGMENTATIONS,
    "mixing": {**MIXINGS, **SPECIALIZED_MIXINGS},
    "resampling": RESAMPLINGS,
    "sampler": SAMPLERS,
    "loss": {**LOSSES, **SPECIALIZED_LOSSES},
    "weighting": WEIGHTINGS,
    "stages": STAGES,
    "smoothing": SMOOTHINGS,
    "auxiliary": SELF_SUPERVISIONS,
    "optimizer": OPTIMIZERS,
    "sharpness": SHARPNESSES,
    "schedule": SCHEDULES,
    "constraint": CONSTRAINTS,
    "average": AVERAGES,
    "posthoc": POSTHOCS,
}
"""What may stand in each component field of a classifier."""

OPTIONAL = (
    "finetuning",
    "augmentation",
    "mixing",
    "resampling",
    "sampler",
    "weighting",
    "stages",
    "smoothing",
    "auxiliary",
    "sharpness",
    "constraint",
    "average",
    "posthoc",
)
"""Component fields that may be None: not used."""

BOUNDS = {
    "norm": Bounds(choices=("batch", "group", "frozen")),
    "scaling": Bounds(choices=("standard", "quantile", "robust", "none")),
    "epochs": Bounds(low=1, integer=True),
    "clip_norm": Bounds(low=0, open_low=True, optional=True),
    "validation": Bounds(low=0, high=1, open_high=True),
    "monitor": Bounds(choices=tuple(MONITORS)),
    "patience": Bounds(low=1, integer=True, optional=True),
    "precision": Bounds(choices=("fp32", "bf16")),
    "devices": Bounds(low=1, integer=True),
}
"""The values that the other fields may take, once ``"auto"`` is resolved."""

PLURALS = {"images": "images", "table": "tables"}
"""What a kind of data is called in sentences."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """Everything that training needs, with nothing left to decide.

    Parameters
    ----------
    backbone, head, loss, optimizer, schedule : Component
        The components that always are.
    finetuning, augmentation, mixing, smoothing, auxiliary : Component or None
        None: not used.
    resampling, sampler, weighting, stages : Component or None
        None: not used.
    sharpness, constraint, average : Component or None
        None: not used.
    posthoc : Component or None
        None: not used.
    norm : {"batch", "group", "frozen"}
        What stands where the backbone has batch norm.
    scaling : str
        How the numbers of a table are scaled.
    batch_size : BatchSize
        Examples in a step, and what follows from that.
    epochs : int
        Passes over the training examples, at the reference batch size.
    clip_norm : float or None
        Largest norm of the gradient.
    validation : float
        Share of each class held out to choose the best epoch.
    monitor : str
        Validation score that chooses it.
    patience : int or None
        Epochs without a better one after which training stops.
    precision : {"fp32", "bf16"}
        Precision of convolutions and matrix products.
    devices : int
        Processes that train together.
    """

    backbone: Backbone[Any]
    head: Head
    norm: str
    finetuning: FineTuning | None
    augmentation: Augmentation | None
    mixing: Mixing | None
    resampling: Resampling | None
    sampler: Sampler | None
    scaling: Scaling
    loss: Loss
    weighting: Weighting | None
    stages: Stages | None
    smoothing: Smoothing | None
    auxiliary: SelfSupervision | None
    optimizer: Optimizer
    sharpness: Sharpness | None
    schedule: Schedule
    constraint: Constraint | None
    average: Average | None
    posthoc: PostHoc | None
    batch_size: BatchSize
    epochs: int
    clip_norm: float | None
    validation: float
    monitor: str
    patience: int | None
    precision: str
    devices: int

    def all_stages(self) -> tuple[Stage, ...]:
        """Return the parts that training works by, one after the other."""
        whole = self.stage()
        return (whole,) if self.stages is None else self.stages.split(whole)

    def stage(self) -> Stage:
        """Return training as a whole, as one stage."""
        own = {f.name for f in fields(self)} - {"batch_size", "epochs"}
        shared = {f.name: getattr(self, f.name) for f in fields(Stage) if f.name in own}
        return Stage(
            batch_size=self.batch_size.size,
            accumulate=self.batch_size.accumulate,
            rate=self.batch_size.rate,
            epochs=self.batch_size.epochs(self.epochs),
            **shared,
        )

    def to_text(self) -> dict[str, Any]:
        """Return the fields as text and numbers; components as text, None as ``"None"``."""
        return {f.name: as_text(getattr(self, f.name)) for f in fields(self)}


def as_text(value: Any) -> Any:
    """Return a parameter's value as TOML can hold it."""
    if isinstance(value, BatchSize) and repr(value) == repr(BatchSize(size=value.size)):
        return value.size
    if value is None or isinstance(value, Component):
        return repr(value)
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def from_text(name: str, value: Any) -> Any:
    """Return a parameter's value from the command line or TOML: ``"None"`` means None.

    Only the scaling has a value that is called none.
    """
    if name == "scaling" or not isinstance(value, str):
        return value
    return None if value.strip().lower() == "none" else value


def require_object(name: str, inner: str, value: Any) -> None:
    """Raise `InputError` if a parameter's field can be set only in an object that it is not.

    Parameters
    ----------
    name, inner : str
        Parameter and field, of ``name__inner``.
    value : object
        The parameter's value.

    Examples
    --------
    >>> require_object("optimizer", "lr", "SGD(lr=0.1)")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... `optimizer` is 'SGD(lr=0.1)'. Give it as an object: from ...
    """
    if hasattr(value, "set_params"):
        return
    kind = _kind_with(name, inner, value)
    raise InputError(
        f"`{name}__{inner}` sets `{inner}` of a component that is given as an object.",
        f"`{name}` is {value!r}.",
        f"Set `{name}` itself."
        if kind is None
        else f"Give it as an object: from {kind.__module__} import {kind.__name__}; "
        f"Classifier({name}={kind.__name__}()).",
    )


def _kind_with(name: str, inner: str, value: Any) -> type[Component] | None:
    """Return the component that a text names, or else one that has the field."""
    kinds = {"BatchSize": BatchSize} if name == "batch_size" else COMPONENTS.get(name, {})
    fitting = [kind for kind in kinds.values() if inner in {f.name for f in fields(kind)}]
    return kinds.get(str(value).partition("(")[0].strip(), next(iter(fitting), None))


def resolve_settings(params: Mapping[str, Any], facts: DataFacts) -> tuple[Settings, list[Choice]]:
    """Resolve a classifier's parameters for given data.

    Parameters
    ----------
    params : mapping of str to value
        The classifier's parameters; others than those of `Settings` are ignored.
    facts : DataFacts
        What the automatic choices depend on.

    Returns
    -------
    settings : Settings
        Everything resolved and checked.
    choices : list of Choice
        What stood in for each ``"auto"``.

    Raises
    ------
    InputError
        If a value is out of bounds, a component is unknown, or it cannot read such data.
    """
    names = [f.name for f in fields(Settings)]
    given = {name: from_text(name, params[name]) for name in names}
    # Before anything is chosen that depends on them.
    for name in BOUNDS:
        if not isinstance(given[name], str) or given[name] != "auto":
            _resolved(name, given[name])
    choices = automatic_choices(given, facts)
    given.update({choice.field: choice.value for choice in choices})
    norm = given.pop("norm")
    values = {name: _resolved(name, value) for name, value in given.items()}
    values["batch_size"] = _referred(values["batch_size"], facts)
    if norm == "auto":
        choice = choose_norm(values["backbone"], values["batch_size"], values["devices"], facts)
        choices, norm = [*choices, choice], choice.value
    settings = Settings(**values, norm=_resolved("norm", norm))
    _check_modality(settings, facts.kind)
    _check_low_rank(settings)
    _check_scale(settings)
    if settings.stages is not None:
        settings.stages.check(settings.stage(), settings.head, settings.backbone.modality)
    return settings, choices


def resolve_resampling(params: Mapping[str, Any]) -> Resampling | None:
    """Return the resampling of a classifier's parameters, on which facts about the data depend.

    Raises
    ------
    InputError
        If it is unknown or a value is out of bounds.
    """
    return _resolved("resampling", from_text("resampling", params["resampling"]))


def _referred(size: BatchSize, facts: DataFacts) -> BatchSize:
    """Return a batch size with the reference that its rule or its budget needs."""
    if size.reference is not None or (size.rule, size.budget) == ("none", "epochs"):
        return size
    return replace(size, reference=automatic_batch_size(facts))


def _resolved(name: str, value: Any) -> Any:
    if value is None and name in OPTIONAL:
        return None
    if name == "batch_size":
        return resolve_batch_size(value)
    if name in COMPONENTS:
        join = Pipeline if name == "augmentation" else None
        return resolve(value, COMPONENTS[name], name, join)
    if value not in BOUNDS[name]:
        raise InputError(
            f"`{name}` must be {BOUNDS[name]}.",
            f"It is {value!r}.",
            "Leave it out for the default.",
        )
    return value


def _check_low_rank(settings: Settings) -> None:
    """Refuse what would act on the factors of an update and not on the weights that they make."""
    if not isinstance(settings.finetuning, LowRank):
        return
    for name in ("average", "constraint"):
        if getattr(settings, name) is not None:
            raise InputError(
                f"`LowRank` must be used without {name}: it would act on the two factors of an "
                "update, not on their product.",
                f"The {name} is {getattr(settings, name)!r}.",
                f"Set the {name} to None, or choose another fine-tuning.",
            )


def _check_scale(settings: Settings) -> None:
    """Refuse margins on another scale than that of the logits."""
    loss, head = settings.loss, settings.head
    if isinstance(loss, LDAM) and isinstance(head, Cosine) and loss.scale != head.scale:
        raise InputError(
            "The scale of the loss `LDAM` must be that of the head `Cosine`, whose "
            "logits it moves.",
            f"That of the loss is {loss.scale!r}, that of the head {head.scale!r}.",
            f'Give --loss "LDAM(scale={head.scale!r})", or change the head.',
        )


def _check_modality(settings: Settings, kind: str) -> None:
    name = type(settings.backbone).__name__
    if settings.backbone.modality != kind:
        fitting = [n for n, b in BACKBONES.items() if b.modality == kind]
        raise InputError(
            f"The backbone must read {PLURALS[kind]}: {', '.join(fitting)}.",
            f"{name} reads {PLURALS[settings.backbone.modality]}.",
            "Leave the backbone out to have one chosen.",
        )
    augmentation = settings.augmentation
    if augmentation is not None and augmentation.modality != kind:
        fitting = [n for n, b in AUGMENTATIONS.items() if b.modality == kind]
        raise InputError(
            f"The augmentation must be one for {PLURALS[kind]}: {', '.join(fitting)}.",
            f"{augmentation!r} is for {PLURALS[augmentation.modality]}.",
            "Leave the augmentation out to have one chosen.",
        )
