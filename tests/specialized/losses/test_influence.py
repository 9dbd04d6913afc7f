"""Laws of the influence-balanced loss."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from equipoise.specialized.losses import InfluenceBalanced
from equipoise.specialized.losses.influence import FLOOR

COUNTS = torch.tensor([50.0, 5.0, 1.0])


def _case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, targets (half of them soft) and features, in double precision."""
    rng = np.random.default_rng(0)
    targets = np.concatenate([np.eye(3)[[0, 1, 2, 0]], rng.dirichlet(np.ones(3), size=4)])
    logits, features = 2 * rng.standard_normal((8, 3)), 3 * rng.standard_normal((8, 6))
    return torch.from_numpy(logits), torch.from_numpy(targets), torch.from_numpy(features)


def test_it_is_its_formula() -> None:
    """Cross-entropy over the product of two L1 norms, in numpy."""
    logits, targets, features = _case()
    z, t, h = logits.numpy(), targets.numpy(), features.numpy()
    proba = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    influence = np.abs(proba - t).sum(axis=1) * np.abs(h).sum(axis=1)
    expected = 70.0 * -(t * np.log(proba)).sum(axis=1) / (influence + FLOOR)
    loss = InfluenceBalanced(alpha=70.0)
    found = loss(logits, targets, targets.argmax(dim=1), COUNTS, features=features)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_influence_is_the_gradient_on_a_linear_head() -> None:
    """The two norms multiplied are the L1 norm of the gradient that a head's weights get."""
    logits, targets, features = _case()
    for z, t, h in zip(logits, targets, features, strict=True):
        weight = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
        # The logits are what they are: the head's part in them is zero, its gradient is not.
        value = F.cross_entropy((z + weight @ h)[None], t[None])
        (gradient,) = torch.autograd.grad(value, weight)
        found = InfluenceBalanced(alpha=1.0)(
            z[None], t[None], t.argmax()[None], COUNTS, features=h[None]
        )
        assert found.item() == pytest.approx(
            value.item() / (gradient.abs().sum().item() + FLOOR), rel=1e-12
        )


def test_gradients_flow_through_the_influence() -> None:
    """To logits and features, as of the formula written out with softmax, by autograd."""
    logits, targets, features = _case()
    given = logits.requires_grad_(), features.requires_grad_()
    losses = InfluenceBalanced(alpha=70.0)(
        logits, targets, targets.argmax(dim=1), COUNTS, features=features
    )
    found = torch.autograd.grad(losses.sum(), given)
    influence = (logits.softmax(dim=1) - targets).abs().sum(dim=1) * features.abs().sum(dim=1)
    written = 70.0 / (influence + FLOOR) * F.cross_entropy(logits, targets, reduction="none")
    for own, expected in zip(found, torch.autograd.grad(written.sum(), given), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-11, atol=1e-12)


def test_the_surer_a_right_answer_the_less_it_pulls() -> None:
    """In the end not at all; a wrong one by alpha over twice the length of its features."""
    features, pulls = torch.full((1, 4), 8.0, dtype=torch.float64), []
    for ahead in (0.0, 5.0, 40.0, -15.0):
        logits = torch.tensor([[ahead, 0.0]], dtype=torch.float64, requires_grad=True)
        asked = (torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.ones(2))
        loss = InfluenceBalanced(alpha=100.0)(logits, *asked, features=features)
        pulls.append(-float(torch.autograd.grad(loss.sum(), logits)[0][0, 0]))
    # (1 - ln 2) / 2 of alpha over the length where both classes are alike.
    assert pulls[0] == pytest.approx(100 / 32 * (1 - np.log(2)) / 2, rel=1e-3)
    assert pulls[0] > 10 * pulls[1]
    assert 0 <= pulls[2] < 1e-9
    assert pulls[3] == pytest.approx(100 / (2 * 32), rel=1e-3)


def test_it_must_be_given_features() -> None:
    """Without them nothing is known of the influence: that is a mistake of the caller."""
    with pytest.raises(TypeError, match="features"):
        InfluenceBalanced()(torch.zeros(1, 3), torch.eye(3)[:1], torch.tensor([0]), COUNTS)


def test_an_example_without_influence_has_a_finite_loss() -> None:
    """Features of zero and an answer that is right give 0, not 0 over 0."""
    found = InfluenceBalanced()(
        torch.tensor([[1e4, 0.0, 0.0]]),
        torch.eye(3)[:1],
        torch.tensor([0]),
        COUNTS,
        features=torch.zeros(1, 2),
    )
    assert found.tolist() == [0.0]
