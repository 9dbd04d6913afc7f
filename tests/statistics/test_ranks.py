"""Laws of ranks over several data sets."""

import json
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from equipoise.errors import InputError
from equipoise.statistics.multiplicity import holm
from equipoise.statistics.ranks import cliques, critical_difference, friedman, rank_methods

# Demsar 2006, table 5 (a): two-tailed Nemenyi test, 2 to 10 methods.
PUBLISHED = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)


@pytest.mark.parametrize(("k", "q"), list(enumerate(PUBLISHED, start=2)))
def test_critical_values_are_the_published_ones(k, q):
    """The critical difference over sqrt(k (k + 1) / 6 N) is the q of the published table."""
    found = critical_difference(k, 7) / np.sqrt(k * (k + 1) / (6 * 7))
    assert found == pytest.approx(q, abs=0.0011)


@pytest.mark.parametrize(
    ("shape", "agree", "told"),
    [((13, 8), True, "p at most 1e-05"), ((7, 2), True, "p = 0.016"), ((13, 8), False, "p = 0.")],
)
def test_the_least_p_of_drawn_orders_is_told_as_a_bound(shape, agree, told):
    """Data sets that agree are more extreme than any of 99,999 draws; exact ones are themselves."""
    scores = np.tile(np.arange(shape[1], dtype=float), (shape[0], 1))
    if not agree:
        scores = np.random.default_rng(0).permuted(scores, axis=1)
    found = rank_methods(scores, [f"m{k}" for k in range(shape[1])])
    assert found.friedman.p_in_words.startswith(told)


@pytest.mark.parametrize("digits", [1, 6])
def test_friedman_agrees_with_scipy(digits):
    """Chi-squared and its p are those of an independent library, with and without ties."""
    scores = np.random.default_rng(0).random((8, 4)).round(digits)
    expected = stats.friedmanchisquare(*scores.T)
    found = rank_methods(scores, list("abcd")).friedman
    assert found.chi2 == pytest.approx(expected.statistic)
    assert found.chi2_p == pytest.approx(expected.pvalue)


def test_iman_davenport_agrees_with_the_published_example():
    """Average ranks 3.143, 2.000, 2.893, 1.964 on 14 data sets give F = 3.69 (Demsar 2006)."""
    means = np.array([3.143, 2.000, 2.893, 1.964])
    n, k = 14, 4
    chi2 = 12 * n / (k * (k + 1)) * ((means**2).sum() - k * (k + 1) ** 2 / 4)
    assert chi2 == pytest.approx(9.28, abs=0.01)
    ranks = stats.rankdata(np.random.default_rng(1).random((n, k)), axis=1)
    found = friedman(ranks)
    assert found.f == pytest.approx((n - 1) * found.chi2 / (n * (k - 1) - found.chi2))
    assert (n - 1) * chi2 / (n * (k - 1) - chi2) == pytest.approx(3.69, abs=0.01)
    assert found.f_p == pytest.approx(stats.f.sf(found.f, 3, 39))


def test_equal_scores_share_ranks_and_best_is_first():
    """Higher is better unless told otherwise; ties get the mean of their ranks."""
    scores = [[0.9, 0.5, 0.5], [0.8, 0.6, 0.7]]
    assert rank_methods(scores, list("abc")).ranks == {"a": 1.0, "c": 2.25, "b": 2.75}
    turned = rank_methods(scores, list("abc"), higher_is_better=False)
    assert turned.ranks == {"b": 1.25, "c": 1.75, "a": 3.0}


def test_unanimous_data_sets_have_no_f_and_ties_none():
    """F is infinite, and its p of 0 is no p; where all tie nothing speaks for a difference."""
    same = rank_methods([[3, 2, 1]] * 5, list("abc")).friedman
    assert (same.f, same.f_p) == (None, None)
    assert same.p == pytest.approx(6**-4)  # all agree with the first
    none = rank_methods([[1, 1, 1]] * 5, list("abc"))
    assert (none.friedman.chi2, none.friedman.f) == (0, 0)
    assert none.friedman.p == pytest.approx(1)
    assert set(none.wilcoxon.values()) == {1.0}


@pytest.mark.parametrize(("n", "p"), [(2, 0.5), (3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125)])
def test_two_methods_need_six_data_sets_that_agree(n, p):
    """By hand: a coin falls n times on the same side with probability 2^(1 - n)."""
    found = rank_methods([[0.9, 0.8]] * n, ["a", "b"])
    assert found.friedman.p == pytest.approx(p)
    assert (found.critical_difference is None) == (p > 0.05)
    assert bool(found.cliques) == (p > 0.05)
    json.dumps(asdict(found.friedman), allow_nan=False)


def test_wilcoxon_is_corrected_over_all_pairs():
    """Each pair's p is Holm's value of the library's signed-rank p."""
    scores = np.random.default_rng(2).random((9, 3)) + np.array([0, 0.3, 0.6])
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = holm([stats.wilcoxon(scores[:, a], scores[:, b]).pvalue for a, b in pairs])
    found = rank_methods(scores, list("abc")).wilcoxon
    assert [found["abc"[a], "abc"[b]] for a, b in pairs] == pytest.approx(expected.tolist())


def test_cliques_are_the_largest_groups_that_are_not_told_apart():
    """Every pair within is closer than the critical difference, and no clique holds another."""
    random = np.random.default_rng(3)
    for _ in range(50):
        ranks = {str(i): float(r) for i, r in enumerate(random.random(6) * 5)}
        found = [set(clique) for clique in cliques(ranks, 1.5)]
        for (a, high), (b, low) in combinations(ranks.items(), 2):
            together = any({a, b} <= clique for clique in found)
            assert together == (abs(high - low) < 1.5)
        assert not any(one < other for one in found for other in found)


def test_a_difference_that_is_exactly_critical_counts():
    """Whatever rounding has made of it: 4.6 - 1.2 is a little less than 3.4."""
    assert 4.6 - 1.2 < 3.4
    assert cliques({"a": 1.2, "b": 4.6}, 3.4) == []
    assert cliques({"a": 1.2, "b": 4.59}, 3.4) == [("a", "b")]


def test_scores_that_differ_by_rounding_are_equal():
    """The order in which examples are summed changes the last digit."""
    scores = [[0.1 + 0.2, 0.3], [0.7, 0.1 * 7], [0.5, 0.4]]
    assert scores[0][0] != scores[0][1]
    assert rank_methods(scores, ["a", "b"]).ranks == {"a": 4 / 3, "b": 5 / 3}


@pytest.mark.parametrize("scores", [[[1.0, 2.0]], [[1.0], [2.0]], [[1.0, np.nan], [1.0, 2.0]]])
def test_tables_that_cannot_be_ranked_are_refused(scores):
    """One data set, one method, or a score that is missing."""
    with pytest.raises(InputError):
        rank_methods(scores, ["a", "b"][: len(scores[0])])
