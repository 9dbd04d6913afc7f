"""Laws of the focal loss."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import sigmoid_focal_loss

from equipoise.specialized.losses import Focal

NO_COUNTS = torch.ones(2, dtype=torch.float64)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    rows=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=8),
    gamma=st.floats(0, 5),
)
def test_of_two_classes_it_is_the_sigmoid_focal_loss(
    rows: list[tuple[float, float]], gamma: float
) -> None:
    """A softmax over two logits is the sigmoid of their difference: torchvision has that loss."""
    logits = torch.tensor(rows, dtype=torch.float64)
    labels = torch.arange(len(rows)) % 2
    targets = torch.eye(2, dtype=torch.float64)[labels]
    difference = logits[:, 1] - logits[:, 0]
    expected = sigmoid_focal_loss(difference, targets[:, 1], alpha=-1, gamma=gamma)
    found = Focal(gamma=gamma)(logits, targets, labels, NO_COUNTS)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_it_is_its_formula(gamma: float) -> None:
    """Of five classes and soft targets it agrees with the formula in numpy."""
    rng = np.random.default_rng(1)
    logits, targets = 2 * rng.standard_normal((20, 5)), rng.dirichlet(np.ones(5), size=20)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -(targets * (1 - proba) ** gamma * np.log(proba)).sum(axis=1)
    found = Focal(gamma=gamma)(
        torch.from_numpy(logits), torch.from_numpy(targets), torch.zeros(20).long(), NO_COUNTS
    )
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_sure_examples_count_less() -> None:
    """At nine tenths the loss is a hundredth of cross-entropy, at a half a quarter (gamma 2)."""
    logits = torch.tensor([[0.9, 0.1], [0.5, 0.5]], dtype=torch.float64).log()
    targets = torch.tensor([[1.0, 0.0]] * 2, dtype=torch.float64)
    found = Focal(gamma=2.0)(logits, targets, torch.tensor([0, 0]), NO_COUNTS)
    np.testing.assert_allclose(found, [-0.01 * np.log(0.9), 0.25 * np.log(2)], rtol=1e-12)


def test_class_sizes_are_not_used() -> None:
    """Other counts change nothing."""
    logits, targets, labels = (
        torch.tensor([[2.0, 0.0]] * 4),
        torch.eye(2)[[0, 1, 1, 0]],
        torch.zeros(4).long(),
    )
    losses = [Focal()(logits, targets, labels, torch.tensor(c)) for c in ([1.0, 9.0], [5.0, 5.0])]
    assert torch.equal(*losses)
