"""Laws of all specialized losses, and of the odds and priors that they share."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from torch import Tensor
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.metrics import without_margins
from equipoise.spec import resolve
from equipoise.specialized.losses import (
    LDAM,
    LOSSES,
    BalancedSoftmax,
    Focal,
    InfluenceBalanced,
    LogitAdjusted,
    SpecializedLoss,
    VectorScaling,
)
from equipoise.specialized.losses.base import class_shares, log_odds, shifted_prior
from equipoise.specialized.losses.influence import FLOOR

EVERY: list[SpecializedLoss] = [
    Focal(),
    Focal(gamma=0.5),
    LDAM(scale=30.0),
    BalancedSoftmax(),
    LogitAdjusted(tau=1.5),
    VectorScaling(gamma=0.3, tau=0.7),
    InfluenceBalanced(),
]
SMOOTH = [loss for loss in EVERY if not loss.needs_features]


def _call(loss: SpecializedLoss, logits: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    """Return a loss of examples, of features that are ones where it needs any."""
    more: dict[str, Any] = {}
    if loss.needs_features:
        more["features"] = torch.ones(len(logits), 4, dtype=logits.dtype)
    return loss(logits, targets, targets.argmax(dim=1), counts, **more)


def _batch(n: int = 6, n_classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, soft targets and counts in double precision."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    drawn = torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    counts = torch.tensor([400.0, 90.0, 20.0, 5.0], dtype=torch.float64)[:n_classes]
    return logits, drawn.softmax(dim=1), counts


@pytest.mark.parametrize("loss", EVERY, ids=repr)
@pytest.mark.parametrize("counts", [(1.0, 1e7, 30.0), (1e7, 0.0, 1.0), (1.0, 1.0, 1.0)])
def test_extreme_logits_and_counts_stay_finite(
    loss: SpecializedLoss, counts: tuple[float, ...]
) -> None:
    """Logits of 10,000 either way give finite float32 losses and gradients, none negative."""
    rows = torch.cartesian_prod(*[torch.tensor([-1e4, -30.0, 0.0, 1e4])] * 3)
    soft = torch.cat([torch.eye(3), torch.full((1, 3), 1 / 3), torch.tensor([[0.9, 0.1, 0.0]])])
    for target in soft:
        logits = rows.clone().requires_grad_()
        values = _call(loss, logits, target.expand(len(rows), 3), torch.tensor(counts))
        assert values.shape == (len(rows),)
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
        assert (values >= -1e-6).all()
        (gradient,) = torch.autograd.grad(values.sum(), logits)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_gradients_are_the_slopes(loss: SpecializedLoss) -> None:
    """Automatic derivatives agree with finite differences, first and second."""
    logits, targets, counts = _batch()

    def value(logits: Tensor) -> Tensor:
        return _call(loss, logits, targets, counts)

    assert torch.autograd.gradcheck(value, logits.requires_grad_())
    assert torch.autograd.gradgradcheck(value, logits)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_each_example_has_a_loss_of_its_own(loss: SpecializedLoss) -> None:
    """What else is in the batch, and in which order, changes no example's loss."""
    logits, targets, counts = _batch()
    together = _call(loss, logits, targets, counts)
    alone = [_call(loss, logits[[i]], targets[[i]], counts) for i in range(len(logits))]
    assert torch.allclose(together, torch.cat(alone), rtol=1e-12)


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_the_loss_of_a_blend_is_the_blend_of_losses(loss: SpecializedLoss) -> None:
    """Losses are linear in the targets, except the one whose factor depends on them."""
    logits, targets, counts = _batch()
    hot = torch.eye(4, dtype=torch.float64)
    by_label = [_call(loss, logits, hot[k].expand(6, 4), counts) for k in range(4)]
    expected = (targets * torch.stack(by_label, dim=1)).sum(dim=1)
    assert torch.allclose(_call(loss, logits, targets, counts), expected, rtol=1e-12)


NEUTRAL: list[SpecializedLoss] = [
    Focal(gamma=0.0),
    LDAM(max_margin=0.0),
    LogitAdjusted(tau=0.0),
    VectorScaling(gamma=0.0, tau=0.0),
]


@pytest.mark.parametrize("loss", NEUTRAL, ids=repr)
def test_neutral_settings_are_cross_entropy(loss: SpecializedLoss) -> None:
    """Without a factor, a margin or a shift each loss is PyTorch's cross-entropy."""
    logits, targets, counts = _batch()
    expected = F.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(_call(loss, logits, targets, counts), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "loss", [BalancedSoftmax(), LogitAdjusted(tau=2.0), VectorScaling(gamma=0.4)], ids=repr
)
def test_uniform_counts_change_nothing(loss: SpecializedLoss) -> None:
    """With equal classes the adjusted losses are PyTorch's cross-entropy."""
    logits, targets, _ = _batch()
    found = _call(loss, logits, targets, torch.full((4,), 50.0, dtype=torch.float64))
    assert torch.allclose(found, F.cross_entropy(logits, targets, reduction="none"), rtol=1e-12)


@pytest.mark.parametrize(
    "loss", [each for each in EVERY if not isinstance(each, VectorScaling)], ids=repr
)
def test_a_constant_on_all_logits_changes_nothing(loss: SpecializedLoss) -> None:
    """Only differences of logits count, except where classes are scaled."""
    logits, targets, counts = _batch()
    moved = _call(loss, logits + 7, targets, counts)
    assert torch.allclose(moved, _call(loss, logits, targets, counts), rtol=1e-12)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_renaming_the_classes_changes_nothing(loss: SpecializedLoss) -> None:
    """Only their sizes matter, not their order."""
    logits, targets, counts = _batch()
    order = torch.tensor([2, 0, 3, 1])
    renamed = _call(loss, logits[:, order], targets[:, order], counts[order])
    assert torch.allclose(renamed, _call(loss, logits, targets, counts), rtol=1e-12)


@pytest.mark.parametrize(
    "loss", [LDAM(), BalancedSoftmax(), LogitAdjusted(tau=0.5), VectorScaling()], ids=repr
)
def test_the_same_mistake_costs_more_on_a_rarer_class(loss: SpecializedLoss) -> None:
    """The direction, to which invariances are blind."""
    counts = torch.tensor([900.0, 90.0, 9.0])
    assert (_call(loss, torch.zeros(3, 3), torch.eye(3), counts).diff() > 0.01).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_descending_raises_the_right_logit(loss: SpecializedLoss) -> None:
    """The gradient pulls the label's own logit up and all others down."""
    logits, targets, counts = _batch(n=30)
    hot = torch.eye(4, dtype=torch.float64)[targets.argmax(dim=1)]
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(_call(loss, logits, hot, counts).sum(), logits)
    assert ((gradient < 0) == (hot == 1)).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_single_precision_loses_no_more_than_its_digits(loss: SpecializedLoss) -> None:
    """Also of examples that are right beyond the digits of their probability."""
    logits, targets, counts = _batch(n=200)
    hot = torch.eye(4, dtype=torch.float64)[targets.argmax(dim=1)]
    for wanted in targets, hot:
        given_ = (3 * logits).float()
        exact = _call(loss, given_.double(), wanted.float().double(), counts)
        found = _call(loss, given_, wanted.float(), counts.float())
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "Focal(gamma=-1.0)",
        "LDAM(scale=0.0)",
        "LDAM(max_margin=-0.5)",
        "LogitAdjusted(tau=-1.0)",
        "VectorScaling(gamma=-0.1)",
        "VectorScaling(tau=-0.1)",
        "InfluenceBalanced(alpha=0.0)",
    ],
)
def test_values_without_a_meaning_are_refused(text: str) -> None:
    """A flipped sign would teach the network the wrong thing without a word."""
    with pytest.raises(InputError, match="must be"):
        resolve(text, LOSSES, "loss")


def test_losses_can_be_named() -> None:
    """Each is read from its text and written back, and says whether it needs features."""
    for name, kind in LOSSES.items():
        assert type(resolve(name, LOSSES, "loss")) is kind
        assert kind.needs_features == (kind is InfluenceBalanced)
    for loss in EVERY:
        assert repr(resolve(repr(loss), LOSSES, "loss")) == repr(loss)


# Odds


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows=st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_log_odds_are_each_class_against_the_others(rows: list[float]) -> None:
    """They are the logit less the log of the others' sum, which numpy finds class by class."""
    expected = [z - np.logaddexp.reduce(rows[:k] + rows[k + 1 :]) for k, z in enumerate(rows)]
    found = log_odds(torch.tensor([rows], dtype=torch.float64))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_log_odds_stay_exact_where_probabilities_round_to_1() -> None:
    """In float32, a class that is ahead by 40 has odds of 40, not of infinity."""
    found = log_odds(torch.tensor([[40.0, 0.0], [0.0, 1e4]]))
    assert found.tolist() == [[40.0, -40.0], [-1e4, 1e4]]


# Priors


def _minimiser(loss: SpecializedLoss, targets: Tensor, counts: Tensor) -> Tensor:
    """Return the logits, the same for all examples, that the mean loss is least at."""
    logits = torch.zeros(1, targets.shape[1], dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS(
        [logits],
        max_iter=500,
        tolerance_grad=1e-13,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        descent.zero_grad()
        value = _call(loss, logits.expand(len(targets), -1), targets, counts).mean()
        value.backward()
        return value

    descent.step(closure)
    return logits.detach()[0]


LABELS = [0] * 70 + [1] * 20 + [2] * 8 + [3] * 2
COUNTS = torch.tensor([70.0, 20.0, 8.0, 2.0], dtype=torch.float64)
HOT = torch.eye(4, dtype=torch.float64)[LABELS]
EXACT = [
    BalancedSoftmax(),
    LogitAdjusted(tau=0.4),
    LogitAdjusted(tau=1.7),
    LogitAdjusted(tau=0.0),
    VectorScaling(gamma=0.0, tau=0.6),
    LDAM(max_margin=0.0),
    LDAM(max_margin=0.8, scale=4.0),
    Focal(gamma=0.5),
    Focal(),
]


def _fitted(loss: SpecializedLoss, targets: Tensor, counts: Tensor) -> Tensor:
    """Return the class probabilities of a network that is at the least loss."""
    logits = loss.posterior_logits(_minimiser(loss, targets, counts)[None])
    margins = loss.margins(counts)
    taken = without_margins(logits.numpy(), None if margins is None else margins.numpy())
    return torch.from_numpy(taken).softmax(dim=1)[0]


@pytest.mark.parametrize("loss", EXACT, ids=repr)
def test_the_least_loss_is_at_the_prior(loss: SpecializedLoss) -> None:
    """Logits trained on nothing but labels hold the prior that the loss states."""
    assert loss.exact_prior
    found = _fitted(loss, HOT, COUNTS)
    np.testing.assert_allclose(found, loss.prior(HOT.mean(dim=0)), atol=1e-7)


@pytest.mark.parametrize("loss", EXACT, ids=repr)
def test_priors_hold_for_targets_that_are_not_the_counts(loss: SpecializedLoss) -> None:
    """Smoothed targets, shown in other shares: with the counts given the prior is exact still."""
    shown = HOT[[0] * 5 + [70] * 3 + [90] * 9 + [98] * 3]
    targets = 0.8 * shown + 0.05
    found = _fitted(loss, targets, COUNTS)
    np.testing.assert_allclose(found, loss.prior(targets.mean(dim=0), COUNTS), atol=1e-7)


@pytest.mark.parametrize("loss", [VectorScaling(tau=0.5), InfluenceBalanced()], ids=repr)
def test_a_prior_that_is_a_heuristic_is_said_to_be(loss: SpecializedLoss) -> None:
    """The least loss is elsewhere, by more than rounding."""
    assert not loss.exact_prior
    found = _fitted(loss, HOT, COUNTS)
    assert (found - loss.prior(HOT.mean(dim=0))).abs().max() > 0.01


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_only_losses_that_say_so_map_logits(loss: SpecializedLoss) -> None:
    """Others predict by the logits themselves."""
    logits = _batch()[0]
    assert torch.equal(loss.posterior_logits(logits), logits) != loss.maps_logits


def test_vector_scaling_has_its_prior_in_scaled_logits() -> None:
    """What the loss is least at has the stated prior once scales are applied, not before."""
    loss = VectorScaling(gamma=0.3, tau=0.5)
    logits = _minimiser(loss, HOT, COUNTS)
    scales = (COUNTS / COUNTS.max()) ** 0.3
    expected = loss.prior(HOT.mean(dim=0))
    np.testing.assert_allclose((scales * logits).softmax(dim=0), expected, atol=1e-7)
    assert (logits.softmax(dim=0) - expected).abs().max() > 0.01


def test_focal_loss_itself_is_least_at_less_than_the_prior() -> None:
    """Of shares 0.9 and 0.1 gamma 2 makes 0.69 and 0.31: of the same order, but nearer."""
    targets = torch.eye(2, dtype=torch.float64)[[0] * 9 + [1]]
    found = _minimiser(Focal(), targets, torch.tensor([9.0, 1.0])).softmax(dim=0)
    np.testing.assert_allclose(found, [0.694, 0.306], atol=0.001)
    assert Focal().prior(torch.tensor([0.9, 0.1])).tolist() == pytest.approx([0.9, 0.1])


def test_margins_drive_logits_apart_where_classes_overlap() -> None:
    """Logits of shares 0.9 and 0.1 are not log 9 apart, but the margin and log 8."""
    loss, targets = LDAM(), torch.eye(2, dtype=torch.float64)[[0] * 9 + [1]]
    logits = _minimiser(loss, targets, torch.tensor([9.0, 1.0]))
    # The rare class falls far short of its margin of 8, so that 0.9 sigmoid(margin - gap) = 0.1.
    expected = 16.0 * 0.5 * 9**-0.25 + np.log(8)
    assert float(logits[0] - logits[1]) == pytest.approx(expected, rel=1e-3)
    assert torch.equal(loss.prior(HOT.mean(dim=0)), HOT.mean(dim=0))


def test_influence_balance_is_least_at_less_than_the_prior() -> None:
    """Of shares 0.9 and 0.1 it makes 0.858, the least of the formula written out by SciPy."""
    targets = torch.eye(2, dtype=torch.float64)[[0] * 9 + [1]]
    found = _minimiser(InfluenceBalanced(), targets, torch.ones(2)).softmax(dim=0)

    def expected(ahead: float) -> float:
        common, rare = expit(ahead), expit(-ahead)
        pulls = 4 * 2 * np.array([rare, common]) + FLOOR
        return float(-np.array([0.9, 0.1]) @ (np.log([common, rare]) / pulls))

    least = minimize_scalar(expected, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9})
    assert float(found[0]) == pytest.approx(expit(least.x), abs=1e-6)
    assert float(found[0]) == pytest.approx(0.858, abs=0.001)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(raw=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), tau=st.floats(0, 2))
def test_shifted_priors_are_powers(raw: list[float], tau: float) -> None:
    """What is left of shares after a shift is their power 1 - tau; nothing of them at 1."""
    shares = torch.tensor(raw, dtype=torch.float64) / sum(raw)
    expected = shares ** (1 - tau) / (shares ** (1 - tau)).sum()
    assert torch.allclose(shifted_prior(shares, None, tau), expected, rtol=1e-10)
    uniform = torch.full_like(shares, 1 / len(raw))
    assert torch.allclose(shifted_prior(shares, None, 1.0), uniform, rtol=1e-10)


def test_a_prior_undoes_its_shift() -> None:
    """Shares, divided by the power of those of the counts, with scipy as the reference."""
    shares, counts = np.array([0.5, 0.3, 0.2]), torch.tensor([80.0, 20.0, 0.0])
    with_one = np.array([80.0, 20.0, 1.0]) / 101
    expected = np.exp(log_softmax(np.log(shares) - 0.6 * np.log(with_one)))
    np.testing.assert_allclose(shifted_prior(torch.tensor(shares), counts, 0.6), expected)
    np.testing.assert_allclose(class_shares(counts), with_one, rtol=1e-6)
