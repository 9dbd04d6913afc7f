"""Checkpoints: the state of training after an epoch, in one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from equipoise.errors import InputError
from equipoise.runs import replacing


@dataclass(frozen=True)
class Checkpoint:
    """Tensors and facts that training needs to go on as if it had never stopped.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Weights, averages and optimizer state; names are ``group/name``.
    facts : mapping of str to JSON value
        History and the best epoch.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def group(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one group, without the group's name."""
        start = f"{name}/"
        return {k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)}


def grouped(**groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join groups of tensors into one mapping named ``group/name``, on the CPU.

    What is there already is not copied, so write the result before training goes on.
    """
    return {
        f"{group}/{name}": tensor.detach().to("cpu").contiguous()
        for group, tensors in groups.items()
        for name, tensor in tensors.items()
    }


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, as one file, so that its parts cannot disagree."""
    facts = {"facts": json.dumps(checkpoint.facts, allow_nan=False)}
    with replacing(path) as file:
        file.write(save(dict(checkpoint.tensors), metadata=facts))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint, or return None where there is none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            tensors = _tensors(file)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(
            "A checkpoint must be readable to resume from it.",
            f"`{path}` is damaged: {error}.",
            "Delete it to start this run again from its first epoch.",
        ) from None
    return Checkpoint(tensors, facts)


def optimizer_tensors(optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """Return the whole state of an optimizer as named tensors; rates come from the schedule.

    Each tensor of the state has an entry of its own. What else there is (whole numbers, floats,
    None, lists of these and of tensors) is JSON text, as bytes in the entry ``"facts"``.

    Raises
    ------
    TypeError
        If the state holds what is neither a tensor nor JSON, such as a function.

    Notes
    -----
    Besides what it keeps for each parameter, an optimizer may count or estimate in its groups.
    There, state is told from settings by this: a setting is still what the optimizer's
    defaults say, or is one of those that are given to the group.

    Examples
    --------
    >>> weight = nn.Parameter(torch.ones(2))
    >>> optimizer = optim.Adagrad([weight], lr=0.1)
    >>> sorted(optimizer_tensors(optimizer))
    ['facts', 'parameters.0.step', 'parameters.0.sum']
    """
    state = {
        "parameters": [optimizer.state.get(parameter) for parameter in _parameters(optimizer)],
        "groups": [_group_state(group, optimizer.defaults) for group in optimizer.param_groups],
        "own": {k: value for k, value in optimizer.state.items() if not isinstance(k, Tensor)},
    }
    found: _Found = {}
    facts = {name: _pack(value, name, found) for name, value in state.items()}
    tensors = dict(found.values())
    facts["layout"] = {name: _layout(tensor) for name, tensor in tensors.items()}
    text = torch.tensor(list(json.dumps(facts).encode()), dtype=torch.uint8)
    return {**tensors, "facts": text}


def restore_optimizer(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state that `optimizer_tensors` took from one like it.

    Raises
    ------
    ValueError
        If the state is of an optimizer over another number of parameters or groups.
    KeyError
        If the state is not whole.
    """
    parameters = _parameters(optimizer)
    facts = json.loads(bytes(tensors["facts"].tolist()))
    laid_out = {
        name: _laid_out(tensors[name], stride, "cpu" if kind == "cpu" else parameters[0].device)
        for name, (kind, stride) in facts["layout"].items()
    }
    by_parameter, groups, own = (
        _unpack(facts[name], laid_out) for name in ("parameters", "groups", "own")
    )
    held = {p: values for p, values in zip(parameters, by_parameter, strict=True) if values}
    for group, values in zip(optimizer.param_groups, groups, strict=True):
        group.update(values)
    optimizer.state.clear()
    optimizer.state.update(held)
    optimizer.state.update(own)


def _parameters(optimizer: optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


_GIVEN = frozenset({"params", "lr", "initial_lr", "lr_scale", "weight_decay"})


def _group_state(group: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in group.items()
        if name not in _GIVEN and not _is_setting(value, name, defaults)
    }


def _is_setting(value: object, name: str, defaults: Mapping[str, Any]) -> bool:
    # What can change in place may be the very object that the defaults hold.
    changes_in_place = isinstance(value, Tensor | list | dict)
    return not changes_in_place and name in defaults and defaults[name] == value


_Found = dict[int, tuple[str, Tensor]]
# By identity, so that a tensor that two groups share is stored once and shared again.


def _pack(value: object, path: str, found: _Found) -> Any:
    """Return a value as JSON, in which each tensor is told by the path where it was met first."""
    if isinstance(value, Tensor):
        return {"tensor": found.setdefault(id(value), (path, value))[0]}
    if isinstance(value, Mapping):
        return {"dict": [[k, _pack(v, f"{path}.{k}", found)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        items = [_pack(item, f"{path}.{i}", found) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"The optimizer's state `{path}` cannot be stored: it is {value!r}.")


def _unpack(fact: Any, tensors: Mapping[str, Tensor]) -> Any:
    match fact:
        case {"tensor": name}:
            return tensors[name]
        case {"dict": pairs}:
            return {key: _unpack(value, tensors) for key, value in pairs}
        case {"list": items}:
            return [_unpack(item, tensors) for item in items]
        case {"tuple": items}:
            return tuple(_unpack(item, tensors) for item in items)
        case _:
            return fact


def _layout(tensor: Tensor) -> tuple[str, tuple[int, ...] | None]:
    """Return the kind of device, and the strides where these leave no gap."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    reach = 1 + sum((n - 1) * step for n, step in steps)
    return tensor.device.type, tensor.stride() if reach == tensor.numel() else None


def _laid_out(tensor: Tensor, stride: list[int] | None, device: torch.device | str) -> Tensor:
    # State that lies in memory as it did before the stop is added to the parameters by the same
    # and by the fastest instructions.
    if stride is None:
        return tensor.clone().to(device)
    return torch.empty_strided(tensor.shape, stride, dtype=tensor.dtype).copy_(tensor).to(device)


def _tensors(file: safe_open) -> dict[str, Tensor]:
    # Cloned, because what `get_tensor` returns lives in a map of the file, which shall be free
    # to be replaced.
    return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


def write_weights(path: Path, module: nn.Module) -> None:
    """Write a module's weights and buffers as safetensors, atomically."""
    with replacing(path) as file:
        file.write(save({k: v.to("cpu").contiguous() for k, v in module.state_dict().items()}))


def read_weights(path: Path, module: nn.Module) -> None:
    """Load weights that `write_weights` wrote into a module of the same shape.

    Raises
    ------
    InputError
        If the file is missing or damaged, or its tensors are not the module's.
    """
    try:
        module.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise _unfit(path, error) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file that `write_weights` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return _tensors(file)
    except (SafetensorError, OSError) as error:
        raise _unfit(path, error) from None


def _unfit(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:300]
    return InputError(
        "A run's model.safetensors must hold the weights of its network.",
        f"`{path}` does not: {reason}",
        "Fit again, or restore the file.",
    )
