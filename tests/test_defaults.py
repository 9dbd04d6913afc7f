"""Laws of automatic choices: they follow from facts, and the learning rate follows the batch."""

import math

import pytest

from equipoise import Classifier
from equipoise.defaults import DataFacts, automatic_choices, choose_norm
from equipoise.errors import InputError
from equipoise.settings import resolve_settings
from equipoise.standard.backbones import ResNet, Timm
from equipoise.standard.batch_size import BatchSize

IMAGES = DataFacts(kind="images", n_train=10_000, pixels=1024, channels=3, device="cpu")
TRAINED = DataFacts(
    kind="images", n_train=10_000, pixels=1024, channels=3, device="cpu", pretrained=True
)
TABLE = DataFacts(kind="table", n_train=10_000, pixels=0, channels=0, device="cpu")


@pytest.mark.parametrize(
    ("size", "devices", "norm"),
    [
        (BatchSize(size=64), 1, "batch"),
        (BatchSize(size=9), 1, "batch"),
        (BatchSize(size=8), 1, "group"),
        (BatchSize(size=64, accumulate=8), 1, "group"),
        (BatchSize(size=64, accumulate=7), 1, "batch"),
        (BatchSize(size=64), 8, "group"),
        (BatchSize(size=64, accumulate=2), 4, "group"),
        (BatchSize(size=64), 7, "batch"),
    ],
)
def test_norm_follows_the_examples_that_are_computed_together(
    size: BatchSize, devices: int, norm: str
) -> None:
    """Up to 8 examples in a piece of a device's share are too few for batch statistics."""
    assert choose_norm(ResNet(), size, devices, IMAGES).value == norm
    assert choose_norm(ResNet(), size, devices, TABLE).value == "batch"


def test_trained_statistics_are_kept() -> None:
    """In small batches what was trained before keeps its statistics; in large ones it learns."""
    few, many = BatchSize(size=4), BatchSize(size=64)
    trained = [
        (Timm(name="resnet18", pretrained=True), IMAGES),
        (Timm(name="resnet18", weights="some.safetensors"), IMAGES),
        (ResNet(), TRAINED),
    ]
    assert [choose_norm(b, few, 1, facts).value for b, facts in trained] == ["frozen"] * 3
    assert [choose_norm(b, many, 1, facts).value for b, facts in trained] == ["batch"] * 3
    assert choose_norm(Timm(name="resnet18"), few, 1, IMAGES).value == "group"


def _rate(facts: DataFacts = IMAGES, **params: object) -> float:
    given = {**Classifier().get_params(deep=False), **params}
    return resolve_settings(given, facts)[0].optimizer.lr


@pytest.mark.parametrize(
    ("params", "rate"),
    [
        ({}, 0.1),
        ({"batch_size": 64}, 0.1),
        ({"batch_size": 512}, 0.1),
        ({"batch_size": 32}, 0.05),
        ({"batch_size": 16}, 0.025),
        ({"batch_size": 8}, 0.25 * 0.0125),
        ({"batch_size": 8, "norm": "batch"}, 0.0125),
        ({"batch_size": 8, "norm": "frozen"}, 0.0125),
        ({"norm": "group"}, 0.025),
        ({"batch_size": "BatchSize(size=64, accumulate=8)"}, 0.025),
        ({"batch_size": 64, "devices": 8}, 0.025),
    ],
)
def test_the_rate_on_images_falls_with_the_batch_and_group_norm(params: dict, rate: float) -> None:
    """SGD's 0.1 is for batches of 64: less in proportion for smaller, a quarter for group norm."""
    assert _rate(**params) == pytest.approx(rate, rel=5e-3)


def test_statistics_that_are_kept_need_no_lower_rate() -> None:
    """Frozen batch norm is not group norm, whether a run or a backbone brings the weights."""
    assert _rate(batch_size=8) == pytest.approx(0.25 * 0.0125, rel=5e-3)
    assert _rate(TRAINED, batch_size=8) == pytest.approx(0.0125, rel=5e-3)
    timm = Timm(name="resnet18", pretrained=True)
    assert _rate(batch_size=8, backbone=timm) == pytest.approx(0.0125, rel=5e-3)
    assert _rate(TRAINED, batch_size=8, norm="group") == pytest.approx(0.25 * 0.0125, rel=5e-3)


@pytest.mark.parametrize(("size", "share"), [(256, 1), (1024, 1), (64, 0.5), (16, 0.25)])
def test_the_rate_on_tables_falls_with_the_root_of_the_batch(size: int, share: float) -> None:
    """AdamW's 0.001 is for the automatic batch size."""
    assert _rate(TABLE, batch_size=size) == pytest.approx(1e-3 * share)
    assert _rate(TABLE, batch_size=size, norm="group") == pytest.approx(1e-3 * share)


def test_a_rate_that_is_given_stays() -> None:
    """Only the automatic optimizer's rate follows."""
    assert _rate(batch_size=4, optimizer="SGD(lr=0.1)") == 0.1


def test_the_reason_says_when_the_rate_was_changed() -> None:
    """The choice of the optimizer names the batch size and the norm, where they counted."""
    params = {**Classifier().get_params(deep=False), "batch_size": 16}
    reasons = [
        next(c.reason for c in automatic_choices(given, IMAGES) if c.field == "optimizer")
        for given in (params, {**params, "batch_size": "auto"})
    ]
    assert ["learning rate" in reason for reason in reasons] == [True, False]


@pytest.mark.parametrize("devices", [0, -1, 1.5, "two", None, math.nan])
@pytest.mark.parametrize("facts", [IMAGES, TABLE], ids=["images", "table"])
def test_devices_that_are_no_number_are_refused_in_words(facts: DataFacts, devices: object) -> None:
    """No choice is made from what cannot be."""
    with pytest.raises(InputError, match="`devices` must be a whole number"):
        _rate(facts, devices=devices)


@pytest.mark.parametrize("norm", ["layer", 3, None, ["group"]])
def test_an_unknown_norm_is_refused_in_words(norm: object) -> None:
    """The message lists those that there are."""
    with pytest.raises(InputError, match="'batch', 'group', 'frozen'"):
        _rate(norm=norm)


def test_a_rule_of_the_batch_size_is_applied_once() -> None:
    """The automatic rate follows a smaller batch, unless the batch brings its own rule."""
    facts = DataFacts(kind="images", n_train=12_000, pixels=1024, channels=3, device="cpu")
    params = dict.fromkeys(("backbone", "optimizer", "norm"), "auto") | {"devices": 1}
    for size, rate in ((16, "SGD(lr=0.025, "), ("BatchSize(size=16, rule='linear')", "SGD(weight")):
        choices = automatic_choices({**params, "batch_size": size}, facts)
        text = next(choice.value for choice in choices if choice.field == "optimizer")
        assert text.startswith(rate)


def test_group_norm_is_announced_only_where_there_is_batch_norm() -> None:
    """A transformer in small batches keeps its norms and its learning rate."""
    facts = DataFacts(kind="images", n_train=12_000, pixels=1024, channels=3, device="cpu")
    vision = Timm(name="vit_tiny_patch16_224", size=32)
    assert choose_norm(vision, BatchSize(size=4), 1, facts).value == "batch"
    assert choose_norm(ResNet(), BatchSize(size=4), 1, facts).value == "group"
