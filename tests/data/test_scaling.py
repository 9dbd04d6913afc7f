"""Laws of scaling, against scikit-learn and hand-worked values."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from equipoise.data.scaling import Scaler, Scaling, check_scaling
from equipoise.errors import InputError

ALL: tuple[Scaling, ...] = ("standard", "quantile", "robust", "none")
NORMAL = np.random.default_rng(0).normal([0, 5, -100], [1, 0.1, 50], (500, 3))
NO_FLAGS = np.zeros(3, dtype=bool)


def test_standard_is_scikit_learns() -> None:
    """Standard scaling equals StandardScaler."""
    found = Scaler.fit(NORMAL, NO_FLAGS, "standard").transform(NORMAL + 1)
    expected = np.asarray(StandardScaler().fit(NORMAL).transform(NORMAL + 1))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_robust_is_scikit_learns_and_then_squashed() -> None:
    """Robust scaling equals RobustScaler followed by z / sqrt(1 + (z/3)^2)."""
    found = Scaler.fit(NORMAL, NO_FLAGS, "robust").transform(NORMAL * 3)
    z = np.asarray(RobustScaler().fit(NORMAL).transform(NORMAL * 3))
    np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-9)


def test_robust_falls_back_on_the_deviation() -> None:
    """A column whose quartiles agree is divided by its standard deviation."""
    values = np.array([[0.0]] * 9 + [[10.0]])
    found = Scaler.fit(values, NO_FLAGS[:1], "robust").transform(values)
    z = 10 / 3  # deviation: sqrt(0.1 * 0.9) * 10 = 3
    assert found[-1, 0] == pytest.approx(z / np.sqrt(1 + (z / 3) ** 2))
    assert found[0, 0] == 0


def test_quantile_is_scikit_learns_but_for_ties() -> None:
    """Inside the range of continuous values it equals QuantileTransformer."""
    found = Scaler.fit(NORMAL, NO_FLAGS, "quantile").transform(NORMAL)
    reference = QuantileTransformer(n_quantiles=500, output_distribution="normal")
    expected = np.asarray(reference.fit(NORMAL).transform(NORMAL))
    inner = np.abs(expected) < 2.5
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.01)


def test_ties_are_put_at_their_middle_rank() -> None:
    """Half zeros are mapped to the quarter of a normal distribution, not to its end."""
    values = np.concatenate([np.zeros(500), np.arange(1.0, 501.0)])[:, np.newaxis]
    found = Scaler.fit(values, NO_FLAGS[:1], "quantile").transform(values)
    assert found[0, 0] == pytest.approx(norm.ppf(0.25), abs=0.15)


@pytest.mark.parametrize("scaling", ALL)
def test_scaling_keeps_order_and_is_finite(scaling: Scaling) -> None:
    """Larger stays larger or equal, and every finite value has a finite image."""
    scaler = Scaler.fit(NORMAL, NO_FLAGS, scaling)
    ladder = np.array([-3e38, -1e6, -200, -1, 0, 4.9, 5.1, 1e3, 3e38])[:, np.newaxis]
    found = scaler.transform(np.repeat(ladder, 3, axis=1))
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=0) >= 0).all()
    if scaling == "robust":
        assert (np.abs(found) <= 3).all()
    if scaling == "quantile":
        assert (np.abs(found) < 5.3).all()


@pytest.mark.parametrize("scaling", ALL)
def test_flags_stay_zero_and_one(scaling: Scaling) -> None:
    """Columns of zeros and ones are left alone by every scaling."""
    values = np.column_stack([NORMAL[:, 0], (NORMAL[:, 0] > 1.5).astype(float)])
    found = Scaler.fit(values, np.array([False, True]), scaling).transform(values)
    np.testing.assert_array_equal(found[:, 1], values[:, 1])


@pytest.mark.parametrize("scaling", ALL[:3])
def test_a_constant_column_becomes_zero(scaling: Scaling) -> None:
    """No scaling divides by a spread of zero."""
    values = np.full((30, 1), 7.0)
    found = Scaler.fit(values, NO_FLAGS[:1], scaling).transform(values)
    np.testing.assert_allclose(found, 0, atol=0.2)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    scaling=st.sampled_from(ALL),
)
def test_the_state_is_the_scaler(values: list[float], scaling: Scaling) -> None:
    """Written as JSON and read again, a scaler gives bit-equal results."""
    column = np.array(values)[:, np.newaxis]
    scaler = Scaler.fit(column, NO_FLAGS[:1], scaling)
    again = Scaler.from_state(json.loads(json.dumps(scaler.to_state())))
    probe = np.concatenate([column, column + 0.5, [[1e9]]])
    np.testing.assert_array_equal(again.transform(probe), scaler.transform(probe))


def test_no_columns_are_scaled_to_no_columns() -> None:
    """Tables of categories alone have an empty matrix of numbers."""
    for scaling in ALL:
        scaler = Scaler.fit(np.empty((4, 0)), NO_FLAGS[:0], scaling)
        again = Scaler.from_state(json.loads(json.dumps(scaler.to_state())))
        assert again.transform(np.empty((2, 0))).shape == (2, 0)


def test_an_unknown_scaling_is_refused() -> None:
    """The message lists the scalings there are."""
    with pytest.raises(InputError, match=r"standard, quantile, robust, none.*'minmax'"):
        check_scaling("minmax")
