"""Laws of losses on shifted and scaled logits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.specialized.losses import BalancedSoftmax, LogitAdjusted, VectorScaling

COUNTS = [500, 60, 9, 1]


def _case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, one-hot and soft targets, and labels, in double precision."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=12)
    targets = np.concatenate([np.eye(4)[labels[:6]], rng.dirichlet(np.ones(4), size=6)])
    return (
        torch.from_numpy(5 * rng.standard_normal((12, 4))),
        torch.from_numpy(targets),
        torch.from_numpy(labels),
    )


def _reference(logits: np.ndarray, targets: np.ndarray, gamma: float, tau: float) -> list[float]:
    """Return vector scaling written out as sums over classes, as a paper does."""
    total, most = sum(COUNTS), max(COUNTS)
    found = []
    for row, target in zip(logits, targets, strict=True):
        powers = [
            np.exp((n / most) ** gamma * z + tau * np.log(n / total))
            for z, n in zip(row, COUNTS, strict=True)
        ]
        found.append(sum(t * np.log(sum(powers) / p) for t, p in zip(target, powers, strict=True)))
    return found


@settings(deadline=None, derandomize=True, max_examples=25)
@given(seed=st.integers(0, 10_000), gamma=st.floats(0, 1), tau=st.floats(0, 2))
def test_losses_are_their_formulas(seed: int, gamma: float, tau: float) -> None:
    """Each agrees with sums of exponentials in numpy, for one-hot and for soft targets."""
    logits, targets, labels = _case(seed)
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    for loss, scale, shift in (
        (VectorScaling(gamma=gamma, tau=tau), gamma, tau),
        (LogitAdjusted(tau=tau), 0.0, tau),
        (BalancedSoftmax(), 0.0, 1.0),
    ):
        expected = _reference(logits.numpy(), targets.numpy(), scale, shift)
        found = loss(logits, targets, labels, counts)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_logit_adjustment_of_strength_1_is_balanced_softmax() -> None:
    """Two papers, one loss, to the last bit."""
    logits, targets, labels = _case(3)
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    adjusted = LogitAdjusted(tau=1.0)(logits, targets, labels, counts)
    assert torch.equal(adjusted, BalancedSoftmax()(logits, targets, labels, counts))


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.6])
def test_vector_scaling_without_scales_is_logit_adjustment(tau: float) -> None:
    """Power 0 scales nothing."""
    logits, targets, labels = _case(4)
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    scaled = VectorScaling(gamma=0.0, tau=tau)(logits, targets, labels, counts)
    adjusted = LogitAdjusted(tau=tau)(logits, targets, labels, counts)
    assert torch.allclose(scaled, adjusted, rtol=1e-13)


def test_balanced_softmax_worked_by_hand() -> None:
    """Equal logits, shares 3/4 and 1/4: a rare example costs log 4, a common one log 4/3."""
    loss = BalancedSoftmax()
    found = loss(torch.zeros(2, 2), torch.eye(2), torch.arange(2), torch.tensor([30.0, 10.0]))
    assert found.tolist() == pytest.approx([np.log(4 / 3), np.log(4)], rel=1e-6)


def test_rare_logits_must_be_larger_to_have_the_same_effect() -> None:
    """A quarter of the examples and power 1/2: the rare logit counts half."""
    loss = VectorScaling(gamma=0.5, tau=0.0)
    logits, targets = torch.tensor([[3.0, 6.0]]), torch.tensor([[0.0, 1.0]])
    found = loss(logits, targets, torch.tensor([1]), torch.tensor([40.0, 10.0]))
    assert found.item() == pytest.approx(np.log(2), rel=1e-6)


def test_a_class_without_examples_counts_as_if_it_had_one() -> None:
    """Its logit is lowered like that of a single example, not to minus infinity."""
    logits, targets, labels = _case(5)
    for loss in BalancedSoftmax(), LogitAdjusted(tau=0.7), VectorScaling():
        none = loss(logits, targets, labels, torch.tensor([500.0, 60.0, 9.0, 0.0]))
        one = loss(logits, targets, labels, torch.tensor([500.0, 60.0, 9.0, 1.0]))
        assert torch.equal(none, one)
