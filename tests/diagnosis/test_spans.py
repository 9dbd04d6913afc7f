"""Laws of intervals in a diagnosis: published values, those of `evaluate`, and coverage."""

import numpy as np
import pytest

from equipoise.diagnosis.spans import Spans, mean_change, mean_share, share_spans
from equipoise.metrics import evaluate


def _spans(hits: int, size: int) -> Spans:
    return share_spans(np.array([hits]), np.array([size]), 0.95)


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        ((56, 70), (48, 80), (0.0428, 0.3422)),
        ((9, 10), (3, 10), (0.1013, 0.8387)),
        ((0, 10), (0, 20), (-0.2005, 0.3445)),
    ],
)
def test_differences_of_shares_are_newcombes(
    first: tuple[int, int], second: tuple[int, int], ends: tuple[float, float]
) -> None:
    """Method 11 of R. G. Newcombe, Statistics in Medicine 17, 1998, pages 873-890, table II."""
    found = _spans(*first).minus(_spans(*second))
    assert (found.lows[0], found.highs[0]) == pytest.approx(ends, abs=5e-4)


def test_a_mean_recall_has_the_interval_of_evaluate() -> None:
    """Of the same predictions, exactly."""
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [40, 7, 2])
    logits = random.normal(size=(49, 3)) + 2 * np.eye(3)[codes]
    told = evaluate(logits, codes, classes=list("abc"), train_counts=[4, 2, 1])
    hits = np.bincount(codes[logits.argmax(axis=1) == codes], minlength=3)
    found = mean_share(hits, np.array([40, 7, 2]), 0.95)
    own = {"value": found.values, "low": found.lows, "high": found.highs}
    assert told["overall"]["balanced_accuracy"] == own


@pytest.mark.parametrize(("won", "lost"), [(0.0, 0.0), (0.1, 0.02), (0.3, 0.3), (0.9, 0.0)])
def test_changes_hold_the_truth_as_often_as_they_say(won: float, lost: float) -> None:
    """Of predictions that become right and wrong at known rates, in classes of two to sixty."""
    random = np.random.default_rng(1)
    codes = np.repeat(np.arange(4), [60, 20, 5, 2])
    held = 0
    for _ in range(500):
        drawn = random.random(len(codes))
        gained, forgone = drawn < won, drawn > 1 - lost
        found = mean_change(forgone, gained, codes, 4, 0.95)
        assert -1 <= found.lows <= found.values <= found.highs <= 1
        held += found.lows <= won - lost <= found.highs
    assert held / 500 > 0.93


def test_a_change_is_the_difference_of_balanced_accuracies_and_turns_with_its_sign() -> None:
    """Classes without examples are left out."""
    random = np.random.default_rng(2)
    codes = np.repeat([0, 2], [30, 6])
    before, after = random.random((2, 36)) < [[0.4], [0.8]]
    found = mean_change(before, after, codes, 3, 0.95)
    turned = mean_change(after, before, codes, 3, 0.95)
    wanted = np.mean([after[codes == k].mean() - before[codes == k].mean() for k in (0, 2)])
    assert found.values == pytest.approx(wanted)
    assert [turned.values, turned.lows, turned.highs] == pytest.approx(
        [-found.values, -found.highs, -found.lows]
    )


def test_a_mean_is_of_what_is_known_and_independent() -> None:
    """Four alike halve the distance to each end; of nothing there is no mean."""
    one = _spans(8, 10)
    four = share_spans(np.array([8, 8, 8, 8, 0]), np.array([10, 10, 10, 10, 0]), 0.95).mean()
    assert four.values == pytest.approx(0.8)
    assert 0.8 - four.lows == pytest.approx((0.8 - one.lows[0]) / 2)
    assert four.highs - 0.8 == pytest.approx((one.highs[0] - 0.8) / 2)
    assert np.isnan(share_spans(np.zeros(2), np.zeros(2), 0.95).mean().values)
