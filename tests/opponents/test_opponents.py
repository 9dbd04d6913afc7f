"""Laws of other libraries' learners: honest parts, plain probabilities, the prior in them."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils.class_weight import compute_sample_weight

from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.errors import InputError
from equipoise.opponents import OPPONENTS, Answer, Limits, Rows, boosting, forests
from equipoise.opponents.boosting import PATIENCE, Boosting, LightGBM
from equipoise.opponents.contract import class_weights, contained_prior, not_told
from equipoise.opponents.forests import grow
from equipoise.opponents.searching import search
from equipoise.seeds import derive_seed

NAMES = sorted(OPPONENTS)

QUICK = {
    "easy-ensemble": replace(
        OPPONENTS["easy-ensemble"],  # type: ignore[type-var] (a dataclass, as all are)
        fixed={"estimator": AdaBoostClassifier(n_estimators=5)},
    )
}
"""Learners whose members are smaller than they are by themselves, so that they are soon trained."""


def _rows(n: int = 240, n_classes: int = 3, seed: int = 0) -> Rows:
    """Return a table with categories, missing values and a class that is easy to tell."""
    random = np.random.default_rng(seed)
    codes = random.choice(
        n_classes, n, p=np.array([6, 3, 1, 1, 1][:n_classes]) / sum([6, 3, 1, 1, 1][:n_classes])
    )
    X = pd.DataFrame(
        {
            "a[1]": codes + random.normal(0, 0.3, n),
            "{b}": np.where(random.random(n) < 0.1, np.nan, random.normal(size=n)),
            "kind": np.array(["x", "y", "z"])[codes % 3],
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 99, n), "D"),
        }
    )
    X.loc[random.random(n) < 0.1, "kind"] = None
    parts = np.split(random.permutation(n), [n // 2, 3 * n // 4])
    return Rows(X, codes, parts[0], parts[1], parts[2], n_classes)


def _ask(
    name: str,
    rows: Rows,
    *,
    search: bool = False,
    seconds: float | None = None,
    seed: int = 0,
    look: Callable[[], None] = not_told,
    **limits: int,
) -> Answer:
    """Return an answer; a search has a second, and there is no limit without one."""
    given = seconds or (1.0 if search else math.inf)
    return QUICK.get(name, OPPONENTS[name]).answer(
        rows,
        seed,
        limits=Limits(ends=time.monotonic() + given, **limits),
        metric="balanced_log_loss",
        search=search,
        look=look,
    )


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_log_probabilities_and_better_than_chance(name: str, search: bool) -> None:
    """Finite, of all classes, adding up to 1; the table is easy."""
    rows = _rows()
    found = _ask(name, rows, search=search)
    for logits, part in ((found.validation, rows.validation), (found.test, rows.test)):
        assert logits.shape == (len(part), 3)
        np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1)
        assert balanced_accuracy_score(rows.codes[part], logits.argmax(axis=1)) > 0.8
    assert found.prior.sum() == pytest.approx(1)
    assert found.facts["trials"] >= 1
    assert found.facts["library"].split()[1][0].isdigit()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_answer(name: str) -> None:
    """To the last digit."""
    first, second = (_ask(name, _rows()) for _ in range(2))
    assert np.array_equal(first.test, second.test)
    assert np.array_equal(first.validation, second.validation)


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_held_out_change_nothing_that_is_predicted_of_them(name: str) -> None:
    """Of the validation rows, classes may stop boosting; of test rows nothing is known."""
    rows = _rows()
    codes = rows.codes.copy()
    codes[rows.test] = (codes[rows.test] + 1) % 3
    other = Rows(rows.X, codes, rows.train, rows.validation, rows.test, 3)
    assert np.array_equal(_ask(name, rows).test, _ask(name, other).test)


def test_the_prior_is_that_of_the_weights() -> None:
    """By hand: shares without weights, all classes alike with those of a power of 1."""
    rows = _rows()
    counts = rows.counts(rows.learnt)
    shares = counts / counts.sum()
    np.testing.assert_allclose(_ask("lightgbm", rows).prior, shares)
    np.testing.assert_allclose(_ask("xgboost-balanced", rows).prior, np.full(3, 1 / 3))
    np.testing.assert_allclose(_ask("balanced-forest", rows).prior, np.full(3, 1 / 3))
    np.testing.assert_allclose(contained_prior(np.array([16, 4]), 0.5), np.array([4, 2]) / 6)
    weights = class_weights(np.array([16, 4]), 0.5)
    assert (weights * [16, 4]).sum() == pytest.approx(20)


def test_weights_are_those_of_the_library() -> None:
    """LightGBM's own balanced weights give the same trees."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415

    rows = _rows(n_classes=2)
    empty = Rows(rows.X, rows.codes, rows.learnt, rows.validation[:0], rows.test, 2)
    own = LGBMClassifier(class_weight="balanced", subsample_freq=1, n_jobs=1, verbose=-1)
    own.set_params(random_state=0).fit(rows.prepared.iloc[rows.learnt], rows.codes[rows.learnt])
    expected = own.predict_proba(rows.prepared.iloc[rows.test])
    found = np.exp(_ask("lightgbm-balanced", empty).test)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_trees_are_those_of_xgboost() -> None:
    """Its own defaults, and scikit-learn's balanced weights, give the same probabilities."""
    from xgboost import XGBClassifier  # noqa: PLC0415

    rows = _rows()
    empty = Rows(rows.X, rows.codes, rows.learnt, rows.validation[:0], rows.test, 3)
    X, codes = rows.prepared, rows.codes[rows.learnt]
    for name, weight in (("xgboost", None), ("xgboost-balanced", "balanced")):
        own = XGBClassifier(n_estimators=100, enable_categorical=True, n_jobs=1, random_state=0)
        own.fit(X.iloc[rows.learnt], codes, sample_weight=compute_sample_weight(weight, codes))
        expected = own.predict_proba(X.iloc[rows.test])
        np.testing.assert_allclose(np.exp(_ask(name, empty).test), expected, atol=1e-6)


def test_a_balanced_forest_is_that_of_the_library_in_the_same_steps() -> None:
    """Ten trees at a time, none of them there twice; no probability is below 0.0001."""
    from imblearn.ensemble import BalancedRandomForestClassifier  # noqa: PLC0415

    rows = _rows()
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(240, 4)) + rows.codes[:, None])
    plain = Rows(X, rows.codes, rows.learnt, rows.validation[:0], rows.test, 3)
    own = BalancedRandomForestClassifier(
        sampling_strategy="all", replacement=True, bootstrap=False, warm_start=True
    )
    for n in range(10, 101, 10):
        own.set_params(n_estimators=n, random_state=derive_seed(0, "members", n - 10) % 2**32)
        own.fit(X.to_numpy()[rows.learnt], rows.codes[rows.learnt])
    drawn = zip(own.estimators_, own.samplers_, strict=True)
    assert len({(tree.random_state, sampler.random_state) for tree, sampler in drawn}) == 100
    proba = np.clip(np.asarray(own.predict_proba(X.to_numpy()[rows.test])), 1e-4, 1)
    expected = proba / proba.sum(axis=1, keepdims=True)
    found = np.exp(_ask("balanced-forest", plain).test)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_classes_of_one_example_and_classes_that_were_not_learnt(name: str) -> None:
    """Nothing fails, and what was not learnt has hardly any probability."""
    rows = _rows(n_classes=5)
    for code in (3, 4):
        where = np.flatnonzero(rows.codes == code)
        rows.codes[where] = 0
    rows.codes[rows.train[0]] = 3  # one to learn from
    rows.codes[rows.test[0]] = 4  # none
    for searched in (False, True):
        found = _ask(name, rows, search=searched, seconds=0.3)
        assert np.isfinite(found.test).all()
        assert np.exp(found.test[:, 4]).max() < 0.01


def test_unseen_categories_count_as_missing() -> None:
    """As in a table that comes later."""
    rows = _rows()
    rows.X.loc[rows.test, "kind"] = "new"
    assert rows.prepared["c2"].iloc[rows.test].isna().all()
    assert list(rows.prepared["c2"].cat.categories) == ["x", "y", "z"]
    for name in NAMES:
        assert np.isfinite(_ask(name, rows).test).all()


def test_a_search_learns_a_real_table(assets: Path) -> None:
    """Three recipes of yeast, ten classes: far better than chance, a tenth."""
    data = load(str(assets / "yeast.csv"), ReadOptions(label="target"))
    order = np.random.default_rng(0).permutation(len(data.codes))
    parts = np.split(order, [900, 1180])
    rows = Rows(data.X, data.codes, *parts, len(data.classes))  # type: ignore[arg-type]
    found = _ask("xgboost-balanced", rows, search=True, seconds=math.inf, n_trials=3)
    assert found.facts["trials"] == 3
    assert balanced_accuracy_score(rows.codes[rows.test], found.test.argmax(axis=1)) > 0.35


def test_a_missing_library_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    for name, package in (("xgboost", "xgboost"), ("easy-ensemble", "imblearn.ensemble")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match="opponents"):
            _ask(name, _rows())


@pytest.mark.parametrize(("name", "n"), [("lightgbm", 2), ("xgboost", 3), ("balanced-forest", 1)])
def test_a_search_ends_by_its_number_of_trials(name: str, n: int) -> None:
    """Where no time is limited, and where there is much more time."""
    for seconds in (math.inf, 3600.0):
        found = _ask(name, _rows(90), search=True, seconds=seconds, n_trials=n)
        assert found.facts["trials"] == n


def test_a_search_without_an_end_is_refused() -> None:
    """It would go on for ever."""
    for name in NAMES:
        with pytest.raises(InputError, match="Neither is limited"):
            _ask(name, _rows(), search=True, seconds=math.inf)


@pytest.mark.parametrize(
    ("seconds", "trial", "wanted"),
    [(10.0, 1.0, 8), (10.0, 3.0, 2), (10.0, 4.5, 1), (10.0, 6.0, 0), (1.0, 9.0, 0)],
)
def test_no_trial_is_begun_that_would_take_the_time_of_the_final_training(
    seconds: float, trial: float, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of our own: a trial and as long again, or a fifth of all, must be left.

    If the first fold takes a sixth of all or more, there is no search.
    """
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    given: list[float] = []

    def fit(rows: Rows, params: Any, seed: int, limits: Limits) -> Any:
        del params, seed
        given.append(limits.left)
        now[0] += trial / 3
        return np.zeros((len(rows.validation), 3)), {}

    found = search(
        _rows(),
        0,
        limits=Limits(ends=seconds),
        metric="balanced_accuracy",
        prior=np.full(3, 1 / 3),
        defaults={"x": 0.5},
        suggest=lambda trial: {"x": trial.suggest_float("x", 0, 1)},
        fit=fit,
    )
    assert (0 if found is None else found.trials) == wanted
    # The first fold of three has a third of what the search has.
    assert given[0] == pytest.approx(0.8 * seconds / 3)


@pytest.mark.parametrize("name", NAMES)
def test_training_ends_when_its_time_is_up(name: str) -> None:
    """With the first few trees, and predictions that are probabilities; with a search, too."""
    least = 10 if name == "balanced-forest" else 2
    for search_too in (False, True):
        found = _ask(name, _rows(), search=search_too, seconds=1e-6)
        grown = found.facts["params"].get("trees", found.facts["params"].get("n_estimators"))
        assert 1 <= grown <= least
        assert found.facts["trials"] == 1
        np.testing.assert_allclose(np.exp(found.test).sum(axis=1), 1)


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm-balanced"])
def test_early_stopping_is_that_of_the_library(name: str) -> None:
    """The same number of trees and predictions as with LightGBM's own callback."""
    import lightgbm  # noqa: PLC0415

    rows, opponent = _rows(400, seed=3), OPPONENTS[name]
    assert isinstance(opponent, LightGBM)
    logits, found = opponent._fitted(rows, {}, 0, Limits())
    own, _ = opponent._train(rows, rows.train, {}, None, 0, Limits())
    X, y, held = rows.prepared, rows.codes, rows.validation
    weights = class_weights(rows.counts(rows.train), opponent.power)[y]
    model = lightgbm.LGBMClassifier(
        n_estimators=1000, subsample_freq=1, n_jobs=1, verbose=-1, random_state=0
    )
    model.set_params(deterministic=True, force_row_wise=True)
    model.fit(
        X.iloc[rows.train],
        y[rows.train],
        sample_weight=weights[rows.train],
        eval_X=X.iloc[held],
        eval_y=y[held],
        eval_sample_weight=[weights[held]],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    assert found["trees"] == model.best_iteration_ < 1000 - PATIENCE
    # It has ended as early, too.
    assert own.evals_result_ == model.evals_result_
    expected = np.asarray(model.predict_proba(X.iloc[held]))
    np.testing.assert_allclose(np.exp(logits), expected, atol=1e-9)


def test_an_ensemble_that_grows_in_parts_is_that_of_one_fit() -> None:
    """Member by member; a balanced random forest draws anew, so its steps are always the same."""
    from imblearn.ensemble import EasyEnsembleClassifier  # noqa: PLC0415

    random = np.random.default_rng(0)
    codes = random.choice(3, 120, p=[0.6, 0.3, 0.1])
    X = random.normal(size=(120, 4)) + codes[:, None]
    parts = EasyEnsembleClassifier(n_estimators=5, random_state=1)
    whole = EasyEnsembleClassifier(n_estimators=5, random_state=1).fit(X, codes)
    grow(parts, X, codes, Limits(), 2)
    assert len(parts.estimators_) == 5
    assert np.array_equal(parts.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("name", NAMES)
def test_more_threads_change_nothing(name: str) -> None:
    """But the time: histograms are summed in the same order."""
    one, two = (_ask(name, _rows(), threads=threads) for threads in (1, 2))
    assert two.facts["threads"] == 2
    np.testing.assert_allclose(one.test, two.test, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_look_is_told_before_test_rows_are_predicted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and after everything else has been predicted."""
    rows, told = _rows(), []
    module = boosting if isinstance(OPPONENTS[name], Boosting) else forests
    original = module.log_probabilities

    def seen(proba: np.ndarray, *more: Any) -> np.ndarray:
        told.append(len(proba))
        return original(proba, *more)

    monkeypatch.setattr(module, "log_probabilities", seen)
    cut = Rows(rows.X, rows.codes, rows.train, rows.validation, rows.test[:17], 3)
    _ask(name, cut, look=lambda: told.append(-1))
    assert told[-2:] == [-1, 17]
    assert told.count(-1) == 1
