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
    """Return the state of an optimizer as named tensors; rates come from the schedule."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state that `optimizer_tensors` took from one like it."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = _laid_out_like(parameters[int(index)], value)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    # State that lies in memory as its parameter does, as it did before the stop, is added to it
    # by the same and by the fastest instructions.
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)


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
        with safe_open(path, framework="pt") as file:
            tensors = _tensors(file)
        module.load_state_dict(tensors)
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            "A run's model.safetensors must hold the weights of its network.",
            f"`{path}` does not: {reason}",
            "Fit again, or restore the file.",
        ) from None
