"""Laws of the objective: its gradients are those of formulas that are written out here."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.assembly import Batch
from equipoise.devices import Device, reproducible
from equipoise.objective import Learner, Objective
from equipoise.standard.backbones import MLP, ImageInput, ResNet, TableInput, TabM
from equipoise.standard.heads import Linear
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.networks import Network, build_network
from equipoise.standard.normalisation import apply_norm
from equipoise.standard.self_supervision import SCARF, SelfSupervision, SimCLR, VICReg
from equipoise.standard.sharpness import Gradients

N, COLUMNS, CLASSES = 11, 6, 3
COUNTS = torch.tensor([50.0, 10.0, 2.0])


def _network(dropout: float = 0.0, members: int = 1) -> Network:
    shape = {"layers": 2, "width": 8, "dropout": dropout, "numeric": None}
    backbone = MLP(**shape) if members == 1 else TabM(**shape, members=members)
    with reproducible(0):
        return build_network(backbone, Linear(), TableInput(COLUMNS, ()), CLASSES)


def _batch(views: int = 1, weights: Tensor | None = None) -> Batch:
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (N,), generator=random)
    targets = torch.rand((N, CLASSES), generator=random)
    return Batch(
        views=tuple(torch.randn((N, COLUMNS), generator=random) for _ in range(views)),
        targets=targets / targets.sum(dim=1, keepdim=True),
        labels=labels,
        shares=F.one_hot(labels, CLASSES).float(),
        weights=weights,
    )


def _objective(
    network: nn.Module, auxiliary: SelfSupervision | None = None, **others: object
) -> Objective:
    projector = None
    if auxiliary is not None:
        assert isinstance(network, Network)
        with reproducible(1):
            projector = auxiliary.projector(network.backbone.n_features)
    learner = Learner(network, projector).train()
    given = {
        "learner": learner,
        "loss": CrossEntropy(),
        "auxiliary": auxiliary,
        "counts": COUNTS,
        "device": Device("cpu"),
    }
    return Objective(**{**given, **others})  # type: ignore[arg-type]


def _assert_close(found: Gradients, expected: Sequence[Tensor | None]) -> None:
    for a, b in zip(found, expected, strict=True):
        if a is None or b is None:
            # What is not used has no gradient, or one of zeros.
            assert all(x is None or not x.any() for x in (a, b))
        else:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def _same(first: Gradients, second: Gradients) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(first, second, strict=True)
    )


def _by_autograd(value: Tensor, objective: Objective) -> list[Tensor | None]:
    parameters = list(objective.learner.parameters())
    return list(torch.autograd.grad(value, parameters, allow_unused=True))


def _soft_losses(logits: Tensor, batch: Batch) -> Tensor:
    return -(batch.targets * logits.log_softmax(dim=1)).sum(dim=1)


def test_the_gradient_is_that_of_the_mean_cross_entropy() -> None:
    """Loss and gradient equal torch's own, for soft targets; nothing is left on the network."""
    objective, batch = _objective(_network()), _batch()
    loss, (found,) = objective.gradients(batch, N, 0, [None])
    value = F.cross_entropy(objective.learner.network(batch.views[0]), batch.targets)
    torch.testing.assert_close(loss, value.detach())
    assert not loss.requires_grad
    _assert_close(found, _by_autograd(value, objective))
    assert all(p.grad is None for p in objective.learner.parameters())


def test_class_weights_are_an_explicit_weighted_sum() -> None:
    """Each example counts by the weight of its class, over the size of the whole batch."""
    objective, batch = _objective(_network()), _batch()
    weights = torch.tensor([1.0, 3.0, 0.25])
    loss, (found,) = objective.gradients(batch, N, 0, [weights])
    losses = _soft_losses(objective.learner.network(batch.views[0]), batch)
    value = sum(weights[k] * loss for k, loss in zip(batch.labels, losses, strict=True)) / N
    assert isinstance(value, Tensor)
    _assert_close(found, _by_autograd(value, objective))
    torch.testing.assert_close(loss, losses.mean().detach())


def test_mixed_examples_count_by_the_shares_of_their_classes() -> None:
    """The weight of a mixed example is the mean of its classes' weights by their shares."""
    shares = torch.rand((N, CLASSES), generator=torch.Generator().manual_seed(3))
    batch = replace(_batch(), shares=shares / shares.sum(dim=1, keepdim=True))
    objective, weights = _objective(_network()), torch.tensor([1.0, 3.0, 0.25])
    _, (found,) = objective.gradients(batch, N, 0, [weights])
    losses = _soft_losses(objective.learner.network(batch.views[0]), batch)
    each = [sum(float(s) * w for s, w in zip(row, weights, strict=True)) for row in batch.shares]
    _assert_close(found, _by_autograd((torch.stack(each) * losses).sum() / N, objective))  # type: ignore[arg-type]


def test_several_weightings_in_one_call_are_those_of_separate_calls() -> None:
    """They share a forward pass and nothing else; the loss is unweighted in each."""
    objective, batch = _objective(_network(dropout=0.4), accumulate=2), _batch()
    asked = [torch.tensor([1.0, 3.0, 0.25]), None, torch.tensor([0.0, 0.0, 1.0])]
    passes = _count_calls(objective.learner.network.backbone)
    loss, together = objective.gradients(batch, N, 7, asked)
    assert len(passes) == 2  # one for each piece
    for weights, found in zip(asked, together, strict=True):
        alone, (expected,) = objective.gradients(batch, N, 7, [weights])
        assert torch.equal(loss, alone)
        _assert_close(found, expected)


def _count_calls(module: nn.Module) -> list[int]:
    sizes: list[int] = []
    module.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    return sizes


@pytest.mark.parametrize("accumulate", [2, 3, N, 50])
def test_accumulation_is_the_large_batch(accumulate: int) -> None:
    """Without batch norm the pieces add up to the loss and gradient of the whole, even if they
    are uneven.
    """
    network, batch = _network(), _batch(weights=torch.linspace(0.5, 1.5, N))
    weights = [None, torch.tensor([1.0, 3.0, 0.25])]
    whole, expected = _objective(network).gradients(batch, N, 0, weights)
    loss, found = _objective(network, accumulate=accumulate).gradients(batch, N, 0, weights)
    torch.testing.assert_close(loss, whole)
    for a, b in zip(found, expected, strict=True):
        _assert_close(a, b)


def test_accumulation_of_a_convolutional_network_with_group_norm() -> None:
    """Group norm knows no batch, so pieces of images add up too."""
    inputs = ImageInput(8, 8, 1, (0.5,), (0.25,))
    with reproducible(0):
        network = build_network(ResNet(depth=8, width=4), Linear(), inputs, CLASSES)
    apply_norm(network, "group")
    images = torch.randint(256, (N, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    batch = replace(_batch(), views=(images.to(torch.uint8),))
    whole, (expected,) = _objective(network).gradients(batch, N, 0, [None])
    loss, (found,) = _objective(network, accumulate=4).gradients(batch, N, 0, [None])
    torch.testing.assert_close(loss, whole)
    _assert_close(found, expected)


def test_a_share_of_a_batch_is_divided_by_the_size_of_the_whole() -> None:
    """Two halves, each told the total, add up to the whole: what several processes do."""
    objective, batch = _objective(_network()), _batch()
    whole, (expected,) = objective.gradients(batch, N, 0, [None])
    parts = [objective.gradients(piece, N, 0, [None]) for piece in batch.split(2)]
    torch.testing.assert_close(sum(loss for loss, _ in parts), whole)
    sums = [a + b for a, b in zip(*(found for _, (found,) in parts), strict=True)]  # type: ignore[operator]
    _assert_close(sums, expected)


@pytest.mark.parametrize("auxiliary", [VICReg(weight=0.3), SimCLR(weight=2.0), SCARF(weight=0.1)])
def test_an_auxiliary_loss_is_added_with_its_weight(auxiliary: SelfSupervision) -> None:
    """Computed apart: cross-entropy of the first view, plus weight times the loss of both."""
    objective, batch = _objective(_network(), auxiliary), _batch(views=2)
    loss, (found,) = objective.gradients(batch, N, 0, [None])
    network, projector = objective.learner.network, objective.learner.projector
    assert isinstance(network, Network)
    assert projector is not None
    features = [network.backbone(view) for view in batch.views]
    ssl = auxiliary.loss(*(projector(each) for each in features))
    value = F.cross_entropy(network.head(features[0]), batch.targets) + auxiliary.weight * ssl
    torch.testing.assert_close(loss, value.detach(), rtol=1e-4, atol=1e-6)
    _assert_close(found, _by_autograd(value, objective))
    assert auxiliary.weight * ssl.item() != pytest.approx(0, abs=1e-3)


def test_both_views_pass_through_the_backbone_at_once() -> None:
    """One call of the backbone with twice the examples, one of the head with the first view."""
    objective, batch = _objective(_network(), VICReg()), _batch(views=2)
    network = objective.learner.network
    assert isinstance(network, Network)
    backbone, head = _count_calls(network.backbone), _count_calls(network.head)
    objective.gradients(batch, N, 0, [None])
    assert (backbone, head) == ([2 * N], [N])


def test_without_a_loss_the_auxiliary_stands_alone() -> None:
    """Pre-training: no cross-entropy, and no gradient in the head."""
    auxiliary = VICReg(weight=1.0)
    objective, batch = _objective(_network(), auxiliary, loss=None), _batch(views=2)
    loss, (found,) = objective.gradients(batch, N, 0, [None])
    network, projector = objective.learner.network, objective.learner.projector
    assert isinstance(network, Network)
    assert projector is not None
    value = auxiliary.loss(*(projector(network.backbone(view)) for view in batch.views))
    torch.testing.assert_close(loss, value.detach(), rtol=1e-4, atol=1e-6)
    _assert_close(found, _by_autograd(value, objective))
    named = zip(objective.learner.named_parameters(), found, strict=True)
    unused = {name for (name, _), gradient in named if gradient is None or not gradient.any()}
    assert {"network.head.weight", "network.head.bias"} <= unused
    assert not any(name.startswith("network.backbone") for name in unused)


def test_dropout_masks_are_told_by_the_seed() -> None:
    """Every call with a seed draws the same masks, another seed others."""
    objective, batch = _objective(_network(dropout=0.5), accumulate=2), _batch()
    first, again, other = (objective.gradients(batch, N, s, [None]) for s in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert _same(first[1][0], again[1][0])
    assert not torch.equal(first[0], other[0])


def test_example_weights_multiply_the_losses_and_not_the_auxiliary() -> None:
    """The loss of each example counts by its weight; the auxiliary has none."""
    weights = torch.linspace(0.2, 2.0, N)
    auxiliary = VICReg(weight=0.5)
    objective, batch = _objective(_network(), auxiliary), _batch(views=2, weights=weights)
    loss, (found,) = objective.gradients(batch, N, 0, [None])
    network, projector = objective.learner.network, objective.learner.projector
    assert isinstance(network, Network)
    assert projector is not None
    features = [network.backbone(view) for view in batch.views]
    ssl = auxiliary.loss(*(projector(each) for each in features))
    value = (weights * _soft_losses(network.head(features[0]), batch)).mean() + 0.5 * ssl
    torch.testing.assert_close(loss, value.detach(), rtol=1e-4, atol=1e-6)
    _assert_close(found, _by_autograd(value, objective))


def test_members_of_an_ensemble_learn_each_on_its_own() -> None:
    """The loss is the mean over members of their losses, not that of their mean prediction."""
    objective, batch = _objective(_network(members=4)), _batch()
    loss, (found,) = objective.gradients(batch, N, 0, [None])
    logits = objective.learner.network(batch.views[0])
    assert logits.shape == (N, 4, CLASSES)
    value = torch.stack([_soft_losses(logits[:, m], batch).mean() for m in range(4)]).mean()
    torch.testing.assert_close(loss, value.detach())
    _assert_close(found, _by_autograd(value, objective))


def test_members_share_one_projection() -> None:
    """The auxiliary loss of an ensemble sees the mean of its members' features."""
    auxiliary = SCARF(weight=0.7)
    objective, batch = _objective(_network(members=4), auxiliary), _batch(views=2)
    loss, _ = objective.gradients(batch, N, 0, [None])
    network, projector = objective.learner.network, objective.learner.projector
    assert isinstance(network, Network)
    assert projector is not None
    features = [network.backbone(view) for view in batch.views]
    ssl = auxiliary.loss(*(projector(each.mean(dim=1)) for each in features))
    logits = network.head(features[0])
    own = torch.stack([_soft_losses(logits[:, m], batch).mean() for m in range(4)]).mean()
    torch.testing.assert_close(loss, (own + 0.7 * ssl).detach(), rtol=1e-4, atol=1e-6)


def test_frozen_parameters_have_no_gradient() -> None:
    """Gradients are aligned with what is trained."""
    network = _network()
    network.freeze([name for name, _ in network.named_parameters() if "backbone" in name])
    objective, batch = _objective(network), _batch()
    _, (found,) = objective.gradients(batch, N, 0, [None])
    assert [g.shape for g in found if g is not None] == [p.shape for p in network.head.parameters()]
