"""How fast a search gets better: random search, the sampler alone, and the whole of ours.

Each line of ``results/search_efficiency.jsonl`` is one search: the best score of a recipe that
was trained in full, on held-out examples, against the seconds since the search began. The metric
and the number of folds are the same for all searches of a data set. What is there is not
repeated.

    python benchmarks/search_efficiency.py digits --ratio 20 --folds 1 [--budget 4m] [--seeds 3]
    python benchmarks/search_efficiency.py FOLDER/yeast.csv --label target --folds 3
    python benchmarks/search_efficiency.py --table

``random`` and ``tpe`` begin with a recipe that they draw themselves; ``ours`` begins with the
prescription, the portfolio and variations of the prescription. All three stop bad recipes early.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines

from equipoise.data.options import ReadOptions
from equipoise.durations import parse_duration
from equipoise.executors import open_executor
from equipoise.experiment import Experiment
from equipoise.selection import MONITORS
from equipoise.tuning.clock import Clock
from equipoise.tuning.options import Options
from equipoise.tuning.records import Record
from equipoise.tuning.setup import set_up
from equipoise.tuning.tuner import Tuner

RESULTS = Path(__file__).parent / "results" / "search_efficiency.jsonl"

METHODS: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random", "portfolio": False},
    "tpe": {"portfolio": False},
    "ours": {},
}
"""Options of each search."""


class Curve:
    """Keeps when the best score of a full training has risen."""

    def __init__(self, clock: Clock, metric: str) -> None:
        self.clock, self.metric = clock, metric
        self.points: list[tuple[float, float]] = []
        self.states: dict[str, int] = {}

    def __call__(self, record: Record) -> None:
        """Take note of a trial that has ended."""
        self.states[record.state] = self.states.get(record.state, 0) + 1
        if record.state != "complete":
            return
        value, sign = record.scores[self.metric], 1 if MONITORS[self.metric] else -1
        if not self.points or sign * value > sign * self.points[-1][1]:
            self.points.append((round(self.clock.used, 2), round(value, 5)))


def searched(args: argparse.Namespace, method: str, seed: int) -> dict[str, Any]:
    """Search once; return the curve."""
    experiment = Experiment(
        source=args.data,
        options=ReadOptions(label=args.label),
        ratio=args.ratio,
        seed=seed,
        split_seed=seed,
        params={"device": "cpu"},
    )
    budget = parse_duration(args.budget)
    options = Options(budget=budget, metrics=(args.metric,), n_folds=args.folds, **METHODS[method])
    with tempfile.TemporaryDirectory() as name, open_executor("here") as executor:
        tuner = Tuner.make(experiment, Path(name, "run"), options)
        tuner.begin()
        search = set_up(
            tuner.plan.fit,
            tuner.layout,
            options,
            folder=tuner.search_folder,
            data=tuner.plan.fit.task,
            base=tuner.base,
            given=experiment.params,
            address=tuner.address,
        )
        clock = Clock(tuner.search_folder, budget)
        curve = Curve(clock, args.metric)
        search = search if options.portfolio else replace(search, first=[])
        search.run(executor, clock, [curve])
    return {"curve": curve.points, "trials": curve.states}


def measure(args: argparse.Namespace) -> None:
    """Run what is missing, seed by seed, the methods in turns."""
    own = {"data": Path(args.data).stem, "metric": args.metric, "folds": args.folds}
    done = [_key(line) for line in read_lines(RESULTS)]
    for seed in range(args.first_seed, args.seeds):
        for method in METHODS:
            told = {**own, "method": method, "seed": seed, "budget": args.budget}
            if _key(told) not in done:
                add_line(RESULTS, {**told, **searched(args, method, seed)})


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[k] for k in ("data", "metric", "folds", "budget", "method", "seed"))


def reached(curve: list[list[float]], value: float, metric: str) -> float | None:
    """Return the seconds after which a curve is at least as good as a value; None: never."""
    sign = 1 if MONITORS[metric] else -1
    times = [seconds for seconds, score in curve if sign * score >= sign * value]
    return min(times, default=None)


def table() -> str:
    """Return what was measured as a Markdown table."""
    lines = read_lines(RESULTS)
    told = [
        "| data | metric | random | TPE | ours | ours passes random's end after | seeds |",
        "|" + "---|" * 7,
    ]
    for search in dict.fromkeys(_key(line)[:4] for line in lines):
        own, data = [line for line in lines if _key(line)[:4] == search], search[0]
        ends = {
            method: {
                r["seed"]: r["curve"][-1][1] for r in own if r["method"] == method and r["curve"]
            }
            for method in METHODS
        }
        most = max(map(len, ends.values()))
        cells = [_cell(list(found.values()), most) for found in ends.values()]
        metric = own[0]["metric"]
        passed = [
            _passed(r["curve"], ends["random"].get(r["seed"]), metric)
            for r in own
            if r["method"] == "ours"
        ]
        when = ", ".join(passed)
        told.append(f"| {data} | {metric} | {' | '.join(cells)} | {when} | {len(passed)} |")
    return "\n".join(told)


def _cell(values: list[float], most: int) -> str:
    """Return the mean and deviation, and of how many seeds where others have more."""
    if len(values) < 2:
        return ", ".join(f"{value:.4f}" for value in values)
    told = f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
    return told if len(values) == most else f"{told} (n = {len(values)})"


def _passed(curve: list[list[float]], end: float | None, metric: str) -> str:
    """Return when a curve passes the end of random search, which may have come to none."""
    if end is None:
        return f"{curve[0][0]:.0f} s (random: no trial ended)" if curve else "neither has a result"
    seconds = reached(curve, end, metric)
    return "never" if seconds is None else f"{seconds:.0f} s"


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="as for `equipoise fit`")
    parser.add_argument("--label", help="label column of a table")
    parser.add_argument("--ratio", type=float, help="for images")
    parser.add_argument("--metric", default="balanced_log_loss")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="print the results")
    args = parser.parse_args()
    if args.table:
        print(table())
    elif args.data:
        measure(args)
    else:
        parser.error("give DATA or --table")


if __name__ == "__main__":
    main()
