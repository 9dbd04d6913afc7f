"""Laws of the classifier that tunes itself."""

import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification

from equipoise import Classifier, TunedClassifier
from equipoise.errors import InputError
from equipoise.metrics import log_softmax
from equipoise.runs import Run
from equipoise.tuning.identity import only_here
from equipoise.tuning.job import Job
from equipoise.tuning.records import Record, folder_of, read_held_out
from equipoise.tuning.setup import refit_params

X, CODES = make_classification(240, weights=[0.85], n_informative=8, random_state=0)
Y = np.array(["no", "yes"])[CODES]
FIXED = Classifier(backbone="MLP(layers=1, width=8)", device="cpu", epochs=2)
QUICK = {"estimator": FIXED, "time_budget": 60.0, "n_trials": 3, "n_folds": 1}


def test_it_is_a_classifier_that_was_trained_on_all_examples() -> None:
    """Predictions are those of the best estimator, labels those that were given."""
    model = TunedClassifier(**QUICK).fit(X, Y)
    assert model.classes_.tolist() == ["no", "yes"]
    assert set(model.predict(X)) <= {"no", "yes"}
    np.testing.assert_array_equal(model.predict_proba(X), model.best_estimator_.predict_proba(X))
    assert model.best_estimator_.model_.counts.tolist() == np.bincount(CODES).tolist()
    assert [trial["number"] for trial in model.trials_] == [0, 1, 2]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_what_the_estimator_fixes_is_not_searched() -> None:
    """No trial has another backbone; others have another optimizer or the like."""
    model = TunedClassifier(**QUICK).fit(X, Y)
    assert all("backbone" not in trial["params"] for trial in model.trials_)
    assert repr(model.best_estimator_.settings_.backbone) == "MLP(layers=1, width=8)"


def test_only_roles_that_are_named_are_searched() -> None:
    """All else is the prescription."""
    model = TunedClassifier(**QUICK, search=["smoothing"]).fit(X, Y)
    assert {name for trial in model.trials_ for name in trial["params"]} == {"smoothing"}


def test_a_folder_with_another_search_is_refused(tmp_path: Path) -> None:
    """Its trials have seen other examples; the same search goes on, and tries nothing twice."""
    folder = str(tmp_path / "kept")
    first = TunedClassifier(**QUICK, folder=folder).fit(X, Y)
    again = TunedClassifier(**QUICK, folder=folder).fit(X, Y)
    assert again.trials_ == first.trials_
    with pytest.raises(InputError, match="data was"):
        TunedClassifier(**QUICK, folder=folder).fit(X[:-1], Y[:-1])
    with pytest.raises(InputError, match="seed was"):
        TunedClassifier(**{**QUICK, "random_state": 5}, folder=folder).fit(X, Y)


def test_a_search_in_a_folder_is_kept(tmp_path: Path) -> None:
    """And one in no folder leaves nothing behind."""
    TunedClassifier(**QUICK, folder=str(tmp_path / "kept")).fit(X, Y)
    assert (tmp_path / "kept" / "trials" / "0000" / "trial.json").exists()


def test_the_constructor_does_no_work() -> None:
    """Clones have the same parameters, and wrong ones are refused in fitting."""
    model = TunedClassifier(**QUICK, metric="nonsense")
    assert clone(model).metric == "nonsense"
    with pytest.raises(InputError, match="nonsense"):
        model.fit(X, Y)


def test_best_parameters_are_those_that_differ_from_the_prescription() -> None:
    """They are of the trial that was taken, and set back they give the prescription."""
    model = TunedClassifier(**QUICK, search=["smoothing", "head"]).fit(X, Y)
    taken, usual = model.winner_.record.params, model.trials_[0]["params"]
    assert all(usual[name] != value for name, value in model.best_params_.items())
    assert {**usual, **model.best_params_} == taken


def test_one_process_at_a_time_is_at_a_search(tmp_path: Path) -> None:
    """A second one that goes on with a folder is refused, as on the command line."""
    model = TunedClassifier(**QUICK, folder=str(tmp_path)).fit(X, Y)
    with only_here(tmp_path), pytest.raises(InputError, match="One process at a time"):
        model.fit(X, Y)
    (tmp_path / "new").mkdir()
    model.set_params(folder=str(tmp_path / "new"))
    with only_here(tmp_path / "new"), pytest.raises(InputError, match="One process at a time"):
        model.fit(X, Y)
    assert not list((tmp_path / "new").glob("*.json"))


def test_a_method_after_training_keeps_its_held_out_examples() -> None:
    """The final classifier learns from fewer where it chooses by them; its choice is kept."""
    found = {}
    for method in ("Thresholds()", "TauNorm()"):
        fixed = clone(FIXED).set_params(posthoc=method)
        model = TunedClassifier(**{**QUICK, "estimator": fixed, "n_trials": 2}).fit(X, Y)
        found[method] = model.best_estimator_
    assert (found["Thresholds()"].model_.counts < np.bincount(CODES)).all()
    # One number is kept from the trial, so that all examples are learnt from.
    assert (found["TauNorm()"].model_.counts == np.bincount(CODES)).all()
    assert any(c.field.startswith("posthoc.") for c in found["Thresholds()"].choices_)


def test_epochs_and_seed_that_are_given_hold_for_trials_and_the_final_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another seed of the estimator gives other trials, and the same as a seed of the search."""
    monkeypatch.setattr("equipoise.tuning.estimator.final_epochs", lambda *_: 1)
    fixed = clone(FIXED).set_params(random_state=3, epochs=4)
    given = TunedClassifier(**{**QUICK, "estimator": fixed}).fit(X, Y)
    assert given.best_estimator_.n_iter_ == 4
    assert {trial["epochs"] for trial in given.trials_} == {4}
    assert given.best_estimator_.random_state == 3
    plain = clone(FIXED).set_params(epochs=4)
    seeded = TunedClassifier(**{**QUICK, "estimator": plain}, random_state=3).fit(X, Y)
    other = TunedClassifier(**{**QUICK, "estimator": plain}).fit(X, Y)
    scores = [[trial["scores"] for trial in model.trials_] for model in (given, seeded, other)]
    assert scores[0] == scores[1] != scores[2]
    np.testing.assert_array_equal(given.predict_proba(X), seeded.predict_proba(X))


@pytest.mark.parametrize("budget", [0, -1.0, "soon", "0s", float("nan"), float("inf"), True, None])
def test_a_budget_that_is_no_time_is_refused(budget: object) -> None:
    """As by --budget, in words."""
    with pytest.raises(InputError, match="A length of time must be above zero"):
        TunedClassifier(**{**QUICK, "time_budget": budget}).fit(X, Y)


def test_what_the_command_has_can_be_had(tmp_path: Path) -> None:
    """A budget in words, a sampler, no portfolio, several metrics, and a data base."""
    import optuna  # noqa: PLC0415 (it is slow to import)

    url = f"sqlite:///{tmp_path / 's.db'}"
    more = {"time_budget": "1m", "metric": ["macro_f1", "seconds"], "storage": url}
    options = {**QUICK, **more, "sampler": "random", "portfolio": False}
    model = TunedClassifier(**options, folder=str(tmp_path / "a")).fit(X, Y)
    again = TunedClassifier(**options, folder=str(tmp_path / "a")).fit(X, Y)
    TunedClassifier(**options).fit(X, Y)
    assert again.trials_ == model.trials_
    assert len(optuna.get_all_study_names(url)) == 2
    with pytest.raises(InputError, match="threads"):
        TunedClassifier(**QUICK, threads=2).fit(X, Y)


def test_what_was_tried_can_be_read() -> None:
    """Plain values, the choices of the layout with reasons, and the score of what is taken."""
    model = TunedClassifier(**QUICK).fit(X, Y)
    assert json.loads(json.dumps(model.trials_))
    metric = model.winner_.record.scores
    taken = model.trials_[model.winner_.record.number]
    assert model.best_score_ == taken["score"] == metric["balanced_log_loss"]
    assert {choice.field for choice in model.search_choices_} >= {"metric", "folds", "trial"}


def test_ctrl_c_with_a_folder_takes_the_best_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its trial has trained it; without a folder it ends everything, and later it goes on."""
    from equipoise.tuning import search as search_module  # noqa: PLC0415 (it is changed)

    real = search_module.run_trial

    def pressed(job: Job) -> Record:
        if job.record.number == 2:
            raise KeyboardInterrupt
        return real(job)

    with monkeypatch.context() as patch:
        patch.setattr(search_module, "run_trial", pressed)
        with pytest.raises(KeyboardInterrupt):
            TunedClassifier(**QUICK).fit(X, Y)
        with pytest.warns(UserWarning, match="best recipe so far"):
            model = TunedClassifier(**QUICK, folder=str(tmp_path)).fit(X, Y)
    held = read_held_out(folder_of(tmp_path, model.winner_.record.number), 0)
    assert held is not None
    proba = np.exp(log_softmax(held.logits))
    np.testing.assert_allclose(model.predict_proba(X[held.rows]), proba, atol=1e-5)
    assert len(TunedClassifier(**QUICK, folder=str(tmp_path)).fit(X, Y).trials_) == 3


def test_ctrl_c_in_the_final_training_takes_the_recipe_as_it_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder; the time until then counts, and the same fit trains it anew."""
    pressed: list[float] = []

    def press(*_: object) -> None:
        pressed.append(Run(tmp_path).read_json("clock.json")["used"] if pressed else 0.0)
        time.sleep(1.5)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("equipoise.tuning.estimator.refit_params", press)
        with pytest.raises(KeyboardInterrupt):
            TunedClassifier(**QUICK).fit(X, Y)
        with pytest.warns(UserWarning, match="The final training was stopped"):
            model = TunedClassifier(**QUICK, folder=str(tmp_path)).fit(X, Y)
    assert Run(tmp_path).read_json("clock.json")["used"] > pressed[1] + 1
    held = read_held_out(folder_of(tmp_path, model.winner_.record.number), 0)
    assert held is not None
    proba = np.exp(log_softmax(held.logits))
    np.testing.assert_allclose(model.predict_proba(X[held.rows]), proba, atol=1e-5)
    for _ in range(2):
        again = TunedClassifier(**QUICK, folder=str(tmp_path)).fit(X, Y)
        assert again.trials_ == model.trials_
        assert again.best_estimator_.model_.counts.tolist() == np.bincount(CODES).tolist()


def test_a_fit_that_is_done_has_the_same_time_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its final training is not counted; without time for one the trial's model is taken."""

    def slow(*args: Any) -> dict[str, Any]:
        time.sleep(2)
        return refit_params(*args)

    monkeypatch.setattr("equipoise.tuning.estimator.refit_params", slow)
    options, begun = {**QUICK, "n_trials": 1, "folder": str(tmp_path)}, time.monotonic()
    TunedClassifier(**options).fit(X, Y)
    assert Run(tmp_path).read_json("clock.json")["used"] < time.monotonic() - begun - 2
    Run(tmp_path).write_json("clock.json", {"used": QUICK["time_budget"]})
    with pytest.warns(UserWarning, match="no time for an epoch of the final training"):
        late = TunedClassifier(**options).fit(X, Y)
    assert late.best_estimator_.model_.counts.sum() < len(X)


def test_a_search_is_laid_out_anew_until_a_trial_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without time is refused in words; what was measured then is not gone on with."""

    def pressed(_: Job) -> Record:
        raise KeyboardInterrupt

    kept = {**QUICK, "n_trials": 1, "folder": str(tmp_path)}
    with pytest.raises(InputError, match="needs time"):
        TunedClassifier(**{**kept, "time_budget": 0.001}).fit(X, Y)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("equipoise.tuning.search.run_trial", pressed)
        with pytest.raises(KeyboardInterrupt):
            TunedClassifier(**kept).fit(X, Y)
    run = Run(tmp_path)
    run.write_json("layout.json", run.read_json("layout.json") | {"seconds": -2.7, "alone": True})
    model = TunedClassifier(**kept).fit(X, Y)
    layout = run.read_json("layout.json")
    assert layout["seconds"] > 0
    assert model.best_estimator_.model_.counts.tolist() == np.bincount(CODES).tolist()
    TunedClassifier(**kept).fit(X, Y)
    assert run.read_json("layout.json") == layout


@pytest.mark.parametrize(
    "prior",
    [np.array([0.5, 0.5]), pd.Series({1: 0.4, 0: 0.6}), (0.5, 0.5), {0: np.float64(0.5), 1: 0.5}],
    ids=["array", "series", "tuple", "mapping"],
)
def test_parameters_may_be_of_any_form_that_a_classifier_takes(
    prior: object, tmp_path: Path
) -> None:
    """The same in another process goes on, whatever JSON makes of it; another one is refused."""
    options = {**QUICK, "estimator": clone(FIXED).set_params(prior=prior), "folder": str(tmp_path)}
    numbers = {"n_folds": np.int64(2), "n_trials": np.int64(1), "random_state": np.int64(3)}
    model = TunedClassifier(**{**options, **numbers}).fit(X, CODES)
    plain = {"n_folds": 2, "n_trials": 1, "random_state": 3}
    assert TunedClassifier(**{**options, **plain}).fit(X, CODES).trials_ == model.trials_
    other = clone(FIXED).set_params(prior=[0.1, 0.9])
    with pytest.raises(InputError, match="params was"):
        TunedClassifier(**{**options, **plain, "estimator": other}).fit(X, CODES)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=["none", "state"])
def test_a_seed_that_is_drawn_stays_that_of_the_search(
    random_state: object, tmp_path: Path
) -> None:
    """Its trials hold out the same examples; a search that has kept none is refused."""
    options = {**QUICK, "random_state": random_state, "folder": str(tmp_path)}
    first = TunedClassifier(**{**options, "n_trials": 1}).fit(X, Y)
    model = TunedClassifier(**{**options, "n_trials": 2}).fit(X, Y)
    assert model.trials_[0] == first.trials_[0]
    held = [read_held_out(folder_of(tmp_path, number)) for number in (0, 1)]
    assert held[0] is not None
    assert held[1] is not None
    assert held[0].rows.tolist() == held[1].rows.tolist()
    seed = Run(tmp_path).read_json("search.json")["seed"]
    assert model.best_estimator_.random_state == seed
    other = TunedClassifier(**{**options, "n_trials": 1, "folder": str(tmp_path / "b")}).fit(X, Y)
    assert other.best_estimator_.random_state != seed
    Run(tmp_path).write_json("search.json", Run(tmp_path).read_json("search.json") | {"seed": None})
    with pytest.raises(InputError, match="an earlier version has begun it"):
        TunedClassifier(**options).fit(X, Y)


def test_where_no_example_can_be_held_out_nothing_is_tried() -> None:
    """With one example of each class no recipe can be judged: said once, before any trial."""
    with pytest.raises(InputError, match="Each class has one example"):
        TunedClassifier(**{**QUICK, "n_folds": None}).fit(X[[0, 1]], ["no", "yes"])
