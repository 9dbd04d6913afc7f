"""Laws of components that act after training, on evidence made by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import balanced_accuracy_score

from equipoise.specialized.posthoc import (
    HeadChange,
    NearestMean,
    TauNorm,
    Thresholds,
    tau_norm,
)
from equipoise.specialized.posthoc.base import normalised_prior, pooled
from equipoise.specialized.posthoc.means import best_scale
from equipoise.specialized.posthoc.thresholds import cross_fitted


@dataclass(frozen=True, kw_only=True)
class Given:
    """Evidence of features that are given, scored by balanced accuracy."""

    weight: np.ndarray
    bias: np.ndarray
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1)))
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    centres: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, 1)))
    counts: np.ndarray = field(default_factory=lambda: np.array([3, 1]))
    prior: np.ndarray = field(default_factory=lambda: np.array([0.75, 0.25]))

    def products(self, rows: np.ndarray) -> np.ndarray:
        return np.einsum("nmf,mkf->nmk", self.features, rows)

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        return self.centres, np.full(len(self.centres), 2.0)

    def gain(self, logits: np.ndarray) -> tuple[float, float]:
        logits = pooled(logits)
        losses = -log_softmax(logits, axis=1)[np.arange(len(logits)), self.codes]
        classes = [losses[self.codes == k].mean() for k in np.unique(self.codes)]
        score = balanced_accuracy_score(self.codes, logits.argmax(axis=1))
        return float(score), -float(np.mean(classes))


TWO = Given(weight=np.array([[[4.0, 0.0], [0.0, 1.0]]]), bias=np.array([[2.0, 1.0]]))


def _chosen(change: HeadChange) -> Mapping[str, object]:
    return {name: value for name, (value, _) in change.chosen.items()}


def test_rows_are_divided_by_hand() -> None:
    """Lengths 4 and 1 have the geometric mean 2: with a half, factors are sqrt(1/2) and sqrt(2)."""
    change = TauNorm(tau=0.5).change(TWO)
    half, two = np.sqrt(0.5), np.sqrt(2.0)
    np.testing.assert_allclose(change.weight, [[[4 * half, 0.0], [0.0, two]]])
    np.testing.assert_allclose(change.bias, [[2 * half, two]])
    roots = np.sqrt([0.75, 0.25])
    np.testing.assert_allclose(change.prior, roots / roots.sum())
    assert _chosen(change) == {"tau": 0.5}


def test_rows_of_one_length_stay_and_rows_of_zeros_too() -> None:
    """Whatever tau is; a row of zeros counts as of length one, as in the function."""
    alike = replace(TWO, weight=np.array([[[0.0, 3.0], [3.0, 0.0]]]))
    np.testing.assert_allclose(TauNorm(tau=1.0).change(alike).weight, alike.weight)
    dead = replace(TWO, weight=np.array([[[0.0, 0.0], [9.0, 0.0]]]))
    expected, bias = tau_norm(dead.weight[0], dead.bias[0], 0.5)
    change = TauNorm(tau=0.5).change(dead)
    np.testing.assert_allclose(change.weight[0], np.sqrt(3.0) * expected)
    np.testing.assert_allclose(change.bias[0], np.sqrt(3.0) * np.asarray(bias))


def test_of_equal_powers_the_surer_and_then_the_smallest_is_taken() -> None:
    """An example that rows of one length call right, and longer ones of class 0 not."""
    own = np.array([[[1.0, 2.0]], [[3.0, 0.0]]])
    evidence = replace(TWO, features=own, codes=np.array([1, 0]), bias=np.zeros((1, 2)))
    assert float(TauNorm().change(evidence).weight[0, 0, 0]) < 4.0
    # Lengths 4 and 1: the logits that are right are 4 * 2^tau and 12 / 2^tau.
    right = [(2.0 * 2**t - 4.0 / 2**t, 12.0 / 2**t) for t in np.arange(41) / 20]
    losses = [np.logaddexp(0, -np.array(gaps)).mean() for gaps in right]
    surest = min((loss, t) for t, loss in enumerate(losses) if min(right[t]) > 0)
    assert _chosen(TauNorm().change(evidence)) == {"tau": surest[1] / 20}
    flat = replace(evidence, features=np.zeros((2, 1, 2)))
    assert _chosen(TauNorm().change(flat)) == {"tau": 0.0}


def test_means_become_rows_by_hand() -> None:
    """A mean of length 5, a root mean square length of 2 and the scale 6: rows of length 3."""
    evidence = replace(TWO, centres=np.array([[[3.0, 4.0], [0.0, 1.0]]]))
    change = NearestMean(scale=6.0).change(evidence)
    np.testing.assert_allclose(change.weight, [[[1.8, 2.4], [0.0, 3.0]]])
    assert (change.bias == 0).all()
    np.testing.assert_allclose(change.prior, 0.5)


def test_without_a_mistake_the_scale_is_finite() -> None:
    """A handful of examples that are all right do not make probabilities certain."""
    few = np.tile(np.array([[[1.0, -1.0]]]), (5, 1, 1))
    assert best_scale(few, np.zeros(5, np.int64), np.zeros(2)) < 3.0
    many = np.tile(few, (1000, 1, 1))
    assert best_scale(many, np.zeros(5000, np.int64), np.zeros(2)) > 3.0


def test_the_scale_allows_for_class_sizes() -> None:
    """Examples drawn with shares 0.9 and 0.1 from a model of scale 3 give it back."""
    random = np.random.default_rng(0)
    products, shift = random.normal(size=(20_000, 1, 2)), np.log([0.9, 0.1])
    proba = np.exp(log_softmax(3.0 * products[:, 0] + shift, axis=1))
    codes = (random.random(20_000) > proba[:, 0]).astype(np.int64)
    assert best_scale(products, codes, shift) == pytest.approx(3.0, rel=0.05)
    assert best_scale(products, codes, np.zeros(2)) < 2.5


def _evidence(seed: int, signal: float, n: int = 60) -> Given:
    """Return evidence of logits that know the class by a signal, of an imbalanced sample."""
    random = np.random.default_rng(seed)
    shares = 2.0 ** -np.arange(4)
    shares /= shares.sum()
    codes = random.choice(4, size=n, p=shares)
    logits = random.normal(size=(n, 4)) + signal * np.eye(4)[codes] + np.log(shares)
    counts = np.array([80, 40, 20, 10])
    return Given(
        weight=np.eye(4)[None],
        bias=np.zeros((1, 4)),
        features=logits[:, None],
        codes=codes,
        counts=counts,
        prior=shares,
    )


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    metric=st.sampled_from(["balanced_accuracy", "macro_f1"]),
    n=st.integers(1, 60),
)
def test_thresholds_never_lower_the_score_of_held_out_examples(
    seed: int, metric: str, n: int
) -> None:
    """At any strength that is chosen, from a single example on; offsets are in the prior."""
    evidence = _evidence(seed, 1.0, n)
    change = Thresholds(metric=metric).change(evidence)
    offsets = change.bias[0]
    np.testing.assert_allclose(_chosen(change)["offsets"], offsets)
    logits, codes = evidence.features[:, 0], evidence.codes

    def score(moved: np.ndarray) -> float:
        predicted, classes = moved.argmax(axis=1), np.unique(codes)
        if metric == "balanced_accuracy":
            return float(np.mean([np.mean(predicted[codes == k] == k) for k in classes]))
        right = [2 * ((predicted == k) & (codes == k)).sum() for k in classes]
        both = [(predicted == k).sum() + (codes == k).sum() for k in classes]
        return float(np.mean(np.divide(right, both)))

    assert score(logits + offsets) >= score(logits) - 1e-12
    np.testing.assert_array_equal(change.weight, evidence.weight)
    expected = evidence.prior * np.exp(offsets)
    np.testing.assert_allclose(change.prior, expected / expected.sum())


def test_offsets_that_fit_noise_are_mostly_left_out() -> None:
    """Of logits that know nothing, offsets gain much where they are fitted and nothing elsewhere.

    What is taken of them is less than half on average, and often nothing; of logits that are
    biased and know much, of which hundreds of examples are held out, nearly all is.
    """
    taken, gained, elsewhere = [], [], []
    for seed in range(25):
        evidence = _evidence(seed, 0.0)
        change = Thresholds().change(evidence)
        taken.append(_chosen(change)["strength"])
        full = Thresholds(strength=1.0).change(evidence)
        for other, gains in ((evidence, gained), (_evidence(10**6 + seed, 0.0, 4000), elsewhere)):
            logits = other.features[:, 0]
            scores = [
                balanced_accuracy_score(other.codes, moved.argmax(axis=1))
                for moved in (logits, logits + full.bias[0])
            ]
            gains.append(scores[1] - scores[0])
    assert np.mean(gained) > 0.1
    assert abs(np.mean(elsewhere)) < 0.02
    assert np.mean(taken) < 0.5
    assert np.mean(np.equal(taken, 0)) > 0.2
    many = [_chosen(Thresholds().change(_evidence(s, 2.0, 2000)))["strength"] for s in range(5)]
    assert np.mean(many) > 0.6  # type: ignore[arg-type]


def test_what_is_told_of_other_examples_is_near_what_they_give() -> None:
    """The score of examples to which offsets were not fitted, against thousands of new ones."""
    told, found = [], []
    for seed in range(30):
        evidence, fresh = _evidence(seed, 1.0, 120), _evidence(10**6 + seed, 1.0, 4000)
        change = Thresholds(strength=1.0).change(evidence)
        told.append(cross_fitted(evidence.features[:, 0], evidence.codes, "balanced_accuracy")[1.0])
        moved = fresh.features[:, 0] + change.bias[0]
        found.append(balanced_accuracy_score(fresh.codes, moved.argmax(axis=1)))
    assert abs(np.mean(told) - np.mean(found)) < 0.03


def test_few_examples_of_a_class_are_told() -> None:
    """How many classes have fewer than ten, and the fewest."""
    small, large = _evidence(0, 1.0, 30), _evidence(0, 1.0, 1000)
    few, many = (Thresholds().change(each).chosen["offsets"][1] for each in (small, large))
    sizes = np.bincount(small.codes)
    assert f"Careful: {(sizes < 10).sum()} of 4 classes have fewer than 10" in few
    assert few.endswith(f", the smallest {sizes.min()}")
    assert "Careful" not in many


def test_members_are_pooled_by_their_probabilities() -> None:
    """As the network pools them; a single one keeps its logits."""
    logits = np.random.default_rng(0).normal(size=(5, 3, 4))
    expected = logsumexp(log_softmax(logits, axis=2), axis=1) - np.log(3)
    np.testing.assert_allclose(pooled(logits), expected)
    np.testing.assert_array_equal(pooled(logits[:, :1]), logits[:, 0])


def test_a_prior_stays_above_zero() -> None:
    """Offsets of any size leave every class a probability by which it can be corrected."""
    found = normalised_prior(np.array([0.0, -5000.0, 3.0]))
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1.0)
