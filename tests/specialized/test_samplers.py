"""Laws of samplers: the shares that are shown, and an order that wastes no example."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.specialized.samplers import (
    SAMPLERS,
    ClassBalanced,
    Mixed,
    PowerSampling,
    Progressive,
    Sampler,
    SquareRoot,
    class_quotas,
)

ALL = [PowerSampling(power=0.3), ClassBalanced(), SquareRoot(), Progressive(), Mixed(balanced=0.4)]
NEUTRAL = [PowerSampling(power=1.0), Mixed(balanced=0.0), Progressive()]
few_counts = st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _codes(counts: list[int], seed: int = 0) -> np.ndarray:
    """Return shuffled codes with these counts."""
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(codes)


# Shares


@settings(deadline=None, derandomize=True, max_examples=40)
@given(counts=few_counts, progress=st.floats(0, 1), sampler=st.sampled_from(ALL))
def test_shares_are_probabilities(counts: list[int], progress: float, sampler: Sampler) -> None:
    """They sum to 1, and a class without examples is never asked for."""
    sizes = torch.tensor(counts, dtype=torch.float64)
    shares = sampler.shares(sizes, progress)
    torch.testing.assert_close(shares.sum(), torch.ones((), dtype=torch.float64))
    assert torch.equal(shares > 0, sizes > 0)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (PowerSampling(power=0.25), [8 / 13, 4 / 13, 1 / 13]),
        (SquareRoot(), [64 / 81, 16 / 81, 1 / 81]),
        (ClassBalanced(), [1 / 3, 1 / 3, 1 / 3]),
        (PowerSampling(power=1.0), [4096 / 4353, 256 / 4353, 1 / 4353]),
        (Mixed(balanced=1.0), [1 / 3, 1 / 3, 1 / 3]),
        (Mixed(balanced=0.25), [0.75 * x / 4353 + 0.25 / 3 for x in (4096, 256, 1)]),
    ],
    ids=repr,
)
def test_shares_by_hand(sampler: Sampler, expected: list[float]) -> None:
    """Powers of 4096, 256 and 1; at all times of training the same."""
    for progress in 0.0, 0.7:
        found = sampler.shares(torch.tensor([4096.0, 256.0, 1.0]), progress)
        torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, [0.9, 0.1]), (0.25, [0.8, 0.2]), (1.0, [0.5, 0.5])]
)
def test_progressive_sampling_goes_from_the_data_to_balance(
    progress: float, expected: list[float]
) -> None:
    """The interpolation of the paper, at its ends and on its way."""
    found = Progressive().shares(torch.tensor([90.0, 10.0]), progress)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_the_last_epoch_of_progressive_sampling_is_balanced() -> None:
    """And the first shows the data; in between the rare class grows."""
    codes = _codes([90, 10])
    shown = [
        int(codes[Progressive().order(codes, epoch, 5, _generator(epoch))].sum())
        for epoch in range(5)
    ]
    assert shown == [10, 20, 30, 40, 50]


# Quotas


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    weights=st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any),
    n=st.integers(1, 10_000),
    ticks=st.integers(0, 2**24 - 1),
)
def test_quotas_are_rounded_up_or_down_and_complete(weights: list[int], n: int, ticks: int) -> None:
    """Every class gets what is due to it to within one, and together they get n."""
    shares = np.array(weights) / sum(weights)
    quotas = class_quotas(shares, n, ticks / 2**24)
    assert quotas.sum() == n
    assert (np.abs(quotas - n * shares) < 1 + 1e-5).all()
    assert (quotas[shares == 0] == 0).all()


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    counts=st.lists(st.integers(0, 10**7), min_size=1, max_size=50).filter(any),
    ticks=st.sampled_from([0, 1, 2**23, 2**24 - 1]),
)
def test_shares_of_the_data_give_the_data(counts: list[int], ticks: int) -> None:
    """However long the division and whatever the draw, not one example is lost to rounding."""
    sizes = np.array(counts)
    shares = PowerSampling(power=1.0).shares(torch.from_numpy(sizes).double(), 0.0).numpy()
    assert (class_quotas(shares, int(sizes.sum()), ticks / 2**24) == sizes).all()


def test_quotas_are_right_on_average() -> None:
    """Over equally spaced starts the mean is n p; also of classes due less than half a draw."""
    shares = np.array([0.9, 0.06, 0.03, 0.01])
    quotas = [class_quotas(shares, 10, (i + 0.5) / 1000) for i in range(1000)]
    np.testing.assert_allclose(np.mean(quotas, axis=0), 10 * shares, atol=2e-3)


# Order


@settings(deadline=None, derandomize=True, max_examples=60)
@given(counts=few_counts, sampler=st.sampled_from(ALL), epoch=st.integers(0, 3))
def test_an_epoch_has_as_many_draws_as_examples(
    counts: list[int], sampler: Sampler, epoch: int
) -> None:
    """So its cost is that of an epoch without a sampler, and positions exist."""
    codes = _codes(counts)
    order = sampler.order(codes, epoch, 4, _generator(epoch))
    assert order.dtype == np.int64
    assert order.shape == codes.shape
    assert set(order.tolist()) <= set(range(len(codes)))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(counts=few_counts, sampler=st.sampled_from(ALL), seed=st.integers(0, 10**6))
def test_no_example_returns_before_all_of_its_class_were_drawn(
    counts: list[int], sampler: Sampler, seed: int
) -> None:
    """Each class goes through its examples pass by pass, in whatever order the epoch is read."""
    codes = _codes(counts)
    order = sampler.order(codes, 1, 3, _generator(seed))
    for k in np.unique(codes):
        size, own = counts[k], order[codes[order] == k]
        for start in range(0, len(own), size):
            part = own[start : start + size]
            assert len(np.unique(part)) == len(part)


@pytest.mark.parametrize("sampler", NEUTRAL, ids=repr)
def test_the_neutral_setting_is_a_permutation_of_everything(sampler: Sampler) -> None:
    """Shares of the data show every example once; progressive sampling does so at first."""
    codes = _codes([70, 21, 9, 1])
    for seed in range(20):
        order = sampler.order(codes, 0, 3, _generator(seed))
        assert (np.sort(order) == np.arange(101)).all()


def test_the_neutral_permutation_is_uniform() -> None:
    """All 24 orders of four examples of two classes are equally likely."""
    codes, generator = np.array([0, 1, 0, 0]), _generator(1)
    neutral = PowerSampling(power=1.0)
    orders = [tuple(neutral.order(codes, 0, 1, generator).tolist()) for _ in range(4800)]
    seen = np.unique(np.array(orders), axis=0, return_counts=True)[1]
    assert len(seen) == 24
    assert stats.chisquare(seen).pvalue > 1e-3


@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_classes_and_examples_are_drawn_as_often_as_is_said(sampler: Sampler) -> None:
    """Over many epochs, chi-square finds no difference from the shares, nor within a class.

    Draws within an epoch depend on each other so as to scatter less than independent ones: the
    statistic can only be smaller than its bound.
    """
    counts = [60, 25, 10, 5]
    codes, generator = _codes(counts), _generator(2)
    drawn = np.concatenate([sampler.order(codes, 1, 3, generator) for _ in range(400)])
    shares = sampler.shares(torch.tensor(counts).double(), 0.5).numpy()
    by_class = np.bincount(codes[drawn])
    assert stats.chisquare(by_class, shares * len(drawn)).pvalue > 1e-3
    assert (np.abs(by_class / 400 - 100 * shares) < 0.1).all()
    by_example = np.bincount(drawn, minlength=100)
    expected = (shares * len(drawn) / np.array(counts))[codes]
    assert stats.chisquare(by_example, expected).pvalue > 1e-3


def test_places_in_the_epoch_are_fair() -> None:
    """A class is as likely in the first half of an epoch as in the second."""
    codes, generator = _codes([80, 20]), _generator(3)
    rare = np.zeros(2)  # in the first half of an epoch and in the second
    for _ in range(200):
        shown = codes[ClassBalanced().order(codes, 0, 1, generator)]
        rare += [half.sum() for half in np.split(shown, 2)]
    assert stats.chisquare(rare).pvalue > 1e-3


@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_the_same_seed_finds_the_same_order(sampler: Sampler) -> None:
    """On every process and after a resumption: nothing is remembered from epoch to epoch."""
    codes = _codes([40, 7, 3])
    alone = sampler.order(codes, 2, 3, _generator(5))
    used = type(sampler)(**sampler.get_params())
    for epoch in range(2):
        used.order(codes, epoch, 3, _generator(epoch))
    assert (used.order(codes, 2, 3, _generator(5)) == alone).all()
    assert (used.order(codes, 2, 3, _generator(6)) != alone).any()


def test_one_example_may_be_a_class() -> None:
    """Balanced, it is half of every epoch."""
    codes = np.array([0] * 9 + [1])
    order = ClassBalanced().order(codes, 0, 1, _generator())
    assert (order == 9).sum() == 5


# The contract


@pytest.mark.parametrize("text", ["PowerSampling(power=-0.1)", "Mixed(balanced=1.5)"])
def test_values_without_a_meaning_are_refused(text: str) -> None:
    """Shares must not be negative."""
    with pytest.raises(InputError, match="must be"):
        resolve(text, SAMPLERS, "sampler")


def test_every_sampler_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in SAMPLERS.items()} == {n: n for n in SAMPLERS}
    assert {type(sampler).__name__ for sampler in ALL} == set(SAMPLERS)
