"""Laws of what test examples did not show."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from equipoise.statistics.noise import Rows
from equipoise.statistics.paired import Predictions, contrasts, differences
from equipoise.statistics.scores import contributions
from equipoise.statistics.unseen import ALL_SEEN, Unseen, unseen


@pytest.mark.parametrize("n", [1, 3, 30, 1000])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 28, 1e-9])
def test_what_is_not_ruled_out_is_the_exact_upper_end_of_none(n, alpha):
    """That of Clopper and Pearson, one-sided, for none of n examples, times the whole class."""
    found = Unseen(wholes=(0.25,), sizes=(n,)).shift(alpha)
    exact = stats.binomtest(0, n, alternative="less").proportion_ci(1 - alpha, method="exact")
    assert found == pytest.approx(0.25 * exact.high)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 28])
@pytest.mark.parametrize(
    ("wholes", "sizes"),
    [((0.5, 0.5), (1, 1)), ((0.1,) * 10, (5,) * 10), ((0.2, 0.2, 0.6), (3, 4, 500))],
)
def test_of_several_classes_it_is_the_largest_shift_that_shows_nothing(wholes, sizes, alpha):
    """As a numerical optimiser finds it, over shares that all examples miss with that chance."""
    wholes, sizes = np.array(wholes), np.array(sizes)
    start = np.full(len(sizes), -np.log(alpha) / sizes.sum())
    best = optimize.minimize(
        lambda x: -wholes @ -np.expm1(-x),
        start,
        bounds=[(0, None)] * len(sizes),
        constraints={"type": "eq", "fun": lambda x: sizes @ x + np.log(alpha)},
        tol=1e-12,
    )
    found = Unseen(wholes=tuple(wholes), sizes=tuple(sizes)).shift(alpha)
    assert found == pytest.approx(-best.fun, rel=1e-4)
    assert found >= max(wholes * (1 - alpha ** (1 / sizes)))


def _rows(ids, sizes=(200, 10), stakes=1.0):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return Rows(
        ids=ids,
        codes=codes,
        weights=1 / (len(sizes) * np.asarray(sizes)[codes]),
        values=np.resize([1.0, -1.0], (len(codes), 1)),
        stakes=np.full((len(codes), 1), stakes),
    )


@pytest.mark.parametrize("n_runs", [1, 2, 5])
def test_examples_that_runs_share_are_counted_once(n_runs):
    """The same rows: those of one run; others: of all runs; a quarter shared: in between."""
    rows = [_rows(np.arange(210))] * n_runs
    for shared, times in ((1.0, 1), (0.0, n_runs), (0.25, n_runs / (0.75 + n_runs / 4))):
        [found] = unseen(rows, shared=shared)
        assert found.wholes == pytest.approx((0.5, 0.5))
        assert found.sizes == pytest.approx((200 * times, 10 * times))


def test_classes_outside_a_group_are_left_out():
    """Without weight a class has nothing unseen."""
    rows = _rows(np.arange(215), (200, 10, 5))
    [found] = unseen([replace(rows, weights=np.where(rows.codes == 1, 0.1, 0.0))], shared=1.0)
    assert (found.wholes, found.sizes) == ((1.0,), (10.0,))


def test_macro_f1_changes_so_much_if_an_example_of_a_class_that_is_never_claimed_turns():
    """The stake of such an example is that of the score, to first order."""
    codes = np.repeat([0, 1, 2], [500, 300, 40])
    predicted = np.where(codes == 2, 0, codes)
    found = contributions(np.eye(3)[predicted], codes, "macro_f1")
    turned = predicted.copy()
    turned[-1] = 2
    more = contributions(np.eye(3)[turned], codes, "macro_f1").score - found.score
    assert found.weights[-1] * found.stakes[-1] == pytest.approx(more, rel=0.05)


def _methods(**wrong):
    """Methods for 300 and 10 examples, each wrong about the first so many of each class."""
    codes = np.repeat([0, 1], [300, 10])
    place = np.r_[np.arange(300), np.arange(10)]
    return {
        name: [
            Predictions(codes=codes, logits=np.eye(2)[np.where(place < n[codes], 1 - codes, codes)])
        ]
        for name, n in {name: np.array(n) for name, n in wrong.items()}.items()
    }


def test_copies_beside_a_method_change_nothing():
    """The mean of three copies less another method is as sure as one of them less it."""
    methods = _methods(a=(9, 10), b=(9, 10), c=(9, 10), d=(30, 10))
    mean, pair = contrasts(
        methods, [{"a": 1 / 3, "b": 1 / 3, "c": 1 / 3, "d": -1}, {"a": 1, "d": -1}]
    )
    assert (mean.value, mean.low, mean.p) == pytest.approx((pair.value, pair.low, pair.p))


def test_a_trend_over_copies_is_none_whatever_is_rounded():
    """Weights that do not sum to exactly zero make no noise of methods that answer alike."""
    methods = _methods(**{str(n): (0, 10) for n in (16, 32, 64, 128, 200, 300)})
    steps = np.log2([int(name) for name in methods])
    [found] = contrasts(methods, [dict(zip(methods, steps - steps.mean(), strict=True))])
    assert (found.value, found.error, found.low, found.high, found.p) == (0, 0, 0, 0, 1)


def test_the_recall_of_a_class_that_neither_finds_is_not_known_to_be_equal():
    """Methods that answer differently elsewhere are no copies; those that answer alike are."""
    methods = _methods(a=(9, 10), b=(30, 10), c=(9, 10))
    found = differences(methods, "recall", classes=[[1]])
    apart = found.between("a", "b")
    assert (apart.value, apart.p) == (0, 1)
    assert (apart.low, apart.high) == pytest.approx((-(1 - 0.05**0.1), 1 - 0.05**0.1))
    assert apart.spread.detectable(0.05) == pytest.approx(apart.high)
    copy = found.between("a", "c")
    assert copy.low == copy.high == copy.spread.detectable(0.05) == 0


@pytest.mark.parametrize("metric", ["log_loss", "balanced_log_loss"])
def test_losses_have_no_answers_to_turn(metric):
    """Without stakes nothing is unseen."""
    found = differences(_methods(a=(9, 10), b=(30, 10)), metric).differences[0]
    assert found.spread.unseen == ALL_SEEN
