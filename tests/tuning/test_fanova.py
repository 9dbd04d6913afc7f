"""Laws of importances: they agree with an exact decomposition, and know what they do not know."""

import itertools

import numpy as np
import pytest

from equipoise.tuning.fanova import Column, foreseen, importances, main_effects

LEVELS = (3, 2, 4)
GRID = np.array(list(itertools.product(*map(range, LEVELS))))
"""Each combination of the candidates of three choices."""


def _columns(codes: np.ndarray) -> dict[str, Column]:
    return {f"c{j}": Column(codes[:, j].astype(str)) for j in range(codes.shape[1])}


def _exact(table: np.ndarray) -> list[float]:
    """Return each axis's share of the variance of a full table: of the means over the others."""
    axes = range(table.ndim)
    means = [table.mean(axis=tuple(k for k in axes if k != j)) for j in axes]
    return [float(mean.var() / table.var()) for mean in means]


@pytest.mark.parametrize("seed", range(3))
def test_a_full_factorial_is_decomposed_as_by_hand(seed: int) -> None:
    """Main effects of any size beside interactions, each cell tried several times."""
    random = np.random.default_rng(seed)
    scales = random.permutation([1.0, 0.6, 0.3])
    effects = [s * random.normal(size=k) for s, k in zip(scales, LEVELS, strict=True)]
    table = sum(np.ix_(*effects)) + 0.1 * random.normal(size=LEVELS)
    gains = np.repeat(table.ravel(), 6)
    found = main_effects(_columns(np.repeat(GRID, 6, axis=0)), gains, seed=seed)
    assert list(found.values()) == pytest.approx(_exact(table), abs=0.04)


def test_an_interaction_belongs_to_no_single_choice() -> None:
    """Where only the combination counts, neither choice matters alone."""
    codes = np.repeat(list(itertools.product(range(2), range(2))), 15, axis=0)
    found = main_effects(_columns(codes), (codes[:, 0] ^ codes[:, 1]).astype(float), seed=0)
    assert max(found.values()) < 0.1


def test_a_number_counts_by_its_whole_range() -> None:
    """Of a straight line over an even grid, and a step: their variances are known."""
    grid = np.array(list(itertools.product(np.linspace(0, 1, 20), range(2))))
    columns = {"x": Column(grid[:, 0]), "step": Column(grid[:, 1].astype(int).astype(str))}
    found = main_effects(columns, grid[:, 0] + 0.5 * grid[:, 1], seed=0)
    exact = np.array([1 / 12, 0.5**2 / 4])
    assert list(found.values()) == pytest.approx(exact / exact.sum(), abs=0.05)


@pytest.mark.parametrize("end", [1, 4])
def test_a_whole_number_has_the_same_share_of_the_line_at_the_ends(end: int) -> None:
    """A margin of half a step makes its outermost values count as much as the others."""
    codes = np.repeat([1.0, 2.0, 3.0, 4.0], 12)
    other = np.tile(np.repeat(["a", "b"], 6), 4)
    gains = (codes == end) + 0.5 * (other == "b")
    exact = (3 / 16) / (3 / 16 + 1 / 16)
    with_margin, without = (
        main_effects({"n": Column(codes, margin), "o": Column(other)}, gains, seed=0)["n"]
        for margin in (0.5, 0.0)
    )
    assert with_margin == pytest.approx(exact, abs=0.03)
    assert without < exact - 0.05


def _planted(seed: int, n: int = 60) -> tuple[dict[str, Column], np.ndarray]:
    """Return choices as a search makes them, most as prescribed; the first alone counts."""
    random = np.random.default_rng(seed)
    drawn = random.random((n, 6)) < 0.35
    codes = np.where(drawn, random.integers(0, 3, (n, 6)), 0)
    return _columns(codes), (codes[:, 0] == 1) + 0.05 * random.normal(size=n)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_effect_has_nearly_all_importance(seed: int) -> None:
    """The others have about none, within the spread that they are told with."""
    columns, gains = _planted(seed)
    found = importances(columns, gains, list(columns), seed=0)
    planted, error = found.pop("c0")
    assert planted > 0.85
    assert error < 0.15
    for value, spread in found.values():
        assert value < 0.05
        assert value < 2 * spread + 0.02


def test_the_error_is_about_how_much_other_trials_would_differ() -> None:
    """Compared with the spread of the estimates in searches that are drawn anew."""
    estimates, errors = [], []
    for seed in range(8):
        columns, gains = _planted(seed, n=40)
        gains = gains + np.random.default_rng(seed + 100).normal(size=len(gains)) * 0.6
        value, error = importances(columns, gains, ["c0"], seed=seed)["c0"]
        estimates.append(value)
        errors.append(error)
    assert 0.6 < np.mean(errors) / np.std(estimates, ddof=1) < 1.7


def test_what_does_not_differ_has_no_importance() -> None:
    """Equal scores, and trials that differ in no choice."""
    columns = _columns(GRID)
    assert set(main_effects(columns, np.ones(len(GRID)), seed=0).values()) == {0.0}
    alike = {"a": Column(np.array(["x"] * 24)), "b": Column(np.ones(24))}
    assert set(main_effects(alike, np.arange(24.0), seed=0).values()) == {0.0}


def test_importances_repeat_with_their_seed() -> None:
    """And are not the same to the last digit with another."""
    columns, gains = _planted(0)
    first, again, other = (importances(columns, gains, ["c0", "c1"], seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_noise_cannot_be_foreseen_and_an_effect_can() -> None:
    """Out of the bag: for noise there is nothing above zero."""
    columns, gains = _planted(0)
    noise = np.random.default_rng(1).normal(size=len(gains))
    assert foreseen(columns, noise, seed=0) < 0.05
    assert foreseen(columns, gains, seed=0) > 0.8
