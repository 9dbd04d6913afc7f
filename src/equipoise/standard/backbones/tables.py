"""Networks for tables: the multi-layer perceptron and the residual network."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from equipoise._tensors import Inputs
from equipoise.errors import InputError
from equipoise.spaces import Options, Span
from equipoise.spec import bounded
from equipoise.standard.backbones.base import Backbone, Extractor, Modality, TableInput
from equipoise.standard.backbones.embeddings import (
    ColumnLinear,
    Periodic,
    PiecewiseLinear,
    RowEmbedding,
    quantile_edges,
)

NUMERIC = ("piecewise", "periodic", "linear", None)
"""Ways to embed numeric columns."""


@dataclass(eq=False, repr=False, kw_only=True)
class TableBackbone(Backbone[TableInput]):
    """Base of table networks: how columns become vectors.

    Categorical columns always do, by `embeddings.CategoryEmbedding`. Numeric columns do as
    `numeric` says; each gets `embedding_width` numbers.

    Parameters
    ----------
    numeric : {"piecewise", "periodic", "linear", None}, default="piecewise"
        ``"piecewise"``: bins between quantiles of the training data; ``"periodic"``: sines
        of learnt frequencies; ``"linear"``: nothing between; each is followed by a linear
        layer and ReLU. None: numbers are passed on as they are.
    embedding_width : int, default=16
        Numbers that stand for one numeric column, at least 1.
    n_bins : int, default=16
        Bins of ``"piecewise"``, at least 1.
    n_frequencies : int, default=32
        Frequencies of ``"periodic"`` for each column, at least 1.
    sigma : float, default=0.1
        Scale of the first frequencies of ``"periodic"``, above 0.
    shared : bool, default=True
        Whether all columns share the linear layer of ``"periodic"``: fewer parameters.
    """

    modality: ClassVar[Modality] = "table"
    numeric: Literal["piecewise", "periodic", "linear"] | None = bounded(
        "piecewise", choices=NUMERIC, tune=Options(NUMERIC)
    )
    embedding_width: int = bounded(16, low=1, integer=True)
    n_bins: int = bounded(16, low=1, integer=True)
    n_frequencies: int = bounded(32, low=1, integer=True)
    sigma: float = bounded(0.1, low=0, open_low=True)
    shared: bool = bounded(True, choices=(False, True))

    def _embedding(self, inputs: TableInput, examples: Tensor | None) -> RowEmbedding:
        if inputs.n_numeric + len(inputs.cardinalities) == 0:
            raise InputError(
                "A table must have at least one column besides the label.",
                "It has none.",
                "Check which columns are read.",
            )
        if self.numeric is None or inputs.n_numeric == 0:
            return RowEmbedding(inputs, None, 1)
        return RowEmbedding(inputs, self._numeric(inputs.n_numeric, examples), self.embedding_width)

    def _numeric(self, n_columns: int, examples: Tensor | None) -> nn.Module:
        if self.numeric == "piecewise":
            encoding, n_in = PiecewiseLinear(self._edges(n_columns, examples)), self.n_bins
        elif self.numeric == "periodic":
            encoding = Periodic(n_columns, self.n_frequencies, self.sigma)
            n_in = 2 * self.n_frequencies
        else:
            encoding, n_in = nn.Unflatten(1, (n_columns, 1)), 1
        if self.numeric == "periodic" and self.shared:
            linear = nn.Linear(n_in, self.embedding_width)
        else:
            linear = ColumnLinear(n_columns, n_in, self.embedding_width)
        return nn.Sequential(encoding, linear, nn.ReLU())

    def _edges(self, n_columns: int, examples: Tensor | None) -> Tensor:
        if examples is None:  # of the right shape; the values will be loaded
            return torch.linspace(-3, 3, self.n_bins + 1).unsqueeze(1).expand(-1, n_columns)
        return quantile_edges(examples[:, :n_columns], self.n_bins)


@dataclass(eq=False, repr=False, kw_only=True)
class MLP(TableBackbone):
    """A multi-layer perceptron on embedded columns.

    With good embeddings of the numeric columns it is on a par with far heavier networks
    [1]_. Batches of one example are fine: nothing is normalised over the batch.

    Parameters
    ----------
    layers : int, default=3
        Number of hidden layers, at least 1.
    width : int, default=256
        Width of each hidden layer, at least 1; the number of features.
    dropout : float, default=0.1
        Share of activations dropped after each hidden layer, in [0, 1).
    numeric : {"piecewise", "periodic", "linear", None}, default="piecewise"
        How numeric columns are embedded: see `TableBackbone`.
    embedding_width : int, default=16
        Numbers that stand for one numeric column, at least 1.
    n_bins : int, default=16
        Bins of ``"piecewise"``, at least 1.
    n_frequencies : int, default=32
        Frequencies of ``"periodic"`` for each column, at least 1.
    sigma : float, default=0.1
        Scale of the first frequencies of ``"periodic"``, above 0.
    shared : bool, default=True
        Whether all columns share the linear layer of ``"periodic"``.

    Notes
    -----
    Each layer is linear, ReLU, dropout. Linear layers start as PyTorch's do: uniform in
    ±1/sqrt(inputs).

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in
       tabular deep learning", NeurIPS 2022. https://arxiv.org/abs/2203.05556

    Examples
    --------
    >>> network = MLP(layers=2, width=32).build(TableInput(n_numeric=3, cardinalities=(5,)))
    >>> network(torch.zeros(4, 4)).shape
    torch.Size([4, 32])
    """

    tuned_for = ("table",)

    layers: int = bounded(3, low=1, integer=True, tune=Span(1, 4, integer=True))
    width: int = bounded(256, low=1, integer=True, tune=Options((64, 128, 256, 512)))
    dropout: float = bounded(0.1, low=0, high=1, open_high=True, tune=Span(0.0, 0.5))

    def build(self, inputs: TableInput, examples: Inputs | None = None) -> Extractor:
        """Return a new network; bin edges are quantiles of `examples`."""
        embedding = self._embedding(inputs, examples)
        sizes = [embedding.n_features, *[self.width] * self.layers]
        hidden = [
            nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(self.dropout))
            for n_in, n_out in pairwise(sizes)
        ]
        layers = [("embedding", embedding), ("hidden", nn.Sequential(*hidden))]
        return Extractor(layers, self.width)


class ResidualBlock(nn.Module):
    """Normalise, widen, ReLU, dropout, narrow, dropout; added to what came in."""

    def __init__(self, width: int, inner: int, dropout: float, residual_dropout: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, inner),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(inner, width),
            nn.Dropout(residual_dropout),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(batch, width)``, the shape that came in."""
        return features + self.branch(features)


@dataclass(eq=False, repr=False, kw_only=True)
class TabularResNet(TableBackbone):
    """A residual network on embedded columns; deeper than `MLP` without being harder to train.

    Parameters
    ----------
    blocks : int, default=3
        Number of residual blocks, at least 1.
    width : int, default=192
        Width between blocks, at least 1; the number of features.
    expansion : float, default=2.0
        Width inside a block as a multiple of `width`, above 0.
    dropout : float, default=0.15
        Share of activations dropped inside a block, in [0, 1).
    residual_dropout : float, default=0.0
        Share dropped of what a block adds, in [0, 1).
    numeric : {"piecewise", "periodic", "linear", None}, default="piecewise"
        How numeric columns are embedded: see `TableBackbone`.
    embedding_width : int, default=16
        Numbers that stand for one numeric column, at least 1.
    n_bins : int, default=16
        Bins of ``"piecewise"``, at least 1.
    n_frequencies : int, default=32
        Frequencies of ``"periodic"`` for each column, at least 1.
    sigma : float, default=0.1
        Scale of the first frequencies of ``"periodic"``, above 0.
    shared : bool, default=True
        Whether all columns share the linear layer of ``"periodic"``.

    Notes
    -----
    As in [1]_: a linear layer, the blocks, normalisation and ReLU. There is one difference.
    The paper normalises over the batch, here it is over the features of each example
    (LayerNorm): small batches suit imbalanced data, and over a batch of few examples, or
    one, statistics are noise. Linear layers start as PyTorch's do.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko, "Revisiting deep learning
       models for tabular data", NeurIPS 2021, section 3.2. https://arxiv.org/abs/2106.11959

    Examples
    --------
    >>> network = TabularResNet(blocks=2, width=32).build(TableInput(n_numeric=3))
    >>> network(torch.zeros(4, 3)).shape
    torch.Size([4, 32])
    """

    tuned_for = ("table",)

    blocks: int = bounded(3, low=1, integer=True, tune=Span(1, 4, integer=True))
    width: int = bounded(192, low=1, integer=True, tune=Options((64, 128, 256)))
    expansion: float = bounded(2.0, low=0, open_low=True)
    dropout: float = bounded(0.15, low=0, high=1, open_high=True, tune=Span(0.0, 0.5))
    residual_dropout: float = bounded(0.0, low=0, high=1, open_high=True)

    def build(self, inputs: TableInput, examples: Inputs | None = None) -> Extractor:
        """Return a new network; bin edges are quantiles of `examples`."""
        embedding = self._embedding(inputs, examples)
        inner = max(1, round(self.width * self.expansion))
        blocks = [
            ResidualBlock(self.width, inner, self.dropout, self.residual_dropout)
            for _ in range(self.blocks)
        ]
        layers = [
            ("embedding", embedding),
            ("widen", nn.Linear(embedding.n_features, self.width)),
            ("blocks", nn.Sequential(*blocks)),
            ("norm", nn.LayerNorm(self.width)),
            ("activation", nn.ReLU()),
        ]
        return Extractor(layers, self.width)
