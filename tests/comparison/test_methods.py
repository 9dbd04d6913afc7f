"""Laws of what can be compared."""

import pytest

from equipoise.comparison.methods import CONTROL, find_method, make_method
from equipoise.comparison.setup import units_of
from equipoise.errors import InputError
from equipoise.opponents import OPPONENTS
from equipoise.recipes import RECIPES
from equipoise.tuning.space import ROLES


@pytest.mark.parametrize("kind", ["images", "table"])
def test_every_recipe_is_a_method(kind: str) -> None:
    """Alone, and those made for imbalance over the prescription and over the search, too."""
    for name, recipe in RECIPES.items():
        if kind not in recipe.kinds:
            with pytest.raises(InputError, match="images"):
                find_method(name, kind)
            continue
        assert find_method(name, kind).name == name
        if recipe.base is not None:
            own = set(recipe.on(kind))
            tuned = find_method(f"{name}+tuned", kind)
            assert set(tuned.roles) == set(ROLES) - own
            assert set(find_method(f"{name}+prescribed", kind).within) == {
                *recipe.within,
                "optimizer",
            }


def test_the_control_searches_its_optimizer_and_a_method_that_and_its_own() -> None:
    """So that neither has a chance that the other has not, and all are trained anew alike."""
    for name in (CONTROL, "prescribed", "naive"):
        assert find_method(name, "table").within == ("optimizer",)
    for name in ("focal", "focal+prescribed", "focal+naive"):
        assert find_method(name, "table").within == ("loss", "optimizer")
    for name in RECIPES:
        if "table" in RECIPES[name].kinds:
            assert "optimizer" in find_method(name, "table").within
    assert find_method("tuned", "table").roles == ROLES
    assert "optimizer" in find_method("focal+tuned", "table").roles
    assert find_method("focal+tuned", "table").within == ("loss",)


def test_the_prescription_itself_searches_nothing() -> None:
    """What `equipoise fit` does is what it was; a search is a matter of comparisons."""
    assert RECIPES["prescribed"].within == ()
    assert RECIPES["naive"].within == ()


@pytest.mark.parametrize("name", OPPONENTS)
def test_opponents_are_for_tables(name: str) -> None:
    """On images they are refused."""
    assert find_method(name, "table").is_opponent
    with pytest.raises(InputError, match="for data of kind table"):
        find_method(name, "images")


@pytest.mark.parametrize("name", ["focall", "", "focal+", "tuned+plain", "focal+nothing", "+tuned"])
def test_unknown_methods_are_refused(name: str) -> None:
    """In words."""
    with pytest.raises(InputError):
        find_method(name, "table")


def test_all_methods_have_a_seed_before_the_next_seed_begins() -> None:
    """So a comparison that is stopped early can be read."""
    units = units_of(["a", "b"], 2, 2)
    assert [(u.seed, u.order, u.method) for u in units[:4]] == [
        (0, 0, "a"),
        (0, 0, "b"),
        (0, 1, "a"),
        (0, 1, "b"),
    ]
    assert len(set(units)) == 8


@pytest.mark.parametrize("name", ["plain", "tuned", "xgboost", "a+b", "", "../up", "a/b", "x" * 81])
def test_a_method_of_ones_own_has_a_name_of_its_own(name: str) -> None:
    """That is no other's, and can be a folder inside the comparison's."""
    with pytest.raises(InputError):
        make_method(name, {})


def test_a_method_of_ones_own_goes_over_a_recipe() -> None:
    """Its parameters are what it is made of; the rest is the recipe's."""
    own = make_method("gentle", {"loss": "Focal(gamma=0.5)"}, over="ldam+plain")
    assert own.recipe == "ldam+plain"
    assert own.sets("table") == {"loss"}
    assert find_method("ldam", "table").sets("table") == {"loss", "head"}
    assert find_method("prescribed", "table").sets("table") == frozenset()
