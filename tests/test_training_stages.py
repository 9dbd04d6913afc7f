"""Laws of training in stages."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from equipoise import training as training_module
from equipoise.classifier import Classifier
from equipoise.fitting import Fit
from equipoise.progress import Progress
from equipoise.specialized import CRT, DRS, DRW, ClassBalanced, Inverse, WeightBalancing
from equipoise.specialized.stages import STAGES
from equipoise.standard.constraints import MaxNorm

PIXELS, TARGET = map(np.asarray, load_digits(n_class=3, return_X_y=True))
ROWS = np.concatenate([np.flatnonzero(np.equal(TARGET, i))[:n] for i, n in enumerate((90, 40, 12))])


def _fit(epochs: int = 5, kind: str = "table", **params: Any) -> Fit:
    """Return a fit of 142 digits of three classes, as rows or as images."""
    images = (PIXELS[ROWS].reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
    X = images if kind == "images" else pd.DataFrame(PIXELS[ROWS, 18:30])
    small = "ResNet18(width=8)" if kind == "images" else "MLP(numeric=None, width=16)"
    given = {"backbone": small, "device": "cpu", "epochs": epochs}
    return Classifier(**{**given, "batch_size": 32, **params}).prepare(X, TARGET[ROWS])[1]


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize(("epochs", "expected"), [(1, 2), (2, 2), (7, 7), (40, 40)])
def test_stages_are_together_as_long_as_one(name: str, epochs: int, expected: int) -> None:
    """Each has an epoch at least, so that one epoch becomes two."""
    for start in (0.0, 0.5, 1.0):
        lengths = [s.epochs for s in STAGES[name](start=start).split(_fit(epochs).training.stage)]
        assert sum(lengths) == expected
        assert min(lengths) >= 1
    assert STAGES[name](start=0.5).epochs(_fit(40).training.stage) == (20, 20)


def test_what_is_deferred_is_off_in_the_first_stage_and_as_set_in_the_second() -> None:
    """What a classifier sets stands in for the method's own."""
    whole = _fit().training.stage
    first, second = DRW().split(whole)
    assert first.weighting is None
    assert repr(second.weighting) == "EffectiveNumber()"
    given = _fit(weighting=Inverse(power=0.5)).training.stage
    assert repr(DRW().split(given)[1].weighting) == "Inverse(power=0.5)"
    assert [repr(s.sampler) for s in DRS().split(whole)] == ["None", repr(ClassBalanced())]
    first, second = WeightBalancing(decay=0.3).split(_fit(optimizer="SGD()").training.stage)
    assert (first.weighting, first.constraint) == (None, None)
    assert repr(second.weighting) == "EffectiveNumber()"
    assert repr(second.constraint) == repr(MaxNorm(share=0.1))
    assert [s.optimizer.weight_decay for s in (first, second)] == [0.0005, 0.3]  # type: ignore[attr-defined]


def test_deferred_stages_go_through_one_schedule() -> None:
    """The learning rates of all epochs are those of a training in one stage."""
    rates = []
    for stages in (None, DRW(start=0.6)):
        (fit := _fit(stages=stages)).run()
        rates.append([row["learning_rate"] for row in fit.training.history])
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-12)


def test_a_new_stage_of_the_head_begins_at_the_peak() -> None:
    """And goes through the whole schedule."""
    (fit := _fit(epochs=10, stages=CRT(start=0.5), schedule="Cosine(warmup=0.0)")).run()
    rates = [row["learning_rate"] for row in fit.training.history]
    np.testing.assert_allclose(rates[:5], rates[5:], rtol=1e-12)


@pytest.mark.parametrize("name", ["LWS", "DeferredLoss"])
def test_a_second_stage_may_have_a_rate_of_its_own(name: str) -> None:
    """All its rates are so much smaller or larger; those of the first stage are as they were."""
    rates = []
    for factor in (1.0, 0.01):
        (fit := _fit(stages=f"{name}(start=0.5, rate={factor})", loss="Focal()")).run()
        rates.append([row["learning_rate"] for row in fit.training.history])
    np.testing.assert_allclose(rates[1][:3], rates[0][:3], rtol=1e-12)
    np.testing.assert_allclose(rates[1][3:], np.multiply(0.01, rates[0][3:]), rtol=1e-12)


@pytest.mark.parametrize(("epochs", "expected"), [(33, 27), (200, 160), (10, 8), (3, 2)])
def test_a_second_stage_begins_no_sooner_than_it_is_due(epochs: int, expected: int) -> None:
    """Of 33 epochs 0.8 are 26.4: the 27th is of the first stage."""
    assert DRW().split(_fit(epochs).training.stage)[0].epochs == expected


def test_a_continued_stage_has_the_projector_of_the_one_before() -> None:
    """What a self-supervised loss has learnt beside the network is not thrown away."""
    fit = _fit(
        kind="images", stages=DRW(start=0.5), auxiliary="VICReg()", augmentation="CropFlip()"
    )
    training, seen = fit.training, []
    advance = training.advance

    def watched() -> None:
        before = training.learning.learner.projector.state_dict()  # type: ignore[union-attr]
        last = {name: value.clone() for name, value in before.items()}
        advance()
        after = training.learning.learner.projector.state_dict()  # type: ignore[union-attr]
        seen.append(all(torch.equal(last[name], after[name]) for name in after))

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    assert seen == [True]


def test_the_radius_of_a_share_is_measured_when_its_stage_begins() -> None:
    """A tenth of the way between the rows that the first stage has left, in all steps."""
    fit = _fit(stages=WeightBalancing(start=0.5), optimizer="SGD(lr=0.05)")
    training, lengths = fit.training, []
    advance = training.advance

    def watched() -> None:
        advance()
        lengths.append(training.network.head.weight.detach().norm(dim=1))  # type: ignore[union-attr, operator]

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    [rows] = lengths
    expected = float(rows.min() + 0.1 * (rows.max() - rows.min()))
    assert training.learning.constraint.radius == pytest.approx(expected)  # type: ignore[union-attr]
    after = training.learning.network.get_parameter("head.weight").detach().norm(dim=1)
    assert float(after.max()) <= expected * (1 + 1e-6)
    assert training.learning.constraint.share is None  # type: ignore[union-attr]


def test_a_deferred_stage_that_changes_nothing_changes_nothing() -> None:
    """Weights of power 0: each epoch's loss and rate of the first stage are as without stages."""
    (plain := _fit()).run()
    (staged := _fit(stages=DRW(start=0.6), weighting=Inverse(power=0.0))).run()
    losses = [[row["train_loss"] for row in fit.training.history] for fit in (plain, staged)]
    assert losses[0][:3] == losses[1][:3]
    assert losses[0][3:] != losses[1][3:]  # other batches, of another seed
    np.testing.assert_allclose(losses[0][3:], losses[1][3:], rtol=0.5)


def test_a_continued_stage_has_the_optimizer_of_the_one_before() -> None:
    """Its moments and its count of steps; the network has the last weights, not the best."""
    training = (fit := _fit(stages=DRW(start=0.6))).training
    seen: list[int] = []
    advance = training.advance

    def watched() -> None:
        last = {k: v.clone() for k, v in training.network.state_dict().items()}
        moments = training.learning.optimizer.state_dict()["state"]
        advance()
        again = training.learning.optimizer.state_dict()["state"]
        assert moments.keys() == again.keys()
        assert all(torch.equal(moments[i]["exp_avg"], again[i]["exp_avg"]) for i in moments)
        assert all(torch.equal(last[k], v) for k, v in training.network.state_dict().items())
        seen.append(len(training.history))

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    assert seen == [3]


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_stage_of_the_head_leaves_the_backbone_as_it_was(kind: str) -> None:
    """Weights and batch statistics are those of the best epoch before; the head begins anew."""
    training = (fit := _fit(kind=kind, stages=CRT(start=0.6))).training
    first = {k: v.clone() for k, v in training.network.state_dict().items()}
    found: list[dict[str, torch.Tensor]] = []
    advance = training.advance

    def watched() -> None:
        advance()
        found.append({k: v.clone() for k, v in training.network.state_dict().items()})

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    [entered], left = found, training.network.state_dict()
    heads = {name for name in left if name.startswith("head.")}
    assert all(torch.equal(entered[name], left[name]) for name in left.keys() - heads)
    assert all(torch.equal(entered[name], first[name]) for name in heads)
    assert any(not torch.equal(left[name], first[name]) for name in heads)
    assert any(not torch.equal(left[name], first[name]) for name in left.keys() - heads)


@pytest.mark.parametrize(
    "stages", ["DRW(start=0.5)", "CRT(start=0.5)", "WeightBalancing(start=0.5)"]
)
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_training_that_was_stopped_in_any_stage_goes_on_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: str, stop: int
) -> None:
    """Stopped before, at and after the change of stages: the same history and weights."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)  # after every epoch

    class Stopped(Exception):  # noqa: N818 (no error)
        pass

    def stopping(progress: Progress) -> None:
        if progress.row is not None and progress.epoch == stop:
            raise Stopped

    (whole := _fit(epochs=4, stages=stages)).run()
    path = tmp_path / "state"
    with pytest.raises(Stopped):
        _fit(epochs=4, stages=stages).run(observers=[stopping], checkpoint=path)
    (again := _fit(epochs=4, stages=stages)).run(checkpoint=path)
    losses = [[row["train_loss"] for row in f.training.history] for f in (whole, again)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    own, others = (f.training.network.state_dict() for f in (whole, again))
    assert all(torch.equal(own[name], others[name]) for name in own)


def test_patience_ends_a_stage_and_not_training() -> None:
    """Each stage has its own."""
    fit = _fit(epochs=40, stages=CRT(start=0.5), patience=1, optimizer="SGD(lr=1e-9)")
    fit.run()
    assert fit.training.index == 1
    assert 4 <= len(fit.training.history) < 40


def test_epochs_are_told_over_all_stages() -> None:
    """A user sees one training."""
    told: list[tuple[int, int]] = []
    fit = _fit(epochs=4, stages=DRS(start=0.5))
    fit.run(observers=[lambda p: told.append((p.epoch, p.epochs))])
    assert sorted(set(told)) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [row["epoch"] for row in fit.training.history] == [1, 2, 3, 4]


def test_the_prior_is_that_of_the_last_stage() -> None:
    """Balanced after a stage with balanced classes, that of the data without."""
    shares = np.bincount(TARGET[ROWS][_fit().task.train]) / len(_fit().task.train)
    np.testing.assert_allclose(_fit().prior, shares)
    for stages in (DRS(), CRT(), WeightBalancing()):
        fit = _fit(stages=stages, weighting=None if isinstance(stages, DRS | CRT) else Inverse())
        np.testing.assert_allclose(fit.prior, np.full(3, 1 / 3))


def _second_step(stages: str, **params: Any) -> tuple[Fit, torch.nn.Module, np.ndarray]:
    """Return a fit whose second stage took one step, the network before it, and the rows it saw."""
    small = "MLP(numeric=None, layers=1, width=16, dropout=0.0)"
    plain = {"optimizer": "SGD(lr=0.5, momentum=0.0, weight_decay=0.0)", "schedule": "Constant()"}
    given = {"backbone": small, "average": None, "batch_size": 1000, **plain, **params}
    fit = _fit(epochs=2, stages=f"{stages}(start=0.5)", **given)
    training, seen = fit.training, []
    advance = training.advance

    def watched() -> None:
        advance()
        [positions] = training.learning.order(fit.examples[0], 0)
        before = copy.deepcopy(training.learning.network).requires_grad_(True).train()
        seen.append((before, positions))

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    [(network, positions)] = seen
    return fit, network, positions


def _weighted(stages: str, counts: np.ndarray) -> np.ndarray:
    """Return the weight of each class in the second stage, by the formulas of the papers."""
    if stages not in ("DRW", "WeightBalancing"):
        return np.ones(3)
    numbers = (1 - 0.9999**counts) / (1 - 0.9999)
    return counts.sum() / numbers / (counts / numbers).sum()


SECOND: dict[str, dict[str, Any]] = {
    "DRW": {},
    "DRS": {},
    "CRT": {},
    "MiSLAS": {},
    "WeightBalancing": {"constraint": "MaxNorm(radius=0.4)"},
    "DeferredLoss": {"loss": "Focal(gamma=2.0)"},
}


@pytest.mark.parametrize("stages", SECOND)
def test_the_second_stage_steps_as_torch_does(stages: str) -> None:
    """One step on all rows by autograd: weights, balanced rows, smoothed targets or another loss;
    the head alone or the network; and rows that are shortened as by `torch.renorm`.
    """
    fit, network, positions = _second_step(stages, **SECOND[stages])
    examples, counts = fit.examples[0], np.bincount(fit.examples[0].codes)
    labels = torch.from_numpy(examples.codes[positions])
    is_balanced = stages in ("DRS", "CRT", "MiSLAS")
    assert (np.ptp(np.bincount(labels)) <= 1) == is_balanced
    assert is_balanced or (np.sort(positions) == np.arange(counts.sum())).all()
    spread = np.log(counts / counts.min()) / np.log(counts.max() / counts.min())
    rates = torch.tensor(0.3 * spread if stages == "MiSLAS" else 0 * spread)[labels, None]
    targets = ((1 - rates) * F.one_hot(labels, 3) + rates / 3).float()
    weights = torch.tensor(_weighted(stages, counts)).float()[labels]
    losses = F.cross_entropy(network(examples.source.take(positions)), targets, reduction="none")
    unsure = (1 - (-losses).exp()) ** 2 if stages == "DeferredLoss" else 1.0
    (weights * unsure * losses).mean().backward()
    found = fit.training.learning.network.state_dict()
    for name, before in network.named_parameters():
        is_learnt = stages in ("DRW", "DRS", "DeferredLoss") or name.startswith("head.")
        expected = before.detach() - 0.5 * before.grad * is_learnt  # type: ignore[operator]
        if stages == "WeightBalancing" and name == "head.weight":
            assert (expected.norm(dim=1) > 0.4).any()
            expected = torch.renorm(expected, p=2, dim=0, maxnorm=0.4)
        torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-6)
