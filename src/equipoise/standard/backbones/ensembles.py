"""Ensembles that share most of their weights: TabM for tables."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from equipoise._tensors import Inputs
from equipoise.spaces import Options, Span
from equipoise.spec import bounded
from equipoise.standard.backbones.base import Extractor, TableInput
from equipoise.standard.backbones.embeddings import RowEmbedding
from equipoise.standard.backbones.tables import TableBackbone


class SharedLinear(nn.Module):
    r"""A linear layer that members share, between scales and before biases of their own.

    Parameters
    ----------
    n_in, n_out : int
        Width of what comes in and of what goes out.
    members : int
        Number of members.

    Notes
    -----
    Member :math:`m` computes :math:`s_m \odot W (r_m \odot x) + b_m` [1]_. The weights
    :math:`W` and the biases start uniform in :math:`\pm 1/\sqrt{\text{n\_in}}`, biases equal for
    all members, and both scales at 1. Scales do not decay: zero would switch off what they
    multiply.

    References
    ----------
    .. [1] Y. Wen, D. Tran, J. Ba, "BatchEnsemble: an alternative approach to efficient
       ensemble and lifelong learning", ICLR 2020. https://arxiv.org/abs/2002.06715

    Examples
    --------
    >>> layer = SharedLinear(8, 3, members=4)
    >>> layer(torch.zeros(2, 8)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, n_in: int, n_out: int, members: int) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound))
        self.scale_in = nn.Parameter(torch.ones(members, n_in))
        self.scale_out = nn.Parameter(torch.ones(members, n_out))
        bias = torch.empty(n_out).uniform_(-bound, bound)
        self.bias = nn.Parameter(bias.repeat(members, 1))

    def no_weight_decay(self) -> set[str]:
        """Name the scales."""
        return {"scale_in", "scale_out"}

    def forward(self, values: Tensor) -> Tensor:
        """Return ``(batch, members, n_out)``.

        What comes in is each member's own ``(batch, members, n_in)``, or ``(batch, n_in)``
        for all of them.
        """
        own = values.unsqueeze(1) if values.ndim == 2 else values
        return nn.functional.linear(own * self.scale_in, self.weight) * self.scale_out + self.bias


def random_scales(n_columns: list[int], members: int, signs: bool) -> Tensor:
    """Return first scales: one random number for each column of a table and each member.

    Parameters
    ----------
    n_columns : list of int
        How many numbers stand for each column; they all get the same scale.
    members : int
        Number of members.
    signs : bool
        Whether scales are -1 or 1 with equal chance; otherwise they are standard normal.

    Returns
    -------
    Tensor, shape (members, sum of `n_columns`)

    Examples
    --------
    >>> scales = random_scales([2, 3], members=4, signs=False)
    >>> [len(set(row)) for row in scales.tolist()]
    [2, 2, 2, 2]
    """
    shape = (members, len(n_columns))
    drawn = torch.randint(0, 2, shape) * 2.0 - 1 if signs else torch.randn(shape)
    return drawn.repeat_interleave(torch.tensor(n_columns), dim=1)


@dataclass(eq=False, repr=False, kw_only=True)
class TabM(TableBackbone):
    """An ensemble of multi-layer perceptrons in one network, which share their matrices.

    Each member has scales and biases of its own in every layer, and a head of its own.
    Members are trained at once, each by its own loss; their probabilities are averaged [1]_.
    It has few more weights than one `MLP`, and takes the computing of `members` of them.

    Parameters
    ----------
    members : int, default=32
        Number of members, at least 1.
    layers : int, default=3
        Number of hidden layers, at least 1.
    width : int, default=256
        Width of each hidden layer, at least 1; the number of features.
    dropout : float, default=0.1
        Share of activations dropped after each hidden layer, in [0, 1).
    numeric : {"piecewise", "periodic", "linear", None}, default="piecewise"
        How numeric columns are embedded: see `TableBackbone`. Members share embeddings.
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
    Each layer is `SharedLinear`, ReLU, dropout, as in the full TabM of the paper (not TabM-mini).
    All scales start at 1 but those of what enters the first layer: these make the members
    differ from the start, one number a column, standard normal where numeric columns are
    embedded and otherwise -1 or 1. There are two differences from the authors' package:
    categories are learnt vectors, not one-hot codes, and scales do not decay.

    References
    ----------
    .. [1] Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: advancing tabular deep learning
       with parameter-efficient ensembling", ICLR 2025. https://arxiv.org/abs/2410.24210

    Examples
    --------
    >>> network = TabM(members=8, layers=2, width=32).build(TableInput(n_numeric=3))
    >>> network(torch.zeros(4, 3)).shape
    torch.Size([4, 8, 32])
    """

    tuned_for = ("table",)

    members: int = bounded(32, low=1, integer=True)
    layers: int = bounded(3, low=1, integer=True, tune=Span(1, 4, integer=True))
    width: int = bounded(256, low=1, integer=True, tune=Options((64, 128, 256)))
    dropout: float = bounded(0.1, low=0, high=1, open_high=True, tune=Span(0.0, 0.5))

    def build(self, inputs: TableInput, examples: Inputs | None = None) -> Extractor:
        """Return a new network; bin edges are quantiles of `examples`."""
        embedding = self._embedding(inputs, examples)
        sizes = [embedding.n_features, *[self.width] * self.layers]
        linear = [SharedLinear(n_in, n_out, self.members) for n_in, n_out in pairwise(sizes)]
        signs = embedding.numeric is None
        with torch.no_grad():
            linear[0].scale_in.copy_(random_scales(_widths(embedding), self.members, signs))
        hidden = [nn.Sequential(layer, nn.ReLU(), nn.Dropout(self.dropout)) for layer in linear]
        layers = [("embedding", embedding), ("hidden", nn.Sequential(*hidden))]
        return Extractor(layers, self.width, self.members)


def _widths(embedding: RowEmbedding) -> list[int]:
    """Return how many numbers stand for each column, in the order of the embedded row."""
    categories: list[int] = []
    if embedding.categories is not None:
        groups = zip(embedding.categories.tables, embedding.categories.columns, strict=True)
        for table, columns in groups:
            categories += [table.get_parameter("weight").shape[1]] * len(columns)
    n_numbers = embedding.n_features - sum(categories)
    each = n_numbers // embedding.n_numeric if embedding.n_numeric else 0
    return [each] * embedding.n_numeric + categories
