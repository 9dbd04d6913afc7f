"""Laws of learning-rate schedules: shares of the peak, whatever the number of steps."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.schedules import SCHEDULES, Constant, Cosine, Schedule

PROGRESS = st.floats(0, 1)
SHARES = st.floats(0, 0.99)
EVERY = [Constant, Cosine]


@settings(deadline=None, derandomize=True)
@given(warmup=st.floats(0.001, 0.99), early=PROGRESS, late=PROGRESS, kind=st.sampled_from(EVERY))
def test_warm_up_rises_in_a_straight_line(
    warmup: float, early: float, late: float, kind: type[Schedule]
) -> None:
    """From 0 the rate rises in proportion to what is done of the warm-up."""
    schedule = kind(warmup=warmup)
    early, late = sorted((early, late))
    assert schedule(0.0) == 0.0
    assert schedule(warmup * early) == pytest.approx(early)
    assert schedule(warmup * early) <= schedule(warmup * late)


@settings(deadline=None, derandomize=True)
@given(warmup=st.floats(0.001, 0.99), kind=st.sampled_from(EVERY))
def test_the_rate_does_not_jump_where_warm_up_ends(warmup: float, kind: type[Schedule]) -> None:
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
def test_rates_are_shares(warmup: float, progress: float, kind: type[Schedule]) -> None:
    """No schedule leaves the range from 0 to the peak."""
    assert 0 <= kind(warmup=warmup)(progress) <= 1


@pytest.mark.parametrize("text", ["Cosine(warmup=1)", "Cosine(final=1.1)", "Constant(warmup=-0.1)"])
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Warm-up must leave something, and no share exceeds the peak."""
    with pytest.raises(InputError):
        resolve(text, SCHEDULES, "schedule")
