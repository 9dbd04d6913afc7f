"""Laws of training in several processes: it is the training of one, and it never hangs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from equipoise import Classifier
from equipoise import training as training_module
from equipoise.errors import InputError, TrainingError
from equipoise.fitting import Fit, Task
from equipoise.parallel import SharedArray, companions
from equipoise.progress import Progress

N, N_VALIDATION = 96, 21
EPOCHS = 3
PIXELS, TARGET = map(np.asarray, load_digits(return_X_y=True))
DIGITS = (PIXELS.reshape(-1, 8, 8, 1)[: N + N_VALIDATION] * 15).astype(np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Real digits, in a memory-mapped file."""
    path = tmp_path_factory.mktemp("digits") / "images.npy"
    np.save(path, DIGITS)
    return np.load(path, mmap_mode="r")


def _digits(images: np.ndarray) -> Task:
    rows = np.random.default_rng(0).permutation(len(images))
    train, validation = np.split(rows, [N])
    codes = TARGET[: len(images)].astype(np.int64)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, len(images))
    return Task(
        X=images,
        codes=codes,
        n_classes=10,
        train=np.sort(train),
        validation=np.sort(validation),
        weights=weights,
    )


def _table() -> Task:
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [60, 25, 11])[random.permutation(96)]
    numbers = random.standard_normal((96, 4)) + codes[:, None]
    frame = pd.DataFrame(numbers, columns=list("abcd")).assign(e=np.where(codes == 1, "x", "y"))
    return Task(X=frame, codes=codes, n_classes=3, train=np.arange(95), validation=np.array([95]))


def _prepared(task: Task, **params: Any) -> Fit:
    given = {**Classifier(device="cpu", precision="fp32").get_params(deep=False), **params}
    return Fit.prepare(task, given, 0)


IMAGE_PARAMS = {
    "backbone": "ResNet(depth=8, width=8)",
    "norm": "group",
    "augmentation": None,
    "optimizer": "SGD(lr=0.05)",
    "sharpness": "SAM(rho=0.05)",
    "clip_norm": 0.5,
    "batch_size": 15,
    "epochs": EPOCHS,
    "monitor": "log_loss",
}
TABLE_PARAMS = {
    "backbone": "MLP(layers=2, width=16, dropout=0.0)",
    "optimizer": "SGD(lr=0.1)",
    "sharpness": "SAMA(rho=0.05, reading='radius')",
    "smoothing": "ClassConditional()",
    "batch_size": "BatchSize(size=19, accumulate=2)",
    "epochs": EPOCHS,
}


def _history(fit: Fit) -> list[dict[str, Any]]:
    times = ("seconds", "examples_per_second")
    return [{k: v for k, v in row.items() if k not in times} for row in fit.training.history]


def _assert_same_training(first: Fit, second: Fit) -> None:
    """Assert that weights, losses and validation scores agree up to the order of sums."""
    states = [fit.training.network.state_dict() for fit in (first, second)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=2e-3, atol=2e-5, msg=name)
    for a, b in zip(_history(first), _history(second), strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)
        assert a["validation"] == pytest.approx(b["validation"], rel=1e-3)
        assert a["best"] == b["best"]


@pytest.fixture(scope="module")
def pair(images: np.ndarray) -> Fit:
    """Training of digits by two processes, undisturbed; not to be changed."""
    fit = _prepared(_digits(images), devices=2, **IMAGE_PARAMS)
    fit.run()
    return fit


def test_two_processes_train_on_images_as_one_does(pair: Fit, images: np.ndarray) -> None:
    """With SAM, clipping and example weights; of 21 validation examples neither has half."""
    one = _prepared(_digits(images), **IMAGE_PARAMS)
    before = {k: v.clone() for k, v in one.training.network.state_dict().items()}
    one.run()
    _assert_same_training(one, pair)
    moved = [
        (one.training.network.state_dict()[k] - v).abs().max().item() for k, v in before.items()
    ]
    assert max(moved) > 0.02
    assert np.array_equal(one.model.counts, pair.model.counts)
    assert np.array_equal(pair.model.counts, np.bincount(pair.task.codes[pair.task.train]))
    logits = [fit.model.logits(images) for fit in (one, pair)]
    assert logits[1] == pytest.approx(logits[0], abs=1e-2)


@pytest.mark.parametrize("resampling", [None, "SMOTE()"])
def test_two_processes_train_on_a_table_as_one_does(resampling: str | None) -> None:
    """With SAMA in pieces, and a validation example for one of them only; both resample alike."""
    params = {**TABLE_PARAMS, "resampling": resampling}
    fits = [_prepared(_table(), devices=devices, **params) for devices in (1, 2)]
    for fit in fits:
        fit.run()
    _assert_same_training(*fits)
    assert fits[1].training.history[-1]["train_loss"] < fits[1].training.history[0]["train_loss"]


def test_a_stop_does_not_show_in_what_two_processes_end_with(
    pair: Fit, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after an epoch by Ctrl-C and resumed, weights and history are the same to the bit."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)
    path = tmp_path / "state.safetensors"

    def stop(progress: Progress) -> None:
        if progress.row is not None and progress.epoch == EPOCHS - 1:
            raise KeyboardInterrupt

    stopped = _prepared(_digits(images), devices=2, **IMAGE_PARAMS)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(observers=[stop], checkpoint=path)
    assert path.exists()
    seen: list[int] = []
    resumed = _prepared(_digits(images), devices=2, **IMAGE_PARAMS)
    resumed.run(observers=[lambda p: seen.append(p.epoch)], checkpoint=path)
    assert set(seen) == {EPOCHS}
    _assert_equal(resumed.training.network.state_dict(), pair.training.network.state_dict())
    assert _history(resumed) == _history(pair)


def _assert_equal(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> None:
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_a_process_without_its_images_ends_training_in_words(tmp_path: Path) -> None:
    """The file of the images is gone when the other opens it: an error names that."""
    path = tmp_path / "gone.npy"
    np.save(path, DIGITS)
    fit = _prepared(_digits(np.load(path, mmap_mode="r")), devices=2, **IMAGE_PARAMS)
    path.unlink()
    threads = torch.get_num_threads()
    with pytest.raises(TrainingError, match=r"FileNotFoundError.*gone\.npy"):
        fit.run()
    assert torch.get_num_threads() == threads
    assert not torch.distributed.is_initialized()


def test_both_processes_validate_the_average_that_is_kept(images: np.ndarray) -> None:
    """Batch norm sees another share in each, and an average follows it: it is made one before
    each validates its part. The scores of the kept epoch are those of the model.
    """
    params = {**IMAGE_PARAMS, "norm": "batch", "average": "EMA(decay=0.5)", "batch_size": 32}
    fit = _prepared(_digits(images), devices=2, **params)
    fit.run()
    rows, codes = fit.task.validation, fit.task.codes[fit.task.validation]
    logits = torch.from_numpy(fit.model.logits(images, rows)).double()
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(codes)).item()
    best = [row["validation"]["log_loss"] for row in fit.training.history if row["best"]][-1]
    assert best == pytest.approx(loss, rel=1e-6)


def test_a_process_that_never_begins_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot import, as in a script without a guard, ends it before the meeting."""
    module = ModuleType("nowhere_to_be_found")
    exec("def target(rank): pass", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with (
        pytest.raises(TrainingError, match="__main__"),
        companions(2, "cpu", module.target, ()),
    ):
        raise AssertionError("nobody came")


def test_one_process_starts_no_other() -> None:
    """With a size of 1 the target is never looked at."""
    with companions(1, "cpu", None, ()):  # type: ignore[arg-type]
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("part", "shift"),
    [
        (np.s_[:], 0),
        (np.s_[3:], 3),
        (np.s_[2:5], 2),
    ],
)
def test_images_in_a_file_are_shared_by_its_name(
    images: np.ndarray, part: slice, shift: int
) -> None:
    """A memory map, a slice of it and a plain view of it are not copied."""
    for view in images[part], np.asarray(images[part]), images[part].reshape(-1, 64):
        shared = SharedArray.of(view)
        assert shared.memory is None
        assert shared.file is not None
        assert shared.file[3] == images.offset + 64 * shift  # type: ignore[attr-defined]
        found = shared.array()
        assert isinstance(found, np.memmap)
        assert found.mode == "r"
        assert np.array_equal(found, view)


def test_what_is_in_no_file_is_copied_once(images: np.ndarray, tmp_path: Path) -> None:
    """Arrays in memory, read-only ones, rows that are far apart, and changes to a private map."""
    np.save(tmp_path / "private.npy", np.arange(6, dtype=np.uint8))
    private = np.load(tmp_path / "private.npy", mmap_mode="c")
    private[0] = 99
    fixed = np.arange(6, dtype=np.uint8)
    fixed.setflags(write=False)
    across = np.lib.format.open_memmap(
        tmp_path / "across.npy", "w+", np.uint8, (2, 3), fortran_order=True
    )
    across[...] = np.arange(6).reshape(2, 3)
    for array in np.arange(5), fixed, images[::2], private, across, images[:0]:
        shared = SharedArray.of(array)
        assert shared.file is None
        assert shared.memory is not None
        assert shared.memory.is_shared()
        assert np.array_equal(shared.array(), array)


@pytest.mark.parametrize(
    ("size", "devices", "words"), [(4, 8, "Every device needs"), (1, 2, "Every device needs")]
)
def test_more_processes_than_examples_are_refused(
    images: np.ndarray, size: int, devices: int, words: str
) -> None:
    """Each needs an example of every batch; the message says what to change."""
    with pytest.raises(InputError, match=words):
        _prepared(_digits(images), **{**IMAGE_PARAMS, "batch_size": size, "devices": devices})
