"""What ends a trial before its time: the clock, Ctrl-C, and other recipes that do better."""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from equipoise.progress import Progress
from equipoise.training import Training
from equipoise.tuning.job import Job
from equipoise.tuning.scores import gain
from equipoise.tuning.study import RUNGS, StudyLost, answering

REDUCTION = 3
"""One recipe in so many is trained three times as long."""

JUDGED = "judged"
"""What the study keeps of a trial: the rung where it was compared last, and if others were better.
"""

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


def goes_on(own: float, gains: Sequence[float]) -> bool:
    """Return whether a recipe goes on at a rung: whether it is in the best third of those there.

    Asynchronous successive halving [1]_: of n recipes that have come so far, n / 3 go on, rounded
    down, but one at least.

    Parameters
    ----------
    own : float
        Its score at the rung, turned so that higher is better; not a number is worse than any.
    gains : sequence of float
        Those of all that have a score at this rung, its own among them.

    References
    ----------
    .. [1] L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020,
       algorithm 2.

    Examples
    --------
    >>> [goes_on(own, [0.7, 0.6, 0.6, 0.58, 0.55, 0.5]) for own in (0.7, 0.6, 0.58)]
    [True, True, False]
    """
    known = sorted((each for each in gains if not math.isnan(each)), reverse=True)
    return bool(known) and own >= known[max(len(known) // REDUCTION, 1) - 1]


class Rungs:
    """Tells the study how a trial goes, once at each rung, and compares it with what came there.

    A rung that lies within an epoch of the recipe is passed over: the recipe has no score there,
    so it neither sets the bar nor is judged. What was found is kept in the study, so that a trial
    that is gone on with is not judged again by what came later.

    Parameters
    ----------
    job : Job
        The trial; without an address nothing is told.

    Raises
    ------
    StudyLost
        If the study cannot be reached.
    """

    def __init__(self, job: Job) -> None:
        self.job, self.told, self.is_outdone = job, 0, False
        self.trial: optuna.Trial | None = None
        if job.address is None:
            return
        with answering():
            study = job.address.load()
            known = study.get_trials(deepcopy=False)[job.record.number]
            self.trial = optuna.Trial(study, known._trial_id)  # as Optuna's own workers do
            self.told = max(known.intermediate_values, default=0)
            rung, is_outdone = known.user_attrs.get(JUDGED, (0, False))
            # A kill may have come between the report and the judgement.
            self.is_outdone = is_outdone if rung == self.told else self._judge(self.trial)

    def due(self, done: float) -> int:
        """Return the rung that is reached and was not told yet; 0: none.

        Parameters
        ----------
        done : float
            Share of the full training.
        """
        rung = max((rung for rung in RUNGS if _is_at(rung, done)), default=0)
        return rung if self.trial is not None and rung > self.told else 0

    def report(self, rung: int, value: float) -> None:
        """Report the score at a rung that is due; where the study does not answer, go on."""
        assert self.trial is not None  # or none was due
        self.told, self.is_outdone = rung, False
        try:
            with answering():
                self.trial.report(value, rung)
                self.is_outdone = self._judge(self.trial)
        except (StudyLost, OSError) as error:
            warnings.warn(
                f"Trial {self.job.record.number} could not be compared with others at "
                f"{rung}/{RUNGS[-1]} of its training and goes on: {error}",
                stacklevel=2,
            )

    def ends(self, done: float) -> bool:
        """Return whether the trial is where others were better; see `due` for the parameter."""
        return self.is_outdone and _is_at(self.told, done)

    def _judge(self, trial: optuna.Trial) -> bool:
        """Return whether others were better at the rung that was told last, and keep that."""
        address, rung, metric = self.job.address, self.told, self.job.metric
        if address is None or not address.first_rung <= rung < RUNGS[-1]:
            return False
        gains = {
            each.number: gain(each.intermediate_values[rung], metric)
            for each in trial.study.get_trials(deepcopy=False)
            if rung in each.intermediate_values
        }
        is_outdone = not goes_on(gains[trial.number], list(gains.values()))
        trial.set_user_attr(JUDGED, [rung, is_outdone])
        return is_outdone


def _is_at(rung: int, done: float) -> bool:
    return done * RUNGS[-1] >= rung - 1e-9


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

    def __call__(self, _: Progress) -> None:
        """Raise `Stop` if the trial ends here."""
        # Of the prescription at least a part of an epoch is trained, for a model to be there.
        if time.time() > self.job.until and (self.training.history or self.job.record.number):
            raise Stop("unfinished")
        if (self.job.search / HALT).exists():
            raise Stop("running")
        history, rungs = self.training.history, self.rungs
        done = (len(self.before) + len(history) / self.training.epochs) / self.job.n_folds
        # After each step, for a stop may have come before the last epoch was told of.
        if (rung := rungs.due(done)) and history and history[-1]["validation"]:
            best = [row for row in history if row["best"]][-1]
            values = [*self.before, best["validation"][self.job.metric]]
            rungs.report(rung, float(np.mean(values)))
        # The prescription goes on, for all others are compared with it.
        if rungs.ends(done) and self.job.record.number:
            raise Stop("stopped")
