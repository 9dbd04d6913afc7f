"""Laws of the focal loss."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit
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


@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.999])
def test_class_probabilities_follow_from_the_least_loss(gamma: float, share: float) -> None:
    """The conditional risk of two classes, minimised by SciPy: the map gives its shares back."""

    def risk(odds: float) -> float:
        p = expit([odds, -odds])
        return -float(([share, 1 - share] * (1 - p) ** gamma * np.log(p)).sum())

    odds = minimize_scalar(risk, bounds=(-1, 12), method="bounded", options={"xatol": 1e-12}).x
    logits = torch.tensor([[odds, 0.0]], dtype=torch.float64)
    found = Focal(gamma=gamma).posterior_logits(logits).exp()
    np.testing.assert_allclose(found[0], [share, 1 - share], atol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    row=st.lists(st.floats(-30, 30), min_size=2, max_size=6),
    gamma=st.floats(0, 6),
)
def test_the_map_keeps_the_order_of_all_classes(row: list[float], gamma: float) -> None:
    """And so the class that is predicted; only distances between logits change."""
    logits = torch.tensor([row], dtype=torch.float64)
    found = Focal(gamma=gamma).posterior_logits(logits)[0].numpy()
    np.testing.assert_allclose(np.exp(found).sum(), 1, rtol=1e-9)
    in_order = found[np.argsort(row, kind="stable")]
    assert (np.diff(in_order) >= -1e-9 * np.abs(found).max()).all()


def test_the_map_is_finite_for_logits_of_any_size() -> None:
    """In float32, and with slopes: pictures are made by descent on what is predicted."""
    logits = torch.tensor([[1e4, -1e4, 0.0], [80.0, 0.0, -80.0], [0.0, 0.0, 0.0]])
    found = Focal().posterior_logits(logits.requires_grad_())
    (slopes,) = torch.autograd.grad(found[:, 1].sum(), logits)
    assert torch.isfinite(found).all()
    assert torch.isfinite(slopes).all()


def test_slopes_of_the_map_are_its_differences() -> None:
    """By finite differences, on both sides of even odds."""
    logits = torch.tensor([[3.0, -1.0, 0.4], [-0.2, 0.1, 0.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(Focal().posterior_logits, logits.requires_grad_())


def test_without_a_factor_the_map_changes_nothing() -> None:
    """Gamma 0 is cross-entropy, whose logits contain the probabilities."""
    logits = torch.tensor([[3.0, -1.0, 0.4]], dtype=torch.float64)
    found = Focal(gamma=0.0).posterior_logits(logits)
    torch.testing.assert_close(found, logits.log_softmax(dim=1))
