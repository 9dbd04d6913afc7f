"""What can be compared: recipes, the search over standard parts, and other libraries."""

import difflib
from dataclasses import dataclass

from equipoise.errors import InputError
from equipoise.opponents import OPPONENTS
from equipoise.recipes import PLAIN, PRESCRIBED, RECIPES, find_recipe
from equipoise.tuning.space import ROLES

CONTROL = PLAIN.name
"""Always among the methods: plain cross-entropy."""

TUNED = "tuned"
"""The search over all standard parts; also what a method can go over, as in ``focal+tuned``."""


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
    """

    name: str
    summary: str
    source: str
    published: str | None = None
    recipe: str | None = None
    roles: tuple[str, ...] = ()
    within: tuple[str, ...] = ()

    @property
    def is_opponent(self) -> bool:
        """Whether another library trains it."""
        return self.recipe is None


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
        within=recipe.within,
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
