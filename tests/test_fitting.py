"""Laws of a fit that concern more than one of its parts."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from equipoise.classifier import Classifier
from equipoise.fitting import Fit
from equipoise.metrics import shift_logits
from equipoise.selection import validation_scores

X, Y = make_classification(400, weights=[0.9], n_informative=6, random_state=1)
SMALL = {"backbone": "MLP(layers=1, width=8)", "epochs": 3, "average": None, "device": "cpu"}


def _last_validation(prior: object, **params: object) -> tuple[Fit, np.ndarray, np.ndarray]:
    """Return a trained fit whose last epoch is kept, with validation logits and codes."""
    _, fit = Classifier(**SMALL, prior=prior, monitor="log_loss", **params).prepare(X, Y)  # type: ignore[arg-type]
    fit.run()
    rows = fit.task.validation
    fit.training.network.load_state_dict(fit.training.best)
    return fit, fit.model.logits(fit.task.X, rows), fit.task.codes[rows]


@pytest.mark.parametrize(
    ("prior", "used"),
    [("balanced", [0.5, 0.5]), ({0: 0.3, 1: 0.7}, [0.3, 0.7]), ([0.2, 0.8], [0.2, 0.8])],
)
def test_epochs_are_scored_under_the_prior_of_use(prior: object, used: list[float]) -> None:
    """The history has the scores of logits that are corrected as predictions will be."""
    fit, logits, codes = _last_validation(prior, smoothing="Uniform(eps=0.1)")
    corrected = shift_logits(logits.astype(float), fit.prior, np.array(used))
    kept = fit.training.history[fit.training.selection.best_epoch]["validation"]
    assert kept == pytest.approx(validation_scores(corrected, codes), abs=1e-6)


@pytest.mark.parametrize("prior", ["train", "none", None])
def test_without_another_prior_epochs_are_scored_as_the_network_predicts(prior: object) -> None:
    """Smoothing or not, nothing is added to logits that are used as they are."""
    fit, logits, codes = _last_validation(prior, smoothing="Uniform(eps=0.1)")
    kept = fit.training.history[fit.training.selection.best_epoch]["validation"]
    assert fit.corrected_after(logits, fit.training.stages[0]) is logits
    assert kept == pytest.approx(validation_scores(logits, codes), abs=1e-6)
