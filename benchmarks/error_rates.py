"""How often methods that are alike are told apart: rates of error of comparisons, by simulation.

Two methods of equal balanced accuracy, or of equal macro-F1, answer for common and rare classes,
one of each or five. *Alike*, both find the same share of each class. *Trading*, one finds so many
of the rare classes in the mean, and the other none but as much more of the common ones. Kept is
which share of samples has p at or below each level.

    python benchmarks/error_rates.py            # what is missing
    python benchmarks/error_rates.py --table
"""

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines

from equipoise.statistics.paired import Predictions, differences

RESULTS = Path(__file__).parent / "results" / "error_rates.jsonl"

LEVELS = {"0.05": 0.05, "0.05 / 28": 0.05 / 28}
"""The usual one, and what Holm's correction makes of it for the first of 28 pairs."""

CASES = (("balanced_accuracy", "trading"), ("balanced_accuracy", "alike"), ("macro_f1", "alike"))
"""Macro-F1 is not kept equal by such a trade."""

COMMON, RARE = ((300, 1), (3000, 1), (200, 5)), (5, 10, 30)
"""Examples of each common class with the number of classes, and of each rare class."""

SEEDS = ((1, True), (3, True), (3, False))
"""Number of seeds, and whether all have the same test rows."""

FOUND = (2.2, 3.0, 5.0)
"""How many of all rare classes are found in the mean, over all rows that differ."""


def main() -> None:
    """Simulate, or print what came out."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--table", action="store_true", help="print the results")
    args = parser.parse_args()
    if args.table:
        print(table(read_lines(RESULTS)))
        return
    done = [each["setting"] for each in read_lines(RESULTS)]
    for setting in settings():
        if setting not in done:
            rates = rates_of(setting, args.samples)
            add_line(RESULTS, {"setting": setting, "samples": args.samples, "rates": rates})


def table(lines: list[dict[str, Any]]) -> str:
    """Return the mean and the largest rate of each metric and kind, as Markdown."""
    rows = [f"| metric | methods | settings | {' | '.join(LEVELS)} |", "|---|---|---|---|---|"]
    for metric, kind in CASES:
        own = [
            each["rates"]
            for each in lines
            if (each["setting"]["metric"], each["setting"]["kind"]) == (metric, kind)
        ]
        if own:
            cells = [
                f"{np.mean([r[name] for r in own]):.1%}, at most {max(r[name] for r in own):.1%}"
                for name in LEVELS
            ]
            rows.append(f"| {metric} | {kind} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def settings() -> list[dict[str, Any]]:
    """Return what is simulated."""
    found = []
    for (metric, kind), (common, classes), rare, (n_seeds, same), mean in itertools.product(
        CASES, COMMON, RARE, SEEDS, FOUND
    ):
        recall = mean / (classes * rare * (1 if same else n_seeds))
        if recall <= 0.7:
            found.append(
                {
                    "metric": metric, "kind": kind,
                    "classes": classes, "common": common, "rare": rare,
                    "seeds": n_seeds, "same_rows": same, "recall": recall,
                }
            )  # fmt: skip
    return found


def rates_of(setting: dict[str, Any], n_samples: int) -> dict[str, float]:
    """Return which share of samples, drawn with seed 0, is told apart at each level."""
    random = np.random.default_rng(0)
    p = [
        differences(sample(setting, random), setting["metric"]).differences[0].p
        for _ in range(n_samples)
    ]
    return {name: float(np.mean(np.array(p) <= level)) for name, level in LEVELS.items()}


def sample(setting: dict[str, Any], random: np.random.Generator) -> dict[str, list[Predictions]]:
    """Return what both methods predict, for all seeds.

    Methods that trade agree as far as they can: an example is as easy for one as for the other.
    """
    k = setting["classes"]
    codes = np.repeat(np.arange(2 * k), np.repeat([setting["common"], setting["rare"]], k))
    first, second = np.array([0.98, setting["recall"]]), np.array([0.98, setting["recall"]])
    if setting["kind"] == "trading":
        first, second = np.array([0.98 - setting["recall"], setting["recall"]]), np.array([0.98, 0])
    methods: dict[str, list[Predictions]] = {"first": [], "second": []}
    for number in range(setting["seeds"]):
        ids = np.arange(len(codes)) + (0 if setting["same_rows"] else number * len(codes))
        ease = random.random(len(codes))
        for name, chances in (("first", first), ("second", second)):
            own = random.random(len(codes)) if setting["kind"] == "alike" else ease
            right = own < chances[codes // k]
            logits = np.eye(2 * k)[np.where(right, codes, (codes + k) % (2 * k))]
            methods[name].append(Predictions(codes=codes, logits=logits, ids=ids))
    return methods


if __name__ == "__main__":
    main()
