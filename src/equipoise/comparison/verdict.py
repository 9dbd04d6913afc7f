"""What a comparison says: the verdict and the leaderboard, written beside its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.comparison.leaderboard import (
    N_RAREST,
    as_csv,
    as_latex,
    column_of,
    columns_of,
    leaderboard,
)
from equipoise.comparison.results import NAME, PRIORS, Results, read_results
from equipoise.errors import InputError
from equipoise.runs import Run, write_text
from equipoise.statistics.paired import differences
from equipoise.statistics.verdict import verdict
from equipoise.statistics.wording import METRIC_NAMES, listed


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


def concluded(results: Results) -> dict[str, Any]:
    """Return what a comparison says.

    Parameters
    ----------
    results : Results
        Its finished runs.

    Returns
    -------
    dict
        ``as_trained`` and ``balanced`` (each ``sentences``, ``reading``, how to read them, and
        ``facts`` of a verdict by balanced accuracy, see `equipoise.statistics.verdict`; the first
        tells how much of each gain is prior bias), ``by_metric`` (the same by what epochs and
        numbers were chosen by, corrected only where all classes count alike in it, with
        ``metric``, its name in words, ``title``, and its ``column`` in the leaderboard; None
        where that is balanced accuracy, or a score that cannot be compared), ``leaderboard``,
        ``repeats`` (seeds and orders that all methods have), ``unfinished`` (methods without any
        run), ``classes``, ``rarest`` (names; empty where runs differ in which these are),
        ``looks`` (at the test set, by method and run), ``cautions`` (what to mind).

    Raises
    ------
    InputError
        If no seed is finished for all methods.
    """
    _require_repeats(results)
    rows = leaderboard(results)
    return {
        **_told(results, "balanced_accuracy"),
        "by_metric": _by_metric(results),
        "leaderboard": rows,
        "repeats": [list(each) for each in results.repeats],
        "unfinished": [name for name in results.told["methods"] if name not in results.methods],
        "classes": list(results.classes),
        "rarest": _rarest(results),
        "looks": {
            name: {entry.path.name: entry.looks for entry in results.entries[name].values()}
            for name in results.methods
        },
        "cautions": [*results.cautions, *_heuristic(rows)],
    }


def note_cautions(folder: Path, lines: Sequence[str]) -> None:
    """Keep what to mind about a comparison in its file, each sentence once."""
    run = Run(folder)
    told = run.read_json(NAME)
    noted = list(dict.fromkeys([*told.get("cautions", []), *lines]))
    if noted != told.get("cautions", []):
        run.write_json(NAME, {**told, "cautions": noted})


def _by_metric(results: Results) -> dict[str, Any] | None:
    """Return the verdicts by the metric of a comparison, if that is not balanced accuracy."""
    metric = results.metric
    if metric == "balanced_accuracy":
        return None
    column = column_of(metric)
    # Correction to equal classes is for scores in which these count alike: others it makes worse.
    priors = PRIORS if columns_of(metric)[column][1] == "balanced" else PRIORS[:1]
    of_metric = {"metric": metric, "title": METRIC_NAMES[metric], "column": column}
    return {**of_metric, **_told(results, metric, priors)}


def _told(results: Results, metric: str, priors: Sequence[str] = PRIORS) -> dict[str, Any]:
    """Return the verdicts by a metric, as trained and, if so asked, corrected."""
    control = results.control if results.control in results.methods else None
    found = {
        prior: differences(results.predictions(prior), metric, seeds=results.seeds)
        for prior in priors
    }
    corrected = found.get("balanced")
    told = {"as_trained": verdict(found["as_trained"], control=control, balanced=corrected)}
    if corrected is not None:
        told["balanced"] = verdict(corrected, control=control)
    return {
        k: {"sentences": list(v.sentences), "reading": list(v.reading), "facts": v.facts}
        for k, v in told.items()
    }


def readings(found: Mapping[str, Any]) -> list[str]:
    """Return how to read all verdicts of a comparison, each sentence once.

    Parameters
    ----------
    found : mapping
        As `concluded` returns it.
    """
    verdicts = [
        each[prior]
        for each in (found["by_metric"] or {}, found)
        for prior in PRIORS
        if prior in each
    ]
    return list(dict.fromkeys(line for verdict in verdicts for line in verdict["reading"]))


def _heuristic(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which corrected figures do not rest on an exact correction."""
    names = [row["method"] for row in rows if not row["exact_prior"]]
    if not names:
        return []
    its, fit = ("its", " fits") if len(names) == 1 else ("their", "es fit")
    return [
        f"Correction to equal classes is a heuristic for {listed(names)}: {its} loss{fit} no "
        f"class probabilities. Another correction may make {its} corrected figures better."
    ]


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
