"""Laws of the study: what it remembers, and what it refuses."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from equipoise.errors import InputError
from equipoise.tuning.options import Options
from equipoise.tuning.study import Address, address_of, check_reached, journal, open_study

ACCURACY, LOSS = ["balanced_accuracy"], ["balanced_log_loss"]


def _ask(study: optuna.Study) -> tuple[optuna.Trial, float]:
    trial = study.ask()
    return trial, trial.suggest_float("x", 0.0, 1.0)


def test_a_study_is_there_again_after_it_was_closed(tmp_path: Path) -> None:
    """With all its trials: those that ended, and those that were under way."""
    study = open_study(journal(tmp_path), ACCURACY)
    _, first = _ask(study)
    study.tell(0, 0.5)
    _ask(study)
    again = open_study(journal(tmp_path), ACCURACY)
    assert [trial.state for trial in again.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    assert again.trials[0].params == {"x": first}
    assert again.best_value == 0.5


@pytest.mark.parametrize("other", [LOSS, ["accuracy"], [*ACCURACY, "seconds"]])
def test_a_study_refuses_other_metrics(other: list[str], tmp_path: Path) -> None:
    """The same one goes on; another one would read the scores of before as its own."""
    open_study(journal(tmp_path), ACCURACY)
    open_study(journal(tmp_path), ACCURACY)
    with pytest.raises(InputError, match="goes on for what it was begun for"):
        open_study(journal(tmp_path), other)


def test_directions_are_those_of_the_metrics(tmp_path: Path) -> None:
    """Shares shall be high, losses and seconds low."""
    metrics = ["g_mean", "log_loss", "seconds"]
    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    assert open_study(journal(tmp_path), metrics).directions == [up, down, down]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_resumed_study_does_not_repeat_its_draws(sampler: str, tmp_path: Path) -> None:
    """A new one of the same seed does, and one of another seed does not."""
    study = open_study(journal(tmp_path / "a"), ACCURACY, sampler=sampler, seed=3)
    drawn = [_ask(study)[1] for _ in range(3)]
    resumed = open_study(journal(tmp_path / "a"), ACCURACY, sampler=sampler, seed=3)
    assert not {_ask(resumed)[1] for _ in range(3)} & set(drawn)
    again = open_study(journal(tmp_path / "b"), ACCURACY, sampler=sampler, seed=3)
    assert [_ask(again)[1] for _ in range(3)] == drawn
    other = open_study(journal(tmp_path / "c"), ACCURACY, sampler=sampler, seed=4)
    assert _ask(other)[1] != drawn[0]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 2**32, 2**63])
def test_a_search_takes_every_seed_that_a_training_takes(
    seed: int, sampler: str, tmp_path: Path
) -> None:
    """When it is begun and when it goes on, though samplers take 32 bits; none is like another."""
    study = open_study(journal(tmp_path / "a"), ACCURACY, sampler=sampler, seed=seed)
    drawn = _ask(study)[1]
    resumed = open_study(journal(tmp_path / "a"), ACCURACY, sampler=sampler, seed=seed)
    assert _ask(resumed)[1] != drawn
    other = open_study(journal(tmp_path / "b"), ACCURACY, sampler=sampler, seed=seed % 2**32 + 1)
    assert _ask(other)[1] != drawn


def test_a_data_base_keeps_a_study_too(tmp_path: Path) -> None:
    """Under its name, of which there may be several."""
    address = Address(f"sqlite:///{tmp_path / 's.db'}", "mine")
    study = open_study(address, ACCURACY)
    _ask(study)
    assert len(address.load().trials) == 1
    assert not open_study(Address(address.storage, "other"), LOSS).trials


def test_a_data_base_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    """With its own words, and a way out."""
    for storage in (f"sqlite:///{tmp_path}/none/s.db", "nosuch://host/s"):
        with pytest.raises(InputError, match="data base that can be reached"):
            Address(storage).open()


@pytest.mark.parametrize(
    "storage", ["foo.db", "", "://", "://x", "mysql://u:secret@h:54x/db", "sqlite"]
)
def test_a_storage_that_is_no_url_is_refused(storage: str) -> None:
    """In three sentences, without the password that it may hold."""
    for use in (
        address_of,
        check_reached,
        lambda given: Options(budget=1, storage=given).validate(),
    ):
        with pytest.raises(InputError, match="must be the URL of a data base") as caught:
            use(storage)
        assert "secret" not in str(caught.value)


def test_whether_a_data_base_is_reached_is_asked_without_a_trace(tmp_path: Path) -> None:
    """Its folder must be there; no file is made."""
    check_reached(f"sqlite:///{tmp_path}/s.db")
    assert not list(tmp_path.iterdir())
    for storage in (f"sqlite:///{tmp_path}/none/s.db", "nosuch://host/s"):
        with pytest.raises(InputError, match="data base that can be reached"):
            check_reached(storage)


@pytest.mark.parametrize("n_bytes", [1, 20])
def test_a_journal_that_was_cut_in_its_last_line_goes_on(n_bytes: int, tmp_path: Path) -> None:
    """What that line would have told is not known; nothing else is lost, however often it goes on.

    A full disk or lost power leaves such a line; the one that is cut here gives a trial its value.
    """
    study = open_study(journal(tmp_path), ACCURACY)
    drawn = []
    for number in range(2):
        drawn.append({"x": _ask(study)[1]})
        study.tell(number, 0.5)
    path = Path(journal(tmp_path).storage)
    path.write_bytes(path.read_bytes()[:-n_bytes])
    for _ in range(2):
        again = open_study(journal(tmp_path), ACCURACY)
        assert [trial.state for trial in again.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
        assert [trial.params for trial in again.trials] == drawn
    again.tell(1, 0.75)
    assert open_study(journal(tmp_path), ACCURACY).best_value == 0.75


@pytest.mark.parametrize("line", ["{", "[]", "{}", "\xff", '{"op_code": 6, "worker_id": "a"}'])
def test_a_journal_that_is_damaged_elsewhere_is_refused(line: str, tmp_path: Path) -> None:
    """In words, when a search goes on and in a worker."""
    open_study(journal(tmp_path), ACCURACY).ask()
    path = Path(journal(tmp_path).storage)
    *before, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*before, line.encode("latin-1"), b"\n", last]))
    for use in (journal(tmp_path).load, lambda: open_study(journal(tmp_path), ACCURACY)):
        with pytest.raises(InputError, match="journal of a search must be as it was written"):
            use()


def test_a_journal_is_a_file_of_the_search(tmp_path: Path) -> None:
    """Its folder is made."""
    address = journal(tmp_path / "search")
    open_study(address, ACCURACY)
    assert Path(address.storage).parent == tmp_path / "search"
    assert Path(address.storage).stat().st_size > 0
