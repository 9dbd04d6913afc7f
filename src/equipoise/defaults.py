"""What ``"auto"`` means: a pure function from facts about the data to settings with reasons."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equipoise import citations
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
    n_classes : int or None, default=None
        Number of classes; None: not known.
    ratio : float or None, default=None
        Training examples of the largest class over those of the smallest, at least 1.
    smallest : int or None, default=None
        Training examples of the smallest class.
    """

    kind: Literal["images", "table"]
    n_train: int
    pixels: int
    channels: int
    device: str
    pretrained: bool = False
    n_classes: int | None = None
    ratio: float | None = None
    smallest: int | None = None


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
    source : str
        What shows it: papers or measurements, as `equipoise.citations` has them.
    """

    field: str
    value: Any
    reason: str
    source: str

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
    rules = (_image_rules if facts.kind == "images" else _table_rules)(facts, _rate(params, facts))
    if str(params.get("finetuning")).startswith("LowRank"):
        rules["average"] = Choice(
            "average",
            None,
            "updates of low rank cannot be averaged",
            "by construction: averaged factors do not multiply to the average",
        )
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


@dataclass(frozen=True)
class _Rate:
    """The factor on the automatic learning rate: small batches and group norm lower it."""

    followed: float
    is_grouped: bool

    @property
    def scale(self) -> float:
        return self.followed * (GROUP_NORM_SCALE if self.is_grouped else 1)

    def source(self, rule: str) -> str:
        """Return what shows the factor, to follow another source."""
        followed = f"; {rule}" if self.followed != 1 else ""
        return followed + (f"; {citations.GROUP_NORM_RATE}" if self.is_grouped else "")


def _rate(params: Mapping[str, Any], facts: DataFacts) -> _Rate:
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
    return _Rate(followed, is_grouped)


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
        reason = "networks for tables do not normalise over the batch"
        return Choice("norm", "batch", reason, "by construction: they have no batch norm")
    if piece > SMALL_BATCH:
        reason = "batches are large enough for their own statistics"
        return Choice("norm", "batch", reason, "Ioffe and Szegedy 2015; Wu and He 2018")
    if not backbone.uses_batch_norm():
        reason = "the backbone does not normalise over the batch"
        return Choice("norm", "batch", reason, "by construction: it has no batch norm")
    if facts.pretrained or has_weights(backbone):
        return Choice(
            "norm",
            "frozen",
            f"statistics of {piece} examples are noise: those of the trained weights are kept",
            "convention: detectors are fine-tuned in small batches so",
        )
    return Choice(
        "norm",
        "group",
        f"statistics of {piece} examples are noise: groups of channels are normalised instead",
        "Wu and He 2018",
    )


def _image_rules(facts: DataFacts, rate: _Rate) -> dict[str, Choice]:
    epochs = _between(PRESENTATIONS[facts.channels] / facts.n_train, 10, 60)
    choices = (
        _backbone(facts),
        _crops(facts),
        Choice(
            "scaling",
            "none",
            "images are standardised by the network",
            "convention: mean and deviation of each channel",
        ),
        Choice(
            "optimizer",
            _with_rate("SGD(weight_decay=0.002)", 0.1, rate.scale),
            "networks on imbalanced images need more weight decay than the usual 5e-4"
            + (_FOLLOWS if rate.scale != 1 else ""),
            f"Alshammari et al. 2022 (weight decay); {citations.FIRST_IMAGES}"
            + rate.source("Goyal et al. 2017 (linear rule)"),
        ),
        _average(
            f"Polyak and Juditsky 1992; {citations.FIRST_IMAGES} (within 0.7 points, not better)"
        ),
        Choice(
            "batch_size",
            automatic_batch_size(facts),
            "small batches do better under imbalance",
            f"Shwartz-Ziv et al. 2023 (batch size); {citations.FIRST_IMAGES}",
        ),
        Choice(
            "epochs",
            epochs,
            f"about {PRESENTATIONS[facts.channels]:,} images shown in all, 10 to 60 epochs",
            f"{citations.FIRST_IMAGES}; {citations.TEST_SETS}",
        ),
        _precision(facts),
    )
    return {choice.field: choice for choice in choices}


def _backbone(facts: DataFacts) -> Choice:
    if facts.pixels > LARGE_PIXELS:
        return Choice(
            "backbone",
            'Timm(name="resnet18")',
            "a stem with strides for large images",
            "He et al. 2016",
        )
    return Choice(
        "backbone",
        "ResNet18(width=16)",
        "a small network: larger ones overfit the rare classes, and take longer",
        f"Shwartz-Ziv et al. 2023 (architecture); {citations.FIRST_IMAGES}",
    )


def _crops(facts: DataFacts) -> Choice:
    padding = max(1, round(math.isqrt(facts.pixels) / 8))
    is_colour = facts.channels == 3
    meaning = (
        "colour images keep their meaning when mirrored"
        if is_colour
        else "grey images are often characters or scans, which mirroring changes"
    )
    return Choice(
        "augmentation",
        f"CropFlip(padding={padding}, flip={is_colour})",
        f"shifts of an eighth of the side; {meaning}",
        "convention: 4 of 32 pixels and flips; He et al. 2016",
    )


def _average(source: str) -> Choice:
    reason = "an average of weights is steadier than the last step"
    return Choice("average", "EMA()", reason, source)


def _table_rules(facts: DataFacts, rate: _Rate) -> dict[str, Choice]:
    batch_size = automatic_batch_size(facts)
    steps = math.ceil(facts.n_train / batch_size)
    scale = math.sqrt(rate.scale)
    choices = (
        Choice(
            "backbone",
            "MLP(numeric=None)",
            "scaled numbers need no embedding here, which would overfit",
            f"{citations.TABLE_EMBEDDINGS}; {citations.COMPONENTS_ON_YEAST}",
        ),
        Choice("augmentation", None, "none for tables", citations.COMPONENTS_ON_YEAST),
        Choice(
            "scaling",
            "robust",
            "outliers are drawn in, and far values stay apart",
            citations.TABLE_SCALING,
        ),
        Choice(
            "optimizer",
            _with_rate("AdamW()", 1e-3, scale),
            "the usual choice for tables" + (_FOLLOWS if scale != 1 else ""),
            f"Gorishniy et al. 2021; {citations.COMPONENTS_ON_YEAST}"
            + rate.source("Malladi et al. 2022 (square-root rule)"),
        ),
        _average(f"Polyak and Juditsky 1992; {citations.COMPONENTS_ON_YEAST}"),
        Choice(
            "batch_size",
            batch_size,
            "about a thirtieth of the training rows, a power of two from 16 to 256",
            f"Shwartz-Ziv et al. 2023 (batch size); {citations.COMPONENTS_ON_YEAST}",
        ),
        Choice(
            "epochs",
            _between(TABLE_STEPS / steps, 10, 30),
            f"{TABLE_STEPS:,} steps in all, but 10 to 30 epochs; more overfit small tables",
            citations.TABLE_EMBEDDINGS,
        ),
        Choice(
            "precision",
            "fp32",
            "the networks for tables gain nothing from bfloat16",
            "convention: float32 unless another is faster",
        ),
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
    is_fast = fast_bf16(facts.device)
    return Choice(
        "precision",
        "bf16" if is_fast else "fp32",
        "this device computes bfloat16 faster than float32"
        if is_fast
        else "this device has no fast bfloat16",
        "convention: mixed precision where there are instructions for it; Kalamkar et al. 2019",
    )


def _between(value: float, low: int, high: int) -> int:
    return max(low, min(high, round(value)))
