"""Laws of classifiers that are loaded from a run."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from equipoise import Classifier, InputError, ReadOptions, load_run
from equipoise.experiment import Experiment
from equipoise.plan import Plan

PARAMS = {"epochs": 2, "device": "cpu"}


def _frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    sick = np.arange(60) % 3 == 0
    return pd.DataFrame(
        {
            "age": random.normal(size=60) + sick,
            "ward": np.where(random.random(60) < 0.5, "north", "south"),
            "size": random.normal(size=60),
            "same": 1,
            "outcome": np.where(sick, "sick", "well"),
        }
    )


def _run(folder: Path, **params: object) -> Path:
    _frame().to_csv(folder / "t.csv", index=False)
    experiment = Experiment(
        source=str(folder / "t.csv"),
        options=ReadOptions(label="outcome"),
        params={**PARAMS, **params},
    )
    return Plan.make(experiment).run(folder / "run").path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return load_run(_run(tmp_path_factory.mktemp("loading")), "cpu")


def test_columns_are_found_by_name(model: Classifier) -> None:
    """Order, further columns, the label and columns that training left out change nothing."""
    frame = _frame()
    expected = model.predict_proba(frame[["age", "ward", "size", "same"]])
    others = [
        frame,
        frame[["size", "outcome", "same", "ward", "age"]],
        frame.assign(new="x", also=2.5),
        frame.drop(columns=["same", "outcome"]),
    ]
    for other in others:
        np.testing.assert_array_equal(model.predict_proba(other), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(frame), expected)


def test_missing_columns_are_named(model: Classifier) -> None:
    """A column that the model uses must be there."""
    with pytest.raises(InputError, match="'ward'"):
        model.predict(_frame().drop(columns="ward"))
    with pytest.raises(InputError, match="at least one row"):
        model.predict(_frame().head(0))


def test_fitted_directly_a_classifier_keeps_scikit_learns_checks(model: Classifier) -> None:
    """Columns must be those of fitting, also after a loaded classifier was fitted anew."""
    frame = _frame().drop(columns="outcome")
    for unfitted in clone(model), pickle.loads(pickle.dumps(model)):
        again = unfitted.set_params(**PARAMS).fit(frame, _frame()["outcome"])
        with pytest.raises(ValueError, match="feature names"):
            again.predict(frame[["size", "same", "ward", "age"]])
        with pytest.raises(ValueError, match="feature names"):
            again.predict(_frame())


@pytest.mark.parametrize(
    "prior", ["none", None, [0.5, 0.5], {"well": 0.5, "sick": 0.5}, np.array([0.5, 0.5])]
)
def test_a_runs_prior_comes_back_in_whatever_form_it_was_given(
    prior: object, tmp_path: Path
) -> None:
    """Predictions are those under it: no correction, or the balanced one."""
    model = load_run(_run(tmp_path, prior=prior), "cpu")
    found = model.predict_proba(_frame())
    model.prior = "none" if prior is None or isinstance(prior, str) else "balanced"
    np.testing.assert_allclose(found, model.predict_proba(_frame()))
