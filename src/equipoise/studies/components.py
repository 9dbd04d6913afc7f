"""What can be studied: components, the values that each takes, and what is asked of them."""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from equipoise.classifier import Classifier
from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.batch_size import BatchSize
from equipoise.standard.mixing import MIXINGS
from equipoise.standard.optimizers import OPTIMIZERS
from equipoise.standard.self_supervision import SELF_SUPERVISIONS
from equipoise.studies.contract import Base, Component, Value


def _of(param: str, *texts: str | None) -> list[Value]:
    return [Value(_label(param, text), {param: text}) for text in texts]


def _label(param: str, text: str | None) -> str:
    return f"no {param}" if text is None else text


def _number(text: str, what: str, kind: str = "numbers", example: str = "0 0.001 0.01") -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (kind != "numbers" and not number.is_integer()):
        raise InputError(
            f"Values of {what} are {kind}.", f"One is {text!r}.", f"Give for example {example}."
        )
    return number


def _whole(text: str, what: str) -> int:
    return int(_number(text, what, "whole numbers", "16 64 256"))


def _size(base: Base, text: str) -> Value:
    size = _whole(text, "batch-size")
    optimizer, reference = base.settings.optimizer, base.settings.batch_size.size
    rule = "sqrt" if "Adam" in type(optimizer).__name__ else "linear"
    batch = BatchSize(size=size, rule=rule, reference=reference, budget=base.hold)
    batch.validate()
    return Value(str(size), {"batch_size": repr(batch)}, size)


def _sizes(base: Base) -> list[Value]:
    sizes = {16, 32, 64, 128, 256, base.settings.batch_size.size}
    return [_size(base, str(size)) for size in sorted(sizes)]


def _decay(base: Base, text: str) -> Value:
    decay = _number(text, "weight-decay")
    optimizer = base.settings.optimizer
    if "weight_decay" not in {field.name for field in fields(optimizer)}:
        raise InputError(
            "Weight decay is studied with an optimizer that has it.",
            f"The optimizer is {optimizer!r}.",
            'Give --optimizer "SGD()" or "AdamW()".',
        )
    changed = replace(optimizer, weight_decay=decay)  # type: ignore[call-arg]
    return Value(f"{decay:g}", {"optimizer": repr(changed)}, decay)


def _own_decay(base: Base) -> float:
    return float(getattr(base.settings.optimizer, "weight_decay", 0.0))


def _decays(base: Base) -> list[Value]:
    own = _own_decay(base)
    is_adam = "Adam" in type(base.settings.optimizer).__name__
    usual = {0.0, 1e-3, 1e-2, 1e-1, 0.3} if is_adam else {0.0, 2e-4, 5e-4, 2e-3, 5e-3}
    return [_decay(base, str(decay)) for decay in sorted({*usual, own})]


def _length(base: Base, text: str) -> Value:
    del base
    epochs = _whole(text, "epochs")
    return Value(str(epochs), {"epochs": epochs}, epochs)


def _lengths(base: Base) -> list[Value]:
    lengths = {max(1, round(share * base.epochs)) for share in (0.25, 0.5, 1, 2)}
    return [_length(base, str(epochs)) for epochs in sorted(lengths)]


def _augmentations(base: Base) -> list[Value]:
    if base.kind == "table":
        names = ("FeatureNoise()", "FeatureMasking()", "FeatureSwap()", "QuantileJitter()")
        return [*_of("augmentation", None, *names), *_of("mixing", "Mixup()")]
    plain = base.settings.augmentation
    first = "CropFlip()" if plain is None else repr(plain)
    policies = ("AutoAugment()", "RandAugment()", "TrivialAugment()", "Cutout()")
    joined = [f"{first} | {policy}" for policy in policies]
    own = _of("augmentation", None if plain is None else first, None, first, *joined)
    mixed = [Value(text, {"mixing": text}) for text in ("Mixup()", "CutMix()")]
    return [*own, *mixed]


def _architectures(base: Base) -> list[Value]:
    if base.kind == "table":
        names = ("MLP(numeric=None)", "MLP()", "TabularResNet()", "TabM(numeric=None)")
    else:
        names = (
            "ResNet18(width=8)",
            "ResNet18(width=16)",
            "ResNet18(width=32)",
            "ResNet(depth=20)",
            "ResNet(depth=32)",
            "WideResNet(depth=16, widen=2)",
        )
    return _of("backbone", repr(base.settings.backbone), *names)


def _pretrainings(base: Base) -> list[Value]:
    losses = ("SCARF()",) if base.kind == "table" else ("VICReg()", "SimCLR()")
    return [*_of("auxiliary", None, *losses), *map(_first, losses)]


def _first(text: str) -> Value:
    """Return the value of training without labels first, by a loss as text, and then with them."""
    resolve(text, SELF_SUPERVISIONS, "pretrain")
    return Value(f"{text} first", {"auxiliary": None}, pretrain=text)


def _pretraining(base: Base, text: str) -> Value:
    """Read a loss beside the labels, or as ``"pretrain=SimCLR()"`` one before them."""
    before = text.removeprefix("pretrain=")
    return _first(before) if before != text else _reader("auxiliary")(base, text)


def _optimizers(base: Base) -> list[Value]:
    own = repr(base.settings.optimizer)
    other = "SGD()" if "Adam" in own else "AdamW()"
    sharp = (
        "SAM()",
        "ASAM()",
        "SAMA()",
        "SAMA(reading='radius')",
        "ImbSAM()",
        "FocalSAM()",
    )
    return [*_of("optimizer", own, other), *_of("sharpness", *sharp)]


def _smoothings(base: Base) -> list[Value]:
    del base
    both = ("ClassConditional(head=0.0, tail=0.2)", "ClassConditional(head=0.2, tail=0.0)")
    return _of("smoothing", None, "Uniform(eps=0.1)", *both)


def _reader(param: str, **others: Mapping[str, Any]) -> Callable[[Base, str], Value]:
    """Return what reads ``"None"``, a component, or ``"mixing=Mixup()"`` for another field.

    Parameters
    ----------
    param : str
        The field that a value without a name sets.
    **others : mapping
        Other fields, with the components that are known to be theirs without a name.
    """

    def read(base: Base, text: str) -> Value:
        del base
        named = re.fullmatch(r"([a-z_]+)=(.+)", text, re.DOTALL)
        known = {field.name for field in fields(Classifier)}
        component = text.partition("(")[0].strip()
        meant = next((other for other, family in others.items() if component in family), param)
        own, value = named.groups() if named and named[1] in known else (meant, text)
        given = None if value == "None" else value
        return Value(_label(own, given), {own: given})

    return read


def _none(base: Base, text: str) -> Value:
    del base
    raise InputError(
        "The study of the training ratio has one value, the recipe itself.",
        f"--values gives {text!r}.",
        "Leave out --values; --ratios are what is studied.",
    )


COMPONENTS: dict[str, Component] = {
    component.name: component
    for component in (
        Component(
            "batch-size",
            "Small batches matter more the more unequal classes are.",
            ("batch_size",),
            _sizes,
            _size,
            unit="batch size",
            own=lambda base: base.settings.batch_size.size,
        ),
        Component(
            "augmentation",
            "The effect of augmentation is amplified by imbalance, and the best policy changes.",
            ("augmentation", "mixing"),
            _augmentations,
            _reader("augmentation", mixing=MIXINGS),
        ),
        Component(
            "architecture",
            "Larger networks that win on balanced data overfit imbalanced data.",
            ("backbone",),
            _architectures,
            _reader("backbone"),
        ),
        Component(
            "pretraining",
            "Self-supervision beside the labels helps more the more unequal classes are.",
            ("auxiliary",),
            _pretrainings,
            _pretraining,
        ),
        Component(
            "optimizer",
            "SAM, with larger steps for rare classes above all, helps more under imbalance.",
            ("optimizer", "sharpness"),
            _optimizers,
            _reader("sharpness", optimizer=OPTIMIZERS),
        ),
        Component(
            "smoothing",
            "Smoothing rare classes more than frequent ones helps under imbalance.",
            ("smoothing",),
            _smoothings,
            _reader("smoothing"),
        ),
        Component(
            "weight-decay",
            "It tunes weight decay with the rest and prescribes no value.",
            ("optimizer",),
            _decays,
            _decay,
            unit="weight decay",
            own=_own_decay,
        ),
        Component(
            "epochs",
            "It prescribes no number of epochs.",
            ("epochs",),
            _lengths,
            _length,
            unit="epochs",
            own=lambda base: base.epochs,
        ),
        Component(
            "train-ratio",
            "The best training ratio is about the test ratio.",
            (),
            lambda base: [Value("recipe", {})],  # noqa: ARG005 (as all others are called)
            _none,
        ),
    )
}
"""Components by name."""


def find_component(name: str) -> Component:
    """Return what is studied by its name.

    Raises
    ------
    InputError
        If there is none of this name.

    Examples
    --------
    >>> find_component("smoothing").params
    ('smoothing',)
    """
    if name in COMPONENTS:
        return COMPONENTS[name]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), COMPONENTS, n=1, cutoff=0.5)
    raise InputError(
        f"A study is of one of {', '.join(COMPONENTS)}.",
        f"It is {name!r}.",
        f"Did you mean {near[0]!r}?" if near else "Name one of them.",
    )


def values_of(
    component: Component, base: Base, texts: Sequence[str] = (), known: Sequence[Value] = ()
) -> list[Value]:
    """Return the values of a study, each once.

    Parameters
    ----------
    component : Component
        What is studied.
    base : Base
        The settings that all cells share.
    texts : sequence of str, default=()
        Values as the user gives them; none: the usual ones, or those that are known.
    known : sequence of Value, default=()
        Values that the study has already, which stand first, but for numbers.

    Raises
    ------
    InputError
        If a value cannot be read, or there is only one where values are compared.
    """
    found = [component.read(base, text) for text in texts] or component.values(base)
    kept: dict[str, Value] = {}
    for value in found:
        kept.setdefault(value.label, value)
    if known:
        kept = {**{v.label: kept.get(v.label, v) for v in known}, **(kept if texts else {})}
    if component.params and len(kept) < 2:
        raise InputError(
            "A study compares at least two values.",
            f"There is {next(iter(kept))!r} alone.",
            "Give more --values, or leave them out for the usual ones.",
        )
    if known and component.unit:
        return sorted(kept.values(), key=lambda value: value.number or 0.0)
    return list(kept.values())
