"""Laws of what is compared: the same for all trials, whatever was stopped."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from equipoise.executors import Here
from equipoise.runs import Run
from equipoise.tuning.clock import Clock
from equipoise.tuning.observations import observe
from equipoise.tuning.records import Record, folder_of, read_records
from equipoise.tuning.starts import MOST_STARTS, note_start
from equipoise.tuning.trial import run_trial

METRIC = "balanced_log_loss"


def _trial(search: Path, number: int, losses: list[float], **changes: Any) -> Record:
    """Write a trial of nine epochs, one a score, the best so far kept."""
    rows = [
        {"epoch": k, "best": loss == min(losses[:k]), "validation": {METRIC: loss}}
        for k, loss in enumerate(losses, start=1)
    ]
    Run(folder_of(search, number)).write_history(rows)
    kept = {"number": number, "choices": {"head": str(number)}, "epochs": 9, "state": "stopped"}
    return Record(**{**kept, "scores": {METRIC: losses[-1]}, **changes})


def test_a_search_is_compared_by_what_its_trials_have_reported(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Of a real one, in which trials were stopped: the values that its study has of the rung."""
    search = searches.search(tmp_path, n_trials=7, most_epochs=6)
    with Here() as executor:
        search.run(executor, Clock(tmp_path, 1e6))
    records = read_records(tmp_path)
    assert {"stopped", "complete"} <= {record.state for record in records}
    seen = observe(tmp_path, records, "balanced_accuracy", 2)
    reported = [trial.intermediate_values[1] for trial in search.address.load().get_trials()[:7]]
    assert seen.basis == "first_rung"
    assert seen.choices == [record.choices for record in records]
    low, high = np.quantile(reported, [0.25, 0.75])
    fence = low - 1.5 * (high - low)
    assert seen.gains.tolist() == pytest.approx(np.maximum(reported, fence).tolist())


def test_stopped_trials_count_like_those_that_went_on(tmp_path: Path) -> None:
    """By the epoch that was kept at the rung, not by what came later, or at the stop."""
    records = [
        _trial(tmp_path, 0, [2.0, 1.5, 1.0], state="complete"),
        _trial(tmp_path, 1, [3.0]),
        _trial(tmp_path, 2, [2.5, 2.0], state="unfinished"),
    ]
    seen = observe(tmp_path, records, METRIC, n_folds=1)
    assert seen.gains.tolist() == [-2.0, -3.0, -2.5]


@pytest.mark.parametrize(
    ("n_folds", "gain"), [(1, -5.0), (2, -4.0), (3, -4.0), (5, -3.0), (20, -1.0)]
)
def test_the_rung_is_a_share_of_all_folds(n_folds: int, gain: float, tmp_path: Path) -> None:
    """Of the first one it takes more, the more there are; at most it as a whole."""
    losses = [5.0, 4.0, 6.0, 5.0, 3.0, 2.5, 2.0, 1.5, 1.0]
    seen = observe(tmp_path, [_trial(tmp_path, 0, losses)], METRIC, n_folds)
    assert seen.gains.tolist() == [gain]


def test_a_trial_that_did_not_reach_the_rung_is_left_out(tmp_path: Path) -> None:
    """So is one that failed before it; both count as tried."""
    records = [
        _trial(tmp_path, 0, [2.0, 1.0]),
        _trial(tmp_path, 1, [2.0], state="unfinished"),
        Record(number=2, state="failed", choices={"head": "2"}),
    ]
    seen = observe(tmp_path, records, METRIC, n_folds=2)
    assert [choice["head"] for choice in seen.choices] == ["0"]
    assert seen.n_tried == 3


def test_without_early_stopping_final_scores_are_compared(tmp_path: Path) -> None:
    """Of the trials that were trained in full."""
    records = [
        _trial(tmp_path, 0, [2.0, 1.5], state="complete"),
        _trial(tmp_path, 1, [3.0, 0.5], state="complete"),
        _trial(tmp_path, 2, [3.0], state="unfinished"),
    ]
    seen = observe(tmp_path, records, METRIC, n_folds=1)
    assert seen.basis == "final"
    assert seen.gains.tolist() == [-1.5, -0.5]


def test_a_recipe_that_diverged_is_drawn_in(tmp_path: Path) -> None:
    """To the fence; the others stay as they are, on the good side too."""
    losses = [1.0, 1.1, 1.2, 1.3, 900.0, 0.01]
    records = [_trial(tmp_path, k, [loss]) for k, loss in enumerate(losses)]
    seen = observe(tmp_path, records, METRIC, n_folds=1)
    low, high = np.quantile(losses, [0.25, 0.75])
    expected = [-loss for loss in losses]
    expected[4] = -(high + 1.5 * (high - low))
    assert seen.gains.tolist() == pytest.approx(expected)
    assert seen.n_drawn_in == 1


def test_scores_that_are_mostly_equal_are_left_alone(tmp_path: Path) -> None:
    """Where the quartiles are the same there is no fence."""
    records = [_trial(tmp_path, k, [loss]) for k, loss in enumerate([1.0] * 7 + [2.0])]
    seen = observe(tmp_path, records, METRIC, n_folds=1)
    assert seen.gains.tolist() == [-1.0] * 7 + [-2.0]
    assert seen.n_drawn_in == 0


def test_no_trials_are_no_scores(tmp_path: Path) -> None:
    """And no error."""
    assert observe(tmp_path, [], METRIC, n_folds=1).gains.tolist() == []


def test_only_what_has_diverged_counts_as_the_worst(searches: ModuleType, tmp_path: Path) -> None:
    """As trials record it: not what had no time for an epoch, or ended its process each time."""
    failed = tmp_path / "failed"
    base = {**searches.PARAMS, "optimizer": "SGD(lr=1e9)"}
    run_trial(searches.trial(folder_of(failed, 0), base=base))
    slow = Record(number=1)
    run_trial(searches.trial(folder_of(failed, 1), record=slow, seconds=1e-9))
    killed = searches.trial(folder_of(failed, 2), record=Record(number=2))
    for _ in range(MOST_STARTS):
        note_start(killed.folder)
    run_trial(killed)
    records = read_records(failed)
    assert [record.state for record in records] == ["failed"] * 3
    assert all(record.message.startswith("TrainingError: ") for record in records)
    known = [_trial(tmp_path, number, [1.0], state="complete") for number in range(3, 6)]
    seen = observe(tmp_path, [*records, *known], METRIC, n_folds=2)
    assert len(seen.choices) == 1 + len(known)


def test_a_recipe_that_diverged_is_as_bad_as_the_fence(tmp_path: Path) -> None:
    """It is no blank; a lost worker is one, for its recipe may be good."""
    records = [_trial(tmp_path, k, [1.0 + 0.1 * k], state="complete") for k in range(5)]
    diverged = "TrainingError: Training diverged: infinite or undefined weights in epoch 1."
    lost = "WorkerLost: A worker process was ended by SIGKILL."
    for number, message in enumerate((diverged, lost), start=5):
        choices = {"head": str(number)}
        records.append(Record(number=number, choices=choices, state="failed", message=message))
    seen = observe(tmp_path, records, METRIC, n_folds=1)
    assert [choice["head"] for choice in seen.choices] == list("012345")
    low, high = np.quantile(seen.gains[:5], [0.25, 0.75])
    assert seen.gains[5] == pytest.approx(low - 1.5 * (high - low))
    assert seen.n_drawn_in == 1
