"""Comparisons as `equipoise compare` leaves them, made up for tests that read them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.runs import Run

CODES = np.repeat([0, 1, 2], [60, 30, 15])
COUNTS = [600, 300, 50]


def write(
    folder: Path,
    method: str,
    seed: int,
    skill: float,
    *,
    ids: np.ndarray | None = None,
    salt: int = 0,
) -> np.ndarray:
    """Write a finished run whose logits tell classes apart by `skill`, and return these."""
    random = np.random.default_rng([seed, salt, *method.encode()])
    prior = np.array(COUNTS) / sum(COUNTS)
    logits = random.normal(size=(len(CODES), 3)) + skill * np.eye(3)[CODES] + np.log(prior)
    config = {
        "data": {"classes": ["a", "b", "<c>"], "counts_train": COUNTS},
        "network": {"prior": prior.tolist(), "parameters": 100, "multiply_adds": 90},
        "environment": {"seconds": 10.0 + seed},
        "test": {"looks": 1},
    }
    run = Run.create(folder / "runs" / method / f"seed{seed}", config)
    names = np.arange(len(CODES)) + 1000 * seed if ids is None else ids
    arrays = {"test_ids": names.astype(np.str_), "test_labels": CODES, "test_logits": logits}
    run.write_arrays("predictions.npz", arrays)
    run.write_history([{"epoch": i} for i in range(4)])
    run.finish()
    return logits


def tell(folder: Path, *methods: str, **more: Any) -> None:
    """Write what is compared."""
    told: dict[str, Any] = {"setup": {}, "methods": {name: {} for name in methods}}
    told |= more
    (folder / "comparison.json").write_text(json.dumps(told))
