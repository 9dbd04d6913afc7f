"""Where tensors live and in which precision they are computed."""

import contextlib
import platform
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import torch

from equipoise.distributed import World
from equipoise.errors import InputError

Precision = Literal["fp32", "bf16"]
"""Precision of matrix products and convolutions; weights and losses stay in fp32."""


@dataclass(frozen=True)
class Device:
    """A device and the precision used on it.

    Parameters
    ----------
    name : str
        ``"cpu"``, ``"mps"``, ``"cuda"`` or ``"cuda:0"``, as `choose_device` returns it.
    precision : {"fp32", "bf16"}, default="fp32"
        Precision of matrix products and convolutions.

    Examples
    --------
    >>> with Device("cpu", "bf16").autocast():
    ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
    torch.bfloat16
    """

    name: str
    precision: Precision = "fp32"

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a network runs forward."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.kind, torch.bfloat16)

    @property
    def kind(self) -> str:
        """``"cpu"``, ``"cuda"`` or ``"mps"``: the name without a number."""
        return _kind(self.name)

    def __str__(self) -> str:
        if self.kind == "cuda":
            return f"{self.name} ({torch.cuda.get_device_name(self.name)})"
        if self.kind == "cpu":
            return f"{self.name} ({torch.get_num_threads()} threads)"
        return self.name


def _kind(name: str) -> str:
    return name.partition(":")[0]


def choose_device(name: str = "auto") -> str:
    """Return the device to use: CUDA if there is one, else MPS, else the CPU.

    Raises
    ------
    InputError
        If a device is named that this machine does not have.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *available]
    if name == "auto":
        return available[0]
    if name not in available:
        raise InputError(
            f"The device must be one of auto, {', '.join(available)}.",
            f"It is {name!r}.",
            "Leave it out to let the fastest be chosen.",
        )
    return name


def own_device(name: str, world: World) -> str:
    """Return the device of one process among several: on CUDA each has one of its own.

    Raises
    ------
    InputError
        If there are fewer GPUs than processes.
    """
    if world.size == 1 or _kind(name) != "cuda":
        return name
    if world.size > torch.cuda.device_count():
        raise InputError(
            "There must be a GPU for each process.",
            f"There are {torch.cuda.device_count()}, and {world.size} are asked for.",
            f"Give --devices {torch.cuda.device_count()}.",
        )
    return f"cuda:{world.rank}"


def fast_bf16(device: str) -> bool:
    """Whether the device has instructions for bfloat16, without which it is slower."""
    if _kind(device) == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if _kind(device) == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


@contextlib.contextmanager
def reproducible(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed torch's global generators of the CPU and of a device inside, and restore them after.

    Inside, cuDNN uses deterministic algorithms only. Other devices are left alone.

    Examples
    --------
    >>> with reproducible(0):
    ...     first = torch.rand(1)
    >>> with reproducible(0):
    ...     torch.equal(first, torch.rand(1))
    True
    """
    generators = _generators(device)
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    states = [generator.get_state() for generator in generators]
    try:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def seed_generators(seed: int, device: str) -> None:
    """Seed torch's global generators of the CPU and of a device, which dropout draws from."""
    for generator in _generators(device):
        generator.manual_seed(seed)


def _generators(device: str) -> list[torch.Generator]:
    # Not `torch.random.fork_rng`, which by default starts every GPU of the machine, and which
    # cannot restore the generator of MPS.
    if _kind(device) == "cuda":
        torch.cuda.init()
        index = torch.device(device).index
        own = torch.cuda.current_device() if index is None else index
        return [torch.default_generator, torch.cuda.default_generators[own]]
    if _kind(device) == "mps":
        return [torch.default_generator, torch.mps._get_default_mps_generator()]
    return [torch.default_generator]


def environment_of(device: Device) -> dict[str, Any]:
    """Return what a run says of where it was carried out: versions, platform, device, time."""
    return {
        **{name: version(name) for name in ("equipoise", "torch", "scikit-learn", "numpy")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "precision": device.precision,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
