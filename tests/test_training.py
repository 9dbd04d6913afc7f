"""Laws of training: it is plain gradient descent on weighted examples, told step by step."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.batches import Examples, Source
from equipoise.devices import Device, reproducible
from equipoise.errors import TrainingError
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.optimizers import SGD
from equipoise.standard.schedules import Constant, Cosine
from equipoise.standard.smoothing import Uniform
from equipoise.training import Progress, Stage, Training, train

N, EPOCHS = 42, 6

PLAIN = Stage(
    epochs=EPOCHS,
    batch_size=10,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-3),
    schedule=Cosine(),
    loss=CrossEntropy(),
)
FULL_BATCH = replace(
    PLAIN, epochs=5, batch_size=10**6, schedule=Constant(warmup=0), smoothing=Uniform(eps=0.1)
)


def _network() -> nn.Module:
    with reproducible(0):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def _table() -> Examples:
    """Return rows whose class is their largest number among the first three."""
    rows = np.random.default_rng(1).standard_normal((N, 4)).astype(np.float32)
    return Examples(Source(rows, np.arange(N)), rows[:, :3].argmax(axis=1))


def _none() -> Examples:
    return Examples(Source(np.empty((0, 4), np.float32), np.arange(0)), np.arange(0))


def _training(stage: Stage) -> Training:
    counts = torch.from_numpy(np.bincount(_table().codes)).float()
    return Training((stage,), _network(), Device("cpu"), counts, seed=0)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_weights_of_one_change_nothing() -> None:
    """Weighted by ones, the network is the same to the bit."""
    plain, weighted = _training(PLAIN), _training(PLAIN)
    train(plain, _table(), _table())
    train(weighted, replace(_table(), weights=np.ones(N)), _table())
    assert _equal(_state(plain.network), _state(weighted.network))
    assert not _equal(_state(plain.network), _state(_network()))


def test_twice_the_weight_is_twice_the_example() -> None:
    """With all examples in one batch, a weight of 2 (of mean 1) is a duplicate."""
    examples = _table()
    weights = np.ones(N)
    weights[7] = 2
    twice = np.append(np.arange(N), 7)
    doubled = Examples(Source(examples.source.array, twice), examples.codes[twice])
    weighted = replace(examples, weights=weights / weights.mean())
    networks = []
    for given in weighted, doubled, examples:
        training = _training(FULL_BATCH)
        train(training, given, _none())
        networks.append(_state(training.network))
    for name, value in networks[0].items():
        torch.testing.assert_close(value, networks[1][name])
    assert (networks[0]["0.weight"] - networks[2]["0.weight"]).abs().max() > 1e-3


def test_a_weight_of_zero_is_no_example() -> None:
    """What weighs nothing is not learnt from."""
    examples = _table()
    others = np.delete(np.arange(N), 7)
    weights = np.where(np.arange(N) == 7, 0, N / (N - 1))
    networks = []
    for given in (
        replace(examples, weights=weights),
        Examples(Source(examples.source.array, others), examples.codes[others]),
    ):
        training = _training(FULL_BATCH)
        train(training, given, _none())
        networks.append(_state(training.network))
    for name, value in networks[0].items():
        torch.testing.assert_close(value, networks[1][name])


def test_steps_are_those_of_a_loop_written_by_hand() -> None:
    """Three steps on all examples: weights less the learning rate times the gradient."""
    stage = replace(FULL_BATCH, epochs=3, optimizer=SGD(lr=0.5, momentum=0.0, weight_decay=0.0))
    examples, training, by_hand = _table(), _training(stage), _network()
    train(training, examples, _none())
    inputs, labels = torch.from_numpy(examples.source.array), torch.from_numpy(examples.codes)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(by_hand(inputs), labels, label_smoothing=0.1)
        gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(by_hand.parameters(), gradients, strict=True):
                parameter.copy_(parameter - 0.5 * gradient)
        losses.append(loss.item())
    for name, value in training.network.state_dict().items():
        torch.testing.assert_close(value, by_hand.state_dict()[name])
    found = [row["train_loss"] for row in training.history]
    assert found == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("clip_norm", [0.01, None])
def test_the_clipped_gradient_is_no_longer_than_asked(clip_norm: float | None) -> None:
    """A step at learning rate 1 moves all weights together by the norm of the gradient."""
    optimizer = SGD(lr=1.0, momentum=0.0, weight_decay=0.0)
    training = _training(replace(FULL_BATCH, epochs=1, optimizer=optimizer, clip_norm=clip_norm))
    train(training, _table(), _none())
    before, after = _network().state_dict(), training.network.state_dict()
    moved = torch.cat([(after[k] - before[k]).flatten() for k in before]).norm().item()
    if clip_norm is None:
        assert moved > 0.05
    else:
        assert moved == pytest.approx(clip_norm, rel=1e-3)


def test_the_learning_rate_is_that_of_the_middle_of_each_step() -> None:
    """Rates follow the schedule over all steps of all epochs; even one step alone learns."""
    stage = replace(PLAIN, schedule=Cosine(warmup=0.3, final=0.1))
    rates: list[float] = []
    training = _training(stage)
    look = training.learning.optimizer.param_groups
    observers = [lambda p: rates.append(look[0]["lr"]) if p.step else None]
    train(training, _table(), _none(), observers=observers)
    steps = EPOCHS * 5
    assert rates == pytest.approx([0.1 * stage.schedule((i + 0.5) / steps) for i in range(steps)])
    assert {group["lr"] for group in look} == {rates[-1]}
    assert [row["learning_rate"] for row in training.history] == rates[4::5]

    single = _training(replace(FULL_BATCH, epochs=1, schedule=Cosine()))
    train(single, _table(), _none())
    assert not _equal(_state(single.network), _state(_network()))


def test_training_learns() -> None:
    """The loss falls: a flipped sign anywhere would raise it."""
    training = _training(replace(PLAIN, epochs=30))
    train(training, _table(), _table())
    losses = [row["train_loss"] for row in training.history]
    assert losses[-1] < 0.3 * losses[0]
    assert training.history[-1]["validation"]["accuracy"] > 0.9


def test_without_validation_the_last_epoch_is_kept() -> None:
    """There is nothing to choose by."""
    training = _training(PLAIN)
    states: list[dict[str, Tensor]] = []
    observers = [lambda p: states.append(_state(training.network)) if p.row else None]
    train(training, _table(), _none(), observers=observers)
    assert _equal(_state(training.network), states[-1])
    assert all(row["best"] and row["validation"] == {} for row in training.history)


def test_patience_ends_training_early() -> None:
    """A network that does not change is best in its first epoch; two more are waited for."""
    training = _training(replace(FULL_BATCH, epochs=50, optimizer=SGD(lr=0.0), patience=2))
    train(training, _table(), _table())
    assert [row["best"] for row in training.history] == [True, False, False]
    assert training.finished


def test_weights_that_break_in_the_last_step_are_seen() -> None:
    """The loss of a step is that before it: one step alone can break what it never measured."""
    stage = replace(FULL_BATCH, epochs=1, optimizer=SGD(lr=1e38, momentum=0.0, weight_decay=100.0))
    with pytest.raises(TrainingError, match="undefined weights"):
        train(_training(stage), _table(), _none())


def test_observers_are_told_of_every_step_and_epoch() -> None:
    """Steps count up within an epoch, examples add up, and each row comes once."""
    told: list[Progress] = []
    training = _training(PLAIN)
    train(training, _table(), _table(), observers=[told.append])
    steps = [p for p in told if p.row is None]
    rows = [p for p in told if p.row is not None]
    assert [(p.epoch, p.step) for p in steps] == [
        (e, s) for e in range(1, EPOCHS + 1) for s in range(1, 6)
    ]
    assert {(p.epochs, p.steps) for p in steps} == {(EPOCHS, 5)}
    assert [p.examples for p in steps[:5]] == [9, 18, 26, 34, 42]
    assert [p.row for p in rows] == training.history
    assert [row["epoch"] for row in training.history] == list(range(1, EPOCHS + 1))
    first = [p.loss.item() * n for p, n in zip(steps[:5], [9, 9, 8, 8, 8], strict=True)]
    assert training.history[0]["train_loss"] == pytest.approx(sum(first) / N)
    assert all(p.seconds >= 0 for p in told)
