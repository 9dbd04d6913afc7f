"""Laws of losses that do not fit class probabilities: the network predicts by what follows."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax

from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.ensembles import Ensemble, Member
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.loading import load_run, rebuild_model
from equipoise.plan import Plan
from equipoise.progress import Progress
from equipoise.runs import Run
from equipoise.selection import validation_scores
from equipoise.specialized import Focal
from equipoise.standard.backbones import MLP, TabM
from equipoise.standard.backbones.base import TableInput
from equipoise.standard.heads import Linear
from equipoise.standard.networks import build_network

N = 1000
SHARES = np.array([0.9, 0.1])
LABELS = np.repeat(["a", "b"], [900, 100])
NOTHING = pd.DataFrame({"x": np.tile([-1.0, 1.0], N // 2)})  # says nothing of the label
SMALL = {
    "backbone": "MLP(layers=1, width=4, dropout=0.0, numeric=None)",
    "device": "cpu",
    "average": None,
}


def _classifier(**params: Any) -> Classifier:
    given = {"epochs": 30, "batch_size": 100, "optimizer": "AdamW(lr=0.02, weight_decay=0.0)"}
    return Classifier(**{**SMALL, **given, "augmentation": None, **params})


def _fit(**params: Any) -> Fit:
    fit = _classifier(**params).prepare(NOTHING, LABELS)[1]
    fit.run()
    return fit


@pytest.mark.parametrize("gamma", [0.5, 2.0, 4.0])
def test_with_nothing_to_learn_predictions_are_the_shares(gamma: float) -> None:
    """Those of training, and equal ones once corrected: what cross-entropy gives."""
    model = _classifier(loss=Focal(gamma=gamma), monitor="log_loss").fit(NOTHING, LABELS)
    np.testing.assert_allclose(model.predict_proba(NOTHING).mean(axis=0), SHARES, atol=0.02)
    model.set_params(prior="balanced")
    np.testing.assert_allclose(model.predict_proba(NOTHING).mean(axis=0), [0.5, 0.5], atol=0.04)


def test_epochs_are_scored_by_the_logits_that_predict() -> None:
    """Which are log-probabilities of the classes, unlike those of the head."""
    fit = _fit(loss="Focal()", epochs=3, prior="balanced")
    rows = fit.task.validation
    logits = fit.model.logits(fit.task.X, rows)
    with torch.no_grad():
        heads = fit.training.network.train()(fit.model.source(fit.task.X, rows).take(np.arange(9)))
    expected = Focal().posterior_logits(heads).numpy()
    np.testing.assert_allclose(logits[:9], expected, atol=1e-5)
    assert not np.allclose(log_softmax(heads.numpy(), axis=1), logits[:9], atol=0.05)
    kept = fit.training.history[fit.training.selection.best_epoch]["validation"]
    found = validation_scores(fit.corrected(logits), fit.task.codes[rows])
    assert kept == pytest.approx(found, abs=1e-5)


def test_each_member_is_mapped_before_they_are_pooled() -> None:
    """For each was trained alone; in training the logits are those of the heads."""
    inputs = TableInput(n_numeric=3, cardinalities=())
    torch.manual_seed(0)
    network = build_network(TabM(layers=1, width=8, members=4, dropout=0.0), Linear(), inputs, 3)
    X = torch.randn(7, 3)
    network.loss = Focal(gamma=1.5)
    with torch.no_grad():
        heads, found = network.train()(X), network.eval()(X)
    assert heads.shape == (7, 4, 3)
    each = [Focal(gamma=1.5).posterior_logits(heads[:, m]).exp() for m in range(4)]
    torch.testing.assert_close(found.exp(), torch.stack(each).mean(dim=0))


def test_other_losses_leave_logits_as_they_are() -> None:
    """To the bit."""
    network = build_network(MLP(layers=1, width=8), Linear(), TableInput(3, ()), 3).eval()
    X = torch.randn(7, 3)
    before = network(X)
    network.loss = _fit(epochs=1).training.network.loss  # type: ignore[assignment]
    assert network.loss is not None
    assert torch.equal(network(X), before)


def _run(folder: Path, **params: Any) -> Run:
    table = folder / "t.csv"
    NOTHING.assign(target=LABELS).to_csv(table, index=False)
    given = {**_classifier(epochs=3, **params).get_params(deep=False)}
    given = {k: given[k] for k in (*SMALL, *params, "epochs", "batch_size")}
    plan = Plan.make(Experiment(source=str(table), options=ReadOptions(), params=given))
    return plan.run(folder / "run")


def test_a_run_predicts_the_same_once_it_is_loaded(tmp_path: Path) -> None:
    """Its description names the loss, by which the network is rebuilt."""
    run = _run(tmp_path, loss="Focal(gamma=3.0)")
    assert run.config["network"]["loss"] == "Focal(gamma=3.0)"
    assert run.config["network"]["exact_prior"] is True
    stored = run.read_arrays("predictions.npz")["test_logits"]
    rows = run.read_arrays("split.npz")["test"]
    found = load_run(run.path, device="cpu").predict_logits(NOTHING.iloc[rows])
    np.testing.assert_allclose(found, stored, atol=1e-6)
    np.testing.assert_allclose(np.exp(stored).sum(axis=1), 1, atol=1e-5)


def test_a_description_without_a_loss_is_of_logits_as_they_are(tmp_path: Path) -> None:
    """Such as that of cross-entropy; a loss that is none is refused."""
    run = _run(tmp_path)
    assert "loss" not in run.config["network"]
    config = run.config
    config["network"]["loss"] = "Focal"
    run.write_config(config)
    loaded = load_run(run.path, device="cpu").model_
    assert repr(loaded.network.loss) == "Focal()"  # type: ignore[union-attr]
    config["network"]["loss"] = "__import__('os')"
    run.write_config(config)
    with pytest.raises(InputError, match="loss"):
        load_run(run.path, device="cpu")


def test_members_of_an_ensemble_keep_their_loss(tmp_path: Path) -> None:
    """Saved and rebuilt, they pool the same logits."""
    fits = [_fit(loss=loss, epochs=2) for loss in ("Focal()", "CrossEntropy()")]
    members = [Member(model=f.model, weight=0.5, network=f.network) for f in fits]
    logits = Ensemble(members=members, counts=fits[0].task.counts).logits(NOTHING)
    again = []
    for number, member in enumerate(members):
        (place := tmp_path / str(number)).mkdir()
        member.model.save(place)
        model = rebuild_model(place, member.network, "cpu")
        again.append(Member(model=model, weight=0.5, network=member.network))
    found = Ensemble(members=again, counts=fits[0].task.counts).logits(NOTHING)
    np.testing.assert_allclose(found, logits, atol=1e-6)


def test_the_loss_is_that_of_the_stage_whose_weights_are_kept() -> None:
    """Focal loss that was to begin halfway and never did has fitted nothing."""
    both = _classifier(loss="Focal()", stages="DeferredLoss()").prepare(NOTHING, LABELS)[1]
    assert both.fitted_by == {}
    both.run(deadline=time.monotonic() - 1)
    assert both.training.kept == 0
    assert both.fitted_by == {}
    whole = _fit(loss="Focal()", stages="DeferredLoss()", epochs=2)
    assert whole.fitted_by == {"loss": "Focal()"}


def test_a_stage_that_is_stopped_in_its_first_epoch_has_fitted_nothing() -> None:
    """Its loss goes with its weights."""

    class Stopped(Exception):  # noqa: N818 (no error)
        pass

    def stopping(progress: Progress) -> None:
        if progress.epoch == 2:
            raise Stopped

    fit = _classifier(loss="Focal()", stages="DeferredLoss()", epochs=2).prepare(NOTHING, LABELS)[1]
    with pytest.raises(Stopped):
        fit.run(observers=[stopping])
    assert fit.fitted_by == {"loss": "Focal()"}
    fit.training.take_best()
    assert fit.fitted_by == {}


def test_a_head_of_class_means_is_of_no_loss() -> None:
    """While one whose rows are divided is still the loss's, unchanged by a power of 0."""
    means = _fit(loss="Focal()", epochs=2, posthoc="NearestMean(scale=4.0)")
    assert means.fitted_by == {}
    plain = _fit(loss="Focal()", epochs=2)
    same = _fit(loss="Focal()", epochs=2, posthoc="TauNorm(tau=0.0)")
    assert same.fitted_by == {"loss": "Focal()"}
    expected = plain.model.logits(NOTHING)
    np.testing.assert_allclose(same.model.logits(NOTHING), expected, atol=1e-5)
