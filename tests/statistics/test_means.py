"""Laws of how sure the mean score of one method is."""

import numpy as np
import pytest
from scipy import stats

from equipoise.metrics import clopper_pearson, evaluate, shift_logits
from equipoise.statistics.paired import Predictions, differences
from equipoise.statistics.scores import METRICS

SIZES = np.array([60, 30, 10, 5])


def _world(seed):
    """Logits of classes that are harder the rarer they are, the last of which is never found."""
    random, codes = np.random.default_rng(seed), np.repeat(np.arange(4), SIZES)
    logits = random.normal(size=(len(codes), 4)) + np.diag([2.0, 1.5, 1.0, 0.0])[codes]
    logits[:, 3] -= 9
    return logits, codes


def _right(n_right, n, n_seeds, *, same):
    """A method that finds the first so many of `n` rare examples beside a common class."""
    codes = np.repeat([0, 1], [90, n])
    predicted = np.where(np.arange(90 + n) < 90 + n_right, codes, 0)
    runs = [
        Predictions(
            codes=codes,
            logits=np.eye(2)[predicted],
            ids=np.arange(90 + n) + (0 if same else 1000 * s),
        )
        for s in range(n_seeds)
    ]
    found = differences({"a": runs}, "recall", pairs=[], classes=[[1]] * n_seeds)
    return found.means["a"]


@pytest.mark.parametrize("metric", list(METRICS))
@pytest.mark.parametrize("is_balanced", [False, True])
def test_one_run_has_the_interval_that_its_own_metrics_tell(metric, is_balanced):
    """A comparison of one seed and the run's `metrics.json` cannot contradict each other."""
    logits, codes = _world(0)
    if is_balanced:
        logits = shift_logits(logits, SIZES / SIZES.sum(), np.full(4, 0.25))
    # Counts of training that make one group of the two rarest classes, and no more.
    told = evaluate(
        logits, codes, classes=list("abcd"), train_counts=[900, 300, 15, 8], n_bootstrap=10
    )
    expected = told["groups"]["few"]["recall"] if metric == "recall" else told["overall"][metric]
    run = Predictions(codes=codes, logits=logits)
    found = differences({"m": [run]}, metric, pairs=[], classes=[[2, 3]]).means["m"]
    for name in ("value", "low", "high"):
        assert getattr(found, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("n_seeds", [1, 2, 5])
@pytest.mark.parametrize("same", [True, False])
def test_few_examples_that_agree_are_no_proof(n, n_seeds, same):
    """None of ten, or all: no interval is narrower than the exact one for as many examples."""
    n_told = np.array([n if same else n * n_seeds])
    for n_right in (0, n):
        found = _right(n_right, n, n_seeds, same=same)
        own = n_told if n_right else np.array([0])
        (low,), (high,) = clopper_pearson(own, n_told, (0.05, 0.05))
        assert found.low <= low + 1e-9
        assert found.high >= high - 1e-9


def test_seeds_that_were_tested_by_the_same_examples_bring_no_new_ones():
    """Ten of ten twice is what ten of ten is; with other examples it says more."""
    once, twice = (_right(10, 10, n, same=True) for n in (1, 2))
    other = _right(10, 10, 2, same=False)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert once.low < other.low


def test_seeds_count_by_student_where_examples_are_many():
    """Where seeds are the only noise, the interval is that of the t test over seeds."""
    place, codes = np.arange(200_000) % 100_000, np.repeat([0, 1], 100_000)
    shares = np.array([0.30, 0.36, 0.39])
    runs = [
        Predictions(
            codes=codes,
            logits=np.eye(2)[np.where(place < 100_000 * share, 1 - codes, codes)],
        )
        for share in shares
    ]
    found = differences({"a": runs}, pairs=[]).means["a"]
    expected = stats.ttest_1samp(1 - shares, 0).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, abs=2e-3)
    assert found.high == pytest.approx(expected.high, abs=2e-3)


@pytest.mark.parametrize("recall", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("n_seeds", [1, 2, 4])
@pytest.mark.parametrize("same", [True, False])
def test_true_recall_of_a_handful_is_covered(recall, n_seeds, same):
    """In 93 % of samples of 8 examples, with noise of training where there are seeds."""
    random, n, repetitions, covered = np.random.default_rng(3), 8, 250, 0
    codes = np.repeat([0, 1], [2, n])
    effect = 0.3 if n_seeds > 1 else 0.0
    cut = stats.norm.ppf(recall) * np.sqrt(1 + effect**2)
    for _ in range(repetitions):
        shared, runs = random.normal(size=n), []
        for seed in range(n_seeds):
            difficulty = shared if same else random.normal(size=n)
            own = 0.8 * difficulty + 0.6 * random.normal(size=n) + effect * random.normal()
            logits = np.eye(2)[np.r_[0, 0, own < cut].astype(int)]
            ids = np.arange(n + 2) + (0 if same else 100 * seed)
            runs.append(Predictions(codes=codes, logits=logits, ids=ids))
        found = differences({"a": runs}, "recall", pairs=[], classes=[[1]] * n_seeds).means["a"]
        covered += found.low <= recall <= found.high
    assert covered / repetitions >= 0.93
