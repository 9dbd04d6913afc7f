"""What tuned recipes are compared with on tables: boosting and networks of other libraries.

Each takes a table and returns logits of its test rows, with the class probabilities that these
contain. LightGBM is tuned for as long as the search of a recipe, judged by the same metric.
RealMLP comes from pytabkit, which need not be installed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from lightgbm import LGBMClassifier, early_stopping

from equipoise.metrics import shift_logits
from equipoise.opponents.contract import class_weights, contained_prior
from equipoise.selection import MONITORS, validation_scores
from equipoise.tuning.folds import Fold, cross_folds

FINAL_SHARE = 0.8
"""Share of the time that LightGBM is searched in; the rest is for its final training."""

optuna.logging.set_verbosity(optuna.logging.WARNING)

SMOOTHED = 0.1
"""Label smoothing among the defaults of RealMLP, which its logits contain."""

MOST_TREES = 1000
PATIENCE = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """A table that is cut in two.

    Parameters
    ----------
    X : DataFrame
        Numbers and categories.
    codes : ndarray of int
        Classes.
    pool, test : ndarray of int
        Rows to learn from, and to predict.
    n_classes : int
        Number of classes.
    """

    X: pd.DataFrame
    codes: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    n_classes: int

    @classmethod
    def of(cls, X: pd.DataFrame, **cut: Any) -> "Rows":
        """Return a table whose columns are numbers, or categories as LightGBM knows them."""
        numbers = X.select_dtypes("number").columns
        others = {name: X[name].astype("category") for name in X.columns.difference(numbers)}
        return cls(X=X.assign(**others), **cut)

    @property
    def counts(self) -> np.ndarray:
        """Rows of each class to learn from."""
        return np.bincount(self.codes[self.pool], minlength=self.n_classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """Logits of test rows, the class probabilities in them, and what is told of the training."""

    logits: np.ndarray
    prior: np.ndarray
    facts: Mapping[str, Any]


def boosted(rows: Rows, learnt: np.ndarray, params: Mapping[str, Any], seed: int) -> LGBMClassifier:
    """Return LightGBM, trained on some rows; `power` is that of the class weights."""
    own = dict(params)
    weights = class_weights(rows.counts, own.pop("power", 0.0))
    model = LGBMClassifier(**own, random_state=seed, n_jobs=1, verbose=-1)
    return model.fit(
        rows.X.iloc[learnt], rows.codes[learnt], sample_weight=weights[rows.codes[learnt]]
    )


def log_proba(model: Any, X: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Return log-probabilities of all classes, tiny for those that were not learnt."""
    logits = np.full((len(X), n_classes), np.log(1e-12))
    logits[:, model.classes_.astype(int)] = np.log(np.clip(model.predict_proba(X), 1e-12, 1))
    return logits


def lightgbm(rows: Rows, seed: int, *, power: float) -> Answer:
    """Train LightGBM with its defaults; a power of 1 makes classes weigh the same."""
    model = boosted(rows, rows.pool, {"power": power}, seed)
    logits = log_proba(model, rows.X.iloc[rows.test], rows.n_classes)
    return Answer(logits=logits, prior=contained_prior(rows.counts, power), facts={})


def tuned_lightgbm(rows: Rows, seed: int, *, seconds: float, metric: str, folds: int) -> Answer:
    """Tune LightGBM for a time, with class weights among what is searched, and train the best."""
    begun = time.monotonic()
    splits = cross_folds(rows.codes, rows.pool, max(folds, 3), seed)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    direction = "maximize" if MONITORS[metric] else "minimize"
    study = optuna.create_study(sampler=sampler, direction=direction)

    def judged(trial: optuna.Trial) -> float:
        params = _suggested(trial)
        logits, codes, trees = _out_of_fold(rows, splits, params, seed)
        trial.set_user_attr("trees", trees)
        return validation_scores(logits, codes)[metric]

    study.optimize(judged, timeout=FINAL_SHARE * seconds - (time.monotonic() - begun))
    best = study.best_trial
    params = {**best.params, "n_estimators": best.user_attrs["trees"], "subsample_freq": 1}
    model = boosted(rows, rows.pool, params, seed)
    logits = log_proba(model, rows.X.iloc[rows.test], rows.n_classes)
    facts = {"trials": len(study.trials), "validation": study.best_value, "params": params}
    return Answer(logits=logits, prior=contained_prior(rows.counts, params["power"]), facts=facts)


def _suggested(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 256, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 1, 100, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100.0, log=True),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-3, 10.0, log=True),
        "power": trial.suggest_categorical("power", [0.0, 0.5, 1.0]),
    }


def _out_of_fold(
    rows: Rows, folds: list[Fold], params: dict[str, Any], seed: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return logits for equal classes of held-out rows, their classes, and the number of trees."""
    own = {k: v for k, v in params.items() if k != "power"}
    weights = class_weights(rows.counts, params["power"])
    found, trees = [], []
    for fold in folds:
        model = LGBMClassifier(
            **own,
            n_estimators=MOST_TREES,
            subsample_freq=1,
            random_state=seed,
            n_jobs=1,
            verbose=-1,
        )
        held = fold.validation
        # Early stopping asks for classes that were learnt.
        judged = held[np.isin(rows.codes[held], rows.codes[fold.train])]
        model.fit(
            rows.X.iloc[fold.train],
            rows.codes[fold.train],
            sample_weight=weights[rows.codes[fold.train]],
            eval_X=rows.X.iloc[judged],
            eval_y=rows.codes[judged],
            eval_sample_weight=[weights[rows.codes[judged]]],
            callbacks=[early_stopping(PATIENCE, verbose=False)],
        )
        trees.append(model.best_iteration_ or MOST_TREES)
        found.append(log_proba(model, rows.X.iloc[held], rows.n_classes))
    even = np.full(rows.n_classes, 1 / rows.n_classes)
    logits = shift_logits(
        np.concatenate(found), contained_prior(rows.counts, params["power"]), even
    )
    codes = rows.codes[np.concatenate([fold.validation for fold in folds])]
    return logits, codes, max(1, round(float(np.mean(trees))))


def real_mlp(rows: Rows, seed: int) -> Answer:
    """Train RealMLP with the defaults of its authors."""
    from pytabkit import RealMLP_TD_Classifier  # noqa: PLC0415 (need not be there)

    model = RealMLP_TD_Classifier(random_state=seed, device="cpu", n_threads=1)
    numbers = rows.X.select_dtypes("number").columns  # of which it takes none that are missing
    X = rows.X.fillna(rows.X.iloc[rows.pool][numbers].median().fillna(0.0))
    model.fit(X.iloc[rows.pool], rows.codes[rows.pool])
    logits = log_proba(model, X.iloc[rows.test], rows.n_classes)
    prior = (1 - SMOOTHED) * contained_prior(rows.counts, 0.0) + SMOOTHED / rows.n_classes
    return Answer(logits=logits, prior=prior, facts={})


Opponent = Callable[[Rows, int], Answer]

OPPONENTS: dict[str, Opponent] = {
    "lightgbm": lambda rows, seed: lightgbm(rows, seed, power=0.0),
    "lightgbm, balanced weights": lambda rows, seed: lightgbm(rows, seed, power=1.0),
    "RealMLP": real_mlp,
}
"""Those that are not tuned."""
