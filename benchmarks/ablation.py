"""Each standard component switched on alone over one base recipe: what it brings and costs.

One line a run is appended to ``results/ablation/NAME.jsonl``; runs that are there already are
not repeated, so that the benchmark can be stopped and started at will.

    python benchmarks/ablation.py fashion-mnist [--ratio 100] [--first-seed 0] [--seeds 3]
        [--only TEXT]
    python benchmarks/ablation.py FOLDER/yeast.csv --label target
    python benchmarks/ablation.py --table fashion-mnist yeast shuttle

Cost is the processor time of training, which other programs on the machine disturb less than
the clock, over that of the base recipe with the same seed.
"""

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, mean_and_deviation, read_lines

from equipoise.data.options import ReadOptions
from equipoise.experiment import Experiment
from equipoise.plan import Plan

RESULTS = Path(__file__).parent / "results" / "ablation"

BASES: dict[str, dict[str, Any]] = {
    "images": {
        "backbone": "ResNet18(width=16)",
        "augmentation": "CropFlip(padding=4, flip=False)",
        "optimizer": "SGD(lr=0.1, weight_decay=0.002)",
        "batch_size": 64,
        "epochs": 9,
        "average": None,
    },
    "table": {
        "backbone": "MLP(numeric=None)",
        "optimizer": "AdamW(lr=0.001, weight_decay=0.01)",
        "epochs": 20,
        "average": None,
    },
}
"""Base recipes; what is not named is automatic."""

SHARED: dict[str, dict[str, Any]] = {
    "SAM": {"sharpness": "SAM(rho=0.05)"},
    "ASAM": {"sharpness": "ASAM(rho=0.5)"},
    "SAM-A direction": {"sharpness": "SAMA(rho=0.05, gamma=1.0)"},
    "SAM-A radius": {"sharpness": 'SAMA(rho=0.02, gamma=0.5, reading="radius")'},
    "ImbSAM": {"sharpness": "ImbSAM(rho=0.05)"},
    "FocalSAM": {"sharpness": "FocalSAM(rho=0.05)"},
    "SAM every fifth step": {"sharpness": "SAM(rho=0.05, every=5)"},
    "smoothing, uniform": {"smoothing": "Uniform(eps=0.1)"},
    "smoothing, tail": {"smoothing": "ClassConditional(head=0.0, tail=0.2)"},
    "smoothing, head": {"smoothing": "ClassConditional(head=0.2, tail=0.0)"},
    "Mixup": {"mixing": "Mixup(alpha=0.4)"},
    "CutMix": {"mixing": "CutMix()"},
    "EMA": {"average": "EMA()"},
    "SWA": {"average": "SWA()"},
    "MaxNorm": {"constraint": "MaxNorm(radius=1.0)"},
    "cosine head": {"head": "Cosine()"},
    "normalised head": {"head": "Normalized()"},
    "Joint-SSL VICReg": {"auxiliary": "VICReg(weight=0.1)"},
    "Joint-SSL SimCLR": {"auxiliary": "SimCLR(weight=0.1)"},
    "one-cycle schedule": {"schedule": "OneCycle()"},
    "step schedule": {"schedule": "Step()"},
}

ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "images": {
        "base": {},
        "no augmentation": {"augmentation": None},
        "AutoAugment": {"augmentation": "CropFlip(padding=4, flip=False) | AutoAugment()"},
        "RandAugment": {"augmentation": "CropFlip(padding=4, flip=False) | RandAugment()"},
        "TrivialAugment": {"augmentation": "CropFlip(padding=4, flip=False) | TrivialAugment()"},
        "RandAugment, stronger for rare": {
            "augmentation": "CropFlip(padding=4, flip=False) | RandAugment(tail_scale=2.0)"
        },
        "Cutout": {"augmentation": "CropFlip(padding=4, flip=False) | Cutout()"},
        "batch 16, linear rate": {
            "batch_size": 'BatchSize(size=16, rule="linear")',
        },
        "batch 256, linear rate": {
            "batch_size": 'BatchSize(size=256, rule="linear")',
        },
        "half the width": {"backbone": "ResNet18(width=8)"},
        "twice the width": {"backbone": "ResNet18(width=32)"},
        "ResNet-32": {"backbone": "ResNet(depth=32)"},
        "weight decay 5e-4": {"optimizer": "SGD(lr=0.1, weight_decay=0.0005)"},
        "no weight decay": {"optimizer": "SGD(lr=0.1, weight_decay=0.0)"},
        "AdamW": {"optimizer": "AdamW(lr=0.002, weight_decay=0.05)"},
        **SHARED,
    },
    "table": {
        "base": {},
        "feature noise": {"augmentation": "FeatureNoise(std=0.1)"},
        "feature masking": {"augmentation": "FeatureMasking(rate=0.1)"},
        "feature swap": {"augmentation": "FeatureSwap(rate=0.1)"},
        "quantile jitter": {"augmentation": "QuantileJitter(width=0.05)"},
        "batch 16, sqrt rate": {
            "batch_size": 'BatchSize(size=16, rule="sqrt", reference=32)',
        },
        "batch 256, sqrt rate": {
            "batch_size": 'BatchSize(size=256, rule="sqrt", reference=32)',
        },
        "TabularResNet": {"backbone": "TabularResNet(numeric=None)"},
        "TabM": {"backbone": "TabM(numeric=None)"},
        "piecewise embeddings": {"backbone": 'MLP(numeric="piecewise")'},
        "Joint-SSL SCARF": {"auxiliary": "SCARF(weight=0.1)"},
        "no weight decay": {"optimizer": "AdamW(lr=0.001, weight_decay=0.0)"},
        "SGD": {"optimizer": "SGD(lr=0.05, weight_decay=0.0005)"},
        **SHARED,
    },
}
"""What each row changes in the base recipe."""


def run(args: argparse.Namespace, kind: str, row: str, seed: int) -> dict[str, Any]:
    """Train one recipe and return what is kept of it."""
    experiment = Experiment(
        source=args.data,
        options=ReadOptions(label=args.label),
        ratio=args.ratio if kind == "images" else None,
        seed=seed,
        split_seed=seed,
        params={**BASES[kind], **ROWS[kind][row], "device": "cpu", **shortened(args)},
    )
    plan = Plan.make(experiment)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        finished = plan.run(Path(folder, "run"))
        seconds = time.process_time() - started
        test = finished.read_json("metrics.json")["test"]
        settings = finished.config["classifier"]
    rarest = np.argsort([entry["n_train"] for entry in test["as_is"]["per_class"]], kind="stable")
    found = {"row": row, "seed": seed, "cpu_seconds": round(seconds, 1), "settings": settings}
    for prior, metrics in test.items():
        found[prior] = {
            name: metrics["overall"][name]["value"]
            for name in ("balanced_accuracy", "macro_f1", "balanced_log_loss")
        }
        recalls = [metrics["per_class"][k]["recall"]["value"] for k in rarest[:3]]
        found[prior]["recall_of_three_rarest"] = float(np.mean(recalls))
    return found


def marked(recipe: dict[str, Any]) -> str:
    """Return a short mark by which another recipe under the same name is told apart."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def shortened(args: argparse.Namespace) -> dict[str, int]:
    """Return the epochs asked for, if any, as a parameter."""
    return {} if args.epochs is None else {"epochs": args.epochs}


def measure(args: argparse.Namespace) -> None:
    """Train what is missing, seed by seed."""
    kind = "table" if Path(args.data).suffix in (".csv", ".parquet") else "images"
    path = RESULTS / f"{Path(args.data).stem}.jsonl"
    done = {(found["row"], found["seed"], found["recipe"]) for found in read_lines(path)}
    for seed in range(args.first_seed, args.seeds):
        for row in ROWS[kind]:
            recipe = {**BASES[kind], **ROWS[kind][row], **shortened(args), "ratio": args.ratio}
            if (row, seed, mark := marked(recipe)) in done or args.only not in row:
                continue
            add_line(path, {**run(args, kind, row, seed), "recipe": mark})


def table(name: str) -> str:
    """Return the runs of one data set as a Markdown table: mean and standard deviation, in %."""
    runs = read_lines(RESULTS / f"{name}.jsonl")
    base = {r["seed"]: r["cpu_seconds"] for r in runs if r["row"] == "base"}
    lines = [
        f"| {name} | balanced accuracy | corrected | three rarest | corrected | cost | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in dict.fromkeys(r["row"] for r in runs):
        last = [r["recipe"] for r in runs if r["row"] == row][-1]
        own = [r for r in runs if r["row"] == row and r["recipe"] == last]
        cells = [
            mean_and_deviation([100 * r[prior][metric] for r in own])
            for metric in ("balanced_accuracy", "recall_of_three_rarest")
            for prior in ("as_is", "balanced")
        ]
        ratios = [r["cpu_seconds"] / base[r["seed"]] for r in own if r["seed"] in base]
        cells.append(f"{np.median(ratios):.2f}" if ratios else "-")
        lines.append(f"| {row} | {' | '.join(cells)} | {len(own)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="as for `equipoise fit`")
    parser.add_argument("--label")
    parser.add_argument("--ratio", type=float, default=100.0, help="of images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="for two processes side by side")
    parser.add_argument("--epochs", type=int, help="instead of those of the base recipe")
    parser.add_argument("--only", default="", help="part of a row's name")
    parser.add_argument("--table", nargs="+", metavar="NAME", help="print these results")
    args = parser.parse_args()
    if args.table:
        print("\n\n".join(table(name) for name in args.table))
    elif args.data:
        measure(args)
    else:
        parser.error("give DATA or --table")


if __name__ == "__main__":
    main()
