"""Laws of recipes: each can be fitted, and says where it comes from."""

import pytest

from equipoise import Classifier
from equipoise.defaults import DataFacts
from equipoise.errors import InputError
from equipoise.recipes import RECIPES, Recipe, find_recipe
from equipoise.settings import from_text, resolve_settings
from equipoise.tuning.space import search_space

IMAGES = DataFacts(kind="images", n_train=5_000, pixels=28 * 28, channels=1, device="cpu")
TABLE = DataFacts(kind="table", n_train=5_000, pixels=0, channels=0, device="cpu")


CASES = [
    pytest.param(name, facts, id=f"{name}-{facts.kind}")
    for name, recipe in RECIPES.items()
    for facts in (IMAGES, TABLE)
    if facts.kind in recipe.kinds
]


@pytest.mark.parametrize(("name", "facts"), CASES)
def test_every_recipe_can_be_resolved(name: str, facts: DataFacts) -> None:
    """What a recipe sets are parameters of the classifier, with values that they may take."""
    params = find_recipe(name).on(facts.kind)
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
        both = [{**params, **RECIPES[name].on(facts.kind)} for name in ("prescribed", "naive")]
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


METHODS = [name for name, recipe in RECIPES.items() if recipe.base is not None]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("base", ["plain", "prescribed"])
def test_a_method_changes_nothing_of_its_base_but_what_it_sets(name: str, base: str) -> None:
    """What is its own comes first, all else is that of the base; its numbers can be searched."""
    for facts in (each for each in (IMAGES, TABLE) if each.kind in RECIPES[name].kinds):
        kind = facts.kind
        own, whole = RECIPES[name].on(kind), find_recipe(f"{name}+{base}").on(kind)
        assert own
        assert whole == {**RECIPES[base].on(kind), **own}
        settings, _ = resolve_settings({**Classifier().get_params(deep=False), **whole}, facts)
        searched = search_space(settings, kind, (), RECIPES[name].within)
        assert {role.name for role in searched} == set(RECIPES[name].within)


def test_a_method_goes_over_plain_training_by_default() -> None:
    """Which is the control of comparisons."""
    assert find_recipe("focal") == find_recipe("focal+plain")
    assert find_recipe("focal").on("images")["batch_size"] == 128


@pytest.mark.parametrize("name", ["plain+focal", "prescribed+plain", "focal+drw", "focal+zzz", "+"])
def test_what_cannot_be_joined_is_refused(name: str) -> None:
    """Methods go over whole recipes, and nothing else over anything."""
    with pytest.raises(InputError):
        find_recipe(name)


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


def test_published_figures_come_with_their_conditions() -> None:
    """A number without data, network and ratio compares with nothing; ImageNet-LT has its own."""
    told = {name: recipe.published for name, recipe in RECIPES.items() if recipe.published}
    assert len(told) > 15
    for text in told.values():
        assert " % on " in text
        assert "ResNet" in text or "ResNeXt" in text
        assert "ratio 100" in text or "ImageNet-LT" in text
        assert text.count("(") == text.count(")")
