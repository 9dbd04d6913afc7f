"""Where tensors live and in which precision they are computed."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from equipoise.errors import InputError

Precision = Literal["fp32", "bf16"]
"""Precision of matrix products and convolutions; weights and losses stay in fp32."""


@dataclass(frozen=True)
class Device:
    """A device and the precision used on it.

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
        return torch.autocast(self.name.split(":")[0], torch.bfloat16)

    def __str__(self) -> str:
        kind = self.name.split(":")[0]
        if kind == "cuda":
            return f"{self.name} ({torch.cuda.get_device_name(self.name)})"
        return f"{self.name} ({torch.get_num_threads()} threads)" if kind == "cpu" else self.name


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


def fast_bf16(device: str) -> bool:
    """Whether the device has instructions for bfloat16, without which it is slower."""
    kind = device.split(":")[0]
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


@contextlib.contextmanager
def reproducible(seed: int):
    """Draw from torch's global generator with this seed inside, and restore it after."""
    deterministic = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic
