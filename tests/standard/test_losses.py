"""Laws of losses: one value an example, cross-entropy as PyTorch has it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from equipoise.standard.losses import LOSSES, CrossEntropy

COUNTS = torch.tensor([90.0, 9.0, 1.0])


def _draw(seed: int, n: int = 8, scale: float = 5.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn((n, 3), generator=generator)
    return logits, torch.randint(3, (n,), generator=generator)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_hard_targets_give_the_usual_cross_entropy(seed: int) -> None:
    """With one-hot targets it is PyTorch's cross-entropy of the labels, example by example."""
    logits, labels = _draw(seed)
    found = CrossEntropy()(logits, F.one_hot(labels, 3).float(), labels, COUNTS)
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, reduction="none"))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_soft_targets_give_the_cross_entropy_with_probabilities(seed: int) -> None:
    """With soft targets it is PyTorch's cross-entropy of class probabilities."""
    logits, labels = _draw(seed)
    targets = _draw(seed + 1)[0].softmax(dim=1)
    found = CrossEntropy()(logits, targets, labels, COUNTS)
    torch.testing.assert_close(found, F.cross_entropy(logits, targets, reduction="none"))


def test_hand_worked_value() -> None:
    """Probabilities 3/4 and 1/4 against targets 0.9 and 0.1."""
    logits = torch.tensor([[3.0, 1.0]]).log()
    loss = CrossEntropy()(
        logits, torch.tensor([[0.9, 0.1]]), torch.tensor([0]), torch.tensor([2.0, 1.0])
    )
    expected = -(0.9 * torch.tensor(0.75).log() + 0.1 * torch.tensor(0.25).log())
    torch.testing.assert_close(loss, expected.reshape(1))


@pytest.mark.parametrize("scale", [1e3, 1e10, 1e37])
def test_extreme_logits_give_finite_losses_and_gradients(scale: float) -> None:
    """However sure the network is, right or wrong, the loss can still be learnt from."""
    logits = (scale * torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])).requires_grad_()
    labels = torch.tensor([0, 0])
    targets = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.1, 0.1]])
    losses = CrossEntropy()(logits, targets, labels, COUNTS)
    losses.mean().backward()
    assert losses.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_gradient_is_probabilities_minus_targets() -> None:
    """The well-known gradient; a flipped sign would train the network backwards."""
    logits, labels = _draw(0)
    logits.requires_grad_()
    targets = _draw(1)[0].softmax(dim=1)
    CrossEntropy()(logits, targets, labels, COUNTS).sum().backward()
    torch.testing.assert_close(logits.grad, logits.detach().softmax(dim=1) - targets)


def test_labels_and_counts_are_not_used() -> None:
    """The targets alone say what is right."""
    logits, labels = _draw(0)
    targets = F.one_hot(labels, 3).float()
    found = CrossEntropy()(logits, targets, labels, COUNTS)
    assert torch.equal(found, CrossEntropy()(logits, targets, labels.flip(0), COUNTS.flip(0)))


def test_every_loss_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in LOSSES.items()} == {
        "CrossEntropy": "CrossEntropy"
    }
