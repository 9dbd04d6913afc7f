"""Laws of neural-collapse measures, against sums written out and exact arrangements."""

import numpy as np
import pytest
from scipy.linalg import helmert

from equipoise.diagnosis.collapse import (
    ClassMeans,
    alignment,
    class_variances,
    geometry,
    nearest_mean,
    normalized_variances,
    within_class,
)

N = 4


@pytest.fixture
def cloud() -> tuple[np.ndarray, np.ndarray]:
    """Features of four classes of very different sizes."""
    random = np.random.default_rng(0)
    codes = np.repeat(np.arange(N), (40, 20, 7, 3))
    return random.normal(size=(len(codes), 6)) + 3 * random.normal(size=(N, 6))[codes], codes


def _covariances(features: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Within- and between-class covariance, example by example."""
    width = features.shape[1]
    means = [features[codes == k].mean(axis=0) for k in range(N)]
    centre = sum(means) / N
    within, between = np.zeros((width, width)), np.zeros((width, width))
    for k in range(N):
        own = features[codes == k]
        for row in own:
            within += np.outer(row - means[k], row - means[k]) / (len(own) - 1) / N
        between += np.outer(means[k] - centre, means[k] - centre) / N
    return within, between


def test_nc1_is_the_trace_of_the_textbook(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    """tr(S_W pinv(S_B)) / K, with covariances summed up example by example."""
    within, between = _covariances(*cloud)
    wanted = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / N
    means = ClassMeans.of(*cloud, N)
    assert within_class(*cloud, means).mean() == pytest.approx(wanted, rel=1e-9)


def test_nc1_of_200_classes_is_not_that_of_rounding() -> None:
    """Helmert's contrasts of the means have full rank, so that no direction must be left out."""
    random, n = np.random.default_rng(1), 200
    codes = np.repeat(np.arange(n), 3)
    features = 5 + random.normal(size=(3 * n, 512)) + 3 * random.normal(size=(n, 512))[codes]
    means = ClassMeans.of(features, codes, n)
    directions = np.linalg.pinv(helmert(n) @ means.means)
    wanted = (((features - means.means[codes]) @ directions) ** 2).sum() / (2 * n)
    assert within_class(features, codes, means).mean() == pytest.approx(wanted, rel=1e-6)


def test_the_share_of_a_class_is_that_of_its_own_scatter(
    cloud: tuple[np.ndarray, np.ndarray],
) -> None:
    """Collapsing one class to a point takes away its share and no other."""
    features, codes = cloud
    means = ClassMeans.of(features, codes, N)
    before = within_class(features, codes, means)
    collapsed = np.where((codes == 2)[:, None], means.means[codes], features)
    after = within_class(collapsed, codes, ClassMeans.of(collapsed, codes, N))
    assert after == pytest.approx(np.where(np.arange(N) == 2, 0.0, before), abs=1e-12)


def test_cdnv_is_its_mean_over_pairs(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    """Written out pair by pair."""
    features, codes = cloud
    means = ClassMeans.of(features, codes, N)
    found = normalized_variances(class_variances(features, codes, means), means)
    spread = [np.trace(np.cov(features[codes == k].T)) for k in range(N)]
    centre = [features[codes == k].mean(axis=0) for k in range(N)]
    for k in range(N):
        pairs = [
            (spread[k] + spread[j]) / 2 / np.sum((centre[k] - centre[j]) ** 2)
            for j in range(N)
            if j != k
        ]
        assert found[k] == pytest.approx(np.mean(pairs), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_collapse_is_zero_of_a_simplex_and_of_nothing_else(n: int) -> None:
    """A regular simplex has NC2 zero; a head of its rows NC3 zero, and turned round NC3 two."""
    corners = np.eye(n) - 1 / n
    found = geometry(corners)
    assert found.lengths == pytest.approx(0, abs=1e-12)
    assert found.angles == pytest.approx(0, abs=1e-9)
    assert found.simplex == pytest.approx(0, abs=1e-9)
    means = ClassMeans(5 + 2 * corners)
    assert alignment(7 * corners, means) == pytest.approx(0, abs=1e-9)
    assert alignment(-corners, means) == pytest.approx(2, abs=1e-9)
    if n > 2:
        bent = corners.copy()
        bent[0] *= 3
        assert geometry(bent).lengths > 0.1


def test_the_nearest_mean_is_that_of_scikit_learn(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    """`NearestCentroid` is the reference; a class without examples is never nearest."""
    from sklearn.neighbors import NearestCentroid  # noqa: PLC0415

    features, codes = cloud
    wanted = NearestCentroid().fit(features, codes).predict(features)
    assert (nearest_mean(features, ClassMeans.of(features, codes, N)) == wanted).all()
    with_empty = ClassMeans.of(features, codes, N + 1)
    assert (nearest_mean(features, with_empty) == wanted).all()


def test_a_class_of_one_example_has_no_spread(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    """NaN, not a zero that looks like collapse."""
    features, codes = cloud
    kept = [*np.flatnonzero(codes < 3).tolist(), len(codes) - 1]
    features, codes = features[kept], codes[kept]
    means = ClassMeans.of(features, codes, N)
    for values in (class_variances(features, codes, means), within_class(features, codes, means)):
        assert np.isnan(values).tolist() == [False, False, False, True]
