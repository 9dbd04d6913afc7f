"""Laws of combining recipes: greedy selection never hurts where it chooses, and is kept."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score

from equipoise import TunedClassifier, load_run
from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.ensembles import Ensemble
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.runs import Run
from equipoise.selection import MONITORS
from equipoise.tuning.ensemble import choose_members
from equipoise.tuning.options import Options
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


@pytest.fixture(scope="module", params=[1, 2])
def tuned(
    request: pytest.FixtureRequest, searches: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Tuner:
    """A search whose recipes are to be combined, with one split and with two folds."""
    task, folder = searches.task(), tmp_path_factory.mktemp("ensemble")
    path = folder / "t.csv"
    task.X.assign(target=np.array(list("abc"))[task.codes]).to_csv(path, index=False)
    options = Options(
        budget=600.0,
        metrics=("balanced_log_loss", "accuracy"),  # with two, no trial is stopped
        n_trials=4,
        n_folds=request.param,
        ensemble=3,
        roles=("optimizer", "smoothing", "head"),
    )
    names = ("backbone", "average", "batch_size", "device")
    given = {**{name: searches.PARAMS[name] for name in names}, "epochs": 3}
    experiment = Experiment(source=str(path), options=ReadOptions(), params=given)
    tuner = Tuner.make(experiment, folder / "run", options)
    with Here() as executor:
        tuner.search(executor)
    tuner.finish()
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


def test_an_ensemble_in_python() -> None:
    """The classifier that tunes itself predicts with it."""
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3))
    y = (X.sum(axis=1) + 0.3 * random.normal(size=200) > 1).astype(int)
    model = TunedClassifier(
        estimator=Classifier(backbone="MLP(layers=1, width=8)", device="cpu", epochs=20),
        time_budget=60,
        n_trials=3,
        n_folds=2,
        ensemble=2,
        metric="balanced_log_loss",
    ).fit(X, y)
    pool = model.best_estimator_.model_
    assert isinstance(pool, Ensemble)
    assert len(pool.members) in (2, 4)
    assert model.predict_proba(X).shape == (200, 2)
    assert balanced_accuracy_score(y, model.predict(X)) > 0.7
