"""Mixing that knows class sizes: a mixed example may belong to its rare class entirely."""

from dataclasses import dataclass, replace

import torch
from scipy.special import betainc
from torch import Tensor

from equipoise._tensors import ClassCounts, Labels
from equipoise.spaces import Options, Span
from equipoise.spec import bounded
from equipoise.standard.mixing import Mixing, Mixture, Mixup


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

    Weights are blended by the share of the target as well.

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

    def mean_shares(self, shares: Tensor, counts: ClassCounts) -> Tensor:
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


MIXINGS: dict[str, type[Mixing]] = {"Remix": Remix}
"""Specialized mixings by name."""
