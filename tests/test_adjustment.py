"""Laws of methods after training, in fitted classifiers and runs, on real digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax, logsumexp
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import NearestCentroid
from torch import Tensor

from equipoise import adjustment as adjustment_module
from equipoise import fitting as fitting_module
from equipoise import outcome as outcome_module
from equipoise.checkpoints import read_tensors
from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.loading import load_run
from equipoise.models import Model
from equipoise.plan import Plan
from equipoise.pretraining import Pretraining
from equipoise.runs import Run
from equipoise.selection import MONITORS, validation_scores
from equipoise.specialized import class_thresholds, tau_norm

PIXELS, TARGET = map(np.asarray, load_digits(n_class=4, return_X_y=True))
SIZES = (120, 60, 30, 14)
ROWS = np.concatenate([np.flatnonzero(np.equal(TARGET, i))[:n] for i, n in enumerate(SIZES)])
LABELS = TARGET[ROWS]
NOISE = np.random.default_rng(0).normal(scale=8.0, size=(len(ROWS), 10))
FRAME = pd.DataFrame(PIXELS[ROWS][:, 20:30] + NOISE)
IMAGES = (PIXELS[ROWS].reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
TABM = "TabM(members=3, layers=1, width=16, numeric=None)"


def _classifier(**params: Any) -> Classifier:
    given = {"backbone": "MLP(numeric=None, width=16)", "epochs": 6, "batch_size": 32, **params}
    return Classifier(
        **{"device": "cpu", "validation": 0.3, "optimizer": "AdamW(lr=0.01)", **given}
    )


def _fit(X: Any = FRAME, weights: Any = None, **params: Any) -> Fit:
    """Return a fit that has run."""
    _, fit = _classifier(**params).prepare(X, LABELS, weights)
    fit.run()
    return fit


def _state(fit: Fit) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in fit.training.network.state_dict().items()}


def _head(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and bias in double precision."""
    state = _state(fit)
    return state["head.weight"].double().numpy(), state["head.bias"].double().numpy()


def _held(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and classes of the held-out examples."""
    rows = fit.task.validation
    return fit.model.logits(fit.task.X, rows).astype(np.float64), fit.task.codes[rows]


# Rows


TRAININGS = {
    "table": {},
    "images": {"X": IMAGES, "backbone": "ResNet(depth=8, width=4)"},
    "SWA": {"average": "SWA(begin=0.5)"},
    "none": {"average": None},
    "stages": {"stages": "CRT(start=0.5)"},
    "scales": {"stages": "LWS(start=0.5)"},
    "low rank": {
        "X": IMAGES,
        "backbone": "ResNet(depth=8, width=4)",
        "finetuning": "LowRank()",
        "average": None,
    },
    "head only": {"finetuning": "HeadOnly()"},
}


@pytest.mark.parametrize("name", TRAININGS)
def test_rows_are_divided_as_by_the_function(name: str) -> None:
    """Of the same training, averaged, in stages or merged, all but the head stays to the bit."""
    plain = _fit(**TRAININGS[name])
    found = _fit(**TRAININGS[name], posthoc="TauNorm(tau=0.7)")
    weight, bias = _head(plain)
    common = np.exp(np.log(np.linalg.norm(weight, axis=1)).mean()) ** 0.7
    expected, offsets = tau_norm(weight, bias, 0.7)
    assert offsets is not None
    np.testing.assert_allclose(_head(found)[0], common * expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(_head(found)[1], common * offsets, rtol=1e-5, atol=1e-7)
    assert not np.allclose(_head(found)[0], weight, rtol=1e-3)
    before, after = _state(plain), _state(found)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before if not k.startswith("head."))
    assert plain.training.history == [
        {**row, **{k: old[k] for k in ("seconds", "examples_per_second")}}
        for row, old in zip(found.training.history, plain.training.history, strict=True)
    ]


def test_members_are_divided_each_on_its_own() -> None:
    """Rows of a member know nothing of those of another."""
    plain, found = _fit(backbone=TABM), _fit(backbone=TABM, posthoc="TauNorm(tau=1.0)")
    before, after = (_head(fit)[0].reshape(3, 4, -1) for fit in (plain, found))
    lengths = np.linalg.norm(after, axis=2)
    means = np.exp(np.log(np.linalg.norm(before, axis=2)).mean(axis=1))
    np.testing.assert_allclose(lengths, np.tile(means[:, None], 4), rtol=1e-5)
    assert np.ptp(means) > 1e-3


def _set_rows(fit: Fit, weight: np.ndarray, bias: np.ndarray, tau: float) -> None:
    """Give the head of a fit rows and bias that are divided, member by member."""
    pairs = [tau_norm(rows, own, tau) for rows, own in zip(weight, bias, strict=True)]
    common = np.exp(np.log(np.linalg.norm(weight, axis=2)).mean(axis=1)) ** tau
    head: Any = fit.training.network.head
    for parameter, parts in zip((head.weight, head.bias), zip(*pairs, strict=True), strict=True):
        made = np.concatenate([c * part for c, part in zip(common, parts, strict=True)])
        parameter.data.copy_(torch.from_numpy(made))


@pytest.mark.parametrize("monitor", ["balanced_accuracy", "balanced_log_loss", "macro_f1"])
@pytest.mark.parametrize("backbone", ["MLP(numeric=None, width=16)", TABM])
def test_no_tau_is_better_on_held_out_examples(monitor: str, backbone: str) -> None:
    """The automatic one, against each of those it could have been, fitted and predicted with."""
    params = {"backbone": backbone, "monitor": monitor}
    found = _fit(**params, posthoc="TauNorm()")
    sign = 1 if MONITORS[monitor] else -1
    own = sign * validation_scores(*_held(found))[monitor]
    plain = _fit(**params)
    weight, bias = _head(plain)
    n_members, every = len(weight) // 4, []
    for tau in np.arange(0, 2.001, 0.05):
        _set_rows(plain, weight.reshape(n_members, 4, -1), bias.reshape(n_members, 4), tau)
        every.append(sign * validation_scores(*_held(plain))[monitor])
    assert own == pytest.approx(max(every), rel=1e-6)
    assert len(set(np.round(every, 6))) > 1
    chosen = {choice.field: choice for choice in found.choices}["posthoc.tau"]
    assert own == pytest.approx(every[round(20 * chosen.value)], rel=1e-6)
    assert found.adjustment is not None
    assert found.adjustment.found["after"] == pytest.approx(sign * own, rel=1e-6)
    assert f"{found.adjustment.found['before']:.3f} before" in chosen.reason


# Means


def _features(fit: Fit, rows: np.ndarray) -> np.ndarray:
    """Return features of examples, float64, (examples, members, features)."""
    network = fit.training.network.eval()
    inputs = torch.from_numpy(fit.preprocessing.transform(FRAME.iloc[rows]))  # type: ignore[arg-type]
    with torch.no_grad():
        found = network.backbone(inputs).double().numpy()  # type: ignore[operator]
    return found if found.ndim == 3 else found[:, None]


DEAD = pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # a feature always zero


def _centroids(features: np.ndarray, codes: np.ndarray) -> np.ndarray:
    means = NearestCentroid().fit(features, codes).centroids_
    return means / np.linalg.norm(means, axis=1, keepdims=True)


@DEAD
def test_the_nearest_mean_is_scikit_learns() -> None:
    """The largest logit is that of its nearest centroid, of means of length one."""
    fit = _fit(posthoc="NearestMean()")
    features, codes = _features(fit, fit.task.train)[:, 0], fit.task.codes
    units = _centroids(features, codes[fit.task.train])
    reference = NearestCentroid().fit(features, codes[fit.task.train])
    reference.centroids_ = units
    everything = np.arange(len(FRAME))
    logits = fit.model.logits(FRAME)
    assert (logits.argmax(axis=1) == reference.predict(_features(fit, everything)[:, 0])).all()
    assert len(np.unique(logits.argmax(axis=1))) > 1
    scale = {choice.field: choice for choice in fit.choices}["posthoc.scale"].value
    rms = np.sqrt((features**2).sum(axis=1).mean())
    np.testing.assert_allclose(_head(fit)[0], scale / rms * units, rtol=1e-4, atol=1e-6)
    assert (_head(fit)[1] == 0).all()


@DEAD
def test_each_member_has_means_of_its_own() -> None:
    """Probabilities are the mean of those of every member's nearest means."""
    fit = _fit(backbone=TABM, posthoc="NearestMean(scale=9.0)")
    train, codes = _features(fit, fit.task.train), fit.task.codes[fit.task.train]
    own = _features(fit, np.arange(len(FRAME)))
    proba = 0
    for member in range(3):
        rms = np.sqrt((train[:, member] ** 2).sum(axis=1).mean())
        logits = 9.0 / rms * own[:, member] @ _centroids(train[:, member], codes).T
        proba = proba + np.exp(log_softmax(logits, axis=1)) / 3
    found = np.exp(log_softmax(fit.model.logits(FRAME).astype(np.float64), axis=1))
    np.testing.assert_allclose(found, proba, atol=1e-5)


def test_examples_without_weight_are_no_part_of_a_mean() -> None:
    """A mean is weighted as the loss is."""
    weights = np.where(np.arange(len(LABELS)) % 3 == 0, 0.0, 1.0 + np.arange(len(LABELS)) % 2)
    fit = _fit(weights=weights, posthoc="NearestMean(scale=9.0)")
    rows = fit.task.train
    features, codes, own = _features(fit, rows)[:, 0], fit.task.codes[rows], weights[rows]
    means = np.stack(
        [np.average(features[codes == k], axis=0, weights=own[codes == k]) for k in range(4)]
    )
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    found = _head(fit)[0]
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("backbone", ["MLP(numeric=None, width=16)", TABM])
def test_the_scale_has_the_smallest_log_loss(backbone: str) -> None:
    """Of held-out examples, corrected to the class frequencies of training; worked out anew."""
    fit = _fit(backbone=backbone, posthoc="NearestMean()")
    scale = {choice.field: choice for choice in fit.choices}["posthoc.scale"].value
    held, rows = fit.task.validation, fit.task.train
    weight = _head(fit)[0].reshape(-1, 4, 16) / scale
    products = np.einsum("nmf,mkf->nmk", _features(fit, held), weight)
    codes, spread = fit.task.codes[held], 1 / (len(held) + 1)
    shares = np.bincount(fit.task.codes[rows]) / len(rows)
    targets = (1 - spread) * np.eye(4)[codes] + spread / 4

    def loss(factor: float) -> float:
        members = log_softmax(factor * products, axis=2)
        logits = logsumexp(members, axis=1) + np.log(shares)
        return -float((targets * log_softmax(logits, axis=1)).sum(axis=1).mean())

    tried = scale * np.array([0.5, 0.9, 0.98, 1.02, 1.1, 2.0])
    assert all(loss(scale) < loss(other) for other in tried)


# Thresholds


def test_of_two_classes_thresholds_are_the_best_of_all() -> None:
    """Against every offset between held-out examples, predicted with."""
    codes = (LABELS > 1).astype(int)
    given = {"posthoc": "Thresholds(strength=1.0)"}
    fits = []
    for params in ({}, given):
        _, fit = _classifier(**params).prepare(FRAME, codes)
        fit.run()
        fits.append(fit)
    (logits, truth), (moved, _) = map(_held, fits)
    gaps = np.sort(logits[:, 0] - logits[:, 1])
    places = [gaps[0] - 1, *(0.5 * (gaps[1:] + gaps[:-1])), gaps[-1] + 1]
    every = [
        balanced_accuracy_score(truth, logits[:, 1] + place > logits[:, 0]) for place in places
    ]
    found = balanced_accuracy_score(truth, moved.argmax(axis=1))
    assert found == pytest.approx(max(every), abs=1e-12)
    assert found > balanced_accuracy_score(truth, logits.argmax(axis=1))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
@pytest.mark.parametrize("strength", ["'auto'", "1.0"])
@pytest.mark.parametrize("seed", range(3))
def test_thresholds_are_never_worse_on_held_out_examples(
    metric: str, strength: str, seed: int
) -> None:
    """By their metric, as predictions of the network are scored by scikit-learn."""
    plain = _fit(random_state=seed)
    text = f"Thresholds(metric={metric!r}, strength={strength})"
    found = _fit(random_state=seed, posthoc=text)
    (before, codes), (after, _) = _held(plain), _held(found)

    def score(logits: np.ndarray) -> float:
        predicted = logits.argmax(axis=1)
        if metric == "macro_f1":
            return float(f1_score(codes, predicted, average="macro"))
        return float(balanced_accuracy_score(codes, predicted))

    assert score(after) >= score(before)
    assert found.adjustment is not None
    told = found.adjustment.found
    assert [told["before"], told["after"]] == pytest.approx([score(before), score(after)])
    offsets = np.array(told["offsets"])
    np.testing.assert_allclose(after - before, np.tile(offsets, (len(codes), 1)), atol=1e-5)
    np.testing.assert_array_equal(_head(plain)[0], _head(found)[0])
    if strength == "1.0":
        expected = class_thresholds(before, codes, metric)  # type: ignore[arg-type]
        np.testing.assert_allclose(offsets, expected, atol=1e-6)


# The prior


@pytest.mark.parametrize(
    ("posthoc", "power"), [("TauNorm(tau=0.0)", 1.0), ("TauNorm(tau=0.25)", 0.75)]
)
def test_rows_that_are_divided_contain_a_power_of_the_prior(posthoc: str, power: float) -> None:
    """All of it where nothing is divided, to the bit, less the more is."""
    plain = _fit(weighting="Inverse(power=0.5)")
    found = _fit(weighting="Inverse(power=0.5)", posthoc=posthoc)
    expected = plain.prior**power / (plain.prior**power).sum()
    np.testing.assert_allclose(found.prior, expected, rtol=1e-12)
    if power == 1.0:
        assert all(torch.equal(v, _state(found)[k]) for k, v in _state(plain).items())


@pytest.mark.parametrize("posthoc", ["TauNorm(tau=1.0)", "NearestMean()"])
def test_heads_without_class_sizes_contain_none(posthoc: str) -> None:
    """Rows of equal length, whatever the classes; what is corrected to equal classes stays."""
    fit = _fit(posthoc=posthoc)
    np.testing.assert_allclose(fit.prior, 0.25, rtol=1e-12)
    model = _classifier(posthoc=posthoc).fit(FRAME, LABELS)
    as_is = model.predict_proba(FRAME)
    model.set_params(prior="balanced")
    np.testing.assert_allclose(model.predict_proba(FRAME), as_is, rtol=1e-9)


def test_correcting_the_prior_takes_thresholds_out_again() -> None:
    """Offsets are in the prior, by Bayes' rule; the note says that nothing is left of them."""
    given = {"strength": 1.0}
    fits = [
        _classifier(posthoc=text, prior="train", epochs=3).fit(FRAME, LABELS)
        for text in (None, f"Thresholds(strength={given['strength']})")
    ]
    plain, moved = fits
    assert not np.allclose(plain.predict_proba(FRAME), moved.predict_proba(FRAME), atol=1e-3)
    offsets = np.array({c.field: c.value for c in moved.choices_}["posthoc.offsets"])
    expected = plain.model_.prior * np.exp(offsets)
    np.testing.assert_allclose(moved.model_.prior, expected / expected.sum(), rtol=0.02)
    for model in fits:
        model.set_params(prior="balanced")
    found = [model.predict_proba(FRAME) for model in fits]
    np.testing.assert_allclose(*found, atol=1e-5)
    fit = _fit(posthoc="Thresholds(strength=1.0)", prior="balanced")
    assert "predicted as before" in fit.choices[-2].reason


def test_held_out_examples_are_scored_for_the_prior_of_use() -> None:
    """What corrects them follows the new prior: to equal classes nothing, of nearest means."""
    fit = _fit(posthoc="NearestMean()", prior="balanced")
    logits = np.zeros((1, 4))
    assert fit.corrected(logits) is logits
    half = _fit(posthoc="TauNorm(tau=0.5)", prior="balanced")
    expected = -np.log(half.prior * 4)
    np.testing.assert_allclose(half.corrected(logits)[0], expected, rtol=1e-9)


# What cannot be


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"head": "Cosine()", "posthoc": "TauNorm()"}, "`Linear`"),
        ({"head": "Normalized()", "posthoc": "NearestMean()"}, "`Linear`"),
        ({"backbone": TABM, "head": "Cosine()", "posthoc": "TauNorm()"}, "`Linear`"),
        ({"backbone": TABM, "posthoc": "Thresholds()"}, "3 members"),
        ({"validation": 0.0, "posthoc": "TauNorm()"}, "held out"),
        ({"validation": 0.0, "posthoc": "NearestMean()"}, "held out"),
        ({"validation": 0.0, "posthoc": "Thresholds(strength=1.0)"}, "held out"),
        ({"posthoc": "TauNorm(tau=2.5)"}, "or 'auto'"),
        ({"posthoc": "TauNorm(tau='best')"}, "or 'auto'"),
        ({"posthoc": "NearestMean(scale=0)"}, "or 'auto'"),
        ({"posthoc": "Thresholds(metric='accuracy')"}, "macro_f1"),
        ({"posthoc": "TauNrm()"}, "Did you mean 'TauNorm'"),
    ],
    ids=str,
)
def test_what_cannot_be_adjusted_is_refused_before_training(
    params: dict[str, Any], words: str
) -> None:
    """In three sentences."""
    with pytest.raises(InputError) as caught:
        _classifier(**params).prepare(FRAME, LABELS)
    error = caught.value
    assert words in str(error)
    assert error.requirement
    assert error.actual
    assert error.remedy


@pytest.mark.parametrize("posthoc", ["TauNorm(tau=0.5)", "NearestMean(scale=10.0)"])
def test_numbers_that_are_given_need_no_held_out_examples(posthoc: str) -> None:
    """Nothing is chosen, and nothing is scored."""
    fit = _fit(validation=0.0, posthoc=posthoc)
    [choice] = [c for c in fit.choices if c.field.startswith("posthoc.")]
    assert choice.reason == "as given"
    assert fit.adjustment is not None
    assert "before" not in fit.adjustment.found


# Runs


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as a table with a label."""
    path = tmp_path_factory.mktemp("table") / "t.csv"
    FRAME.set_axis([f"x{i}" for i in range(10)], axis=1).assign(target=LABELS).to_csv(
        path, index=False
    )
    return path


METHODS = ["TauNorm()", "NearestMean()", "Thresholds()"]


def _plan(table: Path, **params: Any) -> Plan:
    given = _classifier(**params).get_params(deep=False)
    changed = {k: v for k, v in given.items() if v != Classifier().get_params(deep=False)[k]}
    return Plan.make(Experiment(source=str(table), options=ReadOptions(), params=changed))


@pytest.mark.parametrize("posthoc", METHODS)
def test_a_saved_run_predicts_as_before(table: Path, tmp_path: Path, posthoc: str) -> None:
    """Loaded, the prior included; its configuration says what was chosen."""
    plan = _plan(table, posthoc=posthoc)
    run = plan.run(tmp_path / "run")
    model = load_run(tmp_path / "run", device="cpu")
    X = pd.read_csv(table)
    np.testing.assert_array_equal(model.predict_logits(X), plan.model.logits(plan.parts.dataset.X))
    np.testing.assert_array_equal(model.model_.prior, plan.fit.prior)
    config = run.config
    assert config["posthoc"]["method"] == config["classifier"]["posthoc"] == posthoc
    assert config["posthoc"]["held_out"] == len(plan.parts.validation)
    assert {c.field for c in plan.fit.choices} == {c["field"] for c in config["choices"]}


def test_a_fit_that_runs_again_ends_with_the_same() -> None:
    """Neither the head nor the prior is changed twice, and choices are told once."""
    fit = _fit(posthoc="TauNorm(tau=0.5)")
    state, prior, choices = _state(fit), fit.prior, list(fit.choices)
    fit.run()
    assert all(torch.equal(value, _state(fit)[name]) for name, value in state.items())
    np.testing.assert_array_equal(fit.prior, prior)
    assert fit.choices == choices


def _same(first: Run, second: Run) -> bool:
    tensors = [read_tensors(run.path / "model.safetensors") for run in (first, second)]
    return (
        all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())
        and first.config["network"] == second.config["network"]
        and first.config["posthoc"] == second.config["posthoc"]
        and first.config["choices"] == second.config["choices"]
        and first.read_json("metrics.json") == second.read_json("metrics.json")
    )


PLACES = {
    "before": (fitting_module, "adjust"),
    "within": (adjustment_module, "_judged"),
    "after": (outcome_module, "write"),
}


@pytest.mark.parametrize("posthoc", METHODS)
@pytest.mark.parametrize("moment", ["in training", "before", "within", "after"])
def test_a_run_that_was_stopped_ends_with_the_same(
    table: Path, tmp_path: Path, posthoc: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the method begins, between its choice and the end, or once all is written but DONE."""
    whole = _plan(table, posthoc=posthoc).run(tmp_path / "whole")

    def stop(*given: Any) -> None:
        if moment != "in training" or (given[0].row is not None and given[0].epoch == 4):
            raise KeyboardInterrupt

    plan, place = _plan(table, posthoc=posthoc), PLACES.get(moment)
    observers = [stop] if place is None else []
    with monkeypatch.context() as patch:
        if place is not None:
            patch.setattr(*place, stop)
        with pytest.raises(KeyboardInterrupt):
            plan.run(tmp_path / "run", observers=observers)
    assert not Run(tmp_path / "run").done
    run = _plan(table, posthoc=posthoc).run(tmp_path / "run", resume=True)
    assert _same(whole, run)


@pytest.mark.parametrize("posthoc", METHODS)
def test_no_test_example_is_looked_at(
    table: Path, posthoc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is predicted or averaged until training is done lies in the other two parts."""
    plan = _plan(table, posthoc=posthoc)
    seen: list[np.ndarray] = []
    source = Model.source

    def watched(self: Model, X: Any, rows: Any = None) -> Any:
        assert rows is not None
        seen.append(rows)
        return source(self, X, rows)

    monkeypatch.setattr(Model, "source", watched)
    plan.fit.run()
    assert len(seen) > 2
    assert not set(np.concatenate(seen)) & set(plan.parts.test)
    counted = sum(map(len, seen)) + len(plan.parts.validation) + len(plan.parts.test)
    assert plan.n_predicted == counted


def test_two_processes_end_with_the_same_method() -> None:
    """Trained together, the head is divided once, by the first."""
    fits = [_fit(devices=2, epochs=2, posthoc=text) for text in (None, "TauNorm(tau=1.0)")]
    weight, found = _head(fits[0])[0], _head(fits[1])[0]
    units = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    np.testing.assert_allclose(
        found / np.linalg.norm(found, axis=1, keepdims=True), units, atol=1e-6
    )
    np.testing.assert_allclose(np.ptp(np.linalg.norm(found, axis=1)), 0, atol=1e-6)


def test_pretraining_has_no_head_to_change(table: Path) -> None:
    """It is refused, with where it belongs."""
    experiment = Experiment(
        source=str(table), options=ReadOptions(), params={"posthoc": "TauNorm()"}
    )
    with pytest.raises(InputError, match="--initial"):
        Pretraining.make(experiment, "SCARF()")
