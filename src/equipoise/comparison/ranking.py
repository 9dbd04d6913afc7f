"""Methods over several data sets: ranks, wins and losses, from several comparisons."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equipoise.comparison.results import CONTROL, PRIORS, read_results
from equipoise.errors import InputError
from equipoise.statistics.judging import judged
from equipoise.statistics.paired import differences
from equipoise.statistics.ranks import Ranked, rank_methods
from equipoise.statistics.results import Comparison
from equipoise.statistics.scores import METRICS
from equipoise.statistics.wording import counted, listed

ALPHA = 0.05
"""Level of all tests."""


def rank_comparisons(
    folders: Sequence[Path],
    *,
    metric: str = "balanced_accuracy",
    prior: str = "balanced",
    control: str = CONTROL,
) -> dict[str, Any]:
    """Return how methods rank over the data sets of several comparisons.

    Parameters
    ----------
    folders : sequence of Path
        Of comparisons on different data, at least two.
    metric : str, default="balanced_accuracy"
        One of `equipoise.statistics.scores.METRICS` but for ``"recall"``.
    prior : {"balanced", "as_trained"}, default="balanced"
        Whether predictions are corrected to equal class frequencies.
    control : str, default="plain"
        What wins and losses are counted against.

    Returns
    -------
    dict
        ``methods`` (for each, the best first: ``rank``, and against the control ``wins``,
        ``ties`` and ``losses``, told apart after Holm's correction on the data set),
        ``critical_difference``, ``cliques`` (methods whose ranks do not differ by it),
        ``friedman``, ``wilcoxon`` (Holm's p for each pair), ``sets`` (name and mean of every
        method), ``left_out`` (methods that some comparisons lack) and ``sentences``.

    Raises
    ------
    InputError
        If fewer than two folders or methods are left, or an option is unknown.
    """
    _check(folders, metric, prior)
    read = [read_results(folder) for folder in folders]
    found = [
        differences(results.predictions(prior), metric, seeds=results.seeds) for results in read
    ]
    shared = [m for m in found[0].means if all(m in each.means for each in found)]
    left_out = sorted({m for each in found for m in each.means} - set(shared))
    if len(shared) < 2:
        raise InputError(
            "Ranks need at least two methods that all comparisons have.",
            f"They share {listed(shared) if shared else 'none'}.",
            "Add methods with `equipoise compare ... --resume`.",
        )
    table = [[each.means[m].value for m in shared] for each in found]
    ranked = rank_methods(table, shared, higher_is_better=METRICS[metric], alpha=ALPHA)
    against = _against(found, control, shared)
    return {
        "metric": metric,
        "prior": prior,
        "control": control if control in shared else None,
        "n_sets": ranked.n_sets,
        "methods": {m: {"rank": r, **against.get(m, {})} for m, r in ranked.ranks.items()},
        "critical_difference": ranked.critical_difference,
        "cliques": [list(clique) for clique in ranked.cliques],
        "friedman": asdict(ranked.friedman),
        "wilcoxon": [{"pair": list(pair), "p": p} for pair, p in ranked.wilcoxon.items()],
        "sets": {
            folder.name: dict(zip(shared, row, strict=True))
            for folder, row in zip(folders, table, strict=True)
        },
        "left_out": left_out,
        "sentences": _sentences(ranked, against, control, left_out),
    }


def _check(folders: Sequence[Path], metric: str, prior: str) -> None:
    if len({folder.resolve() for folder in folders}) < 2:
        raise InputError(
            "Methods are ranked over at least two comparisons.",
            f"There is {counted(len(folders), 'folder')}.",
            "Name the --out folders of `equipoise compare` on several data sets.",
        )
    known = [name for name in METRICS if name != "recall"]
    for name, value, choices in (("metric", metric, known), ("prior", prior, list(PRIORS))):
        if value not in choices:
            raise InputError(
                f"The {name} must be one of {', '.join(choices)}.",
                f"It is {value!r}.",
                "Leave it out for the default.",
            )


def _against(
    found: Sequence[Comparison], control: str, shared: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return on how many data sets each method is told better, not told, and told worse."""
    if control not in shared:
        return {}
    others = [name for name in shared if name != control]
    counts = {name: {"wins": 0, "ties": 0, "losses": 0} for name in others}
    for each in found:
        for one in judged(each, control, [(name, control) for name in others]):
            kind = "ties" if not one.is_told_apart else "wins" if one.gain > 0 else "losses"
            counts[one.found.method][kind] += 1
    return counts


def _told(ranked: Ranked) -> str:
    """Return what the tests of ranks say."""
    p, critical = ranked.friedman.p, ranked.critical_difference
    tells = "tells" if p <= ALPHA else "does not tell"
    differ = (
        "no difference of two ranks would be enough over so few data sets"
        if critical is None
        else f"two of them differ if their ranks differ by {critical:.2f}"
    )
    return f"Friedman's test {tells} the methods apart (p = {p:.2g}); {differ}."


def _sentences(
    ranked: Ranked, against: dict[str, dict[str, int]], control: str, left_out: Sequence[str]
) -> list[str]:
    best = next(iter(ranked.ranks))
    said = [
        f"Over {counted(ranked.n_sets, 'data set')} {best} has the best average rank, "
        f"{ranked.ranks[best]:.2f} of {len(ranked.ranks)}.",
        _told(ranked),
    ]
    with_best = next((clique for clique in ranked.cliques if best in clique), (best,))
    if len(with_best) > 1:
        said.append(f"Not told apart by rank: {listed(list(with_best))}.")
    for name, n in against.items():
        said.append(
            f"{name} against {control}: better on {n['wins']}, worse on {n['losses']}, not told "
            f"apart on {n['ties']}."
        )
    if left_out:
        said.append(f"Left out, for not all comparisons have them: {listed(list(left_out))}.")
    return said
