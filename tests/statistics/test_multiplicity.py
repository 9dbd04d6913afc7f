"""Laws of p-values corrected for the number of looks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.statistics.multiplicity import holm


def test_holm_agrees_with_a_hand_worked_family():
    """Multiplied by 4, 3, 2, 1 in order of size, and never below a smaller one's value."""
    # 0.005 * 4 = 0.020; 0.010 * 3 = 0.030; 0.030 * 2 = 0.060; 0.040 * 1 = 0.040 -> 0.060
    assert holm([0.010, 0.040, 0.030, 0.005]) == pytest.approx([0.030, 0.060, 0.060, 0.020])


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8), alpha=st.floats(0.001, 0.5))
@settings(deadline=None, derandomize=True)
def test_adjusted_values_reject_what_the_stepwise_procedure_rejects(p, alpha):
    """The smallest is held against alpha / m, the next against alpha / (m - 1), until one fails."""
    rejected = np.zeros(len(p), dtype=bool)
    for step, which in enumerate(np.argsort(p, kind="stable")):
        if p[which] * (len(p) - step) > alpha:
            break
        rejected[which] = True
    assert ((holm(p) <= alpha) == rejected).all()


def test_one_test_needs_no_correction():
    """A single p-value stays as it is, and none is above one."""
    assert holm([0.3]).tolist() == [0.3]
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []
