"""Laws of resuming: nothing that stops training shows in what it ends with."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equipoise import training as training_module
from equipoise.batches import Examples, Source
from equipoise.devices import Device, reproducible
from equipoise.errors import InputError
from equipoise.standard.augmentation import CropFlip
from equipoise.standard.averaging import EMA
from equipoise.standard.backbones import Standardise
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.optimizers import SGD, AdamW
from equipoise.standard.schedules import Cosine
from equipoise.standard.smoothing import ClassConditional
from equipoise.training import Progress, Stage, Training, train

N, N_VALIDATION, EPOCHS = 42, 20, 6

FULL = Stage(
    epochs=EPOCHS,
    batch_size=10,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-3),
    schedule=Cosine(),
    loss=CrossEntropy(),
    smoothing=ClassConditional(),
    augmentation=CropFlip(padding=1),
    average=EMA(decay=0.9),
    clip_norm=1.0,
)
WITH_ADAMW = replace(FULL, optimizer=AdamW(lr=0.01), average=None)
LONG = replace(FULL, epochs=40)

DATA = np.random.default_rng(0)
CODES = np.sort(DATA.integers(3, size=N + N_VALIDATION))[DATA.permutation(N + N_VALIDATION)]
IMAGES = DATA.integers(200, size=(N + N_VALIDATION, 6, 6, 3), dtype=np.uint8)
IMAGES[..., 0] += (15 * CODES[:, None, None]).astype(np.uint8)


def _network() -> nn.Module:
    """Return a convolutional network with everything that has a state of its own."""
    with reproducible(0):
        network = nn.Sequential(
            Standardise((0.5,) * 3, (0.5,) * 3),
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.3),
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


def _trained(stage: Stage, **options: Any) -> Training:
    training = _training(stage)
    train(training, *_images(), **options)
    return training


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def _timeless(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    timed = ("seconds", "examples_per_second")
    return [{k: v for k, v in row.items() if k not in timed} for row in history]


class Stop(Exception):  # noqa: N818 (no error: it is raised to stop)
    """Raised by an observer to end training early."""


def _stop_after(epoch: int, step: int = 0) -> Callable[[Progress], None]:
    def observe(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise Stop

    return observe


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every epoch, however short."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)


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
    training_module.CHECKPOINT_SHARE = 1e9

    def tell(progress: Progress) -> None:
        if progress.row is not None:
            print("first epoch" if progress.epoch == 1 else "", flush=True)
            time.sleep(0.02)

    _trained(LONG, checkpoint=path, observers=[tell])


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """It says what does not fit and what to delete, and so does a damaged one."""
    _trained(FULL, checkpoint=tmp_path / "a")
    other = _training(FULL, nn.Sequential(nn.Flatten(), nn.Linear(108, 3)))
    with pytest.raises(InputError, match=r"does not fit.*Delete it"):
        train(other, *_images(), checkpoint=tmp_path / "a")
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged"):
        _trained(FULL, checkpoint=tmp_path / "a")


if __name__ == "__main__":
    _train_to_be_killed(Path(sys.argv[1]))
