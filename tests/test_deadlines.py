"""Laws of stages under a deadline: each keeps its share, and what was not trained is told."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from equipoise import deadlines
from equipoise import training as training_module
from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.deadlines import Deadline, how_it_ended
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.learning import Learning
from equipoise.plan import Plan
from equipoise.progress import Progress
from equipoise.selection import validation_scores

SHARES = np.array([0.9, 0.1])
STAGED = ("CRT()", "LWS()", "WeightBalancing()", "MiSLAS()", "DRW()", "DRS()")


def _fit(**params: Any) -> Fit:
    """Return a fit of 80 training examples, nine of ten of one class, in batches of 20."""
    random = np.random.default_rng(0)
    X, y = pd.DataFrame({"a": random.normal(size=100)}), np.repeat([0, 1], [90, 10])
    given = {"backbone": "MLP(layers=1, width=8, numeric=None)", "batch_size": 20, "epochs": 40}
    small = {"device": "cpu", "validation": 0.2, "average": None}
    return Classifier(**{**given, **small, **params}).prepare(X, y)[1]


def _by_stage(fit: Fit) -> list[int]:
    stages = [row["stage"] for row in fit.training.history]
    return [stages.count(number + 1) for number in range(len(fit.training.stages))]


@pytest.mark.parametrize("stages", ["CRT(start=0.75)", "DRW(start=0.75)"])
def test_a_stage_that_would_take_the_time_of_the_next_ends_early(
    stages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the time for 30 and 10 epochs: both are trained, about half as long."""
    step = Learning.step

    def slow(self: Learning, *rest: Any) -> Any:
        time.sleep(0.015)
        return step(self, *rest)

    monkeypatch.setattr(Learning, "step", slow)
    fit = _fit(stages=stages)
    fit.run(deadline=time.monotonic() + 1.6)  # of 2.4 seconds and more
    first, second = _by_stage(fit)
    assert 1 <= first < 30
    planned = max(1, round(10 * first / 30))
    assert 1 <= second <= planned  # on a machine with other work, fewer than were reckoned
    assert fit.training.is_cut_short
    np.testing.assert_allclose(fit.prior, _fit(stages=stages).prior)
    assert how_it_ended(fit.training, "late", stages) == (
        f"late, after epoch {first + second} of 40: "
        f"{first} of 30 in stage 1, {second} of 10 in stage 2"
    )
    if second == planned:  # the schedule of the second stage has come to its end
        rates = [row["learning_rate"] for row in fit.training.history]
        assert rates[-1] < 0.2 * max(rates)


def _decision(left: float, done: int, later: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """Decide after some of 10 epochs of a second each, with 10 epochs of another stage to come."""
    training: Any = SimpleNamespace(
        index=0,
        stage=SimpleNamespace(epochs=10),
        stages=(SimpleNamespace(epochs=10), SimpleNamespace(epochs=10)),
        history=[{"seconds": 1.0}] * done,
        done_in_stage=done,
        ends_stage=done == 10,
    )
    monkeypatch.setattr(deadlines, "seconds_of_later_stages", lambda *_: [later])
    return Deadline(training, None, None)._decision(time.monotonic() + left)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("left", "done", "later", "decision"),
    [
        (5.1, 1, 2.0, "go on"),  # an epoch, and then two of two seconds
        (4.9, 1, 2.0, "shorten"),
        (1.9, 1, 2.0, "go on"),  # no epoch of the next fits anyhow: this one is used
        (0.9, 1, 2.0, "end"),
        (13.1, 5, 2.0, "go on"),  # six of ten epochs of two seconds are kept
        (12.9, 5, 2.0, "shorten"),
        (2.1, 10, 2.0, "go on"),
        (1.9, 10, 2.0, "end"),
    ],
)
def test_what_is_left_is_shared_in_proportion(
    left: float, done: int, later: float, decision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worked out by hand: a stage ends where its next epoch would take from those that follow."""
    found = _decision(left, done, later, monkeypatch)
    assert ("go on", "shorten", "end")[found] == decision


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_a_shortened_training_that_was_stopped_goes_on_the_same(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten epochs become six, of which the last two are a stage: stopped before, at and after."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)  # after every epoch
    monkeypatch.setattr(
        Deadline,
        "_decision",
        lambda self, _: int(self.training.index == 0 and self.training.done_in_stage == 4),
    )

    class Stopped(Exception):  # noqa: N818 (no error)
        pass

    def stopping(progress: Progress) -> None:
        if progress.row is not None and progress.epoch == stop:
            raise Stopped

    def made() -> Fit:
        return _fit(stages="CRT(start=0.6)", epochs=10)

    ends = time.monotonic() + 1000
    (whole := made()).run(deadline=ends)
    path = tmp_path / "state"
    with pytest.raises(Stopped):
        made().run(observers=[stopping], checkpoint=path, deadline=ends)
    (again := made()).run(checkpoint=path, deadline=ends)
    assert _by_stage(whole) == _by_stage(again) == [4, 3]
    assert whole.training.is_cut_short
    assert again.training.is_cut_short
    losses = [[row["train_loss"] for row in f.training.history] for f in (whole, again)]
    assert losses[0] == losses[1]
    own, others = (f.training.network.state_dict() for f in (whole, again))
    assert all(torch.equal(own[name], others[name]) for name in own)


@pytest.mark.parametrize("stages", STAGED)
def test_the_prior_is_that_of_the_stage_whose_weights_are_kept(stages: str) -> None:
    """A second stage that was never trained has balanced nothing."""
    fit = _fit(stages=stages)
    planned = fit.prior
    fit.run(deadline=time.monotonic() - 1)
    np.testing.assert_allclose(fit.prior, SHARES)
    assert not np.allclose(planned, SHARES, atol=0.1)
    words = how_it_ended(fit.training, "late", stages)
    assert words == f"late, after epoch 1 of 40: no epoch of stage 2 of {stages} was trained"


def test_a_stage_that_is_stopped_in_its_first_epoch_has_kept_nothing() -> None:
    """Weights and prior are those of the stage before."""

    class Stopped(Exception):  # noqa: N818 (no error)
        pass

    def stopping(progress: Progress) -> None:
        if progress.epoch == 3:
            raise Stopped

    fit = _fit(stages="CRT(start=0.5)", epochs=4)
    with pytest.raises(Stopped):
        fit.run(observers=[stopping])
    assert fit.training.index == 1
    np.testing.assert_allclose(fit.prior, SHARES)


@pytest.mark.parametrize("stages", STAGED)
def test_each_stage_is_corrected_from_its_own_prior(stages: str) -> None:
    """The first from the data's, the second from what it has balanced or smoothed."""
    fit = _fit(stages=stages, prior="balanced")
    correct = fit.training.correct
    assert correct is not None
    first, last = (correct(np.zeros((1, 2)), stage, 1.0)[0] for stage in fit.training.stages)
    np.testing.assert_allclose(first, np.log(0.5) - np.log(SHARES))
    np.testing.assert_allclose(last, np.log(0.5) - np.log(fit.prior), atol=1e-9)


def test_epochs_of_the_first_stage_are_chosen_as_without_a_second() -> None:
    """Under the prior of use, their scores are those of plain training, to the digit."""
    params = {"prior": "balanced", "monitor": "balanced_log_loss", "epochs": 10}
    (plain := _fit(**params)).run()
    (staged := _fit(**params, stages="DRS(start=0.5)")).run()
    rows = [fit.training.history[:5] for fit in (plain, staged)]
    assert [row["validation"] for row in rows[0]] == [row["validation"] for row in rows[1]]
    assert [row["best"] for row in rows[0]] == [row["best"] for row in rows[1]]


def test_epochs_of_the_second_stage_are_scored_under_its_own_prior() -> None:
    """Made anew from the weights that are kept."""
    fit = _fit(stages="DRW(start=0.5)", prior="balanced", epochs=6)
    fit.run()
    rows = fit.task.validation
    logits = fit.corrected(fit.model.logits(fit.task.X, rows))
    kept = fit.training.history[fit.training.selection.best_epoch]
    assert kept["stage"] == 2
    found = validation_scores(logits, fit.task.codes[rows])
    assert kept["validation"] == pytest.approx(found, abs=1e-6)


def test_a_run_says_that_its_second_stage_was_not_trained(tmp_path: Path) -> None:
    """In words that name it, with the prior of the first, by which its figures are corrected."""
    path = tmp_path / "t.csv"
    random = np.random.default_rng(0)
    values = zip(random.normal(size=100), np.repeat(["a", "b"], [90, 10]), strict=True)
    path.write_text("x,target\n" + "".join(f"{x:.4f},{y}\n" for x, y in values))
    params = {"device": "cpu", "epochs": 200}
    experiment = Experiment(
        source=str(path), options=ReadOptions(), budget=1e-3, recipe="crt", params=params
    )
    run = Plan.make(experiment).run(tmp_path / "run")
    counts = np.array(run.config["data"]["counts_train"])
    np.testing.assert_allclose(run.config["network"]["prior"], counts / counts.sum())
    ended = run.config["environment"]["ended"]
    assert ended.endswith("epoch 1 of 200: no epoch of stage 2 of CRT() was trained")
