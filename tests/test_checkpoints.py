"""Laws of checkpoints: what is stored is everything, and damage is told."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from equipoise.checkpoints import (
    Checkpoint,
    grouped,
    optimizer_tensors,
    read_checkpoint,
    read_weights,
    restore_optimizer,
    write_checkpoint,
    write_weights,
)
from equipoise.errors import InputError
from equipoise.standard.optimizers import SGD, AdamW, Optimizer

FACTS = {"history": [{"epoch": 1, "loss": 0.1 + 0.2}], "selection": {"best_epoch": 0}}


def _network(width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    )
    network(torch.zeros(2, 3, 9, 9))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _read(path: Path) -> Checkpoint:
    checkpoint = read_checkpoint(path)
    assert checkpoint is not None
    return checkpoint


def _learn(network: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randn((6, 3, 9, 9), generator=generator)
        optimizer.zero_grad()
        network(inputs.to(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    """Tensors to the bit, facts to the last digit, groups under their names."""
    tensors = {
        "a": torch.randn(3, 2),
        "b.c": torch.tensor(7),
        "d": torch.tensor([True, False]),
        "e": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "f": torch.tensor([float("inf"), float("nan")], dtype=torch.bfloat16),
    }
    path = tmp_path / "checkpoint" / "state.safetensors"
    write_checkpoint(path, Checkpoint(grouped(one=tensors, two={"a": torch.ones(2)}), FACTS))
    found = _read(path)
    assert found.facts == FACTS
    assert found.group("two")["a"].tolist() == [1, 1]
    assert found.group("one").keys() == tensors.keys()
    for name, tensor in found.group("one").items():
        assert tensor.dtype == tensors[name].dtype
        assert torch.equal(tensor.nan_to_num(), tensors[name].nan_to_num())
    assert found.group("three") == {}


def test_groups_whose_names_begin_alike_are_apart() -> None:
    """`best` does not take what belongs to `best_of_all`."""
    tensors = grouped(best={"a": torch.zeros(1)}, best_of_all={"b": torch.ones(1)})
    assert Checkpoint(tensors, {}).group("best").keys() == {"a"}


def test_without_a_file_there_is_no_checkpoint(tmp_path: Path) -> None:
    """A run that was killed before its first checkpoint starts from the beginning."""
    assert read_checkpoint(tmp_path / "absent.safetensors") is None


@pytest.mark.parametrize(
    "component",
    [
        SGD(lr=0.05, momentum=0.9),
        SGD(lr=0.05, momentum=0.7, nesterov=False),
        SGD(lr=0.05, momentum=0.0),
        AdamW(lr=0.01),
    ],
    ids=repr,
)
def test_going_on_from_a_checkpoint_is_never_having_stopped(
    component: Optimizer, tmp_path: Path
) -> None:
    """Ten steps, or four and six more in new objects: the weights are equal bit for bit."""
    whole, begun, resumed = _network(), _network(), _network()
    _learn(whole, component.build(whole), range(10))

    optimizer = component.build(begun)
    _learn(begun, optimizer, range(4))
    tensors = grouped(network=begun.state_dict(), optimizer=optimizer_tensors(optimizer))
    write_checkpoint(tmp_path / "a", Checkpoint(tensors, {}))

    checkpoint, optimizer = _read(tmp_path / "a"), component.build(resumed)
    resumed.load_state_dict(checkpoint.group("network"))
    restore_optimizer(optimizer, checkpoint.group("optimizer"))
    _learn(resumed, optimizer, range(4, 10))
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    assert not torch.equal(begun.state_dict()["0.weight"], whole.state_dict()["0.weight"])


@pytest.mark.parametrize("component", [SGD(), AdamW()], ids=repr)
def test_restored_state_lies_in_memory_as_before(component: Optimizer) -> None:
    """A resumed step runs the very instructions, and is as fast, as one that was not."""
    first, second = _network(), _network()
    optimizer, other = component.build(first), component.build(second)
    _learn(first, optimizer, range(1))
    stored = {k: v.contiguous() for k, v in optimizer_tensors(optimizer).items()}
    restore_optimizer(other, stored)
    found = optimizer_tensors(other)
    for name, value in optimizer_tensors(optimizer).items():
        assert torch.equal(found[name], value)
        assert found[name].stride() == value.stride()


def test_rates_are_not_restored() -> None:
    """The learning rate comes from the schedule, and the optimizer keeps its own settings."""
    first, second = _network(), _network()
    optimizer, other = SGD(lr=0.5).build(first), SGD(lr=0.25, momentum=0.5).build(second)
    _learn(first, optimizer, range(1))
    restore_optimizer(other, optimizer_tensors(optimizer))
    assert {(g["lr"], g["momentum"]) for g in other.param_groups} == {(0.25, 0.5)}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="maps are read from /proc")
def test_what_was_read_does_not_hold_the_file(tmp_path: Path) -> None:
    """The next checkpoint may take the file's place while the tensors of this one live."""
    path = tmp_path / "state.safetensors"
    write_checkpoint(path, Checkpoint({"a": torch.ones(10_000)}, {}))
    checkpoint = _read(path)
    assert path.name not in Path("/proc/self/maps").read_text()
    assert checkpoint.tensors["a"].sum() == 10_000


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.999])
def test_a_checkpoint_that_was_cut_off_is_refused(share: float, tmp_path: Path) -> None:
    """The message says what to delete to start again."""
    path = tmp_path / "a"
    write_checkpoint(path, Checkpoint({"a": torch.ones(1000)}, FACTS))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"damaged.*Delete it"):
        read_checkpoint(path)


@pytest.mark.parametrize("metadata", [None, {"facts": "{"}, {"other": "1"}])
def test_a_file_that_is_no_checkpoint_is_refused(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    """Weights without the facts of training cannot be gone on from."""
    save_file({"a": torch.ones(2)}, tmp_path / "a", metadata=metadata)
    with pytest.raises(InputError, match="damaged"):
        read_checkpoint(tmp_path / "a")


def test_facts_that_are_no_json_are_not_written(tmp_path: Path) -> None:
    """An undefined number is found when it is stored, not when it is needed."""
    with pytest.raises(ValueError, match="JSON compliant"):
        write_checkpoint(tmp_path / "a", Checkpoint({}, {"loss": float("nan")}))
    assert list(tmp_path.iterdir()) == []


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    """Weights and buffers, integer ones too, in the layout of the module that reads them."""
    network, other = _network(), _network()
    _learn(network, SGD().build(network), range(2))
    write_weights(tmp_path / "model.safetensors", network)
    read_weights(tmp_path / "model.safetensors", other)
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
        assert other.state_dict()[name].stride() == value.stride()
    header = (tmp_path / "model.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert json.loads(header[8 : 8 + size]).keys() >= network.state_dict().keys()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Another shape, a missing file and a damaged one are all the user's to mend."""
    path = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match="does not"):
        read_weights(path, _network())
    write_weights(path, _network(width=4))
    with pytest.raises(InputError, match="does not"):
        read_weights(path, _network(width=8))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="does not"):
        read_weights(path, _network(width=4))
