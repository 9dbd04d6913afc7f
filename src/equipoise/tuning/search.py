"""The search: draw recipes, have them tried, and stop in time."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from equipoise.executors import Executor, WorkerLost
from equipoise.experiment import Experiment
from equipoise.task import Task
from equipoise.tuning.clock import Clock
from equipoise.tuning.job import Job
from equipoise.tuning.records import (
    Record,
    UnseenFolder,
    folder_of,
    read_record,
    read_records,
    remove_models,
    require_kept,
)
from equipoise.tuning.space import Role, suggest
from equipoise.tuning.stopping import halt, lift_halt
from equipoise.tuning.study import Address, StudyLost, answering, check_memory, open_study
from equipoise.tuning.trial import clear, run_trial

Watcher = Callable[[Record], None]
"""Told of each trial that has ended."""

GRACE_SECONDS = 10.0
"""After Ctrl-C, trials in other processes have so long to keep what they have.

When the time is up, they have so long to end by themselves, and then as long again.
"""

GRACE_SHARE = 0.25
"""Or so much of the time that is kept for what comes after the search, if that is more."""

MOST_FAILURES = 10
"""After so many failures in a row no other recipe is tried: something else must be wrong."""

STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "unfinished": TrialState.PRUNED,
    "failed": TrialState.PRUNED,
}
"""What the study is told of how a trial ended.

The sampler takes no notice of what has failed, and would draw a rate that diverges again and
again; one that was stopped before it reported anything is the worst of all to it. Only what a lost
worker was at has failed to the study.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """A search that is set up, ready to run.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    data : Experiment or Task
        Where the examples are, or they themselves.
    data_hash : str, default=""
        By which a worker knows that it has read the same, see `equipoise.tuning.examples`.
    base : mapping of str to value
        Parameters of the prescription.
    roles : sequence of Role
        The space.
    first : sequence of mapping
        Recipes that are tried first, as names and values of the space.
    metrics : sequence of str
        What is searched for; the first decides which recipe is taken.
    n_folds : int
        Number of folds of a trial.
    seconds : float
        Time of a full training, over all folds.
    most_epochs : int
        A full training has at most so many epochs.
    n_trials : int or None, default=None
        At most so many recipes are tried; None: as many as there is time for.
    sampler : {"tpe", "random"}, default="tpe"
        How recipes are drawn once the first ones are tried.
    seed : int, default=0
        Seed of everything random.
    keeps_folds : bool, default=False
        Whether the models of all folds are kept, not that of the first alone.
    address : Address
        Where the study is kept.
    """

    folder: Path
    data: Experiment | Task
    base: Mapping[str, Any]
    roles: Sequence[Role]
    first: Sequence[Mapping[str, Any]]
    metrics: Sequence[str]
    n_folds: int
    seconds: float
    most_epochs: int
    address: Address
    data_hash: str = ""
    n_trials: int | None = None
    sampler: str = "tpe"
    seed: int = 0
    keeps_folds: bool = False

    def run(self, executor: Executor, clock: Clock, watchers: Sequence[Watcher] = ()) -> None:
        """Try recipes until the time is up; what was under way at a stop is gone on with.

        Parameters
        ----------
        executor : Executor
            Where trials run.
        clock : Clock
            Says when the time is up.
        watchers : sequence of callable
            Told of each trial that has ended.

        Raises
        ------
        InputError
            If workers do not see the folder, or the study does not answer; what was under way is
            gone on with when the search is resumed.
        """
        with clock.running(), answering():
            _Loop(self, executor, clock, watchers).run()


@dataclass(eq=False)
class _Loop:
    search: Search
    executor: Executor
    clock: Clock
    watchers: Sequence[Watcher]
    study: optuna.Study = field(init=False)
    running: dict[Future[Record], Record] = field(init=False, default_factory=dict)
    first: list[dict[str, Any]] = field(init=False)
    failures: int = field(init=False, default=0)
    stopped: list[int] = field(init=False, default_factory=list)
    is_any_complete: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        search = self.search
        # Each time all, for a stop may have come before; those that the study has, are skipped.
        self.first = [dict(point) for point in search.first]
        self.study = open_study(
            search.address, search.metrics, sampler=search.sampler, seed=search.seed
        )

    def run(self) -> None:
        lift_halt(self.search.folder)
        try:
            self._begin()
            while (self.running and not self._is_overdue) or self._may_begin_another():
                while len(self.running) < self.executor.workers and self._may_begin_another():
                    self._submit(self._drawn())
                self._wait(1)
            self._give_up()
        except KeyboardInterrupt:
            self._halt()
            raise

    @property
    def _is_overdue(self) -> bool:
        """Whether the time is up for so long that trials should have ended by themselves."""
        return self.clock.left < -max(GRACE_SECONDS, GRACE_SHARE * self.clock.reserve)

    def _give_up(self) -> None:
        """Halt what still runs, and record as lost what does not answer or was never begun."""
        if not self.running:
            return
        self._halt()
        self.executor.close()  # so that no worker writes any more
        for begun in self.running.values():
            self._note(
                _lost(self.search.folder, begun, _overdue(self.search.folder, begun)), is_lost=True
            )
        self.running.clear()

    def _wait(self, seconds: float) -> None:
        done, _ = wait(self.running, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._tell(self.running.pop(future), future)

    def _halt(self) -> None:
        """Let trials that run elsewhere keep what they have; those that do not answer are left."""
        halt(self.search.folder)
        ends = time.monotonic() + GRACE_SECONDS
        while self.running and time.monotonic() < ends:
            self._wait(0.1)

    def _begin(self) -> None:
        """Take up what a stop has interrupted."""
        folder = self.search.folder
        known = {record.number: record for record in read_records(folder)}
        choices = {number: record.choices for number, record in known.items()}
        check_memory(self.study, choices, folder)
        trials = self.study.get_trials(deepcopy=False)
        self.is_any_complete = any(trial.state == TrialState.COMPLETE for trial in trials)
        self._clear_ended(known.values())
        for trial in trials:
            if trial.state == TrialState.RUNNING:
                again = optuna.Trial(self.study, trial._trial_id)
                self._submit(known.get(trial.number) or _record(self.search, again))

    def _may_begin_another(self) -> bool:
        limit, trials = self.search.n_trials, self.study.get_trials(deepcopy=False)
        begun = sum(trial.state != TrialState.WAITING for trial in trials)
        is_hopeless = self.failures >= MOST_FAILURES
        return self.clock.left > 0 and not is_hopeless and (limit is None or begun < limit)

    def _drawn(self) -> Record:
        """Draw the next recipe: the first ones in their order, then what the sampler says.

        One at a time is put in the queue of the study, so that none waits there when time is up.
        """
        while self.first and not self._is_any_waiting:
            self.study.enqueue_trial(self.first.pop(0), skip_if_exists=True)
        return _record(self.search, self.study.ask())

    @property
    def _is_any_waiting(self) -> bool:
        trials = self.study.get_trials(deepcopy=False)
        return any(trial.state == TrialState.WAITING for trial in trials)

    def _submit(self, record: Record) -> None:
        search = self.search
        folder = folder_of(search.folder, record.number).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        job = Job(
            record=record,
            folder=folder,
            data=search.data,
            data_hash=search.data_hash,
            base=search.base,
            n_folds=search.n_folds,
            seconds=search.seconds,
            most_epochs=search.most_epochs,
            metric=search.metrics[0],
            seed=search.seed,
            keeps_folds=search.keeps_folds,
            until=self.clock.until,
            address=search.address if len(search.metrics) == 1 else None,
        )
        self.running[self.executor.submit(run_trial, job)] = record

    def _tell(self, begun: Record, future: Future[Record]) -> None:
        error = future.exception()
        if isinstance(error, UnseenFolder | StudyLost):
            raise error
        if error is not None:
            self._note(_lost(self.search.folder, begun, error), is_lost=True)
        elif future.result().state != "running":
            require_kept(future.result(), folder_of(self.search.folder, begun.number))
            self._note(future.result())
        # Else it was halted, and is gone on with when the search is resumed.

    def _note(self, record: Record, *, is_lost: bool = False) -> None:
        """Tell the study and the watchers of a trial that has ended."""
        values = [record.scores.get(m, record.pace) for m in self.search.metrics]
        is_complete = record.state == "complete"
        state = TrialState.FAIL if is_lost and not is_complete else STATES[record.state]
        self.study.tell(
            record.number, values if is_complete else None, state, skip_if_finished=True
        )
        self._clear(record)
        self.failures = self.failures + 1 if record.state == "failed" else 0
        for watcher in self.watchers:
            watcher(record)

    def _clear(self, record: Record) -> None:
        """Remove the models of recipes that were stopped, once one was trained in full."""
        self.is_any_complete |= record.state == "complete"
        self.stopped += [record.number] * (record.state != "complete")
        if self.is_any_complete:
            for number in self.stopped:
                remove_models(folder_of(self.search.folder, number))
            self.stopped.clear()

    def _clear_ended(self, known: Iterable[Record]) -> None:
        """Remove what a kill of the search, or of a trial, has left of recipes that had ended."""
        for record in known:
            if record.state != "running":
                clear(folder_of(self.search.folder, record.number))
                self._clear(record)


def _record(search: Search, trial: optuna.Trial) -> Record:
    params = suggest(trial, search.roles)
    return Record(number=trial.number, choices=trial.params, params=params)


def _lost(search: Path, begun: Record, error: BaseException) -> Record:
    """Record a trial whose worker has ended without a result, unless its record has the end."""
    folder = folder_of(search, begun.number)
    known = read_record(folder) or begun
    if known.state == "running":
        known = replace(known, state="failed", message=f"{type(error).__name__}: {error}")
        known.save(folder)
    clear(folder)
    return known


def _overdue(search: Path, begun: Record) -> WorkerLost:
    """Return what is said of a trial that was still open when the search had to end."""
    if read_record(folder_of(search, begun.number)) is None:
        return WorkerLost(
            "No worker had begun it when the time of the search was up: they were busy, or more "
            "threads are asked for than a machine has."
        )
    return WorkerLost("Its worker did not answer when the time of the search was up.")
