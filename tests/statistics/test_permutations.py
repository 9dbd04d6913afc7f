"""Laws of the orders of ranks within data sets."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from equipoise.statistics import permutations as own
from equipoise.statistics.permutations import null_of, rank_sums


def _every(ranks):
    """Every table that some order of each row's ranks makes, one after the other."""
    return np.array([np.sum(each, axis=0) for each in product(*map(permutations, ranks.tolist()))])


@pytest.mark.parametrize(("n", "k"), [(2, 2), (5, 2), (3, 3), (4, 3), (2, 4), (3, 4)])
@pytest.mark.parametrize("digits", [1, 6])
def test_p_is_the_share_of_all_orders_that_are_as_extreme(n, k, digits):
    """Brute force over all orders in all data sets, by SciPy's statistic, with and without ties."""
    scores = np.random.default_rng([n, k]).random((n, k)).round(digits)
    ranks = stats.rankdata(scores, axis=1)
    null, sums = null_of(ranks), _every(ranks)
    far = (sums**2).sum(axis=1)
    expected = np.mean(far >= (ranks.sum(axis=0) ** 2).sum() - 1e-9)
    assert null.is_exact
    assert null.p(rank_sums(ranks)) == pytest.approx(expected)
    apart = np.ptp(sums, axis=1)
    for alpha in (0.05, 0.3):
        found = null.largest_difference(alpha)
        reached = [d for d in np.unique(apart) if np.mean(apart >= d) <= alpha]
        assert found == (pytest.approx(reached[0]) if reached else None)


def test_drawn_orders_agree_with_all_of_them(monkeypatch):
    """Within the noise of the draws, which are the same each time."""
    ranks = stats.rankdata(np.random.default_rng(4).random((6, 4)) + np.arange(4) * 0.2, axis=1)
    exact = null_of(ranks)
    monkeypatch.setattr(own, "LIMIT", 0)
    drawn = null_of(ranks)
    assert not drawn.is_exact
    p = exact.p(rank_sums(ranks))
    noise = np.sqrt(p * (1 - p) / own.DRAWS)
    assert drawn.p(rank_sums(ranks)) == pytest.approx(p, abs=4 * noise)
    assert drawn.p(rank_sums(ranks)) == null_of(ranks).p(rank_sums(ranks))
    assert drawn.largest_difference(0.05) == exact.largest_difference(0.05)


def test_no_p_is_zero():
    """Also where no draw is as extreme: what was found is one of the orders."""
    ranks = np.tile(np.arange(1.0, 12.0), (30, 1))
    found = null_of(ranks)
    assert not found.is_exact
    assert found.p(rank_sums(ranks)) == pytest.approx(1 / (own.DRAWS + 1))


def test_methods_that_are_alike_are_told_apart_no_more_often_than_the_level():
    """Few data sets: neither by Friedman's test nor by any two ranks."""
    random, n = np.random.default_rng(5), 400
    told = []
    for _ in range(n):
        ranks = stats.rankdata(random.random((4, 3)), axis=1)
        null, means = null_of(ranks), ranks.sum(axis=0)
        enough = null.largest_difference(0.05)
        told.append(
            (null.p(rank_sums(ranks)) <= 0.05, enough is not None and np.ptp(means) >= enough)
        )
    assert (np.mean(told, axis=0) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)).all()
