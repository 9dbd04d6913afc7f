"""Embeddings of table columns: numbers and category codes as vectors."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.standard.backbones.base import TableInput

N_WIDEST_CATEGORY = 50
"""The most numbers that stand for one categorical column."""


def category_width(cardinality: int) -> int:
    """Return how many numbers stand for a category: half the number of codes, at most 50.

    A rule of thumb that grew up with entity embeddings (Guo and Berkhahn, 2016); odd
    halves are rounded up.

    >>> [category_width(codes) for codes in (2, 3, 10, 1000)]
    [1, 2, 5, 50]
    """
    return min(N_WIDEST_CATEGORY, (cardinality + 1) // 2)


class CategoryEmbedding(nn.Module):
    """One learnt vector for each code of each column, side by side.

    Columns of equal width share one table of vectors and one look-up; the result holds the
    narrowest columns first. Vectors start from a normal distribution of unit variance, but
    that of code 0 at zero: a category unseen in training says nothing, unless the few of
    training that share the code teach it something.

    Parameters
    ----------
    cardinalities : sequence of int
        Number of codes of each column, code 0 counted.

    Examples
    --------
    >>> embedding = CategoryEmbedding((3, 10))
    >>> embedding(torch.tensor([[0, 0], [2, 9]])).shape
    torch.Size([2, 7])
    """

    columns: list[list[int]]

    def __init__(self, cardinalities: Sequence[int]) -> None:
        super().__init__()
        widths = [category_width(codes) for codes in cardinalities]
        distinct = sorted(set(widths))
        self.columns = [[i for i, w in enumerate(widths) if w == width] for width in distinct]
        self.tables = nn.ModuleList()
        for number, (width, columns) in enumerate(zip(distinct, self.columns, strict=True)):
            starts = np.cumsum([0, *(cardinalities[i] for i in columns)])
            table = nn.Embedding(int(starts[-1]), width)
            with torch.no_grad():
                table.weight[starts[:-1]] = 0
            self.tables.append(table)
            # Which rows belong to which column follows from the shapes: nothing to store.
            self.register_buffer(f"starts{number}", torch.tensor(starts[:-1]), persistent=False)
        self.n_features = sum(widths)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of each row side by side, ``(batch, n_features)``.

        Codes are int64 ``(batch, columns)``.
        """
        found = [
            table(codes[:, columns] + self.get_buffer(f"starts{number}")).flatten(1)
            for number, (table, columns) in enumerate(zip(self.tables, self.columns, strict=True))
        ]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)


class PiecewiseLinear(nn.Module):
    r"""Encode a number by the bins that it has passed, one component a bin.

    Notes
    -----
    For a column with bin edges :math:`b_0 < \dots < b_T`, component :math:`t` of the code of
    :math:`x` is

    .. math:: \min(1, \max(0, \frac{x - b_{t-1}}{b_t - b_{t-1}}))

    but the first is not cut off at 0 nor the last at 1, so that values out of the range are
    still told apart [1]_. Unlike the paper, these are cut off one bin's width out of the
    range: the last bin may be narrow, and one stray value must not swamp all others.

    Edges are quantiles of the training data, equal ones merged, so a column may use fewer
    components than it has; the rest are zero. A constant column is all zeros.

    Parameters
    ----------
    edges : Tensor, shape (n_bins + 1, columns)
        Sorted along the first axis; equal edges are merged.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in
       tabular deep learning", NeurIPS 2022, section 3.2. https://arxiv.org/abs/2203.05556

    Examples
    --------
    >>> encoding = PiecewiseLinear(torch.tensor([[0.0], [1.0], [3.0]]))
    >>> encoding(torch.tensor([[0.5], [2.0], [-0.5]]))[:, 0]
    tensor([[ 0.5000,  0.0000],
            [ 1.0000,  0.5000],
            [-0.5000,  0.0000]])
    """

    bins: Tensor

    def __init__(self, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("bins", _bins(edges.numpy()))

    def forward(self, values: Tensor) -> Tensor:
        """Return the components of each value, ``(batch, columns, n_bins)``."""
        left, slope, low, high = self.bins
        return ((values.unsqueeze(-1) - left) * slope).clamp(low, high)


def _bins(edges: np.ndarray) -> Tensor:
    """Return left edge, slope, least and greatest value of each component, stacked."""
    bins = torch.zeros(4, edges.shape[1], len(edges) - 1)
    left, slope, low, high = bins
    for column, unmerged in enumerate(edges.T):
        distinct = np.unique(unmerged)
        n_bins = len(distinct) - 1
        if n_bins == 0:
            continue
        left[column, :n_bins] = torch.from_numpy(distinct[:-1])
        # The floor keeps the slope finite where two edges differ by next to nothing.
        slope[column, :n_bins] = torch.from_numpy(1 / np.diff(distinct).clip(1e-30))
        low[column, 0] = -1
        high[column, :n_bins] = 1
        high[column, n_bins - 1] = 2
    return bins


def quantile_edges(values: Tensor, n_bins: int) -> Tensor:
    """Return evenly spaced quantiles of ``(examples, columns)``: ``(n_bins + 1, columns)``.

    The least and the greatest value are the first and the last.

    >>> quantile_edges(torch.arange(5.0).unsqueeze(1), n_bins=2).flatten()
    tensor([0., 2., 4.])
    """
    levels = np.linspace(0, 1, n_bins + 1)
    return torch.from_numpy(np.quantile(values.numpy(), levels, axis=0).astype(np.float32))


class Periodic(nn.Module):
    r"""Encode a number by cosines and sines of learnt frequencies.

    Notes
    -----
    For column :math:`j` with frequencies :math:`c_{j1}, \dots, c_{jk}` the code of :math:`x`
    is :math:`\cos(2 \pi c_{jl} x)` for each :math:`l`, then the sines [1]_. Frequencies start
    from a normal distribution of deviation `sigma`, cut off at three deviations.

    Parameters
    ----------
    n_columns : int
        Number of numeric columns.
    n_frequencies : int
        Frequencies a column.
    sigma : float
        Scale of the first frequencies, in turns per unit of the column. The larger, the finer
        the differences that the network sees at once; the most important setting.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in
       tabular deep learning", NeurIPS 2022, section 3.3. https://arxiv.org/abs/2203.05556

    Examples
    --------
    >>> Periodic(n_columns=3, n_frequencies=8, sigma=0.1)(torch.zeros(2, 3)).shape
    torch.Size([2, 3, 16])
    """

    def __init__(self, n_columns: int, n_frequencies: int, sigma: float) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.empty(n_columns, n_frequencies))
        nn.init.trunc_normal_(self.frequencies, std=sigma, a=-3 * sigma, b=3 * sigma)

    def no_weight_decay(self) -> set[str]:
        """Name the frequencies: drawn to zero, they would see every value alike."""
        return {"frequencies"}

    def forward(self, values: Tensor) -> Tensor:
        """Return cosines, then sines, of each value: ``(batch, columns, 2 n_frequencies)``."""
        angles = 2 * math.pi * self.frequencies * values.unsqueeze(-1)
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


class ColumnLinear(nn.Module):
    """A linear layer for each column: ``(batch, columns, n_in) -> (batch, columns, n_out)``.

    Weights and biases start uniform in ±1/sqrt(n_in), as those of ``torch.nn.Linear`` do.

    >>> ColumnLinear(n_columns=3, n_in=8, n_out=4)(torch.zeros(2, 3, 8)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, n_columns: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(n_columns, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_columns, 1, n_out).uniform_(-bound, bound))

    def forward(self, codes: Tensor) -> Tensor:
        """Return each column's own linear map of its code, ``(batch, columns, n_out)``."""
        return torch.baddbmm(self.bias, codes.transpose(0, 1), self.weight).transpose(0, 1)


class RowEmbedding(nn.Module):
    """A whole encoded row as one vector: its numeric part, then its categories.

    Parameters
    ----------
    inputs : TableInput
        Which columns are of which kind.
    numeric : Module or None
        Maps ``(batch, n_numeric)`` to ``(batch, n_numeric, numeric_width)``; None passes the
        numbers on as they are.
    numeric_width : int
        Numbers that stand for one numeric column; 1 without a module.

    Examples
    --------
    >>> embedding = RowEmbedding(TableInput(2, (4,)), None, 1)
    >>> embedding(torch.tensor([[0.5, -1.5, 0.0]]))
    tensor([[ 0.5000, -1.5000,  0.0000,  0.0000]], grad_fn=<CatBackward0>)
    """

    def __init__(self, inputs: TableInput, numeric: nn.Module | None, numeric_width: int) -> None:
        super().__init__()
        self.n_numeric = inputs.n_numeric
        self.numeric = numeric if inputs.n_numeric else None
        self.categories = CategoryEmbedding(inputs.cardinalities) if inputs.cardinalities else None
        n_categories = self.categories.n_features if self.categories else 0
        self.n_features = inputs.n_numeric * numeric_width + n_categories

    def forward(self, rows: Tensor) -> Tensor:
        """Return one vector a row, ``(batch, n_features)``."""
        numbers = rows[:, : self.n_numeric]
        embedded = numbers if self.numeric is None else self.numeric(numbers).flatten(1)
        if self.categories is None:
            return embedded
        codes = rows[:, self.n_numeric :].long()
        return torch.cat([embedded, self.categories(codes)], dim=1)
