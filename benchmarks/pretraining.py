"""Self-supervised pre-training and fine-tuning, against training from scratch in the same time.

For each seed and objective: pre-train on the training part without labels, fine-tune, and train
from scratch for as many epochs as take the same processor time in all. One line a comparison is
appended to ``results/pretraining/NAME.jsonl``; what is there is not repeated.

    python benchmarks/pretraining.py cifar10 [--seeds 3] [--epochs 20] [--fit-epochs 10]
    python benchmarks/pretraining.py --table cifar10
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from common import add_line, mean_and_deviation, read_lines

from equipoise.data.options import ReadOptions
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.pretraining import Pretraining

RESULTS = Path(__file__).parent / "results" / "pretraining"

OBJECTIVES = ("SimCLR()", "VICReg()")
"""Self-supervised losses that are compared."""

METRICS = ("balanced_accuracy", "macro_f1", "balanced_log_loss")


class Clock:
    """Processor time from its making to the last epoch: training, without the test at the end."""

    def __init__(self) -> None:
        self.started, self.seconds = time.process_time(), 0.0

    def __call__(self, _: Any) -> None:
        """Note the time."""
        self.seconds = time.process_time() - self.started


def experiment(args: argparse.Namespace, seed: int, **params: Any) -> Experiment:
    """Return the data, cut alike for all runs of a seed, with a classifier's parameters."""
    return Experiment(
        source=args.data,
        options=ReadOptions(),
        ratio=args.ratio,
        seed=seed,
        split_seed=seed,
        params={"backbone": "ResNet18(width=16)", "device": "cpu", **params},
    )


def scores(run: Any) -> dict[str, Any]:
    """Return the test metrics of a finished run, for both priors."""
    test = run.read_json("metrics.json")["test"]
    return {p: {m: test[p]["overall"][m]["value"] for m in METRICS} for p in test}


def compared(args: argparse.Namespace, seed: int, objective: str) -> dict[str, Any]:
    """Pre-train, fine-tune, and train from scratch as long; return what was found."""
    with tempfile.TemporaryDirectory() as name:
        settings = {"epochs": args.epochs, "batch_size": 256, "optimizer": "AdamW(lr=0.002)"}
        plan = Pretraining.make(experiment(args, seed, **settings), objective)
        clock = Clock()
        first = plan.run(Path(name, "pre"), observers=[clock])
        pretrained = clock.seconds
        tuned, tuning = timed(args, seed, Path(name, "fit"), args.fit_epochs, str(first.path))
        epochs = max(1, round((pretrained + tuning) / tuning * args.fit_epochs))
        scratch, alone = timed(args, seed, Path(name, "scratch"), epochs, None)
        short, _ = timed(args, seed, Path(name, "short"), args.fit_epochs, None)
    return {
        "seed": seed,
        "objective": objective,
        "ratio": args.ratio,
        "training_cpu_seconds": {"pretrain": pretrained, "finetune": tuning, "scratch": alone},
        "epochs": {"pretrain": args.epochs, "finetune": args.fit_epochs, "scratch": epochs},
        "pretrained": tuned,
        "scratch": scratch,
        "scratch, epochs of the fine-tuning only": short,
    }


def timed(
    args: argparse.Namespace, seed: int, folder: Path, epochs: int, initial: str | None
) -> tuple[dict[str, Any], float]:
    """Return the scores of a fit and the processor time of its training."""
    plan = Plan.make(experiment(args, seed, epochs=epochs, initial=initial))
    clock = Clock()
    run = plan.run(folder, observers=[clock])
    return scores(run), clock.seconds


def measure(args: argparse.Namespace) -> None:
    """Run what is missing."""
    path = RESULTS / f"{args.data}.jsonl"

    def key(found: dict[str, Any]) -> tuple[Any, ...]:
        lengths = found["epochs"]
        return (
            *(found["seed"], found["objective"], found["ratio"]),
            *(lengths["pretrain"], lengths["finetune"]),
        )

    done = {key(found) for found in read_lines(path)}
    for seed in range(args.seeds):
        for objective in OBJECTIVES:
            if (seed, objective, args.ratio, args.epochs, args.fit_epochs) in done:
                continue
            add_line(path, compared(args, seed, objective))


def table(name: str) -> str:
    """Return the runs as a Markdown table: balanced accuracy, mean and standard deviation, in %."""
    runs = read_lines(RESULTS / f"{name}.jsonl")
    lines = [f"| {name} | objective | as trained | corrected | n |", "|---|---|---|---|---|"]
    for way in ("pretrained", "scratch", "scratch, epochs of the fine-tuning only"):
        for objective in dict.fromkeys(r["objective"] for r in runs):
            own = [r[way] for r in runs if r["objective"] == objective]
            cells = [
                mean_and_deviation([100 * r[prior]["balanced_accuracy"] for r in own])
                for prior in ("as_is", "balanced")
            ]
            lines.append(f"| {way} | {objective} | {cells[0]} | {cells[1]} | {len(own)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="a name of the catalog")
    parser.add_argument("--ratio", type=float, default=100.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20, help="of pre-training")
    parser.add_argument("--fit-epochs", type=int, default=10, help="of fine-tuning")
    parser.add_argument("--table", metavar="NAME", help="print these results")
    args = parser.parse_args()
    if args.table:
        print(table(args.table))
    elif args.data:
        measure(args)
    else:
        parser.error("give DATA or --table")


if __name__ == "__main__":
    main()
