"""What ``"auto"`` means: a pure function from facts about the data to settings with reasons."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equipoise.devices import fast_bf16
from equipoise.spec import resolve
from equipoise.standard.backbones import BACKBONES, Backbone, Timm
from equipoise.standard.batch_size import BatchSize, resolve_batch_size


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What the automatic choices depend on; never the speed of the machine, nor test data.

    Parameters
    ----------
    kind : {"images", "table"}
        What the examples are.
    n_train : int
        Training examples.
    pixels : int
        Height times width of images; 0 for tables.
    channels : int
        1 for grey images, 3 for colour; 0 for tables.
    device : str
        Where training runs.
    pretrained : bool, default=False
        Whether the backbone starts from weights that were trained before.
    """

    kind: Literal["images", "table"]
    n_train: int
    pixels: int
    channels: int
    device: str
    pretrained: bool = False


@dataclass(frozen=True)
class Choice:
    """One automatic choice.

    Parameters
    ----------
    field : str
        The parameter that was ``"auto"``.
    value : object
        What it became, in the form in which a user would give it.
    reason : str
        Why, in words.
    """

    field: str
    value: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.field} = {self.value!r}: {self.reason}"


def automatic_choices(params: Mapping[str, Any], facts: DataFacts) -> list[Choice]:
    """Return a choice for each parameter that is ``"auto"``.

    Parameters
    ----------
    params : mapping of str to value
        The classifier's parameters.
    facts : DataFacts
        What is known about the data.

    Examples
    --------
    >>> facts = DataFacts(kind="table", n_train=1000, pixels=0, channels=0, device="cpu")
    >>> [c.value for c in automatic_choices({"batch_size": "auto", "epochs": 5}, facts)]
    [32]
    """
    rules = (_image_rules if facts.kind == "images" else _table_rules)(facts, _scale(params, facts))
    if str(params.get("finetuning")).startswith("LowRank"):
        rules["average"] = Choice("average", None, "updates of low rank cannot be averaged")
    return [rules[name] for name, value in params.items() if value == "auto" and name in rules]


PRESENTATIONS = {1: 240_000, 3: 360_000}
"""Training images shown in all, by channels: 24 or 36 passes over 10,000 images."""

TABLE_STEPS = 3_000
"""Steps of training on a table."""

LARGE_PIXELS = 64 * 64
"""Images of more pixels get a network that first shrinks them."""


SMALL_BATCH = 8
"""Batches up to this size are too small for batch statistics."""

GROUP_NORM_SCALE = 0.25
"""Factor on the learning rate of a network with group norm, which diverges sooner."""


def _scale(params: Mapping[str, Any], facts: DataFacts) -> float:
    """Return the factor on the automatic learning rate: small batches and group norm lower it."""
    automatic = automatic_batch_size(facts)
    given = params.get("batch_size", "auto")
    size = BatchSize(size=automatic) if given == "auto" else resolve_batch_size(given)
    norm = params.get("norm", "batch")
    if norm == "auto" and facts.kind == "images":
        asked = params["backbone"]
        backbone = resolve(
            _backbone(facts).value if asked == "auto" else asked, BACKBONES, "backbone"
        )
        norm = choose_norm(backbone, size, params["devices"], facts).value
    is_grouped = facts.kind == "images" and norm == "group"
    # A rule of its own follows the size already.
    followed = min(1, size.size / automatic) if size.rule == "none" else 1
    return followed * (GROUP_NORM_SCALE if is_grouped else 1)


def has_weights(backbone: Backbone[Any]) -> bool:
    """Return whether a backbone brings weights that were trained before."""
    return isinstance(backbone, Timm) and (backbone.pretrained or backbone.weights is not None)


def choose_norm(
    backbone: Backbone[Any], batch_size: BatchSize, devices: int, facts: DataFacts
) -> Choice:
    """Return what stands where the backbone has batch norm.

    Parameters
    ----------
    backbone : Backbone
        The resolved backbone.
    batch_size : BatchSize
        The resolved batch size.
    devices : int
        Processes that share a batch.
    facts : DataFacts
        What the choice depends on besides.
    """
    piece = math.ceil(batch_size.piece / devices)
    if facts.kind == "table":
        return Choice("norm", "batch", "networks for tables do not normalise over the batch")
    if piece > SMALL_BATCH:
        return Choice("norm", "batch", "batches are large enough for their own statistics")
    if not backbone.uses_batch_norm():
        return Choice("norm", "batch", "the backbone does not normalise over the batch")
    if facts.pretrained or has_weights(backbone):
        return Choice(
            "norm",
            "frozen",
            f"statistics of {piece} examples are noise: those of the trained weights are kept",
        )
    return Choice(
        "norm",
        "group",
        f"statistics of {piece} examples are noise: groups of channels are normalised instead",
    )


def _image_rules(facts: DataFacts, scale: float) -> dict[str, Choice]:
    side = math.isqrt(facts.pixels)
    padding = max(1, round(side / 8))
    colour = facts.channels == 3
    epochs = _between(PRESENTATIONS[facts.channels] / facts.n_train, 10, 60)
    choices = (
        _backbone(facts),
        Choice(
            "augmentation",
            f"CropFlip(padding={padding}, flip={colour})",
            "shifts of an eighth of the side; "
            + (
                "colour images keep their meaning when mirrored"
                if colour
                else "grey images are often characters or scans, which mirroring changes"
            ),
        ),
        Choice("scaling", "none", "images are standardised by the network"),
        Choice(
            "optimizer",
            _with_rate("SGD(weight_decay=0.002)", 0.1, scale),
            "networks on imbalanced images need more weight decay than the usual 5e-4"
            + (_FOLLOWS if scale != 1 else ""),
        ),
        Choice("average", "EMA()", "an average of weights is steadier than the last step"),
        Choice(
            "batch_size", automatic_batch_size(facts), "small batches do better under imbalance"
        ),
        Choice(
            "epochs",
            epochs,
            f"about {PRESENTATIONS[facts.channels]:,} images shown in all, 10 to 60 epochs",
        ),
        _precision(facts),
    )
    return {choice.field: choice for choice in choices}


def _backbone(facts: DataFacts) -> Choice:
    if facts.pixels > LARGE_PIXELS:
        return Choice("backbone", 'Timm(name="resnet18")', "a stem with strides for large images")
    return Choice(
        "backbone",
        "ResNet18(width=16)",
        "a small network: larger ones overfit the rare classes, and take longer",
    )


def _table_rules(facts: DataFacts, scale: float) -> dict[str, Choice]:
    batch_size = automatic_batch_size(facts)
    steps = math.ceil(facts.n_train / batch_size)
    choices = (
        Choice(
            "backbone",
            "MLP(numeric=None)",
            "scaled numbers need no embedding here, which would overfit",
        ),
        Choice("augmentation", None, "none for tables"),
        Choice("scaling", "robust", "outliers are drawn in, and far values stay apart"),
        Choice(
            "optimizer",
            _with_rate("AdamW()", 1e-3, math.sqrt(scale)),
            "the usual choice for tables" + (_FOLLOWS if scale != 1 else ""),
        ),
        Choice("average", "EMA()", "an average of weights is steadier than the last step"),
        Choice("batch_size", batch_size, "a power of two, about a thirtieth of the training rows"),
        Choice(
            "epochs",
            _between(TABLE_STEPS / steps, 10, 30),
            f"about {TABLE_STEPS:,} steps in all, 10 to 30 epochs; more overfit small tables",
        ),
        Choice("precision", "fp32", "the networks for tables gain nothing from bfloat16"),
    )
    return {choice.field: choice for choice in choices}


_FOLLOWS = "; its learning rate follows the batch size and the norm"


def _with_rate(text: str, rate: float, scale: float) -> str:
    """Return an optimizer's text with its usual rate times a factor, where that is not 1."""
    if scale == 1:
        return text
    name, _, rest = text.partition("(")
    others = f", {rest}" if rest != ")" else rest
    return f"{name}(lr={float(f'{rate * scale:.3g}')}{others}"


def automatic_batch_size(facts: DataFacts) -> int:
    """Return a power of two, from 16 on, that gives about 32 steps an epoch or more."""
    most = 64 if facts.kind == "images" else 256
    return min(most, max(16, 2 ** round(math.log2(max(facts.n_train / 32, 1)))))


def _precision(facts: DataFacts) -> Choice:
    if fast_bf16(facts.device):
        return Choice("precision", "bf16", "this device computes bfloat16 faster than float32")
    return Choice("precision", "fp32", "this device has no fast bfloat16")


def _between(value: float, low: int, high: int) -> int:
    return max(low, min(high, round(value)))
