"""Laws of factors on the rows of a head: a scaled head, and nothing else."""

import pytest
import torch
from torch import nn

from equipoise.specialized.factors import RowFactors
from equipoise.standard.heads import Linear


def _head(members: int | None) -> nn.Module:
    torch.manual_seed(0)
    return Linear().build(5, 3, members)


@pytest.mark.parametrize("members", [None, 2])
def test_factors_of_one_change_no_bit(members: int | None) -> None:
    """A stage begins with the very logits and weights that the one before has left."""
    head = _head(members)
    features = torch.randn((4, 5) if members is None else (4, members, 5))
    before = {name: weight.detach().clone() for name, weight in head.named_parameters()}
    factors = RowFactors(head)
    assert torch.equal(factors(head, features), head(features))
    factors.fold(head)
    assert all(torch.equal(before[name], weight) for name, weight in head.named_parameters())


def test_a_folded_head_gives_each_logit_times_its_factor() -> None:
    """By hand, bias included; folding twice is folding once."""
    head = nn.Linear(2, 2)
    head.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    head.bias.data = torch.tensor([1.0, -1.0])
    factors = RowFactors(head)
    factors.values.data = torch.tensor([2.0, -0.5])
    for _ in range(2):
        factors.fold(head)
        assert head.weight.tolist() == [[2.0, 4.0], [-1.5, -2.0]]
        assert head.bias.tolist() == [2.0, 0.5]
    assert head(torch.tensor([[1.0, 1.0]])).tolist() == [[8.0, -3.0]]


@pytest.mark.parametrize("members", [None, 2])
def test_each_row_has_a_factor_and_its_gradient_is_that_of_its_logit(members: int | None) -> None:
    """The slope of the loss in a factor is the slope in the logit times the unscaled logit."""
    head = _head(members)
    features = torch.randn((4, 5) if members is None else (4, members, 5))
    factors = RowFactors(head)
    assert factors.values.shape == (3 * (members or 1),)
    logits = factors(head, features)
    logits.retain_grad()
    logits.square().sum().backward()
    assert logits.grad is not None
    expected = (logits.grad * head(features)).sum(dim=0).flatten()
    torch.testing.assert_close(factors.values.grad, expected)


def test_only_factors_are_trained_and_processes_average_nothing() -> None:
    """One parameter has a gradient, and there is no buffer that several processes would round."""
    factors = RowFactors(nn.Linear(4, 3))
    assert [n for n, p in factors.named_parameters() if p.requires_grad] == ["values"]
    assert list(factors.buffers()) == []
    assert set(factors.state_dict()) == {"values", "before.weight", "before.bias"}
