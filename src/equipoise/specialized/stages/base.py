"""What a training in two stages is: a component that divides one into two."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import Component, bounded
from equipoise.specialized.samplers import Sampler
from equipoise.specialized.weighting import Weighting
from equipoise.standard.backbones.base import Modality
from equipoise.standard.constraints import Constraint
from equipoise.standard.heads import Head, Linear
from equipoise.standard.losses import Loss
from equipoise.standard.mixing import Mixing
from equipoise.standard.optimizers import Optimizer
from equipoise.standard.self_supervision import SelfSupervision
from equipoise.standard.smoothing import Smoothing


class Staged(Protocol):
    """What is divided: a stage of training, a dataclass with a number of epochs."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epochs(self) -> int:
        """Passes over the training examples."""
        ...

    @property
    def optimizer(self) -> Optimizer:
        """What steps are taken by."""
        ...

    @property
    def rate(self) -> float:
        """Factor on the learning rate."""
        ...

    @property
    def weighting(self) -> Weighting | None:
        """What the loss of a class is multiplied by."""
        ...

    @property
    def constraint(self) -> Constraint | None:
        """Bound on the weights."""
        ...

    @property
    def sampler(self) -> Sampler | None:
        """How often each class is shown."""
        ...

    @property
    def loss(self) -> Loss | None:
        """Loss of each example; None: there are no labels."""
        ...

    @property
    def mixing(self) -> Mixing | None:
        """How examples are mixed."""
        ...

    @property
    def auxiliary(self) -> SelfSupervision | None:
        """Self-supervised loss beside the other."""
        ...

    @property
    def smoothing(self) -> Smoothing | None:
        """How targets are smoothed."""
        ...


S = TypeVar("S", bound=Staged)
"""What is divided, and comes back as two of its kind."""


@dataclass(eq=False, repr=False, kw_only=True)
class Stages(Component):
    """Base of trainings in two stages.

    Parameters
    ----------
    start : float, default=0.8
        Share of the epochs after which the second stage begins, from 0 to 1; each stage has one
        epoch at least.
    """

    exact_prior: ClassVar[bool] = True
    """Whether what the second stage trains is free to fit the class frequencies that it shows."""

    start: float = bounded(0.8, low=0, high=1, tune=Span(0.5, 0.9))

    @abstractmethod
    def split(self, stage: S) -> tuple[S, S]:
        """Return two stages that together are as long as one.

        Parameters
        ----------
        stage : Stage
            The whole training, in one stage.
        """

    def check(self, stage: Staged, head: Head, kind: Modality) -> None:
        """Raise `InputError` if a training cannot be divided so.

        Parameters
        ----------
        stage : Stage
            The whole training, in one stage.
        head : Head
            The head that is trained.
        kind : {"images", "table"}
            What is learnt from.
        """

    def epochs(self, stage: Staged) -> tuple[int, int]:
        """Return the epochs of both stages: together those of the whole, or 2 if that is 1."""
        # Rounded up: a second stage that is due when the rate drops must not begin before.
        begins = math.ceil(self.start * stage.epochs - 1e-9)
        first = min(max(1, begins), max(1, stage.epochs - 1))
        return first, max(1, stage.epochs - first)


def require_rows(method: Stages, head: Head) -> None:
    """Raise `InputError` if a head divides out the length of its rows, which a method changes.

    Parameters
    ----------
    method : Stages
        What needs it.
    head : Head
        The head that is trained.
    """
    if not isinstance(head, Linear):
        raise InputError(
            f"`{type(method).__name__}` must be used with the head `Linear`, whose rows have a "
            "length to change.",
            f"The head is {head!r}, which divides it out.",
            'Leave the head out, or choose --stages "CRT()".',
        )
