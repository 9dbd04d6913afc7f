"""Why methods succeed or fail: the runs of a comparison, each diagnosed, beside its verdict.

Lines of ``results/why/NAME.jsonl`` are runs of the comparison in a folder of that name, with the
verdict in ``NAME.json``; what is there is not repeated. The tables of ``docs/why.md`` come from
them.

    equipoise compare fashion-mnist --ratio 100 --methods ... --seeds 3 --budget 2m --out fashion
    python benchmarks/why.py fashion
    python benchmarks/why.py --page
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines

from equipoise.comparison.results import read_results
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.diagnose import diagnose
from equipoise.diagnosis.evidence import observe
from equipoise.runs import Run
from equipoise.statistics.correlation import FEWEST, spearman
from equipoise.statistics.wording import number

RESULTS = Path(__file__).parent / "results" / "why"

PAGE = Path(__file__).parents[1] / "docs" / "_generated"

DRAWS = 2000
"""Times that methods are drawn anew for the interval of a rank correlation."""

MEASURES = {
    "recall_train": "recall of training examples",
    "gap": "training minus test recall",
    "nc1_train": "NC1, training features",
    "nc1_test": "NC1, test features",
    "cdnv_train": "CDNV, training features",
    "cdnv_test": "CDNV, test features",
    "nc2_simplex_train": "NC2, class means",
    "nc3": "NC3, rows and means",
    "nc4_test": "NC4, test features",
    "deviation": "feature deviation",
    "margin_train": "margin, training",
    "margin_test": "margin, test",
    "row_slope": "slope of row lengths",
    "rare_row_cosine": "cosine of rare rows",
    "rise": "rise of the loss",
    "eigenvalue_all": "top eigenvalue",
    "prior_bias": "gain of correction",
    "probe": "test recall of a linear probe",
    "top_label_corrected": "calibration error",
    "top_label_tempered": "calibration error after a temperature",
}
"""Measures of a run by name, and what the page calls them."""


def look(folder: Path) -> None:
    """Diagnose each run of a comparison that was not yet, and keep its verdict."""
    results = read_results(folder)
    kept = RESULTS / f"{folder.name}.jsonl"
    done = {(line["method"], line["seed"]) for line in read_lines(kept)}
    data: dict[str, Any] = {}
    for method in results.methods:
        for (seed, order), entry in results.entries[method].items():
            if order == 0 and (method, seed) not in done:
                add_line(kept, {"method": method, "seed": seed, **looked_at(entry.path, data)})
    verdict = json.loads((folder / "verdict.json").read_text("utf-8"))
    kept.with_suffix(".json").write_text(json.dumps(verdict, indent=1) + "\n", "utf-8")


def looked_at(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Return the scores, the ledger and the measures of one run."""
    run = Run.open(path)
    source = run.config["data"]["source"]
    if source not in data:
        reading = run.config["data"].get("reading") or {}
        data[source] = load(source, ReadOptions(label=reading.get("label")))
    found = diagnose(observe(run, data[source], device="cpu"))
    return {
        "scores": {name: score["value"] for name, score in found["scores"].items()},
        "ledger": {loss["cause"]: loss["value"] for loss in found["ledger"]},
        "overall": {**found["overall"], "probe": found["probe"]["test"]},
    }


def page() -> None:
    """Write the tables of all comparisons that were looked at."""
    PAGE.mkdir(exist_ok=True)
    for path in sorted(RESULTS.glob("*.jsonl")):
        verdict = json.loads(path.with_suffix(".json").read_text("utf-8"))
        lines = read_lines(path)
        for name, told in {
            "prior": prior_table(verdict),
            "ledger": ledger_table(lines),
            "gaps": gap_table(lines),
            "order": order_table(lines),
        }.items():
            PAGE.joinpath(f"why-{path.stem}-{name}.md").write_text("\n".join(told) + "\n", "utf-8")


def prior_table(verdict: dict[str, Any]) -> list[str]:
    """Return each method's gain over plain training, as trained and after correction."""
    gains: dict[str, list[dict[str, Any]]] = {}
    for prior in ("as_trained", "balanced"):
        for fact in verdict[prior]["facts"]["to_control"]:
            gains.setdefault(fact["method"], []).append(fact)
    rows = [f"| {name} | {' | '.join(map(_gain, facts))} |" for name, facts in gains.items()]
    head = "| method | gain as trained | gain when both are corrected |"
    return [head, "|---|---|---|", *rows]


def ledger_table(lines: list[dict[str, Any]]) -> list[str]:
    """Return where each method loses points, over seeds, the best method first."""
    causes = list(max((line["ledger"] for line in lines), key=len))
    told = [
        f"| method | corrected | {' | '.join(causes)} |",
        "|" + "---|" * (len(causes) + 2),
    ]
    for method, own in _by_method(lines):
        cells = [_mean([line["ledger"].get(cause) for line in own]) for cause in causes]
        scores = _mean([line["scores"]["corrected"] for line in own])
        told.append(f"| {method} | {scores} | {' | '.join(cells)} |")
    return told


def gap_table(lines: list[dict[str, Any]]) -> list[str]:
    """Return by how much training examples are recognised better than others."""
    told = ["| method | training minus test | training minus validation |", "|---|---|---|"]
    for method, own in _by_method(lines):
        gaps = [_gaps([line["overall"] for line in own], part) for part in ("test", "validation")]
        told.append(f"| {method} | {' | '.join(gaps)} |")
    return told


def _by_method(lines: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the lines of each method, the best first."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for line in sorted(lines, key=lambda line: line["seed"]):
        by_method.setdefault(line["method"], []).append(line)
    scores = {m: np.mean([r["scores"]["corrected"] for r in own]) for m, own in by_method.items()}
    return [(name, by_method[name]) for name in sorted(scores, key=lambda name: -scores[name])]


def _gaps(measures: list[dict[str, Any]], part: str) -> str:
    """Return the mean gap and that of each seed; nothing where a part has no examples."""
    held = [own.get(f"recall_{part}") for own in measures]
    if None in held:
        return ""
    gaps = [own["recall_train"] - other for own, other in zip(measures, held, strict=True)]
    return f"{_mean(gaps)} ({', '.join(number(gap, 'accuracy') for gap in gaps)})"


def _mean(values: list[float | None]) -> str:
    """Return points and their standard error over seeds.

    Nothing where a cause cannot be told, as a shift without validation examples.

    >>> _mean([0.1, 0.2, 0.3]), _mean([0.1, None])
    ('20.0 ± 5.8', '')
    """
    if None in values:
        return ""
    own = np.array(values, dtype=float)
    error = own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else None
    more = "" if error is None else f" ± {number(error, 'accuracy')}"
    return f"{number(own.mean(), 'accuracy')}{more}"


def order_table(lines: list[dict[str, Any]]) -> list[str]:
    """Return the rank correlation of each measure with success, the strongest first."""
    scores = [line["scores"]["corrected"] for line in lines]
    groups = [line["method"] for line in lines]
    found = []
    for name, called in MEASURES.items():
        values = [line["overall"].get(name) for line in lines]
        known = [i for i, value in enumerate(values) if value is not None]
        if len(known) >= FEWEST:
            pairs = np.array([(scores[i], values[i]) for i in known], dtype=float)
            found.append((called, len(known), *correlation(pairs, [groups[i] for i in known])))
    found.sort(key=lambda each: -abs(each[2]))
    rows = [f"| {c} | {n} | {r:.2f} ({lo:.2f} to {hi:.2f}) |" for c, n, r, lo, hi in found]
    return ["| measure | runs | rank correlation with balanced accuracy |", "|---|---|---|", *rows]


def correlation(pairs: np.ndarray, groups: list[str]) -> tuple[float, float, float]:
    """Return Spearman's coefficient, and its interval with whole methods drawn anew.

    >>> pairs = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])
    >>> correlation(pairs, ["a", "b", "c", "d"])[0]
    -1.0
    """
    names = sorted(set(groups))
    places = [np.flatnonzero(np.array(groups) == name) for name in names]
    random, drawn = np.random.default_rng(0), []
    while len(drawn) < DRAWS:
        again = random.integers(len(names), size=len(names))
        rows = pairs[np.concatenate([places[i] for i in again])]
        if not (rows == rows[0]).all(axis=0).any():
            drawn.append(spearman(*rows.T))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return spearman(*pairs.T), float(low), float(high)


def _gain(fact: dict[str, Any]) -> str:
    low, high, value = (100 * fact[name] for name in ("low", "high", "value"))
    told = "" if fact["told_apart"] else ", not told apart"
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f}){told}"


def main() -> None:
    """Diagnose the runs of a comparison, or write the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("comparison", nargs="?", type=Path, help="folder of a comparison")
    parser.add_argument("--page", action="store_true", help="write the tables of docs/why.md")
    args = parser.parse_args()
    if args.comparison:
        look(args.comparison)
    elif not args.page:
        parser.error("give the folder of a comparison, or --page")
    page()


if __name__ == "__main__":
    main()
