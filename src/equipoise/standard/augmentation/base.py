"""What an augmentation is, and how several are joined."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from equipoise._tensors import Inputs
from equipoise.errors import InputError
from equipoise.spaces import Options
from equipoise.spec import Component, bounded
from equipoise.standard.backbones.base import InputFormat, Modality

Transform = Callable[[Inputs, torch.Generator, Tensor | None], Inputs]
"""A random map from a batch to a batch of the same shape: inputs, generator, rarity."""


@dataclass(eq=False, repr=False, kw_only=True)
class Augmentation(Component):
    """Base of augmentations; joined with ``|``, the left one first.

    Those of images map batches themselves. Those of tables must know the columns, so `bind`
    returns what maps batches.
    """

    modality: ClassVar[Modality] = "images"

    def bind(self, inputs: InputFormat, examples: Inputs | None = None) -> Transform:  # noqa: ARG002
        """Return the map of batches, for inputs of a given format.

        Parameters
        ----------
        inputs : InputFormat
            What the inputs look like.
        examples : Tensor or None
            Encoded training inputs, for augmentations that draw values from them.
        """
        return self

    @abstractmethod
    def __call__(
        self, inputs: Inputs, generator: torch.Generator, rarity: Tensor | None = None
    ) -> Inputs:
        """Return augmented inputs.

        Parameters
        ----------
        inputs : Tensor
            A batch; images from 0 to 255, as uint8 or floating point.
        generator : torch.Generator
            The only source of randomness, on the CPU. Parameters are drawn for each example.
        rarity : Tensor of float, shape (batch,), or None, default=None
            0 for examples of the largest class, 1 for those of the smallest, along the
            logarithm of the class count; used by augmentations with a ``tail_scale``.
        """

    def __or__(self, other: "Augmentation") -> "Pipeline":
        """Return both, this one first."""
        return Pipeline(parts=(*_parts(self), *_parts(other)))


@dataclass(eq=False, repr=False, kw_only=True)
class Pipeline(Augmentation):
    """Augmentations applied one after the other; written ``CropFlip() | Cutout()``.

    Parameters
    ----------
    parts : tuple of Augmentation, default=()
        Applied from left to right; all for images or all for tables.
    """

    parts: tuple[Augmentation, ...] = ()

    @property
    def modality(self) -> Modality:  # type: ignore[override]
        """What the parts are for."""
        return self.parts[0].modality

    def __repr__(self, N_CHAR_MAX: int = 0) -> str:
        """Return the text that is read back: the parts joined by ``|``."""
        return " | ".join(map(repr, self.parts))

    def validate(self) -> None:
        """Raise `InputError` if a field of a part is out of bounds, or the kinds are mixed."""
        for part in self.parts:
            part.validate()
        if len({part.modality for part in self.parts}) != 1:
            raise InputError(
                "Augmentations that are joined must all be for images or all for tables.",
                f"They are {self!r}.",
                "Leave out those of the other kind.",
            )

    def bind(self, inputs: InputFormat, examples: Inputs | None = None) -> Transform:
        """Return the bound parts, joined."""
        bound = [part.bind(inputs, examples) for part in self.parts]

        def transform(
            batch: Inputs, generator: torch.Generator, rarity: Tensor | None = None
        ) -> Inputs:
            for part in bound:
                batch = part(batch, generator, rarity)
            return batch

        return transform

    def __call__(
        self, inputs: Inputs, generator: torch.Generator, rarity: Tensor | None = None
    ) -> Inputs:
        """Return inputs augmented by each part in turn."""
        for part in self.parts:
            inputs = part(inputs, generator, rarity)
        return inputs


@dataclass(eq=False, repr=False, kw_only=True)
class Graded(Augmentation):
    r"""Base of augmentations whose strength may grow towards the rare classes.

    Parameters
    ----------
    tail_scale : float, default=1.0
        Strength for the smallest class as a multiple of that for the largest, at least 0. The
        multiple of a class between them is :math:`1 + (tail\_scale - 1)\,r` with rarity
        :math:`r` from 0 to 1.
    """

    tail_scale: float = bounded(1.0, low=0, tune=Options((1.0, 1.5, 2.0)))

    def strength(self, n: int, rarity: Tensor | None) -> Tensor:
        """Return the multiple of the strength for each of `n` examples, shape ``(n,)``."""
        if rarity is None or self.tail_scale == 1:
            return torch.ones(n)
        return 1 + (self.tail_scale - 1) * rarity.to("cpu", torch.float32)


def _parts(augmentation: Augmentation) -> tuple[Augmentation, ...]:
    return augmentation.parts if isinstance(augmentation, Pipeline) else (augmentation,)
