"""How a search is laid out: what it is judged by, how long a trial is, how many folds it has."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.defaults import Choice
from equipoise.durations import format_duration
from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.pace import LONGER, measure_pace, paced, seconds_to_judge
from equipoise.runs import Run
from equipoise.selection import MONITORS
from equipoise.shapes import ANY, NUMBER, TEXT, TEXT_OR_NULL, WHOLE
from equipoise.task import Task
from equipoise.tuning.division import FULL_TRAININGS, search_time
from equipoise.tuning.files import read_shaped, require_sound
from equipoise.tuning.folds import choose_n_folds, held_out_counts, unjudged
from equipoise.tuning.options import SECONDS
from equipoise.tuning.records import Record
from equipoise.tuning.scores import choose_metric
from equipoise.tuning.study import RUNGS

NAME = "layout.json"
"""The file, in the folder of the search."""

ENOUGH_TRAININGS = 10
"""With time for fewer trainings of the prescription there is little to choose from."""

PLANNED_SHARE = 0.85
"""The final training is planned for this share of what is left: epochs may turn out slower."""

MOST_EPOCHS = 2
"""A trial has at most so many times the epochs of the prescription."""

EARLIEST = 3
"""Recipes are not compared before so many epochs: the first ones tell divergence, not quality."""

BUDGET = "design of the search"
"""Where numbers come from that no measurement of ours supports yet."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a search is laid out.

    Parameters
    ----------
    metrics : tuple of str
        What is searched for; the first decides.
    n_folds : int
        Folds of a trial; 1: the single split.
    seconds : float
        Time of a full training, over all folds.
    epochs : int
        Epochs of the prescription.
    longest : int
        Epochs that the prescription would be trained for with time enough.
    first_rung : int
        The first of `equipoise.tuning.study.RUNGS` at which recipes are stopped.
    reserve : float
        Seconds that are kept for what comes after the search.
    choices : tuple of Choice
        Why.
    predicting : float, default=0.0
        Seconds that the prescription takes to predict all examples that are predicted at the end.
    judging : float, default=0.0
        Seconds of the metrics of these predictions.
    telling : float, default=0.0
        Seconds that are kept to tell what mattered.
    alone : bool, default=False
        The prescription alone is trained, and taken as its trial leaves it: in the time for
        trials it could not even be trained once.
    backbone : str or None, default=None
        The narrower network that it has then, if too few epochs of the prescribed one fit.
    """

    metrics: tuple[str, ...]
    n_folds: int
    seconds: float
    epochs: int
    longest: int
    first_rung: int
    reserve: float
    choices: tuple[Choice, ...]
    predicting: float = 0.0
    judging: float = 0.0
    telling: float = 0.0
    alone: bool = False
    backbone: str | None = None

    def after(self, predictions: float = 1.0) -> float:
        """Return the seconds that follow training.

        Parameters
        ----------
        predictions : float, default=1.0
            How many times the prescription's time predictions take: those of several models
            are made one after the other, and a slow network takes longer.
        """
        return predictions * self.predicting + self.judging + self.telling

    @property
    def most_epochs(self) -> int:
        """A trial has at most so many epochs."""
        return MOST_EPOCHS * self.epochs


def stored_layout(folder: Path) -> Layout | None:
    """Return how the search in a folder was laid out; None if it has not begun.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if not Run(folder).has(NAME):
        return None
    found = read_shaped(folder, NAME, _SHAPE)
    require_sound(folder, NAME, _fault(found))
    choices = tuple(Choice(**choice) for choice in found["choices"])
    return Layout(**{**found, "metrics": tuple(found["metrics"]), "choices": choices})


_SHAPE = {
    "metrics": [TEXT],
    **dict.fromkeys(("n_folds", "epochs", "longest", "first_rung"), WHOLE),
    **dict.fromkeys(("seconds", "reserve", "predicting", "judging", "telling", "alone"), NUMBER),
    "choices": [{"field": TEXT, "value": ANY, "reason": TEXT, "source": TEXT}],
    "backbone": TEXT_OR_NULL,
}


def _fault(found: Mapping[str, Any]) -> str | None:
    """Return what no layout of the right shape can hold; None: nothing is wrong."""
    first, *others = found["metrics"] or [""]
    unknown = [first] * (first not in MONITORS)
    unknown += [name for name in others if name not in (*MONITORS, SECONDS)]
    if unknown:
        return f"metrics hold {unknown[0]!r}"
    too_small = [name for name in ("n_folds", "epochs", "longest") if found[name] < 1]
    too_small += ["first_rung"] * (found["first_rung"] not in RUNGS)
    return f"{too_small[0]} is {found[too_small[0]]}" if too_small else None


def store_layout(folder: Path, layout: Layout) -> None:
    """Keep how a search is laid out, for one that is resumed must not be laid out anew."""
    Run(folder).write_json(NAME, asdict(layout))


def lay_out(
    fit: Fit,
    budget: float,
    metrics: Sequence[str] | None = None,
    n_folds: int | None = None,
    *,
    n_predicted: int = 0,
    ensemble: int = 1,
) -> Layout:
    """Return how to search in a given time.

    Parameters
    ----------
    fit : Fit
        The prescription, prepared; a few of its steps are timed.
    budget : float
        Seconds that there are.
    metrics : sequence of str or None, default=None
        What to search for; None: what the number of held-out examples allows.
    n_folds : int or None, default=None
        Folds of a trial; None: by the size of the rarest class and the time.
    n_predicted : int, default=0
        Examples that are predicted and judged at the end, for which time is kept.
    ensemble : int, default=1
        Recipes that are combined at most, and predict one after the other, by a model for each
        fold; 1: time is kept for a final training of one recipe instead.

    Raises
    ------
    InputError
        If there cannot be so many folds.
    """
    task, epochs, kind = fit.task, fit.settings.epochs, fit.task.facts["kind"]
    longer = LONGER[kind] if any(choice.field == "epochs" for choice in fit.choices) else 1
    pace = measure_pace(fit, min(2.0, 0.02 * budget))
    whole = pace.epoch * fit.settings.batch_size.epochs(epochs)
    after = n_predicted * pace.prediction, seconds_to_judge(fit, n_predicted)
    final = 1.2 * longer * whole if ensemble == 1 else 0.0
    search, _ = search_time(budget, kind, final, sum(after), whole)
    folds, why_folds = _folds(task, n_folds, search / whole)
    later = (folds * ensemble if ensemble > 1 else 1) * after[0] + after[1]
    search, telling = search_time(budget, kind, final, later, folds * whole)
    if alone := ensemble == folds == 1 and search < whole:
        search, telling = sum(search_time(budget, kind, 0.0, later, whole)), 0.0
    network = _narrower(fit, search) if alone else None
    metric, why_metric = choose_metric(held_out_counts(task, folds))
    names = tuple(metrics) if metrics else (metric,)
    seconds = search if alone else min(search / FULL_TRAININGS[kind], folds * whole)
    first_rung, why_rung = first_rung_of(seconds, pace.epoch, folds)
    told = {
        "metric": (", ".join(names), "as given" if metrics else why_metric),
        "folds": (folds, why_folds),
        **_not_judged(task, folds),
        **({} if alone else _trial(fit, seconds, whole, folds)),
        "stopping": _stopping(names, first_rung, why_rung),
        "reserve": (format_duration(budget - search), "kept for what comes after the trials"),
        **(_alone(whole, network) if alone else _short(budget, whole)),
    }
    return Layout(
        metrics=names,
        n_folds=folds,
        seconds=seconds,
        epochs=epochs,
        longest=longer * epochs,
        first_rung=first_rung,
        reserve=budget - search,
        choices=tuple(Choice(k, value, why, BUDGET) for k, (value, why) in told.items()),
        predicting=after[0],
        judging=after[1],
        telling=telling,
        alone=alone,
        backbone=None if network is None else str(network.value),
    )


def _not_judged(task: Task, n_folds: int) -> dict[str, tuple[str, str]]:
    """Return which classes no recipe is judged by, and why, if there are any."""
    if not (names := unjudged(task, n_folds)):
        return {}
    why = "no example of them is held out, so scores and the choice of a recipe say nothing of them"
    return {"not judged": (", ".join(names), why)}


def _stopping(metrics: Sequence[str], first_rung: int, why: str) -> tuple[str, str]:
    """Return from when on recipes are stopped, and why."""
    if len(metrics) > 1:
        return "none", "with several metrics it is not clear which of them should stop a recipe"
    return f"from {first_rung}/{RUNGS[-1]} of a training on", why


def _alone(whole: float, network: Choice | None) -> dict[str, tuple[str, str]]:
    """Return that nothing is searched, and why, and with which network if with another."""
    why = (
        f"one training of the prescription takes {format_duration(whole)} here, longer than there "
        "would be for trials beside a final training, so nothing is searched: it is trained for "
        "as long as there is time"
    )
    told = {"trials": ("1", why)}
    return told if network is None else {**told, "network": (str(network.value), network.reason)}


def _narrower(fit: Fit, seconds: float) -> Choice | None:
    """Return the narrower network of which more epochs fit into a time; None: none is needed."""
    paced_fit, _ = paced(fit, time.monotonic() + seconds, 0)
    before, after = ({c.field: c for c in own.choices} for own in (fit, paced_fit))
    if after.get("backbone") == before.get("backbone"):
        return None
    return after["backbone"]


def _short(budget: float, whole: float) -> dict[str, tuple[str, str]]:
    """Return that there is little time, and what it is enough for; nothing where there is enough.

    Parameters
    ----------
    budget : float
        Seconds that there are.
    whole : float
        Seconds that a training of the prescription takes.
    """
    if budget >= ENOUGH_TRAININGS * whole:
        return {}
    trainings = math.floor(10 * budget / whole) / 10
    why = (
        f"one training of the prescription takes {format_duration(whole)} here, so there is time "
        f"for {trainings:.1f} of them; with fewer than {ENOUGH_TRAININGS} there is little to "
        "choose from, and `equipoise fit` with this budget may do better"
    )
    return {"budget": (format_duration(max(budget, 0.0)), why)}


def _trial(fit: Fit, seconds: float, whole: float, n_folds: int) -> dict[str, tuple[str, str]]:
    """Return how long a full training of a recipe is, and why.

    Parameters
    ----------
    fit : Fit
        The prescription.
    seconds : float
        Time of a training, over all folds, where epochs are not given.
    whole : float
        Seconds that the prescription takes for a fold.
    n_folds : int
        Folds.
    """
    epochs, takes = fit.settings.epochs, f"{format_duration(whole)} a fold here"
    if fit.params["epochs"] != "auto":
        why = (
            f"every recipe has the {epochs} epochs that are given; the prescription's take {takes}"
        )
        return {"trial": (format_duration(n_folds * whole), why)}
    why = (
        "a full training of every recipe takes this long; the prescription's "
        f"{epochs} epochs take {takes}"
    )
    fewer = max(1, round(seconds / (n_folds * whole) * epochs))
    why = why if fewer >= epochs else f"{why}, so it has about {fewer} of them in a trial"
    return {"trial": (format_duration(seconds), why)}


def first_rung_of(seconds: float, pace: float, n_folds: int) -> tuple[int, str]:
    """Return where recipes are first compared, and why.

    Parameters
    ----------
    seconds : float
        Time of a full training, over all folds.
    pace : float
        Seconds of an epoch of the prescription.
    n_folds : int
        Folds of a trial.

    Returns
    -------
    rung : int
        One of `equipoise.tuning.study.RUNGS`.
    reason : str
        In words.
    """
    # Folds are trained one after the other, so the first rung lies within the first of them.
    at_first = min(seconds * RUNGS[0] / RUNGS[-1], seconds / n_folds) / pace
    if at_first >= EARLIEST:
        return RUNGS[0], f"the prescription has had {at_first:.0f} epochs by then"
    return RUNGS[1], f"at {RUNGS[0]}/{RUNGS[-1]} it has had fewer than {EARLIEST} epochs"


def _folds(task: Task, n_folds: int | None, trainings: float) -> tuple[int, str]:
    """Return folds as given, or as classes and the time for trials allow, and why."""
    held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
    counts = task.counts + held
    if n_folds is None:
        return choose_n_folds(counts, held, trainings)
    most = int(counts.max())
    if n_folds == 1 and not len(task.validation):
        raise InputError(
            "Recipes are judged by examples that are held out.",
            "There is one fold, and no validation part.",
            "Give more folds, or leave out --validation 0.",
        )
    if not 1 <= n_folds <= most:
        raise InputError(
            f"Every fold must hold out an example, so there are from 1 to {most} folds here.",
            f"It was asked for {n_folds}.",
            "Leave it out, or give for example 5.",
        )
    return n_folds, "as given"


def final_epochs(layout: Layout, record: Record, left: float) -> int:
    """Return the epochs of the final training.

    Parameters
    ----------
    layout : Layout
        How the search was laid out.
    record : Record
        The recipe that is taken.
    left : float
        Seconds that are left for it.

    Returns
    -------
    int
        The mean best epoch, as a share of the longest training of the prescription or of the
        trial's, if that is longer; fewer where there is no time. 0: not even one fits, or the
        prescription alone was trained, for all the time there was.
    """
    if layout.alone:
        return 0
    # A fold is learnt from by one part in n less than all examples are.
    pace = record.pace * (layout.n_folds / (layout.n_folds - 1) if layout.n_folds > 1 else 1)
    longest = max(record.epochs, layout.longest)
    fitting = int(PLANNED_SHARE * left / (pace * record.unit))
    return min(max(round(record.best_share * longest), 1), max(fitting, 0))
