"""What the atlas says over all data sets, from the verdicts that are kept beside it."""

import json
from pathlib import Path
from typing import Any

from equipoise.statistics.ranks import rank_methods

CONTROL, TUNED = "plain", "tuned"


def summarised(results: Path) -> dict[str, dict[str, Any]]:
    """Return the verdict of each data set, by name."""
    return {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in sorted(results.glob("*/verdict.json"))
    }


def page(found: dict[str, dict[str, Any]]) -> str:
    """Return the page in Markdown."""
    lines = [
        "# Atlas",
        "",
        "Methods on real data with equal time, made by",
        "`python benchmarks/atlas/atlas.py --work WORK`; what each comparison says is in",
        "`benchmarks/atlas/results/`. Balanced accuracy on sealed test examples; a method is",
        "better or worse where the data set's own verdict tells it apart ({doc}`comparison`).",
        "",
    ]
    for prior, title in (("balanced", "Corrected to equal classes"), ("as_trained", "As trained")):
        lines += [f"## {title}", "", *_ranks(found, prior), *_against(found, prior), ""]
    return "\n".join([*lines, *_all(found)]) + "\n"


def _means(found: dict[str, dict[str, Any]], prior: str) -> dict[str, dict[str, float]]:
    return {
        name: {m: v["value"] for m, v in told[prior]["facts"]["means"].items()}
        for name, told in found.items()
    }


def _ranks(found: dict[str, dict[str, Any]], prior: str) -> list[str]:
    means = _means(found, prior)
    shared = sorted(set.intersection(*(set(own) for own in means.values()))) if means else []
    if len(means) < 2 or len(shared) < 2:
        return ["Too few data sets are finished for ranks.", ""]
    ranked = rank_methods([[own[m] for m in shared] for own in means.values()], shared)
    told = [f"| {name} | {rank:.2f} |" for name, rank in ranked.ranks.items()]
    critical = ranked.critical_difference
    differ = "no ranks differ" if critical is None else f"ranks differ from {critical:.2f} on"
    return [
        f"Average ranks over {len(means)} data sets (Friedman's p = {ranked.friedman.p:.2g}; "
        f"{differ}):",
        "",
        "| method | average rank |",
        "|---|---|",
        *told,
        "",
    ]


def _against(found: dict[str, dict[str, Any]], prior: str) -> list[str]:
    """Return on how many data sets each method wins, ties and loses against the control."""
    counts: dict[str, list[int]] = {}
    for told in found.values():
        for fact in told[prior]["facts"]["to_control"]:
            own = counts.setdefault(fact["method"], [0, 0, 0])
            own[1 if not fact["told_apart"] else 0 if fact["value"] > 0 else 2] += 1
    rows = [f"| {m} | {w} | {t} | {n} |" for m, (w, t, n) in sorted(counts.items())]
    return [f"| against {CONTROL} | better | not told apart | worse |", "|---|---|---|---|", *rows]


def _all(found: dict[str, dict[str, Any]]) -> list[str]:
    methods = list(dict.fromkeys(m for own in _means(found, "balanced").values() for m in own))
    rows = [
        f"| {name} | {' | '.join(_cell(told, m) for m in methods)} |"
        for name, told in found.items()
    ]
    return [
        "## Every data set",
        "",
        "Balanced accuracy in %, corrected; in brackets the 95 % interval.",
        "",
        f"| data | {' | '.join(methods)} |",
        "|" + "---|" * (len(methods) + 1),
        *rows,
    ]


def _cell(told: dict[str, Any], method: str) -> str:
    mean = told["balanced"]["facts"]["means"].get(method)
    if mean is None:
        return ""
    return "{value:.1f} ({low:.1f} to {high:.1f})".format(**{k: 100 * v for k, v in mean.items()})
