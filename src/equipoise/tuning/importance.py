"""What mattered in a search: which parts of a recipe moved the score, and how sure that is."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from equipoise.seeds import derive_seed
from equipoise.selection import MONITORS
from equipoise.settings import COMPONENTS
from equipoise.spaces import Space, Span
from equipoise.standard.batch_size import BatchSize
from equipoise.tuning.chance import SHUFFLES, probabilities
from equipoise.tuning.effort import FULL, Effort, affordable
from equipoise.tuning.fanova import TREES, Column, Columns, foreseen, importances, main_effects
from equipoise.tuning.marginals import by_candidate, by_range, range_codes
from equipoise.tuning.observations import Observed
from equipoise.tuning.remarks import ENOUGH, nothing, remarks
from equipoise.tuning.space import NONE

MOST = 200
"""Trials that forests learn from at most, for they take their time; more are drawn from."""

PILOT = 8
"""Trees of the forest that is timed to learn how many there is time for."""

Row = dict[str, Any]
"""Plain values, as JSON holds them."""


def what_mattered(
    observed: Observed, metric: str, *, seed: int, seconds: float | None = None
) -> Row:
    """Return what a search tells about the parts of a recipe, as plain values.

    Parameters
    ----------
    observed : Observed
        Scores of trials that can be compared.
    metric : str
        What they are scores of, one of `MONITORS`.
    seed : int
        Seed of everything random; the same values and effort give the same result.
    seconds : float or None, default=None
        Time that there is; None: as much as it takes. With less, fewer trees, halves, shuffles
        and fields are computed, see `EFFORTS`, and it is said so.

    Returns
    -------
    dict
        - ``n``: trials it rests on; ``basis``: which scores, as in `Observed`; ``said``:
          sentences that a reader must know, first of all whether anything can be said;
        - ``roles``: for each, the most important first, ``name``, ``n``, ``importance`` from 0
          to 1, its standard ``error``, and ``p``, the probability that any role differs so
          much where none matters, all None where one candidate alone was tried; and
          ``candidates`` with their mean scores, see `by_candidate`;
        - ``fields``: the same for the fields of the components that most trials chose, at least
          `ENOUGH`, among these trials; with ``candidates`` or ``ranges``, see `by_range`;
        - ``foreseen``: see `equipoise.tuning.fanova.foreseen`.

        Fewer than `ENOUGH` trials, or equal scores, leave all this empty or None.
    """
    n, gains = len(observed.gains), observed.gains
    found: Row = {"n": n, "basis": observed.basis}
    if n < ENOUGH or np.ptp(gains) == 0:
        empty = {"roles": [], "fields": [], "foreseen": None}
        return {**found, "said": [nothing(observed)], **empty}
    columns = role_columns(observed.choices)
    effort = FULL if seconds is None else _affordable(columns, gains, seconds)
    known = _known(columns, gains, list(columns), seed, effort)
    learnt = foreseen(columns, gains, seed=seed, n_trees=effort.of(4 * TREES))
    said = remarks(observed, {k: row["p"] for k, row in known.items()}, learnt)
    return {
        **found,
        "said": [*said, effort.said] if effort.said else said,
        "roles": _ranked(
            [_row(k, column, observed, metric, known) for k, column in columns.items()]
        ),
        "fields": _ranked([*_field_rows(observed, metric, seed, effort)]),
        "foreseen": _short(learnt),
    }


def _affordable(columns: Columns, gains: np.ndarray, seconds: float) -> Effort:
    """Time a small forest, and return how much can be computed."""
    begun = time.monotonic()
    n = min(len(gains), MOST)
    some = {name: column.at(np.arange(n)) for name, column in columns.items()}
    main_effects(some, gains[:n], seed=0, n_trees=4)  # the first one also loads libraries
    loaded = time.monotonic()
    main_effects(some, gains[:n], seed=0, n_trees=PILOT)
    ended = time.monotonic()
    return affordable(seconds - (ended - begun), (ended - loaded) * TREES / PILOT)


def role_columns(choices: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Return the candidates of each role, trial by trial.

    >>> columns = role_columns([{"head": "Linear"}, {"head": "Cosine", "head.Cosine.scale": 8.0}])
    >>> [(name, column.values.tolist()) for name, column in columns.items()]
    [('head', ['Linear', 'Cosine'])]
    """
    names = dict.fromkeys(name for choice in choices for name in choice if "." not in name)
    # A role that was not asked for had nothing to stand on, and stayed empty.
    return {
        name: Column(np.array([str(c.get(name, NONE)) for c in choices], dtype=str))
        for name in names
    }


def field_columns(choices: Sequence[Mapping[str, Any]], component: str) -> dict[str, Column]:
    """Return the values of each field of a component, in trials that all have chosen it.

    Parameters
    ----------
    choices : sequence of mapping
        What the search chose in each trial.
    component : str
        Role and name, such as ``"optimizer.AdamW"``.

    Examples
    --------
    >>> choices = [{"optimizer.SGD.lr": 0.1}, {"optimizer.SGD.lr": 0.001}]
    >>> columns = field_columns(choices, "optimizer.SGD")
    >>> columns["optimizer.SGD.lr"].values.round(1)  # of logarithms, on which it is searched
    array([-2.3, -6.9])
    """
    names = [name for name in choices[0] if name.startswith(f"{component}.")]
    return {name: _field_column([choice[name] for choice in choices], name) for name in names}


def _field_column(values: Sequence[Any], name: str) -> Column:
    space = _space(name)
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not isinstance(space, Span) or not is_number or (space.log and min(values) <= 0):
        return Column(np.array([str(value) for value in values], dtype=str))
    numbers = np.array(values, dtype=float)
    whole = space.integer and not space.log
    return Column(np.log(numbers) if space.log else numbers, margin=0.5 if whole else 0.0)


def _space(name: str) -> Space | None:
    """Return the space that a field is searched in."""
    role, component, field = name.split(".")
    kinds = COMPONENTS.get(role, {"BatchSize": BatchSize})
    return {f.name: f.metadata.get("tune") for f in fields(kinds[component])}[field]


def _field_rows(observed: Observed, metric: str, seed: int, effort: Effort) -> Iterator[Row]:
    components = _components(observed)[: effort.components]
    for role, name in components:
        part = observed.where(role, name)
        own = field_columns(part.choices, f"{role}.{name}")
        known = _known({**role_columns(part.choices), **own}, part.gains, list(own), seed, effort)
        for field, column in own.items():
            row = _row(field, column, part, metric, known)
            # Bonferroni: each component is asked on its own, and any of them may be the one.
            p = None if row["p"] is None else _short(min(len(components) * row["p"], 1.0))
            yield {**row, "p": p}


def _components(observed: Observed) -> list[tuple[str, str]]:
    """Return role and name of the components whose fields can be told, the most chosen first."""
    counts = Counter(
        (role, name)
        for role, column in role_columns(observed.choices).items()
        for name in column.values.tolist()
    )
    tuned = {tuple(k.split(".")[:2]) for choice in observed.choices for k in choice if "." in k}
    return [pair for pair, n in counts.most_common() if n >= ENOUGH and pair in tuned]


def _known(
    columns: Columns, gains: np.ndarray, told: Sequence[str], seed: int, effort: Effort
) -> dict[str, Row]:
    """Return what is known of the columns that differ between trials."""
    varied = {name: c for name, c in columns.items() if len(np.unique(c.values)) > 1}
    wanted = [name for name in told if name in varied]
    if not wanted:
        return {}
    groups, shuffles = {name: _codes(varied[name]) for name in wanted}, effort.of(SHUFFLES)
    p = probabilities(groups, gains, seed=seed, shuffles=shuffles)
    if len(gains) > MOST:
        random = np.random.default_rng(derive_seed(seed, "trials"))
        rows = np.sort(random.permutation(len(gains))[:MOST])
        varied, gains = {name: c.at(rows) for name, c in varied.items()}, gains[rows]
    found = importances(varied, gains, wanted, seed=seed, effort=effort)
    return {
        name: {"importance": _short(value), "error": _short(error), "p": _short(p[name])}
        for name, (value, error) in found.items()
    }


def _codes(column: Column) -> np.ndarray:
    """Return the group of each trial: its candidate, or the range of its number."""
    if column.values.dtype.kind == "U":
        return np.unique(column.values, return_inverse=True)[1]
    return range_codes(column.values)


_UNKNOWN = {"importance": None, "error": None, "p": None}


def _row(
    name: str, column: Column, observed: Observed, metric: str, known: Mapping[str, Row]
) -> Row:
    """Return a role or field with its importance and its means, in the unit of the metric."""
    scores = observed.gains if MONITORS[metric] else -observed.gains
    row: Row = {"name": name, "n": len(scores), **known.get(name, _UNKNOWN)}
    if column.values.dtype.kind == "U":
        return {**row, "candidates": _shortened(by_candidate(column.values.tolist(), scores))}
    numbers = np.array([choice[name] for choice in observed.choices], dtype=float)
    return {**row, "ranges": _shortened(by_range(numbers, scores))}


def _ranked(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["importance"] is None, -(row["importance"] or 0)))


def _shortened(rows: list[Row]) -> list[Row]:
    return [{k: _short(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def _short(value: float) -> float:
    """Return a number with as many digits as anybody can use."""
    return float(f"{value:.5g}")
