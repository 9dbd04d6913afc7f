"""Moving labels apart, and placing them beside points."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from equipoise.report.plots.labels import beside, separate

places = st.lists(st.floats(-100, 100), min_size=1, max_size=12)
gaps = st.floats(0, 10)
spots = st.lists(
    st.tuples(st.floats(0, 300), st.floats(0, 200), st.floats(5, 120)), min_size=1, max_size=16
)


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


@settings(deadline=None, derandomize=True)
@given(places, gaps, st.floats(-150, 50), st.floats(0, 100))
def test_bounds_are_kept_by_the_smallest_moves(
    positions: list[float], gap: float, low: float, room: float
) -> None:
    """The result equals isotonic regression between the bounds."""
    order, steps = np.argsort(positions, kind="stable"), np.arange(len(positions)) * gap
    high = low + steps[-1] + room
    expected = isotonic_regression(
        np.array(positions)[order] - steps, y_min=low, y_max=high - steps[-1]
    )
    moved = separate(positions, gap, (low, high))
    np.testing.assert_allclose(moved[order], expected + steps, atol=1e-9)


@settings(deadline=None, derandomize=True)
@given(spots)
def test_labels_cover_neither_labels_nor_points(found: list[tuple[float, float, float]]) -> None:
    """However close the points lie; each label stands to the right of its point, inside."""
    points, widths = np.array([spot[:2] for spot in found]), [spot[2] for spot in found]
    low, high, line = -10.0, 230.0, 15.0
    left = beside(points, widths, line, (low, high))
    right = left[:, 0] + widths
    assert np.all(left[:, 0] > points[:, 0])
    assert np.all((left[:, 1] > low - 1e-9) & (left[:, 1] < high + 1e-9))
    for i, (start, up) in enumerate(left):
        for j in range(len(left)):
            is_beside = right[j] <= start or right[i] <= left[j, 0]
            assert i == j or is_beside or abs(up - left[j, 1]) >= line - 1e-9
            is_covered = start < points[j, 0] < right[i] and abs(up - points[j, 1]) < line / 2
            assert not is_covered


def test_a_lone_label_stays_with_its_point() -> None:
    """Where there is room, height and distance are those of the first choice."""
    points = np.array([[0.0, 50.0], [30.0, 80.0], [80.0, 50.0], [80.0, 20.0]])
    placed = beside(points, [40.0] * 4, 13.0, (0.0, 100.0))
    np.testing.assert_array_equal(placed - points, [[5.0, 8.0]] * 4)
