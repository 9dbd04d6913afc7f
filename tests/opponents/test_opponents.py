"""Laws of other libraries' learners: honest parts, plain probabilities, the prior in them."""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.errors import InputError
from equipoise.opponents import OPPONENTS, Rows
from equipoise.opponents.contract import class_weights, contained_prior

NAMES = sorted(OPPONENTS)


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


def _ask(name: str, rows: Rows, *, search: bool = False, seconds: float = 1.0, seed: int = 0):
    return OPPONENTS[name].answer(
        rows, seed, seconds=seconds, metric="balanced_log_loss", search=search
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


@pytest.mark.parametrize("name", NAMES)
def test_classes_of_one_example_and_classes_that_were_not_learnt(name: str) -> None:
    """Nothing fails, and what was not learnt has hardly any probability."""
    rows = _rows(n_classes=5)
    for code in (3, 4):
        where = np.flatnonzero(rows.codes == code)
        rows.codes[where] = 0
    rows.codes[rows.train[0]] = 3  # one to learn from
    rows.codes[rows.test[0]] = 4  # none
    for search in (False, True):
        found = _ask(name, rows, search=search, seconds=0.3)
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


def test_a_search_finds_better_numbers_in_its_time(assets: Path) -> None:
    """On yeast, by its own measure; it ends soon after its time."""
    data = load(str(assets / "yeast.csv"), ReadOptions(label="target"))
    order = np.random.default_rng(0).permutation(len(data.codes))
    parts = np.split(order, [900, 1180])
    rows = Rows(data.X, data.codes, *parts, len(data.classes))  # type: ignore[arg-type]
    begun = time.monotonic()
    found = _ask("xgboost-balanced", rows, search=True, seconds=6)
    assert found.facts["trials"] > 1
    assert time.monotonic() - begun < 60
    assert balanced_accuracy_score(rows.codes[rows.test], found.test.argmax(axis=1)) > 0.35


def test_a_missing_library_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    for name, package in (("xgboost", "xgboost"), ("easy-ensemble", "imblearn.ensemble")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match="opponents"):
            _ask(name, _rows())
