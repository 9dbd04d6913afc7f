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
from equipoise.standard.libraries import PYTORCH_OPTIMIZER, TORCH
from equipoise.standard.optimizers import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    PytorchOptimizer,
    TorchOptim,
)

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
        torch.manual_seed(step)  # some optimizers draw from it, and training seeds it
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
        Adam(lr=0.01, weight_decay=0.1),
        AdamW(lr=0.01),
        TorchOptim(lr=0.01, options=(("momentum", 0.9), ("centered", True))),
        *(TorchOptim(name=name, lr=0.01) for name in TORCH),
        *(PytorchOptimizer(name=name, lr=0.01) for name in PYTORCH_OPTIMIZER),
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
    assert not torch.equal(begun.state_dict()["4.weight"], whole.state_dict()["4.weight"])


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


class Odd(torch.optim.Optimizer):
    """Keeps of everything that optimizers keep: in parameters, in groups and for itself."""

    def __init__(self, parameters: list[dict[str, object]]) -> None:
        super().__init__(parameters, {"lr": 0.1, "rate": 0.5, "window": [0.0], "total": None})

    def step(self) -> None:  # type: ignore[override]
        """Fill the state, and update nothing."""
        total = torch.tensor(1 / 3, dtype=torch.float64)
        for group in self.param_groups:
            group["count"] = group.get("count", 0) + 1
            group["rate"] = 0.1 + 0.2
            group["window"].append(float("inf"))
            group["total"] = total
            for parameter in group["params"]:
                self.state[parameter] = {
                    "step": 2**53 + 1,
                    "slow": 1e-300,
                    "held": None,
                    "warm": True,
                    "mode": "tail",
                    "pair": (1, [torch.ones(2, dtype=torch.int64), {3: torch.tensor(True)}]),
                    "mask": torch.zeros_like(parameter, dtype=torch.bool),
                    "turned": torch.arange(6.0).reshape(2, 3).T,
                }
        self.state["norm"] = 7.0  # type: ignore[index]


def _odd() -> Odd:
    weights = [torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(1))]
    return Odd([{"params": [w], "lr_scale": 0.5} for w in weights])


def test_state_of_every_kind_comes_back(tmp_path: Path) -> None:
    """Numbers, None, text, lists and tensors of any type, in the types that they had."""
    optimizer, other = _odd(), _odd()
    for _ in range(2):
        optimizer.step()
    tensors = grouped(optimizer=optimizer_tensors(optimizer))
    write_checkpoint(tmp_path / "a", Checkpoint(tensors, {}))
    restore_optimizer(other, _read(tmp_path / "a").group("optimizer"))
    (first, second), weight = other.param_groups, other.param_groups[0]["params"][0]
    assert (first["count"], first["rate"]) == (2, 0.1 + 0.2)
    # Both groups held one list, that of the defaults, so each step added to it twice.
    assert first["window"] == [0.0, *[float("inf")] * 4]
    assert first["total"] is second["total"]
    assert (first["total"].item(), first["total"].dtype) == (1 / 3, torch.float64)
    state = other.state[weight]
    assert [state[k] for k in ("step", "slow", "held", "warm", "mode")] == [
        *(2**53 + 1, 1e-300, None, True, "tail")
    ]
    one, (ones, flags) = state["pair"]
    assert (one, ones.dtype, ones.tolist()) == (1, torch.int64, [1, 1])
    assert flags[3].dtype == torch.bool
    assert flags[3].item() is True
    assert state["mask"].dtype == torch.bool
    assert state["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert state["turned"].stride() == (1, 3)
    assert other.state["norm"] == 7.0  # type: ignore[index]


def test_state_that_cannot_be_stored_is_told() -> None:
    """A function in the state is found when it is stored, with the place where it is."""
    optimizer = _odd()
    optimizer.state[optimizer.param_groups[1]["params"][0]]["rule"] = len
    with pytest.raises(TypeError, match=r"parameters\.1\.rule"):
        optimizer_tensors(optimizer)


def test_state_of_another_number_of_parameters_is_refused() -> None:
    """Nothing is restored from an optimizer over fewer parameters, or of no stored facts."""
    optimizer = _odd()
    optimizer.step()
    fewer = Odd([{"params": [torch.nn.Parameter(torch.ones(2, 3))]}])
    with pytest.raises(ValueError, match="argument"):
        restore_optimizer(fewer, optimizer_tensors(optimizer))
    with pytest.raises(KeyError, match="facts"):
        restore_optimizer(fewer, {})
    assert not fewer.state


def test_every_group_setting_stays_as_built() -> None:
    """Rate, scale and decay of a group are never taken from the checkpoint."""
    first, second = _network(), _network()
    scales = {"0.weight": 0.1}
    optimizer = AdamW(lr=0.5, weight_decay=0.5).build(first, scales)
    other = AdamW(lr=0.25, weight_decay=0.25).build(second, {"0.weight": 0.2})
    _learn(first, optimizer, range(1))
    restore_optimizer(other, optimizer_tensors(optimizer))
    found = [(g["lr"], g["lr_scale"], g["weight_decay"]) for g in other.param_groups]
    assert found == [(0.25, 0.2, 0.25), (0.25, 1.0, 0.25), (0.25, 1.0, 0.0)]


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
