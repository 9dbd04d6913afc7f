"""Whether a diagnosis tells planted causes of failure apart.

Each repetition plants one cause in real images, trains a small network on them, and diagnoses it:

- ``prior bias``: two classes that overlap, one of them 25 times rarer, both with many examples;
- ``too few examples``: every class has 12 training examples, and training is long;
- ``mislabelled``: of half of the classes 40 % of the training labels are of other classes;
- ``shifted test``: test images are darker and noisy, others are not;
- ``not learnt``: one epoch with hardly any step.

Repetitions 0 to 4 served to settle how advice is ordered; the table is of later ones. The cause
that is told is the first advice; ``head`` and none count as mistakes.

    python benchmarks/causes.py FOLDER/fashion_mnist.npz --repetitions 8
    python benchmarks/causes.py --table
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines

from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.diagnose import diagnose
from equipoise.diagnosis.evidence import observe
from equipoise.experiment import Experiment
from equipoise.plan import Plan

RESULTS = Path(__file__).parent / "results" / "causes.jsonl"

SETTINGS = {
    "device": "cpu",
    "backbone": "ResNet(depth=8, width=8)",
    "augmentation": None,
    "batch_size": 64,
    "validation": 0.2,
}

SETTLED = 5
"""Repetitions that are not counted."""

OVERLAPPING = (0, 2, 4, 6)
"""T-shirt, pullover, coat and shirt, any two of which overlap."""

Images = tuple[np.ndarray, np.ndarray]
Parts = dict[str, Images]


def prior_bias(parts: Parts, random: np.random.Generator) -> Parts:
    """Two overlapping classes, 6000 and 240 examples."""
    common, rare = random.choice(OVERLAPPING, 2, replace=False)
    train = _taken(parts["train"], {int(common): 6000, int(rare): 240}, random)
    test = _taken(parts["test"], {int(common): 400, int(rare): 400}, random)
    return {"train": train, "test": test}


def too_few_examples(parts: Parts, random: np.random.Generator) -> Parts:
    """Every class with 15 examples, of which 3 are held out, so that there is no prior bias."""
    return _ten(parts, dict.fromkeys(range(10), 15), random)


def mislabelled(parts: Parts, random: np.random.Generator) -> Parts:
    """Half of the classes with 200 examples, 80 of them truly of another class."""
    rare = random.permutation(10)[:5]
    common = [k for k in range(10) if k not in rare]
    made = _ten(parts, {k: 120 if k in rare else 400 for k in range(10)}, random)
    images, labels = _taken(parts["train"], dict.fromkeys(common, 80), random)
    wrong = rare[random.permutation(len(labels)) % 5]
    X, y = made["train"]
    return {**made, "train": (np.concatenate([X, images]), np.concatenate([y, wrong]))}


def shifted_test(parts: Parts, random: np.random.Generator) -> Parts:
    """Test images of another camera: darker, with noise."""
    made = _ten(parts, dict.fromkeys(range(10), 300), random)
    X, y = made["test"]
    noise = random.normal(0, 35, X.shape)
    return {**made, "test": (np.clip(0.6 * X + noise, 0, 255).astype(np.uint8), y)}


def not_learnt(parts: Parts, random: np.random.Generator) -> Parts:
    """As many examples as anybody wants; the settings do the rest."""
    return _ten(parts, dict.fromkeys(range(10), 300), random)


CAUSES: dict[str, tuple[Callable[[Parts, np.random.Generator], Parts], dict[str, Any]]] = {
    "prior bias": (prior_bias, {"epochs": 12, "validation": 0.3}),
    "too few examples": (too_few_examples, {"epochs": 200}),
    "mislabelled": (mislabelled, {"epochs": 12}),
    "shifted test": (shifted_test, {"epochs": 12}),
    "not learnt": (not_learnt, {"epochs": 1, "optimizer": "SGD(lr=0.0005)"}),
}
"""How each cause is planted, and with which settings a network is trained."""


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="an .npz file of ten classes of images")
    parser.add_argument("--repetitions", type=int, default=8)
    parser.add_argument("--table", action="store_true", help="print the results")
    args = parser.parse_args()
    if args.table:
        print(table(read_lines(RESULTS)))
        return
    if not args.data:
        parser.error("give DATA or --table")
    with np.load(args.data) as arrays:
        parts = {
            p: (arrays[f"{p}_images"], arrays[f"{p}_labels"].ravel()) for p in ("train", "test")
        }
    done = {(row["planted"], row["repetition"]) for row in read_lines(RESULTS)}
    for repetition in range(SETTLED, SETTLED + args.repetitions):
        for cause in CAUSES:
            if (cause, repetition) not in done:
                told = {"planted": cause, "repetition": repetition}
                add_line(RESULTS, {**told, **measured(parts, cause, repetition)})


def measured(parts: Parts, cause: str, repetition: int) -> dict[str, Any]:
    """Plant a cause, train, and return what the diagnosis says."""
    plant, changes = CAUSES[cause]
    made = plant(parts, np.random.default_rng(repetition))
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name, "planted.npz"), Path(name, "run")
        arrays = {
            f"{p}_{n}": a
            for p, pair in made.items()
            for n, a in zip(("images", "labels"), pair, strict=True)
        }
        np.savez(path, **arrays)
        params = {**SETTINGS, **changes}
        run = Plan.make(Experiment(source=str(path), seed=repetition, params=params)).run(folder)
        found = diagnose(observe(run, load(str(path), ReadOptions())), hessian=False)
    advice = [each["cause"] for each in found["advice"]]
    return {
        "told": advice[0] if advice else "nothing",
        "advice": advice,
        "ledger": {
            loss["cause"]: [loss[k] for k in ("value", "low", "high")] for loss in found["ledger"]
        },
        "corrected": found["scores"]["corrected"]["value"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the confusion matrix of causes."""
    told = Counter((row["planted"], row["told"]) for row in rows)
    names = [*CAUSES, *sorted({name for _, name in told} - set(CAUSES))]
    lines = [f"| planted \\ told | {' | '.join(names)} | n |", f"|---|{'---|' * (len(names) + 1)}"]
    for cause in CAUSES:
        cells = [told[cause, name] for name in names]
        lines.append(f"| {cause} | {' | '.join(map(str, cells))} | {sum(cells)} |")
    right = sum(told[cause, cause] for cause in CAUSES)
    return "\n".join([*lines, "", f"{right} of {len(rows)} told rightly."])


def _ten(parts: Parts, counts: dict[int, int], random: np.random.Generator) -> Parts:
    """Return so many training examples of each class, and 100 test examples of each."""
    test = _taken(parts["test"], dict.fromkeys(range(10), 100), random)
    return {"train": _taken(parts["train"], counts, random), "test": test}


def _taken(images: Images, counts: dict[int, int], random: np.random.Generator) -> Images:
    X, y = images
    kept = [random.choice(np.flatnonzero(y == k), n, replace=False) for k, n in counts.items()]
    rows = np.concatenate(kept)
    return X[rows], y[rows]


if __name__ == "__main__":
    main()
