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

AT_ONCE = 2**19
"""So many input values are gone through at once, three images of 224 pixels a side: the second
derivative needs all that is in between in memory, several times."""


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
        size = max(1, AT_ONCE // max(1, inputs[0].numel()))
        self.pieces = [slice(at, at + size) for at in range(0, len(labels), size)]

    def loss(self, weights: dict[str, Tensor], rows: slice = slice(None)) -> Tensor:
        """Return the loss at some weights, or the share of some examples in it."""
        logits = functional_call(self.network, weights, (self.inputs[rows],))
        losses = F.cross_entropy(logits, self.labels[rows], reduction="none")
        return (losses * self.shares[rows].to(losses.dtype)).sum()

    def _derived(
        self, rows: slice, *, twice: bool
    ) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
        leaves = {k: w.clone().requires_grad_() for k, w in self.weights.items()}
        loss = self.loss(leaves, rows)
        gradients = torch.autograd.grad(loss, [*leaves.values()], create_graph=twice)
        return loss.detach(), leaves, list(gradients)

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
        before, _, gradients = self._derived(self.pieces[0], twice=False)
        for rows in self.pieces[1:]:
            loss, _, more = self._derived(rows, twice=False)
            before = before + loss
            gradients = [g + m for g, m in zip(gradients, more, strict=True)]
        length = norm(gradients).clamp_min(1e-30)
        moved = {
            name: weight + rho * gradient / length
            for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True)
        }
        with torch.no_grad():
            return float(sum(self.loss(moved, rows) for rows in self.pieces) - before)

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
        kept = self._derived(self.pieces[0], twice=True) if len(self.pieces) == 1 else None

        def product(direction: Sequence[Tensor], shift: float) -> list[Tensor]:
            total = [-shift * d for d in direction]
            for rows in self.pieces:
                _, leaves, gradients = kept or self._derived(rows, twice=True)
                dot = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
                curved = torch.autograd.grad(
                    dot,  # type: ignore[arg-type]
                    [*leaves.values()],
                    retain_graph=kept is not None,
                )
                total = [t + c for t, c in zip(total, curved, strict=True)]
            return total

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
