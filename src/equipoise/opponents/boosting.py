"""Gradient boosting: LightGBM and XGBoost, with and without class weights."""

import importlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import optuna

from equipoise._typing import IndexArray
from equipoise.opponents.contract import (
    Answer,
    Opponent,
    Rows,
    class_weights,
    contained_prior,
    log_probabilities,
)
from equipoise.opponents.searching import Fitted, Found, Params, search
from equipoise.packages import imported

MOST_TREES = 1000
"""Rounds of boosting, at most; early stopping on held-out rows takes fewer."""

PATIENCE = 50
"""Rounds without a better log-loss after which boosting stops."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Boosting(Opponent):
    """Base of boosting.

    Parameters
    ----------
    name, summary, source : str
        As of `Opponent`.
    power : float, default=0.0
        A row weighs by this negative power of its class's size; 1: classes weigh alike.
    """

    power: float = 0.0

    package: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}

    def answer(self, rows: Rows, seed: int, *, seconds: float, metric: str, search: bool) -> Answer:
        """Return predictions; the number of trees is chosen by early stopping."""
        imported(self.package)
        found = self._searched(rows, seed, seconds, metric) if search else None
        params = dict(found.params) if found else {}
        trees = params.pop("trees", None)
        validation, learnt = self._fitted(rows, params, seed)
        model, classes = self._train(rows, rows.learnt, params, trees or learnt["trees"], seed)
        test = model.predict_proba(rows.prepared.iloc[rows.test])
        return Answer(
            validation=validation,
            test=log_probabilities(test, classes, rows.n_classes),
            prior=contained_prior(rows.counts(rows.learnt), self.power),
            facts={
                "trials": found.trials if found else 1,
                "params": {**params, "trees": trees or learnt["trees"]},
                "library": f"{self.package} {importlib.import_module(self.package).__version__}",
            },
        )

    def _searched(self, rows: Rows, seed: int, seconds: float, metric: str) -> Found:
        return search(
            rows,
            seed,
            seconds=seconds,
            metric=metric,
            prior=contained_prior(rows.counts(rows.learnt), self.power),
            defaults=self.defaults,
            suggest=self._suggest,
            fit=self._fitted,
        )

    def _fitted(self, rows: Rows, params: Params, seed: int) -> Fitted:
        """Train on the training rows, stop early by the others, and predict these."""
        model, classes = self._train(rows, rows.train, params, None, seed)
        if not len(rows.validation):
            return np.empty((0, rows.n_classes)), {"trees": self._trees(model)}
        proba = model.predict_proba(rows.prepared.iloc[rows.validation])
        return log_probabilities(proba, classes, rows.n_classes), {"trees": self._trees(model)}

    def _train(
        self, rows: Rows, learnt: IndexArray, params: Params, trees: int | None, seed: int
    ) -> tuple[Any, np.ndarray]:
        """Return a trained model and the classes that it knows; without trees, stopped early."""
        classes, targets = np.unique(rows.codes[learnt], return_inverse=True)
        weights = class_weights(rows.counts(learnt), self.power)
        # Early stopping asks for classes that were learnt.
        held = rows.validation[np.isin(rows.codes[rows.validation], classes)]
        is_early = trees is None and len(held) > 0
        model = self._model(params, trees or (MOST_TREES if is_early else 100), len(classes), seed)
        told = {
            "X": rows.prepared.iloc[learnt],
            "y": targets,
            "sample_weight": weights[rows.codes[learnt]],
        }
        if is_early:
            X, codes = rows.prepared.iloc[held], rows.codes[held]
            judged = (X, np.searchsorted(classes, codes), weights[codes])
            return self._fit(model, told, judged), classes
        return self._fit(model, told, None), classes

    @abstractmethod
    def _model(self, params: Params, trees: int, n_classes: int, seed: int) -> Any:
        """Return an untrained model."""

    @abstractmethod
    def _fit(self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None) -> Any:
        """Return the model, trained; stopped early by the rows, classes and weights `judged`."""

    @abstractmethod
    def _trees(self, model: Any) -> int:
        """Return how many trees a model has that was stopped early."""

    @abstractmethod
    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Return numbers to try."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LightGBM(Boosting):
    """Gradient boosting by histograms and leaf-wise trees.

    Parameters
    ----------
    name, summary, source : str
        As of `Opponent`.
    power : float, default=0.0
        As of `Boosting`.
    """

    package: ClassVar[str] = "lightgbm"
    defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_child_samples": 20,
        "subsample": 1.0,
        "colsample_bytree": 1.0,
        "reg_lambda": 1e-3,
    }

    def _model(self, params: Params, trees: int, n_classes: int, seed: int) -> Any:
        del n_classes
        model = imported(self.package).LGBMClassifier
        fixed = {"subsample_freq": 1, "random_state": seed, "n_jobs": 1, "verbose": -1}
        return model(n_estimators=trees, **fixed, **params)

    def _fit(self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None) -> Any:
        if judged is None:
            return model.fit(**told)
        X, targets, weights = judged
        stop = imported(self.package).early_stopping(PATIENCE, verbose=False)
        named = {"eval_X": X, "eval_y": targets, "eval_sample_weight": [weights]}
        return model.fit(**told, **named, callbacks=[stop])

    def _trees(self, model: Any) -> int:
        return int(model.best_iteration_ or model.n_estimators)

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 256, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 1, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100.0, log=True),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class XGBoost(Boosting):
    """Gradient boosting by histograms and level-wise trees.

    Parameters
    ----------
    name, summary, source : str
        As of `Opponent`.
    power : float, default=0.0
        As of `Boosting`.
    """

    package: ClassVar[str] = "xgboost"
    defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 0.3,
        "max_depth": 6,
        "min_child_weight": 1.0,
        "subsample": 1.0,
        "colsample_bytree": 1.0,
        "reg_lambda": 1.0,
    }

    def _model(self, params: Params, trees: int, n_classes: int, seed: int) -> Any:
        model = imported(self.package).XGBClassifier
        loss = "mlogloss" if n_classes > 2 else "logloss"
        fixed = {"random_state": seed, "n_jobs": 1, "verbosity": 0, "eval_metric": loss}
        return model(n_estimators=trees, enable_categorical=True, **fixed, **params)

    def _fit(self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None) -> Any:
        if judged is None:
            return model.fit(**told)
        X, targets, weights = judged
        model.set_params(early_stopping_rounds=PATIENCE)
        named = {"eval_set": [(X, targets)], "sample_weight_eval_set": [weights]}
        return model.fit(**told, **named, verbose=False)

    def _trees(self, model: Any) -> int:
        stopped = getattr(model, "early_stopping_rounds", None)
        return int(model.best_iteration) + 1 if stopped else int(model.n_estimators)

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.5, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 12),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.01, 100.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100.0, log=True),
        }
