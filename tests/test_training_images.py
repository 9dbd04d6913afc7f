"""Laws of training with all its components: each has its own randomness, and the best is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.batches import Examples, Source
from equipoise.devices import Device, reproducible
from equipoise.errors import TrainingError
from equipoise.seeds import derive_seed
from equipoise.standard.augmentation import CropFlip
from equipoise.standard.averaging import EMA
from equipoise.standard.backbones import Standardise
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.optimizers import SGD, AdamW
from equipoise.standard.schedules import Constant, Cosine
from equipoise.standard.smoothing import ClassConditional
from equipoise.training import Stage, Training, predict_logits, train

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


def _network(dropout: float = 0.3) -> nn.Module:
    """Return a convolutional network with everything that has a state of its own."""
    with reproducible(0):
        network = nn.Sequential(
            Standardise((0.5,) * 3, (0.5,) * 3),
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(8 * 36, 3),
        )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _training(stage: Stage, network: nn.Module | None = None, seed: int = 0) -> Training:
    counts = torch.from_numpy(np.bincount(CODES[:N])).float()
    network = _network() if network is None else network
    return Training((stage,), network, Device("cpu"), counts, seed)


def _images() -> tuple[Examples, Examples]:
    """Return training and validation examples: images."""
    rows = np.split(np.arange(N + N_VALIDATION), [N])
    learn, check = (Examples(Source(IMAGES, part), CODES[part]) for part in rows)
    return learn, check


def _none() -> Examples:
    return Examples(Source(IMAGES, np.arange(0)), CODES[:0])


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def _trained(stage: Stage, **options: Any) -> Training:
    training = _training(stage)
    train(training, *_images(), **options)
    return training


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

    def __call__(
        self, images: Tensor, generator: torch.Generator, rarity: Tensor | None = None
    ) -> Tensor:
        """Return augmented images."""
        self.__dict__.setdefault("seeds", []).append(generator.initial_seed())
        return super().__call__(images, generator, rarity)


def test_each_use_of_randomness_has_a_seed_of_its_own_in_each_step() -> None:
    """Order, augmentation and dropout are drawn from seeds of these names; here an epoch is a step.

    The order is drawn once an epoch, views and dropout once a step.
    """
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
    assert augmentation.__dict__["seeds"] == [derive_seed(9, "augmentation", 0, e) for e in epochs]
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
    stage = replace(PLAIN, batch_size=N, epochs=3, optimizer=SGD(lr=0.0))
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
    stage = replace(FULL, average=EMA(decay=0.8), schedule=Constant(warmup=0))
    training, (learn, check) = _training(stage), _images()
    ends: list[dict[str, Tensor]] = []
    observers = [lambda p: ends.append(_state(training.network)) if p.row else None]
    train(training, learn, check, observers=observers)
    assert training.learning.average is not None
    losses = []
    for state in training.learning.average.state_dict(), ends[-1]:
        training.network.load_state_dict(state)
        logits = predict_logits(training.network, check.source, training.device)
        loss = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(check.codes))
        losses.append(loss.item())
    found = training.history[-1]["validation"]["log_loss"]
    assert found == pytest.approx(losses[0], rel=1e-6)
    assert found != pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("batch_size", [10, N])
@pytest.mark.parametrize("validated", [True, False])
def test_divergence_is_an_error(batch_size: int, validated: bool) -> None:
    """A learning rate of 1e12 is reported with its optimizer, and no broken network is kept."""
    stage = replace(PLAIN, epochs=40, batch_size=batch_size, schedule=Constant(warmup=0))
    optimizer = SGD(lr=1e12, momentum=0.99)
    training = _training(replace(stage, optimizer=optimizer), _network(dropout=0.0))
    learn, check = _images()
    with pytest.raises(TrainingError, match=r"diverged.*SGD\(lr=1000000000000\.0"):
        train(training, learn, check if validated else _none())
    assert all(value.isfinite().all() for value in training.best.values())


@pytest.mark.parametrize("images", [0, 7, 500])
def test_logits_do_not_depend_on_the_batches(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the network's in evaluation mode, in order, whatever is computed together."""
    values = images * int(np.prod(IMAGES.shape[1:]))
    monkeypatch.setattr("equipoise.prediction.PREDICTION_VALUES", values)
    network, (learn, _) = _network(), _images()
    network.train()
    found = predict_logits(network, learn.source, Device("cpu"))
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
