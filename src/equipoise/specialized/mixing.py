"""Mixing that knows class sizes: rare classes gain of the targets, or more of the partners."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from scipy.special import betainc
from torch import Tensor

from equipoise._tensors import ClassCounts, Labels
from equipoise.spaces import Options, Span
from equipoise.spec import bounded
from equipoise.specialized.samplers import power_shares
from equipoise.standard.backbones.base import ImageInput, InputFormat
from equipoise.standard.mixing import CutMix, Mixing, Mixture, Mixup


@dataclass(eq=False, repr=False, kw_only=True)
class Remix(Mixup):
    r"""Mixup in which a rare class takes the whole target, if enough of the mixture is of it.

    Inputs are mixed as in `Mixup`. The boundary moves into the common class, because mixtures
    that are mostly common count as rare. Use it where common and rare classes matter equally;
    not where the sizes of classes differ little: then it is `Mixup`.

    Parameters
    ----------
    alpha : float, default=1.0
        Shares are drawn from Beta(alpha, alpha), above 0.
    probability : float, default=1.0
        Chance that a batch (or an example) is mixed at all, from 0 to 1.
    per : {"batch", "sample"}, default="batch"
        Whether one share serves the whole batch.
    kappa : float, default=3.0
        How many times as many examples the common class must have, at least 1.
    tau : float, default=0.5
        The rare class takes all if the common one has less than this share of the inputs, from 0
        to 1; 0 is `Mixup`.

    Notes
    -----
    For an example of class :math:`i` with the share :math:`\lambda` of the mixed input, its
    partner of class :math:`j`, and :math:`n_k` training examples of class :math:`k`, the
    example's share of the target is [1]_

    .. math::

       \lambda_y = \begin{cases}
       0 & n_i / n_j \ge \kappa \text{ and } \lambda < \tau \\
       1 & n_i / n_j \le 1 / \kappa \text{ and } 1 - \lambda < \tau \\
       \lambda & \text{otherwise}
       \end{cases}

    Weights are blended by the share of the target as well. That logits contain the mean targets
    is an approximation: a network that tells mixtures from images as they are gives the latter
    the shares of the data.

    References
    ----------
    .. [1] H.-P. Chou et al., "Remix: rebalanced mixup", ECCV 2020 Workshops.
       https://arxiv.org/abs/2007.03943

    Examples
    --------
    >>> mixture = Mixture(
    ...     partners=torch.tensor([1, 0]),
    ...     share=torch.tensor([0.4, 0.4]),
    ...     kept=torch.full((2, 1, 1, 1), 0.4),
    ... )
    >>> labels, counts = torch.tensor([0, 1]), torch.tensor([900.0, 100.0])
    >>> Remix().relabel(mixture, labels, counts).share
    tensor([0.0000, 0.4000])
    """

    tuned_for = ()
    exact_prior: ClassVar[bool] = False

    alpha: float = bounded(1.0, low=0, open_low=True, tune=Span(0.1, 1.0, log=True))
    kappa: float = bounded(3.0, low=1, tune=Options((1.5, 3.0, 10.0)))
    tau: float = bounded(0.5, low=0, high=1, tune=Span(0.1, 0.9))

    def relabel(self, mixture: Mixture, labels: Labels, counts: ClassCounts) -> Mixture:
        """Return the mixture with other shares of the targets; inputs are mixed as before."""
        sizes = counts.to(mixture.share.device)[labels.to(mixture.share.device)]
        others, share = sizes[mixture.partners], mixture.share
        to_partner = (sizes >= self.kappa * others) & (share < self.tau)
        to_itself = (others >= self.kappa * sizes) & (1 - share < self.tau)
        kept = torch.where(to_itself, 1.0, share)
        return replace(mixture, share=torch.where(to_partner, 0.0, kept))

    def mean_shares(
        self,
        shares: Tensor,
        counts: ClassCounts,
        inputs: InputFormat | None = None,  # noqa: ARG002
    ) -> Tensor:
        r"""Return the shares of the classes in targets, on average: rare classes gain.

        Notes
        -----
        Of a pair in which the first class is common and the second rare, the first keeps on
        average :math:`E[\lambda; \lambda \ge \tau] = (1 - I_\tau(\alpha + 1, \alpha)) / 2`
        with :math:`I` the regularised incomplete beta function, instead of a half; the rare one
        has the rest, whichever comes first.

        Examples
        --------
        >>> shares = torch.tensor([0.9, 0.1], dtype=torch.float64)
        >>> Remix().mean_shares(shares, torch.tensor([90.0, 10.0]))
        tensor([0.8775, 0.1225], dtype=torch.float64)
        """
        common = counts[:, None] >= self.kappa * counts[None, :]
        lost = 0.5 - (1 - betainc(self.alpha + 1, self.alpha, self.tau)) / 2
        moved = 2 * self.probability * lost * shares[:, None] * shares[None, :] * common
        return shares - moved.sum(dim=1) + moved.sum(dim=0)


@dataclass(eq=False, repr=False, kw_only=True)
class CMO(CutMix):
    r"""CutMix that pastes rare examples onto common ones: context-rich minority oversampling.

    The batch is as the data are, and most of it common; partners are drawn from all training
    examples, those of rare classes more often, and augmented anew. A rare example is so
    seen many times, each time before another background. Use it where rare classes are learnt
    by heart; where they are shown more often anyway, by a sampler, it oversamples twice.

    Parameters
    ----------
    alpha : float, default=1.0
        Shares are drawn from Beta(alpha, alpha), above 0.
    probability : float, default=0.5
        Chance that a batch (or an example) is mixed at all, from 0 to 1.
    per : {"batch", "sample"}, default="batch"
        Whether one share, and one box or choice of columns, serves the whole batch.
    power : float, default=1.0
        How much more often an example of a rare class is drawn, from 0 to 3: 0 draws partners as
        the data are, 1 all classes alike, more than 1 rare classes most.

    Notes
    -----
    With :math:`n_k` training examples of class :math:`k`, each of them has the weight
    :math:`n_k^{-r}` in the draw, so that a partner is of class :math:`k` with the probability

    .. math:: q_k = \frac{n_k^{1 - r}}{\sum_j n_j^{1 - r}}

    for the power :math:`r`. The paper [1]_ writes the probability of a class as
    :math:`n_k^{-r}`, which is a power greater by one here; its code gives this weight to every
    example, as is done here. The box, or the columns, of the partner replace those of the
    example, and targets are blended, as in `CutMix`. The paper leaves it off in a few epochs at
    the start and at the end; here it is on in all. That logits contain the mean targets is an
    approximation: a network that tells mixtures from images as they are gives the latter the
    shares of the data.

    References
    ----------
    .. [1] S. Park et al., "The majority can help the minority: context-rich minority oversampling
       for long-tailed classification", CVPR 2022. https://arxiv.org/abs/2112.00412

    Examples
    --------
    >>> CMO().partner_shares(torch.tensor([90.0, 10.0]))
    tensor([0.5000, 0.5000])
    >>> CMO(power=2.0).partner_shares(torch.tensor([90.0, 10.0]))
    tensor([0.1000, 0.9000])
    """

    tuned_for = ()
    exact_prior: ClassVar[bool] = False

    power: float = bounded(1.0, low=0, high=3, tune=Span(0.5, 2.0))

    def partner_shares(self, counts: ClassCounts) -> Tensor:
        """Return the probability that a partner is of each class; 0 of one without examples."""
        return power_shares(counts, 1 - self.power)

    def mean_shares(
        self, shares: Tensor, counts: ClassCounts, inputs: InputFormat | None = None
    ) -> Tensor:
        r"""Return the shares of the classes in targets, on average: the partners' have a part.

        Notes
        -----
        With the mean part :math:`m` of an example that is its partner's, and shares :math:`\pi`
        before mixing: :math:`(1 - m)\,\pi + m\,q`. Of columns, half is replaced on average where
        anything is; of images less, for boxes are clipped: see `mean_box`.

        Examples
        --------
        >>> shares = torch.tensor([0.9, 0.1], dtype=torch.float64)
        >>> CMO(probability=1.0).mean_shares(shares, torch.tensor([90.0, 10.0]))
        tensor([0.7000, 0.3000], dtype=torch.float64)
        """
        part = 0.5
        if isinstance(inputs, ImageInput):
            part = mean_box(self.alpha, (inputs.height, inputs.width))
        part *= self.probability
        return (1 - part) * shares + part * self.partner_shares(counts).to(shares)


def mean_box(alpha: float, size: tuple[int, int]) -> float:
    r"""Return the mean part of an image that is inside the box of `CutMix`.

    Parameters
    ----------
    alpha : float
        Shares are drawn from Beta(alpha, alpha), above 0.
    size : (int, int)
        Height and width of the image, in pixels.

    Returns
    -------
    float
        From 0 to below 1/2.

    Notes
    -----
    A box reaches :math:`h = \lfloor \sqrt{1 - \lambda}\, L / 2 \rfloor` pixels from its centre
    to either side along an axis of length :math:`L`. Over centres that are uniform it covers
    :math:`(2 h L - h^2) / L^2` of the axis, what is beyond the border left out, and both axes
    are independent given :math:`\lambda`. Between the shares at which either :math:`h` changes,
    the product is constant, so the mean is a finite sum.

    Examples
    --------
    >>> round(mean_box(1.0, (32, 32)), 4)
    0.2993
    """
    steps = [(2 * np.arange(n // 2 + 1) / n) ** 2 for n in size]
    ends = np.unique(np.concatenate([*steps, [0.0, 1.0]]))
    middles = (ends[:-1] + ends[1:]) / 2
    reach = [np.floor(np.sqrt(middles) * n / 2) / n for n in size]
    covered = (2 * reach[0] - reach[0] ** 2) * (2 * reach[1] - reach[1] ** 2)
    return float((covered * np.diff(betainc(alpha, alpha, ends))).sum())


MIXINGS: dict[str, type[Mixing]] = {"Remix": Remix, "CMO": CMO}
"""Specialized mixings by name."""
