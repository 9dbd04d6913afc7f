"""Learners of other libraries, for tables: what a comparison must be open to lose against."""

from equipoise.opponents.boosting import LightGBM, XGBoost
from equipoise.opponents.contract import Answer as Answer
from equipoise.opponents.contract import Limits as Limits
from equipoise.opponents.contract import Opponent as Opponent
from equipoise.opponents.contract import Rows as Rows
from equipoise.opponents.forests import UnderSampling, suggest_easy, suggest_forest

_ALIKE = " Classes weigh alike."

OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for opponent in (
        LightGBM(
            name="lightgbm",
            summary="Gradient boosting by LightGBM.",
            source="Ke et al. 2017",
        ),
        LightGBM(
            name="lightgbm-balanced",
            summary="Gradient boosting by LightGBM." + _ALIKE,
            source="Ke et al. 2017",
            power=1.0,
        ),
        XGBoost(
            name="xgboost",
            summary="Gradient boosting by XGBoost.",
            source="Chen and Guestrin 2016",
        ),
        XGBoost(
            name="xgboost-balanced",
            summary="Gradient boosting by XGBoost." + _ALIKE,
            source="Chen and Guestrin 2016",
            power=1.0,
        ),
        UnderSampling(
            name="balanced-forest",
            summary="A random forest whose trees see equally many rows of all classes.",
            source="Chen et al. 2004",
            learner="BalancedRandomForestClassifier",
            suggest=suggest_forest,
            defaults={"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.5},
            fixed={"sampling_strategy": "all", "replacement": True, "bootstrap": False},
            step=10,
        ),
        UnderSampling(
            name="easy-ensemble",
            summary="Boosted ensembles, each on equally many rows of all classes.",
            source="Liu et al. 2009",
            learner="EasyEnsembleClassifier",
            suggest=suggest_easy,
            defaults={"n_estimators": 10},
        ),
    )
}
"""The learners by name."""
