"""What the benchmarks share: summaries of repetitions, results in files, versions."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.report.plots.theme import Picture

STYLE = (
    "--page:#fff;--ink:#1b1e22;--muted:#585f67;--rule:#d8d9d4;--as-is:#b04c08;"
    "--corrected:#1a5fa6;--training:#6f767d;--bar:#c5c9cc;--right:#1f66ad;--wrong:#b3263e;"
    "background:#fff;font-family:sans-serif"
)
"""Of a picture that stands alone: the colours that a report gives to it."""


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


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the results of a file, one a line; none if it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def add_line(path: Path, result: dict[str, Any]) -> None:
    """Add a result to a file, with the versions and threads that gave it, and print it."""
    versions = {name: version(name) for name in ("equipoise", "torch", "numpy")}
    line = json.dumps({**result, "versions": versions, "threads": torch.get_num_threads()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def mean_and_deviation(values: list[float]) -> str:
    """Return the mean and the standard deviation of percentages, to a tenth, as text."""
    spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture of a report as a file of its own, in the report's light colours."""
    alone = f'<svg xmlns="http://www.w3.org/2000/svg" style="{STYLE}"'
    path.write_text(picture.svg.replace("<svg", alone, 1) + "\n", "utf-8")
