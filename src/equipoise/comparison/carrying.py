"""Carrying out one run of a comparison, in whatever process."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from equipoise.comparison.methods import Method
from equipoise.comparison.opposing import oppose
from equipoise.comparison.setup import Setup, Unit
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.pretraining import Pretraining
from equipoise.recipes import find_recipe
from equipoise.runs import Run, write_text
from equipoise.tuning.clock import NAME as CLOCK
from equipoise.tuning.clock import Clock
from equipoise.tuning.options import Options
from equipoise.tuning.records import require_seen
from equipoise.tuning.tuner import Tuner

PRETRAINING_SHARE = 0.5
"""Share of a run's time that pre-training may take at most."""

OF_THE_NETWORK = (
    "backbone",
    "norm",
    "scaling",
    "epochs",
    "validation",
    "device",
    "precision",
    "devices",
)
"""Parameters that pre-training shares with the training that follows: what the network is, how
long it is trained, where, and on what. How it learns without labels is its own."""

MADE = "MADE"
"""File beside the clock of a run that has had a folder."""

UNHURRIED = 30 * 86_400.0
"""Seconds of a search that ends by its number of recipes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Everything that a worker needs to carry out a run; it travels to another process.

    Parameters
    ----------
    folder : Path
        The run's folder.
    setup : Setup
        What all methods share.
    method : Method
        What is trained.
    unit : Unit
        With which seed and order.
    """

    folder: Path
    setup: Setup
    method: Method
    unit: Unit


def carry_out(job: Job) -> None:
    """Train, and look at the test set once; a run that was stopped is gone on with.

    Raises
    ------
    InputError
        If the method cannot be trained on the data.
    TrainingError
        If training diverges.
    UnseenFolder
        If the folder of the comparison is not there: it was made where that runs.
    """
    root = job.folder.parents[2]
    require_seen(root)
    if Run(job.folder).done:
        return
    place = clock_folder(root, job.unit)
    if not job.folder.exists() and Run(place).has(MADE):
        _set_back(place, _pretrained_folder(root, job.unit))
    clock = Clock(place, math.inf)

    def conclude(run: Run) -> None:
        """Keep the wall-clock time of the run, those of its starts before a stop included."""
        config = run.config
        config["environment"]["wall_seconds"] = round(clock.used, 1)
        run.write_config(config)

    try:
        with clock.running():
            _carry_out(job, conclude)
    finally:
        if job.folder.exists():
            write_text(place / MADE, "")


def clock_folder(root: Path, unit: Unit) -> Path:
    """Return where the time of a run is kept; not in its folder, which a search clears.

    Once the run has a folder, that is noted beside it: if that is gone later, somebody has
    removed it, and the run that is made anew has a time of its own. One that was killed before
    it had a folder goes on.
    """
    return root / "clocks" / unit.folder(root).relative_to(root / "runs")


def _set_back(place: Path, pretrained: Path) -> None:
    """Begin the time of a run anew, at that of its pre-training, which stays."""
    spent = sum(row["seconds"] for row in Run(pretrained).history)
    Run(place).write_json(CLOCK, {"used": spent})
    Run(place).remove(MADE)


def _pretrained_folder(root: Path, unit: Unit) -> Path:
    return root / "pretrained" / unit.folder(root).relative_to(root / "runs")


def pretraining_of(job: Job, experiment: Experiment, objective: str) -> tuple[Pretraining, Path]:
    """Return what a run learns before its training, and the folder where that is kept.

    Parameters
    ----------
    job : Job
        The run.
    experiment : Experiment
        Its data and parameters. Both are cut alike, so that validation and test examples are not
        shown, and no other run has part in it.
    objective : str
        The self-supervised loss.
    """
    root = job.folder.parents[2]
    recipe = find_recipe(experiment.recipe).on(job.setup.kind)
    given = {**recipe, **experiment.params}
    shared = {name: given[name] for name in OF_THE_NETWORK if name in given}
    budget = None if experiment.budget is None else PRETRAINING_SHARE * experiment.budget
    first = replace(experiment, recipe="plain", params=shared, budget=budget)
    return Pretraining.make(first, objective), _pretrained_folder(root, job.unit)


def _pretrained(job: Job, experiment: Experiment, objective: str) -> Experiment:
    """Pre-train; return the run's experiment from there, with what is left of its time."""
    plan, folder = pretraining_of(job, experiment, objective)
    spent = sum(row["seconds"] for row in plan.run(folder, resume=True).history)
    left = None if experiment.budget is None else experiment.budget - spent
    params = {**experiment.params, "initial": str(folder)}
    return replace(experiment, params=params, budget=left)


def _carry_out(job: Job, conclude: Callable[[Run], None]) -> None:
    setup, method = job.setup, job.method
    if method.is_opponent:
        experiment = job.unit.experiment(setup, {}, "plain")
        oppose(experiment, method.name, job.folder, setup, conclude)
        return
    # As a search has it, so that all methods choose epochs alike.
    chosen = {"monitor": setup.metric, **({"prior": "balanced"} if setup.is_balanced else {})}
    recipe = method.recipe or "plain"
    of_recipe = {**find_recipe(recipe).on(setup.kind), **method.params}
    if setup.network and of_recipe.get("backbone", "auto") == "auto" and not method.roles:
        chosen["backbone"] = setup.network
    experiment = job.unit.experiment(setup, {**chosen, **method.params}, recipe)
    if method.pretrain is not None:
        experiment = _pretrained(job, experiment, method.pretrain)
    if setup.is_searchable and (method.roles or (method.within and setup.searches)):
        conclude(_search(job, experiment))
    else:
        Plan.make(experiment).run(job.folder, resume=True, conclude=conclude)


def _search(job: Job, experiment: Experiment) -> Run:
    """Search a method's numbers, or all that is open, and train the best."""
    setup, method = job.setup, job.method
    options = Options(
        budget=experiment.budget or UNHURRIED,
        metrics=(setup.metric,),
        roles=method.roles,
        within=method.within,
        n_trials=setup.n_trials,
        # Without a time, methods that are not searched have the automatic epochs, and no more.
        longer=experiment.budget is not None,
        n_folds=setup.n_folds,
    )
    # The tuner has the budget; the final training ends when that is over.
    whole = replace(experiment, budget=None)
    tuner = Tuner.make(whole, job.folder, options, resume=True)
    with tuner.claim.held():
        with Here() as here:
            tuner.search(here)
        return tuner.finish()
