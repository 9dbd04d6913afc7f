"""Recipes near the prescription: a few of its parts drawn anew, the rest as it is.

A recipe that is drawn from the whole space has nearly every part switched on and is far from
anything good; these are what the sampler learns from first.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.seeds import derive_seed
from equipoise.tuning.space import Role, starting_point

CHANGED = 0.25
"""Chance of each role to be drawn anew; at least one is."""


def variations(roles: Sequence[Role], n: int, seed: int) -> list[dict[str, Any]]:
    """Return recipes near the prescription.

    Parameters
    ----------
    roles : sequence of Role
        The space.
    n : int
        How many.
    seed : int
        Seed of the draws; the first ones are the same for any `n`.

    Returns
    -------
    list of dict
        Names and values of the space.
    """
    return [_variation(roles, derive_seed(seed, "variation", i)) for i in range(n)]


def _variation(roles: Sequence[Role], seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    start = starting_point(roles)
    # A part that is drawn anew may come out as it was.
    while (point := _drawn(roles, random)) == start:
        pass
    return point


def _drawn(roles: Sequence[Role], random: np.random.Generator) -> dict[str, Any]:
    chosen = random.random(len(roles)) < CHANGED
    chosen[random.integers(len(roles))] = True
    point: dict[str, Any] = {}
    params: dict[str, str | None] = {}
    for role, is_drawn in zip(roles, chosen, strict=True):
        draw = _Draw(random, {} if is_drawn else starting_point([role]))
        params[role.name] = role.suggest(draw, params)
        point |= draw.values
    return point


class _Draw:
    """Draws what is not given, and keeps all of it; what a role takes suggestions from."""

    def __init__(self, random: np.random.Generator, given: Mapping[str, Any]) -> None:
        self.random, self.given = random, given
        self.values: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._keep(name, choices[int(self.random.integers(len(choices)))])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        ends = (math.log(low), math.log(high)) if log else (low, high)
        drawn = float(self.random.uniform(*ends))
        return self._keep(name, min(max(math.exp(drawn) if log else drawn, low), high))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        drawn = self.suggest_float(name, low - 0.499, high + 0.499, log=log)
        return self._keep(name, min(max(round(drawn), low), high))

    def _keep(self, name: str, drawn: Any) -> Any:
        self.values[name] = self.given.get(name, drawn)
        return self.values[name]
