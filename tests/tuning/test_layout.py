"""Laws of the layout: what a search is judged by, how long its trials are, what is kept back."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.classifier import Classifier
from equipoise.defaults import Choice
from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.pace import Pace, paced
from equipoise.runs import Run
from equipoise.selection import MONITORS
from equipoise.task import Task
from equipoise.tuning.layout import (
    Layout,
    final_epochs,
    first_rung_of,
    lay_out,
    store_layout,
    stored_layout,
)
from equipoise.tuning.records import Record, State


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, searches: ModuleType) -> Callable[..., Fit]:
    """Return fits of ten epochs, each of which is made to seem to take two seconds."""
    monkeypatch.setattr("equipoise.tuning.layout.measure_pace", lambda *_: Pace(2.0, 0.01))
    monkeypatch.setattr("equipoise.tuning.layout.seconds_to_judge", lambda _, n: n * 0.002)
    monkeypatch.setattr("equipoise.tuning.division.TELLING_SHARE", 0.0)

    def make(**params: Any) -> Fit:
        return Fit.prepare(searches.task(), {**searches.PARAMS, "epochs": 10, **params}, 0)

    return make


def test_with_time_a_full_training_is_as_long_as_the_prescription(slow: Callable[..., Fit]) -> None:
    """By hand: 20 s a training; of 1000 s, 30 and 24 are kept back, and five folds take 100 s."""
    layout = lay_out(slow(), 1000.0)
    assert layout.reserve == 30 + 24
    assert layout.n_folds == 5
    assert layout.seconds == 100.0
    assert (layout.epochs, layout.most_epochs) == (10, 20)


def test_without_time_it_is_an_eighth_of_the_search(slow: Callable[..., Fit]) -> None:
    """By hand: of 60 s, 1.8 and no more than 35 % are kept back; one split, for want of time."""
    layout = lay_out(slow(), 60.0)
    assert layout.reserve == pytest.approx(1.8 + 21)
    assert layout.n_folds == 1
    assert layout.seconds == pytest.approx((60 - 22.8) / 8)


def test_predictions_and_metrics_are_left_their_time(slow: Callable[..., Fit]) -> None:
    """By hand: 10,000 predictions take 100 s and their metrics 20 s, beside 30 and 24 s."""
    layout = lay_out(slow(), 1000.0, n_predicted=10_000)
    assert layout.reserve == pytest.approx(30 + 24 + 120)
    assert layout.after() == pytest.approx(120)
    assert layout.after(3.0) == pytest.approx(320)
    # Of what predictions leave, 35 % are kept for the final training: (180 - 120) * 0.35.
    short = lay_out(slow(), 180.0, n_predicted=10_000)
    assert short.reserve == pytest.approx(5.4 + 21 + 120)


def test_models_of_an_ensemble_are_left_their_time(slow: Callable[..., Fit]) -> None:
    """By hand: three recipes of two folds predict in 600 s; there is no final training."""
    layout = lay_out(slow(), 1000.0, n_folds=2, n_predicted=10_000, ensemble=3)
    assert layout.reserve == pytest.approx(30 + 600 + 20)


def test_a_tenth_of_the_time_is_for_trials_whatever_follows(slow: Callable[..., Fit]) -> None:
    """Where predictions alone would take all of it."""
    layout = lay_out(slow(), 100.0, n_predicted=10_000)
    assert layout.reserve == pytest.approx(90)


def test_what_mattered_is_left_its_time(
    slow: Callable[..., Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: 9.46 trainings, so 28.4 trials, are told of in 4.4 s; of 60 s it has 5 %."""
    fit = slow()
    monkeypatch.setattr("equipoise.tuning.division.TELLING_SHARE", 0.05)
    layout = lay_out(fit, 1000.0)
    assert layout.telling == pytest.approx(3 + 0.05 * 3 * 9.46)
    assert layout.reserve == pytest.approx(30 + 24 + layout.telling)
    assert lay_out(fit, 60.0).reserve == pytest.approx(1.8 + 21 + 3)


def _images(**params: Any) -> Fit:
    """Return a fit of 160 images of two classes."""
    images = np.zeros((160, 8, 8, 1), np.uint8)
    parts = {"train": np.arange(120), "validation": np.arange(120, 160)}
    task = Task(X=images, codes=np.arange(160) % 2, n_classes=2, **parts)
    settings = {"backbone": "ResNet18(width=4)", "device": "cpu", **params}
    return Fit.prepare(task, {**Classifier().get_params(deep=False), **settings}, 0)


@pytest.mark.usefixtures("slow")
def test_on_images_half_of_the_time_is_for_the_final_training() -> None:
    """By hand: of 60 epochs of 2 s, four times as many fit into 600 s; 1000 s keep back 500."""
    layout = lay_out(_images(), 1000.0)
    assert (layout.epochs, layout.longest) == (60, 240)
    assert layout.reserve == pytest.approx(500 + 30)
    assert layout.seconds == pytest.approx(470 / 5)
    record = Record(number=3, epochs=30, pace=2.0, best_epochs=(30,), state="complete")
    assert final_epochs(layout, record, 1e9) == 240


@pytest.mark.usefixtures("slow")
def test_epochs_that_are_given_are_not_stretched() -> None:
    """By hand: ten epochs of 2 s, and a fifth more, are kept back."""
    layout = lay_out(_images(epochs=10), 1000.0)
    assert (layout.epochs, layout.longest) == (10, 10)
    assert layout.reserve == pytest.approx(24 + 30)


def test_an_epoch_by_steps_costs_what_its_passes_do(slow: Callable[..., Fit]) -> None:
    """In quarter batches the same steps are a quarter of the passes."""
    size = "BatchSize(size=8, budget='steps', reference=32)"
    layout = lay_out(slow(batch_size=size), 1000.0, n_folds=1)
    assert layout.seconds == 2.0 * 2  # 2.5 passes, rounded


def test_what_is_given_is_taken(slow: Callable[..., Fit]) -> None:
    """Metrics and folds, with time left as they ask for it."""
    layout = lay_out(slow(), 1000.0, ["macro_f1", "seconds"], 3)
    assert layout.metrics == ("macro_f1", "seconds")
    assert (layout.n_folds, layout.seconds) == (3, 60.0)
    told = {choice.field: choice for choice in layout.choices}
    assert told["metric"].reason == told["folds"].reason == "as given"
    assert told["stopping"].value == "none"


def test_a_rare_class_is_judged_by_its_loss(slow: Callable[..., Fit]) -> None:
    """Eight examples of the rarest class over all folds are too few for recall; it is said so."""
    layout = lay_out(slow(), 1000.0)
    assert layout.metrics == ("balanced_log_loss",)
    told = {choice.field: str(choice) for choice in layout.choices}
    assert set(told) == {"metric", "folds", "trial", "stopping", "reserve"}
    assert "examples of the rarest class" in told["metric"]
    assert "20s a fold here" in told["trial"]


def test_a_prescription_that_is_cut_in_trials_is_told(slow: Callable[..., Fit]) -> None:
    """Where its trials are shorter than its training, by about how many epochs it has left."""
    for budget, words in ((1000.0, None), (100.0, "so it has about")):
        fit = slow()
        fit.params = {**fit.params, "epochs": "auto"}
        layout = lay_out(fit, budget, n_folds=1)
        trial = next(str(choice) for choice in layout.choices if choice.field == "trial")
        share = layout.seconds / 20.0
        assert (words is None) == (share == 1.0)
        told = None if share == 1.0 else f"so it has about {round(share * layout.epochs)} of them"
        assert ("so it has" not in trial) if told is None else (told in trial)


def test_epochs_that_are_given_are_those_of_every_trial(slow: Callable[..., Fit]) -> None:
    """However short the time: by hand, ten epochs of 2 s on each of two folds."""
    told = {choice.field: choice for choice in lay_out(slow(), 300.0, n_folds=2).choices}
    assert told["trial"].value == "40s"
    assert "every recipe has the 10 epochs that are given" in told["trial"].reason
    assert "so it has about" not in told["trial"].reason


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (100.0, "takes 20s here, so there is time for 5.0 of them"),
        (200.0, None),
    ],
)
def test_too_little_time_is_told_with_numbers(
    budget: float, words: str | None, slow: Callable[..., Fit]
) -> None:
    """By hand: ten epochs of 2 s, of which ten trainings are enough."""
    told = {choice.field: choice for choice in lay_out(slow(), budget).choices}
    assert ("budget" in told) == (words is not None)
    if words is not None:
        assert words in told["budget"].reason


@pytest.mark.parametrize(("budget", "alone"), [(15.0, True), (32.0, True), (34.0, False)])
def test_without_time_for_one_training_in_the_search_the_prescription_has_all_of_it(
    budget: float, alone: bool, slow: Callable[..., Fit]
) -> None:
    """By hand: it takes 20 s; a search has 62 % of the budget, the prescription alone 97 %."""
    layout = lay_out(slow(), budget)
    assert layout.alone == alone == (0.62 * budget < 20)
    assert (layout.seconds == pytest.approx(0.97 * budget)) == alone
    told = {choice.field: str(choice) for choice in layout.choices}
    assert (
        "takes 20s here, longer than there would be for trials" in told.get("trials", "")
    ) == alone
    assert ("trial" in told) != alone
    record = Record(number=0, epochs=7, pace=2.0, best_epochs=(7,), state="complete")
    assert (final_epochs(layout, record, 1e9) == 0) == alone


def test_the_prescription_alone_has_the_narrower_network_that_a_fit_would_have(
    monkeypatch: pytest.MonkeyPatch, searches: ModuleType
) -> None:
    """Of the automatic one too few epochs fit; one that is given stays."""
    params = {**searches.PARAMS, "backbone": "auto"}
    fit = Fit.prepare(searches.task(), params, 0)
    wide, narrow = repr(fit.settings.backbone), "MLP(layers=1, width=8)"

    def seconds(own: Fit, *_: object) -> Pace:
        return Pace(60.0 if repr(own.settings.backbone) == wide else 10.0, 0.0)

    for place in ("equipoise.pace", "equipoise.tuning.layout"):
        monkeypatch.setattr(f"{place}.measure_pace", seconds)
    monkeypatch.setattr("equipoise.pace.NARROWER", {wide: (narrow,)})
    layout = lay_out(fit, 300.0)
    assert (layout.alone, layout.backbone) == (True, narrow)
    told = {choice.field: choice for choice in layout.choices}
    assert told["network"].value == narrow
    assert "epochs" in told["network"].reason
    of_fit, _ = paced(fit, time.monotonic() + layout.seconds, 0)
    assert repr(of_fit.settings.backbone).startswith("MLP(layers=1, width=8")
    given = Fit.prepare(searches.task(), {**params, "backbone": wide}, 0)
    assert lay_out(given, 300.0).backbone is None
    # With time for a search the network is as prescribed, and may be searched.
    assert lay_out(fit, 30000.0).backbone is None


def test_who_has_an_ensemble_or_folds_wants_a_search(slow: Callable[..., Fit]) -> None:
    """The one has no final training, the others one model each."""
    assert not lay_out(slow(), 15.0, ensemble=5).alone
    assert not lay_out(slow(), 15.0, n_folds=3).alone


@pytest.mark.parametrize(("n_folds", "missed"), [(1, "one, two"), (2, "one")])
def test_classes_that_are_never_held_out_are_named(
    n_folds: int, missed: str, slow: Callable[..., Fit]
) -> None:
    """A class of two is in one of two folds; one of one example is always learnt from."""
    fit = slow()
    told = {c.field: c for c in lay_out(fit, 1000.0, n_folds=n_folds).choices}
    assert "not judged" not in told
    codes = np.array([0] * 90 + [1] * 2 + [2])
    X = fit.task.X.iloc[:93]
    rows = {"train": np.arange(10, 93), "validation": np.arange(10)}
    names = ("many", "two", "one")
    rare = Task(X=X, codes=codes, n_classes=3, classes=names, **rows)
    layout = lay_out(replace(fit, task=rare), 1000.0, n_folds=n_folds)
    told = {c.field: c for c in layout.choices}
    assert set(str(told["not judged"].value).split(", ")) == set(missed.split(", "))
    assert "with 0 held-out" not in told["metric"].reason


@pytest.mark.parametrize(
    ("seconds", "pace", "n_folds", "rung"),
    [(27.0, 1.0, 1, 1), (26.9, 1.0, 1, 3), (27.0, 1.0, 5, 1), (54.0, 2.0, 3, 1), (27.0, 1.1, 1, 3)],
)
def test_recipes_are_compared_from_the_third_epoch_on(
    seconds: float, pace: float, n_folds: int, rung: int
) -> None:
    """By hand: at a ninth of 27 s, 3 epochs of 1 s have been trained, in the first fold."""
    assert first_rung_of(seconds, pace, n_folds)[0] == rung


@pytest.mark.parametrize("n_folds", [0, -1, 51, 1000])
def test_folds_without_examples_are_refused(n_folds: int, slow: Callable[..., Fit]) -> None:
    """There are at most as many as examples of the largest class, which are 50."""
    with pytest.raises(InputError, match=f"from 1 to 50 .* asked for {n_folds}"):
        lay_out(slow(), 1000.0, n_folds=n_folds)


@pytest.mark.parametrize("metric", MONITORS)
def test_every_metric_can_be_searched_for(metric: str, slow: Callable[..., Fit]) -> None:
    """All that can choose an epoch."""
    assert lay_out(slow(), 1000.0, [metric]).metrics == (metric,)


def _layout(epochs: int) -> Layout:
    return Layout(
        metrics=("accuracy",),
        n_folds=2,
        seconds=1.0,
        epochs=epochs,
        longest=epochs,
        first_rung=1,
        reserve=0.0,
        choices=(),
    )


@pytest.mark.parametrize(
    ("left", "epochs"),
    [(1e9, 15), (71.0, 15), (70.0, 14), (20.0, 4), (4.8, 1), (4.7, 0), (-9.0, 0)],
)
def test_the_final_training_stops_where_the_best_epochs_were(left: float, epochs: int) -> None:
    """By hand: the best of 20 were 10 and 15, so 62.5 % of the prescription's 24, if they fit.

    An epoch on one of two folds took 2 s, so one on all examples takes 4 s, and 85 % of the time
    that is left is planned.
    """
    record = Record(number=0, epochs=20, pace=2.0, best_epochs=(10, 15), state="complete")
    assert final_epochs(_layout(24), record, left) == epochs


def test_a_training_that_was_longer_than_the_prescription_stays_so() -> None:
    """A cheap recipe had 40 epochs, not 10, and was best after 30."""
    record = Record(number=0, epochs=40, pace=0.1, best_epochs=(30,), state="complete")
    assert final_epochs(_layout(10), record, 1e9) == 30


@pytest.mark.parametrize("state", ["unfinished", "running", "stopped"])
def test_a_training_that_was_cut_says_nothing_of_its_best_epoch(state: State) -> None:
    """After 3 of 30 epochs the best was the third; the final training has all 30 all the same.

    Of two folds the first was trained in full, and was best at its half.
    """
    record = Record(number=0, epochs=30, pace=0.1, best_epochs=(3,), state=state)
    assert final_epochs(_layout(30), record, 1e9) == 30
    folds = replace(record, best_epochs=(15, 3))
    assert final_epochs(_layout(30), folds, 1e9) == 15


@settings(deadline=None, derandomize=True)
@given(
    epochs=st.integers(1, 60),
    trained=st.integers(1, 120),
    share=st.floats(0, 1),
    left=st.floats(-10, 1000),
)
def test_the_final_training_fits(epochs: int, trained: int, share: float, left: float) -> None:
    """Its epochs take no longer than what is left, and are no more than the longer training's."""
    best = max(1, round(share * trained))
    record = Record(number=0, epochs=trained, pace=3.0, best_epochs=(best,), state="complete")
    found = final_epochs(_layout(epochs), record, left)
    assert 0 <= found <= max(epochs, trained)
    assert found == 0 or 3.0 * found <= left


LAYOUT = Layout(
    metrics=("accuracy", "seconds"),
    n_folds=2,
    seconds=8.5,
    epochs=10,
    longest=20,
    first_rung=3,
    reserve=-1.5,
    choices=(Choice("folds", 2, "as given", "design"), Choice("metric", "accuracy", "given", "")),
    alone=True,
    backbone="MLP()",
)


def test_a_layout_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """With its choices; where there is none, the search has not begun."""
    assert stored_layout(tmp_path) is None
    store_layout(tmp_path, LAYOUT)
    assert stored_layout(tmp_path) == LAYOUT
    store_layout(tmp_path, replace(LAYOUT, backbone=None))
    assert stored_layout(tmp_path) == replace(LAYOUT, backbone=None)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"shadow": 1}, "shadow is unknown"),
        ({"metrics": "accuracy"}, "metrics is no list"),
        ({"metrics": []}, "metrics hold ''"),
        ({"metrics": ["seconds", "accuracy"]}, "metrics hold 'seconds'"),
        ({"metrics": ["accuracy", "beauty"]}, "metrics hold 'beauty'"),
        ({"n_folds": 0}, "n_folds is 0"),
        ({"n_folds": 2.5}, "n_folds is not a whole number"),
        ({"first_rung": 2}, "first_rung is 2"),
        ({"epochs": -1}, "epochs is -1"),
        ({"seconds": None}, "seconds is not a number"),
        ({"choices": [{"field": "folds"}]}, r"choices\[0\] lacks reason"),
        ({"backbone": 3}, "backbone is not text or null"),
    ],
)
def test_a_layout_of_another_shape_is_refused(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    """It may be a stranger's: what is wrong with it is said, and which file it is."""
    store_layout(tmp_path, LAYOUT)
    known = Run(tmp_path).read_json("layout.json")
    Run(tmp_path).write_json("layout.json", {**known, **changes})
    with pytest.raises(InputError, match=f"layout.json of a search .*layout.json`, {fault}"):
        stored_layout(tmp_path)
