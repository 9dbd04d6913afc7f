"""Constraints: sets that weights are put back into after each step."""

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equipoise.errors import InputError
from equipoise.spec import Component, bounded
from equipoise.standard.networks import Network, decay_groups


@dataclass(eq=False, repr=False, kw_only=True)
class Constraint(Component):
    """Base of constraints: changes weights in place after each step of the optimizer."""

    @abstractmethod
    def apply(self, network: Network) -> None:
        """Put the weights of a network back into the allowed set, in place."""

    def begun(self, network: Network) -> "Constraint":  # noqa: ARG002 (what others look at)
        """Return what holds in a stage that begins with a network as it is."""
        return self


@dataclass(eq=False, repr=False, kw_only=True)
class MaxNorm(Constraint):
    r"""Keep the norm of the weights into each unit at or below a radius.

    Under imbalance the weights of common classes grow longer than those of rare ones, which
    favours common classes. Bounding every class's weight vector alike balances them
    (Alshammari et al., CVPR 2022, who use it with weight decay on a network trained before).

    Parameters
    ----------
    radius : float, default=1.0
        Largest L2 norm, above 0.
    share : float or None, default=None
        From 0 to 1: the radius is measured when a stage begins, that share of the way from the
        head's shortest row to its longest, and `radius` is not used. For a head that is trained
        already, as the second stage of `WeightBalancing` has it.
    layers : {"head", "all"}, default="head"
        Whether only the head's weights are bounded, or also the backbone's.

    Notes
    -----
    Each row :math:`w` of a trainable matrix, and each filter of a kernel for one output channel,
    becomes :math:`w \min(1, radius / \lVert w \rVert_2)`: its projection onto the ball. What
    weight decay spares is left alone too: biases, normalisation, frozen weights. The default
    radius is for the head; look at the norms of a trained network to choose another, or give a
    share: the authors' code has 0.1 in the place of a radius.

    References
    ----------
    .. [1] S. Alshammari et al., "Long-tailed recognition via weight balancing", CVPR 2022.
       https://arxiv.org/abs/2203.14197

    Examples
    --------
    >>> from torch import nn
    >>> from equipoise.standard.backbones.base import Extractor
    >>> head = nn.Linear(2, 2, bias=False)
    >>> _ = head.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
    >>> network = Network(Extractor([("same", nn.Identity())], 2), head)
    >>> MaxNorm().apply(network)
    >>> head.weight.data
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """

    radius: float = bounded(1.0, low=0, open_low=True)
    share: float | None = bounded(None, low=0, high=1, optional=True)
    layers: str = bounded("head", choices=("head", "all"))

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds, or one radius is for all layers."""
        super().validate()
        if self.share is not None and self.layers != "head":
            raise InputError(
                "A radius is measured for the head alone.",
                f"`share` is {self.share:g} and `layers` {self.layers!r}.",
                'Leave `layers` at "head", or give a radius in the place of a share.',
            )

    def begun(self, network: Network) -> "MaxNorm":
        """Return the constraint with its radius, measured on the head's rows if need be."""
        if self.share is None:
            return self
        weights, _ = decay_groups(network.head)
        norms = torch.cat([_row_norms(weight.detach()).flatten() for weight in weights])
        shortest, longest = float(norms.min()), float(norms.max())
        radius = shortest + self.share * (longest - shortest)
        # A row of zeros would keep all rows at nothing.
        return replace(self, radius=radius or longest or self.radius, share=None)

    def apply(self, network: Network) -> None:
        """Shorten in place what is longer than `radius`."""
        bounded_weights, _ = decay_groups(network.head if self.layers == "head" else network)
        for weight in bounded_weights:
            project_rows(weight, self.radius)


@torch.no_grad()
def project_rows(weight: Tensor, radius: float) -> None:
    """Scale each ``weight[i]`` in place to an L2 norm of at most `radius`.

    What is within is not changed at all.

    >>> weight = torch.tensor([[0.0, 4.0], [0.0, 0.0]])
    >>> project_rows(weight, 2.0)
    >>> weight
    tensor([[0., 2.],
            [0., 0.]])
    """
    weight.mul_((radius / _row_norms(weight)).clamp(max=1.0))


def _row_norms(weight: Tensor) -> Tensor:
    """Return the L2 norm of each row or filter, with as many axes as the weight."""
    return torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.ndim)), keepdim=True)


CONSTRAINTS: dict[str, type[Constraint]] = {"MaxNorm": MaxNorm}
"""Constraints by name."""
