"""``equipoise tune``: search for the best recipe in the time there is, and train it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from equipoise.commands import console, invocation
from equipoise.commands.fit import name_of, show
from equipoise.commands.options import (
    Flag,
    Imbalance,
    ImbalanceOptions,
    Place,
    PlaceOptions,
    Reading,
    ReadingOptions,
)
from equipoise.commands.settings import ClassifierOptions
from equipoise.commands.training import read_in, tell_adjustment, tell_end
from equipoise.commands.trials import search_bar, show_search
from equipoise.durations import format_duration, parse_duration
from equipoise.executors import Executor
from equipoise.resuming import earlier_looks
from equipoise.runs import Run
from equipoise.statistics.wording import counted
from equipoise.tuning.identity import is_begun, require_place
from equipoise.tuning.options import Options
from equipoise.tuning.space import ROLES
from equipoise.tuning.study import check_reached
from equipoise.tuning.tuner import Tuner


def tune(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    budget: str = "20m",
    metric: list[str] | None = None,
    search: list[str] | None = None,
    within: list[str] | None = None,
    trials: int | None = None,
    folds: int | None = None,
    search_sampler: Literal["tpe", "random"] = "tpe",
    portfolio: bool = True,
    ensemble: int = 1,
    storage: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    resume: Flag = False,
    dry_run: Flag = False,
    json: Flag = False,
    place: PlaceOptions = Place(),  # noqa: B008 (never changed)
    reading: ReadingOptions = Reading(),  # noqa: B008
    imbalance: ImbalanceOptions = Imbalance(),  # noqa: B008
    classifier: Annotated[
        ClassifierOptions,  # pyright: ignore[reportInvalidTypeForm] (made from the classifier)
        Parameter(name="*"),
    ] = ClassifierOptions(),  # noqa: B008
) -> int:
    """Search for the best recipe for DATA in the time there is, train it, and keep it as a run.

    The first recipe that is tried is the prescription. What is given below, such as
    --optimizer, stays as given; the rest is searched. Every choice is made on training
    examples that are held out; the test set is looked at once, at the end. Ctrl-C ends the
    search with the best recipe so far.

    Parameters
    ----------
    data : str
        As for `fit`.
    budget : str
        Time that all may take, such as 90s, 20m or 1h30m, the final training included.
    metric : list of str
        What to search for: balanced_accuracy, balanced_log_loss, macro_f1, accuracy, log_loss,
        g_mean, worst_class_recall; by default one that the number of held-out examples of the
        rarest class allows. The first decides; with a second one, or with seconds, trials are
        not stopped early.
    search : list of str
        Parameters that are searched; by default all of backbone, head, scaling, augmentation,
        mixing, smoothing, auxiliary, optimizer, schedule, sharpness, batch_size.
    within : list of str
        Parameters, such as loss, whose component stays as it is given while its numbers are
        searched; with it, only what --search names is searched besides.
    trials : int
        At most so many recipes are tried.
    folds : int
        Folds by which each recipe is judged; 1 is a single split. By default by the size of the
        rarest class, and the time.
    search_sampler : {"tpe", "random"}
        How recipes are drawn once the first ones are tried.
    portfolio : bool
        Try recipes first that helped elsewhere.
    ensemble : int
        Combine so many of the best recipes, at most, as their trials have trained them, instead
        of training one anew; predictions cost as much more time and memory.
    storage : str
        URL of a data base for the search, such as sqlite:///search.db, which optuna-dashboard
        can show; by default a file in the run's folder.
    out : Path
        Folder of the run; by default runs/NAME-tuned-seedN. The search is in `search` below it.
    seed : int
        Seed of everything random.
    resume : bool
        Go on with the search in --out; the time that it has used counts.
    dry_run : bool
        Print how the search would be laid out, and stop.
    json : bool
        Print the result, or what --dry-run says, as JSON.
    """
    options = Options(
        budget=parse_duration(budget),
        metrics=tuple(metric or ()),
        roles=tuple(search or (() if within else ROLES)),
        within=tuple(within or ()),
        n_trials=trials,
        n_folds=folds,
        sampler=search_sampler,
        portfolio=portfolio,
        ensemble=ensemble,
        storage=storage,
    )
    folder = out or _default_folder(data, seed)
    # Before the data is read, which may take long.
    _check(options, place, folder, resume=resume)
    with read_in(data, reading, imbalance, classifier, seed=seed) as experiment:
        tuner = Tuner.make(experiment, folder, options, resume=resume, begun=invocation.begun())
    _tell(tuner, as_json=dry_run and json)
    if not dry_run:
        _show(_carried_out(tuner, place), as_json=json)
    return 0


def _check(options: Options, place: Place, folder: Path, *, resume: bool) -> None:
    """Raise `InputError` if something cannot be used that does not depend on the data."""
    place.check()
    options.validate()
    require_place(folder, resume=resume)
    if options.storage is not None:
        check_reached(options.storage)


def _tell(tuner: Tuner, *, as_json: bool) -> None:
    """Print every automatic choice, also for machines if nothing else will be."""
    if is_begun(tuner.search_folder):
        console.say(_resumed(tuner))
    for line in (*tuner.plan.notes, *map(str, tuner.layout.choices)):
        console.say(line)
    if as_json:
        console.print_json({"notes": list(tuner.plan.notes), **asdict(tuner.layout)})


def _resumed(tuner: Tuner) -> str:
    """Say where a search goes on, for its budget may be another one than it began with."""
    if Run(tuner.folder).done:
        return (
            "This search has ended; what it found is shown again. The test set has been read, so "
            "that a longer search needs another --out."
        )
    used, budget = tuner.clock.before, tuner.options.budget
    left = format_duration(max(tuner.clock.remaining, 0.0))
    return (
        f"This search goes on: {counted(len(tuner.records), 'recipe')} tried in "
        f"{format_duration(used)} of {format_duration(budget)}, {left} left. How long a trial is, "
        "and its folds, stay as they were laid out at the start."
    )


def _show(run: Run, *, as_json: bool) -> None:
    show_search(run, as_json=as_json)
    if not as_json:
        show(run, as_json=False)


def _carried_out(tuner: Tuner, place: Place) -> Run:
    """Search, and train what is found; where Ctrl-C ends the command, say how to go on."""
    try:
        with tuner.claim.held(), place.open() as executor:
            return _searched(tuner, executor)
    except KeyboardInterrupt:
        if is_begun(tuner.search_folder):
            console.say(f"Go on with the same command and --out {tuner.folder} --resume.")
        raise


def _searched(tuner: Tuner, executor: Executor) -> Run:
    """Search under a live bar, and train what is found; Ctrl-C ends the search, not the command."""
    refit = True
    with search_bar(tuner) as bar:
        try:
            tuner.search(executor, [bar])
        except KeyboardInterrupt:
            refit = False
            executor.close()
            if not tuner.has_candidate:
                console.say("Stopped before any recipe was trained, so there is no model.")
                raise
            taken = "the best recipe so far is taken, as its trial has trained it"
            if tuner.options.ensemble > 1:
                taken = "the recipes that were trained in full so far are combined"
            console.say(
                f"Stopped: {taken}. Press again to end without a model; "
                f"--out {tuner.folder} --resume goes on then."
            )
    with console.training_bar() as bar:
        run = tuner.finish([bar], refit=refit)
    tell_end(run)
    tell_adjustment(run)
    if earlier_looks(tuner.folder):
        console.say(
            "The sealed test set had been read before the stop, too: recipes that were tried since "
            "could have been chosen by it."
        )
    return run


def _default_folder(data: str, seed: int) -> Path:
    """Return where the run goes without --out."""
    return Path("runs") / f"{name_of(data)}-tuned-seed{seed}"
