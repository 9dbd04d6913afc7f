"""Laws of recipes: each can be fitted, and says where it comes from."""

import pytest

from equipoise import Classifier
from equipoise.defaults import DataFacts
from equipoise.errors import InputError
from equipoise.recipes import RECIPES, Recipe, find_recipe
from equipoise.settings import from_text, resolve_settings

IMAGES = DataFacts(kind="images", n_train=5_000, pixels=28 * 28, channels=1, device="cpu")
TABLE = DataFacts(kind="table", n_train=5_000, pixels=0, channels=0, device="cpu")


@pytest.mark.parametrize("facts", [IMAGES, TABLE], ids=["images", "table"])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_resolved(name: str, facts: DataFacts) -> None:
    """What a recipe sets are parameters of the classifier, with values that they may take."""
    params = RECIPES[name].on(facts.kind)
    defaults = Classifier().get_params(deep=False)
    assert params.keys() <= defaults.keys() - {"random_state"}
    settings, choices = resolve_settings({**defaults, **params}, facts)
    assert not {choice.field for choice in choices} & {
        field for field, value in params.items() if from_text(field, value) != "auto"
    }
    assert settings.epochs >= 10


def test_the_prescription_sets_nothing() -> None:
    """All that it is stands in the defaults, so a fit without a recipe is a fit of it."""
    assert RECIPES["prescribed"].on("images") == RECIPES["prescribed"].on("table") == {}
    assert next(iter(RECIPES)) == "prescribed"


def test_the_naive_recipe_trains_as_long_as_the_prescription() -> None:
    """They differ in what is tuned, not in the time that they get."""
    for facts in (IMAGES, TABLE):
        assert "epochs" not in RECIPES["naive"].on(facts.kind)
        params = Classifier().get_params(deep=False)
        both = [{**params, **recipe.on(facts.kind)} for recipe in RECIPES.values()]
        assert len({resolve_settings(each, facts)[0].epochs for each in both}) == 1


def test_the_kind_of_data_decides_after_what_is_common() -> None:
    """A recipe's parameters for one kind come before those for all."""
    recipe = Recipe(
        name="x",
        summary="",
        source="",
        params={"epochs": 1, "norm": "batch"},
        images={"epochs": 2},
        table={"epochs": 3},
    )
    assert recipe.on("images") == {"epochs": 2, "norm": "batch"}
    assert recipe.on("table")["epochs"] == 3


def test_what_cuts_the_data_is_common_to_all_kinds() -> None:
    """Validation examples are held out before the kind of the data is known."""
    for recipe in RECIPES.values():
        assert not {"validation"} & {*recipe.images, *recipe.table}


@pytest.mark.parametrize(
    ("name", "remedy"), [("naiv", "'naive'"), ("Prescribed", "'prescribed'"), ("zz", "recipes")]
)
def test_an_unknown_recipe_is_answered_with_the_nearest(name: str, remedy: str) -> None:
    """The message lists all, and names the one that may be meant."""
    with pytest.raises(InputError, match="prescribed, naive") as caught:
        find_recipe(name)
    assert remedy in caught.value.remedy


def test_every_recipe_says_what_it_is_and_where_it_comes_from() -> None:
    """Names are keys; summary and source are sentences, not empty."""
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert recipe.summary.endswith(".")
        assert recipe.source
