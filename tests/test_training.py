"""Laws of training: it is plain gradient descent, and nothing that stops it shows afterwards."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise import training as training_module
from equipoise.batches import Examples, Source
from equipoise.devices import Device, reproducible
from equipoise.errors import InputError, TrainingError
from equipoise.seeds import derive_seed
from equipoise.standard.augmentation import CropFlip
from equipoise.standard.averaging import EMA
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.optimizers import SGD, AdamW
from equipoise.standard.schedules import Constant, Cosine
from equipoise.standard.smoothing import ClassConditional, Uniform
from equipoise.training import Progress, Stage, Training, predict_logits, train

N, N_VALIDATION, EPOCHS = 42, 20, 6

PLAIN = Stage(
    epochs=EPOCHS,
    batch_size=10,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-3),
    schedule=Cosine(),
    loss=CrossEntropy(),
)
FULL = replace(
    PLAIN,
    smoothing=ClassConditional(),
    augmentation=CropFlip(padding=1),
    average=EMA(decay=0.9),
    clip_norm=1.0,
)
WITH_ADAMW = replace(FULL, optimizer=AdamW(lr=0.01), average=None)

DATA = np.random.default_rng(0)
CODES = np.sort(DATA.integers(3, size=N + N_VALIDATION))[DATA.permutation(N + N_VALIDATION)]
IMAGES = DATA.integers(200, size=(N + N_VALIDATION, 6, 6, 3), dtype=np.uint8)
IMAGES[..., 0] += (15 * CODES[:, None, None]).astype(np.uint8)


class FromBytes(nn.Module):
    """Bytes to numbers around zero."""

    def forward(self, images: Tensor) -> Tensor:
        """Return images from -1 to 1."""
        return images.float() / 127.5 - 1


def _network(dropout: float = 0.3) -> nn.Module:
    """Return a convolutional network with everything that has a state of its own."""
    with reproducible(0):
        network = nn.Sequential(
            FromBytes(),
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(8 * 36, 3),
        )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _linear(n_features: int = 4) -> nn.Module:
    with reproducible(0):
        return nn.Sequential(nn.Linear(n_features, 8), nn.Tanh(), nn.Linear(8, 3))


def _training(stage: Stage, network: nn.Module | None = None, seed: int = 0) -> Training:
    counts = torch.from_numpy(np.bincount(CODES[:N])).float()
    network = _network() if network is None else network
    return Training(stage, network, Device("cpu"), counts, seed)


def _images() -> tuple[Examples, Examples]:
    """Return training and validation examples: images."""
    rows = np.split(np.arange(N + N_VALIDATION), [N])
    learn, check = (Examples(Source(IMAGES, part), CODES[part]) for part in rows)
    return learn, check


def _none() -> Examples:
    return Examples(Source(IMAGES, np.arange(0)), CODES[:0])


def _table(n: int = 30) -> Examples:
    generator = np.random.default_rng(1)
    rows = generator.standard_normal((n, 4)).astype(np.float32)
    return Examples(Source(rows, np.arange(n)), generator.integers(3, size=n))


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def _timeless(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    timed = ("seconds", "examples_per_second")
    return [{k: v for k, v in row.items() if k not in timed} for row in history]


def _trained(stage: Stage, **options: Any) -> Training:
    training = _training(stage)
    train(training, *_images(), **options)
    return training


class Stop(Exception):  # noqa: N818 (no error: it is raised to stop)
    """Raised by an observer to end training early."""


def _stop_after(epoch: int, step: int = 0):
    def observe(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise Stop

    return observe


# Stopping and going on


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every epoch, however short."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", -1.0)


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("stage", [FULL, WITH_ADAMW], ids=["sgd and average", "adamw"])
@pytest.mark.parametrize("stop", [(e, 0) for e in range(1, EPOCHS + 1)] + [(1, 2), (4, 3)])
def test_training_that_was_stopped_ends_as_if_it_never_was(
    stage: Stage, stop: tuple[int, int], tmp_path: Path
) -> None:
    """After any epoch, or within one: the same weights to the bit, and the same history."""
    whole, path = _trained(stage), tmp_path / "state.safetensors"
    with pytest.raises(Stop):
        _trained(stage, observers=[_stop_after(*stop)], checkpoint=path)
    seen: list[int] = []
    resumed = _trained(stage, checkpoint=path, observers=[lambda p: seen.append(p.epoch)])
    assert _equal(_state(resumed.network), _state(whole.network))
    assert _timeless(resumed.history) == _timeless(whole.history)
    assert resumed.selection.state() == whole.selection.state()
    first = stop[0] + (stop[1] == 0)
    assert sorted(set(seen)) == list(range(first, EPOCHS + 1))


@pytest.mark.usefixtures("every_epoch")
def test_training_can_be_stopped_again_and_again(tmp_path: Path) -> None:
    """One epoch at a time gives what all at once do."""
    for epoch in range(1, EPOCHS + 1):
        with pytest.raises(Stop):
            _trained(FULL, observers=[_stop_after(epoch)], checkpoint=tmp_path / "a")
    resumed = _trained(FULL, checkpoint=tmp_path / "a")
    assert _equal(_state(resumed.network), _state(_trained(FULL).network))


def test_checkpoints_do_not_have_to_be_frequent(tmp_path: Path) -> None:
    """Going on from an epoch long before the stop changes nothing either."""
    with pytest.raises(Stop):
        _trained(FULL, observers=[_stop_after(4)], checkpoint=tmp_path / "a")
    resumed = _trained(FULL, checkpoint=tmp_path / "a")
    assert _equal(_state(resumed.network), _state(_trained(FULL).network))


def test_keeping_checkpoints_changes_nothing(tmp_path: Path) -> None:
    """Who keeps none gets the same network."""
    kept = _trained(FULL, checkpoint=tmp_path / "a")
    assert _equal(_state(kept.network), _state(_trained(FULL).network))


LONG = replace(FULL, epochs=40)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_training_that_was_killed_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """A process is killed at a random moment; another one resumes to the very same weights."""
    path, wait = tmp_path / "state.safetensors", random.random() / 3
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(
        [sys.executable, __file__, str(path)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first epoch\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    seen: list[int] = []
    resumed = _trained(LONG, checkpoint=path, observers=[lambda p: seen.append(p.epoch)])
    whole = _trained(LONG)
    assert 1 < seen[0] < LONG.epochs
    assert _equal(_state(resumed.network), _state(whole.network)), f"killed after {wait} s"
    assert _timeless(resumed.history) == _timeless(whole.history)


def _train_to_be_killed(path: Path) -> None:
    """Train slowly, with a checkpoint after every epoch; what the process above runs."""
    training_module.CHECKPOINT_SECONDS = -1.0

    def tell(progress: Progress) -> None:
        if progress.row is not None:
            print("first epoch" if progress.epoch == 1 else "", flush=True)
            time.sleep(0.02)

    _trained(LONG, checkpoint=path, observers=[tell])


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """It says what does not fit and what to delete, and so does a damaged one."""
    _trained(PLAIN, checkpoint=tmp_path / "a")
    other = _training(PLAIN, nn.Sequential(nn.Flatten(), nn.Linear(108, 3)))
    with pytest.raises(InputError, match=r"does not fit.*Delete it"):
        train(other, *_images(), checkpoint=tmp_path / "a")
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged"):
        _trained(PLAIN, checkpoint=tmp_path / "a")


# Weights and steps


def test_weights_of_one_change_nothing() -> None:
    """Weighted by ones, the network is the same to the bit."""
    learn, check = _images()
    plain, weighted = _training(FULL), _training(FULL)
    train(plain, learn, check)
    train(weighted, replace(learn, weights=np.ones(N)), check)
    assert _equal(_state(plain.network), _state(weighted.network))
    assert _timeless(plain.history) == _timeless(weighted.history)


FULL_BATCH = replace(
    PLAIN, epochs=5, batch_size=10**6, schedule=Constant(warmup=0), smoothing=Uniform(eps=0.1)
)


def test_twice_the_weight_is_twice_the_example() -> None:
    """With all examples in one batch, a weight of 2 (of mean 1) is a duplicate."""
    examples = _table()
    weights = np.ones(30)
    weights[7] = 2
    twice = np.append(np.arange(30), 7)
    doubled = Examples(Source(examples.source.array, twice), examples.codes[twice])
    weighted = replace(examples, weights=weights / weights.mean())
    networks = []
    for given in weighted, doubled, examples:
        training = _training(FULL_BATCH, _linear())
        train(training, given, _none())
        networks.append(_state(training.network))
    for name, value in networks[0].items():
        torch.testing.assert_close(value, networks[1][name])
    assert (networks[0]["0.weight"] - networks[2]["0.weight"]).abs().max() > 1e-3


def test_a_weight_of_zero_is_no_example() -> None:
    """What weighs nothing is not learnt from."""
    examples = _table()
    others = np.delete(np.arange(30), 7)
    weights = np.where(np.arange(30) == 7, 0, 30 / 29)
    networks = []
    for given in (
        replace(examples, weights=weights),
        Examples(Source(examples.source.array, others), examples.codes[others]),
    ):
        training = _training(FULL_BATCH, _linear())
        train(training, given, _none())
        networks.append(_state(training.network))
    for name, value in networks[0].items():
        torch.testing.assert_close(value, networks[1][name])


def test_steps_are_those_of_a_loop_written_by_hand() -> None:
    """Three steps on all examples: weights less the learning rate times the gradient."""
    stage = replace(FULL_BATCH, epochs=3, optimizer=SGD(lr=0.5, momentum=0.0, weight_decay=0.0))
    examples, training, by_hand = _table(), _training(stage, _linear()), _linear()
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


@pytest.mark.parametrize(("clip_norm", "bound"), [(0.01, 0.01), (None, None)])
def test_the_clipped_gradient_is_no_longer_than_asked(
    clip_norm: float | None, bound: float | None
) -> None:
    """A step at learning rate 1 moves all weights together by the norm of the gradient."""
    optimizer = SGD(lr=1.0, momentum=0.0, weight_decay=0.0)
    stage = replace(FULL_BATCH, epochs=1, optimizer=optimizer, clip_norm=clip_norm)
    training, before = _training(stage, _linear()), _linear().state_dict()
    train(training, _table(), _none())
    after = training.network.state_dict()
    moved = torch.cat([(after[k] - before[k]).flatten() for k in before]).norm().item()
    if bound is None:
        assert moved > 0.05
    else:
        assert moved == pytest.approx(bound, rel=1e-3)


def test_the_learning_rate_is_that_of_the_middle_of_each_step() -> None:
    """Rates follow the schedule over all steps of all epochs; even one step alone learns."""
    stage = replace(PLAIN, schedule=Cosine(warmup=0.3, final=0.1))
    rates: list[float] = []
    training = _training(stage)
    look = training.optimizer.param_groups
    observers = [lambda p: rates.append(look[0]["lr"]) if p.step else None]
    train(training, *_images(), observers=observers)
    steps = EPOCHS * 5
    assert rates == pytest.approx([0.1 * stage.schedule((i + 0.5) / steps) for i in range(steps)])
    assert {group["lr"] for group in look} == {rates[-1]}
    assert [row["learning_rate"] for row in training.history] == rates[4::5]

    single = _training(replace(FULL_BATCH, epochs=1, schedule=Cosine()), _linear())
    train(single, _table(), _none())
    assert not _equal(_state(single.network), _state(_linear()))


# Randomness


class Recorder(Source):
    """A source that notes which positions were taken."""

    def take(self, positions: np.ndarray) -> Tensor:
        """Return the examples."""
        self.__dict__.setdefault("taken", []).append(positions.tolist())
        return super().take(positions)


def _order(stage: Stage, seed: int = 0) -> list[list[int]]:
    learn, check = _images()
    source = Recorder(IMAGES, np.arange(N))
    train(_training(stage, seed=seed), replace(learn, source=source), check)
    return source.__dict__["taken"]


def test_no_component_changes_the_order_of_the_data() -> None:
    """Smoothing, augmentation, averaging and clipping leave every batch as it was."""
    plain = _order(PLAIN)
    assert plain == _order(FULL)
    assert plain == _order(WITH_ADAMW)
    assert plain != _order(PLAIN, seed=1)
    epochs = [tuple(chain(*plain[i : i + 5])) for i in range(0, 5 * EPOCHS, 5)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert len(set(epochs)) == EPOCHS


class Draw(nn.Module):
    """A layer that changes nothing, and notes a number that it draws as dropout would."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[float] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs."""
        if self.training:
            self.drawn.append(torch.rand(()).item())
        return inputs


@dataclass(eq=False, repr=False, kw_only=True)
class NotesSeed(CropFlip):
    """An augmentation that notes the seed of the generator that it is given."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return augmented images."""
        self.__dict__.setdefault("seeds", []).append(generator.initial_seed())
        return super().__call__(images, generator)


def test_each_use_of_randomness_has_a_seed_of_its_own_in_each_epoch() -> None:
    """Order, augmentation and dropout are drawn from seeds of these names, frozen for ever."""
    augmentation, draw = NotesSeed(), Draw()
    training = _training(
        replace(FULL, batch_size=N, augmentation=augmentation), nn.Sequential(draw, _network()), 9
    )
    source = Recorder(IMAGES, np.arange(N))
    train(training, Examples(source, CODES[:N]), _none())
    epochs = range(EPOCHS)
    order, network = (
        [torch.Generator().manual_seed(derive_seed(9, name, e)) for e in epochs]
        for name in ("order", "network")
    )
    assert source.__dict__["taken"] == [torch.randperm(N, generator=g).tolist() for g in order]
    assert augmentation.__dict__["seeds"] == [derive_seed(9, "augmentation", e) for e in epochs]
    assert draw.drawn == [torch.rand((), generator=g).item() for g in network]


def test_the_same_seed_gives_the_same_network() -> None:
    """Dropout and augmentation included; another seed gives another one."""
    first, again, other = _training(FULL), _training(FULL), _training(FULL, seed=1)
    for training in first, again, other:
        train(training, *_images())
        torch.rand(7)
    assert _equal(_state(first.network), _state(again.network))
    assert not _equal(_state(first.network), _state(other.network))


def test_dropout_is_on_and_drawn_anew_each_epoch() -> None:
    """With a learning rate of 0 the training loss changes from epoch to epoch by dropout alone."""
    stage = replace(FULL_BATCH, epochs=3, optimizer=SGD(lr=0.0))
    losses = []
    for dropout in 0.5, 0.0:
        network = _network(dropout)
        network[2].momentum = 0.0  # type: ignore[index]
        training = _training(stage, network)
        train(training, *_images())
        losses.append({round(row["train_loss"], 4) for row in training.history})
    assert [len(different) for different in losses] == [3, 1]


def test_torchs_own_generator_is_left_alone() -> None:
    """Training draws nothing from the user's global generator, and does not reseed it."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    _trained(FULL)
    assert torch.equal(torch.get_rng_state(), before)


# Which epoch is kept, and when training ends


@pytest.mark.parametrize("stage", [PLAIN, FULL], ids=["plain", "average"])
def test_the_best_epoch_is_what_is_left(stage: Stage) -> None:
    """The network ends with the weights of the last row marked best, the average's if there is."""
    training = _training(replace(stage, optimizer=SGD(lr=0.5)))
    states: list[dict[str, Tensor]] = []
    observers = [lambda p: states.append(_state(training.evaluated)) if p.row else None]
    train(training, *_images(), observers=observers)
    best = max(i for i, row in enumerate(training.history) if row["best"])
    assert best == training.selection.best_epoch
    assert _equal(_state(training.network), states[best])
    assert not training.network.training
    if best < EPOCHS - 1:
        assert not _equal(states[best], states[-1])


def test_the_average_is_validated() -> None:
    """Scores are those of the averaged network, not of the one that is trained."""
    training, (learn, check) = _training(replace(FULL, average=EMA(decay=0.5))), _images()
    ends: list[dict[str, Tensor]] = []
    observers = [lambda p: ends.append(_state(training.network)) if p.row else None]
    train(training, learn, check, observers=observers)
    assert training.average is not None
    losses = []
    for state in training.average.state_dict(), ends[-1]:
        training.network.load_state_dict(state)
        logits = predict_logits(training.network, check.source, training.device)
        loss = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(check.codes))
        losses.append(loss.item())
    found = training.history[-1]["validation"]["log_loss"]
    assert found == pytest.approx(losses[0], rel=1e-6)
    assert found != pytest.approx(losses[1], rel=1e-3)


def test_without_validation_the_last_epoch_is_kept() -> None:
    """There is nothing to choose by."""
    training = _training(PLAIN)
    states: list[dict[str, Tensor]] = []
    observers = [lambda p: states.append(_state(training.network)) if p.row else None]
    train(training, _images()[0], _none(), observers=observers)
    assert _equal(_state(training.network), states[-1])
    assert all(row["best"] and row["validation"] == {} for row in training.history)


def test_patience_ends_training_early() -> None:
    """A network that does not change is best in its first epoch; two more are waited for."""
    network = _linear()
    stage = replace(FULL_BATCH, epochs=50, optimizer=SGD(lr=0.0), patience=2)
    training = _training(stage, network)
    train(training, _table(), _table())
    assert [row["best"] for row in training.history] == [True, False, False]
    assert training.finished


@pytest.mark.parametrize("stage", [PLAIN, FULL_BATCH], ids=["batches", "one batch"])
@pytest.mark.parametrize("validated", [True, False])
def test_divergence_is_an_error(stage: Stage, validated: bool) -> None:
    """A learning rate of 1e12 is reported with its optimizer, and no broken network is kept."""
    stage = replace(stage, optimizer=SGD(lr=1e12, momentum=0.99), schedule=Constant(warmup=0))
    training = _training(replace(stage, epochs=40), _network(dropout=0.0))
    learn, check = _images()
    with pytest.raises(TrainingError, match=r"diverged.*SGD\(lr=1000000000000\.0"):
        train(training, learn, check if validated else _none())
    assert all(value.isfinite().all() for value in training.best.values())


def test_weights_that_break_in_the_last_step_are_seen() -> None:
    """The loss of a step is that before it: one step alone can break what it never measured."""
    stage = replace(FULL_BATCH, epochs=1, optimizer=SGD(lr=1e38, momentum=0.0, weight_decay=100.0))
    with pytest.raises(TrainingError, match="undefined weights"):
        train(_training(stage, _linear()), _table(), _none())


# What observers are told, and prediction


def test_observers_are_told_of_every_step_and_epoch() -> None:
    """Steps count up within an epoch, examples add up, and each row comes once."""
    told: list[Progress] = []
    training = _trained(PLAIN, observers=[told.append])
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


def test_training_learns() -> None:
    """The loss falls: a flipped sign anywhere would raise it."""
    stage = replace(PLAIN, epochs=15, optimizer=SGD(lr=0.05))
    training = _training(stage, _network(dropout=0.0))
    train(training, *_images())
    losses = [row["train_loss"] for row in training.history]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_logits_do_not_depend_on_the_batches(batch_size: int) -> None:
    """They are the network's in evaluation mode, in order, whatever is computed together."""
    network, (learn, _) = _network(), _images()
    network.train()
    found = predict_logits(network, learn.source, Device("cpu"), batch_size)
    inputs = torch.from_numpy(IMAGES[:N]).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.eval()(inputs).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_bf16_is_for_products_alone() -> None:
    """In bf16 training works, logits come as float32, and weights stay float32."""
    training = _training(replace(FULL, epochs=2))
    training.device = Device("cpu", "bf16")
    train(training, *_images())
    logits = predict_logits(training.network, _images()[1].source, training.device)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert {p.dtype for p in training.network.parameters()} == {torch.float32}
    exact = predict_logits(training.network, _images()[1].source, Device("cpu"))
    assert 0 < np.abs(logits - exact).max() < 0.1


if __name__ == "__main__":
    _train_to_be_killed(Path(sys.argv[1]))
