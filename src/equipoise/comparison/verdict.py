"""What a comparison says: the verdict and the leaderboard, written beside its runs."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.comparison.leaderboard import (
    as_csv,
    as_latex,
    column_of,
    columns_of,
    leaderboard,
)
from equipoise.comparison.results import PRIORS, Results, read_results
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
    heuristic = [row["method"] for row in rows if not row["exact_prior"]]
    return {
        **_told(results, "balanced_accuracy", PRIORS, heuristic),
        "by_metric": _by_metric(results, heuristic),
        "leaderboard": rows,
        "repeats": [list(each) for each in results.repeats],
        "unfinished": [name for name in results.told["methods"] if name not in results.methods],
        "classes": list(results.classes),
        "rarest": _rarest(results),
        "looks": {
            name: {entry.path.name: entry.looks for entry in results.entries[name].values()}
            for name in results.methods
        },
        "cautions": [
            *results.cautions,
            *left_out(results),
            *_untested(results),
            *_not_compared_by(results),
            *_of_heuristic(heuristic),
        ],
    }


def _by_metric(results: Results, heuristic: Collection[str]) -> dict[str, Any] | None:
    """Return the verdicts by the metric of a comparison, if that is not balanced accuracy."""
    metric = results.metric
    if metric == "balanced_accuracy":
        return None
    column = column_of(metric)
    # Correction to equal classes is for scores in which these count alike: others it makes worse.
    priors = PRIORS if columns_of(metric)[column][1] == "balanced" else PRIORS[:1]
    of_metric = {"metric": metric, "title": METRIC_NAMES[metric], "column": column}
    return {**of_metric, **_told(results, metric, priors, heuristic)}


def _told(
    results: Results, metric: str, priors: Sequence[str], heuristic: Collection[str]
) -> dict[str, Any]:
    """Return the verdicts by a metric, as trained and, if so asked, corrected."""
    control = results.control if results.control in results.methods else None
    found = {
        prior: differences(results.predictions(prior), metric, seeds=results.seeds)
        for prior in priors
    }
    corrected = found.get("balanced")
    as_trained = verdict(
        found["as_trained"], control=control, balanced=corrected, heuristic=heuristic
    )
    told = {"as_trained": as_trained}
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


def _of_heuristic(names: Sequence[str]) -> list[str]:
    """Return which corrected figures do not rest on an exact correction."""
    if not names:
        return []
    it, predicts, its = (
        ("it", "predicts", "its") if len(names) == 1 else ("they", "predict", "their")
    )
    return [
        f"Correction to equal classes is a heuristic for {listed(names)}: what {it} {predicts} "
        f"need not be probabilities with known class frequencies. Another correction may make "
        f"{its} corrected figures better."
    ]


def left_out(results: Results) -> list[str]:
    """Return which seeds do not count for any method because some lack them."""
    missing, kept = results.lacking, results.repeats
    if not missing:
        return []
    lacks = "; ".join(
        f"{name} has not finished {listed([_called(each) for each in own])}"
        for name, own in missing.items()
    )
    return [
        f"Of each method only the runs count that all methods have, here {len(kept)}: {lacks}. "
        "Finish these with --resume and their names in --methods, or remove the folder of such a "
        "method below `runs` to compare the others by all their runs."
    ]


def _called(repeat: tuple[int, int]) -> str:
    """Return how a sentence calls a seed and an order.

    >>> _called((3, 0)), _called((3, 1))
    ('seed 3', 'seed 3 with order 1')
    """
    seed, order = repeat
    return f"seed {seed}" + (f" with order {order}" if order else "")


def _untested(results: Results) -> list[str]:
    """Return of which classes nothing can be said, and that they are not among the rarest."""
    if not (names := results.untested):
        return []
    them = "it" if len(names) == 1 else "them"
    return [
        f"Test examples of {listed(names)} are lacking: nothing is known of {them}, and the rarest "
        "classes are the rarest of those with test examples."
    ]


def _not_compared_by(results: Results) -> list[str]:
    """Return that there is no verdict by what everything was chosen by, where there is none."""
    chosen = results.told.get("setup", {}).get("metric")
    if chosen in (None, results.metric):
        return []
    return [
        f"Epochs and numbers were chosen by {chosen}, by which methods cannot be compared here: it "
        "is no mean over examples. Verdicts are by balanced accuracy."
    ]


def _rarest(results: Results) -> list[str]:
    """Return the names of the rarest classes, if they are the same in all runs."""
    first, *others = results.rarest()
    return [] if any(own != first for own in others) else [results.classes[code] for code in first]


def _require_repeats(results: Results) -> None:
    if not results.repeats:
        raise InputError(
            "Methods are compared by seeds that all of them have finished.",
            "There is no such seed yet.",
            "Go on with `equipoise compare ... --resume`.",
        )
