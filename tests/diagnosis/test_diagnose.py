"""Laws of a whole diagnosis, on real runs."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.diagnose import diagnose
from equipoise.diagnosis.evidence import Evidence, Seen, observe
from equipoise.metrics import evaluate
from equipoise.report.plots.course import recall_course
from equipoise.runs import Run

# The package has a function of the module's name.
MODULE = import_module("equipoise.diagnosis.diagnose")


@pytest.fixture(scope="module")
def evidence(run: Path) -> Evidence:
    """Of a run on digits."""
    return observe(Run(run), load("digits", ReadOptions()), per_class=60, device="cpu")


def _without(seen: Seen, code: int) -> Seen:
    kept = seen.codes != code
    return replace(seen, **{name: values[kept] for name, values in vars(seen).items()})


def test_the_ledger_adds_up_where_a_class_is_not_held_out(evidence: Evidence) -> None:
    """Of the classes that all parts have, which is said; wrong labels of few are not seen."""
    lacking = _without(evidence.parts["validation"], 3)
    found = diagnose(
        replace(evidence, parts={**evidence.parts, "validation": lacking}), hessian=False
    )
    assert found["right"]["value"] + sum(x["value"] for x in found["ledger"]) == pytest.approx(1)
    assert found["right"]["value"] != pytest.approx(found["scores"]["as_is"]["value"], abs=1e-6)
    assert "9 of 10 classes: of 3 there" in found["notes"][-1]
    few = (np.bincount(lacking.codes, minlength=10) < 10).sum()
    assert f"Of {few} classes fewer than ten examples are held out" in found["readings"]["suspects"]


def test_scores_are_those_of_evaluate(evidence: Evidence) -> None:
    """Of the same test examples: value and interval, as trained and corrected, exactly."""
    found, test = diagnose(evidence, hessian=False), evidence.parts["test"]
    given = {"classes": evidence.classes, "train_counts": evidence.counts}
    for name, logits in (("as_is", test.logits), ("corrected", test.corrected)):
        told = evaluate(logits, test.codes, **given)["overall"]["balanced_accuracy"]
        assert found["scores"][name] == told
    assert found["right"] == found["scores"]["as_is"]


def _keys(value: Any) -> Iterator[list[str]]:
    """Return the keys of every object in JSON."""
    if isinstance(value, dict):
        yield list(value)
    if isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _keys(inside)


def test_groups_come_from_the_most_frequent_on(evidence: Evidence) -> None:
    """In JSON, in sentences and in pictures, also where the first class is the rarest."""
    turned = replace(evidence, groups=evidence.groups[::-1])
    assert list(dict.fromkeys(turned.groups)) == ["few", "medium", "many"]
    found = diagnose(turned, hessian=True)
    order = ["many", "medium", "few"]
    told = [[key for key in keys if key in order] for keys in _keys(found)]
    assert sum(keys == order for keys in told) > 20
    assert all(keys == order for keys in told if len(keys) > 1)
    for name in "gap", "course", "margins", "sharpness":
        for sentence in found["readings"][name].split(". "):
            groups = re.findall(r"(many|medium|few) [+-]?\d", sentence)
            assert groups in (order, []), sentence
        assert "; medium " in found["readings"][name] or ", medium " in found["readings"][name]
    picture = recall_course(found)
    assert picture is not None
    assert re.findall(r"(many|medium|few) \d", picture.description) == order


def test_calibration_is_before_a_temperature_with_and_without_validation_examples(
    evidence: Evidence,
) -> None:
    """By scipy, each class counted alike; after a temperature it has a name of its own."""
    test = evidence.parts["test"]
    proba = softmax(test.corrected, axis=1)
    squares = ((proba - np.eye(10)[test.codes]) ** 2).sum(axis=1)
    brier = np.mean([squares[test.codes == k].mean() for k in range(10)])
    none = replace(
        evidence.parts["validation"],
        **{name: values[:0] for name, values in vars(evidence.parts["validation"]).items()},
    )
    for validation in evidence.parts["validation"], none:
        parts = {**evidence.parts, "validation": validation}
        overall = diagnose(replace(evidence, parts=parts), hessian=False)["overall"]
        assert overall["brier_corrected"] == pytest.approx(brier)
        assert ("brier_tempered" in overall) == (len(validation) > 0)
        assert ("temperature" in overall) == (len(validation) > 0)
        if len(validation):
            assert overall["temperature"] != pytest.approx(1, abs=0.01)
            assert overall["brier_tempered"] != pytest.approx(brier, abs=1e-4)


def test_the_probe_is_not_chosen_on_the_test_examples_that_judge_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random guesses know nothing; the best of three on a test set of its own would seem to."""
    codes = np.repeat([0, 1, 2], [60, 20, 8])
    test = SimpleNamespace(features=codes[:, None], codes=codes, corrected=np.eye(3)[codes])
    seen = SimpleNamespace(parts={"train": test, "test": test}, held_out=test, n_classes=3)
    found, best = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        guesses = [[random.integers(0, 3, len(codes))] * 2 for _ in range(3)]
        monkeypatch.setattr(MODULE, "probe_predictions", lambda *_, own=guesses: own)
        found.append(MODULE.probed(seen)["test"])
        best.append(max(balanced_accuracy_score(codes, each[0]) for each in guesses))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 1 / 3) < 3 * error
    assert np.mean(best) > 1 / 3 + 0.04


def test_suspects_are_the_same_in_pieces(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few images are reduced at once."""
    whole = MODULE.suspected(evidence)
    monkeypatch.setattr(MODULE, "AT_ONCE", 7)
    pieces = MODULE.suspected(evidence)
    assert len(whole.places) > 0
    assert pieces.places.tolist() == whole.places.tolist()


def test_what_two_classes_always_have_is_not_told(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    """The means of two classes lie opposite to each other, but for rounding, in every run."""
    random = np.random.default_rng(0)
    rows = [f"{a:.3f},{a + b:.3f},{'yn'[int(a > 0.5)]}" for a, b in random.normal(size=(150, 2))]
    table = tmp_path / "two.csv"
    table.write_text("\n".join(["x,z,target", *rows]), "utf-8")
    made = make(tmp_path / "run", str(table), None, epochs=2)
    seen = observe(Run(made), load(str(table), ReadOptions()), device="cpu")
    overall = diagnose(seen, hessian=False)["overall"]
    assert not [name for name in overall if name.startswith("nc2")]
    assert overall["nc4_test"] is not None
