"""Laws of time budgets: what fits is chosen, and measuring leaves no trace."""

import copy
import math
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise import Classifier
from equipoise import pace as pace_module
from equipoise.batches import Examples
from equipoise.defaults import Choice
from equipoise.fitting import Fit
from equipoise.learning import Learning
from equipoise.outcome import both_priors
from equipoise.pace import (
    BUDGET_SHARE,
    LONGER,
    NARROWER,
    USEFUL_EPOCHS,
    Pace,
    choose_epochs,
    fitting_epochs,
    measure_pace,
    paced,
    seconds_to_judge,
)
from equipoise.spec import resolve
from equipoise.standard.backbones import BACKBONES
from equipoise.task import Task

RANDOM = np.random.default_rng(0)
CODES = np.repeat([0, 1, 2], [60, 30, 15])
ROWS = RANDOM.permutation(105)
IMAGES = RANDOM.integers(255, size=(105, 8, 8, 3), dtype=np.uint8)
FRAME = pd.DataFrame({"a": RANDOM.normal(size=105), "b": RANDOM.normal(size=105)})


def _fit(X: Any = IMAGES, held: int = 25, **params: Any) -> Fit:
    task = Task(X=X, codes=CODES, n_classes=3, train=ROWS[held:], validation=ROWS[:held])
    given = {**Classifier().get_params(deep=False), "device": "cpu", **params}
    return Fit.prepare(task, given, seed=3)


@settings(deadline=None, derandomize=True)
@given(
    left=st.floats(-10, 1e5),
    epoch=st.floats(1e-3, 1e3),
    automatic=st.integers(10, 60),
    kind=st.sampled_from(["images", "table"]),
)
def test_chosen_epochs_fit_into_their_share(
    left: float, epoch: float, automatic: int, kind: str
) -> None:
    """They take no more than 90 % of what is left, but one is always trained."""
    chosen = choose_epochs(left, epoch, automatic, kind)
    assert 1 <= chosen.value <= LONGER[kind] * automatic
    if chosen.value > 1:
        assert chosen.value * epoch <= BUDGET_SHARE * left * (1 + 1e-9)
    if chosen.value < LONGER[kind] * automatic:
        assert (chosen.value + 1) * epoch > BUDGET_SHARE * left * (1 - 1e-9)
    assert chosen.field == "epochs"
    assert chosen.source.startswith("measured: ")


@pytest.mark.parametrize(
    ("left", "kind", "epochs", "words"),
    [
        (5, "images", 1, "not even one"),
        (12, "images", 1, "as many as fit"),
        (100, "images", 9, "instead of 20"),
        (225, "images", 20, "the automatic number, and as many as fit"),
        (235, "images", 21, "longer training pays"),
        (300, "images", 27, "longer training pays"),
        (9999, "images", 80, "none longer was measured"),
        (9999, "table", 20, "overfit"),
        (225, "table", 20, "overfit"),
        (100, "table", 9, "instead of 20"),
    ],
)
def test_the_reason_says_what_bounded_the_epochs(
    left: float, kind: str, epochs: int, words: str
) -> None:
    """The time, the automatic number, or what is known of longer training."""
    chosen = choose_epochs(left, 10.0, 20, kind)
    assert (chosen.value, words in chosen.reason) == (epochs, True)
    assert "10s an epoch" in chosen.source


def test_a_time_that_is_over_fits_nothing() -> None:
    """Reading may have taken all of it."""
    assert fitting_epochs(-5, 1) == 0
    assert fitting_epochs(10, 1) == math.floor(10 * BUDGET_SHARE)


@pytest.mark.parametrize(
    "params",
    [
        {"backbone": "ResNet(depth=8, width=4)"},
        {"backbone": "ResNet(depth=8, width=4)", "sharpness": "SAM()", "auxiliary": "VICReg()"},
        {"backbone": "ResNet(depth=8, width=4)", "mixing": "Mixup()", "average": "SWA()"},
        {"X": FRAME, "smoothing": "Uniform()"},
        {"backbone": "ResNet(depth=8, width=4)", "held": 0, "norm": "group"},
        {"X": FRAME, "backbone": "TabM(numeric=None, members=2)", "optimizer": "Adam()"},
    ],
    ids=["plain", "everything", "mixed", "table", "no validation", "members"],
)
def test_measuring_leaves_no_trace(params: dict[str, Any]) -> None:
    """Training after it gives the same weights, bit for bit, and torch's generator stands still."""
    fits = [_fit(**{"epochs": 2, **params}) for _ in range(2)]
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    untouched = copy.deepcopy(fits[0].training.network.state_dict())
    measure_pace(fits[0], 0.05)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    state = fits[0].training.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in untouched.items())
    assert fits[0].training.history == []
    for fit in fits:
        fit.run()
    states = [fit.training.network.state_dict() for fit in fits]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    scores = [[row["validation"] for row in fit.training.history] for fit in fits]
    assert scores[0] == scores[1]


def test_what_is_measured_is_how_long_epochs_take() -> None:
    """The figure is that of real epochs, within what a busy machine allows."""
    fit = _fit(backbone="ResNet18(width=8)", epochs=4, batch_size=8)
    measured = measure_pace(fit, 1.0)
    fit.run()
    real = min(row["seconds"] for row in fit.training.history)
    assert real / 4 < measured.epoch < 4 * real
    assert 0 < measured.prediction < measured.epoch


@pytest.mark.parametrize(("start", "share"), [(0.25, 0.75), (0.75, 0.25)])
def test_every_stage_counts_by_its_epochs(
    start: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: steps of the second stage made to take 20 ms more, over its share of the epochs."""
    step = Learning.step

    def slow(self: Learning, *rest: Any) -> Any:
        time.sleep(0.02 * (self.stage.span[0] > 0))
        return step(self, *rest)

    monkeypatch.setattr(Learning, "step", slow)
    params = {"X": FRAME, "backbone": "MLP(numeric=None, layers=1, width=8)", "batch_size": 8}
    plain = measure_pace(_fit(**params, epochs=8), 0.2).epoch
    fit = _fit(**params, epochs=8, stages=f"DRW(start={start})")
    added = measure_pace(fit, 0.4).epoch - plain
    assert added == pytest.approx(10 * 0.02 * share, rel=0.4)


def test_translated_examples_are_part_of_the_measure() -> None:
    """The second stage of M2m asks two networks many times for each step."""
    params = {"backbone": "ResNet18(width=4)", "batch_size": 16, "epochs": 2}
    fit = _fit(**params, stages="M2m(start=0.5, steps=10, beta=0.5)")
    measured = 2 * measure_pace(fit, 0.4).epoch
    fit.run()
    seconds = [row["seconds"] for row in fit.training.history]
    assert max(seconds) > 3 * min(seconds)
    assert sum(seconds) / 2 < measured < 2 * sum(seconds)


def test_costly_components_are_part_of_the_measure() -> None:
    """A second gradient and a second view take their time, and so do two processes' halves."""
    plain, costly = (
        measure_pace(_fit(backbone="ResNet18(width=8)", batch_size=16, **more), 0.5).epoch
        for more in ({}, {"sharpness": "SAM()", "auxiliary": "VICReg()"})
    )
    assert costly > 1.7 * plain


def test_epochs_that_are_given_are_left_alone() -> None:
    """The speed is measured all the same, to leave what follows training its time."""
    fit = _fit(epochs=3)
    same, pace = paced(fit, time.monotonic() + 5, 10)
    assert same is fit
    assert pace.after(10) == 10 * (pace.prediction + pace.judging) > 0


def _speeds(monkeypatch: pytest.MonkeyPatch, **epochs: float) -> list[str]:
    """Make networks as fast as told, by the width of their text; return what was measured."""
    measured = []

    def of(fit: Fit, seconds: float) -> Pace:  # noqa: ARG001 (as the real one)
        text = repr(fit.settings.backbone)
        measured.append(text)
        width = text.partition("width=")[2].rstrip(")")
        return Pace(epochs.get(f"width{width}", 1.0), 0.0)

    monkeypatch.setattr(pace_module, "measure_pace", of)
    return measured


def test_a_narrower_network_is_taken_if_too_few_epochs_would_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first of its family with which ten fit; wider ones are not measured after that."""
    measured = _speeds(monkeypatch, width16=3000.0, width8=800.0, width4=200.0)
    fit, found = paced(_fit(), time.monotonic() + 10_050, 0)
    assert measured == ["ResNet18(width=16)", "ResNet18(width=8)"]
    assert repr(fit.settings.backbone) == "ResNet18(width=8)"
    assert (fit.settings.epochs, found) == (11, Pace(800.0, 0.0))
    chosen = {choice.field: choice for choice in fit.choices}
    assert chosen["backbone"].value == "ResNet18(width=8)"
    assert "only 3 epochs" in chosen["backbone"].reason
    assert "50m an epoch on this machine, 13m20s with" in chosen["backbone"].source
    assert chosen["epochs"].value == 11
    assert [choice.field for choice in fit.choices] == [choice.field for choice in _fit().choices]


def test_the_network_with_most_epochs_is_taken_if_ten_fit_with_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A narrower one that is no faster is no gain."""
    measured = _speeds(monkeypatch, width16=3000.0, width8=2000.0, width4=2500.0)
    fit, _ = paced(_fit(), time.monotonic() + 10_050, 0)
    assert len(measured) == 3
    assert repr(fit.settings.backbone) == "ResNet18(width=8)"
    assert fit.settings.epochs == 4
    _speeds(monkeypatch, width16=3e3, width8=3e3, width4=3e3)
    fit, _ = paced(_fit(), time.monotonic() + 10_050, 0)
    assert repr(fit.settings.backbone) == "ResNet18(width=16)"
    assert "backbone" in {c.field for c in fit.choices if not c.source.startswith("measured")}


def test_the_fastest_network_is_taken_if_no_epoch_fits_with_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One epoch is trained all the same, and shall not take longer than it must."""
    _speeds(monkeypatch, width16=3000.0, width8=900.0, width4=1000.0)
    fit, _ = paced(_fit(), time.monotonic() + 100, 0)
    assert repr(fit.settings.backbone) == "ResNet18(width=8)"
    assert fit.settings.epochs == 1


def test_a_backbone_that_is_given_is_not_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it is the automatic one."""
    measured = _speeds(monkeypatch, width16=3000.0)
    fit, _ = paced(_fit(backbone="ResNet18(width=16)"), time.monotonic() + 10_050, 0)
    assert measured == ["ResNet18(width=16)"]
    assert fit.settings.epochs == 3


def test_time_that_other_networks_were_measured_in_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first network is taken, but the measuring of narrower ones took from the budget."""
    clock = [0.0]

    def of(fit: Fit, seconds: float) -> Pace:  # noqa: ARG001 (as the real one)
        clock[0] += 1000.0
        return Pace(500.0, 0.0)

    monkeypatch.setattr(pace_module, "measure_pace", of)
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: clock[0])
    fit, _ = paced(_fit(), 5000.0, 0)
    assert clock == [3000.0]
    assert repr(fit.settings.backbone) == "ResNet18(width=16)"
    assert fit.settings.epochs == math.floor(BUDGET_SHARE * 2000 / 500)


def test_metrics_after_training_are_left_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What judging so many predictions takes is more than nothing, and grows with them."""
    lefts = []

    def of(seconds: float, *rest: Any) -> Choice:
        lefts.append(seconds)
        return choose_epochs(seconds, *rest)

    monkeypatch.setattr(pace_module, "choose_epochs", of)
    monkeypatch.setattr(pace_module, "measure_pace", lambda *_: Pace(100.0, 0.0))
    for n in (0, 1_000, 1_000_000):
        paced(_fit(), time.monotonic() + 100_000, n)
    spent = [100_000 - left for left in lefts]
    assert 0 <= spent[0] < spent[1] < 20
    assert spent[2] > 50 * (spent[1] - spent[0])


def test_metrics_take_what_is_reckoned_for_them() -> None:
    """The figure is that of the metrics under two priors, within what a busy machine allows."""
    fit, n = _fit(X=FRAME), 4_000
    codes = np.resize(CODES, n)
    logits = np.random.default_rng(1).normal(size=(n, 3))
    begun = time.perf_counter()
    both_priors(logits, codes, ("a", "b", "c"), fit.model)
    real = time.perf_counter() - begun
    assert real / 4 < seconds_to_judge(fit, n) < 4 * real


def test_predictions_after_training_are_left_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the validation and test examples take is not given to epochs."""
    monkeypatch.setattr(pace_module, "measure_pace", lambda *_: Pace(100.0, 1.0))
    fit, _ = paced(_fit(), time.monotonic() + 10_050, 5_000)
    assert fit.settings.epochs == math.floor(BUDGET_SHARE * 50.4)


def test_an_epoch_by_steps_costs_what_its_passes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget of steps a small batch makes fewer passes, each as long as it is."""
    monkeypatch.setattr(pace_module, "measure_pace", lambda *_: Pace(1000.0, 0.0))
    size = 'BatchSize(size=8, budget="steps", reference=32)'
    fit, _ = paced(_fit(batch_size=size), time.monotonic() + 10_050, 0)
    assert fit.settings.epochs == math.floor(BUDGET_SHARE * 100.4 / 2.5)
    assert fit.training.stage.epochs == 9


def test_other_epochs_are_as_if_given() -> None:
    """Weights are those of a fit with these epochs, and the stage knows them."""
    chosen, given_ = _fit(X=FRAME).lasting(3), _fit(X=FRAME, epochs=3)
    assert chosen.params["epochs"] == 3
    assert [c.field for c in chosen.choices] == [c.field for c in given_.choices]
    for fit in (chosen, given_):
        fit.run()
    states = [fit.training.network.state_dict() for fit in (chosen, given_)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert len(chosen.training.history) == 3


def test_of_several_processes_the_share_of_one_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its steps are of half the batch, and need no other process."""
    sizes, step = [], Learning.step

    def counted(self: Learning, examples: Examples, positions: np.ndarray, *rest: int) -> Any:
        sizes.append(len(positions))
        return step(self, examples, positions, *rest)

    monkeypatch.setattr(Learning, "step", counted)
    largest = []
    for devices in (1, 2):
        sizes.clear()
        fit = _fit(backbone="ResNet18(width=8)", batch_size=24, devices=devices)
        assert measure_pace(fit, 0.1).epoch > 0
        largest.append(max(sizes))
    assert largest[1] == math.ceil(largest[0] / 2)


@pytest.mark.parametrize("first", NARROWER)
def test_narrower_networks_can_be_built_and_are_smaller(first: str) -> None:
    """Each of a family has fewer parameters than the one before."""
    X = FRAME if first.startswith("MLP") else np.zeros((105, 64, 64, 3), np.uint8)
    sizes = []
    for text in (first, *NARROWER[first]):
        resolve(text, BACKBONES, "backbone")
        network = _fit(X=X, backbone=text).training.network
        sizes.append(sum(p.numel() for p in network.parameters()))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_every_automatic_network_has_narrower_ones() -> None:
    """And ten epochs are what the automatic rule gives at least."""
    for X in (IMAGES, FRAME, np.zeros((105, 65, 65, 3), np.uint8)):
        automatic = {choice.field: choice.value for choice in _fit(X=X).choices}
        assert automatic["backbone"] in NARROWER
        assert automatic["epochs"] >= USEFUL_EPOCHS
