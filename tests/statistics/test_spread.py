"""Laws of joined noise from examples and seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from equipoise.statistics.paired import Predictions, differences
from equipoise.statistics.spread import Spread
from equipoise.statistics.unseen import Unseen


def _spread(examples, common, seeds, freedom=2, example_freedom=1e6):
    return Spread(
        examples=examples,
        common=common,
        example_freedom=example_freedom,
        seeds=seeds,
        seed_freedom=freedom,
    )


@pytest.mark.parametrize("alpha", [0.2, 0.05, 1e-3])
def test_either_noise_alone_gives_the_textbook_interval(alpha):
    """Seeds alone: Student's t at S - 1; examples alone: the normal quantile."""
    seeds = _spread(0.0, 0.0, 4.0).half_width(alpha)
    assert seeds == pytest.approx(2 * stats.t.isf(alpha / 2, 2))
    examples = _spread(4.0, 4.0, 0.0).half_width(alpha)
    assert examples == pytest.approx(2 * stats.norm.isf(alpha / 2), rel=1e-4)
    assert _spread(4.0, 4.0, None).half_width(alpha) == pytest.approx(examples)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_no_mixture_of_the_two_misses_more_often_than_claimed(share, n_seeds):
    """With any share of the variance from seeds, at most 5 % of intervals miss."""
    random, n = np.random.default_rng(n_seeds), 3000
    seeds = share * random.chisquare(n_seeds - 1, n) / (n_seeds - 1)
    errors = random.normal(size=n)
    missed = [
        abs(error) > _spread(1 - share, 1 - share, a, n_seeds - 1).half_width(0.05)
        for error, a in zip(errors, seeds, strict=True)
    ]
    assert np.mean(missed) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_p_is_the_level_whose_interval_just_touches_zero():
    """At p the half-width is the difference; no difference has p = 1."""
    spread = _spread(2.0, 1.0, 1.5, example_freedom=30)
    for difference in (0.5, -3.0, 12.0):
        assert spread.half_width(spread.p(difference)) == pytest.approx(abs(difference), rel=1e-6)
    assert spread.p(0.0) == 1.0
    assert spread.p(-3.0) == spread.p(3.0)
    assert _spread(0.0, 0.0, 0.0).p(0.0) == 1.0
    assert _spread(1.0, 1.0, None).p(1.96) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 28])
@pytest.mark.parametrize("n_seeds", [2, 3, 5, 20])
def test_detectable_is_solved_by_the_noncentral_t(n_seeds, alpha):
    """Where seeds are the only noise, SciPy's power of the t test at this difference is 0.8."""
    freedom = n_seeds - 1
    found = _spread(0.0, 0.0, 4.0, freedom).detectable(alpha) / 2
    power = stats.nct.sf(stats.t.isf(alpha / 2, freedom), freedom, found)
    assert power == pytest.approx(0.8, abs=2e-3)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_detectable_with_both_noises_is_found_as_often_as_promised(n_seeds, share):
    """By simulation: estimates and differences are drawn, and four of five are told."""
    random, n, alpha = np.random.default_rng(n_seeds), 20000, 0.01
    size = _spread(1 - share, 1 - share, share, n_seeds - 1).detectable(alpha)
    seeds = share * random.chisquare(n_seeds - 1, n) / (n_seeds - 1)
    t = stats.t.isf(alpha / 2, n_seeds - 1)
    half = np.sqrt(stats.norm.isf(alpha / 2) ** 2 * (1 - share) + t**2 * seeds)
    assert np.mean(size + random.normal(size=n) > half) == pytest.approx(0.8, abs=0.012)


@pytest.mark.parametrize("seeds", [None, 0.5])
def test_what_was_not_seen_is_added_at_any_level(seeds):
    """The square of the half-width grows by that of the shift; p and detectable go with it."""
    seen = _spread(1.0, 0.5, seeds)
    spread = replace(seen, unseen=Unseen(wholes=(5.0,), sizes=(7.0,)))
    for alpha in (0.05, 1e-6):
        more = spread.half_width(alpha) ** 2 - seen.half_width(alpha) ** 2
        assert more == pytest.approx((5 * (1 - alpha ** (1 / 7))) ** 2)
    assert spread.half_width(spread.p(6.0)) == pytest.approx(6.0)
    assert seen.p(6.0) < spread.p(6.0) < 1
    assert spread.detectable(0.05) > seen.detectable(0.05)


def test_copies_need_no_difference():
    """Where nothing is noise, any difference is seen."""
    assert _spread(0.0, 0.0, 0.0).detectable(0.05) == 0.0


def test_a_difference_of_the_detectable_size_is_found_as_often_as_promised():
    """One variance of known size: four of five draws around it are significant."""
    spread = _spread(1.0, 1.0, None)
    expected = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert spread.detectable(0.05) == pytest.approx(expected, rel=1e-4)
    draws = spread.detectable(0.05) + np.random.default_rng(0).normal(size=20000)
    assert np.mean(np.abs(draws) > spread.half_width(0.05)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_difference_brings_its_own_noise_and_is_still_found_as_promised(n_seeds):
    """By simulation with few examples of a class: a method loses a share of its right answers."""
    n = np.array([60, 20, 8, 4])
    codes = np.repeat(np.arange(4), n)
    random = np.random.default_rng(n_seeds)

    def contrast(lost):
        runs = {"a": [], "b": []}
        for seed in range(n_seeds):
            for name, share in (("a", 0.0), ("b", lost)):
                wrong = random.random(len(codes)) < 0.1 + share
                given = np.where(wrong, (codes + 1) % 4, codes)
                ids = seed * 100 + np.arange(len(codes))
                runs[name].append(Predictions(codes=codes, logits=np.eye(4)[given], ids=ids))
        return differences(runs).between("a", "b")

    sizes = [contrast(0.0).spread.detectable(0.05) for _ in range(40)]
    size = float(np.median(sizes))
    found = [contrast(size).p <= 0.05 for _ in range(400)]
    assert 0.75 < np.mean(found) < 0.9
