"""Run folders with made-up but consistent numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.cli import main
from equipoise.metrics import evaluate
from equipoise.report import render, summarise
from equipoise.runs import Run

RunMaker = Callable[..., Path]


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What a made-up run shall look like."""

    classes: Sequence[str]
    counts: Sequence[int]
    n_test: Sequence[int]
    name: str = "Fashion-MNIST"
    columns: Sequence[str] = ()
    epochs: int = 40
    done_epochs: int = 40
    finished: bool = True
    seed: int = 0
    objective: str = ""
    """Of pre-training; empty for a run that trains a classifier."""
    unlabelled: int = 0
    n_trials: int = 0
    """Of the search that led to it; 0 for a run without one."""


def measured(logits: np.ndarray, labels: np.ndarray, sketch: Sketch, balanced: bool) -> dict:
    n_classes = len(sketch.classes)
    return evaluate(
        logits,
        labels,
        classes=sketch.classes,
        train_counts=np.asarray(sketch.counts),
        prior=np.full(n_classes, 1 / n_classes) if balanced else None,
        n_bootstrap=20,
    )


def logits_of(sketch: Sketch, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the logits of Gaussian classes that overlap with a neighbour, rare ones less known."""
    labels, n_classes = np.repeat(np.arange(len(sketch.classes)), sketch.n_test), len(sketch.counts)
    counts = np.asarray(sketch.counts, dtype=float)
    means = 3.0 * (np.eye(n_classes) + 0.4 * np.roll(np.eye(n_classes), 1, axis=1))
    seen = means + generator.normal(size=means.shape) * 2.0 / np.sqrt(counts)[:, None]
    points = means[labels] + generator.normal(size=(len(labels), n_classes))
    return points @ seen.T - (seen**2).sum(1) / 2 + np.log(counts), labels


def history_of(sketch: Sketch, generator: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for epoch in range(1, sketch.done_epochs + 1):
        part = epoch / sketch.epochs
        noise = generator.normal(0, 0.008)
        accuracy = 0.85 - 0.5 * np.exp(-4 * part) + noise
        loss = 0.55 + 1.4 * np.exp(-5 * part) + 0.12 * max(part - 0.7, 0) - noise
        rows.append(
            {
                "epoch": epoch,
                "seconds": 6.5,
                "learning_rate": 0.1 * (1 - part),
                "train_loss": float(0.1 + 1.6 * np.exp(-4 * part)),
                "train_accuracy": float(0.985 - 0.5 * np.exp(-4 * part)),
                "validation": {
                    "accuracy": float(accuracy + 0.08),
                    "balanced_accuracy": float(accuracy),
                    "log_loss": float(loss - 0.2),
                    "balanced_log_loss": float(loss),
                },
                "examples_per_second": 1900.0,
                "best": False,
            }
        )
    if sketch.objective:
        return [
            {k: v for k, v in row.items() if k != "train_accuracy"}
            | {"validation": {}, "best": True}
            for row in rows
        ]
    if rows:
        kept = int(np.argmin([row["validation"]["balanced_log_loss"] for row in rows]))
        rows[kept]["best"] = True
    return rows


def config_of(sketch: Sketch) -> dict[str, Any]:
    data: dict[str, Any] = {
        "source": sketch.name.lower(),
        "name": sketch.name,
        "kind": "table" if sketch.columns else "images",
        "n": int(sum(sketch.counts) + 2 * sum(sketch.n_test)),
        "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "classes": list(sketch.classes),
        "counts_train": list(sketch.counts),
        "counts_validation": [max(c // 6, 1) for c in sketch.counts],
        "counts_test": list(sketch.n_test),
        "notes": ["The test set is the one that comes with the data."],
    }
    data |= {"columns": list(sketch.columns)} if sketch.columns else {"shape": [28, 28, 1]}
    if not sketch.columns:
        data |= {"ratio": 100.0, "profile": "exp", "order": "label"}
    return {
        "data": data,
        "classifier": {
            "backbone": "MLP(width=256)" if sketch.columns else "ResNet(depth=32)",
            "optimizer": "SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.005)",
            "augmentation": "TrivialAugment()",
            "smoothing": "ClassConditional(head=0.0, tail=0.1)",
            "auxiliary": sketch.objective or "None",
            "mixing": "None",
            "sharpness": "None",
            "initial": "None",
            "epochs": sketch.epochs,
            "batch_size": "128",
        },
        "choices": [
            {
                "field": "epochs",
                "value": str(sketch.epochs),
                "reason": "About five minutes on this machine, from the speed of the first steps.",
            },
            {
                "field": "batch_size",
                "value": "128",
                "reason": "Small batches help rare classes; smaller ones would idle the processor.",
            },
        ],
        "seeds": {"seed": 0, "split_seed": 0},
        "test": {"looks": 1},
        "environment": {
            "equipoise": "0.1.0",
            "python": "3.11.9",
            "torch": "2.9.0",
            "platform": "Linux x86_64",
            "device": "cpu (2 threads)",
            "precision": "bf16",
            "started": "2025-01-01T12:00:00Z",
            "seconds": 272.4,
        },
        "network": {
            "parameters": 464154,
            "trainable": 464154,
            "multiply_adds": 68862592,
            "prior": [c / sum(sketch.counts) for c in sketch.counts],
        },
        **({"pretraining": {"unlabelled": sketch.unlabelled}} if sketch.objective else {}),
    }


def write_mistakes(run: Run, sketch: Sketch, generator: np.random.Generator) -> None:
    m, n = 16, len(sketch.classes)
    true = generator.integers(0, n, m)
    predicted = (true + 1) % n
    confidence = np.sort(generator.uniform(0.6, 1.0, m))[::-1]
    if sketch.columns:
        rows = [
            {
                "id": f"row {k}",
                "true": int(true[k]),
                "predicted": int(predicted[k]),
                "confidence": float(confidence[k]),
                "row": {c: f"{generator.normal():.3f}" for c in sketch.columns},
            }
            for k in range(m)
        ]
        run.write_json("mistakes.json", rows)
        return
    y, x = np.mgrid[0:28, 0:28]
    waves = [np.sin(x / (2 + k % 5)) * np.cos(y / (2 + k % 3)) for k in range(m)]
    images = np.stack([(127 * (1 + w)).astype(np.uint8) for w in waves])[..., None]
    ids = np.array([f"test/{17 * k}" for k in range(m)])
    arrays = {"images": images, "ids": ids, "true": true, "predicted": predicted}
    run.write_arrays("mistakes.npz", arrays | {"confidence": confidence})


def trial_of(number: int, generator: np.random.Generator) -> dict[str, Any]:
    """Draw a recipe: two optimizers, of which one has a rate, and smoothing or none."""
    name, is_smooth = ("SGD", "AdamW")[number % 3 == 1], number % 4 == 2
    rate = 0.1 if number == 0 else float(10 ** generator.uniform(-3, 0))
    score = 0.6 - 0.2 * (name == "AdamW") + 0.02 * generator.normal()
    choices = {"optimizer": name, "smoothing": "Uniform" if is_smooth else "None"}
    return {
        "number": number,
        "choices": choices | ({"optimizer.SGD.lr": rate} if name == "SGD" else {}),
        "params": {
            "optimizer": f"SGD(lr={rate})" if name == "SGD" else "AdamW()",
            "smoothing": "Uniform(eps=0.1)" if is_smooth else None,
        },
        "epochs": 20,
        "pace": 0.1,
        "state": "complete" if number % 5 == 0 else "failed" if number == 7 else "stopped",
        "best_epochs": [9],
        "scores": {} if number == 7 else {"balanced_accuracy": score},
        "seconds": float(generator.uniform(1, 9)),
        "message": "TrainingError: The loss is not finite." if number == 7 else "",
    }


def part_of(name: str, importance: float, p: float, **rows: Any) -> dict[str, Any]:
    return {"name": name, "n": 40, "importance": importance, "error": 0.04, "p": p, **rows}


def mean_of(mean: float, **of: Any) -> dict[str, Any]:
    return {**of, "n": 20, "mean": mean, "error": 0.01}


def tuning_of(sketch: Sketch, generator: np.random.Generator) -> dict[str, Any]:
    """Return a ``tuning.json`` of the form that a search writes."""
    trials = [trial_of(number, generator) for number in range(sketch.n_trials)]
    optimizers = [mean_of(0.6, name="SGD"), mean_of(0.4, name="AdamW")]
    smoothings = [mean_of(0.52, name="None"), {**mean_of(0.5, name="Uniform"), "error": None}]
    rates = [mean_of(0.58, low=0.001, high=0.09), mean_of(0.61, low=0.1, high=0.9)]
    known = {"importance": 0.7, "error": 0.05, "p": 0.001}
    same = {"difference": None, "difference_error": None}
    moved = {"difference": -0.02, "difference_error": 0.012}
    sure = {"role": "optimizer", "prescribed": "SGD(lr=0.1)", "taken": "SGD(lr=0.0123456789)"}
    other = {"role": "smoothing", "prescribed": None, "taken": "Uniform(eps=0.1)"}
    return {
        "metrics": ["balanced_accuracy"],
        "n_folds": 2,
        "choices": [{"field": "folds", "value": 2, "reason": "It is so.", "source": "design"}],
        "taken": 10,
        "best": 5,
        "alike": 3,
        "over_prescription": 0.021,
        "over_prescription_error": 0.011,
        "validation": 0.632,
        "test": 0.611,
        "optimism": 0.021,
        "mattered": {
            "n": 40,
            "basis": "first_rung",
            "said": ["This rests on 40 of 41 trials."],
            "roles": [
                part_of("optimizer", 0.7, 0.001, candidates=optimizers),
                part_of("smoothing", 0.02, 0.8, candidates=smoothings),
            ],
            "fields": [part_of("optimizer.SGD.lr", 0.4, 0.2, ranges=rates)],
            "foreseen": 0.5,
        },
        "compared": [{**sure, **known, **same}, {**other, **known, **moved}],
        "trials": trials,
    }


def write_run(folder: Path, sketch: Sketch) -> Path:
    generator = np.random.default_rng(sketch.seed)
    run = Run.create(folder, config_of(sketch))
    run.write_history(history_of(sketch, generator))
    if sketch.objective and sketch.finished:
        run.finish()
    elif sketch.finished:
        logits, labels = logits_of(sketch, generator)
        both = {
            "as_is": measured(logits, labels, sketch, balanced=False),
            "balanced": measured(logits, labels, sketch, balanced=True),
        }
        run.write_json("metrics.json", {"validation": both, "test": both})
        write_mistakes(run, sketch, generator)
        run.finish()
    if sketch.n_trials:
        run.write_json("tuning.json", tuning_of(sketch, np.random.default_rng(sketch.seed)))
    return folder


GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

SKETCHES = {
    "images": Sketch(
        classes=GARMENTS,
        counts=[int(4800 * 100 ** (-k / 9)) for k in range(10)],
        n_test=[200] * 10,
    ),
    "table": Sketch(
        classes=("text", "horizontal line", "graphic", "vertical line", "picture"),
        counts=(3144, 210, 18, 56, 74),
        n_test=(983, 66, 3, 18, 23),
        name="page-blocks",
        columns=("height", "length", "area", "eccentricity", "p_black", "p_and", "mean_tr"),
    ),
    "hundred": Sketch(
        classes=tuple(f"class {k:02d}" for k in range(100)),
        counts=[int(500 * 100 ** (-k / 99)) for k in range(100)],
        n_test=[20] * 100,
        name="CIFAR-100",
    ),
    "partial": Sketch(
        classes=GARMENTS,
        counts=[int(4800 * 100 ** (-k / 9)) for k in range(10)],
        n_test=[200] * 10,
        done_epochs=7,
        finished=False,
    ),
    "pretraining": Sketch(
        classes=GARMENTS,
        counts=[480] * 10,
        n_test=[200] * 10,
        objective="SimCLR()",
        unlabelled=1200,
    ),
    "tuned": Sketch(
        classes=("text", "graphic", "picture"),
        counts=(3144, 18, 74),
        n_test=(983, 6, 23),
        name="pages",
        columns=("height", "area"),
        n_trials=41,
    ),
    "scarce": Sketch(
        classes=("common", "usual", "rare"),
        counts=(300, 130, 1),
        n_test=(400, 197, 3),
        name="patients",
        columns=("age", "weight"),
        seed=2,  # the one training example happens to lie among those of the other classes
    ),
}


SEVERAL = ("images", "table", "hundred", "partial", "tuned")
"""Runs that are set side by side."""


@pytest.fixture(scope="session")
def run_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs on images, tables and a hundred classes, an unfinished one, pre-training."""
    parent = tmp_path_factory.mktemp("runs")
    return {name: write_run(parent / name, sketch) for name, sketch in SKETCHES.items()}


@pytest.fixture(scope="session")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diagnosis of five real runs that differ by their seeds."""
    place = tmp_path_factory.mktemp("diagnosed")
    quick = ["--device", "cpu", "--backbone", "ResNet(depth=8, width=4)", "--epochs", "6"]
    runs = []
    for seed in range(5):
        out = place / f"<b>seed {seed}"
        command = ["fit", "digits", "--ratio", "10", "--seed", str(seed), *quick]
        assert main([*command, "--out", str(out)]) == 0
        runs.append(str(out))
    assert main(["diagnose", *runs, "--fast", "--out", str(place / "all")]) == 0
    return place / "all"


@pytest.fixture(scope="session")
def pages(run_folders: dict[str, Path]) -> dict[str, str]:
    """Each run on a page of its own, and some of them on one."""
    summaries = {name: summarise(folder) for name, folder in run_folders.items()}
    single = {name: render([summary]) for name, summary in summaries.items()}
    return single | {"several": render([summaries[name] for name in SEVERAL])}


@pytest.fixture(scope="session")
def make_run_once(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    """The same as `make_run`, for fixtures that serve several tests."""

    def make(**fields: Any) -> Path:
        return write_run(tmp_path_factory.mktemp("made") / "run", Sketch(**fields))

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """Return a function that writes a run folder from the fields of a `Sketch`."""

    def make(**fields: Any) -> Path:
        return write_run(tmp_path / "run", Sketch(**fields))

    return make
