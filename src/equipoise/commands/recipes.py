"""``equipoise recipes``: the named settings that ``fit --recipe`` takes."""

from collections.abc import Mapping
from dataclasses import asdict

from rich.markup import escape
from rich.padding import Padding

from equipoise.commands import console
from equipoise.commands.options import Flag
from equipoise.recipes import RECIPES, Recipe


def recipes(*, json: Flag = False) -> int:
    """List the recipes of `fit --recipe`, what they set, and where they come from.

    Parameters
    ----------
    json : bool
        Print the list as JSON.
    """
    if json:
        console.print_json([asdict(recipe) for recipe in RECIPES.values()])
        return 0
    for recipe in RECIPES.values():
        console.results.print(f"[bold]{escape(recipe.name)}[/bold]: {escape(recipe.summary)}")
        console.results.print(Padding(escape("\n".join(_facts(recipe))), (0, 0, 0, 4)))
    return 0


def _facts(recipe: Recipe) -> list[str]:
    settings = {"all data": recipe.params, "images": recipe.images, "tables": recipe.table}
    told = [f"{on}: {_written(params)}" for on, params in settings.items() if params]
    published = [f"published: {recipe.published}"] if recipe.published else []
    over = [f"over: {recipe.base}, or another whole recipe: {recipe.name}+prescribed"]
    return [
        *(told or ["all data: every setting automatic"]),
        *(over if recipe.base else []),
        f"source: {recipe.source}",
        *published,
    ]


def _written(params: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in params.items())
