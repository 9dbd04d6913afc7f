"""Laws of self-supervised losses: references, limits, symmetries, and gradients at collapse."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NTXentLoss, VICRegLoss
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.self_supervision import (
    SCARF,
    SELF_SUPERVISIONS,
    SelfSupervision,
    SimCLR,
    VICReg,
)

EVERY = pytest.mark.parametrize("loss", [SimCLR(), VICReg(), SCARF()])
CONTRASTIVE = pytest.mark.parametrize("kind", [SimCLR, SCARF])


def _views(seed: int, n: int = 8, width: int = 6, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = scale * torch.randn((n, width), generator=generator)
    return first, first + 0.7 * scale * torch.randn((n, width), generator=generator)


def _gradients(loss: SelfSupervision, first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
    views = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    return torch.autograd.grad(loss(*views), views)


# References


@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_simclr_is_the_reference(temperature: float, n: int) -> None:
    """It is lightly's NT-Xent loss, at every temperature and batch size."""
    views = _views(n, n)
    expected = NTXentLoss(temperature=temperature)(*views)
    torch.testing.assert_close(
        SimCLR(temperature=temperature)(*views), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("shares", [(25.0, 25.0, 1.0), (1.0, 0.0, 3.0), (4.0, 10.0, 0.0)])
@pytest.mark.parametrize(("n", "scale"), [(2, 1.0), (7, 0.1), (64, 2.0)])
def test_vicreg_is_the_reference(shares: tuple[float, float, float], n: int, scale: float) -> None:
    """It is lightly's VICReg loss, which follows the authors' code, over the invariance share."""
    invariance, variance, covariance = shares
    views = _views(n, n, scale=scale)
    found = VICReg(invariance=invariance, variance=variance, covariance=covariance)(*views)
    expected = VICRegLoss(invariance, variance, covariance)(*views) / invariance
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 3.0])
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_scarf_is_the_formula(temperature: float, n: int) -> None:
    """It is the paper's InfoNCE loss, written out pair by pair in float64."""
    first, second = _views(n, n)
    rows, copies = first.double().numpy(), second.double().numpy()
    terms = []
    for i in range(n):
        cosines = [
            rows[i] @ copies[k] / (np.linalg.norm(rows[i]) * np.linalg.norm(copies[k]))
            for k in range(n)
        ]
        scores = np.exp(np.array(cosines) / temperature)
        terms.append(-np.log(scores[i] / scores.mean()))
    found = SCARF(temperature=temperature)(first, second)
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5, abs=1e-5)


def test_vicreg_of_a_hand_worked_batch() -> None:
    """Two rows, two dimensions: distance 1/2, deviations sqrt(2) and 0, no covariance."""
    first = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    second = first + torch.tensor([0.0, 1.0])
    # Dimension 1 has variance 2 and passes; dimension 2 has variance 0, so 1 - 0.01 is missing.
    expected = (2.0 * 0.5 + 4.0 * 0.99 / 2) / 2.0
    found = VICReg(invariance=2.0, variance=4.0)(first, second)
    assert found.item() == pytest.approx(expected, rel=1e-6)


@EVERY
def test_gradients_are_those_of_finite_differences(loss: SelfSupervision) -> None:
    """The derivative in both views is right, so training goes downhill."""
    views = [view.double().requires_grad_() for view in _views(3, n=4, width=3)]
    assert torch.autograd.gradcheck(loss, views)


# Limits


def test_spread_uncorrelated_equal_views_cost_nothing() -> None:
    """VICReg is exactly 0 where every term is content."""
    columns = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]])
    views = torch.cat((columns, torch.tensor([[-1.0, -1.0, 1.0]])))
    assert VICReg()(views, views).item() == 0
    assert VICReg()(views, views + 0.1).item() > 0
    assert VICReg()(views / 2, views / 2).item() > 0
    mixed = views @ torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert VICReg()(mixed, mixed).item() > 0


@pytest.mark.parametrize("n", [2, 5, 32])
def test_collapsed_views_score_as_chance(n: int) -> None:
    """If all projections are equal, guessing the other view has one chance in the candidates."""
    views = torch.ones(n, 4)
    assert SimCLR()(views, views).item() == pytest.approx(math.log(2 * n - 1), rel=1e-5)
    assert SCARF()(views, views).item() == pytest.approx(0, abs=1e-6)


@CONTRASTIVE
def test_temperature_smooths(kind: type[SimCLR] | type[SCARF]) -> None:
    """Hotter, the loss comes nearer to that of chance and its gradient gets smaller."""
    views = _views(1)
    chance = kind()(torch.ones(8, 6), torch.ones(8, 6)).item()
    losses = [kind(temperature=t) for t in (0.1, 1.0, 10.0, 1000.0)]
    distances = [abs(loss(*views).item() - chance) for loss in losses]
    norms = [_gradients(loss, *views)[0].norm().item() for loss in losses]
    assert distances[1:] == sorted(distances[1:], reverse=True)
    assert norms == sorted(norms, reverse=True)
    assert distances[-1] < 2e-3


@EVERY
def test_agreeing_views_cost_less_than_mixed_up_ones(loss: SelfSupervision) -> None:
    """What is asked for is that views of the same example agree."""
    first, second = _views(0)
    assert loss(first, second).item() < loss(first, second.roll(1, 0)).item()


# Batches of few examples, collapse, extremes


@CONTRASTIVE
def test_one_example_teaches_a_contrastive_loss_nothing(kind: type[SimCLR] | type[SCARF]) -> None:
    """Without other examples the loss and its gradient are 0."""
    views = _views(0, n=1)
    assert kind()(*views).item() == 0
    assert all(not gradient.any() for gradient in _gradients(kind(), *views))


def test_one_example_has_a_distance_and_no_variance() -> None:
    """VICReg of a single example is the mean squared difference of its views."""
    first, second = _views(0, n=1)
    assert VICReg()(first, second).item() == pytest.approx(
        (first - second).square().mean().item(), rel=1e-6
    )


@EVERY
@pytest.mark.parametrize("n", [1, 2, 8])
@pytest.mark.parametrize("value", [0.0, 1e-20, 1.0, 1e6])
def test_collapse_gives_finite_losses_and_gradients(
    loss: SelfSupervision, n: int, value: float
) -> None:
    """Equal projections, zeros among them, can still be learnt from."""
    views = torch.full((n, 4), value)
    assert loss(views, views).isfinite()
    for gradient in _gradients(loss, views, views):
        assert gradient.isfinite().all()
        assert gradient.norm() < 1e5


@EVERY
def test_one_zero_vector_gives_finite_gradients(loss: SelfSupervision) -> None:
    """A projection without direction among others that have one does no harm."""
    first, second = _views(0)
    first[2] = 0
    assert all(gradient.isfinite().all() for gradient in _gradients(loss, first, second))


def test_the_coldest_temperatures_stay_finite() -> None:
    """Cosines over a tiny temperature do not overflow."""
    views = _views(0)
    for loss in (SimCLR(temperature=1e-4), SCARF(temperature=1e-4)):
        assert loss(*views).isfinite()
        assert all(gradient.isfinite().all() for gradient in _gradients(loss, *views))


# Symmetries


@EVERY
@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9))
def test_the_order_of_the_examples_does_not_matter(
    loss: SelfSupervision, seed: int, n: int
) -> None:
    """Permuting the rows of both views alike changes nothing."""
    first, second = _views(seed, n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(loss(first[order], second[order]), loss(first, second))


@pytest.mark.parametrize("loss", [SimCLR(), VICReg()])
def test_the_views_are_interchangeable(loss: SelfSupervision) -> None:
    """SimCLR and VICReg treat both views alike."""
    first, second = _views(5)
    torch.testing.assert_close(loss(first, second), loss(second, first))


def test_scarf_looks_from_the_row_to_the_copies() -> None:
    """The corrupted views are the candidates; the other way round is another loss."""
    first, second = _views(1)
    assert abs(SCARF()(first, second) - SCARF()(second, first)).item() > 1e-3


@CONTRASTIVE
def test_length_and_rotation_do_not_matter_to_cosines(kind: type[SimCLR] | type[SCARF]) -> None:
    """Contrastive losses see the angles between projections and nothing else."""
    first, second = _views(2)
    rotation = torch.linalg.qr(torch.randn((6, 6), generator=torch.Generator().manual_seed(0)))[0]
    lengths = torch.linspace(0.1, 10, 8).unsqueeze(1)
    torch.testing.assert_close(
        kind()(first @ rotation * lengths, second @ rotation / lengths), kind()(first, second)
    )


def test_shifting_both_views_alike_does_not_matter_to_vicreg() -> None:
    """It sees differences, variances and covariances."""
    first, second = _views(2)
    torch.testing.assert_close(VICReg()(first + 3, second + 3), VICReg()(first, second))


def test_only_the_ratios_of_the_shares_matter() -> None:
    """Sixfold shares of all three terms give the same loss: `weight` alone sets its size."""
    views = _views(2)
    sixfold = VICReg(invariance=150.0, variance=150.0, covariance=6.0)
    torch.testing.assert_close(sixfold(*views), VICReg()(*views))


@EVERY
def test_the_weight_is_left_to_training(loss: SelfSupervision) -> None:
    """The loss itself does not depend on `weight`."""
    views = _views(2)
    assert torch.equal(type(loss)(weight=7.0)(*views), loss(*views))


# Precision


@EVERY
def test_the_loss_is_float32_under_autocast(loss: SelfSupervision) -> None:
    """Projections in bfloat16 give the loss of their values in float32, autocast or not."""
    first, second = (view.bfloat16() for view in _views(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(first, second)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(first.float(), second.float()))


# Projectors


@EVERY
@pytest.mark.parametrize("norm", ["layer", "batch", None])
@pytest.mark.parametrize("n", [1, 2, 8])
def test_projectors_bear_any_batch(loss: SelfSupervision, norm: str | None, n: int) -> None:
    """Shapes are right, and even one row trains, whatever the normalisation."""
    chosen = type(loss)(norm=norm, width=5)
    projector = chosen.projector(7)
    features = torch.randn(n, 7, generator=torch.Generator().manual_seed(0))
    projected = projector(features)
    assert projected.shape == (n, 5)
    chosen(projected, projected.flip(0).detach()).backward()
    gradients = [p.grad for p in projector.parameters() if p.grad is not None]
    assert len(gradients) == len(list(projector.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(
    ("loss", "widths"),
    [
        (SimCLR(), [(64, 128), (128, 128)]),
        (VICReg(), [(64, 256), (256, 256), (256, 256)]),
        (SCARF(), [(64, 256), (256, 256)]),
        (SimCLR(layers=1, width=3), [(64, 3)]),
    ],
)
def test_projectors_have_the_layers_that_are_asked_for(
    loss: SelfSupervision, widths: list[tuple[int, int]]
) -> None:
    """Linear layers of `width` units, activations between them, none at the end."""
    modules = list(loss.projector(64))  # type: ignore[call-overload]
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == widths
    assert sum(isinstance(module, nn.ReLU) for module in modules) == len(widths) - 1
    assert isinstance(modules[-1], nn.Linear)


def test_batch_norm_is_the_usual_one_for_more_than_one_row() -> None:
    """Hidden units are standardised over the batch, and a single row by running statistics."""
    projector = SimCLR(norm="batch", width=4).projector(3)
    norm = projector[1]  # type: ignore[index]
    rows = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm(rows), nn.BatchNorm1d(4)(rows))
    running = norm.running_mean.clone()
    single = norm(rows[:1])
    assert torch.equal(norm.running_mean, running)
    torch.testing.assert_close(single, norm.eval()(rows[:1]))


def test_projectors_are_repeatable() -> None:
    """Initial weights are drawn from torch's global generator alone."""
    torch.manual_seed(3)
    first = VICReg().projector(8).state_dict()
    torch.manual_seed(3)
    second = VICReg().projector(8).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


# Views and fields


@pytest.mark.parametrize("loss", [SimCLR(), VICReg()])
def test_images_take_the_runs_own_augmentation(loss: SelfSupervision) -> None:
    """For images the loss asks for no augmentation of its own."""
    assert loss.second_view_transform("images") is None


@pytest.mark.parametrize(
    ("loss", "rate"), [(SimCLR(), 0.3), (VICReg(corruption=0.45), 0.45), (SCARF(), 0.6)]
)
def test_second_views_of_rows_have_swapped_values(loss: SelfSupervision, rate: float) -> None:
    """For a table the second view swaps values between rows, at the rate of `corruption`."""
    swap = loss.second_view_transform("table")
    assert repr(swap).startswith("FeatureSwap(")
    assert swap is not None
    swap.validate()
    assert swap.get_params()["rate"] == rate


def test_scarf_refuses_images() -> None:
    """Swapping pixels between images makes no view; the message names what does."""
    with pytest.raises(InputError, match=r"`SCARF` is a loss for table\. .* images\. .*VICReg"):
        SCARF().second_view_transform("images")


@pytest.mark.parametrize(
    "text",
    [
        "SimCLR(temperature=0)",
        "SimCLR(weight=-0.1)",
        "SimCLR(width=0)",
        "VICReg(invariance=0)",
        "VICReg(layers=0)",
        "SCARF(corruption=0)",
        "SCARF(norm='group')",
    ],
)
def test_fields_out_of_bounds_are_refused(text: str) -> None:
    """Every field says what it may be."""
    with pytest.raises(InputError):
        resolve(text, SELF_SUPERVISIONS, "auxiliary loss")


def test_every_loss_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class, and its text is read back."""
    assert set(SELF_SUPERVISIONS) == {"SimCLR", "VICReg", "SCARF"}
    for name, kind in SELF_SUPERVISIONS.items():
        assert kind.__name__ == name
        text = repr(kind(weight=0.25, norm="batch"))
        assert repr(resolve(text, SELF_SUPERVISIONS, "auxiliary loss")) == text
