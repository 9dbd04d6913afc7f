"""Laws of what can be studied."""

import numpy as np
import pandas as pd
import pytest

from equipoise.classifier import Classifier
from equipoise.defaults import DataFacts
from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.settings import resolve_settings
from equipoise.standard.batch_size import resolve_batch_size
from equipoise.studies.components import COMPONENTS, find_component, values_of
from equipoise.studies.contract import Base
from equipoise.task import Task

RANDOM = np.random.default_rng(0)


def _fit(kind: str) -> Fit:
    n = 60
    codes = np.arange(n) % 3
    X = (
        pd.DataFrame({"a": RANDOM.normal(size=n), "b": RANDOM.normal(size=n)})
        if kind == "table"
        else RANDOM.integers(0, 255, (n, 16, 16, 1)).astype(np.uint8)
    )
    task = Task(X=X, codes=codes, n_classes=3, train=np.arange(40), validation=np.arange(40, n))
    return Fit.prepare(task, {**Classifier().get_params(deep=False), "device": "cpu"}, 0)


@pytest.fixture(scope="module")
def bases() -> dict[str, Base]:
    """What a study of either kind of data starts from."""
    fits = {kind: _fit(kind) for kind in ("images", "table")}
    return {
        kind: Base(kind=kind, settings=fit.settings, epochs=fit.settings.epochs)  # type: ignore[arg-type]
        for kind, fit in fits.items()
    }


@pytest.mark.parametrize("kind", ["images", "table"])
@pytest.mark.parametrize("name", COMPONENTS)
def test_usual_values_can_be_trained_and_hold_the_base(
    name: str, kind: str, bases: dict[str, Base]
) -> None:
    """Each sets only what the component says, and resolves; the reference is the base's own."""
    component, base = COMPONENTS[name], bases[kind]
    values = values_of(component, base)
    assert len({value.label for value in values}) == len(values)
    fit = _fit(kind)
    for value in values:
        assert value.params.keys() <= set(component.params)
        resolve_settings({**fit.params, **value.params}, _facts(fit))
    reference = component.reference(base, values)
    resolved, _ = resolve_settings({**fit.params, **reference.params}, _facts(fit))
    for param in component.params:
        assert repr(getattr(resolved, param)).split(", rule")[0].rstrip(")") == (
            repr(getattr(base.settings, param)).rstrip(")")
        )


def _facts(fit: Fit) -> DataFacts:
    return DataFacts(**fit.task.facts, device="cpu")


def test_batch_sizes_bring_their_rate_with_them(bases: dict[str, Base]) -> None:
    """In proportion under SGD, by the square root under Adam, at equal epochs or equal steps."""
    by_kind = {
        kind: resolve_batch_size(
            values_of(COMPONENTS["batch-size"], base, ["16", "256"])[1].params["batch_size"]
        )
        for kind, base in bases.items()
    }
    reference = {kind: base.settings.batch_size.size for kind, base in bases.items()}
    assert by_kind["images"].rate == pytest.approx(256 / reference["images"])
    assert by_kind["table"].rate == pytest.approx((256 / reference["table"]) ** 0.5)
    base = bases["images"]
    steps = Base(kind="images", settings=base.settings, epochs=base.epochs, hold="steps")
    held = resolve_batch_size(COMPONENTS["batch-size"].read(steps, "256").params["batch_size"])
    assert held.epochs(10) == round(10 * 256 / reference["images"])


def test_values_can_be_given(bases: dict[str, Base]) -> None:
    """As a component, as None, and for another field of the family."""
    texts = ["None", "Uniform(eps=0.3)"]
    values = values_of(COMPONENTS["smoothing"], bases["table"], texts)
    assert [v.params for v in values] == [{"smoothing": None}, {"smoothing": "Uniform(eps=0.3)"}]
    mixed = COMPONENTS["augmentation"].read(bases["table"], "mixing=Mixup(alpha=0.5)")
    assert mixed.params == {"mixing": "Mixup(alpha=0.5)"}
    assert COMPONENTS["augmentation"].read(bases["table"], "CutMix()").params == {
        "mixing": "CutMix()"
    }
    given = ["None", "SAM(rho=0.05)", "SGD(lr=0.1)", "optimizer=AdamW()"]
    assert [v.params for v in values_of(COMPONENTS["optimizer"], bases["images"], given)] == [
        {"sharpness": None},
        {"sharpness": "SAM(rho=0.05)"},
        {"optimizer": "SGD(lr=0.1)"},
        {"optimizer": "AdamW()"},
    ]
    decay = COMPONENTS["weight-decay"].read(bases["images"], "0.25")
    assert "weight_decay=0.25" in decay.params["optimizer"]


@pytest.mark.parametrize("kind", ["images", "table"])
def test_self_supervision_stands_beside_the_labels_or_before_them(
    kind: str, bases: dict[str, Base]
) -> None:
    """Each loss that is usual for the data, both ways; a loss that is none is refused."""
    component, base = COMPONENTS["pretraining"], bases[kind]
    values = values_of(component, base)
    beside = {v.params["auxiliary"] for v in values} - {None}
    before = {v.pretrain for v in values} - {None}
    assert beside == before == ({"SCARF()"} if kind == "table" else {"VICReg()", "SimCLR()"})
    assert all(v.params["auxiliary"] is None for v in values if v.pretrain)
    read = component.read(base, "pretrain=SimCLR(temperature=0.2)")
    assert (read.pretrain, read.params) == ("SimCLR(temperature=0.2)", {"auxiliary": None})
    with pytest.raises(InputError, match="pretrain"):
        component.read(base, "pretrain=SimKLR()")


@pytest.mark.parametrize(
    ("name", "texts"),
    [("batch-size", ["16"]), ("batch-size", ["a", "b"]), ("train-ratio", ["1"]), ("epochs", ["x"])],
)
def test_values_that_are_none_are_refused(
    name: str, texts: list[str], bases: dict[str, Base]
) -> None:
    """In words: a study of one value, no numbers, or values of what has none."""
    with pytest.raises(InputError):
        values_of(COMPONENTS[name], bases["images"], texts)


def test_unknown_components_are_refused_with_the_nearest() -> None:
    """A typo is answered with what was meant."""
    with pytest.raises(InputError, match="batch-size"):
        find_component("batch_size")
    with pytest.raises(InputError, match="one of batch-size"):
        find_component("nothing")
