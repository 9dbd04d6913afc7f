"""Laws of class frequencies that are estimated from unlabelled examples."""

import numpy as np
import pytest
from scipy import optimize

from equipoise.errors import InputError
from equipoise.metrics import log_softmax
from equipoise.metrics.label_shift import METHODS, EstimatedPrior, estimate_prior

SOURCE = np.array([0.6, 0.3, 0.1])
TARGET = np.array([0.1, 0.3, 0.6])
CENTRES = 2.2 * np.eye(3)


def _drawn(prior: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and the logits of the best classifier for the source, of Gaussian classes."""
    random = np.random.default_rng(seed)
    codes = random.choice(3, n, p=prior)
    x = random.normal(size=(n, 3)) + CENTRES[codes]
    likelihood = -0.5 * ((x[:, None] - CENTRES) ** 2).sum(axis=2)
    return codes, likelihood + np.log(SOURCE)


HELD_CODES, HELD = _drawn(SOURCE, 2000, 0)


def _estimate(logits: np.ndarray, method: str) -> EstimatedPrior:
    return estimate_prior(logits, SOURCE, method=method, held_out=(HELD, HELD_CODES))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("prior", [SOURCE, TARGET, np.array([0.01, 0.98, 0.01])])
def test_frequencies_of_another_place_are_found(method: str, prior: np.ndarray) -> None:
    """Near the truth, within their interval, and they sum to one."""
    _, logits = _drawn(prior, 3000, 1)
    found = _estimate(logits, method)
    assert found.prior == pytest.approx(prior, abs={"em": 0.03, "bbse": 0.07}[method])
    assert found.prior.sum() == pytest.approx(1)
    assert ((found.low <= found.prior + 1e-9) & (found.prior <= found.high + 1e-9)).all()


def test_em_ends_at_the_maximum_of_the_likelihood() -> None:
    """As a general optimiser finds it."""
    _, logits = _drawn(TARGET, 500, 2)
    ratio = np.exp(log_softmax(logits)) / SOURCE

    def loss(free: np.ndarray) -> float:
        prior = np.exp(log_softmax(np.append(free, 0.0)[None]))[0]
        return -np.log(ratio @ prior).sum()

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7})
    expected = np.exp(log_softmax(np.append(best.x, 0.0)[None]))[0]
    assert _estimate(logits, "em").prior == pytest.approx(expected, abs=1e-4)


def test_bbse_solves_its_equations() -> None:
    """Where the solution is inside, it is that of the linear system."""
    _, logits = _drawn(TARGET, 3000, 3)
    confused = np.zeros((3, 3))
    np.add.at(confused, (HELD.argmax(axis=1), HELD_CODES), 1)
    share = np.bincount(logits.argmax(axis=1), minlength=3) / 3000
    expected = np.linalg.solve(confused / confused.sum(axis=0), share)
    assert _estimate(logits, "bbse").prior == pytest.approx(expected / expected.sum(), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_cover_the_truth_as_often_as_they_say(method: str) -> None:
    """Over 60 draws of 200 examples at least 85 % of the intervals of 95 %."""
    hits = []
    for seed in range(60):
        held_codes, held = _drawn(SOURCE, 300, 500 + seed)
        _, logits = _drawn(TARGET, 200, 100 + seed)
        found = estimate_prior(
            logits, SOURCE, method=method, held_out=(held, held_codes), seed=seed
        )
        hits.append((found.low <= TARGET) & (found.high >= TARGET))
    assert np.mean(hits) > 0.85


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 19, 200])
def test_no_interval_is_narrower_than_with_the_classes_seen(method: str, n: int) -> None:
    """Wilson's interval by hand: none of n leaves up to z^2 / (n + z^2)."""
    logits = np.repeat([[9.0, 0.0, 0.0]], n, axis=0) + np.log(SOURCE)
    found = _estimate(logits, method)
    z = 1.959964
    assert (found.high[1:] >= z**2 / (n + z**2)).all()
    assert found.low[0] <= n / (n + z**2)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_interval_and_no_frequency_is_zero(method: str) -> None:
    """So predictions can be corrected even where a class does not occur."""
    _, logits = _drawn(np.array([0.5, 0.5, 0.0]), 400, 4)
    one, two = _estimate(logits, method), _estimate(logits, method)
    assert (one.low.tolist(), one.high.tolist()) == (two.low.tolist(), two.high.tolist())
    assert (one.prior > 0).all()
    assert one.prior[2] < 0.03


def test_what_cannot_be_estimated_is_refused() -> None:
    """No examples, an unknown method, a class without held-out examples."""
    with pytest.raises(InputError, match="There are none"):
        estimate_prior(np.empty((0, 3)), SOURCE)
    with pytest.raises(InputError, match="em or bbse"):
        estimate_prior(HELD, SOURCE, method="mlls")
    with pytest.raises(InputError, match="class number 0"):
        estimate_prior(HELD, SOURCE, method="bbse")
