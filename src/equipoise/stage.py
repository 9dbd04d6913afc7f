"""A stage of training: every component and number resolved."""

from dataclasses import dataclass
from typing import Literal

import torch

from equipoise._tensors import ClassCounts
from equipoise.specialized.samplers import Sampler
from equipoise.specialized.translation import Translation
from equipoise.specialized.weighting import Weighting
from equipoise.standard.augmentation import Augmentation
from equipoise.standard.averaging import Average
from equipoise.standard.constraints import Constraint
from equipoise.standard.losses import Loss
from equipoise.standard.mixing import Mixing
from equipoise.standard.optimizers import Optimizer
from equipoise.standard.schedules import Schedule
from equipoise.standard.self_supervision import SelfSupervision
from equipoise.standard.sharpness import Sharpness
from equipoise.standard.smoothing import Smoothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """What training does.

    Parameters
    ----------
    epochs : int
        Passes over the training examples, at least 1.
    batch_size : int
        Largest number of examples in a step, at least 1.
    optimizer, schedule : component
        See `equipoise.standard`.
    loss : Loss or None
        Loss of each example; None: pre-training by the auxiliary loss alone.
    accumulate : int
        Pieces in which a batch is computed, at least 1.
    rate : float
        Factor on the optimizer's learning rate.
    smoothing, augmentation, mixing, auxiliary, sharpness, constraint, average : component or None
        None: not used.
    weighting, sampler : component or None
        See `equipoise.specialized`; None: not used.
    translation : Translation or None
        How examples of rare classes are made from others; None: none are.
    clip_norm : float or None
        Largest norm of the whole gradient; None: not clipped.
    monitor : str
        Validation score by which the best epoch is chosen.
    patience : int or None
        Epochs without a new best after which training stops; None: it runs to the end.
    trains : {"all", "head", "scales"}
        Which weights are trained; with ``"head"`` the backbone stays as it is, its batch
        statistics included, and with ``"scales"`` of the head too all but a factor for each row.
    fresh_head : bool
        Whether the head begins as it was before any training.
    continues : bool
        Whether the stage goes on with the last weights of the one before and the state of its
        optimizer; else with the best weights, and anew.
    span : tuple of float
        Part of the schedules that the stage goes through, from 0 to 1.
    """

    epochs: int
    batch_size: int
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss | None
    accumulate: int = 1
    rate: float = 1.0
    weighting: Weighting | None = None
    sampler: Sampler | None = None
    smoothing: Smoothing | None = None
    augmentation: Augmentation | None = None
    mixing: Mixing | None = None
    auxiliary: SelfSupervision | None = None
    sharpness: Sharpness | None = None
    constraint: Constraint | None = None
    average: Average | None = None
    translation: Translation | None = None
    clip_norm: float | None = None
    monitor: str = "balanced_accuracy"
    patience: int | None = None
    trains: Literal["all", "head", "scales"] = "all"
    fresh_head: bool = False
    continues: bool = False
    span: tuple[float, float] = (0.0, 1.0)

    def progress(self, done: float) -> float:
        """Return at which point of its schedule the stage is, given the share of it that is done.

        Examples
        --------
        >>> from equipoise.standard.optimizers import SGD
        >>> from equipoise.standard.schedules import Cosine
        >>> parts = {"optimizer": SGD(), "schedule": Cosine(), "loss": None}
        >>> Stage(epochs=1, batch_size=8, span=(0.8, 1.0), **parts).progress(0.5)
        0.9
        """
        begin, end = self.span
        return begin + (end - begin) * done

    def rates(self, counts: ClassCounts) -> ClassCounts:
        """Return the smoothing rate of each class, 0 without smoothing."""
        return torch.zeros_like(counts) if self.smoothing is None else self.smoothing.rates(counts)
