"""How sharply the loss rises around the trained weights, class by class."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call  # pyright: ignore[reportPrivateImportUsage]
from torch.nn import functional as F

from equipoise._tensors import Inputs, Labels
from equipoise.diagnosis.evidence import parameters_of

ITERATIONS = 50
"""Most steps of the power iteration."""

CLOSE = 1e-3
"""It ends once an eigenvalue changes by less than this, relative to itself."""


class LossSurface:
    """The mean cross-entropy of some examples as a function of the trained weights.

    Batch norm uses its running statistics, as in prediction, and nothing is random.

    Parameters
    ----------
    network : Module
        From inputs to logits; it is left as it is.
    inputs : Tensor
        Examples as the network takes them.
    labels : Tensor of int64, shape (batch,)
        Their classes.
    weights : Tensor, shape (batch,), or None
        Weight of each example in the mean; None: all alike.
    """

    def __init__(
        self, network: nn.Module, inputs: Inputs, labels: Labels, weights: Tensor | None = None
    ) -> None:
        self.network = network.eval()
        self.inputs, self.labels = inputs, labels
        shares = torch.ones(len(labels)) if weights is None else weights
        self.shares = (shares / shares.sum()).to(labels.device)
        self.weights = {k: p.detach() for k, p in parameters_of(network).items()}

    def loss(self, weights: dict[str, Tensor]) -> Tensor:
        """Return the loss at some weights."""
        logits = functional_call(self.network, weights, (self.inputs,))
        losses = F.cross_entropy(logits, self.labels, reduction="none")
        return (losses * self.shares.to(losses.dtype)).sum()

    def _derived(self, *, twice: bool) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
        leaves = {k: w.clone().requires_grad_() for k, w in self.weights.items()}
        loss = self.loss(leaves)
        return loss, leaves, list(torch.autograd.grad(loss, [*leaves.values()], create_graph=twice))

    def rise(self, rho: float) -> float:
        r"""Return by how much the loss rises within a ball, in nats.

        Parameters
        ----------
        rho : float
            Radius of the ball, above 0.

        Notes
        -----
        With loss :math:`L`, weights :math:`w` and gradient :math:`g`, it is
        :math:`L(w + \rho g / \|g\|) - L(w)`, the first-order worst case that SAM looks at [1]_.

        References
        ----------
        .. [1] P. Foret et al., "Sharpness-aware minimization for efficiently improving
           generalization", ICLR 2021, eq. 2.
        """
        loss, _, gradients = self._derived(twice=False)
        length = norm(gradients).clamp_min(1e-30)
        moved = {
            name: weight + rho * gradient / length
            for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True)
        }
        with torch.no_grad():
            return float(self.loss(moved) - loss)

    def top_eigenvalue(self, seed: int = 0, iterations: int = ITERATIONS) -> float:
        """Return the largest eigenvalue of the loss's Hessian, by power iteration.

        Parameters
        ----------
        seed : int, default=0
            Seed of the first direction.
        iterations : int, default=50
            Most products with the Hessian, of each of at most two iterations.

        Notes
        -----
        The iteration finds the eigenvalue of largest size. If that is negative, a second one with
        the Hessian shifted by it finds the largest.
        """
        _, leaves, gradients = self._derived(twice=True)

        def product(direction: Sequence[Tensor], shift: float) -> list[Tensor]:
            dot = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
            curved = torch.autograd.grad(dot, [*leaves.values()], retain_graph=True)  # type: ignore[arg-type]
            return [c - shift * d for c, d in zip(curved, direction, strict=True)]

        generator = torch.Generator().manual_seed(seed)
        first = [torch.randn(w.shape, generator=generator).to(w) for w in self.weights.values()]
        found = _dominant(lambda d: product(d, 0.0), first, iterations)
        if found < 0:
            found += _dominant(lambda d: product(d, found), first, iterations)
        return found


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the length of all tensors as one vector."""
    return torch.sqrt(sum((t.double() ** 2).sum() for t in tensors)).float()  # type: ignore[arg-type]


def _dominant(
    product: Callable[[Sequence[Tensor]], list[Tensor]], first: list[Tensor], iterations: int
) -> float:
    """Return the eigenvalue of largest size."""
    direction, value = first, 0.0
    for _ in range(iterations):
        length = norm(direction)
        if length == 0:
            return 0.0
        direction = [d / length for d in direction]
        curved = product(direction)
        before = value
        value = float(sum((c * d).sum() for c, d in zip(curved, direction, strict=True)))
        if abs(value - before) <= CLOSE * abs(value):
            break
        direction = curved
    return value
