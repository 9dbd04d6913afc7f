"""Laws of stopping: a recipe is compared at a rung with what came as far, by the scores there."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.exceptions import StorageInternalError

from equipoise.tuning.records import Record
from equipoise.tuning.stopping import Rungs, goes_on
from equipoise.tuning.study import RUNGS, Address, StudyLost, answering, journal, open_study

ACCURACY, LOSS = "balanced_accuracy", "balanced_log_loss"

Begin = Callable[..., Rungs]


@pytest.fixture
def begin(searches: ModuleType, tmp_path: Path) -> Begin:
    """Return what begins the next trial of a search, or goes on with one, as a worker sees it."""

    def begin(
        number: int | None = None, metric: str = ACCURACY, address: Address | None = None
    ) -> Rungs:
        place = address or journal(tmp_path)
        if number is None:
            number = open_study(place, [metric]).ask().number
        record, folder = Record(number=number), tmp_path / "trials" / str(number)
        return Rungs(searches.trial(folder, record=record, metric=metric, address=place))

    return begin


def _stops(rungs: Rungs, value: float, rung: int = 1) -> bool:
    """Let a trial come to a rung; return whether it ends there."""
    assert rungs.due(rung / RUNGS[-1]) == rung
    rungs.report(rung, value)
    return rungs.ends(rung / RUNGS[-1])


def test_the_worse_ones_are_stopped(begin: Begin) -> None:
    """Worked by hand: at a rung one in three goes on, and of the first two the better so far.

    0.5 is alone and 0.6 the best of two. Of three to five, one goes on, which 0.55 and 0.58 are
    not and 0.7 is. Of six (0.7, 0.6, 0.6, 0.58, 0.55, 0.5) two do, and 0.6 is as good as the
    second.
    """
    stopped = [_stops(begin(), value) for value in (0.5, 0.6, 0.55, 0.58, 0.7, 0.6)]
    assert stopped == [False, False, True, True, False, False]


def test_the_worse_ones_are_those_of_higher_loss(begin: Begin) -> None:
    """Of fewer than six one goes on: each that is lower than all before."""
    stopped = [_stops(begin(metric=LOSS), value) for value in (0.5, 0.6, 0.45, 0.48, 0.4)]
    assert stopped == [False, True, False, True, False]


def test_what_is_not_a_number_is_worse_than_any(begin: Begin) -> None:
    """It is stopped, even alone, and sets no bar."""
    assert not goes_on(np.nan, [np.nan])
    stopped = [_stops(begin(metric=LOSS), value) for value in (np.nan, 2.0, np.nan, 1.0)]
    assert stopped == [True, False, True, False]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("first_rung", [1, 3])
def test_where_no_rung_is_passed_over_optuna_decides_the_same(
    first_rung: int, direction: str, begin: Begin, tmp_path: Path
) -> None:
    """By its own successive halving, for thirty recipes that report at each rung they come to."""
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first_rung, reduction_factor=3)
    theirs = optuna.create_study(direction=direction, pruner=pruner)
    metric = ACCURACY if direction == "maximize" else LOSS
    address = journal(tmp_path, first_rung)
    values = np.random.default_rng(first_rung).integers(0, 12, (30, 2)) / 12
    n_stopped = 0
    for both in values:
        trial, rungs = theirs.ask(), begin(metric=metric, address=address)
        for rung, value in zip((1, 3), both, strict=True):
            trial.report(value, rung)
            is_stopped = _stops(rungs, value, rung)
            assert is_stopped == trial.should_prune()
            if is_stopped:
                n_stopped += 1
                break
    assert 10 < n_stopped < 30


def test_each_rung_has_its_own_competition(begin: Begin) -> None:
    """Worked by hand: 0.6 at 3/9 sets no bar at 1/9, and 0.65 is compared with it at 3/9 alone."""
    assert not _stops(begin(), 0.6, rung=3)
    first, second = begin(), begin()
    assert not _stops(first, 0.5, rung=1)
    assert _stops(second, 0.4, rung=1)
    assert not _stops(first, 0.65, rung=3)
    assert _stops(begin(), 0.62, rung=3)


def test_a_rung_that_was_passed_over_is_no_competition(begin: Begin) -> None:
    """Late scores of slow recipes are no bar for early ones of fast recipes, nor the reverse."""
    for value in (0.80, 0.82, 0.81):
        _stops(begin(), value, rung=3)
    fast = begin()
    assert not _stops(fast, 0.70, rung=1)
    assert _stops(fast, 0.75, rung=3)
    for value in (0.90, 0.91, 0.92):
        _stops(begin(), value, rung=1)
    assert not _stops(begin(), 0.83, rung=3)


def test_a_search_of_an_earlier_version_goes_on_by_the_scores_at_each_rung(
    begin: Begin, tmp_path: Path
) -> None:
    """Optuna's successive halving had noted late scores at the rungs before them, too."""
    study = open_study(journal(tmp_path), [ACCURACY])
    study.pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    for value in (0.80, 0.82, 0.81):
        trial = study.ask()
        trial.report(value, 3)
        trial.should_prune()
    assert study.trials[0].system_attrs["completed_rung_0"] == 0.80
    assert not _stops(begin(), 0.70, rung=1)
    assert _stops(begin(), 0.79, rung=3)


@pytest.mark.parametrize(("rung", "is_last"), [(1, False), (9, True)])
def test_none_is_judged_before_the_first_rung_or_at_the_end(
    rung: int, is_last: bool, begin: Begin, tmp_path: Path
) -> None:
    """Its score is told all the same."""
    address = journal(tmp_path, first_rung=3)
    for value in (0.9, 0.1):
        assert not _stops(begin(address=address), value, rung)
    told = [trial.intermediate_values for trial in open_study(address, [ACCURACY]).trials]
    assert told == [{rung: 0.9}, {rung: 0.1}]
    assert begin(0, address=address).due(1.0) == (0 if is_last else 9)


def test_a_trial_that_was_judged_is_not_judged_again(begin: Begin) -> None:
    """Gone on with after a stop, it ends or goes on as it would have; others came there since."""
    assert not _stops(begin(), 0.5)
    assert _stops(begin(), 0.4)
    for value in (0.6, 0.7, 0.3):
        _stops(begin(), value)
    assert [begin(number).ends(1 / 9) for number in range(5)] == [False, True, False, False, True]
    # At its rung, not before: of an earlier checkpoint the way there is trained again.
    assert not begin(1).ends(0.5 / 9)
    assert begin(1).due(1 / 9) == 0


def test_a_trial_that_was_killed_before_its_judgement_is_judged(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its score was told, and no more; what is found then stays."""
    assert not _stops(begin(), 0.5)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "set_user_attr", killed)
        for value in (0.4, 0.6):
            with pytest.raises(KeyboardInterrupt):
                _stops(begin(), value)
    for _ in range(2):
        assert [begin(number).ends(1 / 9) for number in (1, 2)] == [True, False]


@pytest.mark.parametrize("fails", ["report", "set_user_attr"])
@pytest.mark.parametrize("error", [StorageInternalError("locked"), OSError("disk full")])
def test_a_study_that_does_not_answer_stops_no_trial(
    fails: str, error: Exception, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad moment of a data base says nothing of a recipe; it is warned of, and over then."""
    assert not _stops(begin(), 0.5)
    rungs = begin()

    def failing(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, fails, failing)
        with pytest.warns(UserWarning, match=f"Trial 1 could not be .* at 1/9 .*{error}"):
            assert not _stops(rungs, 0.4)
    assert rungs.due(1 / 9) == 0
    assert not _stops(begin(), 0.9, rung=3)
    assert _stops(rungs, 0.8, rung=3)


def test_without_an_address_nothing_is_told(searches: ModuleType, tmp_path: Path) -> None:
    """As with several metrics."""
    rungs = Rungs(searches.trial(tmp_path))
    assert rungs.due(1.0) == 0
    assert not rungs.ends(1.0)


def test_what_a_data_base_raises_is_told_in_words() -> None:
    """With its own reason, not that of the layer above it."""
    with pytest.raises(StudyLost, match=r"must answer .* locked\. .*--resume"), answering():
        raise StorageInternalError("invalid data?") from OSError("database is locked\nmore")
