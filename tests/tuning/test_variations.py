"""Laws of variations: recipes near the prescription, of which none is the prescription."""

from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.classifier import Classifier
from equipoise.defaults import DataFacts
from equipoise.settings import resolve_settings
from equipoise.standard.backbones import MLP
from equipoise.standard.optimizers import SGD
from equipoise.tuning.space import Role, search_space, starting_point, suggest
from equipoise.tuning.variations import CHANGED, variations

BARE = Role("head", "Linear", {"Linear": "Linear()", "Cosine": "Cosine()"})
"""Drawn anew, it is what it was every other time."""


@pytest.fixture(scope="module", params=["table", "images"])
def roles(request: pytest.FixtureRequest) -> list[Role]:
    """The whole space."""
    size = (0, 0) if request.param == "table" else (64, 1)
    facts = DataFacts(
        kind=request.param, n_train=1000, pixels=size[0], channels=size[1], device="cpu"
    )
    prescribed, _ = resolve_settings(Classifier().get_params(deep=False), facts)
    return search_space(prescribed, request.param)


def test_the_first_ones_do_not_depend_on_how_many_there_are(roles: list[Role]) -> None:
    """The same seed draws the same recipes, and more of them go on where fewer end."""
    assert variations(roles, 12, seed=3)[:5] == variations(roles, 5, seed=3)
    assert variations(roles, 5, seed=3) != variations(roles, 5, seed=4)


@settings(deadline=None, derandomize=True, max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_they_lie_in_the_space(roles: list[Role], seed: int) -> None:
    """A trial of Optuna takes each as it is: no name is missing, too many, or out of bounds."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    points = variations(roles, 8, seed)
    for point in points:
        study.enqueue_trial(point)
        trial = study.ask()
        suggest(trial, roles)
        assert trial.params == point


def _changes(point: dict[str, Any], roles: list[Role]) -> set[str]:
    """Return the roles at which a point differs from the prescription."""
    start = starting_point(roles)
    items = set(point.items()) ^ set(start.items())
    return {name.partition(".")[0] for name, _ in items}


def test_each_changes_something_and_none_changes_everything(roles: list[Role]) -> None:
    """About a quarter of the roles are drawn anew, some of them as they were."""
    changed = [len(_changes(point, roles)) for point in variations(roles, 200, seed=0)]
    assert min(changed) >= 1
    assert max(changed) < len(roles)
    assert np.mean(changed) == pytest.approx(CHANGED * len(roles), rel=0.3)


def test_what_is_drawn_as_it_was_is_drawn_again() -> None:
    """With a single role of two values only one recipe is another one."""
    assert variations([BARE], 30, seed=0) == [{"head": "Cosine"}] * 30


def test_they_spread_over_the_scale_of_a_field() -> None:
    """On a logarithmic scale half of them are below the geometric mean, all within the ends."""
    role = Role("optimizer", "SGD", {"SGD": SGD()})
    rates = [point["optimizer.SGD.lr"] for point in variations([role], 400, seed=0)]
    assert 0.005 <= min(rates) < 0.006
    assert 0.42 < max(rates) <= 0.5
    assert np.mean(np.array(rates) < (0.005 * 0.5) ** 0.5) == pytest.approx(0.5, abs=0.08)


def test_whole_numbers_are_drawn_alike() -> None:
    """Both ends as often as what is between."""
    role = Role("backbone", "MLP", {"MLP": MLP()})
    layers = [point["backbone.MLP.layers"] for point in variations([role], 800, seed=0)]
    assert np.bincount(layers, minlength=5) / 800 == pytest.approx([0, *[0.25] * 4], abs=0.06)
