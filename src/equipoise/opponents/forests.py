"""Ensembles that draw equal numbers of every class: balanced random forest and EasyEnsemble."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
import pandas as pd

from equipoise._typing import IndexArray, LogitArray
from equipoise.opponents.contract import (
    FIRST_SHARE,
    LAST_SHARE,
    Answer,
    Limits,
    Opponent,
    Rows,
    log_probabilities,
    not_told,
)
from equipoise.opponents.searching import Fitted, Found, Params, search
from equipoise.packages import imported
from equipoise.seeds import derive_seed
from equipoise.specialized.resampling.base import legacy_seed

LEAST = 1e-4
"""Least probability of a class: a forest says 0 where none of its trees has met the class."""

Suggest = Callable[[optuna.Trial], dict[str, Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class UnderSampling(Opponent):
    """An ensemble of imbalanced-learn, each member of which sees equally many rows of all classes.

    Its probabilities are taken to contain the uniform prior; as members also see different rows
    and votes are averaged, that is an approximation.

    Parameters
    ----------
    name, summary, source : str
        As of `Opponent`.
    learner : str
        Name of the class in ``imblearn.ensemble``.
    suggest : callable
        Draws numbers to try.
    defaults : mapping of str to value
        Those of the first trial.
    fixed : mapping of str to value
        Arguments that stay.
    step : int or None, default=None
        Members that are trained between two looks at the clock; None: one for each thread, where
        what is trained does not depend on it.
    """

    learner: str
    suggest: Suggest
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    step: int | None = None

    def answer(
        self,
        rows: Rows,
        seed: int,
        *,
        limits: Limits,
        metric: str,
        search: bool,
        look: Callable[[], None] = not_told,
    ) -> Answer:
        """Return predictions of the ensemble."""
        imported("imblearn.ensemble")
        found = self._searched(rows, seed, limits, metric) if search else None
        params: Params = found.params if found else {}
        validation, _ = self._fitted(rows, params, seed, limits.share(FIRST_SHARE))
        last = self._grown(rows, rows.learnt, params, seed, limits.share(LAST_SHARE))
        look()
        return Answer(
            validation=validation,
            test=last.predicted(rows.test),
            prior=np.full(rows.n_classes, 1 / rows.n_classes),
            exact_prior=False,
            facts={
                "trials": found.trials if found else 1,
                "params": {**params, "n_estimators": len(last.model.estimators_)},
                "threads": limits.threads,
                "library": f"imbalanced-learn {importlib.import_module('imblearn').__version__}",
            },
        )

    def _searched(self, rows: Rows, seed: int, limits: Limits, metric: str) -> Found | None:
        return search(
            rows,
            seed,
            limits=limits,
            metric=metric,
            prior=np.full(rows.n_classes, 1 / rows.n_classes),
            defaults=self.defaults,
            suggest=self.suggest,
            fit=self._fitted,
        )

    def _fitted(self, rows: Rows, params: Params, seed: int, limits: Limits) -> Fitted:
        if not len(rows.validation):
            return np.empty((0, rows.n_classes)), {}
        return self._grown(rows, rows.train, params, seed, limits).predicted(rows.validation), {}

    def _grown(
        self, rows: Rows, learnt: IndexArray, params: Params, seed: int, limits: Limits
    ) -> "_Grown":
        X = as_numbers(rows.prepared, learnt)
        build = getattr(imported("imblearn.ensemble"), self.learner)
        model = build(**self.fixed, **params, random_state=seed, n_jobs=limits.threads)
        with _in_threads(limits):
            step, draws = self.step or limits.threads, None if self.step is None else seed
            grow(model, X[learnt], rows.codes[learnt], limits, step, draws)
        return _Grown(model, X, rows.n_classes, limits)


@dataclass(frozen=True, eq=False)
class _Grown:
    """An ensemble that is trained, and the table as it takes it."""

    model: Any
    X: np.ndarray
    n_classes: int
    limits: Limits

    def predicted(self, asked: IndexArray) -> LogitArray:
        with _in_threads(self.limits):
            proba = self.model.predict_proba(self.X[asked])
        return log_probabilities(proba, self.model.classes_, self.n_classes, LEAST)


def _in_threads(limits: Limits) -> Any:
    """Return the context in which an ensemble uses threads, not processes of its own.

    Threads share the rows; to processes joblib would send pickles of them.
    """
    return imported("joblib").parallel_config(backend="threading", n_jobs=limits.threads)


def grow(
    model: Any,
    X: np.ndarray,
    codes: np.ndarray,
    limits: Limits,
    step: int,
    seed: int | None = None,
) -> None:
    """Train an ensemble, a few members at a time, as many as there is time for.

    Steps do not follow from the clock: what a balanced random forest draws depends on them.

    Parameters
    ----------
    model : estimator
        An ensemble of scikit-learn's kind, with ``n_estimators`` and ``warm_start``.
    X, codes : ndarray
        Rows and classes.
    limits : Limits
        When the time is up.
    step : int
        Members that are trained between two looks at the clock, at least 1.
    seed : int or None, default=None
        Each step draws by a seed of its own that is derived from this one; None: all draw by the
        ensemble's. A balanced random forest that goes on skips one number for each tree it has,
        but has drawn two for each, so that with one seed many trees would be there twice.
    """
    wanted = model.n_estimators
    model.set_params(warm_start=True)
    for grown in range(step, wanted + step, step):
        model.set_params(n_estimators=min(grown, wanted))
        if seed is not None:
            model.set_params(random_state=legacy_seed(derive_seed(seed, "members", grown - step)))
        model.fit(X, codes)
        if limits.is_over:
            return


def as_numbers(prepared: pd.DataFrame, learnt: IndexArray) -> np.ndarray:
    """Return a table as numbers: codes of categories, and medians of learnt rows where missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, None, 3.0], "b": pd.Categorical(["x", "y", None])})
    >>> as_numbers(frame, np.array([0, 2]))
    array([[ 1.,  0.],
           [ 2.,  1.],
           [ 3., -1.]])
    """
    found = prepared.copy()
    for name in found.columns:
        if isinstance(found[name].dtype, pd.CategoricalDtype):
            found[name] = found[name].cat.codes.astype(float)
        else:
            finite = found[name].replace([np.inf, -np.inf], np.nan)
            middle = finite.iloc[learnt].median()
            found[name] = finite.fillna(0.0 if np.isnan(middle) else middle)
    return found.to_numpy(dtype=float)


def suggest_forest(trial: optuna.Trial) -> dict[str, Any]:
    """Return numbers of a balanced random forest."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 50, 500, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


def suggest_easy(trial: optuna.Trial) -> dict[str, Any]:
    """Return numbers of EasyEnsemble."""
    return {"n_estimators": trial.suggest_int("n_estimators", 5, 50, log=True)}
