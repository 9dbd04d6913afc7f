"""What a recipe is: a named setting of a classifier's parameters, with where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named setting of a classifier's parameters.

    Parameters
    ----------
    name : str
        What it is called.
    summary : str
        What it is, in a sentence or two.
    source : str
        Where it comes from, as `equipoise.citations` has it.
    published : str or None, default=None
        The result that its source reports, with the conditions; None: there is none.
    base : str or None, default=None
        Name of the recipe over which this one goes if none is named; None: it is whole.
    params : mapping of str to value
        Parameters of `Classifier` on any data; what is not named keeps its default.
    images, table : mapping of str to value
        Further parameters on images, and on a table.
    within : tuple of str, default=()
        Parameters whose numbers belong to the method, and are searched where methods are
        compared.
    kinds : tuple of str, default=("images", "table")
        What it can be used on.
    """

    name: str
    summary: str
    source: str
    published: str | None = None
    base: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("images", "table")

    def on(self, kind: str) -> dict[str, Any]:
        """Return the parameters for one kind of data.

        Parameters
        ----------
        kind : {"images", "table"}
            What the examples are.

        Examples
        --------
        >>> recipe = Recipe(
        ...     name="x", summary="", source="", params={"norm": "batch"}, table={"epochs": 9}
        ... )
        >>> recipe.on("table"), recipe.on("images")
        ({'norm': 'batch', 'epochs': 9}, {'norm': 'batch'})
        """
        return {**self.params, **(self.images if kind == "images" else self.table)}

    def over(self, base: "Recipe") -> "Recipe":
        """Return a whole recipe: this one where it sets something, the other elsewhere.

        Examples
        --------
        >>> plain = Recipe(name="plain", summary="", source="", images={"batch_size": 128})
        >>> own = Recipe(name="focal", summary="", source="", params={"loss": "Focal()"})
        >>> both = own.over(plain)
        >>> both.name, both.on("images")
        ('focal+plain', {'loss': 'Focal()', 'batch_size': 128})
        """
        return Recipe(
            name=f"{self.name}+{base.name}",
            summary=f"{self.summary} The rest is that of {base.name}.",
            source=f"{self.source}; {base.source}",
            published=self.published,
            params={**base.params, **self.params},
            images={**base.images, **self.on("images")},
            table={**base.table, **self.on("table")},
            within=tuple(dict.fromkeys((*self.within, *base.within))),
            kinds=self.kinds,
        )
