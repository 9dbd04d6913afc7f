"""Mixing: training on blends of two examples and of their targets."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from equipoise._tensors import ClassCounts, Inputs, Labels
from equipoise.spaces import Span
from equipoise.spec import Component, bounded
from equipoise.standard.backbones.base import InputFormat


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    r"""Who is mixed with whom in a batch, and where; the same for all views of the batch.

    Parameters
    ----------
    partners : Tensor of int64, shape (batch,)
        Position of each example's partner, a permutation: in the batch, or among as many others.
    share : Tensor of float32, shape (batch,)
        Part of the target that stays with the example itself, from 0 to 1.
    kept : Tensor or None
        Part of each input value that stays, broadcast over the inputs: True or False where
        values are taken whole, float32 from 0 to 1 where they are interpolated. None: nothing is
        mixed, and `inputs` and `values` return what they are given.

    Examples
    --------
    >>> mixture = Mixture(
    ...     partners=torch.tensor([1, 0]),
    ...     share=torch.tensor([0.5, 0.5]),
    ...     kept=torch.tensor([[True, False]]),
    ... )
    >>> mixture.inputs(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 4],
            [3, 2]])
    >>> mixture.values(torch.eye(2))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """

    partners: Tensor
    share: Tensor
    kept: Tensor | None = None

    def inputs(self, inputs: Inputs, others: Inputs | None = None) -> Inputs:
        """Return mixed inputs; float32 where values are interpolated, else of the same type.

        Partners are from the batch itself, or from `others` where these are given.
        """
        if self.kept is None:
            return inputs
        kept = self.kept.to(inputs.device)
        others = (inputs if others is None else others)[self.partners.to(inputs.device)]
        if kept.dtype == torch.bool:
            return torch.where(kept, inputs, others)
        own, others = inputs.float(), others.float()
        # What is kept whole is taken as it is: a partner without a share changes no bit.
        return torch.where(kept == 1, own, kept * own + (1 - kept) * others)

    def values(self, values: Tensor, others: Tensor | None = None) -> Tensor:
        """Return mixed targets ``(batch, classes)`` or weights ``(batch,)``.

        With share :math:`s_i` and partner :math:`p_i`: :math:`s_i v_i + (1 - s_i) v_{p_i}`, the
        partner's from `others` where these are given.
        """
        if self.kept is None:
            return values
        share = self.share.to(values.device).view(-1, *[1] * (values.ndim - 1))
        others = (values if others is None else others)[self.partners.to(values.device)]
        return share * values + (1 - share) * others


@dataclass(eq=False, repr=False, kw_only=True)
class Mixing(Component):
    r"""Base of mixing: each example of a batch is blended with a partner from the batch.

    Partners are a random permutation of the batch, so an example may be its own; or of as many
    training examples, if `partner_shares` says of which classes. A subclass says in `pattern`
    which parts of the inputs an example keeps.

    Parameters
    ----------
    alpha : float, default=1.0
        The share :math:`\lambda` of an example is drawn from Beta(alpha, alpha), above 0: near 0
        one of the two examples has nearly all, 1 is uniform, large is half and half.
    probability : float, default=1.0
        Chance that a batch, or an example, is mixed at all, from 0 to 1.
    per : {"batch", "sample"}, default="batch"
        Whether one share, one region and one decision to mix serve the whole batch, or each
        example has its own.
    """

    exact_prior: ClassVar[bool] = True
    """Whether logits of examples that are not mixed contain the shares of `mean_shares`."""

    alpha: float = bounded(1.0, low=0, open_low=True)
    probability: float = bounded(1.0, low=0, high=1)
    per: str = bounded("batch", choices=("batch", "sample"))

    def draw(self, inputs: Inputs, generator: torch.Generator, n_numeric: int | None) -> Mixture:
        """Return a mixture for a batch; the inputs themselves are left alone.

        Parameters
        ----------
        inputs : Tensor
            Images ``(batch, channels, height, width)`` or encoded rows ``(batch, columns)``; only
            their shape and device are used.
        generator : torch.Generator
            The only source of randomness, on the CPU.
        n_numeric : int or None
            Number of leading columns that hold numbers; the others hold category codes. None:
            the inputs are images.
        """
        n = len(inputs)
        partners = torch.randperm(n, generator=generator)
        n_shares = n if self.per == "sample" else 1
        is_mixed = torch.rand(n_shares, generator=generator) < self.probability
        drawn = torch.where(is_mixed, beta_shares(self.alpha, n_shares, generator), 1.0)
        share, kept = self.pattern(drawn, inputs.shape, n_numeric, generator)
        share = share.to(torch.float32).expand(n)
        return Mixture(
            partners=partners.to(inputs.device),
            share=share.to(inputs.device),
            kept=kept.to(inputs.device) if bool((share < 1).any()) else None,
        )

    def relabel(self, mixture: "Mixture", labels: Labels, counts: ClassCounts) -> "Mixture":  # noqa: ARG002
        """Return the mixture with the shares of targets that class sizes ask for: as it is here.

        Parameters
        ----------
        mixture : Mixture
            What `draw` returned for the batch.
        labels : Tensor of int64, shape (batch,)
            Class codes before mixing.
        counts : Tensor of float, shape (classes,)
            Training examples of each class.
        """
        return mixture

    def partner_shares(self, counts: ClassCounts) -> Tensor | None:  # noqa: ARG002
        """Return of which classes partners are drawn; None, as here: they are of the batch.

        Parameters
        ----------
        counts : Tensor of float, shape (classes,)
            Training examples of each class.
        """
        return None

    def mean_shares(
        self,
        shares: Tensor,
        counts: ClassCounts,  # noqa: ARG002
        inputs: InputFormat | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Return the shares of the classes in targets after mixing, on average: as before here.

        Parameters
        ----------
        shares : Tensor of float64, shape (classes,)
            Those before mixing; they sum to 1.
        counts : Tensor of float, shape (classes,)
            Training examples of each class.
        inputs : InputFormat or None, default=None
            What is mixed; needed where the sizes of images matter.
        """
        return shares

    @abstractmethod
    def pattern(
        self, share: Tensor, shape: torch.Size, n_numeric: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return each target's share and `Mixture.kept`, for inputs of a shape.

        Parameters
        ----------
        share : Tensor of float64, shape (1,) or (batch,)
            Drawn shares; 1 for what is not to be mixed.
        shape : Size
            Shape of the inputs.
        n_numeric : int or None
            Number of numeric columns; None for images.
        generator : torch.Generator
            Source of randomness.
        """


@dataclass(eq=False, repr=False, kw_only=True)
class Mixup(Mixing):
    r"""Interpolate the inputs and the targets of two examples.

    Parameters
    ----------
    alpha : float, default=0.4
        Shares are drawn from Beta(alpha, alpha), above 0.
    probability : float, default=1.0
        Chance that a batch (or an example) is mixed at all, from 0 to 1.
    per : {"batch", "sample"}, default="batch"
        Whether one share serves the whole batch.

    Notes
    -----
    With share :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` and partner :math:`j` of example
    :math:`i`, for inputs and targets alike [1]_:

    .. math:: \tilde x_i = \lambda x_i + (1 - \lambda) x_j

    Images become float32 from 0 to 255, unless nothing is mixed. Category codes cannot be
    interpolated: each one is the example's own with probability :math:`\lambda`, else the
    partner's, drawn for every example and column apart; the share of the target stays
    :math:`\lambda`.

    References
    ----------
    .. [1] H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.

    Examples
    --------
    Two numbers and a category code; two examples that are each other's partner:

    >>> rows = torch.tensor([[0.0, 0.0, 1.0], [1.0, 10.0, 2.0]])
    >>> mixture = Mixup().draw(rows, torch.Generator().manual_seed(8), n_numeric=2)
    >>> mixture.share
    tensor([0.7290, 0.7290])
    >>> mixture.inputs(rows)
    tensor([[0.2710, 2.7096, 1.0000],
            [0.7290, 7.2904, 1.0000]])
    """

    tuned_for = ("images", "table")

    alpha: float = bounded(0.4, low=0, open_low=True, tune=Span(0.1, 1.0, log=True))

    def pattern(
        self, share: Tensor, shape: torch.Size, n_numeric: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the share itself, and the same part of every number."""
        part = share.to(torch.float32)
        if n_numeric is None:
            return share, part.view(-1, 1, 1, 1)
        n, n_columns = shape
        draws = torch.rand((n, n_columns - n_numeric), generator=generator)
        is_own = (draws < part[:, None]).to(torch.float32)
        return share, torch.cat([part[:, None].expand(n, n_numeric), is_own], dim=1)


@dataclass(eq=False, repr=False, kw_only=True)
class CutMix(Mixing):
    r"""Replace a box of each image, or some columns of each row, by the partner's.

    Parameters
    ----------
    alpha : float, default=1.0
        Shares are drawn from Beta(alpha, alpha), above 0.
    probability : float, default=0.5
        Chance that a batch (or an example) is mixed at all, from 0 to 1.
    per : {"batch", "sample"}, default="batch"
        Whether one share, and one box or choice of columns, serves the whole batch.

    Notes
    -----
    With :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)`, the box is :math:`\sqrt{1 - \lambda}`
    of the height and of the width (whole pixels, even), its centre is uniform over all pixels, and
    it is clipped at the border; the target's share is the real part of the image that stays [1]_.
    Nothing is converted: uint8 images stay uint8. Of a row, each column, number or category, is
    the partner's with probability :math:`1 - \lambda`, and the target's share is the part of the
    columns that stay.

    References
    ----------
    .. [1] S. Yun et al., "CutMix: regularization strategy to train strong classifiers with
       localizable features", ICCV 2019. https://arxiv.org/abs/1905.04899

    Examples
    --------
    >>> images = torch.arange(2).view(2, 1, 1, 1).expand(2, 1, 4, 4).to(torch.uint8)
    >>> mixture = CutMix(probability=1.0).draw(images, torch.Generator().manual_seed(7), None)
    >>> mixture.inputs(images)[0, 0]
    tensor([[0, 0, 0, 0],
            [0, 1, 1, 0],
            [0, 1, 1, 0],
            [0, 0, 0, 0]], dtype=torch.uint8)
    >>> mixture.share
    tensor([0.7500, 0.7500])
    """

    tuned_for = ("images", "table")

    probability: float = bounded(0.5, low=0, high=1, tune=Span(0.1, 1.0))

    def pattern(
        self, share: Tensor, shape: torch.Size, n_numeric: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the part that stays, and True where it does."""
        if n_numeric is None:
            height, width = shape[-2:]
            rows = torch.randint(height, (len(share),), generator=generator)
            columns = torch.randint(width, (len(share),), generator=generator)
            kept = outside_boxes(share, rows, columns, (height, width))
        else:
            kept = torch.rand((len(share), shape[1]), generator=generator) < share[:, None]
        return kept.flatten(1).double().mean(dim=1), kept


def beta_shares(alpha: float, n: int, generator: torch.Generator) -> Tensor:
    r"""Draw from Beta(alpha, alpha), exactly, with a given generator.

    Parameters
    ----------
    alpha : float
        Shape parameter :math:`\alpha`, above 0, however small or large.
    n : int
        How many.
    generator : torch.Generator
        Source of randomness, on the CPU.

    Returns
    -------
    Tensor of float64, shape (n,)
        From 0 to 1.

    Notes
    -----
    For independent :math:`G, G' \sim \mathrm{Gamma}(\alpha)`, :math:`G / (G + G')` has this
    distribution. If :math:`H \sim \mathrm{Gamma}(\alpha + 1)` and :math:`U` is uniform, then
    :math:`H U^{1/\alpha} \sim \mathrm{Gamma}(\alpha)`, so the log odds are

    .. math:: \log \frac{H}{H'} + \frac{1}{\alpha} \log \frac{U}{U'}

    which neither underflows nor overflows for small :math:`\alpha`, as the gammas would.

    Examples
    --------
    >>> beta_shares(1.0, 100_000, torch.Generator().manual_seed(0)).mean().round(decimals=2)
    tensor(0.5000, dtype=torch.float64)
    """
    shapes = torch.full((2, n), alpha + 1.0, dtype=torch.float64)
    # The operator behind torch.distributions.Gamma, which itself takes no generator.
    gammas = torch.ops.aten._standard_gamma(shapes, generator).log()
    uniforms = 1 - torch.rand((2, n), dtype=torch.float64, generator=generator)  # never 0
    powers = uniforms.log()
    return torch.sigmoid(gammas[0] - gammas[1] + (powers[0] - powers[1]) / alpha)


def outside_boxes(share: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Return True for the pixels outside boxes of area ``1 - share``.

    Parameters
    ----------
    share : Tensor of float64, shape (boxes,)
        Part of the image outside a box that no border clips, from 0 to 1.
    rows, columns : Tensor of int64, shape (boxes,)
        Centre of each box: the first pixel below and right of its middle.
    size : (int, int)
        Height and width of the image, in pixels.

    Returns
    -------
    Tensor of bool, shape (boxes, 1, height, width)

    Examples
    --------
    >>> one = torch.tensor([0.75], dtype=torch.float64)
    >>> outside_boxes(one, torch.tensor([0]), torch.tensor([2]), (4, 4))[0, 0].int()
    tensor([[1, 0, 0, 1],
            [1, 1, 1, 1],
            [1, 1, 1, 1],
            [1, 1, 1, 1]], dtype=torch.int32)
    """
    half = 0.5 * torch.sqrt(1 - share)[:, None]
    inside = [
        _within(centre[:, None], (half * length).floor(), length)
        for centre, length in zip((rows, columns), size, strict=True)
    ]
    return ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _within(centre: Tensor, half: Tensor, length: int) -> Tensor:
    positions = torch.arange(length)
    return (positions >= centre - half) & (positions < centre + half)


MIXINGS: dict[str, type[Mixing]] = {"Mixup": Mixup, "CutMix": CutMix}
"""Mixings by name."""
