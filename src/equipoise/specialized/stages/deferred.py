"""Stages that go on with the same weights: what is made for rare classes begins late."""

from dataclasses import dataclass, replace
from typing import Any

from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.samplers import ClassBalanced
from equipoise.specialized.stages.base import S, Staged, Stages
from equipoise.specialized.weighting import EffectiveNumber
from equipoise.standard.backbones.base import Modality
from equipoise.standard.heads import Head
from equipoise.standard.losses import CrossEntropy


class Deferred(Stages):
    """Base of stages that go on with the same weights, optimizer and schedule.

    So does the projector of a self-supervised loss. An average of the weights begins anew.

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
class DeferredLoss(Deferred):
    """A deferred loss: cross-entropy first, the loss of the classifier late in training.

    For a loss that does not learn from the start, such as `InfluenceBalanced`: its paper fits
    the features by plain cross-entropy and turns to it halfway. Class weights of the classifier
    belong to the loss and begin with it. A classifier whose loss is cross-entropy has nothing to
    defer and is refused; for deferred weights alone there is `DRW`.

    Parameters
    ----------
    start : float, default=0.5
        Share of the epochs with cross-entropy, from 0 to 1.
    rate : float, default=1.0
        Factor on the learning rate from then on, above 0. The authors of the influence-balanced
        loss have 0.01, for SGD and a loss that is a thousand times as large.

    References
    ----------
    .. [1] S. Park et al., "Influence-balanced loss for imbalanced visual classification", ICCV
       2021. https://arxiv.org/abs/2110.02444

    Examples
    --------
    >>> from equipoise.specialized.losses import InfluenceBalanced
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> parts = {"optimizer": SGD(), "schedule": Cosine(), "loss": InfluenceBalanced()}
    >>> [stage.loss for stage in DeferredLoss().split(Stage(epochs=10, batch_size=8, **parts))]
    [CrossEntropy(), InfluenceBalanced()]
    """

    start: float = bounded(0.5, low=0, high=1, tune=Span(0.3, 0.9))
    rate: float = bounded(1.0, low=0, open_low=True, tune=Span(0.003, 1.0, log=True))

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of cross-entropy without weights, and that of the loss."""
        first, second = self._deferred(stage, loss=CrossEntropy(), weighting=None)
        return first, replace(second, rate=stage.rate * self.rate)

    def check(self, stage: Staged, head: Head, kind: Modality) -> None:  # noqa: ARG002
        """Raise `InputError` if the loss is cross-entropy, which is there from the start."""
        if isinstance(stage.loss, CrossEntropy):
            raise InputError(
                "`DeferredLoss` needs a loss that begins late.",
                f"The loss is {stage.loss!r}, with which training begins.",
                'Give another, such as --loss "InfluenceBalanced()", or --stages "DRW()".',
            )
