"""Sharpness-aware methods that treat all classes alike: SAM and ASAM."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equipoise._tensors import ClassCounts
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.standard.sharpness.base import ClassWeights, Gradients, Sharpness


@dataclass(eq=False, repr=False, kw_only=True)
class SAM(Sharpness):
    r"""Sharpness-aware minimisation: descend by the gradient at the worst point nearby.

    Parameters
    ----------
    rho : float, default=0.05
        Length of the move, at least 0; 0 is plain training.
    every : int, default=1
        Every how many steps the weights are moved, at least 1.

    Notes
    -----
    For weights :math:`\theta` and gradient :math:`g` of the batch loss, the step descends along

    .. math:: g(\theta + \epsilon), \qquad \epsilon = \rho\, g(\theta) / \lVert g(\theta) \rVert_2

    with the norm over all parameters. Two forward and two backward passes.

    References
    ----------
    P. Foret et al., "Sharpness-aware minimization for efficiently improving generalization",
    ICLR 2021.

    Examples
    --------
    The loss ``(3 w)^2 / 2`` has gradient 9 at 1 and 9 (1 + rho) at the moved weight:

    >>> import torch
    >>> from torch import nn
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> def closure(*weights):
    ...     loss = layer(torch.tensor([[3.0]])).square().mean() / 2
    ...     return loss.detach(), [list(torch.autograd.grad(loss, [layer.weight]))]
    >>> loss, (gradient,) = SAM(rho=0.5).gradient(closure, layer, torch.ones(2), done=0)
    >>> loss.item(), gradient.item(), layer.weight.item()
    (4.5, 13.5, 1.0)
    """

    tuned_for = ("images", "table")

    def weights(self, counts: ClassCounts) -> ClassWeights:  # noqa: ARG002
        """Return 1 for every class, there and in the ascent."""
        return ClassWeights()


@dataclass(eq=False, repr=False, kw_only=True)
class ASAM(SAM):
    r"""Adaptive SAM: each weight is moved in proportion to its own size.

    Rescaling the weights of a layer, which normalisation or the next layer undoes, then
    changes nothing. Its `rho` is not comparable with SAM's, about ten times as large.

    Parameters
    ----------
    rho : float, default=0.5
        Radius of the move in units of the weights, at least 0; 0 is plain training.
    every : int, default=1
        Every how many steps the weights are moved, at least 1.
    eta : float, default=0.01
        Added to the size of each weight, at least 0, so that small weights move too.

    Notes
    -----
    With :math:`T = |\theta| + \eta` for each element of a parameter, and 1 for biases:

    .. math:: \epsilon = \rho\, T^2 g(\theta) / \lVert T g(\theta) \rVert_2

    elementwise but for the norm, which is over all parameters; the step descends along
    :math:`g(\theta + \epsilon)`. A bias is a parameter whose name ends in "bias". Two forward
    and two backward passes.

    References
    ----------
    J. Kwon et al., "ASAM: Adaptive sharpness-aware minimization for scale-invariant learning
    of deep neural networks", ICML 2021.

    Examples
    --------
    A weight of 2 moves by ``0.1 * 2`` along one axis, whatever its gradient:

    >>> from torch import nn
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 2.0)
    >>> asam, gradients = ASAM(rho=0.1, eta=0.0), [torch.tensor([[7.0]])]
    >>> asam.offsets(gradients, asam.norm(gradients, layer), layer)
    [tensor([[0.2000]])]
    """

    tuned_for = ()  # not what SAM says: its radius is of another scale

    rho: float = bounded(0.5, low=0, tune=Span(0.1, 5.0, log=True))
    eta: float = bounded(0.01, low=0)

    def norm(self, gradients: Gradients, network: nn.Module) -> float:
        """Return the norm of the gradients, each element times the size of its weight."""
        return super().norm(_times(gradients, self._sizes(network)), network)

    def offsets(self, ascent: Gradients, norm: float, network: nn.Module) -> Gradients:
        """Return the move of each parameter."""
        sizes = self._sizes(network)
        return super().offsets(_times(_times(ascent, sizes), sizes), norm, network)

    @torch.no_grad()
    def _sizes(self, network: nn.Module) -> list[Tensor | None]:
        return [
            None if name.endswith("bias") else parameter.abs() + self.eta
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
        ]


def _times(gradients: Gradients, sizes: list[Tensor | None]) -> Gradients:
    pairs = zip(gradients, sizes, strict=True)
    return [g if g is None or size is None else g * size for g, size in pairs]
