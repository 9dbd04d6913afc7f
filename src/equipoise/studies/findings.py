"""What a study found, in sentences, a table and plain data, written into its folder."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.comparison.results import PRIORS
from equipoise.errors import InputError
from equipoise.metrics.groups import in_order
from equipoise.runs import Run, write_text
from equipoise.shapes import NUMBER, TEXT, mismatch
from equipoise.statistics.scores import METRICS
from equipoise.statistics.wording import METRIC_NAMES, amount, counted, listed, number, score, unit
from equipoise.studies.cautions import cautions
from equipoise.studies.cells import AS_IT_IS, Cells, name_of, read_cells
from equipoise.studies.claims import answers, unjudged
from equipoise.studies.effects import LEVEL, Slope, at_ratio, interactions, trend
from equipoise.studies.places import KINDS, METRIC, best_ratios, deployment, place_sentence

TABLE = "study.csv"
"""The table of a study: a row for each ratio, value and prior."""

FOUND = "findings.json"
"""What a study found, as plain data."""

STORED = {"metric": TEXT, "deployment": [{"test_ratio": NUMBER}], "failures": {...: TEXT}}
"""What is read of it; the rest is found anew from the runs."""

USUAL = "balanced_accuracy"
"""What values are compared by unless something else is said."""

ALPHA = 1 - LEVEL


def find(
    folder: Path,
    *,
    metric: str = USUAL,
    test_ratios: tuple[float, ...] = (),
    failures: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what the finished cells of a study say, and write it into its folder.

    ``findings.json`` and ``study.csv`` are replaced.

    Parameters
    ----------
    folder : Path
        Of the study.
    metric : str, default="balanced_accuracy"
        What values are compared by.
    test_ratios : tuple of float, default=()
        Imbalance ratios of places of use; 1 is where all classes are equally frequent.
    failures : mapping of str to str, optional
        Runs that could not be finished, and why.

    Returns
    -------
    dict
        As `found_in` returns it, with ``failures``.

    Raises
    ------
    InputError
        As of `equipoise.studies.cells.read_cells`.
    """
    found = {**found_in(read_cells(folder), metric, test_ratios), "failures": dict(failures or {})}
    Run(folder).write_json(FOUND, found)
    write_text(folder / TABLE, as_csv(found))
    return found


def read_found(folder: Path) -> dict[str, Any]:
    """Return what a study found when it was last gone on with; nothing if that is not there.

    Parameters
    ----------
    folder : Path
        Of the study, whose file may be a stranger's.

    Raises
    ------
    InputError
        If it is not of the shape that `find` writes.
    """
    if not (folder / FOUND).exists():
        return {}
    found = Run(folder).read_json(FOUND)
    fault = mismatch(found, STORED)
    if fault is None and found["metric"] not in METRICS.keys() - {"recall"}:
        fault = f"metric is {found['metric']!r}"
    if fault is None and any(row["test_ratio"] <= 0 for row in found["deployment"]):
        fault = "a test_ratio of deployment is not above 0"
    if fault is not None:
        raise InputError(
            "The findings of a study must be as `equipoise study` wrote them.",
            f"In `{folder / FOUND}`, {fault}.",
            "Write them anew by `equipoise study ... --resume`.",
        )
    return found


def compared_by(folder: Path) -> str:
    """Return what the values of a study were compared by when it was last gone on with.

    Balanced accuracy where that is not known: of a new study, or where its findings are damaged,
    which are written anew.
    """
    try:
        return read_found(folder).get("metric", USUAL)
    except InputError:
        return USUAL


def found_in(
    cells: Cells, metric: str = USUAL, test_ratios: tuple[float, ...] = ()
) -> dict[str, Any]:
    """Return what a study says.

    Returns
    -------
    dict
        ``component``, ``claim``, ``unit``, ``values`` (method, label, number), ``reference``,
        ``ratios``, ``seeds``, ``metric``; ``cautions``, what to mind before believing a number;
        for each prior of `PRIORS` ``ratios`` (see
        `equipoise.studies.effects.at_ratio`), ``interactions``, ``trend``, ``claims`` (see
        `equipoise.studies.claims.Answer`), ``unjudged`` (why there are none, or None), ``places``
        (see `equipoise.studies.places.best_ratios`) and ``sentences``; and ``deployment``, see
        `equipoise.studies.places.deployment`.
    """
    told = cells.told
    kept = (
        "component",
        "claim",
        "unit",
        "values",
        "reference",
        "data",
        "fixed",
        "held",
        "hold",
        "retune",
    )
    return {
        **{name: told.get(name) for name in kept},
        "ratios": [name_of(ratio) for ratio in cells.by_ratio],
        "seeds": cells.seeds,
        "metric": metric,
        "cautions": cautions(cells),
        **{prior: _under(cells, prior, metric, test_ratios) for prior in PRIORS},
        "deployment": deployment(cells, test_ratios),
    }


def _under(cells: Cells, prior: str, metric: str, tests: tuple[float, ...]) -> dict[str, Any]:
    each = {name_of(ratio): at_ratio(cells, ratio, prior, metric) for ratio in cells.by_ratio}
    several = len(cells.by_ratio) > 1
    changes = interactions(cells, prior, metric) if several and len(cells.methods) > 1 else {}
    along = trend(cells, prior, metric) if cells.told.get("unit") else None
    claims = answers(cells, prior, metric)
    found = {
        "ratios": each,
        "interactions": {name: vars(change) for name, change in changes.items()},
        "trend": along,
        "claims": claims,
        "unjudged": None if claims else unjudged(cells, prior, metric),
        "places": best_ratios(cells, tests, prior),
    }
    where = [place_sentence(cells, each, prior) for each in found["places"]]
    return {**found, "sentences": [*_sentences(cells, found, metric), *where]}


def _sentences(cells: Cells, found: Mapping[str, Any], metric: str) -> list[str]:
    claims = [claim["sentence"] for claim in found["claims"]] or [found["unjudged"]]
    if len(cells.methods) < 2:
        return [*claims, _alone(cells, found, metric)]
    said = [_best(cells, ratio, own, metric) for ratio, own in found["ratios"].items()]
    if found["trend"] is not None and found["trend"]["interaction"] is not None:
        said.insert(0, _trend_sentence(cells, found["trend"], metric))
    elif found["interactions"]:
        said.insert(0, _interaction_sentence(cells, found["interactions"], metric))
    return [*claims, *said]


def _alone(cells: Cells, found: Mapping[str, Any], metric: str) -> str:
    name = cells.methods[0]
    told = [
        f"{_scored(own['means'][name], metric)} {_where(ratio)}"
        for ratio, own in found["ratios"].items()
    ]
    return f"The {METRIC_NAMES[metric]} is {listed(told)}."


def _where(ratio: str) -> str:
    return "as the data is" if ratio == name_of(AS_IT_IS) else f"at ratio {ratio}"


def _scored(own: Mapping[str, float], metric: str) -> str:
    return f"{score(own['value'], metric)} ({_ends(own, metric)})"


def _ends(own: Mapping[str, float], metric: str) -> str:
    return f"{number(own['low'], metric)} to {number(own['high'], metric)}"


def _after(n: int) -> str:
    """Return that a verdict minds how many comparisons there are, where there are several."""
    return f", after correction for {n} comparisons" if n > 1 else ""


def _best(cells: Cells, ratio: str, own: Mapping[str, Any], metric: str) -> str:
    labels, best = cells.labels, own["best"]
    where = _where(ratio)
    apart = [
        f"{labels[fact['method']]} by {amount(fact['value'], metric)} ({_ends(fact, metric)})"
        for fact in own["to_reference"]
        if fact["told_apart"]
    ]
    versus, after = labels[cells.reference], _after(len(own["to_reference"]))
    against = (
        f"told apart from {versus}{after}: {listed(apart)}"
        if apart
        else f"no value is told apart from {versus}{after}"
    )
    mean, value = _scored(own["means"][best], metric), own["means"][best]["value"]
    ties = [labels[name] for name, each in own["means"].items() if each["value"] == value]
    win = f"{listed(ties)} {'is' if len(ties) == 1 else 'are'} best"
    return f"{where[0].upper()}{where[1:]}, {win} with {mean}; {against}."


def _trend_sentence(cells: Cells, along: Mapping[str, Any], metric: str) -> str:
    change = Slope(**along["interaction"])
    ends = {ratio: Slope(**own) for ratio, own in along["by_ratio"].items()}
    first, last = (ends[key] for key in (next(iter(ends)), next(reversed(ends))))
    low, high = next(iter(ends)), next(reversed(ends))
    effect = (
        f"Doubling the {cells.told['unit']} changes the {METRIC_NAMES[metric]} by "
        f"{_effect(first, metric)} at ratio {low} and {_effect(last, metric)} at ratio {high}"
    )
    return f"{effect}: {_verdict(change, metric)}"


def _interaction_sentence(
    cells: Cells, changes: Mapping[str, Mapping[str, Any]], metric: str
) -> str:
    known = {name: Slope(**change) for name, change in changes.items()}
    told = {name: each for name, each in known.items() if each.p is not None and each.p <= ALPHA}
    n = len(known) if len(cells.seeds) > 1 else 1
    versus, after = cells.labels[cells.reference], _after(n)
    if not told:
        largest = max(known, key=lambda name: abs(known[name].value))
        alone = " if it were the only one" if n > 1 else ""
        return (
            f"No value gains on {versus}, or loses, as the ratio grows, as far as these test "
            f"examples and {counted(len(cells.seeds), 'seed')} can tell{after}; the largest "
            f"change is that of {cells.labels[largest]}: {_change(known[largest], metric)}{alone}."
        )
    each = [f"{cells.labels[name]} by {_change(change, metric)}" for name, change in told.items()]
    return f"As the ratio grows, these change against {versus}{after}: {'; '.join(each)}."


def _verdict(change: Slope, metric: str) -> str:
    if change.p is None:
        return f"{_change(change, metric)}; one seed cannot tell whether that is chance."
    if change.p > ALPHA:
        return f"no such change of the effect is told from chance ({_change(change, metric)})."
    return f"the effect changes with the ratio ({_change(change, metric)})."


def _change(change: Slope, metric: str) -> str:
    value = f"{_signed(change.value, metric, bare=True)} {unit(metric)} per tenfold ratio"
    if change.low is None or change.high is None:
        return value
    return f"{value}, {number(change.low, metric)} to {number(change.high, metric)}"


def _effect(own: Slope, metric: str) -> str:
    value = _signed(own.value, metric)
    return value if own.low is None else f"{value} ({_ends(vars(own), metric)})"


def _signed(value: float, metric: str, *, bare: bool = False) -> str:
    text = number(value, metric) if bare else amount(value, metric)
    return text if text.startswith(("-", "0.0 ", "0.000")) or value == 0 else f"+{text}"


def as_csv(found: Mapping[str, Any]) -> str:
    """Return the table of a study: scores in their own unit, recall in [0, 1].

    A row with a ``test_ratio`` is of a place of use: accuracy there, as trained, or corrected to
    it where ``prior`` is ``place``.
    """
    out = io.StringIO()
    labels = {value["method"]: value["label"] for value in found["values"]}
    known = {
        group
        for prior in PRIORS
        for own in found[prior]["ratios"].values()
        for each in own["groups"].values()
        for group in each
    }
    groups = ("all", *in_order(known))
    ends = ("value", "low", "high", "error")
    recall = [f"recall_{group}{end}" for group in groups for end in ("", "_error")]
    columns = ["ratio", "prior", "setting", "metric", *ends, "percent", "percent_error", *recall]
    writer = csv.DictWriter(out, [*columns, "test_ratio"], restval="")
    writer.writeheader()
    for prior in PRIORS:
        for ratio, own in found[prior]["ratios"].items():
            for name, mean in own["means"].items():
                writer.writerow(
                    {
                        "ratio": ratio,
                        "prior": prior,
                        "setting": labels[name],
                        "metric": found["metric"],
                        **{end: mean[end] for end in ends},
                        "percent": own["percent"][name]["value"],
                        "percent_error": own["percent"][name]["error"],
                        **_recalls(own["groups"][name]),
                    }
                )
    writer.writerows(_place_rows(found, labels))
    return out.getvalue()


def _recalls(own: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    values = {f"recall_{group}": each["value"] for group, each in own.items()}
    return values | {f"recall_{group}_error": each["error"] for group, each in own.items()}


def _place_rows(found: Mapping[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "ratio": row["ratio"],
            "test_ratio": row["test_ratio"],
            "prior": prior,
            "setting": labels[row["method"]],
            "metric": METRIC,
            "value": sum(row[kind]) / len(row[kind]),
            "error": row[f"{kind}_error"],
        }
        for prior, kind in zip(("as_trained", "place"), KINDS.values(), strict=True)
        for row in found["deployment"]
    ]
