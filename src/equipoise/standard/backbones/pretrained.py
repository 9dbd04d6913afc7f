"""Any image model of timm, with or without pretrained weights."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise._tensors import ImageBatch, Inputs
from equipoise.errors import InputError
from equipoise.spec import bounded
from equipoise.standard.backbones.base import (
    Backbone,
    Extractor,
    ImageInput,
    Modality,
    Standardise,
)
from equipoise.standard.normalisation import has_batch_norm

if TYPE_CHECKING:
    from timm.models import PretrainedCfg


class Resize(nn.Module):
    """Interpolate images to a size, in float32 and without aliasing.

    Parameters
    ----------
    size : (int, int)
        Height and width of the result, in pixels.
    interpolation : {"bicubic", "bilinear"}
        How values between pixels are found.
    """

    def __init__(self, size: tuple[int, int], interpolation: str) -> None:
        super().__init__()
        self.size = size
        self.interpolation = interpolation

    def forward(self, images: ImageBatch) -> Tensor:
        """Return ``(batch, channels, *size)``; images of this size already are unchanged."""
        if images.shape[2:] == self.size:
            return images
        return F.interpolate(images.float(), self.size, mode=self.interpolation, antialias=True)


@dataclass(eq=False, repr=False, kw_only=True)
class Timm(Backbone[ImageInput]):
    """A model of the timm library, by name, without its classifier.

    Start from pretrained weights where they suit the data: under imbalance they help more
    than on balanced data. Nothing is downloaded unless `pretrained` says so.

    Parameters
    ----------
    name : str, default="resnet18"
        A name that ``timm.list_models()`` lists, with or without a tag of its weights
        (``"resnet18.a1_in1k"``).
    pretrained : bool, default=False
        Whether to fetch the weights that timm names for this model, or take them from its
        cache. Not looked at where `weights` is given.
    weights : str or None, default=None
        Path of a ``.safetensors`` file with the model's weights under timm's names. Its
        classifier, of any number of classes, is left out. A file of a sibling whose tensors
        have the same names and shapes cannot be told apart.
    size : int or None, default=None
        Height and width, in pixels, to which images are interpolated inside the network, at
        least 1. None keeps the size that the weights were trained with, and without
        weights the size of the images.

    Notes
    -----
    With weights, images are standardised by the mean and deviation that these were trained
    with, and a grey image is repeated for a colour model, which is what that model would
    see if the image were stored in colour. Without weights, the data's own mean and
    deviation are used. Features are what timm's classifier would get.

    References
    ----------
    .. [1] R. Wightman, "PyTorch image models". https://github.com/huggingface/pytorch-image-models

    Examples
    --------
    >>> inputs = ImageInput(32, 32, 1, (0.3,), (0.35,))
    >>> network = Timm(name="resnet10t").build(inputs)
    >>> network.n_features
    512
    """

    modality: ClassVar[Modality] = "images"
    name: str = "resnet18"
    pretrained: bool = bounded(False, choices=(False, True))
    weights: str | None = None
    size: int | None = bounded(None, low=1, integer=True, optional=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds or timm does not know the name.

        The file of weights is not looked at: a stored network is rebuilt without it.
        """
        super().validate()
        for field, value in (("name", self.name), ("weights", self.weights or "")):
            if not isinstance(value, str):
                raise InputError(
                    f"`{field}` of `Timm` must be text.", f"It is {value!r}.", "Put it in quotes."
                )
        _published(self.name)

    def build(self, inputs: ImageInput, examples: Inputs | None = None) -> Extractor:  # noqa: ARG002
        """Return the network with its weights; `examples` are not used.

        Raises
        ------
        InputError
            If the name is unknown, the weights cannot be had or do not fit, or the model
            cannot take images of this size.
        """
        model = self._model(inputs, weighted=self._weighted)
        return self._extractor(model, inputs)

    def uses_batch_norm(self) -> bool:
        """Return whether timm's model normalises by the statistics of a batch."""
        with torch.random.fork_rng(devices=[]):
            return has_batch_norm(_create(self.name, {}))

    def rebuild(self, inputs: ImageInput) -> Extractor:
        """Return the same network without reading or fetching any weights."""
        return self._extractor(self._model(inputs, weighted=False), inputs)

    @property
    def _weighted(self) -> bool:
        return self.pretrained or self.weights is not None

    def _model(self, inputs: ImageInput, weighted: bool) -> nn.Module:
        published = _published(self.name)
        options: dict[str, Any] = {"in_chans": self._channels(inputs)}
        if published.fixed_input_size:
            options["img_size"] = self._size(inputs)
        if weighted and self.weights is not None:
            model = _from_file(self.name, str(Path(self.weights).expanduser()), options)
        elif weighted:
            model = _from_hub(self.name, options)
        else:
            model = _from_scratch(self.name, options, self._size(inputs))
        # Only now: a model with its classifier checks that all of the weights were found.
        model.reset_classifier(0)
        return model

    def _extractor(self, model: nn.Module, inputs: ImageInput) -> Extractor:
        published = _published(self.name)
        interpolation = "bilinear" if published.interpolation == "bilinear" else "bicubic"
        source = published if self._weighted else inputs
        layers = [
            ("resize", Resize(self._size(inputs), interpolation)),
            ("standardise", Standardise(source.mean, source.std)),
            ("model", model),
        ]
        extractor = Extractor(layers, n_features=0)
        extractor.n_features = self._probe(extractor, inputs)
        return extractor

    def _probe(self, extractor: Extractor, inputs: ImageInput) -> int:
        """Return the width of the features of a black image, which also proves the size fit."""
        black = torch.zeros(1, inputs.channels, inputs.height, inputs.width)
        extractor.eval()
        try:
            with torch.no_grad():
                features = extractor(black)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise _unsuitable(self.name, self._size(inputs), error) from error
        extractor.train()
        return features.shape[1]

    def _size(self, inputs: ImageInput) -> tuple[int, int]:
        if self.size is not None:
            return self.size, self.size
        if self._weighted:
            height, width = _published(self.name).input_size[1:]
            return height, width
        return inputs.height, inputs.width

    def _channels(self, inputs: ImageInput) -> int:
        if not self._weighted:
            return inputs.channels
        channels = _published(self.name).input_size[0]
        if inputs.channels not in (1, channels):
            raise InputError(
                f"The weights of {self.name!r} need images of {channels} channels, or grey ones.",
                f"The images have {inputs.channels}.",
                "Convert the images, or train without pretrained weights.",
            )
        return channels


def _published(name: str) -> "PretrainedCfg":
    """Return what timm says of a model's weights: input size, mean, deviation, classifier."""
    # Imported where it is needed: importing timm takes two seconds that tables need not wait.
    from timm.models import (  # noqa: PLC0415
        PretrainedCfg,
        get_pretrained_cfg,
        is_model,
        list_models,
        list_pretrained,
    )

    model, _, tag = name.partition(".")
    known = list_models() if not is_model(model) else list_pretrained(f"{model}.*")
    if not is_model(model) or (tag and name not in known):
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        raise InputError(
            "The name of a `Timm` backbone must be one that timm knows.",
            f"It is {name!r}.",
            f"Did you mean {' or '.join(map(repr, near))}?"
            if near
            else "List the names with `timm.list_models()`.",
        )
    return get_pretrained_cfg(name) or PretrainedCfg()


def _create(name: str, options: dict[str, Any], **source: Any) -> Any:
    from timm import create_model  # noqa: PLC0415 (see `_published`)

    return create_model(name, **options, **source)


def _from_scratch(name: str, options: dict[str, Any], size: tuple[int, int]) -> Any:
    try:
        return _create(name, options)
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise _unsuitable(name, size, error) from error


def _from_hub(name: str, options: dict[str, Any]) -> Any:
    try:
        return _create(name, options, pretrained=True)
    except Exception as error:  # the hub's client, its transports and timm share no base class
        raise InputError(
            f"`pretrained=True` must find the weights of {name!r} online or in the cache.",
            f"They could not be had: {_last_line(error)}.",
            'Give a local copy with weights="file.safetensors", or set pretrained=False.',
        ) from error


def _from_file(name: str, path: str, options: dict[str, Any]) -> Any:
    """Create a model with every one of its tensors taken from a file."""
    shapes = _stored_shapes(path)
    n_classes = _stored_classes(name, shapes)
    # With the file's own number of classes timm discards nothing and loads strictly.
    source = {"file": path, "num_classes": n_classes, "label_offset": 0, "custom_load": False}
    try:
        model = _create(
            name, options, pretrained=True, pretrained_cfg_overlay=source, num_classes=n_classes
        )
    except Exception as error:  # timm's conversions fail in many ways on another model's tensors
        raise _misfit(name, path, _last_line(error)) from error
    # A few families of timm load what they find and leave the rest random.
    missing = [
        key
        for key in model.state_dict()
        if key not in shapes and not key.endswith("num_batches_tracked")
    ]
    if missing:
        raise _misfit(name, path, f"it has no {missing[0]!r}")
    return model


def _misfit(name: str, path: str, reason: str) -> InputError:
    return InputError(
        f"The weights must be those of timm's {name!r}, under timm's names.",
        f"`{path}` does not fit: {reason}.",
        "Name the model that the file was saved from.",
    )


def _stored_shapes(path: str) -> dict[str, list[int]]:
    """Return the shape of each tensor in a safetensors file; pickles are never opened."""
    requirement = "The weights must be a readable .safetensors file."
    if Path(path).suffix != ".safetensors":
        raise InputError(
            requirement,
            f"`{path}` has another ending.",
            "Convert it: load it where you trust it, then `safetensors.torch.save_file`.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            requirement, f"`{path}` cannot be read: {error}.", "Check the path, or fetch it again."
        ) from error


def _stored_classes(name: str, shapes: dict[str, list[int]]) -> int:
    """Return how many classes the classifier in a file has; 0 if there is none."""
    classifier = _published(name).classifier
    first = classifier[0] if isinstance(classifier, tuple) else classifier
    return shapes.get(f"{first}.weight", [0])[0]


def _unsuitable(name: str, size: tuple[int, int], error: Exception) -> InputError:
    return InputError(
        f"Images must have a size that {name!r} can take.",
        f"At {size[0]} x {size[1]} pixels it fails: {_last_line(error)}.",
        "Set a `size` to which they are scaled, such as size=224.",
    )


def _last_line(error: Exception) -> str:
    last = (str(error).strip() or repr(error)).splitlines()[-1].rstrip(".")
    return shorten(last, 200, placeholder=" ...")
