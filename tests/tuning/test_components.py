"""Laws of all components: what is declared to be tuned can be had, and can be trained."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from equipoise.classifier import Classifier
from equipoise.fitting import Fit
from equipoise.settings import COMPONENTS
from equipoise.spaces import Options, Space
from equipoise.spec import Component
from equipoise.standard.batch_size import BatchSize
from equipoise.task import Task
from equipoise.tuning.space import ROLES, search_space

KINDS: Mapping[str, Mapping[str, type[Component]]] = {
    **COMPONENTS,
    "batch_size": {"BatchSize": BatchSize},
}
BUILT = {f"{role}.{name}": kind for role, kinds in KINDS.items() for name, kind in kinds.items()}
SPACES: dict[str, tuple[type[Component], str, Space]] = {
    f"{name}.{f.name}": (kind, f.name, f.metadata["tune"])
    for name, kind in BUILT.items()
    for f in fields(kind)
    if f.metadata.get("tune") is not None
}


def _values(space: Space) -> Iterator[Any]:
    """Yield all options, or the ends and what is in their middle."""
    if isinstance(space, Options):
        yield from space.values
        return
    yield from (space.low, space.high)
    if space.integer:
        yield from range(int(space.low), int(space.high))
    else:
        yield (space.low * space.high) ** 0.5 if space.log else (space.low + space.high) / 2


@pytest.mark.parametrize("name", SPACES)
def test_a_declared_space_lies_within_the_bounds_of_its_field(name: str) -> None:
    """The ends, and what is between them, are values that the component takes."""
    kind, field, space = SPACES[name]
    bounds = {f.name: f.metadata["bounds"] for f in fields(kind)}[field]
    for value in _values(space):
        assert value in space
        assert value in bounds, value
        kind(**{field: value}).validate()


@pytest.mark.parametrize("name", SPACES)
def test_a_declared_space_is_one_to_search(name: str) -> None:
    """It has several values; a logarithm has a lower end above zero; numbers are of one kind."""
    space = SPACES[name][2]
    if isinstance(space, Options):
        assert len({repr(value) for value in space.values}) == len(space.values) > 1
        return
    assert space.low < space.high
    assert not space.log or space.low > 0
    assert {type(space.low), type(space.high)} == {int if space.integer else float}


def test_tuned_components_have_a_role_that_is_searched() -> None:
    """What is declared for a search is found by it, and for data that it can read."""
    for name, kind in BUILT.items():
        if kind.tuned_for:
            assert name.partition(".")[0] in ROLES
            assert set(kind.tuned_for) <= {"images", "table"}
            own = getattr(kind, "modality", None)
            several = getattr(kind, "modalities", kind.tuned_for if own is None else (own,))
            assert set(kind.tuned_for) <= set(several), name


def test_no_component_is_proposed_because_another_is() -> None:
    """A subclass says itself that it is tuned; what it would inherit was meant for its base."""
    assert [
        n for n, kind in BUILT.items() if kind.tuned_for and "tuned_for" not in vars(kind)
    ] == []


def test_every_role_has_something_to_choose_from() -> None:
    """For images and for tables; scaling, which is no component, and schedules of tables alone."""
    for kind, others in (("images", {"scaling", "schedule"}), ("table", {"scaling"})):
        proposed = {name.partition(".")[0] for name, c in BUILT.items() if kind in c.tuned_for}
        assert proposed == set(ROLES) - others


@cache
def _prescription(kind: str) -> Fit:
    """Return the prescription for 45 small images, or as many rows, of three classes."""
    pixels, target = map(np.asarray, load_digits(n_class=3, return_X_y=True))
    rows = np.concatenate(
        [np.flatnonzero(target == code)[:n] for code, n in enumerate((28, 12, 5))]
    )
    images = (pixels[rows].reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
    frame = pd.DataFrame(pixels[rows, 18:24], columns=list("abcdef"))
    frame["kind"] = np.where(pixels[rows, 30] > 4, "odd", "even")
    task = Task(
        X=images if kind == "images" else frame,
        codes=target[rows].astype(np.int64),
        n_classes=3,
        train=np.arange(45),
        validation=np.arange(0, 45, 3),
    )
    params = {**Classifier().get_params(deep=False), "epochs": 1, "device": "cpu"}
    return Fit.prepare(task, params, seed=0)


CASES = [
    (kind, role, name)
    for kind in ("images", "table")
    for role, kinds in KINDS.items()
    for name, each in kinds.items()
    if kind in each.tuned_for
]


@pytest.mark.parametrize(("kind", "role", "name"), CASES)
def test_a_tuned_component_can_be_trained_alone_over_the_prescription(
    kind: str, role: str, name: str
) -> None:
    """From its own text, for an epoch: the loss is finite and the network has moved."""
    prescribed = _prescription(kind)
    [found] = search_space(prescribed.settings, kind, [role])
    text = repr(found.candidates[name])
    fit = Fit.prepare(prescribed.task, {**prescribed.params, role: text}, seed=0)
    before = {key: value.clone() for key, value in fit.training.network.state_dict().items()}
    fit.run()
    [row] = fit.training.history
    assert np.isfinite(row["train_loss"])
    assert np.isfinite(row["validation"]["balanced_log_loss"])
    after = fit.training.network.state_dict()
    assert any(not value.equal(after[key]) for key, value in before.items())
    assert name in repr(getattr(fit.settings, role))
