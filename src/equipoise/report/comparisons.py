"""A comparison as plain data for its page: what was found, in words, tables and pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.citations import PAPERS
from equipoise.comparison.leaderboard import columns_of
from equipoise.comparison.results import NAME, Results, read_results
from equipoise.comparison.verdict import concluded, readings
from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.statistics.wording import listed

TITLES = {
    "balanced_accuracy": "Balanced accuracy, as trained",
    "balanced_accuracy_corrected": "corrected",
    "rarest_recall": "Recall of the rarest, as trained",
    "rarest_recall_corrected": "corrected",
    "macro_f1": "Macro-F1, as trained",
    "log_loss": "Log-loss, as trained",
    "balanced_log_loss": "Balanced log-loss, as trained",
    "balanced_log_loss_corrected": "Balanced log-loss, corrected",
    "accuracy": "Accuracy, as trained",
}
"""How the columns of the leaderboard are headed."""

FEW = 0.5
"""A method with less than this share of the most epochs is pointed at."""


def is_comparison(folder: Path) -> bool:
    """Whether a folder holds a comparison."""
    return (folder / NAME).exists()


def summarise_comparison(folder: Path) -> dict[str, Any]:
    """Return everything that the page of a comparison shows, as plain data.

    Parameters
    ----------
    folder : Path
        Of the comparison; what is finished of it is shown.

    Raises
    ------
    InputError
        If nothing can be compared yet.
    """
    results = read_results(folder)
    found = concluded(results)
    setup = results.told.get("setup", {})
    run = Run(folder)
    stored = run.read_json("verdict.json") if run.has("verdict.json") else {}
    return {
        **found,
        "name": folder.name,
        "columns": [
            {"name": k, "title": TITLES[k], "in_percent": not k.startswith(("log", "balanced_log"))}
            for k in columns_of(results.metric)
        ],
        "control": results.control,
        "reading": readings(found),
        "setup": {k: v for k, v in setup.items() if v not in (None, [], {})},
        "choices": results.told.get("choices", []),
        "methods": [_described(name, told) for name, told in results.told["methods"].items()],
        "failures": stored.get("failures", {}),
        "cautions": _cautions(results, found),
    }


def _described(name: str, told: dict[str, Any]) -> dict[str, Any]:
    sources = [part.strip() for part in str(told.get("source", "")).split(";")]
    return {
        "name": name,
        "summary": str(told.get("summary", "")),
        "published": told.get("published"),
        "recipe": told.get("recipe"),
        "sources": [{"name": s, "reference": PAPERS.get(s.partition(" (")[0])} for s in sources],
    }


def _cautions(results: Results, found: dict[str, Any]) -> list[str]:
    said = list(found["cautions"])
    if len({seed for seed, _ in found["repeats"]}) == 1:
        said.append(
            "All of this is from one seed: what training again would change is not known. Add "
            "seeds with --seeds and --resume."
        )
    if results.control not in results.methods:
        said.append(f"There is no finished run of {results.control}, the control.")
    epochs = {row["method"]: row["epochs"] for row in found["leaderboard"] if row["epochs"]}
    few = [name for name, n in epochs.items() if n < FEW * max(epochs.values())]
    if few:
        said.append(
            f"{listed(few)} had less than half of the epochs of others "
            f"({', '.join(f'{name} {n:.0f}' for name, n in epochs.items())}). Where that is for "
            "want of time, read it as what the method brings in this time, not what it can bring."
        )
    if found["unfinished"]:
        said.append(f"Without any finished run: {listed(found['unfinished'])}.")
    looks = [n for own in found["looks"].values() for n in own.values()]
    if max(looks) > 1:
        said.append("The test set of some runs was looked at more than once; see the last table.")
    return said


def require_alike(
    folders: Sequence[Path], kinds: Mapping[str, Callable[[Path], bool]]
) -> str | None:
    """Return what all folders hold; raise `InputError` if they do not hold the same.

    Parameters
    ----------
    folders : sequence of Path
        Folders.
    kinds : mapping of str to callable
        What a folder may hold, and whether it does; what holds none of these is a run.
    """
    found = [next((k for k, holds in kinds.items() if holds(f)), None) for f in folders]
    if len(set(found)) > 1:
        odd = next(i for i, kind in enumerate(found) if kind != found[0])
        raise InputError(
            "A report is about runs, about comparisons, about studies, or about a diagnosis.",
            f"`{folders[0]}` holds a {found[0] or 'run'}, and `{folders[odd]}` a "
            f"{found[odd] or 'run'}.",
            "Write one report for each kind.",
        )
    return found[0] if found else None
