"""The atlas: methods compared on many tables and on images, and what follows over all of them.

Runs are kept in a folder of work, from which any stop is gone on with; what they say is kept in
``results/NAME/`` beside this file, and the page over all data sets in ``docs/atlas.md``.

    python benchmarks/atlas/atlas.py --work WORK --only yeast shuttle
    python benchmarks/atlas/atlas.py --work WORK --workers 2
    python benchmarks/atlas/atlas.py --page
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from page import page, summarised

from equipoise.comparison.contest import make_contest
from equipoise.comparison.verdict import conclude
from equipoise.data.options import ReadOptions
from equipoise.executors import open_executor
from equipoise.experiment import Experiment

RESULTS = Path(__file__).parent / "results"

KEPT = ("comparison.json", "verdict.json", "leaderboard.csv")
"""Files of a comparison that are kept in the repository."""

NETWORKS = ("prescribed", "tuned", "weighted", "balanced-softmax", "ldam-drw")
TABLES = (*NETWORKS, "lightgbm-balanced", "balanced-forest")
IMAGES = (*NETWORKS, "logit-adjusted")
"""What is compared; plain cross-entropy always is."""

BUDGETS = {"table": 15.0, "images": 120.0}
"""Seconds of each run."""

SEEDS = {"table": 5, "images": 3}
"""Seeds of each method."""

RATIOS = (10.0, 100.0)
"""Imbalance ratios that images are thinned to."""


def main() -> None:
    """Compare, or write the page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder of the runs")
    parser.add_argument("--assets", type=Path, default=Path.home() / ".cache/imbalance-assets")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these data sets")
    parser.add_argument("--seeds", type=int, help="of each method; else 5 on tables, 3 on images")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="write docs/atlas.md and stop")
    args = parser.parse_args()
    if not args.page:
        if args.work is None:
            parser.error("give --work or --page")
        known = cases(args.assets)
        if unknown := [name for name in args.only or () if name not in known]:
            parser.error(f"--only takes {', '.join(known)}, and not {', '.join(unknown)}")
        for name, case in known.items():
            if args.only is None or name in args.only:
                compare(name, case, args)
    docs = Path(__file__).parents[2] / "docs"
    text = page(summarised(RESULTS), docs / "_static")
    docs.joinpath("atlas.md").write_text(text, "utf-8")


def cases(assets: Path) -> dict[str, dict[str, Any]]:
    """Return the data sets: tables of KEEL and three larger ones, images at two ratios."""
    files = [*sorted((assets / "keel").glob("*.csv")), *sorted(assets.glob("*.csv"))]
    found: dict[str, dict[str, Any]] = {
        path.stem: {"source": str(path), "options": ReadOptions(label="target"), "rare": "drop"}
        for path in files
    }
    for source in ("fashion-mnist", "cifar10"):
        for ratio in RATIOS:
            found[f"{source}-{ratio:g}"] = {"source": source, "ratio": ratio}
    return found


def compare(name: str, case: dict[str, Any], args: argparse.Namespace) -> None:
    """Carry out what is missing of one comparison, and keep what it says."""
    kind = "images" if "ratio" in case else "table"
    contest = make_contest(
        Experiment(**case, params={"device": "cpu"}),
        args.work / name,
        methods=IMAGES if kind == "images" else TABLES,
        n_seeds=SEEDS[kind] if args.seeds is None else args.seeds,
        budget=BUDGETS[kind],
        search=kind == "table",
        resume=True,
    )
    print(f"{name}: {len(contest.missing)} of {len(contest.units)} runs to do", flush=True)
    if contest.missing:
        place: dict[str, Any] = {"workers": args.workers, "threads": 1}
        with open_executor("processes", **place) as executor:
            contest.run(executor, [lambda unit, fault: print(unit, fault or "done", flush=True)])
    failures = {str(unit): why for unit, why in contest.failures.items()}
    conclude(contest.folder, failures)
    (RESULTS / name).mkdir(parents=True, exist_ok=True)
    for kept in KEPT:
        shutil.copyfile(contest.folder / kept, RESULTS / name / kept)


if __name__ == "__main__":
    main()
