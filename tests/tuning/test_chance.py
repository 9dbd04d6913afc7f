"""Laws of chance: a difference is one only if shuffled scores hardly ever show it."""

import numpy as np
import pytest
from scipy.stats import kruskal

from equipoise.tuning.chance import SHUFFLES, probabilities


@pytest.mark.parametrize("effect", [0.0, 0.4, 0.8])
def test_of_a_single_choice_it_is_the_test_of_kruskal_and_wallis(effect: float) -> None:
    """Compared with SciPy's, whose distribution holds for groups as large as these."""
    random = np.random.default_rng(4)
    codes = random.integers(0, 3, 120)
    gains = (effect * codes + random.normal(size=120)).round(1)  # with ties
    found = probabilities({"a": codes}, gains, seed=0)["a"]
    exact = kruskal(*(gains[codes == k] for k in range(3))).pvalue
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / SHUFFLES) + 0.002)


def test_where_nothing_matters_one_search_in_twenty_claims_something() -> None:
    """However many choices there are; rare candidates included."""
    random = np.random.default_rng(0)
    n_searches, claims = 120, 0
    for seed in range(n_searches):
        codes = np.where(random.random((8, 40)) < 0.25, random.integers(0, 4, (8, 40)), 0)
        groups = {str(j): row for j, row in enumerate(codes)}
        claims += min(probabilities(groups, random.normal(size=40), seed=seed).values()) < 0.05
    assert 0 < claims < 0.05 * n_searches + 3 * np.sqrt(0.05 * 0.95 * n_searches)


def test_a_planted_difference_is_found_among_many_choices() -> None:
    """Of either sign, and the others are left alone."""
    random = np.random.default_rng(1)
    codes = np.where(random.random((8, 60)) < 0.3, 1, 0)
    for sign in (-1, 1):
        gains = sign * codes[3] + 0.5 * random.normal(size=60)
        groups = {str(j): row for j, row in enumerate(codes)}
        found = probabilities(groups, gains, seed=0)
        assert found["3"] < 0.01
        assert min(p for name, p in found.items() if name != "3") > 0.05


def test_more_choices_make_each_less_sure() -> None:
    """What one of many shows is weaker than what the only one shows."""
    random = np.random.default_rng(2)
    groups = {str(j): random.integers(0, 2, 30) for j in range(10)}
    gains = groups["0"] + random.normal(size=30)
    alone = probabilities({"0": groups["0"]}, gains, seed=0)["0"]
    assert 3 * alone < probabilities(groups, gains, seed=0)["0"] <= 1


def test_only_the_order_of_scores_counts() -> None:
    """One recipe that diverged decides nothing."""
    random = np.random.default_rng(3)
    groups = {"a": random.integers(0, 3, 30)}
    gains = random.normal(size=30)
    assert probabilities(groups, gains, seed=0) == probabilities(groups, np.exp(9 * gains), seed=0)


def test_better_and_worse_count_alike() -> None:
    """Turned round, scores with many ties say the same."""
    random = np.random.default_rng(5)
    groups = {"a": random.integers(0, 3, 40), "b": random.integers(0, 2, 40)}
    gains = random.choice([0.0, 0.0, 0.0, 1.0, 5.0], 40)
    assert probabilities(groups, gains, seed=0) == probabilities(groups, -gains, seed=0)


def test_a_choice_that_no_trial_changed_is_never_sure() -> None:
    """With one group there is nothing to compare."""
    found = probabilities({"a": np.zeros(20, int)}, np.arange(20.0), seed=0)
    assert found == {"a": 1.0}
