"""Laws of starting from a run: its backbone and preprocessing are taken over as they are."""

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from equipoise import Classifier
from equipoise.checkpoints import read_tensors
from equipoise.data.hashing import image_hashes
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.fitting import Fit, Task
from equipoise.initial import Initial, example_hashes
from equipoise.plan import Plan
from equipoise.preprocessing import ImagePreprocessing
from equipoise.pretraining import Pretraining
from equipoise.standard.normalisation import has_batch_norm

SMALL = {"backbone": "ResNet(depth=8, width=4)", "device": "cpu", "epochs": 1}
PIXELS, TARGET = map(np.asarray, load_digits(return_X_y=True))
DIGITS = (PIXELS.reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
CODES = TARGET.astype(np.int64)


def _experiment(**params: Any) -> Experiment:
    return Experiment(source="digits", ratio=50.0, params={**SMALL, **params})


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pre-training on digits."""
    plan = Pretraining.make(_experiment(augmentation="CropFlip()"), "VICReg(width=16)")
    return plan.run(tmp_path_factory.mktemp("runs") / "pretrained").path


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of fitting digits, with group norm."""
    plan = Plan.make(_experiment(norm="group"))
    return plan.run(tmp_path_factory.mktemp("runs") / "grouped").path


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of fitting a table."""
    folder = tmp_path_factory.mktemp("runs")
    _frame().assign(target=np.arange(60) % 2).to_csv(folder / "t.csv", index=False)
    params = {"backbone": "MLP(layers=1, width=8)", "epochs": 1, "device": "cpu"}
    plan = Plan.make(Experiment(source=str(folder / "t.csv"), params=params))
    return plan.run(folder / "run").path


def _frame(shift: float = 0.0) -> pd.DataFrame:
    numbers = np.random.default_rng(0).standard_normal((60, 2)) * (1 + shift) + shift
    return pd.DataFrame(numbers, columns=["a", "b"])


def _task(X: "np.ndarray | pd.DataFrame" = DIGITS[:200], n_classes: int = 10) -> Task:
    codes = CODES[: len(X)] % n_classes
    rows = np.arange(len(X))
    return Task(X=X, codes=codes, n_classes=n_classes, train=rows[20:], validation=rows[:20])


def _prepared(initial: Path, task: Task | None = None, **params: Any) -> Fit:
    given = Classifier(device="cpu", epochs=1).get_params(deep=False)
    return Fit.prepare(task or _task(), {**given, "initial": str(initial), **params}, seed=5)


def _backbone(run: Path) -> dict[str, torch.Tensor]:
    tensors = read_tensors(run / "model.safetensors")
    return {k: v for k, v in tensors.items() if k.startswith("backbone.")}


def _assert_starts_from(fit: Fit, run: Path) -> None:
    state = fit.training.network.state_dict()
    expected = _backbone(run)
    assert expected.keys() == {name for name in state if name.startswith("backbone.")}
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize("run", ["pretrained", "grouped"])
def test_a_fit_starts_from_the_weights_of_the_run(run: str, request: pytest.FixtureRequest) -> None:
    """Every weight and buffer of the backbone is the run's, of whichever kind; the head is new."""
    path = request.getfixturevalue(run)
    fit = _prepared(path)
    _assert_starts_from(fit, path)
    head = read_tensors(path / "model.safetensors")["head.weight"]
    assert not torch.equal(fit.training.network.state_dict()["head.weight"], head)
    assert repr(fit.settings.backbone) == SMALL["backbone"]


def test_without_steps_the_weights_stay(grouped: Path) -> None:
    """At a learning rate of 0 the trained model has the run's backbone to the bit."""
    fit = _prepared(grouped, optimizer="SGD(lr=0.0)")
    fit.run()
    _assert_starts_from(fit, grouped)


def test_preprocessing_is_the_runs(pretrained: Path) -> None:
    """Darker images are standardised by the mean and deviation that the weights know."""
    dark = DIGITS[:200] // 4
    spec = _prepared(pretrained, _task(dark)).preprocessing.spec
    known = Initial.read(pretrained).preprocessing.spec
    assert spec.to_state() == known.to_state()
    own = ImagePreprocessing.fit(dark, np.arange(20, 200)).spec
    assert spec.to_state() != own.to_state()


def test_a_table_is_encoded_as_the_run_did(table_run: Path) -> None:
    """Scaled by the run's rows, not by those that are fitted now."""
    task = _task(_frame(shift=7.0), n_classes=2)
    fit = _prepared(table_run, task)
    _assert_starts_from(fit, table_run)
    known = Initial.read(table_run).preprocessing.transform(task.X)  # type: ignore[arg-type]
    assert np.array_equal(fit.preprocessing.transform(task.X), known)  # type: ignore[arg-type]
    assert abs(known[20:].mean()) > 1


@pytest.mark.parametrize("backbone", ["ResNet(depth=14, width=4)", "ResNet(depth=8, width=8)"])
def test_another_backbone_is_refused_in_words(pretrained: Path, backbone: str) -> None:
    """The message names the run's own."""
    with pytest.raises(InputError, match=r"ResNet\(depth=8, width=4\).*Leave the backbone out"):
        _prepared(pretrained, backbone=backbone)


def test_group_norm_is_inherited(grouped: Path) -> None:
    """A run with group norm goes on with it; batch norm is refused."""
    fit = _prepared(grouped, batch_size=64)
    assert fit.settings.norm == "group"
    assert not has_batch_norm(fit.training.network)
    for norm in "batch", "frozen":
        with pytest.raises(InputError, match="norm='group'"):
            _prepared(grouped, norm=norm)


def test_batch_norm_can_become_group_norm(pretrained: Path) -> None:
    """Asked for, group norm takes over weights and biases of the run's batch norm."""
    fit = _prepared(pretrained, norm="group")
    assert not has_batch_norm(fit.training.network)
    state, tensors = fit.training.network.state_dict(), _backbone(pretrained)
    kept = [name for name in tensors if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(state[name], tensors[name]) for name in kept)


def test_small_batches_keep_the_runs_statistics(pretrained: Path) -> None:
    """Batch norm whose statistics were trained is frozen where batches are too small."""
    fit = _prepared(pretrained, batch_size=4)
    assert fit.settings.norm == "frozen"
    fit.run()
    state, tensors = fit.training.network.state_dict(), _backbone(pretrained)
    held = [name for name in tensors if "running" in name]
    assert held
    assert all(torch.equal(state[name], tensors[name]) for name in held)


def test_low_rank_updates_start_from_the_run(pretrained: Path) -> None:
    """With fine-tuning the backbone's own weights are the run's before and, unmoved, after."""
    fit = _prepared(pretrained, finetuning="LowRank()", optimizer="SGD(lr=0.0)")
    fit.run()
    state, tensors = fit.training.network.state_dict(), _backbone(pretrained)
    assert tensors.keys() <= state.keys()
    for name, value in tensors.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(state[name], value)


def test_images_of_another_size_are_refused_before_training(pretrained: Path) -> None:
    """Prediction would refuse them, after a training for nothing."""
    with pytest.raises(InputError, match="8 x 8"):
        _prepared(pretrained, _task(np.zeros((200, 9, 9, 1), np.uint8)))


def test_a_run_on_other_data_is_refused(pretrained: Path, table_run: Path) -> None:
    """Images cannot start from a table, nor a table from images, whatever backbone is given."""
    table = _task(_frame(), n_classes=2)
    for backbone in "auto", "MLP(layers=1, width=8)":
        with pytest.raises(InputError):
            _prepared(pretrained, table, backbone=backbone)
    for backbone in "auto", "ResNet(depth=8)":
        with pytest.raises(InputError):
            _prepared(table_run, backbone=backbone)


def test_what_is_no_finished_run_is_refused_in_words(pretrained: Path, tmp_path: Path) -> None:
    """A missing folder, a run that is not done and a damaged file are told apart."""
    with pytest.raises(InputError, match=r"config\.toml"):
        _prepared(tmp_path / "nowhere")
    copied = tmp_path / "copied"
    shutil.copytree(pretrained, copied)
    (copied / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"model\.safetensors"):
        _prepared(copied)
    (copied / "DONE").unlink()
    with pytest.raises(InputError, match="finished"):
        _prepared(copied)


def test_the_classifier_starts_from_a_run(pretrained: Path) -> None:
    """`initial` is a parameter like any other; without a rate the fitted backbone is the run's."""
    X, y = DIGITS[:200], CODES[:200]
    params: dict[str, Any] = {
        "initial": str(pretrained),
        "norm": "frozen",
        "optimizer": "SGD(lr=0.0)",
    }
    model = Classifier(device="cpu", epochs=1, **params).fit(X, y)
    assert repr(model.settings_.backbone) == SMALL["backbone"]
    state = model.model_.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in _backbone(pretrained).items())
    assert model.predict(X).shape == (200,)


def test_what_was_learnt_is_known_again_by_its_content(pretrained: Path, tmp_path: Path) -> None:
    """The same images under another name, cut otherwise, are still refused as test examples."""
    raw = Plan.make(_experiment()).parts.dataset.X
    np.savez(tmp_path / "copy.npz", images=raw, labels=CODES)
    params = {**SMALL, "initial": str(pretrained)}
    with pytest.raises(InputError, match="has learnt from"):
        Plan.make(Experiment(source=str(tmp_path / "copy.npz"), split_seed=5, params=params))


def test_what_a_start_has_learnt_is_handed_on(pretrained: Path, tmp_path: Path) -> None:
    """A run that started from another has learnt from the examples of both."""
    second = Plan.make(_experiment(initial=str(pretrained))).run(tmp_path / "second")
    assert np.isin(Initial.read(pretrained).learnt, Initial.read(second.path).learnt).all()


def test_a_start_without_a_record_of_what_it_learnt_is_refused(
    pretrained: Path, tmp_path: Path
) -> None:
    """It is told in words, not by a KeyError."""
    shutil.copytree(pretrained, tmp_path / "run")
    np.savez(tmp_path / "run" / "learnt.npz", x=np.arange(3))
    with pytest.raises(InputError, match="what it has learnt from"):
        Initial.read(tmp_path / "run")


def test_a_start_needs_no_weights_of_its_backbone(tmp_path: Path) -> None:
    """The file that a backbone's weights once came from may be gone: the run has them all."""
    weights = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), weights)
    backbone = f"Timm(name='test_resnet', size=32, weights='{weights}')"
    first = _experiment(backbone=backbone, optimizer="SGD(lr=0.001)")
    run = Plan.make(first).run(tmp_path / "first")
    weights.unlink()
    plan = Plan.make(_experiment(initial=str(run.path), backbone="auto"))
    _assert_starts_from(plan.fit, run.path)


def test_scaling_is_that_of_the_start(table_run: Path) -> None:
    """Another one would be written into the configuration and not used."""
    frame = _frame()
    params = {**Classifier().get_params(), "initial": str(table_run), "device": "cpu"}
    assert Fit.prepare(_task(frame, 2), params, 0).settings.scaling == "robust"
    with pytest.raises(InputError, match="scaling"):
        Fit.prepare(_task(frame, 2), {**params, "scaling": "quantile"}, 0)


def test_images_are_hashed_without_a_copy_of_all(tmp_path: Path) -> None:
    """Those of a memory map take a few pieces of memory, and their hashes are those of any."""
    shape = (3000, 64, 64, 3)
    images = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, shape)
    images[:, 0, 0, :2] = np.arange(3000, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    rows = np.random.default_rng(0).permutation(3000)[:2500]
    tracemalloc.start()
    try:
        hashes = example_hashes(images, rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images.nbytes / 2
    np.testing.assert_array_equal(hashes, image_hashes(images[rows]))
    assert len(np.unique(hashes)) == len(rows)
    assert len(example_hashes(images, rows[:0])) == 0
