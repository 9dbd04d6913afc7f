"""What the benchmarks share: summaries of repeated ratios, and a record of versions."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch


def summary(values: list[float]) -> dict[str, float | int]:
    """Return n, minimum, median and maximum."""
    return {
        "n": len(values),
        "min": round(min(values), 4),
        "median": round(float(np.median(values)), 4),
        "max": round(max(values), 4),
    }


def record(path: Path | None, result: dict[str, Any]) -> None:
    """Print a result, with the versions that gave it, and keep it if a path is given."""
    names = ("equipoise", "torch", "numpy", "scikit-learn")
    result["versions"] = {
        **{name: version(name) for name in names},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
