"""Laws of the class frequencies that logits contain, and of whether these are exact."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from equipoise.classifier import Classifier
from equipoise.fitting import Fit

CODES = np.repeat([0, 1, 2], [160, 30, 10])
FRAME = pd.DataFrame({"a": np.arange(200.0) % 7, "b": CODES + np.arange(200.0) % 3})


def _fit(**params: Any) -> Fit:
    given = {
        "backbone": "MLP(numeric=None, layers=1, width=8, dropout=0.0)",
        "batch_size": 50,
        "validation": 0.0,
        "device": "cpu",
        "epochs": 4,
        **params,
    }
    return Classifier(**given).prepare(FRAME, CODES)[1]


@pytest.mark.parametrize(
    ("params", "is_exact"),
    [
        ({}, True),
        ({"loss": "Focal()"}, True),
        ({"loss": "LDAM()", "head": "Cosine()"}, True),
        ({"mixing": "Mixup()"}, True),
        ({"mixing": "Remix()"}, False),
        ({"mixing": "CMO()"}, False),
        ({"resampling": "RandomOverSampling()"}, True),
        ({"resampling": "SMOTE()"}, False),
        ({"stages": "CRT()"}, True),
        ({"stages": "LWS()"}, False),
        ({"stages": "WeightBalancing()"}, False),
        ({"sampler": "ClassBalanced()"}, True),
        ({"sampler": "Progressive()"}, False),
        ({"posthoc": "TauNorm(tau=0.5)"}, False),
        ({"posthoc": "NearestMean(scale=1.0)"}, False),
        ({"posthoc": "Thresholds(strength=0.5)", "validation": 0.2}, True),
        ({"posthoc": "Thresholds(strength=0.5)", "validation": 0.2, "loss": "Focal()"}, False),
        ({"posthoc": "Thresholds(strength=0.5)", "validation": 0.2, "loss": "LDAM()"}, False),
        (
            {
                "posthoc": "Thresholds(strength=0.5)",
                "validation": 0.2,
                "loss": "LDAM(max_margin=0.0)",
            },
            True,
        ),
        ({"loss": "LDAM()", "backbone": "TabM(members=2, layers=1, width=8)"}, False),
        ({"backbone": "TabM(members=2, layers=1, width=8)"}, True),
    ],
)
def test_a_correction_is_exact_only_where_nothing_makes_it_a_heuristic(
    params: dict[str, Any], is_exact: bool
) -> None:
    """Loss, mixing, resampling, stages and what is done after training all have a say."""
    fit = _fit(**params)
    fit.run()
    assert fit.exact_prior == is_exact


def test_before_the_second_stage_of_a_method_its_first_is_what_counts() -> None:
    """Weights that a deadline keeps of the first stage have nothing of the second."""
    fit = _fit(stages="LWS()", average=None)
    fit.training.history = [{"stage": 1, "best": True}]
    assert fit.exact_prior


@pytest.mark.parametrize("epochs", [1, 5])
def test_a_sampler_that_changes_counts_by_the_epoch_that_is_kept(epochs: int) -> None:
    """By hand: the data as they are in the first, equal classes in the last, half in the middle."""
    fit = _fit(sampler="Progressive()", epochs=epochs)
    shares, even = np.bincount(CODES) / 200, np.full(3, 1 / 3)
    for kept in range(epochs):
        fit.training.history = [{"stage": 1, "best": i <= kept} for i in range(epochs)]
        done = kept / max(epochs - 1, 1)
        np.testing.assert_allclose(fit.prior, (1 - done) * shares + done * even)


def test_each_epoch_is_scored_by_the_frequencies_that_it_has_shown() -> None:
    """The first epoch of a progressive sampler has shown the data as they are."""
    fit = _fit(sampler="Progressive()", epochs=5, prior="balanced")
    shares, logits = np.bincount(CODES) / 200, np.zeros((1, 3))
    np.testing.assert_allclose(
        fit.training.corrected(logits)[0], np.log(1 / 3) - np.log(shares), atol=1e-12
    )
    fit.training.history = [{"stage": 1, "best": True}] * 4
    np.testing.assert_allclose(fit.training.corrected(logits), 0, atol=1e-12)
