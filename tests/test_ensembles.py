"""Laws of ensembles: members weigh as they are told to, and Bayes' rule does not mind them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

from equipoise import Classifier, InputError
from equipoise.ensembles import NAME, Ensemble, Member, member_folder
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.loading import load_run, load_run_model, rebuild_model
from equipoise.metrics import shift_logits
from equipoise.plan import Plan
from equipoise.runs import Run, write_json

X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [0.8, 1.6])


def _fit(seed: int, **params: Any) -> Fit:
    classifier = Classifier(epochs=2, device="cpu", random_state=seed, **params)
    _, fit = classifier.prepare(X, Y)
    fit.run()
    return fit


FITS = [_fit(0), _fit(1, backbone="MLP(layers=1, width=8, numeric=None)", head="Cosine()")]
FITS.append(_fit(2, smoothing="Uniform(eps=0.3)", scaling="standard"))
COUNTS = np.bincount(Y)


def _ensemble(*weights: float) -> Ensemble:
    members = [
        Member(model=fit.model, weight=weight, network=fit.network)
        for fit, weight in zip(FITS, weights, strict=False)
    ]
    return Ensemble(members=members, counts=COUNTS)


def _frame() -> Any:
    return FITS[0].task.X


def test_logits_are_the_pool_of_log_probabilities() -> None:
    """Beside the formula, written out in double precision."""
    weights = (0.5, 0.3, 0.2)
    pairs = list(zip(FITS, weights, strict=True))
    logs = (w * log_softmax(f.model.logits(_frame()).astype(float), axis=1) for f, w in pairs)
    found = _ensemble(*weights).logits(_frame())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sum(logs), atol=1e-5)
    prior = np.prod([fit.prior**weight for fit, weight in pairs], axis=0)
    np.testing.assert_allclose(_ensemble(*weights).prior, prior / prior.sum())


def test_weights_count_by_their_ratio() -> None:
    """Whatever they sum to."""
    one, two = (_ensemble(*(k * np.array([2.0, 1.0, 1.0]))).logits(_frame()) for k in (1, 7))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_one_member_predicts_as_it_does_alone() -> None:
    """The probabilities and the prior are its own."""
    model = FITS[2].model
    one = Ensemble(members=[Member(model=model, weight=0.4, network={})], counts=COUNTS)
    alone = log_softmax(model.logits(_frame()).astype(np.float64), axis=1)
    np.testing.assert_allclose(one.logits(_frame()), alone, atol=1e-5)
    np.testing.assert_allclose(one.prior, model.prior)


def test_the_pool_commutes_with_a_correction_of_the_prior() -> None:
    """Corrected before, each from its own prior, or after: probabilities are the same."""
    even, ensemble = np.full(3, 1 / 3), _ensemble(0.5, 0.3, 0.2)
    after = shift_logits(ensemble.logits(_frame()).astype(float), ensemble.prior, even)
    before = sum(
        weight * log_softmax(shift_logits(fit.model.logits(_frame()), fit.prior, even), axis=1)
        for fit, weight in zip(FITS, (0.5, 0.3, 0.2), strict=True)
    )
    found = (log_softmax(logits, axis=1) for logits in (after, before))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_only_the_rows_that_are_wanted_are_predicted() -> None:
    """As by a single model."""
    ensemble, rows = _ensemble(1, 2), np.array([5, 3, 100])
    whole = ensemble.logits(_frame())
    np.testing.assert_allclose(ensemble.logits(_frame(), rows), whole[rows], atol=1e-5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a table of the same columns."""
    folder = tmp_path_factory.mktemp("run")
    frame = _frame().rename(columns=str)
    frame.assign(target=np.array(list("abc"))[Y]).to_csv(folder / "t.csv", index=False)
    experiment = Experiment(source=str(folder / "t.csv"), params={"epochs": 1, "device": "cpu"})
    return Plan.make(experiment).run(folder / "run").path


@pytest.fixture
def saved(finished: Path, tmp_path: Path) -> tuple[Run, Ensemble]:
    """The same run with an ensemble in it, and that."""
    run = Run(Path(shutil.copytree(finished, tmp_path / "run")))
    ensemble = _ensemble(0.5, 0.3, 0.2)
    ensemble.save(run.path)
    config = run.config
    config["network"]["members"] = 3
    run.write_config(config)
    return run, ensemble


def test_a_saved_ensemble_is_read_back(saved: tuple[Run, Ensemble]) -> None:
    """It predicts the same, to the bit, and so does the classifier of the run."""
    run, ensemble = saved
    found = load_run_model(run, "cpu")
    assert isinstance(found, Ensemble)
    expected = ensemble.logits(_frame())
    np.testing.assert_array_equal(found.logits(_frame()), expected)
    assert found.counts.tolist() == run.config["data"]["counts_train"]
    frame = _frame().rename(columns=str)
    np.testing.assert_array_equal(load_run(run.path, "cpu").predict_logits(frame), expected)


def test_the_first_member_is_the_model_of_the_run(saved: tuple[Run, Ensemble]) -> None:
    """From which another run may start."""
    found = rebuild_model(saved[0].path, FITS[0].network, "cpu")
    np.testing.assert_array_equal(found.logits(_frame()), FITS[0].model.logits(_frame()))


WRONG: dict[str, Any] = {
    "no members": {"members": []},
    "another number": {"members": [{"weight": 1.0, "network": FITS[0].network}]},
    "nothing": {},
    "a number": {"members": 3},
    **{
        f"{name} {value!r}": {
            "members": [
                {"weight": 1.0, "network": FITS[0].network},
                {"weight": 1.0, "network": FITS[1].network},
                {"weight": 1.0, "network": FITS[2].network, **change},
            ]
        }
        for name, value, change in [
            ("weight", "x", {"weight": "x"}),
            ("weight", 0, {"weight": 0}),
            ("weight", -1.0, {"weight": -1.0}),
            *(
                (key, value, {"network": {**FITS[2].network, key: value}})
                for key, value in [
                    ("prior", [0.5, 0.5]),
                    ("prior", [0.5, 0.6, -0.1]),
                    ("prior", {"a": 1}),
                    ("counts", [1, 2]),
                    ("counts", [1.5, 2, 3]),
                    ("norm", "foo"),
                    ("precision", "fp8"),
                    ("backbone", 3),
                ]
            ),
        ]
    },
}
"""Descriptions of ensembles that cannot be right."""


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_damaged_list_of_members_is_told(saved: tuple[Run, Ensemble], content: Any) -> None:
    """With what to do about it; no number is made of it."""
    write_json(saved[0].path / NAME, content)
    with pytest.raises(InputError, match=r"ensemble\.json must say"):
        load_run_model(saved[0], "cpu")


def test_a_network_of_unknown_kind_is_told(saved: tuple[Run, Ensemble]) -> None:
    """Text is looked up, never run."""
    content = json.loads((saved[0].path / NAME).read_text())
    content["members"][1]["network"]["backbone"] = "__import__('os')"
    write_json(saved[0].path / NAME, content)
    with pytest.raises(InputError, match="backbone"):
        load_run_model(saved[0], "cpu")


def test_a_run_never_predicts_with_fewer_networks_than_it_had(
    saved: tuple[Run, Ensemble],
) -> None:
    """Not even where the list of them is gone."""
    (saved[0].path / NAME).unlink()
    with pytest.raises(InputError, match=r"ensemble\.json"):
        load_run_model(saved[0], "cpu")


def test_a_member_that_is_missing_is_told(saved: tuple[Run, Ensemble]) -> None:
    """By the file that is not there."""
    (member_folder(saved[0].path, 1) / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors"):
        load_run_model(saved[0], "cpu")
