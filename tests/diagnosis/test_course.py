"""Laws of recall over epochs: what training recorded, and what later epochs changed."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import recall_score

from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.course import Course
from equipoise.diagnosis.diagnose import diagnose
from equipoise.diagnosis.evidence import Evidence, observe
from equipoise.report.plots import draw_diagnosis
from equipoise.runs import Run
from equipoise.selection import class_recalls


def _evidence(history: list[dict[str, Any]]) -> Any:
    """Two classes, two examples of each part: on held-out ones class 1 is always wrong."""
    codes = np.array([0, 1])
    right = SimpleNamespace(logits=np.eye(2), codes=codes)
    wrong = SimpleNamespace(logits=np.array([[1.0, 0.0], [1.0, 0.0]]), codes=codes)
    parts = {"train": right, "validation": wrong, "test": wrong}
    return SimpleNamespace(history=history, n_classes=2, parts=parts, held_out=wrong)


def _rows(recalls: list[Any], stages: list[int] | None = None) -> list[dict[str, Any]]:
    numbers = stages or [1] * len(recalls)
    rows = enumerate(zip(recalls, numbers, strict=True), start=1)
    return [{"epoch": i, "stage": s, "best": i == 1, "recall": r} for i, (r, s) in rows]


def test_recalls_are_those_of_scikit_learn() -> None:
    """Class by class, and None of a class without examples."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, 200)
    logits = random.normal(size=(200, 5)) + np.eye(5)[codes]
    wanted = recall_score(codes, logits.argmax(1), labels=range(4), average=None)
    found = class_recalls(logits, codes)
    assert found[:4] == pytest.approx(wanted.tolist(), abs=5e-5)
    assert found[4] is None


def test_the_kept_epoch_is_told_with_the_last_there_was() -> None:
    """As advice needs it; it is not known where no epoch was marked."""
    rows = _rows([[0.5, 0.5]] * 3)
    assert Course.of(_evidence(rows)).kept_of == (1, 3)
    unmarked = [{**row, "best": False} for row in rows]
    assert Course.of(_evidence(unmarked)).kept_of is None


def test_the_kept_epoch_has_the_recall_of_the_kept_predictions(run: Path) -> None:
    """What an epoch records is of the weights that it leaves, as trained."""
    opened = Run(run)
    rows, kept = opened.history, opened.read_arrays("predictions.npz")
    best = max(i for i, row in enumerate(rows) if row["best"])
    labels, logits = kept["validation_labels"], kept["validation_logits"]
    wanted = recall_score(labels, logits.argmax(1), average=None)
    assert rows[best]["recall"] == pytest.approx(wanted.tolist(), abs=5e-5)
    for row in rows:
        assert np.mean(row["recall"]) == pytest.approx(
            row["validation"]["balanced_accuracy"], abs=5e-5
        )


def test_late_change_is_last_quarter_less_the_one_before() -> None:
    """By hand: eight epochs, quarters of two; class 0 rises by 0.3, class 1 falls by 0.5."""
    first = [0.0, 0.0, 0.0, 0.0, 0.4, 0.6, 0.8, 0.8]
    second = [0.0, 0.0, 0.0, 0.0, 0.9, 0.7, 0.4, 0.2]
    course = Course.of(_evidence(_rows([list(pair) for pair in zip(first, second, strict=True)])))
    assert course is not None
    assert course.late == pytest.approx([0.3, -0.5])
    assert course.gap.tolist() == [0.0, 1.0]
    assert course.kept == 1


def test_only_epochs_of_the_stage_that_is_kept_are_compared() -> None:
    """Ten epochs at another level before change nothing; seven of a stage are too few."""
    rows = _rows([[1.0, 1.0]] * 10 + [[0.5, 0.1]] * 8, [1] * 10 + [2] * 8)
    rows[-1]["best"] = True
    course = Course.of(_evidence(rows))
    assert course is not None
    assert course.late == pytest.approx([0.0, 0.0])
    few = Course.of(_evidence(_rows([[0.5, 0.1]] * 7)))
    assert few is not None
    assert np.isnan(few.late).all()


def test_epochs_without_recalls_are_gaps() -> None:
    """Of a run that an earlier version began, and of one of that version alone."""
    rows = _rows([[0.5, None]] * 9)
    del rows[0]["recall"]
    course = Course.of(_evidence(rows))
    assert course is not None
    told = course.told(["many", "few"])
    assert told["held_out"] == [[None, *[0.5] * 8], [None] * 9]
    assert told["by_group"]["held_out"] == {"many": [None, *[0.5] * 8], "few": [None] * 9}
    assert told["late"] == [0.0, None]
    for row in rows:
        row.pop("recall", None)
    assert Course.of(_evidence(rows)) is None


def _diagnosed(run: Path) -> tuple[Evidence, dict[str, Any]]:
    opened = Run.open(run)
    evidence = observe(opened, load(opened.config["data"]["source"], ReadOptions()))
    return evidence, diagnose(evidence, hessian=False)


def test_a_diagnosis_tells_and_draws_it(run: Path) -> None:
    """As JSON, in a sentence and as a picture; without it there is none of the three."""
    evidence, found = _diagnosed(run)
    own = json.loads(json.dumps(found["course"], allow_nan=False))
    assert len(own["epochs"]) == 12
    assert np.shape(own["held_out"]) == (10, 12)
    assert found["by_class"]["late"] == own["late"]
    assert "last quarter of the epochs" in found["readings"]["course"]
    pictures = draw_diagnosis(found, "x")
    assert pictures["recall_course"] is not None
    assert "over 12 epochs, as trained" in pictures["recall_course"].description

    bare = [{k: v for k, v in row.items() if k != "recall"} for row in evidence.history]
    assert Course.of(_evidence(bare)) is None
    without = {**found, "course": None}
    assert draw_diagnosis(without, "x")["recall_course"] is None
