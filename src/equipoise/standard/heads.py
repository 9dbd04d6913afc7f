"""Heads: what maps features to logits."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.spaces import Span
from equipoise.spec import Component, bounded

SHORTEST = 1e-6
"""A vector shorter than this has no direction: it counts as zero."""


@dataclass(eq=False, repr=False, kw_only=True)
class Head(Component):
    """Base of heads: builds the module from features to logits."""

    @abstractmethod
    def build(self, n_features: int, n_classes: int, members: int | None = None) -> nn.Module:
        """Return a new head; initial weights are drawn from torch's global generator.

        Parameters
        ----------
        n_features : int
            Width of the features.
        n_classes : int
            Number of logits.
        members : int or None, default=None
            None: the head maps ``(batch, n_features)`` to ``(batch, n_classes)``. A number:
            it holds so many independent heads, and maps ``(batch, members, n_features)`` to
            ``(batch, members, n_classes)``, each member's features by its own head.
        """


class Rows(nn.Module):
    """A row of weights for each class, of an ensemble for each member and class.

    Parameters
    ----------
    n_features, n_classes : int
        Width of what comes in and of what goes out.
    members : int or None
        Number of members; None: no ensemble.
    bias : bool
        Whether a bias is added. It starts at zero.

    Notes
    -----
    Weights have the shape ``(n_classes, n_features)``; those of members lie one below the other,
    ``(members * n_classes, n_features)``, so that whatever acts on rows sees one a class. They
    start from a normal distribution of deviation ``1 / sqrt(n_features)``: every direction is
    equally likely, and lengths are near one.

    Examples
    --------
    >>> Rows(8, 3, members=4, bias=True)(torch.zeros(2, 4, 8)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, n_features: int, n_classes: int, members: int | None, bias: bool) -> None:
        super().__init__()
        n_rows = n_classes if members is None else members * n_classes
        self.members = members
        self.weight = nn.Parameter(torch.empty(n_rows, n_features))
        nn.init.normal_(self.weight, std=n_features**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_rows)) if bias else None

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits, ``(batch, [members,] n_classes)``."""
        return self.products(features, self.weight)

    def products(self, features: Tensor, rows: Tensor) -> Tensor:
        """Return the product of each feature vector with each of its member's rows, plus bias."""
        if self.members is None:
            return F.linear(features, rows, self.bias)
        own = rows.unflatten(0, (self.members, -1))
        logits = torch.einsum("bmf,mcf->bmc", features, own)
        return logits if self.bias is None else logits + self.bias.view(self.members, -1)


@dataclass(eq=False, repr=False, kw_only=True)
class Linear(Head):
    r"""One logit a class, linear in the features.

    Notes
    -----
    For features :math:`h` of shape ``(batch, n_features)``, the logits are
    :math:`h W^\top + b` with :math:`W` of shape ``(n_classes, n_features)``. Weights and
    biases start uniform in :math:`\pm 1 / \sqrt{\text{n\_features}}`, PyTorch's own choice,
    those of each member of an ensemble on their own.

    Examples
    --------
    >>> Linear().build(64, 10)
    Linear(in_features=64, out_features=10, bias=True)
    """

    tuned_for = ("images", "table")

    def build(self, n_features: int, n_classes: int, members: int | None = None) -> nn.Module:
        """Return a new linear layer, or one for each member."""
        if members is None:
            return nn.Linear(n_features, n_classes)
        head, bound = Rows(n_features, n_classes, members, bias=True), n_features**-0.5
        for parameter in head.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        return head


class CosineRows(Rows):
    """The head that `Cosine` builds.

    Parameters
    ----------
    n_features, n_classes : int
        Width of what comes in and of what goes out.
    members : int or None
        Number of members; None: no ensemble.
    scale : float
        What cosines are multiplied by, at first if it is learnt.
    learned : bool
        Whether the scale is learnt, each member's on its own.
    """

    def __init__(
        self, n_features: int, n_classes: int, members: int | None, scale: float, learned: bool
    ) -> None:
        super().__init__(n_features, n_classes, members, bias=False)
        start = torch.full(() if members is None else (members,), math.log(scale))
        # As a logarithm the scale stays positive whatever the optimizer does.
        self.log_scale = nn.Parameter(start) if learned else None
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Return scaled cosines, ``(batch, [members,] n_classes)``."""
        cosines = self.products(unit(features), unit(self.weight))
        if self.log_scale is None:
            return self.scale * cosines
        return self.log_scale.exp().unsqueeze(-1) * cosines


@dataclass(eq=False, repr=False, kw_only=True)
class Cosine(Head):
    r"""One logit a class: the scaled cosine between the features and the class's row.

    Neither the length of a row, which grows with the class's number of examples, nor that
    of the features counts.

    Parameters
    ----------
    scale : float, default=16.0
        What cosines are multiplied by, above 0. With :math:`K` classes no probability can
        pass :math:`1 / (1 + (K - 1) e^{-2 s})`, so too small a scale cannot fit the data.
    learned : bool, default=False
        Whether the scale is learnt, from `scale` on; its logarithm is the parameter, which
        does not decay.

    Notes
    -----
    For features :math:`h` and the row :math:`w_k` of class :math:`k`

    .. math:: z_k = s \cos(h, w_k) = s \, \frac{h^\top w_k}{\|h\| \, \|w_k\|}

    without a bias. A vector shorter than 1e-6, such as features that are all zero, has
    no direction: its cosines are 0, and no gradient flows through it. Rows start from a normal
    distribution, so that all directions are equally likely [1]_.

    References
    ----------
    .. [1] S. Gidaris, N. Komodakis, "Dynamic few-shot visual learning without forgetting",
       CVPR 2018. https://arxiv.org/abs/1804.09458

    Examples
    --------
    >>> head = Cosine(scale=10.0).build(64, 3)
    >>> features = torch.randn(5, 64)
    >>> bool(head(features).abs().max() <= 10)
    True
    >>> torch.allclose(head(features), head(7 * features), atol=1e-5)
    True
    """

    tuned_for = ("images", "table")

    scale: float = bounded(16.0, low=0, open_low=True, tune=Span(4.0, 64.0, log=True))
    learned: bool = bounded(False, choices=(False, True))

    def build(self, n_features: int, n_classes: int, members: int | None = None) -> nn.Module:
        """Return a new cosine head, or one for each member."""
        return CosineRows(n_features, n_classes, members, self.scale, self.learned)


class NormalizedRows(Rows):
    """The head that `Normalized` builds: products with rows of unit length."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits, ``(batch, [members,] n_classes)``."""
        return self.products(features, unit(self.weight))


@dataclass(eq=False, repr=False, kw_only=True)
class Normalized(Head):
    r"""One logit a class, linear in the features, with every class's row of length one.

    Rows of frequent classes grow longer than those of rare ones; here they cannot. The
    features keep their length, so confidence can still be expressed.

    Parameters
    ----------
    bias : bool, default=True
        Whether a bias is added to each logit. It is free to learn the class frequencies.

    Notes
    -----
    For features :math:`h` and the row :math:`w_k` of class :math:`k`

    .. math:: z_k = \frac{h^\top w_k}{\|w_k\|} + b_k

    in training and in prediction alike. The :math:`\tau`-normalisation of [1]_ divides by
    :math:`\|w_k\|^\tau` once an ordinary linear head has been trained; with :math:`\tau = 1`
    it ends in the same form. Rows start from a normal distribution, so that all directions
    are equally likely, and biases at zero. A row shorter than 1e-6 counts as zero.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> head = Normalized(bias=False).build(64, 3)
    >>> features = torch.randn(5, 64)
    >>> bool((head(features).abs() <= features.norm(dim=1, keepdim=True)).all())
    True
    """

    bias: bool = bounded(True, choices=(False, True))

    def build(self, n_features: int, n_classes: int, members: int | None = None) -> nn.Module:
        """Return a new head, or one for each member."""
        return NormalizedRows(n_features, n_classes, members, self.bias)


def unit(vectors: Tensor) -> Tensor:
    """Return vectors along the last axis at length one; those shorter than 1e-6 as zeros.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    # Masked, not just divided by a floor: that would multiply gradients by its inverse.
    return torch.where(lengths < SHORTEST, 0.0, vectors / lengths.clamp_min(SHORTEST))


HEADS: dict[str, type[Head]] = {"Linear": Linear, "Cosine": Cosine, "Normalized": Normalized}
"""Heads by name."""
