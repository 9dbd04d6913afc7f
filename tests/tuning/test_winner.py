"""Laws of the winner: it is as good as the best up to noise, and the cheapest of these."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipoise.errors import TrainingError
from equipoise.tuning.records import Record, folder_of, save_held_out
from equipoise.tuning.scores import HeldOut
from equipoise.tuning.winner import Winner, choose_winner

CODES = np.repeat([0, 1], 50)


def _add(search: Path, number: int, wrong: slice, pace: float, **changes: Any) -> Record:
    """Write what a recipe leaves that is wrong about some of 100 examples, and sure of all."""
    predicted = CODES.copy()
    predicted[wrong] = 1 - predicted[wrong]
    held = HeldOut(np.arange(100), CODES, np.eye(2)[predicted])
    folder = folder_of(search, number)
    save_held_out(folder, 0, held)
    kept = {"state": "complete", "epochs": 4, "best_epochs": (2,), "scores": held.scores()}
    record = Record(number=number, pace=pace, **{**kept, **changes})
    record.save(folder)
    return record


def _chosen(search: Path, *records: Record) -> Winner:
    return choose_winner(search, records, "accuracy")


def test_the_cheapest_of_those_within_the_noise_is_taken(tmp_path: Path) -> None:
    """Worked by hand, with standard errors of the differences to the best, which errs 10 times.

    One errs where the best does but for one example, and twice where it does not: the difference
    is 1 of 100 and its error sqrt((3 - 0.01) / 99 / 100) = 0.0174, so it is alike, and it is
    cheaper. One errs 4 times more, 0.04 against sqrt((4 - 0.16) / 99 / 100) = 0.0197: it is
    worse, however cheap.
    """
    start = _add(tmp_path, 0, slice(0, 30), pace=3.0)
    best = _add(tmp_path, 1, slice(0, 10), pace=2.0)
    alike = _add(tmp_path, 2, slice(1, 12), pace=1.0)
    worse = _add(tmp_path, 3, slice(0, 14), pace=0.5)
    winner = _chosen(tmp_path, start, best, alike, worse)
    assert winner.record == alike
    assert winner.best == best
    assert winner.alike == 2
    # Over the prescription: better at 19 examples of 100, worse at none.
    assert winner.over_prescription == pytest.approx(0.19)
    assert winner.error == pytest.approx(np.sqrt((19 - 19 * 0.19) / 99 / 100))


def test_the_best_is_taken_where_none_that_is_alike_is_cheaper(tmp_path: Path) -> None:
    """Also if another costs as much."""
    records = [
        _add(tmp_path, 0, slice(1, 12), pace=2.0),
        _add(tmp_path, 1, slice(0, 10), pace=2.0),
        _add(tmp_path, 2, slice(1, 11), pace=3.0),
    ]
    winner = _chosen(tmp_path, *records)
    assert winner.record == winner.best == records[1]
    assert winner.alike == 3


def test_small_differences_in_pace_are_noise(tmp_path: Path) -> None:
    """Of epochs that took 8 and 10 s none is told to be cheaper, so the better one is taken."""
    best = _add(tmp_path, 0, slice(0, 10), pace=10.0)
    alike = _add(tmp_path, 1, slice(1, 12), pace=8.0)
    assert _chosen(tmp_path, best, alike).record == best
    cheaper = _add(tmp_path, 1, slice(1, 12), pace=6.9)
    assert _chosen(tmp_path, best, cheaper).record == cheaper


def test_where_all_has_failed_the_first_reason_is_told(tmp_path: Path) -> None:
    """Time would not help."""
    records = [
        Record(number=number, state="failed", message=f"InputError: {text}")
        for number, text in enumerate(("no room", "no air"))
    ]
    with pytest.raises(TrainingError, match=r"None of the 2 .* Trial 0 .* no room"):
        _chosen(tmp_path, *records)


def test_the_prescription_over_itself_is_no_gain(tmp_path: Path) -> None:
    """Exactly, and surely."""
    winner = _chosen(tmp_path, _add(tmp_path, 0, slice(0, 10), pace=1.0))
    assert (winner.over_prescription, winner.error) == (0, 0)
    assert winner.alike == 1


def test_a_loss_is_best_where_it_is_lowest(tmp_path: Path) -> None:
    """The sign of the metric is minded."""
    good = _add(tmp_path, 0, slice(0, 10), pace=1.0)
    bad = _add(tmp_path, 1, slice(0, 40), pace=1.0)
    winner = choose_winner(tmp_path, [bad, good], "log_loss")
    assert winner.record == good


@settings(
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6))
def test_the_winner_is_never_worse_than_the_noise_and_never_much_dearer(
    seed: int, tmp_path: Path
) -> None:
    """Any recipe that is clearly cheaper than the one taken is worse by more than one error."""
    random = np.random.default_rng(seed)
    search = tmp_path / str(seed)
    records, hits = [], []
    for number in range(5):
        begin, length = random.integers(0, 15), random.integers(5, 25)
        records.append(_add(search, number, slice(begin, begin + length), float(random.random())))
        hits.append(np.ones(100))
        hits[-1][begin : begin + length] = 0
    winner = _chosen(search, *records)
    taken, best = winner.record.number, int(np.argmax([h.mean() for h in hits]))
    assert winner.best.scores["accuracy"] == pytest.approx(max(h.mean() for h in hits))
    for number, each in enumerate(hits):
        d = hits[winner.best.number] - each
        is_alike = number == winner.best.number or d.mean() <= d.std(ddof=1) / 10 + 1e-12
        assert number != taken or is_alike
        assert not is_alike or records[number].pace >= 0.7 * winner.record.pace
    assert hits[best].mean() == hits[winner.best.number].mean()


def test_recipes_that_were_not_trained_in_full_are_not_compared(tmp_path: Path) -> None:
    """However good the examples of their first fold looked, and whatever ended them."""
    complete = _add(tmp_path, 1, slice(0, 30), pace=1.0)
    others = [
        _add(tmp_path, number, slice(0, 1), pace=0.1, state=state)
        for number, state in ((0, "stopped"), (2, "unfinished"), (3, "failed"), (4, "running"))
    ]
    winner = _chosen(tmp_path, complete, *others)
    assert winner.record == complete
    assert (winner.over_prescription, winner.error) == (None, None)


def test_a_prescription_that_is_taken_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    """Cut short it is no better than itself by 0 points, for there is nothing to be compared."""
    cut = _add(tmp_path, 0, slice(0, 5), pace=1.0, state="unfinished", seconds=9.0)
    winner = _chosen(tmp_path, cut)
    assert (winner.record, winner.over_prescription, winner.error) == (cut, None, None)


def test_without_a_full_training_the_longest_is_taken(tmp_path: Path) -> None:
    """By the folds that were begun, then by the time; one that failed is no recipe."""
    records = [
        _add(tmp_path, 0, slice(0, 30), pace=1.0, state="unfinished", seconds=9.0),
        _add(tmp_path, 1, slice(0, 5), pace=1.0, state="unfinished", seconds=5.0),
        _add(tmp_path, 2, slice(0, 1), pace=1.0, state="stopped", seconds=8.0),
        _add(tmp_path, 3, slice(0, 1), pace=1.0, state="failed", seconds=99.0),
    ]
    assert _chosen(tmp_path, *records).record == records[0]
    longer = _add(tmp_path, 4, slice(0, 40), 1.0, state="unfinished", best_epochs=(1, 1))
    assert _chosen(tmp_path, *records, longer).record == longer


def test_a_search_without_any_epoch_has_no_winner(tmp_path: Path) -> None:
    """It says what would help."""
    failed = Record(number=0, state="failed", message="x")
    for records in ([], [failed, Record(number=1)]):
        with pytest.raises(TrainingError, match="more time, a smaller network, or fewer examples"):
            _chosen(tmp_path, *records)
