"""The studies that the component pages show: one command each, kept findings, figures.

Runs are kept in a folder of work, from which any stop is gone on with. What a study finds is kept
in ``results/studies/NAME.json``; for each component, tables and figures in ``docs/_generated``.

    python benchmarks/studies.py --work WORK                       # all that are not finished
    python benchmarks/studies.py --work WORK --only smoothing-yeast
    python benchmarks/studies.py --page
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import write_picture

from equipoise.report.plots import draw_study

RESULTS = Path(__file__).parent / "results" / "studies"

PAGE = Path(__file__).parents[1] / "docs" / "_generated"

ASSETS = Path.home() / ".cache" / "imbalance-assets"

SMALL = "--examples 1000 --fixed total --backbone ResNet(depth=8,width=16) --epochs 30"
"""A part of the images and a network for which a study takes some 25 minutes on two cores."""

WITHOUT = {
    "architecture": "--examples 1000 --fixed total --epochs 15",
    "epochs": "--examples 1000 --fixed total --backbone ResNet(depth=8,width=16)",
}
"""The same without what is studied."""

WITH = {
    "batch-size": "--values 16 32 64 256 --retune rate,weight-decay --trials 4",
    "augmentation": "--values None CropFlip() AutoAugment() TrivialAugment() mixing=Mixup()",
    "architecture": "",
    "pretraining": "",
    "optimizer": "",
    "smoothing": "",
    "weight-decay": "",
    "epochs": "--values 30 8 15 60",
}
"""Components, and what is given for images beside the usual values."""

ON_TABLES = ("batch-size", "smoothing", "optimizer", "architecture")

CHEAP = ("--values", "MLP(numeric=None)", "MLP()", "TabularResNet()")
"""Networks of a large table; TabM takes 33 times as long as the first."""


def studies() -> dict[str, list[str]]:
    """Return the arguments of each study by its name."""
    found = {}
    for data in ("fashion-mnist", "cifar10"):
        for component, more in WITH.items():
            small = WITHOUT.get(component, SMALL)
            found[f"{component}-{data}"] = [component, data, *small.split(), *more.split()]
    for table, seeds in {"yeast": "5", "shuttle": "3"}.items():
        own = [str(ASSETS / f"{table}.csv"), "--label", "target", "--ratios", "own", "--rare"]
        for component in ON_TABLES:
            values = CHEAP if (component, table) == ("architecture", "shuttle") else ()
            found[f"{component}-{table}"] = [
                *(component, *own, "drop", "--seeds", seeds),
                *values,
            ]
    return found


def carry_out(name: str, arguments: list[str], work: Path) -> None:
    """Carry out what is missing of a study, and keep what it finds."""
    folder = work / name
    goes_on = ["--resume"] if folder.exists() else []
    own = ["study", *arguments, "--device", "cpu", "--out", str(folder), *goes_on]
    subprocess.run([sys.executable, "-m", "equipoise", *own], check=True)
    found = json.loads((folder / "findings.json").read_text("utf-8"))
    told = {"command": command(arguments), **found}
    RESULTS.mkdir(parents=True, exist_ok=True)
    RESULTS.joinpath(f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def command(arguments: list[str]) -> str:
    """Return a study's command as it is shown, without the folders of this machine."""
    shown = [Path(a).name if a.startswith("/") else a for a in arguments]
    return "equipoise study " + shlex.join(shown)


def page() -> None:
    """Write for each component the tables and figures of its studies that are finished."""
    PAGE.mkdir(exist_ok=True)
    for component in WITH:
        paths = sorted(RESULTS.glob(f"{component}-*.json"))
        lines = [line for path in paths for line in told(path, path.stem[len(component) + 1 :])]
        if not lines:
            command = f"python benchmarks/studies.py --work WORK --only {component}-fashion-mnist"
            lines = [f"None is finished yet: `{command}`."]
        PAGE.joinpath(f"studies-{component}.md").write_text("\n".join(lines) + "\n", "utf-8")
    PAGE.joinpath("claims.md").write_text(claims(), "utf-8")


def claims() -> str:
    """Return a table of what the studies say of the paper's claims."""
    lines = ["| study | verdict | corrected to equal classes |", "|---|---|---|"]
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        for claim in found["balanced"].get("claims", []):
            numbers = claim["sentence"].partition(": ")[2]
            lines.append(f"| {path.stem} | {claim['verdict']} | {numbers} |")
    return "\n".join(lines) + "\n"


def told(path: Path, data: str) -> list[str]:
    """Return what a study has found, with its figure, as lines of Markdown."""
    found = json.loads(path.read_text("utf-8"))
    lines = [f"### On {data}", "", f"`{found['command']}`", "", *table(found), ""]
    lines += ["Corrected to equal classes:", ""]
    lines += [f"- {sentence}" for sentence in found["balanced"]["sentences"]]
    picture = draw_study(found, path.stem)["changes"]
    if picture is not None:
        name = f"study-{path.stem}.svg"
        write_picture(picture, PAGE.parent / "_static" / name)
        lines += ["", f"![{picture.description}](/_static/{name})"]
    return [*lines, ""]


def table(found: dict[str, Any]) -> list[str]:
    """Return a row for each value: balanced accuracy as trained and corrected at each ratio."""
    ratios = [str(ratio) for ratio in found["ratios"]]
    heads = [r if r == "as it is" else f"ratio {r}" for r in ratios]
    told = [
        f"| {found['component']} | {' | '.join(heads)} |",
        "|" + "---|" * (len(ratios) + 1),
    ]
    for value in found["values"]:
        cells = [
            " / ".join(_score(found, prior, ratio, value["method"]) for prior in PRIORS)
            for ratio in ratios
        ]
        told.append(f"| {value['label']} | {' | '.join(cells)} |")
    n = len(found["seeds"])
    told += ["", f"Balanced accuracy in %, as trained / corrected; n = {n}, ± standard error."]
    return told


PRIORS = ("as_trained", "balanced")


def _score(found: dict[str, Any], prior: str, ratio: str, method: str) -> str:
    mean = found[prior]["ratios"][ratio]["means"].get(method)
    return "" if mean is None else f"{100 * mean['value']:.1f} ± {100 * mean['error']:.1f}"


def main() -> None:
    """Carry out studies, or write what they found."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder of the runs")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these studies")
    parser.add_argument("--page", action="store_true", help="write tables and figures, and stop")
    args = parser.parse_args()
    known = studies()
    if unknown := set(args.only or ()) - set(known):
        parser.error(f"no such study: {', '.join(unknown)}; there are {', '.join(known)}")
    if not args.page:
        if args.work is None:
            parser.error("give --work or --page")
        for name in args.only or known:
            carry_out(name, known[name], args.work)
    page()


if __name__ == "__main__":
    main()
