"""Laws of scores: what a recipe is worth on held-out examples, and how sure that is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from equipoise.selection import MONITORS
from equipoise.tuning.scores import (
    BALANCED,
    HeldOut,
    choose_metric,
    corrected,
    difference,
    gain,
)

COUNTS = (120, 60, 35)


def _held(seed: int, strength: float, counts: tuple[int, ...] = COUNTS) -> HeldOut:
    """Return noisy predictions: the noise is half shared by all recipes, half of this one."""
    codes = np.repeat(np.arange(len(counts)), counts)
    shape = (len(codes), len(counts))
    shared = np.random.default_rng(0).normal(size=shape)
    logits = shared + np.random.default_rng(seed).normal(size=shape)
    logits[np.arange(len(codes)), codes] += strength
    return HeldOut(np.arange(len(codes)), codes, logits)


FIRST, SECOND = _held(1, 2.0), _held(2, 1.5)


def _by_hand(held: HeldOut) -> dict[str, float]:
    """Return scores by scikit-learn and from the definitions."""
    predicted = held.logits.argmax(axis=1)
    hits = predicted == held.codes
    recalls = np.array([hits[held.codes == code].mean() for code in np.unique(held.codes)])
    losses = -log_softmax(held.logits, axis=1)[np.arange(len(held.codes)), held.codes]
    return {
        "accuracy": float(accuracy_score(held.codes, predicted)),
        "balanced_accuracy": float(balanced_accuracy_score(held.codes, predicted)),
        "worst_class_recall": recalls.min(),
        "g_mean": recalls.prod() ** (1 / len(recalls)),
        "log_loss": float(log_loss(held.codes, np.exp(log_softmax(held.logits, axis=1)))),
        "balanced_log_loss": float(
            np.mean([losses[held.codes == code].mean() for code in np.unique(held.codes)])
        ),
    }


def test_scores_are_those_of_scikit_learn() -> None:
    """Every metric that a search can have is among them."""
    found = FIRST.scores()
    assert set(MONITORS) <= set(found)
    for name, value in _by_hand(FIRST).items():
        assert found[name] == pytest.approx(value), name


def test_the_metric_follows_from_how_many_rare_examples_there_are() -> None:
    """From fifty on recall is fine enough; below, the reason tells its steps."""
    assert [choose_metric(n)[0] for n in (0, 49, 50, 10**6)] == [
        *["balanced_log_loss"] * 2,
        *["balanced_accuracy"] * 2,
    ]
    assert "steps of 20 points" in choose_metric(5)[1]


def test_joined_predictions_are_in_the_order_of_the_rows() -> None:
    """However they were divided, scores are those of all examples."""
    order = np.random.default_rng(3).permutation(len(FIRST.rows))
    parts = [
        HeldOut(FIRST.rows[cut], FIRST.codes[cut], FIRST.logits[cut])
        for cut in np.array_split(order, 4)
    ]
    joined = HeldOut.join(parts)
    assert np.array_equal(joined.rows, FIRST.rows)
    assert np.array_equal(joined.codes, FIRST.codes)
    assert np.array_equal(joined.logits, FIRST.logits)


@pytest.mark.parametrize("metric", MONITORS)
def test_logits_are_corrected_where_all_classes_count_alike(metric: str) -> None:
    """Bayes' rule: log-likelihoods come out, whatever prior was in the logits."""
    random = np.random.default_rng(0)
    likelihood, prior = random.normal(size=(20, 3)), np.array([0.9, 0.09, 0.01])
    logits = (likelihood + np.log(prior)).astype(np.float32)
    found = corrected(logits, metric, prior)
    expected = likelihood if metric in BALANCED else likelihood + np.log(prior)
    assert found.dtype == np.float64
    assert np.allclose(log_softmax(found, axis=1), log_softmax(expected, axis=1), atol=1e-5)


def test_gain_is_higher_for_what_is_better() -> None:
    """Losses change their sign, shares do not."""
    assert {metric: gain(0.25, metric) for metric in MONITORS} == {
        metric: -0.25 if metric.endswith("loss") else 0.25 for metric in MONITORS
    }


@pytest.mark.parametrize("metric", MONITORS)
def test_a_difference_is_that_of_the_scores_with_the_better_one_above(metric: str) -> None:
    """It is above 0 if the first is better, turns with its arguments, and is 0 for itself."""
    found, error = difference(FIRST, SECOND, metric)
    sign = -1 if metric.endswith("loss") else 1
    scores = [held.scores()[metric] for held in (FIRST, SECOND)]
    assert found == pytest.approx(sign * (scores[0] - scores[1]))
    assert found > 0
    assert error > 0
    assert difference(SECOND, FIRST, metric) == (pytest.approx(-found), pytest.approx(error))
    assert difference(FIRST, FIRST, metric) == (0, 0)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_error_of_a_mean_is_that_of_paired_differences(metric: str) -> None:
    """Closed form: the deviation of the differences over the root of their number."""
    place = np.arange(len(FIRST.codes)), FIRST.codes
    if metric == "accuracy":
        each = [np.equal(h.logits.argmax(axis=1), h.codes).astype(float) for h in (FIRST, SECOND)]
    else:
        each = [log_softmax(h.logits, axis=1)[place] for h in (FIRST, SECOND)]
    d = each[0] - each[1]
    expected = np.sqrt(((d - d.mean()) ** 2).sum() / (len(d) - 1) / len(d))
    assert difference(FIRST, SECOND, metric)[1] == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "balanced_log_loss"])
def test_the_error_where_classes_count_alike_is_that_of_a_bootstrap(metric: str) -> None:
    """Held-out examples drawn anew within each class move the difference by as much."""
    random = np.random.default_rng(0)
    groups = [np.flatnonzero(FIRST.codes == code) for code in range(len(COUNTS))]
    found = []
    for _ in range(600):
        rows = np.concatenate([random.choice(group, len(group)) for group in groups])
        drawn = (HeldOut(h.rows[rows], h.codes[rows], h.logits[rows]) for h in (FIRST, SECOND))
        values = [held.scores()[metric] for held in drawn]
        found.append(values[0] - values[1])
    assert difference(FIRST, SECOND, metric)[1] == pytest.approx(np.std(found), rel=0.1)


def test_noise_that_is_shared_drops_out() -> None:
    """Two recipes that are wrong about the same examples differ with little error."""
    alike = HeldOut(FIRST.rows, FIRST.codes, FIRST.logits + 0.01 * SECOND.logits)
    small = difference(FIRST, alike, "balanced_log_loss")[1]
    assert small < 0.1 * difference(FIRST, SECOND, "balanced_log_loss")[1]


def _right(hits: list[int], codes: list[int]) -> HeldOut:
    """Return predictions that are right where there is a 1."""
    predicted = [code if hit else 1 - code for hit, code in zip(hits, codes, strict=True)]
    return HeldOut(np.arange(len(codes)), np.array(codes), np.eye(2)[predicted])


def test_a_class_of_one_example_counts_with_the_pooled_deviation() -> None:
    """Worked by hand: four of one class and one of the other; without it, it would seem sure."""
    codes = [0, 0, 0, 0, 1]
    better, other = _right([1, 1, 1, 1, 1], codes), _right([1, 1, 1, 0, 0], codes)
    # Differences 0, 0, 0, 1 and 1: squares about the means of the classes sum to 3/4 and 0, over
    # 5 - 2 degrees of freedom that is a pooled variance of 1/4, and of the first class 3/4 / 3.
    expected = np.sqrt(0.25 / 4 + 0.25 / 1) / 2
    found = difference(better, other, "balanced_accuracy")
    assert found == (pytest.approx((0.25 + 1) / 2), pytest.approx(expected))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(sorted(MONITORS)))
def test_more_examples_make_it_surer(seed: int, metric: str) -> None:
    """Each example four times halves the error, up to the degrees of freedom."""
    first, second = _held(seed, 1.0, (30, 20, 10)), _held(seed + 1, 1.0, (30, 20, 10))
    rows = np.tile(np.arange(60), 4)
    many = [HeldOut(np.arange(240), h.codes[rows], h.logits[rows]) for h in (first, second)]
    once, often = difference(first, second, metric)[1], difference(many[0], many[1], metric)[1]
    assert often == pytest.approx(once / 2, rel=0.06)
