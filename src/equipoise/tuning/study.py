"""The search's memory: an Optuna study that survives a kill and may be shared by machines."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from equipoise.errors import InputError
from equipoise.runs import refusal
from equipoise.seeds import derive_seed
from equipoise.selection import MONITORS

RUNGS = (1, 3, 9)
"""At these ninths of a full training recipes are compared, and most are stopped."""


@dataclass(frozen=True)
class Address:
    """Where a study is kept; travels to other processes.

    Parameters
    ----------
    storage : str
        Path of a journal file, or the URL of a data base that Optuna knows.
    name : str, default="equipoise"
        Name of the study in it.
    first_rung : int, default=1
        The first of `RUNGS` at which recipes are stopped.
    """

    storage: str
    name: str = "equipoise"
    first_rung: int = RUNGS[0]

    def open(self) -> BaseStorage:
        """Return the storage.

        Raises
        ------
        StudyLost
            If the data base cannot be reached, or the journal is damaged.
        """
        try:
            if "://" in self.storage:
                return RDBStorage(self.storage)
            return JournalStorage(JournalFileBackend(self.storage))
        except Exception as error:  # damage of a journal shows in many ways
            told = _unreached if "://" in self.storage else self._damaged
            raise told(error) from error

    def _damaged(self, error: Exception) -> "StudyLost":
        return StudyLost(
            "The journal of a search must be as it was written.",
            f"`{self.storage}` is damaged: {_first_line(error)}.",
            "Restore the file, or begin a new search with another --out.",
        )

    @property
    def public(self) -> str:
        """The storage without passwords: that of a URL is hidden, and its query is left out.

        >>> Address("postgresql://me:secret@host/db?sslpassword=secret").public
        'postgresql://me:***@host/db'
        """
        if "://" not in self.storage:
            return self.storage
        return _url(self.storage).set(query={}).render_as_string(hide_password=True)

    def load(self) -> optuna.Study:
        """Return the study as a worker sees it, which reports and compares."""
        return optuna.load_study(study_name=self.name, storage=self.open())


class StudyLost(InputError):  # noqa: N818 - says what happened
    """A study that was begun cannot be reached any more, or cannot be begun."""


@contextmanager
def answering() -> Iterator[None]:
    """Tell of a data base that does not answer.

    Raises
    ------
    StudyLost
        For what a data base raises within.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StudyLost(
            "The data base of a search must answer until the search has ended.",
            f"It does not: {_first_line(error.__cause__ or error)}.",
            "Go on with the same command and --resume once it does.",
        ) from error


def _unreached(error: Exception) -> StudyLost:
    return StudyLost(
        "The storage of a search must be the URL of a data base that can be reached, such as "
        "sqlite:///search.db.",
        f"It cannot be opened: {_first_line(error)}.",
        "Check the address, and --resume a search that was begun; without an address, a file in "
        "the run's folder is used.",
    )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def open_study(
    address: Address, metrics: Sequence[str], *, sampler: str = "tpe", seed: int = 0
) -> optuna.Study:
    """Open a study, or make it.

    No other process may be opening it, for a journal whose last line was cut is mended.

    Parameters
    ----------
    address : Address
        Where it is kept.
    metrics : sequence of str
        What is searched for, each of `MONITORS` or ``"seconds"``. With several there is no
        early stopping, for it is not clear which of them should decide.
    sampler : {"tpe", "random"}, default="tpe"
        How recipes are drawn.
    seed : int, default=0
        Seed of the draws, any whole number; another one is derived from it for each number of
        trials that the study has already, so that a resumed search does not repeat its draws.

    Raises
    ------
    InputError
        If the study is there, and for other metrics, or cannot be opened.
    """
    if "://" not in address.storage:
        _cut_to_whole_lines(address.storage)
    ways = optuna.study.StudyDirection
    directions = [ways.MAXIMIZE if MONITORS.get(m) else ways.MINIMIZE for m in metrics]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=address.name,
        storage=address.open(),
        directions=directions,
        load_if_exists=True,
    )
    known = study.user_attrs.get("metrics", list(metrics))
    if known != list(metrics):
        raise InputError(
            "A search goes on for what it was begun for.",
            f"It was {known} and is now {list(metrics)}.",
            "Give the same metric, or another --out.",
        )
    study.set_user_attr("metrics", list(metrics))
    n_known = len(study.get_trials(deepcopy=False))
    study.sampler = SAMPLERS[sampler](derive_seed(seed, "sampler", n_known) % 2**32)
    return study


def _cut_to_whole_lines(journal: str) -> None:
    """Remove the piece of a line that a writer left whose disk was full, or power went out.

    What it tells was never done. Optuna skips it, but would append the next line to it.
    """
    if not Path(journal).exists():
        return
    lock = JournalFileSymlinkLock(journal)
    lock.acquire()
    try:
        with Path(journal).open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()


def check_memory(
    study: optuna.Study, choices: Mapping[int, Mapping[str, Any]], folder: Path
) -> None:
    """Raise `InputError` if a study is not that of the trials in a folder.

    Parameters
    ----------
    study : Study
        What is remembered.
    choices : mapping of int to mapping
        What the search has chosen for each trial that is recorded, by its number.
    folder : Path
        Folder of the search.

    Raises
    ------
    InputError
        If the study lacks one of these trials, as where a data base was lost, or has another
        recipe under its number.
    """
    trials = study.get_trials(deepcopy=False)
    for number, chosen in choices.items():
        known = trials[number].params if number < len(trials) else None
        if known != dict(chosen):
            was = "no such trial" if known is None else "another recipe of that number"
            raise InputError(
                "A search goes on with the study that it was begun with.",
                f"`{folder}` has trial {number}, and its study has {was}.",
                "Restore the data base of --storage, or begin a new search with another --out.",
            )


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        # `group` is marked as experimental; without it conditional fields are drawn apart.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, multivariate=True, group=True, seed=seed
        )


STARTUP = 8
"""Recipes tried before the sampler draws from what it has seen."""

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": _tpe,
    "random": optuna.samplers.RandomSampler,
}
"""Ways to draw recipes once the first ones are tried, by the seed of the draws."""


def journal(folder: Path, first_rung: int = RUNGS[0]) -> Address:
    """Return the address of the file in which a search in a folder is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return Address(str(folder.absolute() / "journal.log"), first_rung=first_rung)


def _url(storage: str) -> URL:
    """Return the URL of a data base; what it holds is not repeated, for it may be a password."""
    try:
        return make_url(storage)
    except (ArgumentError, ValueError) as error:
        told = "has no scheme" if "://" not in storage else "cannot be read as a URL"
        raise InputError(
            "The storage of a search must be the URL of a data base, such as sqlite:///search.db.",
            f"What was given {told}.",
            "Write sqlite:///NAME.db for a file, or leave it out: a file in the run's folder is "
            "used.",
        ) from error


def check_reached(storage: str) -> None:
    """Raise `InputError` if a data base cannot be reached; nothing is written.

    Parameters
    ----------
    storage : str
        Its URL.

    Raises
    ------
    InputError
        If it is no URL, its driver is not installed, nothing answers, or its folder is not there.
    """
    address = address_of(storage)
    url = _url(address.storage)
    try:
        if url.get_backend_name() != "sqlite":
            create_engine(url).connect().close()
        elif url.database and (refused := refusal(Path(url.database).parent)) is not None:
            raise OSError(f"its folder is not there, or cannot be written to: {refused}")
    except Exception as error:
        raise _unreached(error) from error


def address_of(storage: str) -> Address:
    """Return the address of a data base; that of a file is the same from any working folder.

    Parameters
    ----------
    storage : str
        Its URL.

    Examples
    --------
    >>> address_of("sqlite:////home/me/search.db").storage
    'sqlite:////home/me/search.db'
    >>> address_of("sqlite:///search.db") == address_of(f"sqlite:///{Path.cwd()}/search.db")
    True

    Raises
    ------
    InputError
        If it is not of that form.
    """
    url = _url(storage)
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return Address(storage)
    absolute = url.set(database=str(Path(name).absolute()))
    return Address(absolute.render_as_string(hide_password=False))
