"""Laws of the guess that a recipe must be better than."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss

from equipoise.selection import MONITORS
from equipoise.tuning.guessing import over_guess
from equipoise.tuning.scores import HeldOut

CODES = np.repeat([0, 1, 3], (60, 30, 10))
"""Of four classes one is not held out."""


def _held(strength: float) -> HeldOut:
    noise = np.random.default_rng(0).normal(size=(100, 4))
    return HeldOut(np.arange(100), CODES, noise + strength * np.eye(4)[CODES])


def test_a_guess_scores_what_a_dummy_of_scikit_learn_does() -> None:
    """By shares where examples count alike, and evenly where classes do."""
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((100, 1)), CODES)
    proba = dummy.predict_proba(np.zeros((100, 1)))
    expected = {
        "accuracy": accuracy_score(CODES, dummy.predict(np.zeros((100, 1)))),
        "log_loss": log_loss(CODES, proba),
        "balanced_accuracy": 1 / 3,
        "balanced_log_loss": np.log(3),
        "worst_class_recall": 0.0,
    }
    for metric, score in expected.items():
        assert over_guess(_held(1.0), metric)["score"] == pytest.approx(score), metric


@pytest.mark.parametrize("metric", MONITORS)
def test_only_what_is_surely_better_beats_it(metric: str) -> None:
    """Noise does not, knowledge does."""
    assert over_guess(_held(6.0), metric)["is_beaten"]
    is_extreme = metric in ("g_mean", "worst_class_recall")  # a guess finds but one class
    assert is_extreme or not over_guess(_held(0.0), metric)["is_beaten"]
