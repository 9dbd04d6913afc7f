"""One change of the prescription for tables at a time, over many tables, on training parts alone.

The sealed test part of every table is left out. The rest is divided into folds; each recipe is
trained on all but one of them and judged by balanced log-loss and balanced accuracy on the one
that is held out, which also chooses its epoch. One line a table and recipe is appended to
``results/table_defaults.jsonl``; what is there is not repeated.

    python benchmarks/table_defaults.py FOLDER/yeast.csv FOLDER/keel/*.csv [--folds 3]
    python benchmarks/table_defaults.py --table
    python benchmarks/table_defaults.py --portfolio

Tables that `benchmarks/tuned.py` shall judge the prescription by are not given here.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines
from scipy.stats import wilcoxon

from equipoise.data.options import ReadOptions
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.plan import Plan
from equipoise.recipes import RECIPES
from equipoise.seeds import derive_seed
from equipoise.tuning.folds import folds_of
from equipoise.tuning.scores import HeldOut

RESULTS = Path(__file__).parent / "results" / "table_defaults.jsonl"

METRICS = ("balanced_log_loss", "balanced_accuracy", "macro_f1", "log_loss")

RECIPES_TRIED: dict[str, dict[str, Any]] = {
    "prescribed": {},
    "standard scaling": {"scaling": "standard"},
    "quantile scaling": {"scaling": "quantile"},
    "batch 32": {"batch_size": 32},
    "batch 256": {"batch_size": 256},
    "constant rate": {"schedule": "Constant(warmup=0.0)"},
    "no averaging": {"average": None},
    "rate 0.003": {"optimizer": "AdamW(lr=0.003)"},
    "rate 0.0003": {"optimizer": "AdamW(lr=0.0003)"},
    "weight decay 0.1": {"optimizer": "AdamW(weight_decay=0.1)"},
    "three times the epochs": {"epochs": 90},
    "uniform smoothing": {"smoothing": "Uniform(eps=0.1)"},
    "piecewise embeddings": {"backbone": 'MLP(numeric="piecewise")'},
    "TabularResNet": {"backbone": "TabularResNet(numeric=None)"},
    "naive": {**RECIPES["naive"].params, **RECIPES["naive"].table},
}
"""What each recipe changes in the prescription."""


def judged(plan: Plan, changes: dict[str, Any], n_folds: int) -> dict[str, Any]:
    """Train a recipe on each fold; return the scores of all held-out examples, and its cost."""
    params = {**plan.params, **changes}
    found, started = [], time.process_time()
    for number, fold in enumerate(folds_of(plan.fit.task, n_folds, plan.experiment.seed)):
        task = replace(plan.fit.task, train=fold.train, validation=fold.validation)
        fit = Fit.prepare(task, params, derive_seed(plan.experiment.seed, "fold", number))
        fit.run()
        logits = fit.training.corrected(fit.model.logits(task.X, fold.validation))
        found.append(HeldOut(fold.validation, task.codes[fold.validation], logits))
    scores = HeldOut.join(found).scores()
    return {
        "scores": {name: round(scores[name], 5) for name in METRICS},
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def measure(args: argparse.Namespace) -> None:
    """Train what is missing, table by table."""
    done = {(line["data"], line["recipe"], line["folds"]) for line in read_lines(RESULTS)}
    for path in args.tables:
        missing = [r for r in RECIPES_TRIED if (path.stem, r, args.folds) not in done]
        if not missing:
            continue
        experiment = Experiment(
            source=str(path),
            options=ReadOptions(label=args.label),
            rare="drop",
            params={"device": "cpu", "prior": "balanced", "monitor": "balanced_log_loss"},
        )
        plan = Plan.make(experiment)
        for recipe in missing:
            told = {"data": path.stem, "recipe": recipe, "folds": args.folds}
            add_line(RESULTS, {**told, **judged(plan, RECIPES_TRIED[recipe], args.folds)})


def table() -> str:
    """Return differences to the prescription over all tables as a Markdown table."""
    lines = read_lines(RESULTS)
    base = {line["data"]: line for line in lines if line["recipe"] == "prescribed"}
    told = [
        "| recipe | log-loss, median ratio | better on | p | balanced accuracy | cost |",
        "|" + "---|" * 6,
    ]
    for recipe in RECIPES_TRIED:
        own = [r for r in lines if r["recipe"] == recipe and r["data"] in base]
        if recipe != "prescribed" and own:
            told.append(f"| {recipe} | {_cells(own, base)} |")
    return "\n".join(told)


def _cells(own: list[dict[str, Any]], base: dict[str, dict[str, Any]]) -> str:
    def pairs(name: str) -> np.ndarray:
        return np.array([(r["scores"][name], base[r["data"]]["scores"][name]) for r in own])

    losses, recalls = pairs("balanced_log_loss"), pairs("balanced_accuracy")
    ratio, gains = losses[:, 0] / losses[:, 1], 100 * (recalls[:, 0] - recalls[:, 1])
    p = wilcoxon(np.log(ratio)).pvalue if len(own) > 5 else float("nan")
    error = np.std(gains, ddof=1) / len(own) ** 0.5 if len(own) > 1 else float("nan")
    cost = np.median([r["cpu_seconds"] / base[r["data"]]["cpu_seconds"] for r in own])
    return (
        f"{np.median(ratio):.3f} | {(ratio < 1).sum()} of {len(own)} | {p:.3f} | "
        f"{gains.mean():+.1f} ± {error:.1f} | {cost:.2f}"
    )


def portfolio() -> str:
    """Return the recipes in the order in which each adds the most to those before it.

    What counts is the geometric mean over tables of the best balanced log-loss so far, as a share
    of the prescription's. The best of several is also a little better by chance alone.
    """
    losses: dict[str, dict[str, float]] = {}
    for line in read_lines(RESULTS):
        losses.setdefault(line["data"], {})[line["recipe"]] = line["scores"]["balanced_log_loss"]
    logs = {name: np.log([own[name] for own in losses.values()]) for name in RECIPES_TRIED}
    best, told = logs.pop("prescribed"), ["| recipe | best so far |", "|---|---|"]
    base = best
    while logs:
        name = min(logs, key=lambda each: np.minimum(best, logs[each]).mean())
        best = np.minimum(best, logs.pop(name))
        told.append(f"| {name} | {np.exp((best - base).mean()):.3f} |")
    return "\n".join(told)


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("tables", nargs="*", type=Path)
    parser.add_argument("--label", default="target")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="print the results")
    parser.add_argument("--portfolio", action="store_true", help="print which add to each other")
    args = parser.parse_args()
    if args.table or args.portfolio:
        print(table() if args.table else portfolio())
    elif args.tables:
        measure(args)
    else:
        parser.error("give TABLES or --table")


if __name__ == "__main__":
    main()
