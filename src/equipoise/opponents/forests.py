"""Ensembles that draw equal numbers of every class: balanced random forest and EasyEnsemble."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
import pandas as pd

from equipoise._typing import IndexArray, LogitArray
from equipoise.opponents.contract import Answer, Opponent, Rows, log_probabilities
from equipoise.opponents.searching import Fitted, Params, search
from equipoise.packages import imported

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
    """

    learner: str
    suggest: Suggest
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, rows: Rows, seed: int, *, seconds: float, metric: str, search: bool) -> Answer:
        """Return predictions of the ensemble."""
        imported("imblearn.ensemble")
        params: Params = {}
        trials = 1
        if search:
            found = self._searched(rows, seed, seconds, metric)
            params, trials = found.params, found.trials
        return Answer(
            validation=self._predicted(rows, rows.train, rows.validation, params, seed),
            test=self._predicted(rows, rows.learnt, rows.test, params, seed),
            prior=np.full(rows.n_classes, 1 / rows.n_classes),
            facts={
                "trials": trials,
                "params": dict(params),
                "library": f"imbalanced-learn {importlib.import_module('imblearn').__version__}",
            },
        )

    def _searched(self, rows: Rows, seed: int, seconds: float, metric: str) -> Any:
        return search(
            rows,
            seed,
            seconds=seconds,
            metric=metric,
            prior=np.full(rows.n_classes, 1 / rows.n_classes),
            defaults=self.defaults,
            suggest=self.suggest,
            fit=self._fitted,
        )

    def _fitted(self, rows: Rows, params: Params, seed: int) -> Fitted:
        return self._predicted(rows, rows.train, rows.validation, params, seed), {}

    def _predicted(
        self, rows: Rows, learnt: IndexArray, asked: IndexArray, params: Params, seed: int
    ) -> LogitArray:
        if not len(asked):
            return np.empty((0, rows.n_classes))
        X = as_numbers(rows.prepared, learnt)
        build = getattr(imported("imblearn.ensemble"), self.learner)
        model = build(**self.fixed, **params, random_state=seed, n_jobs=1)
        model.fit(X[learnt], rows.codes[learnt])
        return log_probabilities(
            model.predict_proba(X[asked]), model.classes_, rows.n_classes, LEAST
        )


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
