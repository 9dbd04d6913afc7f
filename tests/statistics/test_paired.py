"""Laws of differences between methods on the same test examples."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from equipoise.errors import InputError
from equipoise.statistics.paired import Predictions, differences
from equipoise.statistics.scores import METRICS

SIZES = (120, 60, 30, 12)


def _methods(random, n_seeds, shared, seed_effect, gain=0.0, n_methods=2):
    """Methods alike but for a gain of the first; noise of rows, methods, seeds, and examples."""
    codes, k = np.repeat(np.arange(len(SIZES)), SIZES), len(SIZES)
    n, methods, rows = len(codes), {f"m{m}": [] for m in range(n_methods)}, None
    for seed in range(n_seeds):
        if rows is None or not shared:
            rows = random.normal(size=n) + random.normal(size=(n_methods, n)) * 0.5
        for m, found in enumerate(methods.values()):
            shift = random.normal(size=k)[codes] * seed_effect + random.normal() * seed_effect
            difficulty = rows[m] + shift + random.normal(size=n) * 0.5 - (gain if m == 0 else 0)
            predicted = np.where(difficulty < 0.6, codes, (codes + 1) % k)
            ids = np.arange(n) + (0 if shared else seed * n)
            found.append(Predictions(codes=codes, logits=np.eye(k)[predicted], ids=ids))
    return methods


@pytest.mark.parametrize("seed_effect", [0.0, 0.25])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_planted_nulls_are_told_no_more_often_than_the_level(n_seeds, shared, seed_effect):
    """Methods that are alike are told apart in at most 5 % of comparisons."""
    random, n = np.random.default_rng([n_seeds, shared]), 250
    told = [
        differences(_methods(random, n_seeds, shared, seed_effect)).differences[0].p <= 0.05
        for _ in range(n)
    ]
    assert np.mean(told) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


@pytest.mark.parametrize(
    ("sizes", "recall", "n_seeds"),
    [((300, 5), 0.3, 1), ((300, 10), 0.2, 1), ((3000, 30), 0.075, 1), ((1000, 10), 0.05, 5)],
)
def test_methods_that_trade_classes_are_told_no_more_often_than_the_level(sizes, recall, n_seeds):
    """One finds a rare class hardly ever, the other never but more of the common class."""
    random, repetitions, told = np.random.default_rng(12), 200, 0
    codes = np.repeat([0, 1], sizes)
    chances = {"a": np.array([0.98 - recall, recall])[codes], "b": np.array([0.98, 0])[codes]}
    for _ in range(repetitions):
        methods = {"a": [], "b": []}
        for seed in range(n_seeds):
            ease = random.random(len(codes))
            for name, own in chances.items():
                logits = np.eye(2)[np.where(ease < own, codes, 1 - codes)]
                ids = np.arange(len(codes)) + seed * len(codes)
                methods[name].append(Predictions(codes=codes, logits=logits, ids=ids))
        told += differences(methods).differences[0].p <= 0.05
    assert told / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def test_a_real_gain_is_found_with_its_sign():
    """A large gain with five seeds is significant, positive, and inside its interval."""
    found = differences(_methods(np.random.default_rng(0), 5, True, 0.05, gain=1.0))
    better = found.between("m0", "m1")
    assert better.p < 0.01
    assert 0 < better.low < better.value < better.high
    means = found.means
    assert better.value == pytest.approx(means["m0"].value - means["m1"].value)
    turned = found.between("m1", "m0")
    assert (turned.value, turned.low) == (-better.value, -better.high)


@pytest.mark.parametrize("metric", list(METRICS))
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_copy_does_not_differ(metric, n_seeds):
    """Identical predictions: difference 0, interval [0, 0], p = 1."""
    methods = _methods(np.random.default_rng(1), n_seeds, True, 0.2)
    methods["copy"] = methods["m0"]
    found = differences(methods, metric, classes=[[2, 3]] * n_seeds).between("copy", "m0")
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def _blocks(wrong, others):
    """Two methods whose wrong answers are blocks from the start of each of two large classes."""
    place, codes = np.arange(20000) % 10000, np.repeat([0, 1], 10000)
    methods = {"a": [], "b": []}
    for own, other in zip(wrong, np.broadcast_to(others, np.shape(wrong)), strict=True):
        for name, n in (("a", own), ("b", other)):
            flipped = np.where(place < n, 1 - codes, codes)
            methods[name].append(Predictions(codes=codes, logits=np.eye(2)[flipped]))
    return methods


def test_seeds_count_by_student_and_not_by_normal():
    """Where seeds are the only noise, p is that of the paired t test over seeds."""
    methods = _blocks([3000, 3600, 3900], [3000, 3010, 3020])
    apart = [-0.0, -0.059, -0.088]
    assert differences(methods).differences[0].p == pytest.approx(
        stats.ttest_1samp(apart, 0).pvalue, rel=0.02
    )


def test_one_seed_says_that_seed_noise_is_missing():
    """With one seed the interval holds the examples only, and the result says so."""
    methods = _methods(np.random.default_rng(2), 2, True, 0.5)
    one = differences({name: seeds[:1] for name, seeds in methods.items()})
    assert not one.holds_seed_noise
    assert one.differences[0].spread.seeds is None
    assert differences(methods).holds_seed_noise


def test_runs_of_one_seed_count_as_one_seed():
    """Where seeds are the only noise, p is that of the paired t test over the means of seeds."""
    seeds = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    wrong = np.array([3000, 3500, 2900, 3600, 4100, 3700, 3900, 4200, 4100])
    found = differences(_blocks(wrong, 3000), seeds=seeds)
    means = (wrong.reshape(3, 3).mean(axis=1) - 3000) / 10000
    assert (found.n_seeds, found.n_runs) == (3, 9)
    assert found.differences[0].p == pytest.approx(stats.ttest_1samp(means, 0).pvalue, rel=0.05)
    one = differences(_blocks(wrong[:3], 3000), seeds=[5, 5, 5])
    assert (one.n_seeds, one.holds_seed_noise) == (1, False)
    assert one.differences[0].spread.seeds is None


def test_seeds_with_more_runs_count_more():
    """By hand: S / (S - 1) times the sum of squares of what each seed adds to the mean."""
    wrong = np.array([1000, 3000, 2000])
    found = differences(_blocks(wrong, 0), seeds=[0, 0, 1])
    # Means over runs: 0.2; seed 0 adds (0.1 + 0.3 - 2 * 0.2) / 3 = 0, seed 1 (0.2 - 0.2) / 3 = 0.
    assert found.differences[0].spread.seeds == pytest.approx(0, abs=1e-12)
    found = differences(_blocks(wrong, 0), seeds=[0, 1, 0])
    # Seed 0 adds (0.1 + 0.2 - 0.4) / 3 = -1/30, seed 1 (0.3 - 0.2) / 3 = 1/30: 2 * 2 / 900.
    assert found.differences[0].spread.seeds == pytest.approx(4 / 900)
    assert found.differences[0].value == pytest.approx(-0.2)


@pytest.mark.parametrize("n_seeds", [2, 3])
def test_planted_nulls_with_several_orders_are_told_no_more_often_than_the_level(n_seeds):
    """Methods that are alike, with noise that all orders of one seed have in common."""
    random, n, n_orders = np.random.default_rng([7, n_seeds]), 250, 3
    told = []
    for _ in range(n):
        shifts = np.repeat(random.normal(0, 800, n_seeds), n_orders)
        wrong = 5000 + shifts + random.normal(0, 200, n_seeds * n_orders)
        methods = _blocks(np.rint(wrong).clip(0, 10000), 5000)
        told.append(
            differences(methods, seeds=np.repeat(range(n_seeds), n_orders).tolist())
            .differences[0].p <= 0.05
        )  # fmt: skip
    assert np.mean(told) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_each_run_has_a_group_of_its_own():
    """The recall of a group is the mean over runs of the mean recall of each run's classes."""
    codes = np.repeat([0, 1, 2], [10, 20, 40])
    logits = [np.eye(3)[np.where(np.arange(70) % 4 < k, codes, 0)] for k in (1, 2)]
    runs = [Predictions(codes=codes, logits=each) for each in logits]
    found = differences({"a": runs}, "recall", pairs=[], classes=[[0, 1], [2]])
    recalls = [recall_score(codes, each.argmax(axis=1), average=None) for each in logits]
    assert found.means["a"].value == pytest.approx((recalls[0][:2].mean() + recalls[1][2]) / 2)


def test_rows_without_ids_are_taken_to_be_the_same_if_codes_are():
    """That errs on the safe side: the noise is at least that of separate rows."""
    methods = _methods(np.random.default_rng(4), 3, False, 0.0)
    blind = {
        name: [Predictions(codes=own.codes, logits=own.logits) for own in seeds]
        for name, seeds in methods.items()
    }
    known, unknown = (differences(each).differences[0] for each in (methods, blind))
    assert known.value == unknown.value
    assert unknown.spread.examples >= 0.9 * known.spread.examples


@pytest.mark.parametrize(
    ("metric", "names", "classes"),
    [("auroc", ("a", "b"), None), ("recall", ("a", "b"), None), ("accuracy", ("a", "c"), None),
     ("accuracy", ("a", "d"), None), ("recall", ("a", "b"), [[7]])],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(metric, names, classes):
    """Unknown metric, missing group, another number of seeds, other rows, an empty group."""
    codes = np.array([0, 1, 1])
    good = Predictions(codes=codes, logits=np.eye(2)[codes])
    other = Predictions(codes=codes[::-1], logits=np.eye(2)[codes])
    methods = {"a": [good], "b": [good], "c": [good, good], "d": [other]}
    with pytest.raises(InputError):
        differences({name: methods[name] for name in names}, metric, classes=classes)
