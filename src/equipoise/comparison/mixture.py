"""What to mind where several comparisons are read as one: they may not be alike."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from equipoise.comparison.results import Results
from equipoise.comparison.verdict import left_out
from equipoise.durations import format_duration
from equipoise.statistics.wording import listed

ALIKE = ("recipe", "roles", "within", "params", "pretrain")
"""What makes a method; its settings follow from it and the data."""

SHARED = {
    "budget": "the time of a run",
    "searches": "whether numbers are searched",
    "n_trials": "the recipes that a search tries",
    "metric": "what epochs and numbers are chosen by",
    "params": "what is given to all methods",
    "network": "the network of methods that set none",
    "test": "the share of test examples",
    "rare": "what is done with classes of a single example",
    "device": "the device",
}
"""What comparisons may differ in, and how a sentence calls it."""

UNSET = {"budget": "no limit", "n_trials": "no limit", "network": "that of their recipes"}
"""What nothing stands for."""


def rank_cautions(
    names: Sequence[str], read: Sequence[Results], methods: Sequence[str], *, corrected: bool
) -> list[str]:
    """Return what to mind about ranks over several comparisons, as sentences.

    Parameters
    ----------
    names : sequence of str
        What each comparison is called.
    read : sequence of Results
        What is finished of them.
    methods : sequence of str
        Those that are ranked.
    corrected : bool
        Whether predictions are corrected to equal class frequencies.

    Returns
    -------
    list of str
        Comparisons with a single seed, or whose methods lack seeds; methods that are not the same
        everywhere, settings that differ, methods whose correction is a heuristic.
    """
    return [
        *_of_one_seed(names, read),
        *(
            f"{name}: {line}"
            for name, own in zip(names, read, strict=True)
            for line in left_out(own)
        ),
        *_of_methods(names, read, methods),
        *_of_setups(names, read),
        *(_of_correction(read, methods) if corrected else []),
    ]


def _of_one_seed(names: Sequence[str], read: Sequence[Results]) -> list[str]:
    single = [name for name, own in zip(names, read, strict=True) if len(set(own.seeds)) == 1]
    if not single:
        return []
    return [
        f"With a single seed, {listed(single)} cannot tell what training again would change: wins "
        "and losses there may be due to the seed alone."
    ]


def _of_methods(names: Sequence[str], read: Sequence[Results], methods: Sequence[str]) -> list[str]:
    """Name methods of one name that are not the same."""
    told = []
    for method in methods:
        made = [_made_of(own, method) for own in read]
        other = next((n for n, own in zip(names, made, strict=True) if own != made[0]), None)
        if other is not None:
            told.append(f"{method} is not made of the same in {names[0]} and in {other}.")
    return told


def _made_of(results: Results, method: str) -> dict[str, Any]:
    own = results.told["methods"][method]
    return {name: own.get(name) for name in ALIKE}


def _of_setups(names: Sequence[str], read: Sequence[Results]) -> list[str]:
    told = []
    for key, called in SHARED.items():
        found: dict[Hashable, list[str]] = {}
        for name, own in zip(names, read, strict=True):
            kept = {**own.told.get("terms", {}), **own.told.get("setup", {})}
            if key in kept:  # what earlier versions did not keep may be the same
                found.setdefault(_shown(key, kept[key]), []).append(name)
        if len(found) > 1:
            each = "; ".join(f"{value} in {listed(own)}" for value, own in found.items())
            told.append(f"Comparisons differ in {called}: {each}.")
    return told


def _shown(key: str, value: Any) -> str:
    if value is None:
        return UNSET.get(key, str(value))
    if key == "budget":
        return format_duration(value)
    if key == "searches":
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={own}" for name, own in sorted(value.items())) or "nothing"
    return str(value)


def _of_correction(read: Sequence[Results], methods: Sequence[str]) -> list[str]:
    unsure = [
        method
        for method in methods
        if any(not e.facts["exact_prior"] for own in read for e in own.entries[method].values())
    ]
    if not unsure:
        return []
    return [
        f"Correction to equal classes is a heuristic for {listed(unsure)}: another one may rank "
        f"{'it' if len(unsure) == 1 else 'them'} better."
    ]
