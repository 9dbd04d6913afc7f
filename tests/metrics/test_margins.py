"""Laws of class probabilities behind logits that were fitted with margins."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from equipoise.metrics import log_softmax, without_margins


def _least(shares: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Return the logits that the mean cost of the labels is least at, by scipy."""

    def cost(logits: np.ndarray) -> float:
        moved = logits - np.diag(margins)  # row k is of label k
        return float(shares @ (np.logaddexp.reduce(moved, axis=1) - np.diag(moved)))

    start = np.zeros(len(shares))
    return minimize(cost, start, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000}).x


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10_000), n_classes=st.integers(2, 5), most=st.floats(0, 6))
def test_the_least_cost_is_at_the_shares_of_the_labels(
    seed: int, n_classes: int, most: float
) -> None:
    """Whatever the margins are, examples that look alike give back how often each label was."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(n_classes, 2.0))
    margins = random.uniform(0, most, n_classes)
    found = without_margins(_least(shares, margins)[None], margins)
    np.testing.assert_allclose(np.exp(found[0]), shares, atol=2e-5)


def test_without_margins_nothing_changes() -> None:
    """None leaves the logits themselves, and zeros their log-probabilities."""
    logits = np.random.default_rng(0).normal(scale=5, size=(20, 4))
    assert without_margins(logits, None) is logits
    np.testing.assert_allclose(without_margins(logits, np.zeros(4)), log_softmax(logits), rtol=1e-9)


@pytest.mark.parametrize("ahead", [0.0, 12.0, 40.0, 900.0, -900.0])
def test_it_is_exact_where_probabilities_have_rounded_to_1(ahead: float) -> None:
    """The formula in sixty digits more than doubles have, of logits far apart."""
    mpmath.mp.dps = 900
    logits, margins = [ahead, 0.0, -1.0], [2.0, 15.0, 7.0]
    powers = [mpmath.e**z for z in logits]
    proba = [power / sum(powers) for power in powers]
    parts = [p * (1 - p + p * mpmath.e**-m) for p, m in zip(proba, margins, strict=True)]
    expected = [float(mpmath.log(part / sum(parts))) for part in parts]
    found = without_margins(np.array([logits]), np.array(margins))
    np.testing.assert_allclose(found[0], expected, rtol=1e-12, atol=1e-12)


def test_half_of_a_difference_in_margins_shifts_the_boundary() -> None:
    """Classes with margins of 8 and 14 are as probable as each other 3 apart."""
    found = without_margins(np.array([[0.0, 3.0], [0.0, 2.5], [0.0, 3.5]]), np.array([8.0, 14.0]))
    assert found[0, 0] == pytest.approx(found[0, 1], abs=1e-4)
    assert found[1:].argmax(axis=1).tolist() == [0, 1]


def test_classes_are_not_told_apart_by_their_order() -> None:
    """Another order of the classes is another order of the answer."""
    random = np.random.default_rng(1)
    logits, margins, order = random.normal(size=(9, 5)), random.uniform(0, 9, 5), [3, 0, 4, 1, 2]
    found = without_margins(logits[:, order], margins[order])
    np.testing.assert_allclose(found, without_margins(logits, margins)[:, order], rtol=1e-12)
