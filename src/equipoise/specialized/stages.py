"""Training in stages: what was made for imbalanced classes begins late, or on the head alone."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from equipoise.spaces import Span
from equipoise.spec import Component, bounded
from equipoise.specialized.samplers import ClassBalanced, Sampler
from equipoise.specialized.weighting import EffectiveNumber, Inverse, Weighting
from equipoise.standard.constraints import Constraint, MaxNorm


class Staged(Protocol):
    """What is divided: a stage of training, a dataclass with a number of epochs."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epochs(self) -> int:
        """Passes over the training examples."""
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

    start: float = bounded(0.8, low=0, high=1, tune=Span(0.5, 0.9))

    @abstractmethod
    def split(self, stage: S) -> tuple[S, S]:
        """Return two stages that together are as long as one.

        Parameters
        ----------
        stage : Stage
            The whole training, in one stage.
        """

    def epochs(self, stage: Staged) -> tuple[int, int]:
        """Return the epochs of both stages: together those of the whole, or 2 if that is 1."""
        first = min(max(1, round(self.start * stage.epochs)), max(1, stage.epochs - 1))
        return first, max(1, stage.epochs - first)


class Deferred(Stages):
    """Base of stages that go on with the same weights, optimizer and schedule.

    Parameters
    ----------
    start : float, default=0.8
        As of `Stages`.
    """

    def _deferred(self, stage: S, **early: Any) -> tuple[S, S]:
        """Return the stages, of which only the second is as given."""
        first, second = self.epochs(stage)
        cut = first / (first + second)
        return (
            replace(stage, epochs=first, span=(0.0, cut), **early),
            replace(stage, epochs=second, span=(cut, 1.0), continues=True),
        )


@dataclass(eq=False, repr=False, kw_only=True)
class DRW(Deferred):
    r"""Deferred re-weighting: class weights begin late in training.

    Features are learnt from the data as they are, and the boundary is moved in the last epochs,
    when the learning rate is small. The stages share weights, optimizer and schedule; only the
    weighting, and the choice of the best epoch, begin with the second. With the loss `LDAM`
    this is LDAM-DRW. Without a ``weighting`` of the classifier it is that of the paper,
    ``EffectiveNumber()``.

    Parameters
    ----------
    start : float, default=0.8
        Share of the epochs without weights, from 0 to 1; the paper's 160 of 200.

    References
    ----------
    .. [1] K. Cao et al., "Learning imbalanced datasets with label-distribution-aware margin
       loss", NeurIPS 2019, algorithm 1. https://arxiv.org/abs/1906.07413

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> for stage in DRW().split(whole):
    ...     print(stage.epochs, stage.weighting, stage.span)
    8 None (0.0, 0.8)
    2 EffectiveNumber() (0.8, 1.0)
    """

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage without weights, and with them."""
        whole = replace(stage, weighting=stage.weighting or EffectiveNumber())
        return self._deferred(whole, weighting=None)


@dataclass(eq=False, repr=False, kw_only=True)
class DRS(Deferred):
    """Deferred re-sampling: classes are shown otherwise late in training.

    As `DRW`, with a sampler in the place of weights; without a ``sampler`` of the classifier
    ``ClassBalanced()``.

    Parameters
    ----------
    start : float, default=0.8
        Share of the epochs that show the data as they are, from 0 to 1.

    References
    ----------
    .. [1] K. Cao et al., "Learning imbalanced datasets with label-distribution-aware margin
       loss", NeurIPS 2019. https://arxiv.org/abs/1906.07413

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> [stage.sampler for stage in DRS(start=0.5).split(whole)]
    [None, ClassBalanced()]
    """

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage that shows the data as they are, and the other."""
        whole = replace(stage, sampler=stage.sampler or ClassBalanced())
        return self._deferred(whole, sampler=None)


@dataclass(eq=False, repr=False, kw_only=True)
class CRT(Stages):
    """Classifier re-training: a new head on features that stay, with balanced classes.

    The first stage trains the network as it is set, with every example once an epoch. The second
    starts the head anew and trains it alone, on class-balanced samples; its learning rate
    starts at the peak again. Without a ``sampler`` of the classifier ``ClassBalanced()``.

    Parameters
    ----------
    start : float, default=0.9
        Share of the epochs of the first stage, from 0 to 1; the paper trains the head for 10
        epochs after 90.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020, section 4.1. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> for stage in CRT().split(whole):
    ...     print(stage.epochs, stage.trains, stage.sampler)
    9 all None
    1 head ClassBalanced()
    """

    start: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.95))

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of the features, and that of the head."""
        first, second = self.epochs(stage)
        sampler = stage.sampler or ClassBalanced()
        again = {"trains": "head", "fresh_head": True}
        return (
            replace(stage, epochs=first, sampler=None),
            replace(stage, epochs=second, sampler=sampler, auxiliary=None, **again),
        )


@dataclass(eq=False, repr=False, kw_only=True)
class WeightBalancing(Stages):
    """Features with strong weight decay, then the head alone with weights and bounded norms.

    Norms of a head's weights grow with the size of their class; decay in the first stage and
    a bound in the second keep them alike. What decays, and how much, is the optimizer's
    ``weight_decay``: the method lives of tuning it. Without a ``weighting`` of the classifier
    ``Inverse()``, and without a ``constraint`` ``MaxNorm()``, both in the second stage only.

    Parameters
    ----------
    start : float, default=0.9
        Share of the epochs of the first stage, from 0 to 1.

    Notes
    -----
    The paper weights by the effective number and chooses the radius of each class at the first
    stage's norms; here one radius bounds all.

    References
    ----------
    .. [1] S. Alshammari et al., "Long-tailed recognition via weight balancing", CVPR 2022.
       https://arxiv.org/abs/2203.14197

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> for stage in WeightBalancing().split(whole):
    ...     print(stage.epochs, stage.trains, stage.weighting, stage.constraint)
    9 all None None
    1 head Inverse() MaxNorm()
    """

    start: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.95))

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of the features, and that of the head."""
        first, second = self.epochs(stage)
        late = {
            "weighting": stage.weighting or Inverse(),
            "constraint": stage.constraint or MaxNorm(),
            "auxiliary": None,
        }
        return (
            replace(stage, epochs=first, weighting=None, constraint=None),
            replace(stage, epochs=second, trains="head", **late),
        )


STAGES: dict[str, type[Stages]] = {
    "DRW": DRW,
    "DRS": DRS,
    "CRT": CRT,
    "WeightBalancing": WeightBalancing,
}
"""Trainings in two stages by name."""
