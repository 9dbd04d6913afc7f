"""Methods over several data sets: ranks, wins and losses, from several comparisons."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equipoise.comparison.mixture import rank_cautions
from equipoise.comparison.results import PRIORS, Results, read_results
from equipoise.errors import InputError
from equipoise.statistics.judging import judged
from equipoise.statistics.paired import differences
from equipoise.statistics.ranks import Ranked, averaged, rank_methods
from equipoise.statistics.results import Comparison
from equipoise.statistics.scores import METRICS
from equipoise.statistics.wording import METRIC_NAMES, counted, listed
from equipoise.tuning.scores import BALANCED

ALPHA = 0.05
"""Level of all tests."""

PRIOR_NAMES = {"as_trained": "as trained", "balanced": "corrected to equal classes"}
"""How a sentence calls predictions under each of `PRIORS`."""


def rank_comparisons(
    folders: Sequence[Path],
    *,
    metric: str = "balanced_accuracy",
    prior: str | None = None,
    control: str | None = None,
) -> dict[str, Any]:
    """Return how methods rank over the data sets of several comparisons.

    Parameters
    ----------
    folders : sequence of Path
        Of comparisons on different data, at least two. The same data may stand there at other
        imbalance ratios: it counts as one data set, by the mean of its scores.
    metric : str, default="balanced_accuracy"
        One of `equipoise.statistics.scores.METRICS` but for ``"recall"``.
    prior : {"balanced", "as_trained"} or None, default=None
        Whether predictions are corrected to equal class frequencies; None: where all classes count
        alike in the metric. Scores in which they do not are made worse by it.
    control : str or None, default=None
        What wins and losses are counted against; None: the control of the comparisons.

    Returns
    -------
    dict
        ``metric``, ``prior``, ``title`` (both in words), ``control``, ``n_sets``, ``methods`` (for
        each, the best first: ``rank``, and against the control ``wins``, ``ties`` and ``losses``,
        comparisons that tell it apart after Holm's correction),
        ``critical_difference``, ``cliques`` (methods whose ranks do not differ by it),
        ``friedman``, ``wilcoxon`` (Holm's p for each pair), ``sets`` (for each comparison the
        mean of every method), ``joined`` (names of comparisons of the same data), ``left_out``
        (methods that some comparisons lack), ``cautions`` (see
        `equipoise.comparison.mixture.rank_cautions`) and ``sentences``.

    Raises
    ------
    InputError
        If fewer than two data sets or methods are left, two comparisons are of the same data
        alike, or an option is unknown.
    """
    prior = _prior(prior, metric)
    _check(folders, metric, prior)
    read = [read_results(folder) for folder in folders]
    names, data = unique_names(folders), [data_of(results) for results in read]
    _check_data(names, read, data)
    found = [
        differences(results.predictions(prior), metric, seeds=results.seeds) for results in read
    ]
    shared = _shared(found)
    left_out = sorted({m for each in found for m in each.means} - set(shared))
    control = _control(control, read, shared)
    table = [[each.means[m].value for m in shared] for each in found]
    ranked = rank_methods(
        averaged(table, data), shared, higher_is_better=METRICS[metric], alpha=ALPHA
    )
    against = {} if control is None else _against(found, control, shared)
    joined = [own for own in _same(names, data) if len(own) > 1]
    cautions = rank_cautions(names, read, shared, corrected=prior == "balanced")
    title = f"{METRIC_NAMES[metric]}, {PRIOR_NAMES[prior]}"
    return {
        "metric": metric,
        "prior": prior,
        "title": title,
        "control": control,
        "n_sets": ranked.n_sets,
        "methods": {m: {"rank": r, **against.get(m, {})} for m, r in ranked.ranks.items()},
        "critical_difference": ranked.critical_difference,
        "cliques": [list(clique) for clique in ranked.cliques],
        "friedman": asdict(ranked.friedman),
        "wilcoxon": [{"pair": list(pair), "p": p} for pair, p in ranked.wilcoxon.items()],
        "sets": {
            name: dict(zip(shared, row, strict=True))
            for name, row in zip(names, table, strict=True)
        },
        "joined": joined,
        "left_out": left_out,
        "cautions": cautions,
        "sentences": _sentences(ranked, title, against, control, joined, left_out),
    }


def unique_names(folders: Sequence[Path]) -> list[str]:
    """Return the name of each folder, with as many of those above it as tell all apart.

    Examples
    --------
    >>> unique_names([Path("a/yeast"), Path("b/yeast"), Path("b/shuttle")])
    ['a/yeast', 'b/yeast', 'shuttle']
    """
    parts = [folder.resolve().parts for folder in folders]

    def name(own: tuple[str, ...]) -> str:
        taken = (
            n for n in range(1, len(own) + 1) if sum(other[-n:] == own[-n:] for other in parts) == 1
        )
        return "/".join(own[-next(taken, len(own)) :])

    return [name(own) for own in parts]


def data_of(results: Results) -> Hashable:
    """Return what tells a comparison's data from others, at whatever imbalance ratio."""
    mark = results.told.get("setup", {}).get("fingerprint")
    return results.folder if mark is None else (mark, results.classes)


def _same(names: Sequence[str], data: Sequence[Hashable]) -> list[list[str]]:
    """Return the names of comparisons, those of the same data together."""
    return [
        [name for name, own in zip(names, data, strict=True) if own == one]
        for one in dict.fromkeys(data)
    ]


def _check_data(names: Sequence[str], read: Sequence[Results], data: Sequence[Hashable]) -> None:
    """Refuse data that is counted twice, and fewer than two data sets."""
    seen: dict[Hashable, str] = {}
    for name, results, own in zip(names, read, data, strict=True):
        setup = results.told.get("setup", {})
        alike = (own, *(str(setup.get(k)) for k in ("ratio", "profile", "largest", "examples")))
        if (first := seen.setdefault(alike, name)) != name:
            raise InputError(
                "Comparisons that methods are ranked over must be of different data.",
                f"{first} and {name} are of the same data, thinned alike.",
                f"Leave out one of them, or go on with {first} by --resume instead.",
            )
    if len(set(data)) < 2:
        raise InputError(
            "Methods are ranked over at least two data sets.",
            f"{listed(names)} are of the same data.",
            "Add a comparison on other data.",
        )


def _shared(found: Sequence[Comparison]) -> list[str]:
    """Return the methods that all comparisons have; refuse fewer than two."""
    shared = [m for m in found[0].means if all(m in each.means for each in found)]
    if len(shared) < 2:
        raise InputError(
            "Ranks need at least two methods that all comparisons have.",
            f"They share {listed(shared) if shared else 'none'}.",
            "Add methods with `equipoise compare ... --resume`.",
        )
    return shared


def _control(given: str | None, read: Sequence[Results], shared: Sequence[str]) -> str | None:
    """Return what wins are counted against; None: the comparisons have no control in common."""
    if given is None:
        own = {results.control for results in read}
        return next(iter(own)) if len(own) == 1 and own <= set(shared) else None
    if given not in shared:
        raise InputError(
            f"The control must be one of the methods of all comparisons: {', '.join(shared)}.",
            f"It is {given!r}.",
            "Leave it out for that of the comparisons.",
        )
    return given


def _prior(given: str | None, metric: str) -> str:
    """Return whether predictions are corrected: by default where it makes no score worse."""
    if given is not None:
        return given
    return "balanced" if metric in BALANCED else "as_trained"


def _check(folders: Sequence[Path], metric: str, prior: str) -> None:
    n = len({folder.resolve() for folder in folders})
    if n < max(2, len(folders)):
        raise InputError(
            "Methods are ranked over at least two comparisons, each named once.",
            f"Given are {counted(len(folders), 'name')} of {counted(n, 'folder')}.",
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
    counts = {name: {"wins": 0, "ties": 0, "losses": 0} for name in shared if name != control}
    for each in found:
        # Chance had a try with all methods of a comparison, also with those that others lack.
        family = [(name, control) for name in each.means if name != control]
        for one in judged(each, control, family):
            if one.found.method in counts:
                kind = "ties" if not one.is_told_apart else "wins" if one.gain > 0 else "losses"
                counts[one.found.method][kind] += 1
    return counts


def _told(ranked: Ranked) -> str:
    """Return what the tests of ranks say."""
    friedman, critical = ranked.friedman, ranked.critical_difference
    tells = "tells" if friedman.p <= ALPHA else "does not tell"
    differ = (
        "no difference of two ranks would be enough over so few data sets"
        if critical is None
        else f"two of them differ if their ranks differ by {critical:.2f}"
    )
    return f"Friedman's test {tells} the methods apart ({friedman.p_in_words}); {differ}."


def _pairs_told(ranked: Ranked) -> str:
    """Return which methods the test of each pair tells apart."""
    told = {pair: p for pair, p in ranked.wilcoxon.items() if p <= ALPHA}
    pairs = "; ".join(f"{one} and {other} (p = {p:.2g})" for (one, other), p in told.items())
    return (
        f"Wilcoxon's test of each pair (Holm's correction over "
        f"{counted(len(ranked.wilcoxon), 'pair')}) tells apart {pairs or 'none'}."
    )


def _sentences(
    ranked: Ranked,
    title: str,
    against: dict[str, dict[str, int]],
    control: str | None,
    joined: Sequence[Sequence[str]],
    left_out: Sequence[str],
) -> list[str]:
    best = next(iter(ranked.ranks))
    ties = [name for name, rank in ranked.ranks.items() if rank == ranked.ranks[best]]
    have = "has" if len(ties) == 1 else "have"
    said = [
        f"Over {counted(ranked.n_sets, 'data set')} {listed(ties)} {have} the best average rank by "
        f"{title}: {ranked.ranks[best]:.2f} of {len(ranked.ranks)}.",
        _told(ranked),
    ]
    with_best = next((clique for clique in ranked.cliques if best in clique), (best,))
    if len(with_best) > 1:
        said.append(f"Not told apart by rank: {listed(list(with_best))}.")
    said.append(_pairs_told(ranked))
    for name, n in against.items():
        said.append(
            f"{name} against {control}: better on {n['wins']}, worse on {n['losses']}, not told "
            f"apart on {n['ties']}."
        )
    said += [
        f"{listed(own)} are of the same data: their means count as one data set." for own in joined
    ]
    if left_out:
        said.append(f"Left out, for not all comparisons have them: {listed(list(left_out))}.")
    return said
