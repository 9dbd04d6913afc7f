"""Studies small enough for tests, and a table on which some draws of classes are out of reach."""

from pathlib import Path

from equipoise.cli import main

DIGITS = ["digits", "--examples", "120", "--device", "cpu", "--epochs", "1"]
DIGITS += ["--backbone", "ResNet(depth=8, width=4)"]
SMALL = [*DIGITS, "--values", "None", "Uniform()"]

TWICE = ["--ratios", "1,10", "--seeds", "2", "--test-ratios", "1,10"]


def study(out: Path, *more: str) -> int:
    """Carry out the small study of smoothing, and return the status."""
    return main(["study", "smoothing", *SMALL, "--out", str(out), *more])


def stamps(out: Path) -> dict[str, int]:
    """Return when each run of a study was finished."""
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.glob("*/runs/*/*/DONE")}


def three_classes(folder: Path) -> Path:
    """Return a table of 300, 90 and 12 rows, of which 240, 72 and 10 are for training."""
    path = folder / "t.csv"
    labels = ["common"] * 300 + ["middle"] * 90 + ["rare"] * 12
    rows = [f"{(7 * i) % 31},{i % 11},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["x,z,target", *rows]), "utf-8")
    return path
