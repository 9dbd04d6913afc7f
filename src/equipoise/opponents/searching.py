"""Searching the numbers of a learner for as long as there is time."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from equipoise._typing import LogitArray
from equipoise.errors import InputError
from equipoise.metrics import shift_logits
from equipoise.opponents.contract import Limits, Rows
from equipoise.selection import MONITORS, validation_scores
from equipoise.tuning.folds import cross_folds
from equipoise.tuning.scores import BALANCED

FINAL_SHARE = 0.8
"""Share of the time that is searched in; the rest is for the final training."""

FOLDS = 3
"""Folds by which numbers are judged."""

Params = Mapping[str, Any]
Fitted = tuple[LogitArray, Params]
"""Log-probabilities of the held-out rows, and numbers that training has found, such as trees."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search has found.

    Parameters
    ----------
    params : dict
        The best numbers, those that training has found included.
    trials : int
        How many were tried.
    """

    params: Params
    trials: int


def search(  # noqa: PLR0913 (each is a part of the search)
    rows: Rows,
    seed: int,
    *,
    limits: Limits,
    metric: str,
    prior: np.ndarray,
    defaults: Params,
    suggest: Callable[[optuna.Trial], dict[str, Any]],
    fit: Callable[[Rows, Params, int, Limits], Fitted],
) -> Found | None:
    """Search by cross-validation, for a time or a number of trials; the first has the defaults.

    A trial is not begun where it and the final training would take longer than there is left, if
    they take as long as the trials before. Where the first fold of the first trial shows that not
    even that one fits, there is no search: None.

    Parameters
    ----------
    rows : Rows
        The table; rows to learn from are cut into folds, those of validation included.
    seed : int
        Of folds and trials.
    limits : Limits
        Time of search and final training, and the number of trials; one of both must be limited.
    metric : str
        What is searched for, after correction to equal classes if these count alike in it.
    prior : ndarray, shape (classes,)
        Class probabilities that predictions contain.
    defaults : mapping of str to value
        Numbers of the first trial, of those that `suggest` asks for.
    suggest, fit : callable
        Draws numbers; trains with them within limits and predicts the rows held out.

    Raises
    ------
    InputError
        If neither the time nor the number of trials is limited.
    """
    _require_end(limits)
    seconds, each = limits.left, limits.share(FINAL_SHARE)
    folds = cross_folds(rows.codes, rows.learnt, FOLDS, seed)
    held = np.concatenate([fold.validation for fold in folds])
    study = _study(metric, seed, defaults)
    spent: list[float] = []

    def judged(trial: optuna.Trial) -> float:
        params = suggest(trial)
        parts, found = [], []
        for number, fold in enumerate(folds):
            begun = time.monotonic()
            cut = rows.learning_from(fold.train, fold.validation)
            logits, learnt = fit(cut, params, seed, each.share(1 / (FOLDS - number)))
            parts.append(logits)
            found.append(learnt)
            if not spent and number == 0:
                _require_time(time.monotonic() - begun, limits)
        trial.set_user_attr("learnt", _mean(found))
        even, joined = np.full(rows.n_classes, 1 / rows.n_classes), np.concatenate(parts)
        used = shift_logits(joined, prior, even) if metric in BALANCED else joined
        return validation_scores(used, rows.codes[held])[metric]

    while may_begin_another(spent, limits, seconds):
        begun = time.monotonic()
        study.optimize(judged, n_trials=1)
        spent.append(time.monotonic() - begun)
        if study.trials[-1].state == optuna.trial.TrialState.PRUNED:
            return None
    best = study.best_trial
    return Found(params={**best.params, **best.user_attrs["learnt"]}, trials=len(study.trials))


def _require_end(limits: Limits) -> None:
    if limits.n_trials is None and math.isinf(limits.ends):
        raise InputError(
            "A search ends by its time or by its number of trials.",
            "Neither is limited.",
            "Give one of them.",
        )


def _study(metric: str, seed: int, defaults: Params) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    direction = "maximize" if MONITORS[metric] else "minimize"
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.enqueue_trial(dict(defaults))
    return study


def _require_time(fold: float, limits: Limits) -> None:
    """Give the first trial up if its other folds and the final training take longer than is left.

    Two trainings follow, on all rows to learn from instead of two thirds of them.
    """
    if limits.left < (FOLDS - 1 + 2 * FOLDS / (FOLDS - 1)) * fold:
        raise optuna.TrialPruned


def may_begin_another(spent: Sequence[float], limits: Limits, seconds: float) -> bool:
    """Return whether there is another trial: the first always is.

    Parameters
    ----------
    spent : sequence of float
        Seconds of each trial before.
    limits : Limits
        Time and number of trials.
    seconds : float
        Time that there was before the first.

    Examples
    --------
    Of ten seconds, five are left: enough for a trial of one second and a final training, and too
    little for a trial of three.

    >>> limits = Limits(ends=time.monotonic() + 5)
    >>> may_begin_another([1.0], limits, 10.0), may_begin_another([3.0], limits, 10.0)
    (True, False)
    """
    if not spent:
        return True
    if limits.n_trials is not None and len(spent) >= limits.n_trials:
        return False
    if math.isinf(limits.ends):
        return True
    # The final trainings take about as long as a trial.
    trial = float(np.mean(spent))
    final = max((1 - FINAL_SHARE) * seconds, trial)
    return limits.left >= trial + final


def _mean(found: list[Params]) -> dict[str, int]:
    return {
        name: max(1, round(float(np.mean([each[name] for each in found])))) for name in found[0]
    }
