"""Tuned recipes beside the prescription, naive defaults and, on tables, other learners.

Each line of ``results/tuned/NAME.jsonl`` is one way to spend a budget on one data set with one
seed, which draws the split, the imbalance and the training. What is there is not repeated.

    python benchmarks/tuned.py fashion-mnist --ratio 100 --budget 15m --seeds 2
    python benchmarks/tuned.py FOLDER/yeast.csv --label target --budget 3m --seeds 2
    python benchmarks/tuned.py --table fashion-mnist yeast

``prescribed`` and ``naive`` train for their automatic epochs; with ``final`` for as long as the
final training of the tuned recipe took, with ``total`` for the whole budget.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, mean_and_deviation, read_lines

from equipoise.data.options import ReadOptions
from equipoise.durations import parse_duration
from equipoise.executors import open_executor
from equipoise.experiment import Experiment, prepare
from equipoise.metrics import evaluate
from equipoise.plan import Plan
from equipoise.runs import Run
from equipoise.tuning.options import Options
from equipoise.tuning.tuner import Tuner
from opponents import OPPONENTS, Answer, Rows, tuned_lightgbm

RESULTS = Path(__file__).parent / "results" / "tuned"

METRICS = ("balanced_accuracy", "macro_f1", "balanced_log_loss", "log_loss")

TRAINED = ("prescribed", "prescribed, final", "prescribed, total", "naive", "naive, final")
IMAGES = ("tuned", *TRAINED, "naive, total")
TABLES = (*IMAGES, "tuned, ensemble", "TabM", *OPPONENTS, "lightgbm, tuned")
"""Ways to spend the budget; the tuned one first, for others take their time from it."""

MEMBERS = 5
"""Recipes in an ensemble, at most."""

PACED = 2
"""Epochs by which the pace of a recipe is measured that was not trained as it is."""

SPARE = 0.95
"""Share of a time that is planned for epochs, where as many as fit are trained."""


class Case:
    """One data set, cut by one seed, and the budget."""

    def __init__(self, args: argparse.Namespace, seed: int) -> None:
        self.args, self.seed = args, seed
        self.is_table = Path(args.data).suffix in (".csv", ".parquet")
        self.budget = parse_duration(args.budget)
        self.paces: dict[str, float] = {}
        self.done = {
            line["way"]: line for line in read_lines(args.out) if self._key == _key_of(line)
        }

    @property
    def _key(self) -> tuple[Any, ...]:
        return (self.seed, None if self.is_table else self.args.ratio, self.budget)

    def experiment(self, recipe: str = "prescribed", **params: Any) -> Experiment:
        """Return the data, with a recipe."""
        return Experiment(
            source=self.args.data,
            options=ReadOptions(label=self.args.label),
            rare=self.args.rare,
            ratio=None if self.is_table else self.args.ratio,
            seed=self.seed,
            split_seed=self.seed,
            recipe=recipe,
            params={"device": "cpu", **params},
        )

    def measure(self, way: str) -> None:
        """Go one way, and keep what was found."""
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = self._gone(way, Path(folder, "run"))
        seed, ratio, budget = self._key
        told = {"way": way, "seed": seed, "ratio": ratio, "budget": budget}
        line = {**told, "seconds": round(time.monotonic() - begun, 1), **found}
        self.done[way] = line
        add_line(self.args.out, line)

    def _gone(self, way: str, folder: Path) -> dict[str, Any]:
        if way in ("tuned", "tuned, ensemble"):
            return self._tuned(folder, ensemble=1 if way == "tuned" else MEMBERS)
        if way == "TabM":
            return self._fitted(folder, backbone="TabM(numeric=None)")
        recipe, _, length = way.partition(", ")
        if recipe in ("prescribed", "naive"):
            return self._fitted(folder, recipe, **self._epochs(recipe, length))
        return self._answered(way)

    def _epochs(self, recipe: str, length: str) -> dict[str, int]:
        """Return as many epochs as the final training, or the budget, is long."""
        if not length:
            return {}
        seconds = self.done["tuned"]["training_seconds"] if length == "final" else self.budget
        return {"epochs": max(1, round(SPARE * seconds / self._epoch_seconds(recipe)))}

    def _epoch_seconds(self, recipe: str) -> float:
        """Return how long an epoch takes: as in the automatic run, or in one of two epochs."""
        if recipe not in self.done and recipe not in self.paces:
            with tempfile.TemporaryDirectory() as folder:
                found = self._fitted(Path(folder, "run"), recipe, epochs=PACED)
            self.paces[recipe] = found["training_seconds"] / PACED
        if recipe in self.paces:
            return self.paces[recipe]
        automatic = self.done[recipe]
        return automatic["training_seconds"] / automatic["epochs"]

    def _fitted(self, folder: Path, recipe: str = "prescribed", **params: Any) -> dict[str, Any]:
        return scores_of_run(Plan.make(self.experiment(recipe, **params)).run(folder))

    def _tuned(self, folder: Path, ensemble: int) -> dict[str, Any]:
        options = Options(budget=self.budget, ensemble=ensemble)
        tuner = Tuner.make(self.experiment(), folder, options)
        with open_executor("here") as executor:
            tuner.search(executor)
        run = tuner.finish()
        found = run.read_json("tuning.json")
        states = [trial["state"] for trial in found["trials"]]
        names = ("metrics", "n_folds", "taken", "best", "alike", "over_prescription")
        more = ("over_prescription_error", "validation", "test", "optimism")
        told = {name: found[name] for name in (*names, *more)}
        trials = {state: states.count(state) for state in sorted(set(states))}
        recipe = run.config["classifier"]
        return {**scores_of_run(run), "search": {**told, "trials": trials, "recipe": recipe}}

    def _answered(self, way: str) -> dict[str, Any]:
        parts = prepare(self.experiment(), 0.0)
        rows = Rows.of(
            parts.dataset.X,
            codes=parts.dataset.codes,
            pool=parts.train,
            test=parts.test,
            n_classes=len(parts.dataset.classes),
        )
        if way == "lightgbm, tuned":
            search = self.done["tuned"]["search"]
            judge = {"metric": search["metrics"][0], "folds": search["n_folds"]}
            answer = tuned_lightgbm(rows, self.seed, seconds=self.budget, **judge)
        else:
            answer = OPPONENTS[way](rows, self.seed)
        return scores_of_answer(answer, rows, list(parts.dataset.classes))


def _key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    return (line["seed"], line["ratio"], line["budget"])


def scores_of_run(run: Run) -> dict[str, Any]:
    """Return the test metrics of a run, and how long its last training was."""
    test = run.read_json("metrics.json")["test"]
    seconds = sum(row["seconds"] for row in run.history)
    length = {"training_seconds": round(seconds, 1), "epochs": len(run.history)}
    return {**{prior: brief(test[prior]) for prior in ("as_is", "balanced")}, **length}


def scores_of_answer(answer: Answer, rows: Rows, classes: list[str]) -> dict[str, Any]:
    """Return the test metrics of another learner, as it is and for equal classes."""
    even = np.full(rows.n_classes, 1 / rows.n_classes)
    found = {}
    for name, prior in (("as_is", None), ("balanced", even)):
        metrics = evaluate(
            answer.logits,
            rows.codes[rows.test],
            classes=classes,
            train_counts=rows.counts,
            prior=prior,
            train_prior=answer.prior,
        )
        found[name] = brief(metrics)
    return {**found, **({"search": dict(answer.facts)} if answer.facts else {})}


def brief(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics that the tables show."""
    rarest = sorted(metrics["per_class"], key=lambda entry: entry["n_train"])[:3]
    found = {name: metrics["overall"][name]["value"] for name in METRICS}
    found["recall_of_three_rarest"] = float(np.mean([r["recall"]["value"] for r in rarest]))
    return found


def table(name: str) -> str:
    """Return the runs of one data set as a Markdown table: mean and standard deviation, in %."""
    lines = read_lines(RESULTS / f"{name}.jsonl")
    told = [
        f"| {name} | balanced accuracy | corrected | three rarest | corrected | macro-F1 | "
        "log-loss, corrected | minutes | seeds |",
        "|" + "---|" * 9,
    ]
    for budget in sorted({line["budget"] for line in lines}):
        ways = dict.fromkeys(line["way"] for line in lines if line["budget"] == budget)
        for way in ways:
            own = [r for r in lines if r["way"] == way and r["budget"] == budget]
            told.append(f"| {way}, {budget / 60:g} min | {' | '.join(_cells(own))} |")
    return "\n".join(told)


def _cells(own: list[dict[str, Any]]) -> list[str]:
    pairs = [("as_is", "balanced_accuracy"), ("balanced", "balanced_accuracy")]
    pairs += [(prior, "recall_of_three_rarest") for prior in ("as_is", "balanced")]
    pairs += [("as_is", "macro_f1")]
    cells = [mean_and_deviation([100 * r[prior][m] for r in own]) for prior, m in pairs]
    cells.append(f"{np.mean([r['balanced']['balanced_log_loss'] for r in own]):.3f}")
    return [*cells, f"{np.mean([r['seconds'] for r in own]) / 60:.1f}", str(len(own))]


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="as for `equipoise fit`")
    parser.add_argument("--label", help="label column of a table")
    parser.add_argument("--rare", default="refuse", help="as for `equipoise fit`")
    parser.add_argument("--ratio", type=float, default=100.0, help="for images")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--ways", nargs="+", help="only these, such as tuned prescribed")
    parser.add_argument("--table", nargs="+", metavar="NAME", help="print these results")
    args = parser.parse_args()
    if args.table:
        print("\n\n".join(map(table, args.table)))
        return
    if not args.data:
        parser.error("give DATA or --table")
    args.out = RESULTS / f"{Path(args.data).stem}.jsonl"
    for seed in range(args.first_seed, args.seeds):
        case = Case(args, seed)
        for way in args.ways or (TABLES if case.is_table else IMAGES):
            if way not in case.done:
                case.measure(way)


if __name__ == "__main__":
    main()
