"""Stages of features and head: the first trains the network, the second the head alone."""

from dataclasses import dataclass, replace
from typing import ClassVar

from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.samplers import ClassBalanced
from equipoise.specialized.stages.base import S, Staged, Stages, require_rows
from equipoise.specialized.weighting import EffectiveNumber
from equipoise.standard.backbones.base import Modality
from equipoise.standard.constraints import MaxNorm
from equipoise.standard.heads import Head
from equipoise.standard.mixing import Mixup
from equipoise.standard.optimizers import Optimizer
from equipoise.standard.smoothing import ClassConditional


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
    a bound in the second keep them alike. How much decays is the optimizer's ``weight_decay``:
    the method lives of tuning it. Without a ``weighting`` of the classifier
    ``EffectiveNumber()``, and without a ``constraint`` ``MaxNorm(share=0.1)``, both in the second
    stage only.

    Parameters
    ----------
    start : float, default=0.9
        Share of the epochs of the first stage, from 0 to 1.
    decay : float or None, default=None
        Weight decay of the second stage, at least 0; None: that of the first. The authors' code
        has 0.005 and then 0.1 on CIFAR-100.

    Notes
    -----
    The radius of ``MaxNorm(share=0.1)`` is measured when the second stage begins, a tenth of
    the way from the shortest row of the head to the longest, as in the authors' code. For the
    head `Linear`: the others divide the length of a row out again. How far few steps of the
    head take over the weights is not known, so correction to other class frequencies is a
    heuristic.

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
    >>> for stage in WeightBalancing(decay=0.1).split(whole):
    ...     print(stage.epochs, stage.trains, stage.weighting, stage.optimizer.weight_decay)
    9 all None 0.0005
    1 head EffectiveNumber() 0.1
    """

    exact_prior: ClassVar[bool] = False

    start: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.95))
    decay: float | None = bounded(None, low=0, optional=True)

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of the features, and that of the head."""
        first, second = self.epochs(stage)
        late = {
            "weighting": stage.weighting or EffectiveNumber(),
            "constraint": stage.constraint or MaxNorm(share=0.1),
            "auxiliary": None,
            "optimizer": self._decayed(stage.optimizer),
        }
        return (
            replace(stage, epochs=first, weighting=None, constraint=None),
            replace(stage, epochs=second, trains="head", **late),
        )

    def _decayed(self, optimizer: Optimizer) -> Optimizer:
        """Return the optimizer of the second stage."""
        if self.decay is None:
            return optimizer
        return replace(optimizer, weight_decay=self.decay)  # type: ignore[call-arg]  # all have one

    def check(self, stage: Staged, head: Head, kind: Modality) -> None:  # noqa: ARG002
        """Raise `InputError` if the head does not keep the length of its rows."""
        require_rows(self, head)


@dataclass(eq=False, repr=False, kw_only=True)
class LWS(Stages):
    r"""Learnable weight scaling: one factor a class, on features and directions that stay.

    The first stage trains the network as it is set, with every example once an epoch. In the
    second only a factor for each class of the head is learnt, on class-balanced samples: between
    `tau_norm`, which derives it from the length of the row, and `CRT`, which learns all of the
    head. So few numbers cannot overfit. Without a ``sampler`` of the classifier
    ``ClassBalanced()``.

    Parameters
    ----------
    start : float, default=0.9
        Share of the epochs of the first stage, from 0 to 1.
    rate : float, default=1.0
        Factor on the learning rate of the factors, above 0. Adam and its kin move a factor by no
        more than the rate in a step, so that in the few steps on a small table a rate for weights
        hardly moves them: give 100 there.

    Notes
    -----
    With features :math:`h` and the row :math:`w_k` and bias :math:`b_k` of the head that the
    first stage has left, the logits of the second are

    .. math:: z_k = f_k \, (h^\top w_k + b_k)

    with the factors :math:`f_k`, from 1 on, as all that is trained [1]_; each member of an
    ensemble has its own. The paper writes the head without a bias. After every step the factors
    are multiplied into the head, so the trained network is an ordinary one, and an average of
    its weights is one of the factors. Sharpness-aware gradients move the factors alone, weight
    decay spares them, for 0 is no neutral factor, and a ``constraint``, which would undo them,
    acts in the first stage only. For the head `Linear`: the others divide the length of a row
    out again. A factor cannot do what a shift does: correction to other class frequencies is a
    heuristic.

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
    >>> for stage in LWS().split(whole):
    ...     print(stage.epochs, stage.trains, stage.sampler)
    9 all None
    1 scales ClassBalanced()
    """

    exact_prior: ClassVar[bool] = False

    start: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.95))
    rate: float = bounded(1.0, low=0, open_low=True, tune=Span(1.0, 300.0, log=True))

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of the network, and that of the factors."""
        first, second = self.epochs(stage)
        sampler = stage.sampler or ClassBalanced()
        late = {"trains": "scales", "constraint": None, "auxiliary": None}
        return (
            replace(stage, epochs=first, sampler=None),
            replace(stage, epochs=second, sampler=sampler, rate=stage.rate * self.rate, **late),
        )

    def check(self, stage: Staged, head: Head, kind: Modality) -> None:  # noqa: ARG002
        """Raise `InputError` if the head does not keep the length of its rows."""
        require_rows(self, head)


@dataclass(eq=False, repr=False, kw_only=True)
class MiSLAS(Stages):
    """Features from mixed examples, then the head on balanced classes, common ones smoothed.

    Mixup makes better features and a worse head; so the second stage trains the head on, alone,
    without mixing, on class-balanced samples, and smooths labels the more, the larger their class
    is: the network is too sure of common classes most of all. Without a ``mixing`` of the
    classifier ``Mixup(alpha=1.0)`` in the first stage, as the authors have it on CIFAR, without a
    ``sampler`` ``ClassBalanced()`` and without a ``smoothing``
    ``ClassConditional(head=0.3, tail=0.0)`` in the second.

    Parameters
    ----------
    start : float, default=0.9
        Share of the epochs of the first stage, from 0 to 1.

    Notes
    -----
    Three things differ from the paper: it learns factors on the rows of the head beside, has batch
    norm measure its statistics anew on the samples of the second stage, where here features stay
    to the bit, and spreads the smoothed mass over the other classes only. Of its forms for the
    rates between the largest and the smallest class, `ClassConditional` is most like the concave.

    References
    ----------
    .. [1] Z. Zhong et al., "Improving calibration for long-tailed recognition", CVPR 2021,
       section 3. https://arxiv.org/abs/2104.00466

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> for stage in MiSLAS().split(whole):
    ...     print(stage.trains, stage.mixing, stage.sampler, stage.smoothing)
    all Mixup(alpha=1.0) None None
    head None ClassBalanced() ClassConditional(head=0.3, tail=0.0)
    """

    start: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.95))

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage of the features, and that of the head."""
        first, second = self.epochs(stage)
        late = {
            "sampler": stage.sampler or ClassBalanced(),
            "smoothing": stage.smoothing or ClassConditional(head=0.3, tail=0.0),
            "mixing": None,
            "auxiliary": None,
        }
        mixing = stage.mixing or Mixup(alpha=1.0)
        return (
            replace(stage, epochs=first, mixing=mixing, sampler=None, smoothing=None),
            replace(stage, epochs=second, trains="head", **late),
        )
