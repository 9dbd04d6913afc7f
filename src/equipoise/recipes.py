"""Recipes: named settings of a classifier's parameters, each with where it comes from."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import InputError


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
    params : mapping of str to value
        Parameters of `Classifier` on any data; what is not named keeps its default.
    images, table : mapping of str to value
        Further parameters on images, and on a table.
    """

    name: str
    summary: str
    source: str
    published: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)

    def on(self, kind: str) -> dict[str, Any]:
        """Return the parameters for one kind of data.

        Parameters
        ----------
        kind : {"images", "table"}
            What the examples are.

        Examples
        --------
        >>> RECIPES["naive"].on("table")["batch_size"]
        256
        """
        return {**self.params, **(self.images if kind == "images" else self.table)}


PRESCRIBED = Recipe(
    name="prescribed",
    summary="The prescription: every setting follows from facts about the data, without a search.",
    source="Shwartz-Ziv et al. 2023; docs/log.md: the defaults measured on the test sets",
)

NAIVE = Recipe(
    name="naive",
    summary=(
        "What is usual for balanced data, taken over without a thought of imbalance: on images "
        "the network and the settings of the long-tailed benchmarks, made for 32 x 32 pixels and "
        "slow on many more, on tables the network of the prescription with the usual settings. "
        "Epochs are automatic."
    ),
    source="Cao et al. 2019 (plain cross-entropy); convention: the usual settings for tables",
    published=(
        "70.4 % on CIFAR-10 and 38.3 % on CIFAR-100, both of ratio 100, after 200 epochs with "
        "ResNet-32 (plain cross-entropy of Cao et al. 2019)"
    ),
    params={"average": None},
    images={
        "backbone": "ResNet(depth=32)",
        "augmentation": "CropFlip(padding=4, flip=True)",
        "optimizer": "SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0002)",
        "schedule": "Step(warmup=0.025, milestones=(0.8, 0.9), factor=0.01)",
        "batch_size": 128,
    },
    table={
        "backbone": "MLP(numeric=None)",
        "scaling": "standard",
        "optimizer": "AdamW(lr=0.001, weight_decay=0.01)",
        "schedule": "Constant(warmup=0.0)",
        "batch_size": 256,
    },
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (PRESCRIBED, NAIVE)}
"""The recipes by name; the first is the default."""


def find_recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    InputError
        If there is none of this name.

    Examples
    --------
    >>> find_recipe("naiv")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: A recipe must be ... It is 'naiv'. Did you mean 'naive'?
    """
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name.lower(), RECIPES, n=1, cutoff=0.5)
    raise InputError(
        f"A recipe must be one of {', '.join(RECIPES)}.",
        f"It is {name!r}.",
        f"Did you mean {near[0]!r}?" if near else "`equipoise recipes` says what they are.",
    )
