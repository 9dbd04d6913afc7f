"""Laws of label smoothing: targets stay probabilities, and rare classes are treated as asked."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.smoothing import SMOOTHINGS, ClassConditional, Uniform, soft_targets

COUNTS = torch.tensor([1000.0, 400.0, 30.0, 2.0])
RATES = st.floats(0, 1)


@settings(deadline=None, derandomize=True)
@given(rates=st.lists(RATES, min_size=1, max_size=12))
def test_rows_are_probabilities(rates: list[float]) -> None:
    """Each target is non-negative and sums to one, for any rate from 0 to 1."""
    targets = soft_targets(torch.arange(len(rates)), torch.tensor(rates))
    assert (targets >= 0).all()
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(rates)))


@settings(deadline=None, derandomize=True)
@given(rate=RATES, n_classes=st.integers(2, 10), seed=st.integers(0, 999))
def test_targets_follow_the_formula(rate: float, n_classes: int, seed: int) -> None:
    """The own class gets 1 - eps + eps / K and every other one eps / K, of its own rate."""
    labels = torch.randint(n_classes, (7,), generator=torch.Generator().manual_seed(seed))
    rates = torch.linspace(0, rate, n_classes)
    targets = soft_targets(labels, rates)
    for row, label in zip(targets.tolist(), labels.tolist(), strict=True):
        share = rates[label].item() / n_classes
        expected = [share] * n_classes
        expected[label] += 1 - rates[label].item()
        assert row == pytest.approx(expected, abs=1e-6)


def test_a_rate_of_zero_gives_exact_one_hot_targets() -> None:
    """Smoothing that is off changes no bit."""
    labels = torch.tensor([2, 0, 3, 1])
    expected = F.one_hot(labels, 4).float()
    assert torch.equal(soft_targets(labels, torch.zeros(4)), expected)
    assert torch.equal(soft_targets(labels, Uniform(eps=0).rates(COUNTS)), expected)
    none = ClassConditional(head=0.0, tail=0.0)
    assert torch.equal(soft_targets(labels, none.rates(COUNTS)), expected)


@pytest.mark.parametrize("eps", [0.0, 0.1, 0.7, 1.0])
def test_uniform_smoothing_is_pytorchs(eps: float) -> None:
    """With cross-entropy it equals the label smoothing that PyTorch builds in."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn((20, 4), generator=generator)
    labels = torch.randint(4, (20,), generator=generator)
    targets = soft_targets(labels, Uniform(eps=eps).rates(COUNTS))
    found = CrossEntropy()(logits, targets, labels, COUNTS)
    expected = F.cross_entropy(logits, labels, reduction="none", label_smoothing=eps)
    torch.testing.assert_close(found, expected)


def test_smoothing_follows_the_class_not_the_place() -> None:
    """Permuting the classes permutes the rates."""
    order = torch.tensor([2, 0, 3, 1])
    for smoothing in Uniform(), ClassConditional(), ClassConditional(profile="linear"):
        assert torch.equal(smoothing.rates(COUNTS[order]), smoothing.rates(COUNTS)[order])


@pytest.mark.parametrize("profile", ["log", "linear"])
def test_the_ends_are_head_and_tail(profile: str) -> None:
    """The largest class gets `head` and the smallest `tail`."""
    rates = ClassConditional(head=0.05, tail=0.4, profile=profile).rates(COUNTS)
    torch.testing.assert_close(rates[[0, -1]], torch.tensor([0.05, 0.4]))


@pytest.mark.parametrize("profile", ["log", "linear"])
def test_the_smaller_class_is_smoothed_more_if_the_tail_is(profile: str) -> None:
    """With tail > head rates rise as classes shrink; with head > tail they fall."""
    more = ClassConditional(head=0.0, tail=0.3, profile=profile).rates(COUNTS)
    less = ClassConditional(head=0.3, tail=0.0, profile=profile).rates(COUNTS)
    assert (more.diff() > 0).all()
    assert (less.diff() < 0).all()


def test_profiles_hand_worked() -> None:
    """Between 1000 and 10, a class of 100 is half way by logarithm, and 1/11 of it by count."""
    counts = torch.tensor([1000.0, 100.0, 10.0])
    by_log = ClassConditional(head=0.1, tail=0.3).rates(counts)
    by_count = ClassConditional(head=0.1, tail=0.3, profile="linear").rates(counts)
    torch.testing.assert_close(by_log, torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(by_count, torch.tensor([0.1, 0.3 - 0.2 / 11, 0.3]))


@pytest.mark.parametrize("profile", ["log", "linear"])
def test_equal_counts_are_all_head(profile: str) -> None:
    """On balanced data every class is the largest, and nothing is divided by zero."""
    rates = ClassConditional(head=0.1, tail=0.3, profile=profile).rates(torch.full((3,), 7.0))
    torch.testing.assert_close(rates, torch.full((3,), 0.1))


@settings(deadline=None, derandomize=True)
@given(
    counts=st.lists(st.integers(1, 10**7), min_size=2, max_size=8),
    head=RATES,
    tail=RATES,
    profile=st.sampled_from(["log", "linear"]),
)
def test_rates_stay_between_head_and_tail(
    counts: list[int], head: float, tail: float, profile: str
) -> None:
    """No class is smoothed more or less than the two ends allow."""
    smoothing = ClassConditional(head=head, tail=tail, profile=profile)
    for rate in smoothing.rates(torch.tensor(counts, dtype=torch.float32)).tolist():
        assert math.isfinite(rate)
        assert min(head, tail) - 1e-6 <= rate <= max(head, tail) + 1e-6


@pytest.mark.parametrize(
    "text", ["Uniform(eps=1.5)", "ClassConditional(head=-0.1)", "ClassConditional(profile='rank')"]
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Rates are shares and profiles are listed."""
    with pytest.raises(InputError):
        resolve(text, SMOOTHINGS, "smoothing")
