"""``equipoise compare``: methods on the same data, splits, seeds and time, and a verdict."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.fit import name_of
from equipoise.commands.options import (
    Flag,
    Imbalance,
    ImbalanceOptions,
    Place,
    PlaceOptions,
    Reading,
    ReadingOptions,
)
from equipoise.commands.own_methods import methods_in, searched_on
from equipoise.commands.settings import ClassifierOptions, classifier_params
from equipoise.commands.training import read_in
from equipoise.comparison.contest import Contest, make_contest
from equipoise.comparison.methods import TUNED
from equipoise.comparison.setup import Unit
from equipoise.comparison.verdict import conclude, readings
from equipoise.durations import format_duration, parse_duration
from equipoise.errors import InputError, TrainingError
from equipoise.statistics.wording import counted, listed

METHODS = "prescribed,focal,ldam-drw,balanced-softmax,class-balanced-sampling"
"""What is compared where nothing is named; with `TUNED`, where a search would end."""

CORRECTED = "Corrected to equal classes"

ROOMY = 120
"""From this many columns on, names of methods stand in one line."""

NARROW = 12
"""Letters of each of their lines below that."""

BUDGET = "10m"
"""Time of each run where neither a time nor epochs are given."""


def compare(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    methods: str | None = None,
    seeds: int = 5,
    orders: int = 1,
    budget: str | None = None,
    metric: str | None = None,
    search: bool | None = None,
    trials: int | None = None,
    out: Path | None = None,
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
    """Train several methods on DATA with the same splits, seeds and time, and say which is better.

    Plain cross-entropy is always among them, as the control, and every method is shown as it
    was trained and corrected to equal class frequencies. The sealed test set is looked at once
    in each run. Runs are folders: what is stopped goes on with --resume, which may also name
    more methods, seeds or orders. What is given below, such as --backbone, holds for all; --monitor
    and --prior follow from --metric and are refused.

    Parameters
    ----------
    data : str
        As for `fit`.
    methods : str
        Names with commas between: any recipe of `equipoise recipes`; tuned, the search of
        `equipoise tune`; a method over another recipe than plain, such as focal+prescribed or
        focal+tuned; on tables also lightgbm, xgboost, each also with -balanced,
        balanced-forest, easy-ensemble. A method of your own is a TOML file, such as mine.toml
        with loss = "Focal(gamma=1)" below [fit], or the folder of a run. By default prescribed,
        focal, ldam-drw, balanced-softmax, class-balanced-sampling, and tuned where there is a
        time or a number of trials.
    seeds : int
        How often each method is trained; each seed has its own split where DATA brings none.
    orders : int
        With --ratio, how many orders of the classes say which become rare, for each seed; the
        first is as --order says, the others are drawn.
    budget : str
        Time of each run, such as 60s or 10m, a search included; by default 10m, or with
        --epochs or --trials as long as these take.
    metric : str
        What epochs and settings are chosen by on held-out examples, as for `tune`.
    search : bool
        Search the numbers that belong to each method, such as focal's gamma, and the
        optimizer's, within the time; by default where there is time for many trainings.
    trials : int
        At most so many recipes in each search; without --budget every method that has
        something to search has as many, however long they take.
    out : Path
        Folder of the comparison; by default comparisons/NAME.
    resume : bool
        Go on with the comparison in --out.
    dry_run : bool
        Print what would be compared and how, and stop.
    json : bool
        Print the verdict, or what --dry-run says, as JSON.
    """
    place.check()
    folder = out or Path("comparisons") / name_of(data)
    seconds = _seconds(budget, trials, classifier)
    with read_in(data, reading, imbalance, classifier, seed=0) as experiment:
        contest = make_contest(
            experiment,
            folder,
            methods=methods_in(_default(seconds, trials) if methods is None else methods),
            n_seeds=seeds,
            n_orders=orders,
            budget=seconds,
            metric=metric,
            search=search,
            n_trials=trials,
            resume=resume,
            threads=place.worker_threads,
        )
    seen = _tell(contest, methods or "", as_json=dry_run and json)
    if not dry_run:
        contest = replace(contest, noted=tuple(seen))
        _carried_out(contest, place)
        failures = {str(unit): fault for unit, fault in contest.failures.items()}
        show(_concluded(contest, failures), folder, as_json=json)
        if failures:
            raise _failed(contest, failures, "the verdict is without them")
    return 0


def _default(seconds: float | None, trials: int | None) -> str:
    """Return what is compared where nothing is named, and say what is left out."""
    if seconds is not None or trials is not None:
        return f"{METHODS},{TUNED}"
    console.say(
        f"{TUNED} is left out: its search ends by a time or by a number of recipes. Give --budget "
        "or --trials to have it compared."
    )
    return METHODS


def _concluded(contest: Contest, failures: Mapping[str, str]) -> dict[str, Any]:
    """Return the verdict; where runs that failed leave none, say that they did."""
    try:
        return conclude(contest.folder, failures)
    except InputError as error:
        if failures:
            raise _failed(contest, failures, "there is no verdict without them") from error
        raise


def _failed(contest: Contest, failures: Mapping[str, str], so: str) -> TrainingError:
    name, fault = next(iter(failures.items()))
    return TrainingError(
        f"{len(failures)} of {len(contest.units)} runs failed; {so}. The first: {name}: "
        f"{fault.rstrip('.')}. --resume tries them again."
    )


def _seconds(budget: str | None, trials: int | None, classifier: Any) -> float | None:
    if budget is not None:
        return parse_duration(budget)
    is_equal_otherwise = trials is not None or "epochs" in classifier_params(classifier)
    return None if is_equal_otherwise else parse_duration(BUDGET)


def _tell(contest: Contest, methods: str, *, as_json: bool) -> list[str]:
    """Print every automatic choice, what to mind and how long all will take; return the second."""
    seen = searched_on(methods, contest.setup.fingerprint)
    for line in (*contest.choices, *seen):
        console.say(line)
    missing, budget = len(contest.missing), contest.setup.budget
    each = "" if budget is None else f", at most {format_duration(budget)} each"
    console.say(
        f"{counted(len(contest.methods), 'method')}, {counted(contest.n_seeds, 'seed')}, "
        f"{counted(contest.n_orders, 'order')} of classes: {counted(len(contest.units), 'run')}, "
        f"of which {missing} {'is' if missing == 1 else 'are'} to be done{each}."
    )
    if as_json:
        console.print_json({"notes": [*contest.choices, *seen], **contest.laid_out()})
    return seen


def _carried_out(contest: Contest, place: Place) -> None:
    """Carry out what is missing under a bar; Ctrl-C says how to go on."""
    try:
        with console.counting_bar("runs", len(contest.missing)) as advance, place.open() as where:
            for line in contest.cautions(where):
                console.say(line)

            def watch(unit: Unit, fault: str | None) -> None:
                console.say(f"{unit}: {'done' if fault is None else fault}")
                advance()

            contest.run(where, [watch])
    except KeyboardInterrupt:
        console.say(
            f"Stopped. What is finished is in {contest.folder}: go on with the same command and "
            f"--out {contest.folder} --resume."
        )
        raise


def show(found: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print a verdict: the leaderboard, as trained, corrected, and what to mind."""
    if as_json:
        console.print_json({"comparison": str(folder), **found})
        return
    console.results.print(_leaderboard(found))
    by, titles = found["by_metric"], (("As trained", "as_trained"), (CORRECTED, "balanced"))
    told = [(f"{t}, by {by['title']}", by[key]) for t, key in titles if by and key in by]
    for title, verdict in [*told, *((title, found[key]) for title, key in titles)]:
        console.results.print(f"\n[bold]{title}[/bold]")
        for sentence in verdict["sentences"]:
            console.results.print(f"  {sentence}", markup=False)
    console.results.print("\n[bold]How to read this[/bold]")
    for sentence in readings(found):
        console.results.print(f"  {sentence}", markup=False)
    for line in found["cautions"]:
        console.say(line)
    if found["unfinished"]:
        console.say(f"Without any finished run: {', '.join(found['unfinished'])}.")
    console.say(f"All runs are in {folder}. Next: equipoise report {folder}")


def _leaderboard(found: Mapping[str, Any]) -> Table:
    runs = counted(len(found["repeats"]), "run")
    below = [f"Rarest: {listed(found['rarest'])}."] if found["rarest"] else []
    if not all(row["exact_prior"] for row in found["leaderboard"]):
        below.append("* Corrected figures rest on a heuristic.")
    table = Table(
        title=f"Test set, {runs} of each method, 95 % intervals",
        caption=escape(" ".join(below)) or None,
        caption_justify="left",
    )
    figures = {
        "balanced_accuracy": "balanced accuracy",
        "balanced_accuracy_corrected": "corrected",
        "rarest_recall_corrected": "rarest, corrected",
    }
    if (by := found["by_metric"]) is not None:
        is_corrected = by["column"].endswith("_corrected")
        figures[by["column"]] = f"{by['title']}{', corrected' if is_corrected else ''}"
    table.add_column("method", no_wrap=True)
    for name in (*figures.values(), "time", "epochs"):
        table.add_column(name, justify="right", overflow="fold")
    for row in found["leaderboard"]:
        table.add_row(
            _in_lines(row["method"]) + ("" if row["exact_prior"] else " *"),
            *(
                console.interval(row[name], per_cent=not name.startswith(("log", "balanced_log")))
                for name in figures
            ),
            format_duration(row["seconds"]),
            "" if row["epochs"] is None else f"{row['epochs']:.0f}",
        )
    return table


def _in_lines(name: str) -> str:
    """Break a name at its hyphens and its plus where the table has little room for it.

    Rich breaks lines at blanks alone, and would cut names off that begin alike.
    """
    if console.results.width >= ROOMY:
        return name
    lines = textwrap.wrap(name.replace("+", "+ "), width=NARROW)
    return "\n".join(line.replace("+ ", "+") for line in lines)
