"""What can be compared: recipes, the search over standard parts, and other libraries."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import InputError
from equipoise.opponents import OPPONENTS
from equipoise.recipes import PLAIN, PRESCRIBED, RECIPES, find_recipe
from equipoise.tuning.space import ROLES

CONTROL = PLAIN.name
"""Always among the methods: plain cross-entropy."""

TUNED = "tuned"
"""The search over all standard parts; also what a method can go over, as in ``focal+tuned``."""

SHARED = PLAIN.within
"""Parameters whose numbers are searched with those of every method, as of the control."""

OF_THE_METRIC = ("monitor", "prior")
"""Parameters that follow from the metric of a comparison, so that all methods have the same."""

_NAME = re.compile(r"[A-Za-z0-9][\w.()=,-]{0,79}", re.ASCII)
"""Names of one's own methods, which are those of folders too."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One of the methods of a comparison.

    Parameters
    ----------
    name : str
        What it is called.
    summary : str
        What it is, in a sentence.
    source : str
        Where it comes from, as `equipoise.citations` has it.
    published : str or None, default=None
        What its source reports, with the conditions.
    recipe : str or None, default=None
        Its recipe; None: it is of another library.
    roles : tuple of str, default=()
        Parameters whose component is searched.
    within : tuple of str, default=()
        Parameters whose numbers are searched, where there is time for a search.
    params : mapping of str to value
        Parameters over those of the recipe, as the user has set them.
    pretrain : str or None, default=None
        Self-supervised loss by which each run first trains its backbone on its own training
        examples, without their labels; None: training starts from random weights.
    """

    name: str
    summary: str
    source: str
    published: str | None = None
    recipe: str | None = None
    roles: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    pretrain: str | None = None

    @property
    def is_opponent(self) -> bool:
        """Whether another library trains it."""
        return self.recipe is None

    def sets(self, kind: str) -> frozenset[str]:
        """Return the parameters that the method is made of, for one kind of data."""
        own = RECIPES.get(self.name.partition("+")[0])
        started = frozenset() if self.pretrain is None else frozenset({"initial"})
        return (
            started
            | frozenset(self.params)
            | frozenset(
                own.on(kind) if own is not None and own.base is not None and not self.params else ()
            )
        )


def make_method(
    name: str,
    params: Mapping[str, Any],
    *,
    over: str = PRESCRIBED.name,
    within: tuple[str, ...] = (),
    pretrain: str | None = None,
) -> Method:
    """Return a method of one's own: parameters over a recipe.

    Parameters
    ----------
    name : str
        What it is called; also the name of the folder of its runs.
    params : mapping of str to value
        Parameters of `Classifier`, components as objects or text.
    over : str, default="prescribed"
        Recipe that says the rest.
    within : tuple of str, default=()
        Parameters whose numbers are searched, where there is time for a search.
    pretrain : str or None, default=None
        Self-supervised loss by which each run first trains its backbone; None: none.

    Raises
    ------
    InputError
        If the name belongs to another method or is none, or there is no such recipe.

    Examples
    --------
    >>> make_method("gentle", {"loss": "Focal(gamma=0.5)"}).summary
    'loss = Focal(gamma=0.5), over prescribed.'
    """
    if name in (TUNED, *RECIPES, *OPPONENTS) or "+" in name:
        raise InputError(
            "A method of one's own must have a name of its own, without a plus.",
            f"{name!r} is the name of another method, or of two.",
            "Give it another name.",
        )
    if not _NAME.fullmatch(name):
        raise InputError(
            "The name of a method is also that of a folder: at most 80 letters, digits or ._()=,-.",
            f"It is {name!r}.",
            "Give it another name.",
        )
    recipe = find_recipe(over)
    told = ", ".join(f"{key} = {value}" for key, value in params.items()) or "nothing of its own"
    told += "" if pretrain is None else f", pre-trained with {pretrain}"
    return Method(
        name=name,
        summary=f"{told}, over {over}.",
        source=recipe.source,
        recipe=recipe.name,
        within=within,
        params=dict(params),
        pretrain=pretrain,
    )


def find_method(name: str, kind: str) -> Method:
    """Return a method by its name.

    Parameters
    ----------
    name : str
        Of a recipe, of two as in ``"focal+prescribed"``, ``"tuned"``, ``"focal+tuned"``, or of a
        learner of another library.
    kind : {"images", "table"}
        What the examples are.

    Raises
    ------
    InputError
        If there is none of this name, or it cannot be used on such data.

    Examples
    --------
    >>> find_method("focal", "table").within
    ('loss', 'optimizer')
    >>> "head" in find_method("ldam+tuned", "table").roles  # LDAM sets it
    False
    """
    if name in OPPONENTS:
        return _opponent(name, kind)
    own, _, over = name.partition("+")
    if own == TUNED or own not in RECIPES:
        return _tuned() if name == TUNED else _unknown(name)
    is_tuned = over == TUNED
    recipe = find_recipe(f"{own}+{PRESCRIBED.name}" if is_tuned else name)
    if kind not in recipe.kinds:
        raise _unfit(name, " or ".join(recipe.kinds), kind)
    return Method(
        name=name,
        summary=recipe.summary,
        source=recipe.source,
        published=recipe.published,
        recipe=recipe.name,
        roles=tuple(r for r in ROLES if r not in recipe.on(kind)) if is_tuned else (),
        within=recipe.within if is_tuned else tuple(dict.fromkeys((*recipe.within, *SHARED))),
    )


def _tuned() -> Method:
    return Method(
        name=TUNED,
        summary="The best standard recipe that `equipoise tune` finds in the time there is.",
        source=PRESCRIBED.source,
        recipe=PRESCRIBED.name,
        roles=ROLES,
    )


def _opponent(name: str, kind: str) -> Method:
    opponent = OPPONENTS[name]
    if kind != "table":
        raise _unfit(name, "table", kind)
    return Method(name=name, summary=opponent.summary, source=opponent.source)


def _unfit(name: str, needed: str, kind: str) -> InputError:
    return InputError(
        f"{name} is for data of kind {needed}.",
        f"These are of kind {kind}.",
        "Leave it out of --methods.",
    )


def _unknown(name: str) -> Method:
    known = (TUNED, *RECIPES, *OPPONENTS)
    near = difflib.get_close_matches(name.partition("+")[0].lower(), known, n=1, cutoff=0.5)
    raise InputError(
        f"A method must be one of {', '.join(known)}, or a method over a recipe such as "
        "focal+prescribed.",
        f"One is {name!r}.",
        f"Did you mean {near[0]!r}?" if near else "`equipoise compare --help` tells of them.",
    )
