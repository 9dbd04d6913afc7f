"""Presets: an augmentation for each kind of picture, made to the size of the images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch, Inputs
from equipoise.errors import InputError
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Augmentation, Graded, Pipeline, Transform
from equipoise.standard.augmentation.blur import Blur
from equipoise.standard.augmentation.colour import ColorJitter, Grayscale
from equipoise.standard.augmentation.crops import CropFlip, RandomResizedCrop
from equipoise.standard.augmentation.erasing import Cutout
from equipoise.standard.augmentation.turns import FlipRotate, Rotation
from equipoise.standard.backbones.base import ImageInput, InputFormat

BLUR_ABOVE = 64
"""Side in pixels up to which images are small enough to be blurred already."""


@dataclass(eq=False, repr=False, kw_only=True)
class Preset(Graded):
    """Augmentation that suits a kind of picture.

    Parameters
    ----------
    domain : str, default="natural"
        - ``"natural"``: photographs. `CropFlip`, mild `ColorJitter`, `Cutout`.
        - ``"medical"``: left and right, and the grey scale, have a meaning. Small `Rotation`, small
          shifts without flips, mild brightness and contrast; hue and saturation stay.
        - ``"microscopy"``, ``"satellite"``: no direction is up. `FlipRotate`, small shifts, mild
          `ColorJitter`.
        - ``"industrial"``: `FlipRotate`, small shifts, brightness and contrast.
        - ``"digits"``: digits and letters. Shifts without flips, small `Rotation`.
        - ``"contrastive"``: strong views for self-supervised learning [1]_: `RandomResizedCrop`,
          `ColorJitter`, `Grayscale`, and `Blur` if both sides are above 64 pixels.
    tail_scale : float, default=1.0
        Handed on to every part that has one.

    Notes
    -----
    Shifts go up to an eighth of the shorter side, small ones up to a sixteenth, and at least one
    pixel. For grey images saturation, hue and `Grayscale` are left out.

    References
    ----------
    .. [1] T. Chen et al., "A simple framework for contrastive learning of visual
       representations", ICML 2020.

    Examples
    --------
    >>> Preset(domain="digits").pipeline(28, 28, 1)
    CropFlip(padding=3, flip=False) | Rotation(degrees=10)
    """

    domain: str = bounded(
        "natural",
        choices=(
            "natural",
            "medical",
            "microscopy",
            "satellite",
            "industrial",
            "digits",
            "contrastive",
        ),
    )

    def pipeline(self, height: int, width: int, channels: int) -> Pipeline:
        """Return what is done to images of a given size, in pixels, and number of channels."""
        side = min(height, width)
        is_colour = channels == 3
        match self.domain:
            case "natural":
                parts = _natural(side, is_colour)
            case "medical":
                parts = (Rotation(degrees=10), _small_shift(side), _light(0.1))
            case "industrial":
                parts = (FlipRotate(), _small_shift(side), _light(0.2))
            case "digits":
                parts = (CropFlip(padding=max(1, side // 8), flip=False), Rotation(degrees=10))
            case "contrastive":
                parts = _contrastive(side, is_colour)
            case _:
                parts = (FlipRotate(), _small_shift(side), _jitter(0.1, 0.02, is_colour))
        return Pipeline(parts=tuple(map(self._graded, parts)))

    def bind(self, inputs: InputFormat, examples: Inputs | None = None) -> Transform:
        """Return the pipeline for images of a given format."""
        if not isinstance(inputs, ImageInput):
            raise InputError(
                "`Preset` is an augmentation of images.",
                f"The inputs are of the kind {inputs.kind!r}.",
                "Leave the augmentation out, or choose one of tables.",
            )
        pipeline = self.pipeline(inputs.height, inputs.width, inputs.channels)
        return pipeline.bind(inputs, examples)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return images augmented by the pipeline for images of their size."""
        _, channels, height, width = images.shape
        return self.pipeline(height, width, channels)(images, generator, rarity)

    def _graded(self, part: Augmentation) -> Augmentation:
        if isinstance(part, Graded):
            part.tail_scale = self.tail_scale
        return part


def _natural(side: int, is_colour: bool) -> tuple[Augmentation, ...]:
    shift = CropFlip(padding=max(1, side // 8))
    return shift, _jitter(0.2, 0.02, is_colour), Cutout(size=0.25)


def _contrastive(side: int, is_colour: bool) -> tuple[Augmentation, ...]:
    parts = (RandomResizedCrop(), _jitter(0.4, 0.1, is_colour))
    parts += (Grayscale(),) if is_colour else ()
    return parts + ((Blur(),) if side > BLUR_ABOVE else ())


def _small_shift(side: int) -> CropFlip:
    return CropFlip(padding=max(1, side // 16), flip=False)


def _light(size: float) -> ColorJitter:
    return _jitter(size, 0, is_colour=False)


def _jitter(size: float, hue: float, is_colour: bool) -> ColorJitter:
    return ColorJitter(
        brightness=size,
        contrast=size,
        saturation=size if is_colour else 0,
        hue=hue if is_colour else 0,
    )
