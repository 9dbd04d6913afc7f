"""Laws of what test examples did not show."""

import numpy as np
import pytest
from scipy import stats

from equipoise.statistics.noise import Rows
from equipoise.statistics.paired import Predictions, contrasts, differences
from equipoise.statistics.scores import contributions
from equipoise.statistics.unseen import Unseen, unseen


@pytest.mark.parametrize("n", [1, 3, 30, 1000])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 28, 1e-9])
def test_what_is_not_ruled_out_is_the_exact_upper_end_of_none(n, alpha):
    """That of Clopper and Pearson, one-sided, for none of n examples, times the whole class."""
    found = Unseen(whole=0.25, n_examples=n).shift(alpha)
    exact = stats.binomtest(0, n, alternative="less").proportion_ci(1 - alpha, method="exact")
    assert found == pytest.approx(0.25 * exact.high)


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
    """The same rows: those of one run, all in common; others: of all runs, nothing in common."""
    rows = np.arange(210)
    [same] = unseen([_rows(rows, stakes=2.0)] * n_runs, shared=1.0)
    assert same == Unseen(whole=1.0, n_examples=10, common=1.0)
    [others] = unseen([_rows(rows + 210 * run) for run in range(n_runs)], shared=0.0)
    assert others == Unseen(whole=0.5, n_examples=10 * n_runs, common=0.0)
    [some] = unseen([_rows(rows)] * n_runs, shared=0.25)
    assert 10 <= some.n_examples <= 10 * n_runs
    assert 0 < some.common <= 1


def test_the_class_is_that_whose_unseen_examples_count_most():
    """Of equal classes the smallest; of one that counts little, another."""
    [smallest] = unseen([_rows(np.arange(215), (200, 10, 5))], shared=1.0)
    assert smallest.n_examples == 5
    rows = _rows(np.arange(215), (200, 10, 5))
    rows.stakes[rows.codes == 2] = 0.01
    [other] = unseen([rows], shared=1.0)
    assert other.n_examples == 10


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
    assert found.error == found.high - found.low == 0


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
    assert found.spread.unseen.whole == 0
