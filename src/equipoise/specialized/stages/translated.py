"""A stage in which rare classes are shown translated examples of common ones."""

from dataclasses import dataclass, replace
from typing import ClassVar

from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.samplers import ClassBalanced
from equipoise.specialized.stages.base import S, Staged
from equipoise.specialized.stages.deferred import Deferred
from equipoise.specialized.translation import Translation
from equipoise.standard.backbones.base import Modality
from equipoise.standard.heads import Head


@dataclass(eq=False, repr=False, kw_only=True)
class M2m(Deferred):
    r"""Major-to-minor translation: common examples, changed until they are of a rare class.

    The second stage shows classes alike, as `DRS` does, but most of the examples of rare classes
    are images of common ones, moved by gradient steps until the network of the first stage takes
    them for the rare class while the network in training gives up their own. So a rare class is
    seen with the variety of common ones. For images, without a self-supervised loss; a ``mixing``
    acts in the first stage only. Each step takes `steps` passes more of each of the two networks
    over what is translated, so the second stage is several times as slow.
    Without a ``sampler`` of the classifier ``ClassBalanced()``.

    Parameters
    ----------
    start : float, default=0.8
        Share of the epochs of the first stage, from 0 to 1.
    beta : float, default=0.999
        How soon a class is large enough to translate from, from 0 to below 1: of one that has
        :math:`d` examples more than the target a translation is kept with the probability
        :math:`1 - \beta^d`. Small data sets want a smaller one.
    lam : float, default=0.5
        Strength :math:`\lambda` with which the source class is left, at least 0.
    gamma : float, default=0.9
        Least probability of the target class with which a translated image is taken, from 0 to 1.
    steps : int, default=10
        Gradient steps for each image, at least 1.
    step_size : float, default=0.1
        L2 length of each step, in images with pixels from 0 to 1, above 0.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k`, an example of class :math:`k` in the
    balanced batch is to be replaced with the probability :math:`1 - n_k / n_{max}`, the part that
    a balanced data set lacks. The source :math:`j` is drawn in proportion to
    :math:`1 - \beta^{(n_j - n_k)^+}`, and kept with this probability; its image, augmented anew and
    with noise, descends along

    .. math:: -\log \operatorname{softmax}(g(x))_k + \lambda f_j(x)

    with :math:`g` the network that the first stage has kept, and :math:`f` that in training, both
    as they predict [1]_. If :math:`g` gives the result less than `gamma` for class :math:`k`, the
    real example stays. Labels and weights of the batch are as they were. Two things differ from
    the paper: its :math:`g` is the network of another training, and the length of its noise is a
    parameter, here half of that of all steps.

    References
    ----------
    .. [1] J. Kim et al., "M2m: imbalanced classification via major-to-minor translation", CVPR
       2020, section 3. https://arxiv.org/abs/2004.00431

    Examples
    --------
    >>> from equipoise.stage import Stage
    >>> from equipoise.standard.optimizers import SGD
    >>> from equipoise.standard.schedules import Cosine
    >>> whole = Stage(epochs=10, batch_size=8, optimizer=SGD(), schedule=Cosine(), loss=None)
    >>> for stage in M2m().split(whole):
    ...     print(stage.epochs, stage.sampler, stage.translation is None)
    8 None True
    2 ClassBalanced() False
    """

    exact_prior: ClassVar[bool] = False

    beta: float = bounded(0.999, low=0, high=1, open_high=True)
    lam: float = bounded(0.5, low=0, tune=Span(0.01, 1.0, log=True))
    gamma: float = bounded(0.9, low=0, high=1, tune=Span(0.5, 0.99))
    steps: int = bounded(10, low=1, integer=True)
    step_size: float = bounded(0.1, low=0, open_low=True)

    def split(self, stage: S) -> tuple[S, S]:
        """Return the stage that shows the data as they are, and that of translations."""
        translation = Translation(
            beta=self.beta,
            lam=self.lam,
            gamma=self.gamma,
            steps=self.steps,
            step_size=self.step_size,
        )
        late = {"sampler": stage.sampler or ClassBalanced(), "mixing": None}
        whole = replace(stage, translation=translation, **late)
        return self._deferred(whole, sampler=None, mixing=stage.mixing, translation=None)

    def check(self, stage: Staged, head: Head, kind: Modality) -> None:  # noqa: ARG002
        """Raise `InputError` for tables, and if a self-supervised loss compares views."""
        if kind != "images":
            raise InputError(
                "`M2m` must be used with images, whose values can be changed little by little.",
                "The data are a table.",
                'Choose other stages, such as --stages "DRS()".',
            )
        if stage.auxiliary is not None:
            raise InputError(
                "`M2m` must be used without a self-supervised loss, for a translated image has "
                "no second view.",
                f"The loss is {stage.auxiliary!r}.",
                "Leave out --auxiliary, or choose other stages.",
            )
