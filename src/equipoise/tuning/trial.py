"""One trial: train a recipe on each fold, and stop when others are better or time is up."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from equipoise.adjustment import adjust
from equipoise.durations import format_duration
from equipoise.errors import InputError, TrainingError
from equipoise.fitting import Fit
from equipoise.metrics import is_as_trained, without_margins
from equipoise.pace import MEASURED_SECONDS, MEASURED_SHARE, measure_pace
from equipoise.runs import Run, leftovers
from equipoise.seeds import derive_seed
from equipoise.task import Task
from equipoise.tuning.examples import task_of
from equipoise.tuning.folds import Fold, folds_of
from equipoise.tuning.job import Job
from equipoise.tuning.records import (
    Record,
    fold_folder,
    read_held_out,
    read_record,
    require_seen,
    save_held_out,
)
from equipoise.tuning.scores import HeldOut
from equipoise.tuning.starts import MOST_STARTS, forget_starts, note_start
from equipoise.tuning.stopping import Rungs, Stop, Watch


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

    Raises
    ------
    UnseenFolder
        If the trial's folder is not there: it was made where the search runs.
    StudyLost
        If the study cannot be reached, which says nothing of the recipe.
    """
    require_seen(job.folder)
    known = read_record(job.folder) or job.record
    if known.state != "running":
        return known  # it had ended before a stop, and only the study was not told
    known.save(job.folder)
    trial = _Trial(job, known)
    try:
        _require_alive(note_start(job.folder))
        record = trial.run()
    except (InputError, TrainingError, MemoryError, RuntimeError) as error:
        record = replace(trial.record, state="failed", message=f"{type(error).__name__}: {error}")
    finally:
        forget_starts(job.folder)
    record = trial.timed(record)
    record.save(job.folder)
    if record.state != "running":
        clear(job.folder)
    return record


def _require_alive(starts: int) -> None:
    """Refuse a recipe that has ended its process, or it would be tried first at every resume."""
    if starts > MOST_STARTS:
        raise TrainingError(
            f"Its process has ended {MOST_STARTS} times in a row before it got any further. The "
            "system ends processes when memory runs out."
        )


class _Trial:
    """The state of a trial under way."""

    task: Task

    def __init__(self, job: Job, record: Record) -> None:
        self.job, self.record = job, record
        self.begun = time.monotonic()
        self.values: list[float] = []
        self.rungs = Rungs(job)

    def timed(self, record: Record) -> Record:
        """Return a record with the time that was spent until now."""
        return replace(record, seconds=self.record.seconds + time.monotonic() - self.begun)

    def run(self) -> Record:
        job = self.job
        self.task = task_of(job.data, job.base["validation"], job.data_hash)
        folds = folds_of(self.task, self.job.n_folds, self.job.seed)
        try:
            for number, fold in enumerate(folds):
                # The last fold that left something may have been stopped in its middle.
                if number < len(self.record.best_epochs) - 1:
                    self._recall(number)
                else:
                    self._train(number, fold)
        except Stop as stop:
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
        watch = Watch(job, self.rungs, fit.training, tuple(self.values))
        stop: BaseException | None = None
        try:
            ends = time.monotonic() + job.until - time.time()
            fit.run(
                observers=[watch],
                checkpoint=job.folder / f"fold{number}.safetensors",
                deadline=None if job.record.number else ends,
            )
            stop = Stop("unfinished") if fit.training.is_cut_short else None
        except (Stop, KeyboardInterrupt) as reason:
            stop = reason
            _take_best(fit)
        if fit.training.history:
            self._keep(fit, number, fold)
        if stop is not None:
            # Here, for what stops the program as well ends nothing in order.
            self.timed(self.record).save(job.folder)
            raise stop

    def _recall(self, number: int) -> None:
        held = read_held_out(self.job.folder, number)
        assert held is not None  # written before the record
        self.values.append(held.scores()[self.job.metric])

    def _set_length(self, fit: Fit) -> None:
        """Measure a pass, and choose how many epochs there is time for, if they are not given.

        Raises
        ------
        TrainingError
            If there is no time for one, unless the recipe is the prescription, which is always
            tried.
        """
        job, size, given = self.job, fit.settings.batch_size, self.job.params["epochs"]
        pace = measure_pace(fit, min(MEASURED_SECONDS, MEASURED_SHARE * job.seconds)).epoch
        seconds = job.seconds / job.n_folds
        unit = size.passes_an_epoch
        fitting = round(seconds / (pace * unit))
        if not fitting and job.record.number and given == "auto":
            raise TrainingError(
                f"One epoch takes {format_duration(pace)}, and there are "
                f"{format_duration(seconds)} for the whole training."
            )
        epochs = min(max(fitting, 1), job.most_epochs) if given == "auto" else given
        self.record = replace(self.record, pace=pace, epochs=epochs, unit=unit)
        self.record.save(job.folder)

    def _keep(self, fit: Fit, number: int, fold: Fold) -> None:
        """Keep the best epoch's predictions, and the model of the first fold or of each."""
        training = fit.training
        logits = fit.corrected(fit.model.logits(self.task.X, fold.validation))
        if self.job.keeps_folds and is_as_trained(fit.params["prior"]):
            # As an ensemble will pool them, see `equipoise.ensembles.Ensemble.logits`.
            logits = without_margins(logits, fit.margins)
        held = HeldOut(fold.validation, self.task.codes[fold.validation], logits)
        save_held_out(self.job.folder, number, held)
        # Of the history: a stage that is in its first epoch has selected none.
        best = max(row["epoch"] for row in training.history if row["best"])
        self.values.append(held.scores()[self.job.metric])
        best_epochs = (*self.record.best_epochs[:number], best)
        # With scores, so that a trial that is stopped by Ctrl-C can be taken where no other is.
        self.record = replace(self._ended("running"), best_epochs=best_epochs)
        if number == 0:
            Run(self.job.folder).write_history(training.history)
        if number == 0 or self.job.keeps_folds:
            place = fold_folder(self.job.folder, number)
            place.mkdir(exist_ok=True)
            fit.model.save(place)
            Run(place).write_json("network.json", fit.network)
            if fit.adjustment is not None:
                Run(place).write_json("posthoc.json", fit.adjustment.to_state())
        self.record.save(self.job.folder)


def _take_best(fit: Fit) -> None:
    """Leave the best weights in the network, as training does that ends by itself."""
    network = fit.training.network
    fit.training.take_best()
    if fit.settings.finetuning is not None:
        fit.settings.finetuning.merge(network)  # type: ignore[arg-type]
    network.eval()
    adjust(fit)


def clear(folder: Path) -> None:
    """Remove what a trial that has ended needs no more: checkpoints, and what a kill has left.

    Parameters
    ----------
    folder : Path
        The trial's folder, at which no process is any more.
    """
    forget_starts(folder)
    places = (folder, *filter(Path.is_dir, folder.glob("fold*")))
    half_written = [path for place in places for path in leftovers(place)]
    for path in (*folder.glob("fold*.safetensors"), *half_written):
        path.unlink(missing_ok=True)
