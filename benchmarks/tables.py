"""Tables: Equipoise's defaults beside LightGBM, on the same splits, several seeds.

    python benchmarks/tables.py shuttle.csv page_blocks.csv yeast.csv [--seeds 5] [--out FILE]

For each seed the test set and the validation examples are drawn anew; LightGBM gets the training
and validation examples of Equipoise's run together. Finished runs are not repeated.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from common import record
from lightgbm import LGBMClassifier

from equipoise.data.sources import load
from equipoise.experiment import Experiment
from equipoise.metrics import evaluate, shift_logits
from equipoise.plan import Plan
from equipoise.runs import Run

METRICS = ("balanced_accuracy", "macro_f1", "worst_class_recall", "log_loss")


def lightgbm_metrics(
    path: Path, split: dict[str, np.ndarray], weight: str | None
) -> dict[str, Any]:
    """Return the metrics of LightGBM's defaults, with or without balanced class weights."""
    dataset = load(str(path))
    X, codes = dataset.X.to_numpy(float), dataset.codes
    pool = np.concatenate([split["train"], split["validation"]])
    model = LGBMClassifier(class_weight=weight, random_state=0, n_jobs=2, verbose=-1)
    model.fit(X[pool], codes[pool])
    proba = model.predict_proba(X[split["test"]])
    counts = np.bincount(codes[pool], minlength=len(dataset.classes))
    logits = np.log(np.clip(proba, 1e-12, 1))
    return evaluate(logits, codes[split["test"]], classes=dataset.classes, train_counts=counts)


def equipoise_metrics(run: Run, *, balanced: bool) -> dict[str, Any]:
    """Return the metrics of a run on the test set as it is, with or without prior correction."""
    found, data = run.read_arrays("predictions.npz"), run.config["data"]
    logits, counts = found["test_logits"].astype(float), np.asarray(data["counts_train"])
    if balanced:
        logits = shift_logits(logits, counts / counts.sum(), np.full(len(counts), 1 / len(counts)))
    return evaluate(logits, found["test_labels"], classes=data["classes"], train_counts=counts)


def equipoise_run(path: Path, seed: int, folder: Path) -> Run:
    """Return the finished run of the defaults on one table with one seed."""
    experiment = Experiment(source=str(path), seed=seed, split_seed=seed)
    return Plan.make(experiment).run(folder / f"{path.stem}-seed{seed}", resume=True)


def row(metrics: dict[str, Any]) -> dict[str, float]:
    """Return the metrics that the table shows."""
    return {name: metrics["overall"][name]["value"] for name in METRICS}


def main() -> None:
    """Run all, and print mean and standard deviation over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=Path, default=Path("runs/tables"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for path in args.tables:
        found: dict[str, list[dict[str, float]]] = {}
        for seed in range(args.seeds):
            run = equipoise_run(path, seed, args.runs)
            split = run.read_arrays("split.npz")
            rows = {
                "equipoise": row(equipoise_metrics(run, balanced=False)),
                "equipoise, balanced prior": row(equipoise_metrics(run, balanced=True)),
                "lightgbm": row(lightgbm_metrics(path, split, None)),
                "lightgbm, balanced weights": row(lightgbm_metrics(path, split, "balanced")),
            }
            for name, values in rows.items():
                found.setdefault(name, []).append(values)
            print(path.stem, seed, json.dumps(rows), flush=True)
        results[path.stem] = {
            name: {
                m: {
                    "mean": round(float(np.mean([v[m] for v in values])), 4),
                    "sd": round(float(np.std([v[m] for v in values], ddof=1)), 4),
                    "seeds": [round(v[m], 4) for v in values],
                }
                for m in METRICS
            }
            for name, values in found.items()
        }
    record(args.out, {"what": "test metrics over seeds, each with its own split", **results})


if __name__ == "__main__":
    main()
