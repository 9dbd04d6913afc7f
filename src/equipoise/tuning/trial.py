"""One trial: train a recipe on each fold, and stop when others are better or time is up."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from equipoise.durations import format_duration
from equipoise.errors import InputError, TrainingError
from equipoise.experiment import Experiment, prepare
from equipoise.fitting import Fit
from equipoise.pace import MEASURED_SECONDS, MEASURED_SHARE, measure_pace
from equipoise.progress import Progress
from equipoise.runs import Run
from equipoise.seeds import derive_seed
from equipoise.task import Task
from equipoise.training import Training
from equipoise.tuning.folds import Fold, folds_of
from equipoise.tuning.records import Record, read_held_out, read_record, save_held_out
from equipoise.tuning.scores import HeldOut
from equipoise.tuning.study import RUNGS, Address


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Everything that a worker needs to carry out a trial; it travels to another process.

    Parameters
    ----------
    record : Record
        The recipe.
    folder : Path
        The trial's folder.
    data : Experiment or Task
        Where the examples are, or they themselves.
    base : mapping of str to value
        Parameters of the prescription, which the recipe changes.
    n_folds : int
        Number of folds; 1: the single split.
    seconds : float
        Time of a full training, over all folds.
    most_epochs : int
        A training has at most so many epochs.
    metric : str
        What the recipe is judged by.
    seed : int
        Seed of folds and training; the same for all trials.
    until : float
        Time of `time.time` at which the search ends.
    address : Address or None
        Where the trial reports how it goes and asks whether to stop; None: nowhere.
    """

    record: Record
    folder: Path
    data: Experiment | Task
    base: Mapping[str, Any]
    n_folds: int
    seconds: float
    most_epochs: int
    metric: str
    seed: int
    until: float
    address: Address | None = None

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the classifier."""
        return {**self.base, **self.record.params}


_MANY = 1_000_000
"""Epochs from which it follows how many passes one is."""


class _Stop(Exception):  # noqa: N818 (no error)
    """Ends a training from within; its text is the state of the trial."""


def run_trial(job: Job) -> Record:
    """Carry out a trial, from its checkpoint on if it was stopped before.

    A recipe that cannot be trained is recorded as failed: the search goes on.

    Parameters
    ----------
    job : Job
        What to do.

    Returns
    -------
    Record
        What was found; it is in the trial's folder too.
    """
    begun = time.monotonic()
    known = read_record(job.folder) or job.record
    if known.state != "running":
        return known  # it had ended before a stop, and only the study was not told
    trial = _Trial(job, known)
    trial.record.save(job.folder)
    try:
        record = trial.run()
    except (InputError, TrainingError, MemoryError, RuntimeError) as error:
        record = replace(trial.record, state="failed", message=f"{type(error).__name__}: {error}")
    record = replace(record, seconds=record.seconds + time.monotonic() - begun)
    record.save(job.folder)
    _clear(job.folder)
    return record


class _Trial:
    """The state of a trial under way."""

    def __init__(self, job: Job, record: Record) -> None:
        self.job, self.record = job, record
        self.task = _task(job)
        self.values: list[float] = []
        self.report = _Report(job)

    def run(self) -> Record:
        folds = folds_of(self.task, self.job.n_folds, self.job.seed)
        try:
            for number, fold in enumerate(folds):
                # The last fold that left something may have been stopped in its middle.
                if number < len(self.record.best_epochs) - 1:
                    self._recall(number)
                else:
                    self._train(number, fold)
        except _Stop as stop:
            return self._ended(str(stop))
        return self._ended("complete")

    def _ended(self, state: Any) -> Record:
        held = read_held_out(self.job.folder)
        scores = {} if held is None else held.scores()
        return replace(self.record, state=state, scores=scores)

    def _train(self, number: int, fold: Fold) -> None:
        job = self.job
        task = replace(self.task, train=fold.train, validation=fold.validation)
        fit = Fit.prepare(task, job.params, derive_seed(job.seed, "fold", number))
        if not self.record.epochs:
            self._set_length(fit)
        fit = fit.lasting(self.record.epochs)
        watch = _Watch(self, number, fit.training)
        stop: BaseException | None = None
        try:
            fit.run(observers=[watch], checkpoint=job.folder / f"fold{number}.safetensors")
        except (_Stop, KeyboardInterrupt) as reason:
            stop = reason
            _take_best(fit)
        if fit.training.history:
            self._keep(fit, number, fold)
        if stop is not None:
            raise stop

    def _recall(self, number: int) -> None:
        held = read_held_out(self.job.folder, number)
        assert held is not None  # written before the record
        self.values.append(held.scores()[self.job.metric])

    def _set_length(self, fit: Fit) -> None:
        """Measure a pass, and choose how many epochs there is time for.

        Raises
        ------
        TrainingError
            If there is no time for one, unless the recipe is the prescription, which is always
            tried.
        """
        job, size = self.job, fit.settings.batch_size
        pace = measure_pace(fit, min(MEASURED_SECONDS, MEASURED_SHARE * job.seconds)).epoch
        seconds = job.seconds / job.n_folds
        unit = size.epochs(_MANY) / _MANY
        fitting = round(seconds / (pace * unit))
        if not fitting and job.record.number:
            raise TrainingError(
                f"One epoch takes {format_duration(pace)}, and there are "
                f"{format_duration(seconds)} for the whole training."
            )
        epochs = min(max(fitting, 1), job.most_epochs)
        self.record = replace(self.record, pace=pace, epochs=epochs, unit=unit)
        self.record.save(job.folder)

    def _keep(self, fit: Fit, number: int, fold: Fold) -> None:
        """Keep the best epoch's predictions, and the model of the first fold."""
        training = fit.training
        logits = training.corrected(fit.model.logits(self.task.X, fold.validation))
        held = HeldOut(fold.validation, self.task.codes[fold.validation], logits)
        save_held_out(self.job.folder, number, held)
        best = training.selection.best_epoch + 1
        self.values.append(held.scores()[self.job.metric])
        best_epochs = (*self.record.best_epochs[:number], best)
        # With scores, so that a trial that is stopped by Ctrl-C can be taken where no other is.
        self.record = replace(self._ended("running"), best_epochs=best_epochs)
        if number == 0:
            fit.model.save(self.job.folder)
            Run(self.job.folder).write_history(training.history)
        self.record.save(self.job.folder)


def _take_best(fit: Fit) -> None:
    """Leave the best weights in the network, as training does that ends by itself."""
    network = fit.training.network
    network.load_state_dict(fit.training.best)
    if fit.settings.finetuning is not None:
        fit.settings.finetuning.merge(network)  # type: ignore[arg-type]
    network.eval()


class _Watch:
    """Looks at the clock after each step, and at the others' scores at each rung."""

    def __init__(self, trial: _Trial, fold: int, training: Training) -> None:
        self.trial, self.fold, self.training = trial, fold, training

    def __call__(self, progress: Progress) -> None:
        if time.time() > self.trial.job.until:
            raise _Stop("unfinished")
        if progress.row is None or not progress.row["validation"]:
            return
        # Of the history, which a training that was stopped has from its checkpoint.
        best = self.training.history[self.training.selection.best_epoch]
        value = best["validation"][self.trial.job.metric]
        done = (self.fold + progress.epoch / progress.epochs) / self.trial.job.n_folds
        mean = float(np.mean([*self.trial.values, value]))
        if self.trial.report(done, mean) and done < 1:
            raise _Stop("stopped")


class _Report:
    """Tells the study how a trial goes, once at each rung."""

    def __init__(self, job: Job) -> None:
        self.trial: optuna.Trial | None = None
        self.told = 0
        if job.address is not None:
            study = job.address.load()
            known = study.get_trials(deepcopy=False)[job.record.number]
            self.trial = optuna.Trial(study, known._trial_id)  # as Optuna's own workers do
            self.told = max(known.intermediate_values, default=0)

    def __call__(self, done: float, value: float) -> bool:
        """Report at a new rung; return whether the trial should stop there."""
        rung = max((r for r in RUNGS if done * RUNGS[-1] >= r - 1e-9), default=0)
        if self.trial is None or rung <= self.told:
            return False
        self.told = rung
        self.trial.report(value, rung)
        return self.trial.should_prune()


_TASKS: dict[Path, Task] = {}


def _task(job: Job) -> Task:
    """Return the examples; a worker reads them once for all trials of a search."""
    if isinstance(job.data, Task):
        return job.data
    search = job.folder.parent
    if search not in _TASKS:
        _TASKS.clear()
        parts = prepare(job.data, job.base["validation"])
        _TASKS[search] = Task(
            X=parts.dataset.X,
            codes=parts.dataset.codes,
            n_classes=len(parts.dataset.classes),
            train=parts.train,
            validation=parts.validation,
            classes=parts.dataset.classes,
        )
    return _TASKS[search]


def _clear(folder: Path) -> None:
    """Remove checkpoints, which a trial that has ended needs no more."""
    for path in folder.glob("fold*.safetensors"):
        path.unlink()
