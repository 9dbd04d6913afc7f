"""Laws of margins that a loss leaves in the logits: predictions keep them, corrections do not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from equipoise.classifier import Classifier
from equipoise.cli import main
from equipoise.comparison.results import read_entry
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.evidence import observe
from equipoise.diagnosis.measures import by_class_measures
from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.loading import load_run, load_run_model
from equipoise.metrics import log_softmax
from equipoise.metrics.label_shift import estimate_prior
from equipoise.runs import SEARCH, Run
from equipoise.tuning.records import folder_of, read_held_out

CODES = np.repeat([0, 1, 2], [160, 30, 10])
FRAME = pd.DataFrame({"a": np.arange(200.0) % 7, "b": CODES + np.arange(200.0) % 3})
LOSS = {"loss": "LDAM(scale=8.0)", "head": "Cosine(scale=8.0)"}
MARGINS = 8.0 * 0.5 * (10 / np.array([160, 30, 10])) ** 0.25
EVEN = np.full(3, 1 / 3)


def _classifier(**params: Any) -> Classifier:
    given = {
        "backbone": "MLP(numeric=None, layers=1, width=8, dropout=0.0)",
        "batch_size": 50,
        "validation": 0.0,
        "device": "cpu",
        "epochs": 3,
        **LOSS,
        **params,
    }
    return Classifier(**given)


def _fit(**params: Any) -> Fit:
    fit = _classifier(**params).prepare(FRAME, CODES)[1]
    fit.run()
    return fit


def _by_hand(logits: np.ndarray, margins: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return probabilities for equal classes, in the plain form of the formula."""
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    parts = proba * (1 - proba + proba * np.exp(-margins)) / own
    return parts / parts.sum(axis=1, keepdims=True)


def test_a_classifier_predicts_by_its_logits_until_a_prior_is_asked_for() -> None:
    """As the paper does without; by the class probabilities behind them with one."""
    (plain := _classifier()).fit(FRAME, CODES)
    (even := _classifier(prior="balanced")).fit(FRAME, CODES)
    logits = plain.predict_logits(FRAME).astype(np.float64)
    np.testing.assert_array_equal(logits, even.predict_logits(FRAME))
    powers = np.exp(logits)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(plain.predict_proba(FRAME), expected, rtol=1e-6)
    expected = _by_hand(logits, MARGINS, np.bincount(CODES) / 200)
    np.testing.assert_allclose(even.predict_proba(FRAME), expected, rtol=1e-6)


def test_margins_are_taken_out_where_the_prior_is_right_already() -> None:
    """Asked for the frequencies of training, logits are no probabilities yet."""
    fit = _fit(prior=[0.8, 0.15, 0.05])
    logits = fit.model.logits(FRAME).astype(np.float64)
    np.testing.assert_allclose(fit.prior, [0.8, 0.15, 0.05])
    found = np.exp(fit.corrected(logits))
    np.testing.assert_allclose(found, _by_hand(logits, MARGINS, np.ones(3)), rtol=1e-6)
    for prior in ("train", "none", None):
        assert _fit(prior=prior).corrected(logits) is logits


def test_validation_scores_go_by_the_same_probabilities() -> None:
    """Epochs are chosen by what the classifier would predict for the prior of use."""
    fit = _classifier(prior="balanced").prepare(FRAME, CODES)[1]
    logits = np.random.default_rng(0).normal(size=(5, 3))
    found = fit.training.corrected(logits)
    shown = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shown, _by_hand(logits, MARGINS, fit.prior), rtol=1e-9)


@pytest.mark.parametrize(
    ("params", "margins"),
    [
        ({"loss": "LDAM(max_margin=0.0, scale=8.0)"}, None),
        ({"loss": "CrossEntropy()"}, None),
        ({"stages": "DRW(start=0.5)", "weighting": "EffectiveNumber()", "epochs": 4}, MARGINS),
        ({"stages": "DeferredLoss(start=0.5)", "epochs": 4}, MARGINS),
        ({"posthoc": "NearestMean(scale=4.0)", "head": "Linear()"}, None),
    ],
    ids=lambda value: "" if value is None or isinstance(value, np.ndarray) else str(value),
)
def test_they_are_those_of_the_stage_that_is_kept(
    params: dict[str, Any], margins: np.ndarray | None
) -> None:
    """None without margins, and none once the head is no longer the one that was fitted."""
    found = _fit(**params).margins
    assert (found is None) == (margins is None)
    if margins is not None:
        np.testing.assert_allclose(found, margins, rtol=1e-6)


def test_a_stage_without_the_loss_has_none() -> None:
    """Weights that a deadline keeps of the stage before a deferred loss."""
    before = _classifier(stages="DeferredLoss(start=0.5)", epochs=4).prepare(FRAME, CODES)[1]
    before.training.history = [{"stage": 1, "best": True}]
    assert before.margins is None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with margins, made on the command line."""
    folder = tmp_path_factory.mktemp("margins")
    FRAME.assign(label=[f"k{code}" for code in CODES]).to_csv(folder / "data.csv", index=False)
    given = [
        "--epochs",
        "40",
        "--loss",
        LOSS["loss"],
        "--head",
        LOSS["head"],
        "--prior",
        "balanced",
    ]
    data = [str(folder / "data.csv"), "--label", "label", "--backbone", "MLP(layers=1, width=8)"]
    assert main(["fit", *data, *given, "--out", str(folder / "run")]) == 0
    return folder / "run"


def _expected(run: Run, part: str = "test") -> np.ndarray:
    network = run.config["network"]
    logits = run.read_arrays("predictions.npz")[f"{part}_logits"].astype(np.float64)
    return _by_hand(logits, np.asarray(network["margins"]), np.asarray(network["prior"]))


def test_a_run_keeps_them_and_its_model_is_rebuilt_with_them(run: Path) -> None:
    """By class, in nats; the classifier that is loaded predicts as the one that was fitted."""
    opened = Run.open(run)
    counts = np.array(opened.config["data"]["counts_train"])
    margins = 4 * (counts.min() / counts) ** 0.25
    np.testing.assert_allclose(opened.config["network"]["margins"], margins, rtol=1e-6)
    np.testing.assert_allclose(load_run_model(opened).margins, margins, rtol=1e-6)
    assert opened.config["network"]["exact_prior"] is True
    found = load_run(run).predict_proba(FRAME.iloc[opened.read_arrays("split.npz")["test"]])
    np.testing.assert_allclose(found, _expected(opened), rtol=1e-5)


def test_metrics_comparisons_and_commands_go_by_the_same_probabilities(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one run: its metrics, a comparison's, those of `evaluate`, and what `predict` writes."""
    opened = Run.open(run)
    expected = _expected(opened)
    codes = opened.read_arrays("predictions.npz")["test_labels"]
    right = expected.argmax(axis=1) == codes
    balanced = np.mean([right[codes == k].mean() for k in range(3)])
    metrics = json.loads((run / "metrics.json").read_text())["test"]["balanced"]["overall"]
    assert metrics["balanced_accuracy"]["value"] == pytest.approx(balanced)
    compared = read_entry(run).predictions["balanced"].logits
    np.testing.assert_allclose(np.exp(log_softmax(compared)), expected, rtol=1e-6)
    capsys.readouterr()
    assert main(["evaluate", str(run), "--prior", "balanced", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["overall"]
    assert told["log_loss"] == metrics["log_loss"]
    out = tmp_path / "predictions.csv"
    new = str(run.parent / "data.csv")
    assert main(["predict", str(run), new, "--out", str(out)]) == 0
    rows = opened.read_arrays("split.npz")["test"]
    proba = pd.read_csv(out).filter(like="k").select_dtypes("number").to_numpy()[rows]
    np.testing.assert_allclose(proba, expected, rtol=1e-4, atol=1e-6)


def test_without_another_prior_predictions_are_for_no_population(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logits with margins are written as they are, and not called those of training."""
    given = [str(run), str(run.parent / "data.csv"), "--prior", "train"]
    assert main(["predict", *given, "--out", str(tmp_path / "a.csv")]) == 0
    assert "as the network gives them" in " ".join(capsys.readouterr().err.split())
    assert main(["predict", *given, "--out", str(tmp_path / "b.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prior"] is None


def test_distances_are_not_measured_to_a_boundary_that_is_not_linear(run: Path) -> None:
    """The other measures of classes are there, of corrected predictions."""
    data = load(str(run.parent / "data.csv"), ReadOptions(label="label"))
    found = by_class_measures(observe(Run.open(run), data, device="cpu"))
    assert "margin_test" in found
    assert not [name for name in found if name.startswith("distance")]


def test_an_ensemble_is_chosen_by_what_it_will_predict(run: Path, tmp_path: Path) -> None:
    """Members are pooled without margins, so held-out predictions are kept without them."""
    data = [
        str(run.parent / "data.csv"),
        "--label",
        "label",
        "--backbone",
        "MLP(layers=1, width=8)",
    ]
    given = ["--loss", LOSS["loss"], "--head", LOSS["head"], "--metric", "accuracy"]
    size = ["--epochs", "2", "--trials", "2", "--folds", "1", "--budget", "2m", "--ensemble", "2"]
    out = tmp_path / "ensemble"
    assert main(["tune", *data, *given, *size, "--device", "cpu", "--out", str(out)]) == 0
    held = read_held_out(folder_of(out / SEARCH, 0))
    assert held is not None
    np.testing.assert_allclose(np.exp(held.logits).sum(axis=1), 1, rtol=1e-5)


def test_frequencies_are_estimated_from_probabilities(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By EM: what is estimated from the softmax of the logits is something else."""
    out, new = tmp_path / "predictions.csv", str(run.parent / "data.csv")
    capsys.readouterr()
    assert main(["predict", str(run), new, "--out", str(out), "--prior", "em", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["estimated_prior"]["classes"]
    model = load_run_model(Run.open(run))
    logits = model.logits(FRAME).astype(np.float64)
    proba = _by_hand(logits, np.asarray(model.margins), np.ones(3))
    expected, wrong = (estimate_prior(z, model.prior).prior for z in (np.log(proba), logits))
    found = [told[f"k{k}"]["value"] for k in range(3)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(expected - wrong).max() > 0.01


@pytest.mark.parametrize(
    "margins", [[1.0, 2.0], [1.0, -2.0, 3.0], "none", [1.0, 2.0, float("nan")]]
)
def test_margins_that_are_none_are_refused(run: Path, tmp_path: Path, margins: Any) -> None:
    """Too few, below zero, or no numbers."""
    config = {k: v for k, v in Run.open(run).config.items() if k != "format"}
    config["network"] = {**config["network"], "margins": margins}
    (tmp_path / "run").mkdir()
    for path in run.iterdir():
        (tmp_path / "run" / path.name).write_bytes(path.read_bytes())
    Run(tmp_path / "run").write_config(config)
    with pytest.raises(InputError, match=r"network.margins must be"):
        load_run_model(Run.open(tmp_path / "run"))
