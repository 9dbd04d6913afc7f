"""What ends a trial before its time: the clock, Ctrl-C, and other recipes that do better."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from equipoise.progress import Progress
from equipoise.training import Training
from equipoise.tuning.job import Job
from equipoise.tuning.study import RUNGS

HALT = "halt"
"""A file in the folder of a search while its trials shall stop."""


def halt(search: Path) -> None:
    """Have all trials of a search stop after their next step, as by Ctrl-C, wherever they run."""
    (search / HALT).touch()


def lift_halt(search: Path) -> None:
    """Let trials run again."""
    (search / HALT).unlink(missing_ok=True)


class Stop(Exception):  # noqa: N818 (no error)
    """Ends a training from within; its text is the state of the trial."""


class Rungs:
    """Tells the study how a trial goes, once at each rung.

    Parameters
    ----------
    job : Job
        The trial; without an address nothing is told.
    """

    def __init__(self, job: Job) -> None:
        self.trial: optuna.Trial | None = None
        self.told = 0
        if job.address is not None:
            study = job.address.load()
            known = study.get_trials(deepcopy=False)[job.record.number]
            self.trial = optuna.Trial(study, known._trial_id)  # as Optuna's own workers do
            self.told = max(known.intermediate_values, default=0)

    def report(self, done: float, value: float) -> bool:
        """Report at a new rung; return whether the trial should stop there.

        Parameters
        ----------
        done : float
            Share of the full training.
        value : float
            The score.
        """
        rung = max((r for r in RUNGS if done * RUNGS[-1] >= r - 1e-9), default=0)
        if self.trial is None or rung <= self.told:
            return False
        self.told = rung
        self.trial.report(value, rung)
        return self.trial.should_prune()


@dataclass(frozen=True, eq=False)
class Watch:
    """Looks at the clock after each step, and at the others' scores at each rung.

    Parameters
    ----------
    job : Job
        The trial.
    rungs : Rungs
        Where it reports.
    training : Training
        The training of this fold.
    before : sequence of float
        Scores of the folds before.
    """

    job: Job
    rungs: Rungs
    training: Training
    before: Sequence[float]

    def __call__(self, progress: Progress) -> None:
        """Raise `Stop` if the trial ends here."""
        # Of the prescription at least a part of an epoch is trained, for a model to be there.
        if time.time() > self.job.until and (self.training.history or self.job.record.number):
            raise Stop("unfinished")
        if (self.job.search / HALT).exists():
            raise Stop("running")
        if progress.row is None or not progress.row["validation"]:
            return
        # Of the history, which a training that was stopped has from its checkpoint.
        best = self.training.history[self.training.selection.best_epoch]
        values = [*self.before, best["validation"][self.job.metric]]
        done = (len(self.before) + progress.epoch / progress.epochs) / self.job.n_folds
        is_worse = self.rungs.report(done, float(np.mean(values)))
        # The prescription goes on, for all others are compared with it.
        if is_worse and done < 1 and self.job.record.number:
            raise Stop("stopped")
