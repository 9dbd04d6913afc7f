"""Moving labels apart."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from equipoise.report.plots.labels import separate

places = st.lists(st.floats(-100, 100), min_size=1, max_size=12)
gaps = st.floats(0, 10)


@settings(deadline=None, derandomize=True)
@given(places, gaps)
def test_neighbours_keep_their_distance(positions: list[float], gap: float) -> None:
    """After moving, no two are closer than the gap."""
    moved = np.sort(separate(positions, gap))
    assert np.all(np.diff(moved) >= gap - 1e-9)


@settings(deadline=None, derandomize=True)
@given(places, gaps)
def test_the_moves_are_the_smallest_possible(positions: list[float], gap: float) -> None:
    """The result equals isotonic regression of the positions less their ranks times the gap."""
    order = np.argsort(positions, kind="stable")
    ranks = np.arange(len(positions)) * gap
    expected = isotonic_regression(np.array(positions)[order] - ranks) + ranks
    np.testing.assert_allclose(separate(positions, gap)[order], expected, atol=1e-9)


@settings(deadline=None, derandomize=True)
@given(places)
def test_without_a_gap_nothing_moves(positions: list[float]) -> None:
    """Classes that may overlap stay where they are."""
    np.testing.assert_allclose(separate(positions, 0.0), positions, atol=1e-9)
