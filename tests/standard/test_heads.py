"""Heads."""

import pytest
import torch
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.heads import HEADS, Cosine, Head, Linear, Normalized
from equipoise.standard.networks import decay_groups

EVERY = [Linear(), Cosine(), Cosine(scale=4.0, learned=True), Normalized(), Normalized(bias=False)]


def test_linear_logits_are_the_product_and_the_bias() -> None:
    """Each logit is the features' product with a row of weights, plus a bias."""
    head = resolve("Linear", HEADS, "head").build(3, 4)
    weight, bias = head.parameters()
    features = torch.randn(5, 3)
    expected = torch.stack([features @ row for row in weight], dim=1) + bias
    assert weight.shape == (4, 3)
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize("learned", [False, True])
def test_cosine_logits_are_scaled_cosines(learned: bool) -> None:
    """Logits are the scale times PyTorch's own cosine similarity, and there is no bias."""
    head = Cosine(scale=5.0, learned=learned).build(6, 4)
    features = torch.randn(7, 6)
    expected = 5 * F.cosine_similarity(features[:, None], head.get_parameter("weight")[None], dim=2)
    torch.testing.assert_close(head(features), expected)
    assert len(list(head.parameters())) == 1 + learned


def test_a_worked_cosine() -> None:
    """Along a row the logit is the scale, against it minus the scale, at 60 degrees half of it."""
    head = Cosine(scale=8.0).build(2, 2)
    head.load_state_dict({"weight": torch.tensor([[3.0, 0.0], [1.0, 3**0.5]])})
    found = head(torch.tensor([[2.0, 0.0], [-0.1, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[8.0, 4.0], [-8.0, -4.0]]))


def test_a_learned_scale_is_learnt_and_does_not_decay() -> None:
    """The gradient of its logarithm is the sum of the logits; it starts at `scale`."""
    head = Cosine(scale=5.0, learned=True).build(6, 4)
    logits = head(torch.randn(7, 6))
    logits.sum().backward()
    scale = head.get_parameter("log_scale")
    torch.testing.assert_close(scale.exp().item(), 5.0)
    torch.testing.assert_close(scale.grad, logits.detach().sum())
    decay, no_decay = decay_groups(head)
    assert [p.ndim for p in decay] == [2]
    assert [p.ndim for p in no_decay] == [0]


def test_normalized_is_linear_with_rows_over_their_length() -> None:
    """It equals tau-normalisation with tau = 1 of a linear head; features keep their length."""
    linear, head = torch.nn.Linear(6, 4), Normalized().build(6, 4)
    head.load_state_dict(linear.state_dict())
    features = torch.randn(5, 6)
    tau = 1
    rows = linear.weight / linear.weight.norm(dim=1, keepdim=True) ** tau
    torch.testing.assert_close(head(features), features @ rows.T + linear.bias)
    free = head(torch.zeros(1, 6))
    torch.testing.assert_close(head(3 * features) - free, 3 * (head(features) - free))


def test_normalized_may_do_without_a_bias() -> None:
    """Without it zero features have zero logits; with it the bias, which starts at zero."""
    assert [name for name, _ in Normalized(bias=False).build(6, 4).named_parameters()] == ["weight"]
    with_bias = Normalized().build(6, 4)
    assert torch.equal(with_bias.get_parameter("bias"), torch.zeros(4))
    torch.nn.init.constant_(with_bias.get_parameter("bias"), 2.0)
    assert torch.equal(with_bias(torch.zeros(1, 6)), torch.full((1, 4), 2.0))


@pytest.mark.parametrize("head", EVERY, ids=repr)
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-3, 1e15])
def test_features_of_any_size_give_numbers(head: Head, size: float) -> None:
    """Logits and gradients are finite float32 numbers, for features all zero too."""
    module = head.build(6, 4)
    features = (torch.randn(5, 6) * size).requires_grad_()
    logits = module(features)
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0])).backward()
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert features.grad is not None
    assert features.grad.abs().max() < 1e4
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("head", [Cosine(), Normalized()], ids=repr)
def test_a_zero_row_gives_numbers(head: Head) -> None:
    """A class whose row is all zero gets the logit 0 (or its bias), and no undefined gradient."""
    module = head.build(6, 4)
    with torch.no_grad():
        module.get_parameter("weight")[2] = 0
    logits = module(torch.randn(5, 6))
    logits.square().sum().backward()
    assert torch.equal(logits[:, 2], torch.zeros(5))
    assert module.get_parameter("weight").grad.isfinite().all()  # type: ignore[union-attr]


@pytest.mark.parametrize("head", EVERY, ids=repr)
def test_members_are_heads_of_their_own(head: Head) -> None:
    """Member m of an ensemble's head is the plain head with its rows, and sees features m."""
    together = head.build(6, 4, members=3)
    features, found = torch.randn(5, 3, 6), []
    for member in range(3):
        alone = head.build(6, 4)
        own = {
            name: value.unflatten(0, (3, -1))[member].view_as(alone.state_dict()[name])
            for name, value in together.state_dict().items()
        }
        alone.load_state_dict(own)
        found.append(alone(features[:, member]))
    torch.testing.assert_close(together(features), torch.stack(found, dim=1))


@pytest.mark.parametrize("head", EVERY, ids=repr)
def test_members_start_apart(head: Head) -> None:
    """Each member's rows are drawn on their own, from the distribution of a single head."""
    torch.manual_seed(0)
    rows = head.build(64, 50, members=2).get_parameter("weight").view(2, 50, 64)
    single = head.build(64, 50).get_parameter("weight")
    assert (rows[0] - rows[1]).abs().mean() > 0.05
    torch.testing.assert_close(rows.std(), single.std(), rtol=0.05, atol=0)


def test_rows_start_in_every_direction_and_near_length_one() -> None:
    """Coordinates are normal with deviation 1 / sqrt(n_features): fourth moment 3 of a normal."""
    torch.manual_seed(0)
    for head in (Cosine(), Normalized()):
        rows = head.build(100, 1000).get_parameter("weight") * 10
        torch.testing.assert_close(rows.std().item(), 1.0, rtol=0.01, atol=0)
        torch.testing.assert_close(rows.pow(4).mean().item(), 3.0, rtol=0.05, atol=0)


def test_a_scale_of_zero_is_refused() -> None:
    """The scale must be above zero."""
    with pytest.raises(InputError, match="`scale` of `Cosine`"):
        resolve("Cosine(scale=0.0)", HEADS, "head")
