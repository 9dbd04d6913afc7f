"""What a comparison says: the verdict and the leaderboard, written beside its runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.comparison.leaderboard import N_RAREST, as_csv, as_latex, leaderboard
from equipoise.comparison.results import Results, read_results
from equipoise.errors import InputError
from equipoise.runs import Run, write_text
from equipoise.statistics.paired import differences
from equipoise.statistics.verdict import verdict


def conclude(folder: Path, failures: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what the finished runs of a comparison say, and write it into its folder.

    ``verdict.json``, ``leaderboard.csv`` and ``leaderboard.tex`` are replaced.

    Parameters
    ----------
    folder : Path
        Of the comparison.
    failures : mapping of str to str, optional
        Runs that could not be finished, and why.

    Returns
    -------
    dict
        As `concluded` returns it, with ``failures``.

    Raises
    ------
    InputError
        As of `read_results`, and if no seed is finished for all methods.
    """
    found = {**concluded(read_results(folder)), "failures": dict(failures or {})}
    Run(folder).write_json("verdict.json", found)
    write_text(folder / "leaderboard.csv", as_csv(found["leaderboard"]))
    write_text(folder / "leaderboard.tex", as_latex(found["leaderboard"]))
    return found


def concluded(results: Results, metric: str = "balanced_accuracy") -> dict[str, Any]:
    """Return what a comparison says.

    Parameters
    ----------
    results : Results
        Its finished runs.
    metric : str, default="balanced_accuracy"
        What methods are compared by.

    Returns
    -------
    dict
        ``as_trained`` and ``balanced`` (each ``sentences`` and ``facts`` of a verdict, see
        `equipoise.statistics.verdict`; the first tells how much of each gain is prior bias),
        ``leaderboard``, ``repeats`` (seeds and orders that all methods have), ``unfinished``
        (methods without any run), ``classes``, ``rarest`` (names; empty where runs differ in
        which these are), ``looks`` (at the test set, by method and run).

    Raises
    ------
    InputError
        If no seed is finished for all methods.
    """
    _require_repeats(results)
    control = results.control if results.control in results.methods else None
    both = {
        prior: differences(results.predictions(prior), metric, seeds=results.seeds)
        for prior in ("as_trained", "balanced")
    }
    told = {
        "as_trained": verdict(both["as_trained"], control=control, balanced=both["balanced"]),
        "balanced": verdict(both["balanced"], control=control),
    }
    return {
        **{k: {"sentences": list(v.sentences), "facts": v.facts} for k, v in told.items()},
        "leaderboard": leaderboard(results),
        "repeats": [list(each) for each in results.repeats],
        "unfinished": [name for name in results.told["methods"] if name not in results.methods],
        "classes": list(results.classes),
        "rarest": _rarest(results),
        "looks": {
            name: {entry.path.name: entry.looks for entry in results.entries[name].values()}
            for name in results.methods
        },
    }


def _rarest(results: Results) -> list[str]:
    """Return the names of the rarest classes, if they are the same in all runs."""
    first, *others = results.rarest(N_RAREST)
    return [] if any(own != first for own in others) else [results.classes[code] for code in first]


def _require_repeats(results: Results) -> None:
    if not results.repeats:
        raise InputError(
            "Methods are compared by seeds that all of them have finished.",
            "There is no such seed yet.",
            "Go on with `equipoise compare ... --resume`.",
        )
