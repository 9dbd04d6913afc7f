"""Laws of what is done after training: rows, nearest means, thresholds."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import NearestCentroid

from equipoise.errors import InputError
from equipoise.specialized.posthoc import (
    Score,
    class_thresholds,
    ncm_logits,
    nearest_class_mean,
    tau_norm,
)
from equipoise.standard.heads import NormalizedRows

METRICS: list[Score] = ["balanced_accuracy", "macro_f1"]


def _draw(seed: int, n: int = 60, n_classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return the biased logits of an imbalanced sample, and its codes."""
    generator = np.random.default_rng(seed)
    shares = 2.0 ** -np.arange(n_classes)
    codes = generator.choice(n_classes, size=n, p=shares / shares.sum())
    noise = 1.5 * generator.standard_normal((n, n_classes))
    return noise + 1.5 * np.eye(n_classes)[codes] + np.log(shares), codes


def _score(metric: Score, logits: np.ndarray, codes: np.ndarray) -> float:
    """Return the score of the predictions over the classes that codes hold, F1 by scikit-learn."""
    predicted = logits.argmax(axis=1)
    if metric == "macro_f1":
        labels = np.unique(codes)
        return float(f1_score(codes, predicted, average="macro", labels=labels))
    recalls = [np.mean(predicted[codes == k] == k) for k in np.unique(codes)]
    return float(np.mean(recalls))


# Rows


def test_full_normalisation_makes_rows_of_length_one() -> None:
    """With tau 1 the logits are those of the head `Normalized` with the same rows."""
    head = NormalizedRows(5, 3, None, bias=False)
    features = torch.randn((7, 5), generator=torch.Generator().manual_seed(0))
    weight, bias = tau_norm(head.weight.detach().numpy(), None, 1.0)
    expected = head(features).detach().numpy()
    np.testing.assert_allclose(features.numpy() @ weight.T, expected, rtol=1e-5, atol=1e-6)
    assert bias is None


def test_no_normalisation_changes_nothing() -> None:
    """With tau 0 the head is the same."""
    generator = np.random.default_rng(0)
    weight, bias = generator.standard_normal((3, 5)), generator.standard_normal(3)
    for found, given_ in zip(tau_norm(weight, bias, 0.0), (weight, bias), strict=True):
        assert found is not None
        np.testing.assert_array_equal(found, given_)


def test_half_a_normalisation_by_hand() -> None:
    """A row of length 4 is halved, with its bias; a row of zeros stays."""
    weight, bias = tau_norm(np.array([[4.0, 0.0], [0.0, 0.0]]), np.array([6.0, 1.0]), 0.5)
    np.testing.assert_allclose(weight, [[2.0, 0.0], [0.0, 0.0]])
    assert bias is not None
    np.testing.assert_allclose(bias, [3.0, 1.0])


# Means


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_the_nearest_mean_is_scikit_learns(shift: float) -> None:
    """Means and predictions are those of its nearest centroid, far from the origin as well."""
    generator = np.random.default_rng(1)
    codes = np.arange(90) % 3
    features = generator.standard_normal((90, 4)) + np.eye(3, 4)[codes] + shift
    means = nearest_class_mean(features, codes, 3)
    reference = NearestCentroid().fit(features, codes)
    np.testing.assert_allclose(means, reference.centroids_, rtol=1e-12)
    found = ncm_logits(features, means, metric="euclidean")
    assert (found.argmax(axis=1) == reference.predict(features)).all()
    distances = ((features[:, None] - means) ** 2).sum(axis=2)
    np.testing.assert_allclose(found, -0.5 * distances, rtol=1e-6, atol=1e-9)


def test_cosines_forget_lengths() -> None:
    """Neither longer features nor longer means change anything; zeros are near to nothing."""
    generator = np.random.default_rng(2)
    features, means = generator.standard_normal((5, 4)), generator.standard_normal((3, 4))
    found = ncm_logits(features, means)
    np.testing.assert_allclose(ncm_logits(7 * features, 0.1 * means), found)
    expected = torch.nn.functional.cosine_similarity(
        torch.from_numpy(features)[:, None], torch.from_numpy(means), dim=2
    )
    np.testing.assert_allclose(found, expected.numpy())
    assert (ncm_logits(np.zeros((1, 4)), means) == 0).all()


def test_a_class_without_examples_has_no_mean() -> None:
    """It is named, rather than given a mean of nothing."""
    with pytest.raises(InputError, match="Class number 1 has none"):
        nearest_class_mean(np.zeros((2, 3)), np.array([0, 2]), 3)


# Thresholds


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(METRICS), digits=st.sampled_from([0, 9]))
def test_thresholds_never_score_less_than_none(seed: int, metric: Score, digits: int) -> None:
    """On the examples they were chosen by; also where rounded logits tie."""
    logits, codes = _draw(seed)
    logits = logits.round(digits)
    found = logits + class_thresholds(logits, codes, metric)
    assert _score(metric, found, codes) >= _score(metric, logits, codes)


@settings(deadline=None, derandomize=True, max_examples=8)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(METRICS))
def test_no_single_offset_can_be_bettered(seed: int, metric: Score) -> None:
    """A grid over each class's offset, the others kept, finds nothing better."""
    logits, codes = _draw(seed)
    offsets = class_thresholds(logits, codes, metric)
    best = _score(metric, logits + offsets, codes)
    for k, step in itertools.product(np.unique(codes), np.linspace(-5, 5, 41)):
        moved = offsets + step * np.eye(4)[k]
        assert _score(metric, logits + moved, codes) <= best + 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("digits", [0, 9])
def test_of_two_classes_the_offset_is_the_best_of_all(metric: Score, digits: int) -> None:
    """With one number that matters, coordinate ascent is an exhaustive search, ties or none."""
    for seed in range(5):
        logits, codes = _draw(seed, n_classes=2)
        logits = logits.round(digits)
        found = _score(metric, logits + class_thresholds(logits, codes, metric), codes)
        gaps = np.unique(logits[:, 0] - logits[:, 1])
        places = [gaps[0] - 1, *(0.5 * (gaps[1:] + gaps[:-1])), gaps[-1] + 1]
        every = [_score(metric, logits + np.array([0.0, place]), codes) for place in places]
        np.testing.assert_allclose(found, max(every), rtol=1e-12)


def test_no_offset_is_taken_that_rounds_onto_an_example() -> None:
    """Between neighbouring numbers lies no other: the middle is one of them, on which all tie."""
    step = np.spacing(1.0)
    logits = np.array([[0.0, 1 + step], [5.0, 0.0], *[[0.0, 1 + 2 * step]] * 3])
    codes = np.array([0, 0, 1, 1, 1])
    assert (class_thresholds(logits, codes) == 0).all()


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(METRICS))
def test_rounding_lets_no_score_fall(seed: int, metric: Score) -> None:
    """Logits so large that a half is lost in a sum: what is predicted counts, not what is due."""
    logits, codes = _draw(seed)
    logits = logits.round() + 2.0**52
    found = logits + class_thresholds(logits, codes, metric)
    assert _score(metric, found, codes) >= _score(metric, logits, codes)


def test_thresholds_undo_a_prior() -> None:
    """Logits that contain a prior of 0.95 and 0.05 gain what correcting it gains."""
    generator = np.random.default_rng(4)
    codes = (generator.random(4000) < 0.05).astype(np.int64)
    signal = generator.standard_normal(4000) + 2.0 * codes
    log_odds = 2.0 * signal - 2.0 + np.log(0.05 / 0.95)  # of two normal distributions
    logits = np.stack([np.zeros(4000), log_odds], axis=1)
    offsets = class_thresholds(logits, codes)
    assert abs((offsets[1] - offsets[0]) - np.log(0.95 / 0.05)) < 0.6
    plain = balanced_accuracy_score(codes, logits.argmax(axis=1))
    assert balanced_accuracy_score(codes, (logits + offsets).argmax(axis=1)) > plain + 0.1


def test_perfect_predictions_need_no_thresholds() -> None:
    """Where nothing can be gained, nothing is moved."""
    codes = np.arange(30) % 3
    for metric in METRICS:
        assert (class_thresholds(5.0 * np.eye(3)[codes], codes, metric) == 0).all()


def test_a_class_without_validation_examples_keeps_its_logits() -> None:
    """Nothing is known of it: silencing it would score as well as anything."""
    logits, codes = _draw(6)
    for metric in METRICS:
        offsets = class_thresholds(logits[codes != 3], codes[codes != 3], metric)
        assert offsets[3] == 0


def test_thresholds_are_the_same_each_time() -> None:
    """No random number is drawn, and the logits are left alone."""
    logits, codes = _draw(7)
    before = logits.copy()
    assert (class_thresholds(logits, codes) == class_thresholds(logits, codes)).all()
    assert (logits == before).all()


def test_what_does_not_fit_is_refused() -> None:
    """Other shapes, numbers that are none, and metrics that do not exist."""
    logits, codes = _draw(8)
    with pytest.raises(InputError, match="row of logits"):
        class_thresholds(logits[:-1], codes)
    with pytest.raises(InputError, match="row of logits"):
        class_thresholds(logits[:0], codes[:0])
    with pytest.raises(InputError, match="finite"):
        class_thresholds(np.where(logits > 1, np.inf, logits), codes)
    with pytest.raises(InputError, match="'accuracy'"):
        class_thresholds(logits, codes, "accuracy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'manhattan'"):
        ncm_logits(logits, logits, metric="manhattan")  # type: ignore[arg-type]
