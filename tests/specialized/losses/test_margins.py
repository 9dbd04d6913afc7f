"""Laws of margins by class size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.specialized.losses import LDAM

COUNTS = torch.tensor([5000.0, 387.0, 50.0], dtype=torch.float64)


def _reference(
    cosines: np.ndarray, targets: np.ndarray, margins: np.ndarray, scale: float
) -> np.ndarray:
    """Return the paper's loss for every label in turn, and its mean under the targets."""
    losses = np.zeros(len(cosines))
    for k, margin in enumerate(margins):
        moved = cosines.copy()
        moved[:, k] -= margin
        powers = np.exp(scale * moved)
        losses -= targets[:, k] * np.log(powers[:, k] / powers.sum(axis=1))
    return losses


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.5, 64), max_margin=st.floats(0, 1))
def test_it_is_the_loss_of_the_paper(seed: int, scale: float, max_margin: float) -> None:
    """For cosines and margins of n^(-1/4), multiplied together by the scale, in numpy."""
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-1, 1, size=(10, 3))
    labels = rng.integers(3, size=10)
    targets = np.concatenate([np.eye(3)[labels[:5]], rng.dirichlet(np.ones(3), size=5)])
    quarter = 1 / np.sqrt(np.sqrt(COUNTS.numpy()))
    expected = _reference(cosines, targets, max_margin * quarter / quarter.max(), scale)
    found = LDAM(max_margin=max_margin, scale=scale)(
        torch.from_numpy(scale * cosines),
        torch.from_numpy(targets),
        torch.from_numpy(labels),
        COUNTS,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_the_smallest_class_has_the_largest_margin() -> None:
    """Sixteen times as many examples halve the margin; the smallest has the one that was set."""
    margins = LDAM(max_margin=0.4, scale=10.0).margins(torch.tensor([2560.0, 160.0, 10.0]))
    assert margins.tolist() == pytest.approx([1.0, 2.0, 4.0], rel=1e-6)


def test_classes_without_examples_change_no_other_margin() -> None:
    """They have the largest margin themselves."""
    margins = LDAM(max_margin=0.4, scale=10.0).margins(torch.tensor([160.0, 0.0, 10.0]))
    assert margins.tolist() == pytest.approx([2.0, 4.0, 4.0], rel=1e-6)


def test_a_margin_moves_the_boundary_away_from_its_class() -> None:
    """An example costs log 2 against one other class when it is ahead by its margin."""
    loss = LDAM(max_margin=0.5, scale=10.0)
    ahead = torch.tensor([[0.0, 5.0]])
    found = loss(ahead, torch.tensor([[0.0, 1.0]]), torch.tensor([1]), torch.tensor([99.0, 1.0]))
    assert found.item() == pytest.approx(np.log(2), rel=1e-6)


def test_a_margin_counts_where_probabilities_have_rounded_to_1() -> None:
    """A right answer less than sure by its margin goes on learning: log(1 + e^(16 - 18))."""
    loss = LDAM(max_margin=1.0, scale=16.0)
    ahead = torch.tensor([[0.0, 18.0]])
    found = loss(ahead, torch.tensor([[0.0, 1.0]]), torch.tensor([1]), torch.tensor([99.0, 1.0]))
    assert found.item() == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)
