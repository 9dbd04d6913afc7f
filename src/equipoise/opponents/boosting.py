"""Gradient boosting: LightGBM and XGBoost, with and without class weights."""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import optuna

from equipoise._typing import IndexArray
from equipoise.opponents.contract import (
    FIRST_SHARE,
    LAST_SHARE,
    Answer,
    Limits,
    Opponent,
    Rows,
    class_weights,
    contained_prior,
    log_probabilities,
    not_told,
)
from equipoise.opponents.searching import Fitted, Found, Params, search
from equipoise.packages import imported

MOST_TREES = 1000
"""Rounds of boosting, at most; early stopping on held-out rows takes fewer."""

PATIENCE = 50
"""Rounds without a better log-loss after which boosting stops."""

UNJUDGED_TREES = 100
"""Rounds where no row is held out; the default of both libraries."""


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
        """Return predictions; the number of trees is chosen by early stopping."""
        imported(self.package)
        found = self._searched(rows, seed, limits, metric) if search else None
        params = dict(found.params) if found else {}
        trees = params.pop("trees", None)
        validation, learnt = self._fitted(rows, params, seed, limits.share(FIRST_SHARE))
        trees = trees or learnt["trees"]
        last = limits.share(LAST_SHARE)
        model, classes = self._train(rows, rows.learnt, params, trees, seed, last)
        look()
        test = model.predict_proba(rows.prepared.iloc[rows.test])
        return Answer(
            validation=validation,
            test=log_probabilities(test, classes, rows.n_classes),
            prior=contained_prior(rows.counts(rows.learnt), self.power),
            facts={
                "trials": found.trials if found else 1,
                "params": {**params, "trees": self._trees(model)},
                "threads": limits.threads,
                "library": f"{self.package} {importlib.import_module(self.package).__version__}",
            },
        )

    def _searched(self, rows: Rows, seed: int, limits: Limits, metric: str) -> Found | None:
        return search(
            rows,
            seed,
            limits=limits,
            metric=metric,
            prior=contained_prior(rows.counts(rows.learnt), self.power),
            defaults=self.defaults,
            suggest=self._suggest,
            fit=self._fitted,
        )

    def _fitted(self, rows: Rows, params: Params, seed: int, limits: Limits) -> Fitted:
        """Train on the training rows, stop early by the others, and predict these."""
        if not len(rows.validation):
            return np.empty((0, rows.n_classes)), {"trees": UNJUDGED_TREES}
        model, classes = self._train(rows, rows.train, params, None, seed, limits)
        proba = model.predict_proba(rows.prepared.iloc[rows.validation])
        return log_probabilities(proba, classes, rows.n_classes), {"trees": self._trees(model)}

    def _train(
        self,
        rows: Rows,
        learnt: IndexArray,
        params: Params,
        trees: int | None,
        seed: int,
        limits: Limits,
    ) -> tuple[Any, np.ndarray]:
        """Return a trained model and the classes that it knows; without trees, stopped early."""
        classes, targets = np.unique(rows.codes[learnt], return_inverse=True)
        weights = class_weights(rows.counts(learnt), self.power)
        # Early stopping asks for classes that were learnt.
        held = rows.validation[np.isin(rows.codes[rows.validation], classes)]
        is_early = trees is None and len(held) > 0
        most = trees or (MOST_TREES if is_early else UNJUDGED_TREES)
        fixed = {"random_state": seed, "n_jobs": limits.threads}
        model = self._model({**params, **fixed}, most, len(classes))
        told = {
            "X": rows.prepared.iloc[learnt],
            "y": targets,
            "sample_weight": weights[rows.codes[learnt]],
        }
        if is_early:
            X, codes = rows.prepared.iloc[held], rows.codes[held]
            judged = (X, np.searchsorted(classes, codes), weights[codes])
            return self._fit(model, told, judged, limits), classes
        return self._fit(model, told, None, limits), classes

    @abstractmethod
    def _model(self, params: Params, trees: int, n_classes: int) -> Any:
        """Return an untrained model."""

    @abstractmethod
    def _fit(
        self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None, limits: Limits
    ) -> Any:
        """Return the model, trained until its time is up.

        It is stopped early by the rows, classes and weights `judged`.
        """

    @abstractmethod
    def _trees(self, model: Any) -> int:
        """Return with how many trees a model predicts."""

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

    def _model(self, params: Params, trees: int, n_classes: int) -> Any:
        del n_classes
        model = imported(self.package).LGBMClassifier
        # Histograms by rows, and the same sums whatever the number of threads.
        fixed = {"subsample_freq": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}
        return model(n_estimators=trees, **fixed, **params)

    def _fit(
        self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None, limits: Limits
    ) -> Any:
        stop = _Stop(imported("lightgbm.callback").EarlyStopException, limits)
        if judged is None:
            return model.fit(**told, callbacks=[stop])
        X, targets, weights = judged
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


class _Stop:
    """Ends LightGBM's boosting: when its log-loss gets no better, or its time is up."""

    def __init__(self, ending: type[Exception], limits: Limits) -> None:
        self.order, self.before_iteration = 30, False  # after scores are recorded
        self.ending, self.limits = ending, limits
        self.best, self.least = 0, np.inf
        self.scores: list[Any] = []

    def __call__(self, env: Any) -> None:
        is_judged = bool(env.evaluation_result_list)
        value = env.evaluation_result_list[0].metric_value if is_judged else -env.iteration
        if value < self.least or not env.iteration:
            self.best, self.least = env.iteration, value
            self.scores = env.evaluation_result_list or []
        is_last = env.iteration + 1 == env.end_iteration
        if env.iteration - self.best >= PATIENCE or self.limits.is_over or is_last:
            raise self.ending(self.best, self.scores)


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

    def _model(self, params: Params, trees: int, n_classes: int) -> Any:
        model = imported(self.package).XGBClassifier
        loss = "mlogloss" if n_classes > 2 else "logloss"
        fixed = {"enable_categorical": True, "verbosity": 0, "eval_metric": loss}
        return model(n_estimators=trees, **fixed, **params)

    def _fit(
        self, model: Any, told: dict[str, Any], judged: tuple[Any, ...] | None, limits: Limits
    ) -> Any:
        model.set_params(callbacks=[_until(limits)])
        if judged is None:
            return model.fit(**told)
        X, targets, weights = judged
        model.set_params(early_stopping_rounds=PATIENCE)
        named = {"eval_set": [(X, targets)], "sample_weight_eval_set": [weights]}
        return model.fit(**told, **named, verbose=False)

    def _trees(self, model: Any) -> int:
        stopped = getattr(model, "early_stopping_rounds", None)
        booster = model.get_booster()
        return int(model.best_iteration) + 1 if stopped else int(booster.num_boosted_rounds())

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.5, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 12),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.01, 100.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100.0, log=True),
        }


def _until(limits: Limits) -> Any:
    """Return what ends XGBoost's boosting when its time is up, after two rounds at the earliest."""

    class Until(imported("xgboost.callback").TrainingCallback):
        # Of the callbacks the first that ends training is the last that is asked, so that early
        # stopping would know of no best round after the first one.
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model, evals_log
            return epoch > 0 and limits.is_over

    return Until()
