"""What a backbone is: a component that builds the network from inputs to features."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from equipoise._tensors import Features, ImageBatch, Inputs
from equipoise.errors import InputError
from equipoise.spec import Component

Modality = Literal["images", "table"]
"""The two kinds of input."""


@dataclass(frozen=True)
class InputFormat:
    """What a network must know about its inputs before it sees any.

    `to_state` gives a form that JSON can hold, and `from_state` reads either kind back:

    >>> import json
    >>> InputFormat.from_state(json.loads(json.dumps(TableInput(2, (4,)).to_state())))
    TableInput(n_numeric=2, cardinalities=(4,))
    """

    kind: ClassVar[Modality]

    def to_state(self) -> dict[str, Any]:
        """Return the fields and the kind as numbers, text and lists."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": self.kind, **values}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> "ImageInput | TableInput":
        """Return the format that `to_state` wrote, of whichever kind it is."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in state.items()
        }
        match values.pop("kind", None):
            case "images":
                return ImageInput(**values)
            case "table":
                return TableInput(**values)
            case kind:
                raise InputError(
                    "The kind of input must be 'images' or 'table'.",
                    f"It is {kind!r}.",
                    "Check the file that describes the inputs.",
                )


@dataclass(frozen=True)
class ImageInput(InputFormat):
    """Images of one size: tensors ``(batch, channels, height, width)`` from 0 to 255.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    channels : int
        1 (grey) or 3 (red, green, blue).
    mean, std : tuple of float
        Mean and standard deviation of each channel over the training images, on the scale
        0 to 1.
    """

    kind: ClassVar[Modality] = "images"
    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class TableInput(InputFormat):
    """Encoded rows: float32 ``(batch, n_numeric + len(cardinalities))``.

    Parameters
    ----------
    n_numeric : int
        Number of scaled numeric columns; they come first.
    cardinalities : tuple of int
        Number of codes of each categorical column, code 0 (unseen or nearly so in
        training) counted: codes run from 0 to the cardinality less 1.
    """

    kind: ClassVar[Modality] = "table"
    n_numeric: int
    cardinalities: tuple[int, ...] = ()


FormatT = TypeVar("FormatT", ImageInput, TableInput)


class Extractor(nn.Module):
    """A network from inputs to features, and how many features it returns.

    Parameters
    ----------
    layers : sequence of (str, Module)
        Named layers, applied in order; their names start the names of the parameters.
    n_features : int
        Width of the result, ``(batch, n_features)``.
    members : int or None, default=None
        Number of members of an ensemble, which returns ``(batch, members, n_features)``;
        None: no ensemble.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, nn.Module]],
        n_features: int,
        members: int | None = None,
    ) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)
        self.n_features = n_features
        self.members = members

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the features of a batch of images or rows, ``(batch, [members,] n_features)``."""
        values: Tensor = inputs
        for layer in self.children():
            values = layer(values)
        return values


@dataclass(eq=False, repr=False, kw_only=True)
class Backbone(Component, Generic[FormatT]):
    """A network without its head, to be built once the inputs are known.

    Initial weights are drawn from torch's global random generator and from nothing else.
    """

    modality: ClassVar[Modality]

    @abstractmethod
    def build(self, inputs: FormatT, examples: Inputs | None = None) -> Extractor:
        """Return a new network, ready to be trained.

        Parameters
        ----------
        inputs : ImageInput or TableInput
            What the inputs look like.
        examples : Tensor, shape (examples, ...), optional
            Encoded training inputs, for what is initialised from data (the edges of
            piecewise-linear bins). No shape depends on them.
        """

    def uses_batch_norm(self) -> bool:
        """Return whether the network normalises by the statistics of a batch."""
        return self.modality == "images"

    def rebuild(self, inputs: FormatT) -> Extractor:
        """Return a network of the same shape, to be filled by ``load_state_dict``.

        It needs neither training examples nor the file or hub that pretrained weights
        once came from.
        """
        return self.build(inputs)


class Standardise(nn.Module):
    r"""Map pixels from 0 to 255 to zero mean and unit deviation: ``(x / 255 - mean) / std``.

    Computed in float32 as one multiplication and one addition. The memory format is kept.
    One grey channel is repeated if there are several means. A deviation below one grey
    level (1/255), as of a channel that never changes, counts as one grey level.

    Parameters
    ----------
    mean, std : sequence of float
        Of each channel, on the scale 0 to 1.

    Examples
    --------
    >>> black_and_white = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    >>> Standardise(mean=(0.25,), std=(0.5,))(black_and_white).flatten()
    tensor([-0.5000,  1.5000])
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        floored = [max(deviation, 1 / 255) for deviation in std]
        scale = [1 / (255 * deviation) for deviation in floored]
        shift = [-centre / deviation for centre, deviation in zip(mean, floored, strict=True)]
        for name, values in (("scale", scale), ("shift", shift)):
            tensor = torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
            # Not in the state dict: `ImageInput` is what is stored, and it says the same.
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, images: ImageBatch) -> Tensor:
        """Return float32 ``(batch, channels, height, width)``."""
        return torch.addcmul(self.shift, images.float(), self.scale)


class GlobalMean(nn.Module):
    """Average over all positions: ``(batch, channels, height, width) -> (batch, channels)``.

    The sum is taken in float32, also under autocast.
    """

    def forward(self, maps: Tensor) -> Features:
        """Return float32 features."""
        return maps.mean((2, 3), dtype=torch.float32)
