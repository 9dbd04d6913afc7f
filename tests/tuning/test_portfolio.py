"""Laws of the portfolio: the prescription first, then single changes of it that are possible."""

from dataclasses import replace
from typing import Any

import optuna
import pytest

from equipoise.classifier import Classifier
from equipoise.defaults import DataFacts
from equipoise.settings import resolve_settings
from equipoise.tuning.portfolio import CHANGES, first_points
from equipoise.tuning.space import ROLES, Role, search_space, starting_point, suggest

KINDS = ["images", "table"]


def _roles(kind: Any, *names: str, **params: Any) -> list[Role]:
    pixels, channels = (0, 0) if kind == "table" else (64, 1)
    facts = DataFacts(kind=kind, n_train=3000, pixels=pixels, channels=channels, device="cpu")
    settings, _ = resolve_settings({**Classifier().get_params(deep=False), **params}, facts)
    return search_space(settings, kind, names or ROLES)


def _tried(roles: list[Role], kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return choices and parameters of each recipe, as a trial of Optuna takes them."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, found = optuna.create_study(), []
    for point in first_points(roles, kind):
        study.enqueue_trial(point)
        trial = study.ask()
        params = suggest(trial, roles)
        found.append((trial.params, params))
        assert trial.params == point
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_prescription_comes_first(kind: str) -> None:
    """It is what every other recipe is compared with."""
    roles = _roles(kind)
    assert first_points(roles, kind)[0] == starting_point(roles)


@pytest.mark.parametrize("kind", KINDS)
def test_each_recipe_makes_the_changes_that_are_listed(kind: str) -> None:
    """In their order; every part that a change does not name is as prescribed."""
    (_, prescribed), *rest = _tried(_roles(kind), kind)
    assert len(rest) == len(CHANGES[kind])
    for (choices, params), change in zip(rest, CHANGES[kind], strict=True):
        assert change.items() <= choices.items()
        changed = {name for name, value in params.items() if value != prescribed[name]}
        assert changed == {name.partition(".")[0] for name in change}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_change_leaves_open_is_as_a_component_has_it(kind: str) -> None:
    """The fields of a component that is put in are its defaults."""
    roles = {role.name: role for role in _roles(kind)}
    for change in CHANGES[kind]:
        points = [p for p, _ in _tried(list(roles.values()), kind) if change.items() <= p.items()]
        for name in (name for name in change if "." not in name):
            given = {k.rpartition(".")[2]: v for k, v in change.items() if k.startswith(f"{name}.")}
            chosen = roles[name].candidates[change[name]]
            texts = [suggest(optuna.trial.FixedTrial(p), list(roles.values())) for p in points]
            expected = repr(replace(chosen, **given)) if given else str(chosen)
            assert [text[name] for text in texts] == [expected]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sharpness", "head", "backbone"])
def test_what_is_not_searched_is_not_changed(kind: str, name: str) -> None:
    """Of the portfolio those recipes are left that lie in the space."""
    possible = [c for c in CHANGES[kind] if {n.partition(".")[0] for n in c} == {name}]
    assert possible or name == "sharpness" or (kind, name) == ("table", "head")
    assert len(_tried(_roles(kind, name), kind)) == 1 + len(possible)


def test_a_change_of_a_component_that_is_not_prescribed_is_left_out() -> None:
    """A network or a rate that is another's says nothing here."""
    other = _roles(
        "images", "backbone", "optimizer", backbone="ResNet(depth=8)", optimizer="AdamW()"
    )
    assert len(_tried(other, "images")) == 1


def test_what_is_prescribed_already_is_not_tried_twice() -> None:
    """A change that changes nothing is none."""
    for kind in KINDS:
        roles = _roles(kind)
        for _, params in _tried(roles, kind):
            again = first_points(_roles(kind, **params), kind)
            assert all(again.count(point) == 1 for point in again)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("images", {"optimizer": "SGD(weight_decay=0.0)"}),
        ("images", {"backbone": "ResNet18(width=64)", "sharpness": "SAM(every=3)"}),
        ("table", {"batch_size": 24, "mixing": "Mixup(alpha=9.0)"}),
    ],
)
def test_the_portfolio_lies_in_the_space_of_any_prescription(
    kind: str, params: dict[str, Any]
) -> None:
    """A value that an odd prescription's space does not hold is no recipe."""
    assert _tried(_roles(kind, **params), kind)
