"""Recipes: named settings of a classifier's parameters, each with where it comes from."""

import difflib

from equipoise.errors import InputError
from equipoise.recipes.recipe import Recipe as Recipe
from equipoise.recipes.specialized import SPECIALIZED
from equipoise.recipes.standard import NAIVE as NAIVE
from equipoise.recipes.standard import PLAIN as PLAIN
from equipoise.recipes.standard import PRESCRIBED as PRESCRIBED
from equipoise.recipes.standard import STANDARD

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*STANDARD, *SPECIALIZED)}
"""The recipes by name; the first is the default."""


def find_recipe(name: str) -> Recipe:
    """Return a whole recipe by its name, or by two: a method and what it goes over.

    Parameters
    ----------
    name : str
        Such as ``"prescribed"``, ``"focal"`` or ``"focal+prescribed"``.

    Raises
    ------
    InputError
        If there is none of this name, or one of two that cannot be joined.

    Examples
    --------
    >>> find_recipe("focal+prescribed").on("images")
    {'loss': 'Focal()'}
    >>> find_recipe("naiv")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: A recipe must be ... It is 'naiv'. Did you mean 'naive'?
    """
    own, plus, over = name.partition("+")
    recipe = _named(own)
    if plus and recipe.base is None:
        raise InputError(
            "Only a method that was made for imbalanced classes can go over a recipe.",
            f"{own!r} is a whole recipe, and was to go over {over!r}.",
            f"Use {own!r} alone; `equipoise recipes` says which are methods.",
        )
    if recipe.base is None:
        return recipe
    base = _named(over if plus else recipe.base)
    if base.base is not None:
        raise InputError(
            "A method goes over a whole recipe.",
            f"{base.name!r} is itself a method.",
            f"Use one of {', '.join(whole.name for whole in STANDARD)}.",
        )
    return recipe.over(base)


def _named(name: str) -> Recipe:
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name.lower(), RECIPES, n=1, cutoff=0.5)
    raise InputError(
        f"A recipe must be one of {', '.join(RECIPES)}.",
        f"It is {name!r}.",
        f"Did you mean {near[0]!r}?" if near else "`equipoise recipes` says what they are.",
    )
