"""What a step minimises, and its gradients: the closure that training and sharpness call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from equipoise._tensors import ClassCounts, Inputs, Logits
from equipoise.assembly import Batch
from equipoise.devices import Device, reproducible, seed_generators
from equipoise.distributed import World
from equipoise.seeds import derive_seed
from equipoise.specialized.factors import RowFactors
from equipoise.stage import Stage
from equipoise.standard.losses import Loss
from equipoise.standard.networks import Network, member_losses
from equipoise.standard.self_supervision import SelfSupervision
from equipoise.standard.sharpness.base import Gradients, added, trainable


class Outputs(NamedTuple):
    """What a learner returns: logits, the features that they are of, and projections of views.

    Features are None of a network that does not tell them apart; projections are empty where
    nothing projects.
    """

    logits: Logits
    features: Tensor | None
    projections: Sequence[Tensor]


class Learner(nn.Module):
    """The network with what only training needs.

    Parameters
    ----------
    network : Module
        From inputs to logits; a `Network` where there is a projector.
    projector : Module or None
        From features to what the self-supervised loss compares.
    factors : RowFactors or None, default=None
        What is trained in the place of the head of a `Network`.
    """

    def __init__(
        self,
        network: nn.Module,
        projector: nn.Module | None,
        factors: RowFactors | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.projector = projector
        self.factors = factors

    def forward(self, views: Sequence[Inputs]) -> Outputs:
        """Return logits and features of the first view, and projections if there are two.

        Both views go through the backbone in one pass.
        """
        if not isinstance(self.network, Network):
            if self.projector is not None or self.factors is not None:
                raise TypeError("this needs a Network, which tells features from logits")
            return Outputs(self.network(views[0]), None, ())
        both = views[0] if self.projector is None else torch.cat(list(views))
        features = self.network.backbone(both).float()
        first = features[: len(views[0])]
        with torch.autocast(features.device.type, enabled=False):
            head, factors = self.network.head, self.factors
            logits = head(first) if factors is None else factors(head, first)
        if self.projector is None:
            return Outputs(logits, first, ())
        pooled = features if features.ndim == 2 else features.mean(dim=1)
        return Outputs(logits, first, self.projector(pooled).float().chunk(2))

    def fold(self) -> None:
        """Multiply the factors, if there are any, into the head, as the logits have been."""
        if self.factors is not None:
            self.factors.fold(self.network.head)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    r"""The mean loss of a batch, and its gradients.

    .. math:: L = \frac{1}{B} \sum_i w_i \ell_i + \lambda L_{ssl}

    with :math:`\ell_i` the loss of example :math:`i` among :math:`B`, :math:`w_i` its weight, and
    :math:`L_{ssl}` the auxiliary loss, if there is one, on two views.

    Parameters
    ----------
    learner : Learner
        What is differentiated.
    loss : Loss or None
        Loss of each example; None: the auxiliary loss alone.
    auxiliary : SelfSupervision or None
        Loss of two views.
    counts : Tensor of float, shape (classes,)
        Training examples of each class.
    device : Device
        Precision of the forward pass.
    accumulate : int
        Pieces in which a batch is computed, to save memory.
    world : World
        The processes that share the batch.
    """

    learner: Learner
    loss: Loss | None
    auxiliary: SelfSupervision | None
    counts: ClassCounts
    device: Device
    accumulate: int = 1
    world: World = World()  # noqa: RUF009 (frozen)

    def gradients(
        self, batch: Batch, total: int, seed: int, weights: Sequence[ClassCounts | None]
    ) -> tuple[Tensor, list[Gradients]]:
        """Return the loss of a batch and a gradient for each weighting of the classes.

        Parameters
        ----------
        batch : Batch
            This process's share.
        total : int
            Examples in the whole batch, over all processes.
        seed : int
            Seed of what the network draws: every call with it sees the same dropout masks.
        weights : sequence of (Tensor of shape (classes,) or None)
            Weights of the classes; None: all 1.

        Returns
        -------
        loss : Tensor
            The objective with all class weights 1, detached.
        gradients : list of list of (Tensor or None)
            For each of `weights`, one tensor for each trainable parameter of the learner.
        """
        seed_generators(seed, self.device.name)
        parameters = trainable(self.learner)
        value = torch.zeros((), device=self.device.name)
        sums: list[Gradients] = [[None] * len(parameters) for _ in weights]
        for piece in batch.split(self.accumulate):
            terms = self._terms(piece, total, weights)
            value += terms[0].detach()
            for i, term in enumerate(terms[1:]):
                last = i == len(weights) - 1
                found = torch.autograd.grad(
                    term, parameters, retain_graph=not last, allow_unused=True
                )
                sums[i] = added(list(found), sums[i])
        used = [gradient for each in sums for gradient in each if gradient is not None]
        self.world.total([value, *used])
        return value, sums

    def _terms(
        self, batch: Batch, total: int, weights: Sequence[ClassCounts | None]
    ) -> list[Tensor]:
        """Return this piece's part of the objective: unweighted, then for each weighting."""
        with self.device.autocast():
            logits, features, projections = self.learner(batch.views)
        losses = torch.zeros(len(batch), device=logits.device)
        if self.loss is not None:
            asked = (batch.targets, batch.labels, self.counts, features)
            losses = member_losses(self.loss, logits.float(), *asked)
        if batch.weights is not None:
            losses = losses * batch.weights
        if self.auxiliary is not None and projections:
            # A mean over the piece: spread over its examples, class weights act on it too.
            losses = losses + self.auxiliary.weight * self.auxiliary(*projections)
        factors = [None if w is None else batch.shares @ w for w in weights]
        parts = [losses if f is None else losses * f for f in (None, *factors)]
        return [part.sum() / total for part in parts]


def build_learner(stage: Stage, network: nn.Module, seed: int, device: Device) -> Learner:
    """Return a network with the projector and the factors that a stage needs."""
    factors = RowFactors(network.head) if stage.trains == "scales" else None  # type: ignore[arg-type]
    if stage.auxiliary is None:
        return Learner(network, None, factors)
    with reproducible(derive_seed(seed, "projector")):
        projector = stage.auxiliary.projector(network.backbone.n_features)  # type: ignore[union-attr, arg-type]
    return Learner(network, projector.to(device.name), factors)
