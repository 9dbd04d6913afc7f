"""What the atlas says over all data sets, from the verdicts that are kept beside it."""

import json
import statistics
from pathlib import Path
from typing import Any

from common import read_lines, write_picture

from equipoise.report.plots.ranks import critical_differences
from equipoise.report.plots.theme import themed
from equipoise.statistics.ranks import Ranked, averaged, rank_methods
from equipoise.statistics.wording import counted

Found = dict[str, dict[str, Any]]
"""Verdict of each comparison by name, with what its data are as ``data``."""

CHOSEN_ON = ("shuttle", "fashion-mnist", "cifar10")
"""Beside those of ``table_defaults.jsonl``, data that parts of the prescription were chosen on."""

PARTS = {
    "fair": "Tables that nothing was chosen on",
    "chosen": "Tables that defaults or the portfolio of the search were chosen on",
    "images": "Images, on which defaults were chosen",
}
"""What is ranked together, with its heading: images have other methods than tables."""

IMAGES, N_IMAGES, N_TABLES = ("fashion-mnist-", "cifar10-"), 4, 26
"""How sets of images are called, and how many data sets of each kind there are to measure."""

PRIORS = (("balanced", "Corrected to equal classes"), ("as_trained", "As trained"))


def summarised(results: Path) -> Found:
    """Return the verdict of each comparison, by name, with what tells its data from others."""
    found = {}
    for path in sorted(results.glob("*/verdict.json")):
        setup = json.loads((path.parent / "comparison.json").read_text("utf-8"))["setup"]
        told = json.loads(path.read_text("utf-8"))
        found[path.parent.name] = {**told, "data": setup["fingerprint"]}
    return found


def chosen_on(name: str) -> bool:
    """Whether our defaults, or the portfolio of the search, were chosen on the data of a name."""
    results = Path(__file__).parents[1] / "results" / "table_defaults.jsonl"
    own = {*CHOSEN_ON, *(line["data"] for line in read_lines(results))}
    return any(name == each or name.startswith(f"{each}-") for each in own)


def part_of(name: str) -> str:
    """Return which of `PARTS` the data of a name belong to."""
    if name.startswith(IMAGES):
        return "images"
    return "chosen" if chosen_on(name) else "fair"


def page(found: Found, pictures: Path) -> str:
    """Return the page in Markdown, and draw its pictures into a folder beside it."""
    lines = [
        "# Atlas",
        "",
        "Methods on real data with equal time, made by",
        "`python benchmarks/atlas/atlas.py --work WORK`; what each comparison says is in",
        "`benchmarks/atlas/results/`. Balanced accuracy on sealed test examples; a method is",
        "better or worse where the comparison's own verdict tells it apart ({doc}`comparison`).",
        "Ranks are over data sets: the same data at two imbalance ratios counts once, by the mean.",
        "",
        "Each run has 15 seconds of one core on tables and two minutes on images, searches",
        f"included{_seeds(found)}.",
        f"**{_measured(found)}** The command goes on where it stopped. It needs",
        '`pip install -e ".[opponents]"` and `python benchmarks/assets`.',
        "",
        "The defaults of `prescribed` and the recipes that `tuned` tries first were chosen on some",
        "of these data (on other splits or on training parts, {doc}`log`), the other methods were",
        "not. So only the first part is a fair trial of these two.",
        "",
    ]
    for part, title in PARTS.items():
        own = {name: told for name, told in found.items() if part_of(name) == part}
        lines += [f"## {title}", "", f"{', '.join(own) or 'None yet'}.", ""]
        for prior, heading in PRIORS:
            diagram = pictures / f"atlas-{part}-{prior}.svg"
            told = [*_ranks(own, prior, diagram), *_to_best(own, prior), "", *_against(own, prior)]
            lines += [f"### {heading}", "", *_of_stars(own, prior), *told, ""]
    return "\n".join([*lines, *_costs(found), *_all(found)]) + "\n"


def _measured(found: Found) -> str:
    """Return how much of the atlas there is."""
    images = sum(name.startswith(IMAGES) for name in found)
    told = f"{len(found) - images} of {N_TABLES} tables and {images} of {N_IMAGES} sets of images"
    return f"{told} are measured so far."


def _seeds(found: Found) -> str:
    """Return how many seeds the comparisons of each kind have, as their verdicts tell it."""
    told = []
    for kind, is_of_images in (("tables", False), ("images", True)):
        own = [each for name, each in found.items() if name.startswith(IMAGES) == is_of_images]
        numbers = sorted({each["balanced"]["facts"]["n_seeds"] for each in own})
        if numbers:
            *some, most = numbers
            others = "".join(f"{n} or " for n in some)
            told.append(f"{others}{counted(most, 'seed')} on {kind}")
    return f"; {', '.join(told)}, each with a split of its own" if told else ""


def _heuristic(found: Found, prior: str) -> set[str]:
    """Return methods whose figures rest on a correction that is a heuristic."""
    rows = [row for told in found.values() for row in told["leaderboard"]]
    return {row["method"] for row in rows if prior == "balanced" and not row["exact_prior"]}


def _names(found: Found, prior: str) -> dict[str, str]:
    """Return how each method is called: with a star where the correction is a heuristic."""
    unsure = _heuristic(found, prior)
    methods = [m for own in _means(found, prior).values() for m in own]
    return {m: f"{m} *" if m in unsure else m for m in methods}


def _of_stars(found: Found, prior: str) -> list[str]:
    if not _heuristic(found, prior):
        return []
    return ["A star: the correction is a heuristic, and another may rank the method better.", ""]


def _means(found: Found, prior: str) -> dict[str, dict[str, float]]:
    return {
        name: {m: v["value"] for m, v in told[prior]["facts"]["means"].items()}
        for name, told in found.items()
    }


def _ranks(found: Found, prior: str, diagram: Path) -> list[str]:
    means, data = _means(found, prior), [told["data"] for told in found.values()]
    shared = sorted(set.intersection(*(set(own) for own in means.values()))) if means else []
    if len(set(data)) < 2 or len(shared) < 2:
        return ["Too few data sets are finished for ranks.", ""]
    table = averaged([[own[m] for m in shared] for own in means.values()], data)
    names = _names(found, prior)
    ranked = rank_methods(table, [names[m] for m in shared])
    told = [f"| {name} | {rank:.2f} |" for name, rank in ranked.ranks.items()]
    described = _draw(ranked, diagram)
    critical = ranked.critical_difference
    differ = "no ranks differ" if critical is None else f"ranks differ from {critical:.2f} on"
    return [
        f"Average ranks over {ranked.n_sets} data sets (Friedman's {ranked.friedman.p_in_words}; "
        f"{differ}):",
        "",
        "| method | average rank |",
        "|---|---|",
        *told,
        "",
        f"![{described}]({diagram.parent.name}/{diagram.name})",
        "",
    ]


def _draw(ranked: Ranked, path: Path) -> str:
    """Draw the critical-difference diagram, and return what it shows in words."""
    with themed(path.stem):
        picture = critical_differences(ranked.ranks, ranked.cliques, ranked.critical_difference)
    write_picture(picture, path)
    return picture.description


def _to_best(found: Found, prior: str) -> list[str]:
    """Return in how many comparisons each method wins, ties with the best, and loses to it."""
    counts: dict[str, list[int]] = {}
    names = _names(found, prior)
    for told in found.values():
        facts = told[prior]["facts"]
        counts.setdefault(facts["best"], [0, 0, 0])[0] += 1
        for fact in facts["to_best"]:
            counts.setdefault(fact["method"], [0, 0, 0])[2 if fact["told_apart"] else 1] += 1
    ordered = sorted(counts.items(), key=lambda each: (each[1][2], -each[1][0]))
    rows = [f"| {names[m]} | {best} | {ties} | {worse} |" for m, (best, ties, worse) in ordered]
    head = "| comparisons of | best mean | not told apart from the best | worse than the best |"
    return [head, "|---|---|---|---|", *rows] if rows else []


def _against(found: Found, prior: str) -> list[str]:
    """Return in how many comparisons each method wins, ties and loses against the control."""
    counts: dict[tuple[str, str], list[int]] = {}
    names = _names(found, prior)
    for told in found.values():
        for fact in told[prior]["facts"]["to_control"]:
            own = counts.setdefault((fact["method"], fact["reference"]), [0, 0, 0])
            own[1 if not fact["told_apart"] else 0 if fact["value"] > 0 else 2] += 1
    rows = [
        f"| {names[m]} | {names[c]} | {w} | {t} | {n} |"
        for (m, c), (w, t, n) in sorted(counts.items())
    ]
    head = "| comparisons of | with | better | not told apart | worse |"
    return [head, "|---|---|---|---|---|", *rows] if rows else []


def _costs(found: Found) -> list[str]:
    """Return what each method has taken: a time that is kept to is equal, one that is not, not."""
    rows: dict[str, list[tuple[float, float | None, str]]] = {}
    names = _names(found, "balanced")
    for name, told in found.items():
        for row in told["leaderboard"]:
            rows.setdefault(row["method"], []).append((row["seconds"], row["epochs"], name))
    lines = []
    for method, own in rows.items():
        seconds, epochs = [each[0] for each in own], [each[1] for each in own if each[1]]
        longest, _, where = max(own)
        trained = f"{statistics.median(epochs):.0f}" if epochs else ""
        lines.append(
            f"| {names[method]} | {statistics.median(seconds):.1f} | {longest:.1f} ({where}) | "
            f"{trained} |"
        )
    return [
        "## Time and epochs",
        "",
        "Seconds of a run, searches included: the median over comparisons, and the longest mean,",
        "where a step or an import took more than was planned. Epochs are those of the final",
        "training, the median. A star, here and below: correction to equal classes is a heuristic.",
        "",
        "| method | seconds | longest | epochs |",
        "|---|---|---|---|",
        *lines,
        "",
    ]


def _all(found: Found) -> list[str]:
    methods = _names(found, "balanced")
    rows = [
        f"| {name} | {' | '.join(_cell(told, m) for m in methods)} |"
        for name, told in found.items()
    ]
    return [
        "## Every comparison",
        "",
        "Balanced accuracy in %, corrected; in brackets the 95 % interval.",
        "",
        f"| data | {' | '.join(methods.values())} |",
        "|" + "---|" * (len(methods) + 1),
        *rows,
    ]


def _cell(told: dict[str, Any], method: str) -> str:
    mean = told["balanced"]["facts"]["means"].get(method)
    if mean is None:
        return ""
    return "{value:.1f} ({low:.1f} to {high:.1f})".format(**{k: 100 * v for k, v in mean.items()})
