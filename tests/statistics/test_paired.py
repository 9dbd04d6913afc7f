"""Laws of differences between methods on the same test examples."""

import numpy as np
import pytest
from scipy import stats

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
    """Identical predictions: difference 0, interval [0, 0], p = 1, pooled or not."""
    methods = _methods(np.random.default_rng(1), n_seeds, True, 0.2)
    methods["copy"] = methods["m0"]
    for pooled in (False, True):
        found = differences(methods, metric, classes=[2, 3], pooled=pooled).between("copy", "m0")
        assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_seeds_count_by_student_and_not_by_normal():
    """Where seeds are the only noise, p is that of the paired t test over seeds."""
    codes = np.zeros(20000, dtype=int)
    codes[10000:] = 1
    methods = {"a": [], "b": []}
    for seed, wrong in enumerate((3000, 3600, 3900)):
        for name, n in (("a", wrong), ("b", 3000 + 10 * seed)):
            flipped = np.where(np.arange(20000) % 10000 < n, 1 - codes, codes)
            methods[name].append(Predictions(codes=codes, logits=np.eye(2)[flipped]))
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


def test_pooling_sees_smaller_differences():
    """Many methods together know the noise of seeds better than two seeds of a pair do."""
    methods = _methods(np.random.default_rng(3), 2, True, 0.1, n_methods=8)
    own, pooled = (
        np.median([d.spread.detectable(0.05) for d in differences(methods, pooled=on).differences])
        for on in (False, True)
    )
    assert pooled < 0.7 * own


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
     ("accuracy", ("a", "d"), None), ("recall", ("a", "b"), [7])],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(metric, names, classes):
    """Unknown metric, missing group, another number of seeds, other rows, an empty group."""
    codes = np.array([0, 1, 1])
    good = Predictions(codes=codes, logits=np.eye(2)[codes])
    other = Predictions(codes=codes[::-1], logits=np.eye(2)[codes])
    methods = {"a": [good], "b": [good], "c": [good, good], "d": [other]}
    with pytest.raises(InputError):
        differences({name: methods[name] for name in names}, metric, classes=classes)
