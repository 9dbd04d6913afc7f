"""``equipoise fit``: train a classifier and keep it as a run."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from equipoise.commands import console
from equipoise.commands.options import Flag, Imbalance, Reading
from equipoise.commands.settings import ClassifierOptions, classifier_params
from equipoise.commands.training import described, watched
from equipoise.data.entries import catalog_name
from equipoise.plan import Plan
from equipoise.runs import Run, require_free

TITLES = {"as_is": "as it is", "balanced": "balanced prior"}
"""How results under the two priors are headed."""


def fit(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    out: Path | None = None,
    seed: int = 0,
    resume: Flag = False,
    dry_run: Flag = False,
    json: Flag = False,
    reading: Annotated[Reading, Parameter(name="*")] = Reading(),  # noqa: B008 (never changed)
    imbalance: Annotated[Imbalance, Parameter(name="*")] = Imbalance(),  # noqa: B008
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
    out : Path
        Folder of the run; by default runs/NAME-seedN.
    seed : int
        Seed of training.
    resume : bool
        Go on with the run in --out.
    dry_run : bool
        Print every choice that would be made, and stop before training.
    json : bool
        Print the result as JSON.
    """
    if not dry_run:
        # Before the data is read, which may take long.
        require_free(out or _default_folder(data, seed), resume=resume)
    with console.reading_bar("reading") as progress:
        params = classifier_params(classifier)
        experiment = described(
            data, reading, imbalance, seed=seed, params=params, progress=progress
        )
        plan = Plan.make(experiment)
    for line in plan.choices:
        console.say(line)
    if dry_run:
        return 0
    folder = out or Path("runs") / f"{plan.parts.dataset.name}-seed{seed}"
    run = watched(plan, folder, resume=resume)
    show(run, as_json=json)
    return 0


def _default_folder(data: str, seed: int) -> Path:
    """Return where the run goes without --out, unless the data gives itself another name."""
    path = Path(data).expanduser().resolve()
    name = catalog_name(data) or (path.name if path.is_dir() else path.stem)
    return Path("runs") / f"{name}-seed{seed}"


def show(run: Run, *, as_json: bool) -> None:
    """Print what a finished run found on its test set."""
    metrics = run.read_json("metrics.json")
    if as_json:
        console.print_json({"run": str(run.path), **metrics})
        return
    console.print_metrics(
        "Test set", {title: metrics["test"][key] for key, title in TITLES.items()}
    )
    console.say(f"The run is in {run.path}. Next: equipoise report {run.path}")
