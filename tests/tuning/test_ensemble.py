"""Laws of combining recipes: greedy selection never hurts where it chooses, and is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from equipoise import InputError, TunedClassifier, load_run
from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.ensembles import Ensemble
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.metrics import shift_logits
from equipoise.runs import Run, write_json
from equipoise.selection import MONITORS
from equipoise.standard.backbones import MLP
from equipoise.tuning.ensemble import Selection, choose_members, stored
from equipoise.tuning.options import Options
from equipoise.tuning.records import Record, folder_of, read_held_out
from equipoise.tuning.scores import HeldOut, gain
from equipoise.tuning.tuner import Tuner

CODES = np.repeat([0, 1, 2], (60, 25, 10))
ROWS = np.arange(len(CODES))


def _held(seed: int, strength: float) -> HeldOut:
    noise = np.random.default_rng(seed).normal(size=(len(CODES), 3))
    return HeldOut(ROWS, CODES, noise + strength * np.eye(3)[CODES])


def _known(seed: int, n: int) -> dict[int, HeldOut]:
    return {k: _held(100 * seed + k, 1.0 + 0.1 * k) for k in range(n)}


@given(seed=st.integers(0, 200), metric=st.sampled_from(list(MONITORS)), most=st.integers(1, 6))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_the_combination_is_never_worse_than_the_best_alone(
    seed: int, metric: str, most: int
) -> None:
    """On the examples by which it was chosen; weights are shares of draws."""
    known = _known(seed, 5)
    first = max(known, key=lambda n: gain(known[n].scores()[metric], metric))
    found = choose_members(known, metric, most, first)
    assert gain(found.score, metric) >= gain(found.alone, metric)
    assert found.alone == pytest.approx(known[first].scores()[metric])
    assert sum(found.weights.values()) == pytest.approx(1)
    assert next(iter(found.weights)) == first
    assert len(found.weights) <= most


def test_the_score_is_that_of_the_weighted_log_probabilities() -> None:
    """Computed again from the weights alone."""
    known = _known(3, 6)
    found = choose_members(known, "balanced_log_loss", 8, 5)
    assert len(found.weights) > 1
    pooled = sum(w * log_softmax(known[n].logits, axis=1) for n, w in found.weights.items())
    again = HeldOut(ROWS, CODES, np.asarray(pooled)).scores()["balanced_log_loss"]
    assert found.score == pytest.approx(again)


def test_each_step_is_the_best_of_all() -> None:
    """Beside a search by hand for the second member."""
    known = _known(4, 5)
    logs = {n: log_softmax(held.logits, axis=1) for n, held in known.items()}

    def loss(n: int) -> float:
        return HeldOut(ROWS, CODES, (logs[4] + logs[n]) / 2).scores()["balanced_log_loss"]

    best = min(known, key=loss)
    found = choose_members(known, "balanced_log_loss", 2, 4)
    assert loss(best) < known[4].scores()["balanced_log_loss"]
    assert found.weights == {4: 0.5, best: 0.5}


def test_copies_of_one_recipe_do_not_come_in() -> None:
    """They change nothing, and a step that does not help is the last."""
    held = _held(0, 1.5)
    found = choose_members({0: held, 1: held}, "balanced_log_loss", 5, 0)
    assert found.weights == {0: 1.0}


@pytest.fixture(scope="module")
def table(searches: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three classes that overlap."""
    task, folder = searches.task(), tmp_path_factory.mktemp("ensemble")
    path = folder / "t.csv"
    task.X.assign(target=np.array(list("abc"))[task.codes]).to_csv(path, index=False)
    return path


def _tuner(searches: ModuleType, table: Path, out: Path, **changes: Any) -> Tuner:
    options = {
        "budget": 600.0,
        "metrics": ("balanced_log_loss", "accuracy"),  # with two, no trial is stopped
        "n_trials": 4,
        "n_folds": 1,
        "ensemble": 3,
        "roles": ("optimizer", "smoothing", "head"),
    }
    names = ("backbone", "average", "batch_size", "device")
    given = {**{name: searches.PARAMS[name] for name in names}, "epochs": 3}
    experiment = Experiment(source=str(table), options=ReadOptions(), params=given)
    return Tuner.make(experiment, out, Options(**{**options, **changes}), resume=True)


def _several(search: Path, records: Sequence[Record], metric: str, most: int) -> Selection:
    """Choose three recipes, whatever their worth, and score them by scikit-learn's means."""
    del records, most
    weights = {2: 0.5, 0: 0.3, 1: 0.2}
    held = {n: read_held_out(folder_of(search, n)) for n in weights}
    logs = [w * log_softmax(held[n].logits.astype(float), axis=1) for n, w in weights.items()]  # type: ignore[union-attr]
    codes = held[0].codes  # type: ignore[union-attr]
    balanced = compute_sample_weight("balanced", codes) if metric == "balanced_log_loss" else None
    proba = softmax(sum(logs), axis=1)
    score = log_loss(codes, proba, sample_weight=balanced, labels=[0, 1, 2])
    return Selection(weights=weights, score=score, alone=0.0)


def _finished(tuner: Tuner) -> Run:
    """Search, and combine three recipes."""
    with Here() as executor:
        tuner.search(executor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.tuning.tuner.select", _several)
        return tuner.finish()


@pytest.fixture(scope="module", params=[1, 2])
def tuned(
    request: pytest.FixtureRequest,
    searches: ModuleType,
    table: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Tuner:
    """A search whose recipes are combined, with one split and with two folds."""
    tuner = _tuner(searches, table, tmp_path_factory.mktemp("run") / "r", n_folds=request.param)
    _finished(tuner)
    return tuner


def test_the_run_predicts_with_all_members(tuned: Tuner) -> None:
    """Loaded again, as it did on the test set, under the prior of the search."""
    model = load_run(tuned.folder, "cpu")
    assert isinstance(model.model_, Ensemble)
    run = Run(tuned.folder)
    found = run.read_json("tuning.json")["ensemble"]
    assert len(model.model_.members) == len(found["weights"]) * tuned.layout.n_folds
    assert sum(member.weight for member in model.model_.members) == pytest.approx(1)
    test = tuned.plan.parts.dataset.X.iloc[tuned.plan.parts.test]
    np.testing.assert_allclose(
        model.predict_logits(test), run.read_arrays("predictions.npz")["test_logits"], atol=1e-5
    )
    assert run.config["network"]["members"] == len(model.model_.members)


def test_each_member_is_the_model_of_its_fold_with_the_weight_of_its_recipe(tuned: Tuner) -> None:
    """It predicts what its fold has held out as that trial did, corrected for the prior."""
    model, n_folds = load_run(tuned.folder, "cpu").model_, tuned.layout.n_folds
    weights = Run(tuned.folder).read_json("tuning.json")["ensemble"]["weights"]
    assert isinstance(model, Ensemble)
    places = [(n, fold, w) for n, w in weights.items() for fold in range(n_folds)]
    for member, (number, fold, weight) in zip(model.members, places, strict=True):
        assert member.weight == pytest.approx(weight / n_folds)
        held = read_held_out(folder_of(tuned.search_folder, int(number)), fold)
        assert held is not None
        logits = member.model.logits(tuned.plan.parts.dataset.X, held.rows)
        even = np.full(3, 1 / 3)
        found = shift_logits(logits.astype(float), member.model.prior, even)
        np.testing.assert_allclose(
            log_softmax(found, axis=1), log_softmax(held.logits.astype(float), axis=1), atol=1e-5
        )


def test_models_of_trials_are_removed_once_they_are_copied(tuned: Tuner) -> None:
    """What they have predicted stays."""
    assert not list(tuned.search_folder.rglob("*.safetensors"))
    assert len(list(tuned.search_folder.rglob("fold*.npz"))) == 4 * tuned.layout.n_folds


def test_what_was_learnt_from_is_told(tuned: Tuner) -> None:
    """With folds all examples but the test set, with one split those of its training part."""
    config, parts = Run(tuned.folder).config, tuned.plan.parts
    expected = len(parts.train) + (len(parts.validation) if tuned.layout.n_folds > 1 else 0)
    assert sum(config["data"]["counts_train"]) == expected
    held = {"validation"} if tuned.layout.n_folds == 1 else set()
    assert set(Run(tuned.folder).read_json("metrics.json")) == {"test", *held}
    assert config["test"]["looks"] == 1


def test_the_held_out_score_is_that_of_the_combination(tuned: Tuner) -> None:
    """And so is the optimism; with one split the run's own validation says the same."""
    run = Run(tuned.folder)
    found = run.read_json("tuning.json")
    assert found["validation"] == found["ensemble"]["score"]
    assert found["optimism"] == pytest.approx(found["test"] - found["validation"])
    if tuned.layout.n_folds == 1:
        own = run.read_json("metrics.json")["validation"]["balanced"]["overall"]
        assert own["balanced_log_loss"]["value"] == pytest.approx(found["validation"], abs=1e-5)


def test_a_finish_that_is_repeated_changes_nothing(tuned: Tuner) -> None:
    """Which recipes are combined was decided once."""
    before = (tuned.folder / "tuning.json").read_bytes()
    tuned.finish()
    assert (tuned.folder / "tuning.json").read_bytes() == before


def test_the_score_is_that_of_what_predicts_for_other_priors_too(
    searches: ModuleType, table: Path, tmp_path: Path
) -> None:
    """Without a correction recipes that were smoothed contain other priors than the rest."""
    metrics, roles = ("log_loss", "accuracy"), ("smoothing",)
    tuner = _tuner(searches, table, tmp_path / "r", metrics=metrics, roles=roles)
    run = _finished(tuner)
    assert len({record.params["smoothing"] for record in tuner.records[:3]}) > 1
    found = run.read_json("tuning.json")
    own = run.read_json("metrics.json")["validation"]["as_is"]["overall"]["log_loss"]["value"]
    assert own == pytest.approx(found["validation"], abs=1e-5)
    test = run.read_json("metrics.json")["test"]["as_is"]["overall"]["log_loss"]["value"]
    assert found["test"] == pytest.approx(test, abs=1e-5)


def test_a_stop_before_the_end_decides_nothing(
    searches: ModuleType, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C twice: the search goes on when it is resumed."""

    def press(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    tuner = _tuner(searches, table, tmp_path / "r", n_trials=2)
    with Here() as executor:
        tuner.search(executor)
    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "save", press)
        with pytest.raises(KeyboardInterrupt):
            tuner.finish(refit=False)
    again = _tuner(searches, table, tmp_path / "r", n_trials=4)
    with Here() as executor:
        again.search(executor)
    assert len(again.records) == 4
    assert again.finish().done


def test_what_is_combined_is_decided_once(
    searches: ModuleType, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop in the midst of writing changes nothing: no recipe is tried any more."""

    def press(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    tuner = _tuner(searches, table, tmp_path / "r", n_trials=3)
    with Here() as executor:
        tuner.search(executor)
    with monkeypatch.context() as patch:
        patch.setattr("equipoise.tuning.tuner.summary", press)
        with pytest.raises(KeyboardInterrupt):
            tuner.finish()
    before = Run(tuner.search_folder).read_json("final.json")["ensemble"]["weights"]
    again = _tuner(searches, table, tmp_path / "r", n_trials=5)
    with Here() as executor:
        again.search(executor)
    assert len(again.records) == 3
    found = again.finish().read_json("tuning.json")
    assert found["ensemble"]["weights"] == before
    assert Run(tuner.folder).config["test"]["looks"] == 1


@pytest.mark.parametrize("content", [{"ensemble": 3}, {"ensemble": {"weights": {"a": 1}}}])
def test_a_damaged_decision_is_told(tmp_path: Path, content: Any) -> None:
    """With what to do about it."""
    write_json(tmp_path / "final.json", content)
    with pytest.raises(InputError, match=r"final\.json"):
        stored(Run(tmp_path))


def test_a_search_that_kept_no_models_of_folds_cannot_combine(
    searches: ModuleType, table: Path, tmp_path: Path
) -> None:
    """Also one that was begun before there were ensembles."""
    tuner = _tuner(searches, table, tmp_path / "r", ensemble=1)
    tuner.begin()
    path = tuner.search_folder / "search.json"
    known = Run(tuner.search_folder).read_json("search.json")
    write_json(path, {name: value for name, value in known.items() if name != "ensemble"})
    with pytest.raises(InputError, match="ensemble was 1"):
        _tuner(searches, table, tmp_path / "r", ensemble=2)


@dataclass(eq=False, repr=False, kw_only=True)
class Mine(MLP):
    """A backbone of somebody's own."""


def test_a_backbone_of_ones_own_is_refused_before_the_search() -> None:
    """For it could not be built again from its text."""
    model = TunedClassifier(estimator=Classifier(backbone=Mine()), ensemble=2, time_budget=60)
    with pytest.raises(InputError, match="backbone of an ensemble must be one of"):
        model.fit(np.eye(8).repeat(4, axis=0), np.arange(32) % 2)


def test_an_ensemble_in_python() -> None:
    """The classifier that tunes itself predicts with it."""
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3))
    y = (X.sum(axis=1) + 0.3 * random.normal(size=200) > 1).astype(int)
    model = TunedClassifier(
        # Enough epochs that every recipe of a search fits these points, whichever wins.
        estimator=Classifier(backbone="MLP(layers=1, width=32)", device="cpu", epochs=60),
        time_budget=60,
        n_trials=3,
        n_folds=2,
        ensemble=2,
        metric="balanced_log_loss",
    ).fit(X, y)
    pool = model.best_estimator_.model_
    assert isinstance(pool, Ensemble)
    assert len(pool.members) in (2, 4)
    assert sum(member.weight for member in pool.members) == pytest.approx(1)
    assert pool.counts.tolist() == np.bincount(y).tolist()
    assert model.best_estimator_.n_iter_ == 60
    assert model.predict_proba(X).shape == (200, 2)
    assert balanced_accuracy_score(y, model.predict(X)) > 0.7
