"""How large a network is: its parameters, and the multiply-adds of one forward pass."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from equipoise.standard.backbones.base import ImageInput, TableInput
from equipoise.standard.networks import count_parameters


@dataclass(frozen=True, kw_only=True)
class NetworkSize:
    """What a network costs to keep and to run.

    Parameters
    ----------
    parameters : int
        Number of parameters; buffers, such as running means, are not counted.
    trainable : int
        Those among them that training changes.
    multiply_adds : int
        Multiply-adds of one forward pass for one example.

    Examples
    --------
    >>> print(NetworkSize(parameters=464_154, trainable=650, multiply_adds=68_862_592))
    464,154 parameters (650 trained), 68.9 million multiply-adds an example
    """

    parameters: int
    trainable: int
    multiply_adds: int

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters ({self.trainable:,} trained), "
            f"{_rounded(self.multiply_adds)} multiply-adds an example"
        )


def total_size(sizes: Sequence[NetworkSize]) -> NetworkSize:
    """Return what several networks cost together.

    Examples
    --------
    >>> total_size([NetworkSize(parameters=5, trainable=3, multiply_adds=4)] * 2)
    NetworkSize(parameters=10, trainable=6, multiply_adds=8)
    """
    names = [field.name for field in fields(NetworkSize)]
    return NetworkSize(**{name: sum(getattr(size, name) for size in sizes) for name in names})


def describe_network(network: nn.Module, inputs: ImageInput | TableInput) -> NetworkSize:
    """Count the parameters of a network and the multiply-adds of its forward pass.

    Counted are convolutions and matrix products, attention included; normalisation, activation,
    pooling and the addition of biases are not. One example passes through a copy of the network
    on the CPU, in evaluation mode; the network itself is left as it is.

    Parameters
    ----------
    network : Module
        From a batch of inputs to anything.
    inputs : ImageInput or TableInput
        What the inputs look like.

    Returns
    -------
    NetworkSize
        Its text is one line for people.

    Examples
    --------
    A linear layer from 6 columns to 3 classes has 6 * 3 weights, each used once, and 3 biases:

    >>> print(describe_network(nn.Linear(6, 3), TableInput(n_numeric=6)))
    21 parameters (21 trained), 18 multiply-adds an example
    """
    return NetworkSize(
        parameters=count_parameters(network),
        trainable=sum(p.numel() for p in network.parameters() if p.requires_grad),
        multiply_adds=_multiply_adds(network, _example(inputs)),
    )


def _example(inputs: ImageInput | TableInput) -> Tensor:
    if isinstance(inputs, ImageInput):
        return torch.zeros(1, inputs.channels, inputs.height, inputs.width, dtype=torch.uint8)
    return torch.zeros(1, inputs.n_numeric + len(inputs.cardinalities))


def _multiply_adds(network: nn.Module, example: Tensor) -> int:
    replica = copy.deepcopy(network).cpu().eval()
    counter = FlopCounterMode(display=False)
    # Attention as plain matrix products: not every release of PyTorch counts its fused forms.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        replica(example)
    return counter.get_total_flops() // 2  # it counts a multiply-add as two operations


def _rounded(count: int) -> str:
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {word}"
    return f"{count:,}"
