"""Searching the numbers of a learner for as long as there is time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from equipoise._typing import LogitArray
from equipoise.metrics import shift_logits
from equipoise.opponents.contract import Rows
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
    seconds: float,
    metric: str,
    prior: np.ndarray,
    defaults: Params,
    suggest: Callable[[optuna.Trial], dict[str, Any]],
    fit: Callable[[Rows, Params, int], Fitted],
) -> Found:
    """Search for a time by cross-validation; the first trial has the defaults.

    Parameters
    ----------
    rows : Rows
        The table; rows to learn from are cut into folds, those of validation included.
    seed : int
        Of folds and trials.
    seconds : float
        Time for search and final training.
    metric : str
        What is searched for, after correction to equal classes if these count alike in it.
    prior : ndarray, shape (classes,)
        Class probabilities that predictions contain.
    defaults : mapping of str to value
        Numbers of the first trial, of those that `suggest` asks for.
    suggest, fit : callable
        Draws numbers; trains with them and predicts the rows held out.
    """
    begun = time.monotonic()
    folds = cross_folds(rows.codes, rows.learnt, FOLDS, seed)
    direction = "maximize" if MONITORS[metric] else "minimize"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.enqueue_trial(dict(defaults))

    def judged(trial: optuna.Trial) -> float:
        params = suggest(trial)
        parts, found = [], []
        for fold in folds:
            logits, learnt = fit(rows.learning_from(fold.train, fold.validation), params, seed)
            parts.append(logits)
            found.append(learnt)
        trial.set_user_attr("learnt", _mean(found))
        even = np.full(rows.n_classes, 1 / rows.n_classes)
        held = np.concatenate([fold.validation for fold in folds])
        joined = np.concatenate(parts)
        used = shift_logits(joined, prior, even) if metric in BALANCED else joined
        return validation_scores(used, rows.codes[held])[metric]

    study.optimize(judged, timeout=max(FINAL_SHARE * seconds - (time.monotonic() - begun), 0.01))
    best = study.best_trial
    return Found(params={**best.params, **best.user_attrs["learnt"]}, trials=len(study.trials))


def _mean(found: list[Params]) -> dict[str, int]:
    return {
        name: max(1, round(float(np.mean([each[name] for each in found])))) for name in found[0]
    }
