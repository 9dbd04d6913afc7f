"""Comparisons as `equipoise compare` leaves them, made up for tests that read them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.runs import Run

CODES = np.repeat([0, 1, 2], [60, 30, 15])
COUNTS = [600, 300, 50]
FOUR = np.repeat([0, 1, 2, 3], [40, 30, 20, 15])
"""Codes of runs with four classes."""


def write(
    folder: Path,
    method: str,
    seed: int,
    skill: float,
    *,
    ids: np.ndarray | None = None,
    salt: int = 0,
    order: int = 0,
    counts: list[int] | None = None,
    **more: Any,
) -> np.ndarray:
    """Write a finished run whose logits tell classes apart by `skill`, and return these."""
    random = np.random.default_rng([seed, salt + 1000 * order, *method.encode()])
    sizes = counts or COUNTS
    prior, k = np.array(sizes) / sum(sizes), len(sizes)
    codes = CODES if k == len(COUNTS) else FOUR
    logits = random.normal(size=(len(codes), k)) + skill * np.eye(k)[codes] + np.log(prior)
    config = {
        "data": {"classes": ["a", "b", "<c>", "d"][:k], "counts_train": sizes},
        "network": {"prior": prior.tolist(), "parameters": 100, "multiply_adds": 90},
        "environment": {"seconds": 10.0 + seed},
        "test": {"looks": 1},
        **more,
    }
    name = f"seed{seed}" + (f"-order{order}" if order else "")
    run = Run.create(folder / "runs" / method / name, config)
    names = np.arange(len(codes)) + 1000 * seed if ids is None else ids
    arrays = {"test_ids": names.astype(np.str_), "test_labels": codes, "test_logits": logits}
    run.write_arrays("predictions.npz", arrays)
    run.write_history([{"epoch": i} for i in range(4)])
    run.finish()
    return logits


def tell(folder: Path, *methods: str, **more: Any) -> None:
    """Write what is compared."""
    told: dict[str, Any] = {"setup": {}, "methods": {name: {} for name in methods}}
    told |= more
    (folder / "comparison.json").write_text(json.dumps(told))
