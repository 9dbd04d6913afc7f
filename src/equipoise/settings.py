"""A classifier's parameters, resolved: every text an object, every ``"auto"`` a value."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from equipoise.data.scaling import Scaling
from equipoise.defaults import Choice, DataFacts, automatic_choices
from equipoise.errors import InputError
from equipoise.selection import MONITORS
from equipoise.spec import Bounds, Component, resolve
from equipoise.standard.augmentation import AUGMENTATIONS, Augmentation, Pipeline
from equipoise.standard.averaging import AVERAGES, EMA
from equipoise.standard.backbones import BACKBONES, Backbone
from equipoise.standard.losses import LOSSES, Loss
from equipoise.standard.optimizers import OPTIMIZERS, Optimizer
from equipoise.standard.schedules import SCHEDULES, Schedule
from equipoise.standard.smoothing import SMOOTHINGS, Smoothing
from equipoise.training import Stage

COMPONENTS: dict[str, dict[str, Any]] = {
    "backbone": BACKBONES,
    "augmentation": AUGMENTATIONS,
    "loss": LOSSES,
    "smoothing": SMOOTHINGS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "average": AVERAGES,
}
"""What may stand in each component field of a classifier."""

OPTIONAL = ("augmentation", "smoothing", "average")
"""Component fields that may be None: not used."""

BOUNDS = {
    "scaling": Bounds(choices=("standard", "quantile", "robust", "none")),
    "batch_size": Bounds(low=1, integer=True),
    "epochs": Bounds(low=1, integer=True),
    "clip_norm": Bounds(low=0, open_low=True, optional=True),
    "validation": Bounds(low=0, high=1, open_high=True),
    "monitor": Bounds(choices=tuple(MONITORS)),
    "patience": Bounds(low=1, integer=True, optional=True),
    "precision": Bounds(choices=("fp32", "bf16")),
}
"""The values that the other fields may take, once ``"auto"`` is resolved."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """Everything that training needs, with nothing left to decide.

    Parameters
    ----------
    backbone, augmentation, loss, smoothing, optimizer, schedule, average : Component or None
        The components, as objects; None: not used.
    scaling : str
        How the numbers of a table are scaled.
    batch_size, epochs : int
        Examples in a step, and passes over the training examples.
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
    """

    backbone: Backbone[Any]
    augmentation: Augmentation | None
    scaling: Scaling
    loss: Loss
    smoothing: Smoothing | None
    optimizer: Optimizer
    schedule: Schedule
    average: EMA | None
    batch_size: int
    epochs: int
    clip_norm: float | None
    validation: float
    monitor: str
    patience: int | None
    precision: str

    def stage(self) -> Stage:
        """Return the part that training works by."""
        names = [f.name for f in fields(Stage)]
        return Stage(**{name: getattr(self, name) for name in names})

    def to_text(self) -> dict[str, Any]:
        """Return the fields as text and numbers; components as text, None as ``"None"``."""
        return {f.name: as_text(getattr(self, f.name)) for f in fields(self)}


def as_text(value: Any) -> Any:
    """Return a parameter's value as TOML can hold it."""
    if value is None or isinstance(value, Component):
        return repr(value)
    return value.item() if hasattr(value, "item") else value


def from_text(name: str, value: Any) -> Any:
    """Return a parameter's value from the command line or TOML: ``"None"`` means None.

    Only the scaling has a value that is called none.
    """
    if name == "scaling" or not isinstance(value, str):
        return value
    return None if value.strip().lower() == "none" else value


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
    choices = automatic_choices(given, facts)
    given.update({choice.field: choice.value for choice in choices})
    values = {name: _resolved(name, value) for name, value in given.items()}
    settings = Settings(**values)
    _check_modality(settings, facts.kind)
    return settings, choices


def _resolved(name: str, value: Any) -> Any:
    if value is None and name in OPTIONAL:
        return None
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


def _check_modality(settings: Settings, kind: str) -> None:
    name = type(settings.backbone).__name__
    if settings.backbone.modality != kind:
        fitting = [n for n, b in BACKBONES.items() if b.modality == kind]
        raise InputError(
            f"The backbone must read {kind}: {', '.join(fitting)}.",
            f"{name} reads {settings.backbone.modality}.",
            "Leave the backbone out to have one chosen.",
        )
    if kind == "table" and settings.augmentation is not None:
        raise InputError(
            "Augmentation is for images.",
            f"The data is a table and the augmentation {settings.augmentation!r}.",
            "Leave the augmentation out.",
        )
