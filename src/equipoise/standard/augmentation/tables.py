"""Augmentation of encoded table rows: noise, masking, swapping and jitter of ranks.

Rows are float32 ``(batch, columns)``: scaled numbers first, then category codes. Columns of
zeros and ones among the numbers (booleans, marks of missing values), as the training examples
show them, are flags: noise and jitter leave them alone, since no other value means anything.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from equipoise._tensors import Inputs
from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Graded, Transform
from equipoise.standard.backbones.base import InputFormat, Modality, TableInput

MOST_QUANTILES = 1000
"""Largest number of training quantiles that `QuantileJitter` keeps for each column."""

Change = Callable[[Inputs, torch.Generator, Tensor], Inputs]
"""A map of batches: inputs, generator, and strength of each example, shape ``(batch, 1)``."""


@dataclass(eq=False, repr=False, kw_only=True)
class TableAugmentation(Graded):
    """Base of augmentations of tables: they map batches once `bind` has told them the columns.

    A subclass builds the map in `change`. It returns new rows, never the old ones altered.

    Parameters
    ----------
    tail_scale : float, default=1.0
        Strength for the smallest class as a multiple of that for the largest, at least 0.
    """

    modality: ClassVar[Modality] = "table"

    def bind(self, inputs: InputFormat, examples: Inputs | None = None) -> Transform:
        """Return the map of batches for a table.

        Parameters
        ----------
        inputs : TableInput
            Which columns hold numbers, and which category codes.
        examples : Tensor of float32, shape (examples, columns), or None
            Encoded training rows. Without them every numeric column counts as numbers, flags
            too.

        Raises
        ------
        InputError
            If the inputs are images, or the examples do not have these columns.
        """
        table = _checked(self, inputs, examples)
        change = self.change(table, examples)

        def transform(
            batch: Inputs, generator: torch.Generator, rarity: Tensor | None = None
        ) -> Inputs:
            return change(batch, generator, self.strength(len(batch), rarity)[:, None])

        return transform

    @abstractmethod
    def change(self, inputs: TableInput, examples: Inputs | None) -> Change:
        """Return the map of batches, given the strength for each example."""

    def __call__(
        self,
        inputs: Inputs,
        generator: torch.Generator,  # noqa: ARG002
        rarity: Tensor | None = None,  # noqa: ARG002
    ) -> Inputs:
        """Raise `InputError`: only what `bind` returns can map batches."""
        raise InputError(
            f"`{type(self).__name__}` must know the columns of the table before it is used.",
            f"It was called on a batch of shape {tuple(inputs.shape)} without being bound.",
            "Call `bind(inputs, examples)` first, and use what it returns.",
        )


@dataclass(eq=False, repr=False, kw_only=True)
class FeatureNoise(TableAugmentation):
    """Add Gaussian noise to the numbers; flags and categories stay.

    Parameters
    ----------
    std : float, default=0.1
        Standard deviation of the noise, in units of the scaled columns (of their standard
        deviation under standard scaling), at least 0.
    tail_scale : float, default=1.0
        `std` for the smallest class as a multiple of that for the largest, at least 0.

    Examples
    --------
    >>> rows = torch.tensor([[0.5, 2.0], [-0.5, 1.0]])
    >>> noisy = FeatureNoise(std=0.1).bind(TableInput(1, (3,)))
    >>> noisy(rows, torch.Generator().manual_seed(0), None)
    tensor([[ 0.6541,  2.0000],
            [-0.7179,  1.0000]])
    """

    tuned_for = ("table",)

    std: float = bounded(0.1, low=0, tune=Span(0.02, 0.5, log=True))

    def change(self, inputs: TableInput, examples: Inputs | None) -> Change:
        """Return the map that adds noise."""
        numbers = _numbers(inputs, examples)

        def add_noise(batch: Inputs, generator: torch.Generator, strength: Tensor) -> Inputs:
            deviation = self.std * strength * numbers
            noise = deviation * torch.randn(batch.shape, generator=generator)
            return torch.where((deviation > 0).to(batch.device), batch + noise.to(batch), batch)

        return add_noise


@dataclass(eq=False, repr=False, kw_only=True)
class FeatureMasking(TableAugmentation):
    """Blank entries at random: numbers become 0, the scaled centre, and categories code 0.

    0 is the training mean under standard scaling, the median under robust and quantile scaling.
    Code 0 is what categories unseen in training have, so masking also teaches the network what to
    do with those. A flag becomes 0: false, or not missing.

    Parameters
    ----------
    rate : float, default=0.1
        Chance of each entry to be blanked, from 0 to 1.
    tail_scale : float, default=1.0
        `rate` for the smallest class as a multiple of that for the largest, at least 0; a rate
        that passes 1 is 1.

    Examples
    --------
    >>> rows = torch.tensor([[0.5, 2.0], [-0.5, 1.0]])
    >>> masked = FeatureMasking(rate=0.5).bind(TableInput(1, (3,)))
    >>> masked(rows, torch.Generator().manual_seed(0), None)
    tensor([[0., 2.],
            [0., 0.]])
    """

    tuned_for = ("table",)

    rate: float = bounded(0.1, low=0, high=1, tune=Span(0.02, 0.4))

    def change(self, inputs: TableInput, examples: Inputs | None) -> Change:  # noqa: ARG002
        """Return the map that blanks."""

        def mask(batch: Inputs, generator: torch.Generator, strength: Tensor) -> Inputs:
            return batch.masked_fill(_chosen(batch, generator, self.rate * strength), 0)

        return mask


@dataclass(eq=False, repr=False, kw_only=True)
class FeatureSwap(TableAugmentation):
    """Replace entries by the entries of other rows in the same column: SCARF's corruption.

    Each replaced entry comes from a random training row of its own, so it follows the column's
    training distribution whatever the rest of the row [1]_. Numbers, flags and categories are
    swapped alike and stay values that training has.

    Parameters
    ----------
    rate : float, default=0.2
        Chance of each entry to be replaced, from 0 to 1. In the paper the number of replaced
        columns is the same in every row; here it varies about this share.
    tail_scale : float, default=1.0
        `rate` for the smallest class as a multiple of that for the largest, at least 0; a rate
        that passes 1 is 1.

    Notes
    -----
    Without `examples` at `bind`, entries come from the rows of the batch.

    References
    ----------
    .. [1] D. Bahri et al., "SCARF: self-supervised contrastive learning using random feature
       corruption", ICLR 2022. https://arxiv.org/abs/2106.15147

    Examples
    --------
    >>> examples = torch.tensor([[7.0, 1.0], [8.0, 2.0]])
    >>> swapped = FeatureSwap(rate=0.5).bind(TableInput(1, (3,)), examples)
    >>> swapped(torch.zeros(2, 2), torch.Generator().manual_seed(0), None)
    tensor([[8., 0.],
            [8., 2.]])
    """

    tuned_for = ("table",)

    rate: float = bounded(0.2, low=0, high=1, tune=Span(0.02, 0.4))

    def change(self, inputs: TableInput, examples: Inputs | None) -> Change:  # noqa: ARG002
        """Return the map that swaps."""

        def swap(batch: Inputs, generator: torch.Generator, strength: Tensor) -> Inputs:
            chosen = _chosen(batch, generator, self.rate * strength)
            pool = batch if examples is None else examples
            rows = torch.randint(len(pool), batch.shape, generator=generator)
            donors = pool.gather(0, rows.to(pool.device))
            return torch.where(chosen, donors.to(batch), batch)

        return swap


@dataclass(eq=False, repr=False, kw_only=True)
class QuantileJitter(TableAugmentation):
    r"""Move numbers up or down among the training values of their column.

    Steps are small where training values are dense and large where they are sparse, so skewed
    columns need no other `width` than symmetric ones. Flags and categories stay.

    Parameters
    ----------
    width : float, default=0.05
        Largest move in rank, as a share of the training rows, from 0 to 1.
    rate : float, default=1.0
        Chance of each number to be moved, from 0 to 1.
    tail_scale : float, default=1.0
        `width` for the smallest class as a multiple of that for the largest, at least 0.

    Notes
    -----
    With :math:`F` the rank of a value in its column, from 0 (least) to 1 (greatest), :math:`Q` the
    empirical quantile, both by linear interpolation between the sorted training values, and
    :math:`\delta` uniform in ±`width`:

    .. math:: x \mapsto Q(\min(1, \max(0, F(x) + \delta)))

    - Ties have the rank in the middle of theirs. So a value that more than ``2 * width`` of the
      training rows share, such as the zero of a count, never moves, though others may move to it.
    - A value out of the training range has rank 0 or 1; how far out it is, is added after the
      move. In the range, values stay in the range.
    - Of more than 1,000 training rows, 1,000 evenly spaced quantiles are kept.

    Examples
    --------
    >>> examples = torch.tensor([0.0, 1.0, 10.0, 100.0, 1000.0]).view(-1, 1)
    >>> moved = QuantileJitter(width=0.25).bind(TableInput(1), examples)
    >>> moved(torch.tensor([[1.0], [100.0]]), torch.Generator().manual_seed(1), None)
    tensor([[ 5.6374],
            [60.2760]])
    """

    width: float = bounded(0.05, low=0, high=1)
    rate: float = bounded(1.0, low=0, high=1)

    def change(self, inputs: TableInput, examples: Inputs | None) -> Change:
        """Return the map that moves numbers."""
        if examples is None:
            raise InputError(
                "`QuantileJitter` needs the training rows, to know how each column is distributed.",
                "No examples were given.",
                "Call `bind(inputs, examples)` with the encoded training rows.",
            )
        columns = _numbers(inputs, examples).nonzero().flatten()
        ranks = Ranks(examples[:, columns.to(examples.device)].cpu())

        def jitter(batch: Inputs, generator: torch.Generator, strength: Tensor) -> Inputs:
            shape = (len(batch), len(columns))
            shift = self.width * strength * (2 * torch.rand(shape, generator=generator) - 1)
            shift *= torch.rand(shape, generator=generator) < self.rate
            changed, where = batch.clone(), columns.to(batch.device)
            changed[:, where] = ranks.shifted(batch[:, where].T, shift.T.to(batch.device)).T
            return changed

        return jitter


class Ranks:
    """Quantiles of the training values of each column: from values to ranks and back.

    Parameters
    ----------
    values : Tensor of float, shape (examples, columns)
        Training values, at least one of each column.

    Examples
    --------
    >>> values = torch.tensor([[0.0], [1.0], [10.0]])
    >>> Ranks(values).shifted(torch.tensor([[1.0, 4.0]]), torch.tensor([[0.25, -0.5]]))
    tensor([[5.5000, 0.3333]])
    """

    def __init__(self, values: Tensor) -> None:
        # One row a column, as `searchsorted` wants it.
        ordered = values.T.contiguous().sort(dim=1).values
        last = len(values) - 1
        ranks = torch.linspace(0, last, min(len(values), MOST_QUANTILES), dtype=torch.float64)
        below = ranks.long()
        above = (below + 1).clamp(max=last)
        self.quantiles = torch.lerp(
            ordered[:, below], ordered[:, above], (ranks - below).to(ordered.dtype)
        )
        self.last = len(ranks) - 1

    def shifted(self, values: Tensor, shift: Tensor) -> Tensor:
        """Return values ``(columns, batch)`` moved by shares of the training rows."""
        self.quantiles = self.quantiles.to(values.device)  # moved once, then found there
        values = values.contiguous()
        excess = values - values.clamp(self.quantiles[:, :1], self.quantiles[:, -1:])
        rank = (self._rank(values) + shift * self.last).clamp(0, self.last)
        return torch.where(shift == 0, values, self._quantile(rank) + excess)

    def _rank(self, values: Tensor) -> Tensor:
        smaller = torch.searchsorted(self.quantiles, values)
        not_larger = torch.searchsorted(self.quantiles, values, right=True)
        below, above = self._at(smaller - 1), self._at(smaller)
        # Out of the range below and above are one value, and the quotient is infinite.
        between = smaller - 1 + (values - below) / (above - below)
        middle = (smaller + not_larger - 1) / 2
        return torch.where(smaller < not_larger, middle, between).clamp(0, self.last)

    def _quantile(self, rank: Tensor) -> Tensor:
        index = rank.long()
        below, above = self._at(index), self._at(index + 1)
        return torch.minimum(below + (rank - index) * (above - below), above)

    def _at(self, index: Tensor) -> Tensor:
        return self.quantiles.gather(1, index.clamp(0, self.last))


def _chosen(batch: Inputs, generator: torch.Generator, rate: Tensor) -> Tensor:
    """Return True for entries chosen with a rate for each row; above 1 is the same as 1."""
    return (torch.rand(batch.shape, generator=generator) < rate).to(batch.device)


def _numbers(inputs: TableInput, examples: Inputs | None) -> Tensor:
    """Return which columns hold numbers that may take any value, bool ``(columns,)``."""
    n_columns = inputs.n_numeric + len(inputs.cardinalities)
    numbers = torch.arange(n_columns) < inputs.n_numeric
    if examples is None:
        return numbers
    is_flag = ((examples == 0) | (examples == 1)).all(dim=0).cpu()
    return numbers & ~is_flag


def _checked(
    augmentation: TableAugmentation, inputs: InputFormat, examples: Inputs | None
) -> TableInput:
    name = type(augmentation).__name__
    if not isinstance(inputs, TableInput):
        raise InputError(
            f"`{name}` is for tables.",
            f"The inputs are {inputs.kind}.",
            "Choose an augmentation of images, such as CropFlip().",
        )
    n_columns = inputs.n_numeric + len(inputs.cardinalities)
    if examples is not None and (examples.shape[1:] != (n_columns,) or len(examples) == 0):
        raise InputError(
            f"The examples for `{name}` must be rows of {n_columns} columns, at least one.",
            f"Their shape is {tuple(examples.shape)}.",
            "Give the training rows as the encoder returns them.",
        )
    return inputs
