"""Self-supervised losses: two views of an example agree, and different examples stay apart.

The same components serve two uses: as an auxiliary loss beside cross-entropy (Joint-SSL), and
alone, to train a backbone before the labels are used.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise._tensors import Features
from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import Component, bounded
from equipoise.standard.augmentation.base import Augmentation
from equipoise.standard.augmentation.tables import FeatureSwap
from equipoise.standard.backbones.base import Modality

SMALLEST_NORM = 1e-4
"""Projections shorter than this are not stretched to length 1: their direction is unknown."""


@dataclass(eq=False, repr=False, kw_only=True)
class SelfSupervision(Component):
    r"""Base of self-supervised losses on two projected views of a batch.

    In data-parallel training each process compares the examples of its own share of the batch;
    the gradients are averaged, the views are not gathered. Contrastive losses then see fewer
    negatives than the whole batch has.

    Parameters
    ----------
    weight : float, default=0.1
        Factor of this loss beside the supervised one, at least 0; training multiplies by it.
        Pre-training has no other loss and does not use it.
    width : int, default=128
        Units of every layer of the projector, at least 1.
    layers : int, default=2
        Linear layers of the projector, at least 1.
    norm : "layer", "batch" or None, default="layer"
        Normalisation of the projector's hidden layers. The papers on images use batch norm, with
        batches of hundreds or more; layer norm does not depend on the batch.
    corruption : float, default=0.3
        For tables, the probability that a value of the second view is another row's, above 0 and
        at most 1. Not used for images.

    Notes
    -----
    Joint-SSL trains backbone :math:`f`, head :math:`h` and projector :math:`p` on two views
    :math:`v, v'` of each example with

    .. math:: L = \ell(h(f(v)), y) + \text{weight} \cdot L_\text{ssl}(p(f(v)), p(f(v'))).
    """

    modalities: ClassVar[tuple[Modality, ...]] = ("images", "table")

    weight: float = bounded(0.1, low=0, tune=Span(0.01, 1.0, log=True))
    width: int = bounded(128, low=1, integer=True)
    layers: int = bounded(2, low=1, integer=True)
    norm: str | None = bounded("layer", choices=("layer", "batch", None))
    corruption: float = bounded(0.3, low=0, high=1, open_low=True)

    def __call__(self, first: Features, second: Features) -> Tensor:
        """Return the loss of two projected views, without `weight`.

        Parameters
        ----------
        first, second : Tensor, shape (batch, width)
            Row `i` of both is the same example, seen twice.

        Returns
        -------
        Tensor
            A scalar; computed in float32 at least, also under autocast.
        """
        with torch.autocast(first.device.type, enabled=False):
            return self.loss(_at_least_float32(first), _at_least_float32(second))

    @abstractmethod
    def loss(self, first: Features, second: Features) -> Tensor:
        """Return the loss of two projected views, in the precision that is given."""

    def projector(self, n_features: int) -> nn.Module:
        """Return a new projector from ``(rows, n_features)`` to ``(rows, width)``.

        A multilayer perceptron with ReLU, linear at the end. It is thrown away after training.
        Initial weights are drawn from torch's global generator. Give it both views in one call,
        so that batch norm sees two rows even of a batch of one.
        """
        blocks: list[nn.Module] = []
        for _ in range(self.layers - 1):
            blocks += [nn.Linear(n_features, self.width), *self._norms(), nn.ReLU()]
            n_features = self.width
        return nn.Sequential(*blocks, nn.Linear(n_features, self.width))

    def _norms(self) -> list[nn.Module]:
        if self.norm is None:
            return []
        return [nn.LayerNorm(self.width) if self.norm == "layer" else _BatchNorm(self.width)]

    def second_view_transform(self, kind: Modality) -> Augmentation | None:
        """Return what makes the second view of the unaugmented inputs.

        Parameters
        ----------
        kind : "images" or "table"
            What the inputs are.

        Returns
        -------
        Augmentation or None
            For a table a `FeatureSwap` of rate `corruption`, yet to be bound to its columns. None
            for images: draw the second view with the run's own augmentation, which must then
            exist.

        Raises
        ------
        InputError
            If the loss is not made for such inputs.
        """
        if kind not in self.modalities:
            raise InputError(
                f"`{type(self).__name__}` is a loss for {' and '.join(self.modalities)}.",
                f"The inputs are {'a table' if kind == 'table' else 'images'}.",
                "Choose `VICReg` or `SimCLR`, which are for both.",
            )
        return None if kind == "images" else FeatureSwap(rate=self.corruption)


@dataclass(eq=False, repr=False, kw_only=True)
class SimCLR(SelfSupervision):
    r"""The NT-Xent loss: find the other view of an example among all views in the batch [1]_.

    It gains from large batches, which hold more views to tell apart. A batch of one has none,
    and its loss and gradient are 0. Further fields are those of `SelfSupervision`.

    Parameters
    ----------
    temperature : float, default=0.5
        Divides the cosines, above 0; small values attend to the most similar other examples.

    Notes
    -----
    For the :math:`2n` projections :math:`z` of both views, where :math:`j(i)` is the other view of
    :math:`i`, and temperature :math:`\tau`, in nats:

    .. math:: L = -\frac{1}{2n} \sum_{i=1}^{2n} \log
        \frac{\exp(\cos(z_i, z_{j(i)}) / \tau)}{\sum_{k \ne i} \exp(\cos(z_i, z_k) / \tau)}

    It is :math:`\log(2n - 1)` if all projections are equal.

    References
    ----------
    .. [1] T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A simple framework for contrastive
       learning of visual representations", ICML 2020, eq. 1. https://arxiv.org/abs/2002.05709

    Examples
    --------
    Two examples at right angles, seen alike in both views, and then mixed up:

    >>> views = torch.eye(2)
    >>> for second in views, views.flip(0):
    ...     print(f"{SimCLR()(views, second):.3f}")
    0.240
    2.240
    """

    temperature: float = bounded(0.5, low=0, open_low=True)

    def loss(self, first: Features, second: Features) -> Tensor:
        """Return the mean NT-Xent loss over all views, in nats."""
        views = _directions(torch.cat((first, second)))
        itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
        similarity = (views @ views.T / self.temperature).masked_fill(itself, -torch.inf)
        other = torch.arange(len(views), device=views.device).roll(len(first))
        return F.cross_entropy(similarity, other)


@dataclass(eq=False, repr=False, kw_only=True)
class VICReg(SelfSupervision):
    r"""Equal views, spread along every dimension, without correlation between dimensions [1]_.

    It compares no examples with each other, and so bears small batches better than `SimCLR`. A
    batch of one has no variance; its loss is the invariance alone. Further fields are those of
    `SelfSupervision`.

    Parameters
    ----------
    invariance : float, default=25.0
        Share of the distance between both views, above 0.
    variance : float, default=25.0
        Share of the hinge on the standard deviation, at least 0.
    covariance : float, default=1.0
        Share of the squared covariances, at least 0.
    width : int, default=256
        Units of every layer of the projector.
    layers : int, default=3
        Linear layers of the projector.

    Notes
    -----
    For projections :math:`Z, Z'` of shape :math:`(n, d)` with covariance matrices :math:`C, C'`
    (divided by :math:`n - 1`) and coefficients :math:`\lambda, \mu, \nu` (`invariance`,
    `variance`, `covariance`):

    .. math::
        L &= \frac{1}{\lambda} \left(\lambda\, s + \tfrac{\mu}{2} [v(Z) + v(Z')]
             + \nu\, [c(Z) + c(Z')]\right) \\
        s &= \frac{1}{nd} \sum_{ij} (Z_{ij} - Z'_{ij})^2 \\
        v(Z) &= \frac{1}{d} \sum_j \max\left(0, 1 - \sqrt{C_{jj} + 10^{-4}}\right) \\
        c(Z) &= \frac{1}{d} \sum_{i \ne j} C_{ij}^2

    The mean over :math:`d` in :math:`s` and the half of :math:`\mu` are the authors' code, for
    which the default coefficients are; equations 5 and 6 of the paper have neither. The division
    by :math:`\lambda` is ours: it changes no optimum, and brings the loss near 1 for new
    networks, so that `weight` compares with cross-entropy and learning rates stay as they are.

    References
    ----------
    .. [1] A. Bardes, J. Ponce, Y. LeCun, "VICReg: variance-invariance-covariance regularization
       for self-supervised learning", ICLR 2022, eq. 1-6. https://arxiv.org/abs/2105.04906

    Examples
    --------
    Projections that are all equal are punished for their lack of spread, not for distance:

    >>> views = torch.zeros(4, 2)
    >>> VICReg()(views, views)
    tensor(0.9900)

    Spread and uncorrelated, they cost nothing:

    >>> views = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> VICReg()(views, views)
    tensor(0.)
    """

    tuned_for = ("images",)

    width: int = bounded(256, low=1, integer=True)
    layers: int = bounded(3, low=1, integer=True)
    invariance: float = bounded(25.0, low=0, open_low=True)
    variance: float = bounded(25.0, low=0)
    covariance: float = bounded(1.0, low=0)

    def loss(self, first: Features, second: Features) -> Tensor:
        """Return the weighted sum of the three terms, divided by `invariance`."""
        distance = F.mse_loss(first, second)
        if len(first) == 1:
            return distance
        narrowness = (_narrowness(first) + _narrowness(second)) / 2
        redundancy = _redundancy(first) + _redundancy(second)
        spread = self.variance * narrowness + self.covariance * redundancy
        return distance + spread / self.invariance


@dataclass(eq=False, repr=False, kw_only=True)
class SCARF(SelfSupervision):
    r"""Find the corrupted copy of a table row among those of all rows in the batch [1]_.

    For tables only. The first view is the row itself; in the second, a share of the values is
    replaced by values of the same columns in other rows. Further fields are those of
    `SelfSupervision`.

    Parameters
    ----------
    corruption : float, default=0.6
        Probability that a value of the second view is another row's, above 0 and at most 1.
    temperature : float, default=1.0
        Divides the cosines, above 0.
    width : int, default=256
        Units of every layer of the projector.
    norm : "layer", "batch" or None, default=None
        Normalisation of the projector's hidden layers; the paper has none.

    Notes
    -----
    For projections :math:`z` of the rows and :math:`\tilde z` of their corrupted copies, of shape
    :math:`(n, width)`, and temperature :math:`\tau`, in nats:

    .. math:: L = -\frac{1}{n} \sum_{i=1}^{n} \log
        \frac{\exp(\cos(z_i, \tilde z_i) / \tau)}
        {\frac{1}{n} \sum_{k=1}^{n} \exp(\cos(z_i, \tilde z_k) / \tau)}

    The mean in the denominator, not a sum, shifts the loss by :math:`\log n`: it is 0 where copies
    cannot be told apart, as in a batch of one, and falls to no less than :math:`-\log n`.

    References
    ----------
    .. [1] D. Bahri, H. Jiang, Y. Tay, D. Metzler, "SCARF: self-supervised contrastive learning
       using random feature corruption", ICLR 2022, algorithm 1.
       https://arxiv.org/abs/2106.15147

    Examples
    --------
    Two rows at right angles, with copies like them, and then mixed up:

    >>> rows = torch.eye(2)
    >>> for copies in rows, rows.flip(0):
    ...     print(f"{SCARF()(rows, copies):.3f}")
    -0.380
    0.620
    """

    tuned_for = ("table",)

    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    width: int = bounded(256, low=1, integer=True)
    norm: str | None = bounded(None, choices=("layer", "batch", None))
    corruption: float = bounded(0.6, low=0, high=1, open_low=True)
    temperature: float = bounded(1.0, low=0, open_low=True)

    def loss(self, first: Features, second: Features) -> Tensor:
        """Return the mean InfoNCE loss over the rows, in nats."""
        cosines = _directions(first) @ _directions(second).T
        scores = (cosines / self.temperature).log_softmax(dim=1).diagonal()
        return -scores.mean() - torch.log(scores.new_tensor(len(first)))


class _BatchNorm(nn.BatchNorm1d):
    """Batch norm that takes its running statistics for a single row, which has no variance."""

    def forward(self, input: Tensor) -> Tensor:
        if len(input) > 1:
            return super().forward(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _at_least_float32(values: Features) -> Features:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _directions(views: Features) -> Features:
    return F.normalize(views, dim=1, eps=SMALLEST_NORM)


def _narrowness(views: Features) -> Tensor:
    return F.relu(1 - (views.var(dim=0) + 1e-4).sqrt()).mean()


def _redundancy(views: Features) -> Tensor:
    centred = views - views.mean(dim=0)
    covariance = centred.T @ centred / (len(views) - 1)
    itself = torch.eye(len(covariance), dtype=torch.bool, device=views.device)
    return covariance.masked_fill(itself, 0).square().sum() / len(covariance)


SELF_SUPERVISIONS: dict[str, type[SelfSupervision]] = {
    "SimCLR": SimCLR,
    "VICReg": VICReg,
    "SCARF": SCARF,
}
"""Self-supervised losses by name."""
