"""Laws of learning-rate schedules: shares of the peak, whatever the number of steps."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Linear,
    OneCycle,
    Schedule,
    Step,
    WarmedUp,
)

PROGRESS = st.floats(0, 1)
SHARES = st.floats(0, 0.99)
EVERY = [Constant, Cosine, Linear, Step]


@settings(deadline=None, derandomize=True)
@given(warmup=st.floats(0.001, 0.99), early=PROGRESS, late=PROGRESS, kind=st.sampled_from(EVERY))
def test_warm_up_rises_in_a_straight_line(
    warmup: float, early: float, late: float, kind: type[WarmedUp]
) -> None:
    """From 0 the rate rises in proportion to what is done of the warm-up."""
    schedule = kind(warmup=warmup)
    early, late = sorted((early, late))
    assert schedule(0.0) == 0.0
    assert schedule(warmup * early) == pytest.approx(early)
    assert schedule(warmup * early) <= schedule(warmup * late)


@settings(deadline=None, derandomize=True)
@given(warmup=st.floats(0.001, 0.99), kind=st.sampled_from(EVERY))
def test_the_rate_does_not_jump_where_warm_up_ends(warmup: float, kind: type[WarmedUp]) -> None:
    """On both sides of the join the rate is at its peak."""
    schedule = kind(warmup=warmup)
    assert schedule(warmup * (1 - 1e-9)) == pytest.approx(1.0)
    assert schedule(warmup) == pytest.approx(1.0)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 17])
def test_cosine_is_pytorchs(final: float, steps: int) -> None:
    """Without warm-up the rates are those of `CosineAnnealingLR`, step by step."""
    lr, schedule = 0.3, Cosine(warmup=0, final=final)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    reference = CosineAnnealingLR(optimizer, T_max=steps, eta_min=final * lr)
    for step in range(steps + 1):
        assert lr * schedule(step / steps) == pytest.approx(reference.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        reference.step()


def _rates(scheduler: type, steps: int, lr: float, **settings: float | list[int]) -> list[float]:
    """Return the rates that a scheduler of PyTorch gives to `steps` steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    reference = scheduler(optimizer, **settings)
    rates = []
    for _ in range(steps):
        rates.append(reference.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            reference.step()
    return rates


@pytest.mark.parametrize("final", [0.0, 0.3, 1.0])
def test_linear_is_pytorchs(final: float) -> None:
    """Without warm-up the rates are those of `LinearLR`, step by step."""
    rates = _rates(LinearLR, 21, 0.3, start_factor=1.0, end_factor=final, total_iters=20)
    schedule = Linear(warmup=0, final=final)
    assert [0.3 * schedule(step / 20) for step in range(21)] == pytest.approx(rates, abs=1e-12)


@pytest.mark.parametrize("milestones", [(0.6, 0.8), (0.1, 0.2, 0.3), (0.5,)])
def test_step_is_pytorchs(milestones: tuple[float, ...]) -> None:
    """Without warm-up the rates are those of `MultiStepLR`, the milestones themselves included."""
    steps = [round(20 * share) for share in milestones]
    rates = _rates(MultiStepLR, 21, 0.3, milestones=steps, gamma=0.2)
    schedule = Step(warmup=0, milestones=milestones, factor=0.2)
    assert [0.3 * schedule(step / 20) for step in range(21)] == pytest.approx(rates, rel=1e-12)
    assert len(set(rates)) == len(milestones) + 1


def test_the_milestones_of_step_are_shares_of_what_follows_warm_up() -> None:
    """After a warm-up of a half, 0.6 of the rest is 0.8 of the whole."""
    schedule = Step(warmup=0.5, milestones=(0.6,), factor=0.1)
    assert [schedule(p) for p in (0.25, 0.5, 0.79, 0.81, 1.0)] == [0.5, 1.0, 1.0, 0.1, 0.1]


@pytest.mark.parametrize("peak", [0.1, 0.3, 0.75])
@pytest.mark.parametrize(("start", "final"), [(0.04, 1e-4), (0.5, 0.0004)])
def test_one_cycle_is_pytorchs(peak: float, start: float, final: float) -> None:
    """The rates are those of `OneCycleLR` without a cycle of momentum, step by step."""
    steps = 101
    rates = _rates(
        OneCycleLR,
        steps,
        0.3,
        max_lr=0.3,
        total_steps=steps,
        pct_start=(peak * (steps - 1) + 1) / steps,  # its peak is one step before that share
        div_factor=1 / start,
        final_div_factor=start / final,
        cycle_momentum=False,
    )
    schedule = OneCycle(peak=peak, start=start, final=final)
    found = [0.3 * schedule(step / (steps - 1)) for step in range(steps)]
    assert found == pytest.approx(rates, rel=1e-9)
    assert max(range(steps), key=found.__getitem__) == round(100 * peak)


@settings(deadline=None, derandomize=True)
@given(peak=st.floats(0.01, 0.99), early=PROGRESS, late=PROGRESS)
def test_one_cycle_rises_to_its_peak_and_falls_after(
    peak: float, early: float, late: float
) -> None:
    """From `start` up to 1 and down to `final`, and never out of the range."""
    early, late = sorted((early, late))
    schedule = OneCycle(peak=peak)
    assert schedule(peak * early) <= schedule(peak * late) + 1e-12
    rest = 1 - peak
    assert schedule(peak + rest * early) >= schedule(peak + rest * late) - 1e-12
    assert (schedule(0.0), schedule(peak)) == pytest.approx((0.04, 1.0))
    assert schedule(1.0) == pytest.approx(1e-4)
    assert 0 <= schedule(early) <= 1


@settings(deadline=None, derandomize=True)
@given(warmup=SHARES, final=st.floats(0, 1), progress=PROGRESS)
def test_cosine_after_warm_up_is_the_formula(warmup: float, final: float, progress: float) -> None:
    """What follows warm-up is a whole half-cosine, however long warm-up was."""
    at = warmup + (1 - warmup) * progress
    expected = final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
    assert Cosine(warmup=warmup, final=final)(at) == pytest.approx(expected, abs=1e-9)


def test_cosine_ends_at_its_final_share() -> None:
    """At the end the rate is `final` of the peak: nothing by default."""
    assert Cosine()(1.0) == pytest.approx(0.0)
    assert Cosine(final=0.2)(1.0) == pytest.approx(0.2)


@settings(deadline=None, derandomize=True)
@given(warmup=SHARES, early=PROGRESS, late=PROGRESS)
def test_cosine_never_rises_after_warm_up(warmup: float, early: float, late: float) -> None:
    """Later is never faster."""
    early, late = sorted((early, late))
    schedule = Cosine(warmup=warmup)
    assert schedule.after_warmup(late) <= schedule.after_warmup(early)


@settings(deadline=None, derandomize=True)
@given(warmup=SHARES, progress=PROGRESS)
def test_constant_stays_at_the_peak(warmup: float, progress: float) -> None:
    """After warm-up nothing changes."""
    assert Constant(warmup=warmup)(warmup + (1 - warmup) * progress) == 1.0


@settings(deadline=None, derandomize=True)
@given(warmup=SHARES, progress=PROGRESS, kind=st.sampled_from(EVERY))
def test_rates_are_shares(warmup: float, progress: float, kind: type[WarmedUp]) -> None:
    """No schedule leaves the range from 0 to the peak."""
    assert 0 <= kind(warmup=warmup)(progress) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "Cosine(warmup=1)",
        "Cosine(final=1.1)",
        "Constant(warmup=-0.1)",
        "Linear(final=-0.1)",
        "Step(factor=0)",
        "Step(milestones=())",
        "Step(milestones=(0.8, 0.6))",
        "Step(milestones=(0.6, 0.6))",
        "Step(milestones=(0.0, 0.6))",
        "Step(milestones=(0.6, 1.0))",
        "OneCycle(peak=0)",
        "OneCycle(peak=1)",
        "OneCycle(start=1.1)",
        "OneCycle(warmup=0.1)",
    ],
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Warm-up must leave something, and no share exceeds the peak."""
    with pytest.raises(InputError):
        resolve(text, SCHEDULES, "schedule")


def test_every_schedule_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class, and text gives it back."""
    for name, kind in SCHEDULES.items():
        assert kind.__name__ == name
        assert isinstance(resolve(repr(kind()), SCHEDULES, "schedule"), Schedule)
    assert repr(resolve("Step(milestones=(0.5,))", SCHEDULES, "schedule")) == (
        "Step(milestones=(0.5,))"
    )
