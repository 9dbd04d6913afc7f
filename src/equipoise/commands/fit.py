"""``equipoise fit``: train a classifier and keep it as a run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from equipoise.commands import console, invocation
from equipoise.commands.explanation import show_choices, show_settings
from equipoise.commands.options import Flag, Imbalance, ImbalanceOptions, Reading, ReadingOptions
from equipoise.commands.settings import ClassifierOptions
from equipoise.commands.training import read_in, watched
from equipoise.data.entries import catalog_name
from equipoise.durations import parse_duration
from equipoise.plan import Plan
from equipoise.recipes import PRESCRIBED, find_recipe
from equipoise.runs import Run, require_free

TITLES = {"as_is": "as it is", "balanced": "balanced prior"}
"""How results under the two priors are headed."""


def fit(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    recipe: str = PRESCRIBED.name,
    budget: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    resume: Flag = False,
    dry_run: Flag = False,
    explain: Flag = False,
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
    imbalance: ImbalanceOptions = Imbalance(),  # noqa: B008
    classifier: Annotated[
        ClassifierOptions,  # pyright: ignore[reportInvalidTypeForm] (made from the classifier)
        Parameter(name="*"),
    ] = ClassifierOptions(),  # noqa: B008
) -> int:
    """Train a classifier on DATA and keep it as a run.

    The test set is sealed before anything is fitted and looked at once, at the end; the best
    epoch is chosen on validation examples.

    Parameters
    ----------
    data : str
        A class folder, .npz, .csv, .parquet or idx folder, or a name from `data list`.
    recipe : str
        Named settings, over which those given here go; `equipoise recipes` lists them.
    budget : str
        Time that the run may take, such as 90s, 5m or 1h30m: the machine is measured for a few
        seconds, and automatic epochs, and the network if need be, are chosen to fit.
    out : Path
        Folder of the run; by default runs/NAME-seedN.
    seed : int
        Seed of training.
    resume : bool
        Go on with the run in --out.
    dry_run : bool
        Print every choice that would be made, and stop before training.
    explain : bool
        Print every setting with the reason for it and its source, and stop before training.
    json : bool
        Print the result, or what --explain or --dry-run says, as JSON.
    """
    seconds = None if budget is None else parse_duration(budget)
    find_recipe(recipe)
    if not (dry_run or explain):
        # Before the data is read, which may take long.
        require_free(out or _default_folder(data, seed), resume=resume)
    with read_in(data, reading, imbalance, classifier, seed=seed) as experiment:
        timed = replace(experiment, recipe=recipe, budget=seconds)
        plan = replace(Plan.make(timed), begun=invocation.begun())
    folder = out or Path("runs") / f"{plan.parts.dataset.name}-seed{seed}"
    plan = plan.paced(folder if resume else None)
    for line in plan.notes if explain else plan.choices:
        console.say(line)
    if explain:
        show_settings(plan, as_json=json)
    elif dry_run and json:
        show_choices(plan)
    if dry_run or explain:
        return 0
    show(watched(plan, folder, resume=resume), as_json=json)
    return 0


def _default_folder(data: str, seed: int) -> Path:
    """Return where the run goes without --out, unless the data gives itself another name."""
    return Path("runs") / f"{name_of(data)}-seed{seed}"


def name_of(data: str) -> str:
    """Return what DATA is called, as far as that is known before it is read."""
    path = Path(data).expanduser().resolve()
    return catalog_name(data) or (path.name if path.is_dir() else path.stem)


def show(run: Run, *, as_json: bool) -> None:
    """Print what a finished run found on its test set."""
    metrics = run.read_json("metrics.json")
    shown = {title: metrics["test"][key] for key, title in TITLES.items()}
    if as_json:
        console.print_json({"run": str(run.path), **metrics})
    else:
        console.print_metrics("Test set", shown)
    if (chance := _chance(shown.values())) is not None:
        console.say(
            f"This is not surely better than guessing, which has a balanced accuracy of "
            f"{chance:.1%} on this test set: the intervals reach down to it."
        )
    if not as_json:
        console.say(f"The run is in {run.path}. Next: equipoise report {run.path}")


def _chance(results: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the balanced accuracy of a guess if no result is surely better, else None."""
    balanced, chances = [], []
    for result in results:
        balanced.append(result["overall"]["balanced_accuracy"])
        chances.append(1 / sum(entry["n"] > 0 for entry in result["per_class"]))
    is_beaten = any(found["low"] > chance for found, chance in zip(balanced, chances, strict=True))
    return None if is_beaten else chances[0]
