"""Laws of deadlines: training that would end too late ends earlier, by whole epochs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from equipoise.fitting import Fit
from equipoise.learning import Learning
from equipoise.progress import Progress
from equipoise.selection import validation_scores
from equipoise.task import Task

PARAMS = {
    "backbone": "MLP(layers=1, width=8, numeric=None)",
    "epochs": 6,
    "batch_size": 8,
    "device": "cpu",
}


def _fit(**changes: object) -> Fit:
    from equipoise import Classifier  # noqa: PLC0415 (slow to import)

    random = np.random.default_rng(0)
    X, codes = pd.DataFrame({"a": random.normal(size=40)}), np.repeat([0, 1], 20)
    rows = random.permutation(40)
    task = Task(X=X, codes=codes, n_classes=2, train=rows[:30], validation=rows[30:])
    return Fit.prepare(task, {**Classifier().get_params(deep=False), **PARAMS, **changes}, seed=0)


def _slow(seconds: float) -> Callable[[Progress], None]:
    """Return an observer that makes each epoch take at least so long."""

    def observe(progress: Progress) -> None:
        if progress.step == progress.steps and progress.row is None:
            time.sleep(seconds)

    return observe


def test_one_step_is_taken_however_late_it_is() -> None:
    """A deadline that has passed leaves a network that has learnt something, of one batch."""
    fit, steps = _fit(), []
    fit.run(deadline=time.monotonic() - 100, observers=[lambda p: steps.append(p.step)])
    assert [step for step in steps if step] == [1]
    assert len(fit.training.history) == 1
    assert np.isfinite(fit.training.history[0]["train_loss"])
    assert fit.training.is_cut_short


def test_later_epochs_are_whole_or_not_begun() -> None:
    """Only the first one ends in its middle."""
    fit, steps = _fit(), []
    observers = [_slow(0.2), lambda p: steps.append((p.epoch, p.step))]
    fit.run(deadline=time.monotonic() + 0.5, observers=observers)
    n = len(fit.training.history)
    assert n >= 1
    assert sum(step > 0 for _, step in steps) == n * 4


def test_a_distant_deadline_changes_nothing() -> None:
    """Weights and history are those of a run without one."""
    free, bound = _fit(), _fit()
    free.run()
    bound.run(deadline=time.monotonic() + 1e6)
    assert not bound.training.is_cut_short
    assert len(bound.training.history) == 6
    weights = [fit.training.network.state_dict() for fit in (free, bound)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_training_ends_before_an_epoch_that_would_end_too_late() -> None:
    """Epochs of 0.3 s fit three times at most into 1 s; what was done is as in a full run."""
    full, cut = _fit(), _fit()
    full.run()
    begun = time.monotonic()
    cut.run(observers=[_slow(0.3)], deadline=begun + 1.0)
    assert time.monotonic() - begun < 1.3
    done = len(cut.training.history)
    assert 1 <= done <= 3
    assert cut.training.is_cut_short
    losses = [[row["train_loss"] for row in fit.training.history[:done]] for fit in (full, cut)]
    assert losses[0] == losses[1]


def test_the_best_epoch_before_the_deadline_is_kept() -> None:
    """Weights are those of the epoch that validation chose among those trained, not of the last."""
    fit = _fit(optimizer="SGD(lr=3.0)", epochs=200)
    fit.run(observers=[_slow(0.02)], deadline=time.monotonic() + 0.8)
    rows = fit.training.history
    best = fit.training.selection.best_epoch
    assert rows[best]["best"]
    assert best < len(rows) - 1, "the last epoch was the best one: this shows nothing"
    scores = validation_scores(
        fit.model.logits(fit.task.X, fit.task.validation), fit.task.codes[fit.task.validation]
    )
    assert scores["log_loss"] == pytest.approx(rows[best]["validation"]["log_loss"], rel=1e-4)
    assert scores["log_loss"] != pytest.approx(rows[-1]["validation"]["log_loss"], rel=1e-4)


def test_a_resumed_training_may_be_too_late_at_once(tmp_path: Path) -> None:
    """What an earlier process did counts: no epoch is added after the deadline."""
    state = tmp_path / "state.safetensors"
    first, again = _fit(), _fit()
    first.run(checkpoint=state, deadline=time.monotonic() - 1)
    again.run(checkpoint=state, deadline=time.monotonic() - 1)
    assert len(again.training.history) == 1
    assert again.training.is_cut_short


def test_several_processes_end_together() -> None:
    """The first decides for all, so none waits for another for ever."""
    fit = _fit(devices=2)
    fit.run(deadline=time.monotonic() - 1)
    assert len(fit.training.history) == 1
    assert fit.training.is_cut_short


@pytest.mark.parametrize(("slow", "epochs"), [(0.0, 6), (0.5, 3)])
def test_the_first_epoch_of_a_stage_is_begun_by_its_own_pace(
    slow: float, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps of half a second do not fit into the second that is left, although others did."""
    step = Learning.step

    def timed(self: Learning, *rest: Any) -> Any:
        time.sleep(slow * (self.stage.span[0] > 0))
        return step(self, *rest)

    monkeypatch.setattr(Learning, "step", timed)
    fit = _fit(stages="DRW(start=0.5)")
    fit.run(deadline=time.monotonic() + 2.5)
    assert len(fit.training.history) == epochs
    assert fit.training.is_cut_short == (epochs < 6)


def test_timing_the_next_stage_leaves_no_trace() -> None:
    """With a deadline that is far away the weights are those of a training without one."""
    fits = [_fit(stages="DRW(start=0.5)") for _ in range(2)]
    fits[0].run()
    fits[1].run(deadline=time.monotonic() + 1000)
    states = [fit.training.network.state_dict() for fit in fits]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
