"""Laws of grouping classes by frequency."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.metrics.groups import groups_by_frequency


def test_bands_have_their_documented_edges():
    """More than 100 is many, 20 to 100 medium, fewer than 20 few."""
    expected = ["many", "medium", "medium", "few", "few"]
    assert groups_by_frequency([101, 100, 20, 19, 0]) == expected


def test_two_bands_are_enough():
    """Bands are used as soon as two of them have classes."""
    assert groups_by_frequency(np.array([101, 5000, 100])) == ["many", "many", "medium"]


def test_one_band_becomes_thirds():
    """When all classes fall into one band, thirds by number take over."""
    expected = ["smallest", "largest", "middle", "largest", "smallest", "middle"]
    assert groups_by_frequency([200, 900, 500, 800, 300, 400]) == expected
    assert groups_by_frequency([5, 6]) == ["smallest", "largest"]


def test_equal_classes_stay_together():
    """Classes of the same number are never in different groups."""
    assert groups_by_frequency([500] * 10) == ["middle"] * 10
    assert groups_by_frequency([500, 500, 500, 200, 200, 200]) == ["largest"] * 3 + ["smallest"] * 3


@given(counts=st.lists(st.integers(0, 300), min_size=2, max_size=12), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_order_of_classes_does_not_matter(counts, seed):
    """Groups move with their classes."""
    order = np.random.default_rng(seed).permutation(len(counts))
    groups = np.array(groups_by_frequency(counts))
    assert groups_by_frequency(np.array(counts)[order]) == groups[order].tolist()
