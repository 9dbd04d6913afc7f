"""``equipoise study``: one component over imbalance ratios."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.fit import name_of
from equipoise.commands.options import (
    Flag,
    Imbalance,
    Place,
    PlaceOptions,
    Reading,
    ReadingOptions,
)
from equipoise.commands.settings import ClassifierOptions
from equipoise.commands.training import read_in
from equipoise.comparison.setup import Unit
from equipoise.durations import format_duration, parse_duration
from equipoise.errors import InputError, TrainingError
from equipoise.pace import computing_with
from equipoise.recipes import find_recipe
from equipoise.statistics.wording import counted
from equipoise.studies.cells import name_of as of_ratio
from equipoise.studies.components import find_component
from equipoise.studies.design import Choices, Study, make_study
from equipoise.studies.findings import compared_by, find, read_found
from equipoise.studies.places import KINDS

RETUNED = {"rate": "optimizer", "weight-decay": "optimizer"}
"""Words for what the search goes over together."""

Compared = Literal["balanced_accuracy", "accuracy", "macro_f1", "log_loss", "balanced_log_loss"]
"""What values can be compared by."""


@dataclass(kw_only=True)
class Cells:
    """Which cells a study has.

    Parameters
    ----------
    ratios : str
        Imbalance ratios of training, with commas between; own: the data as it is, alone.
    test_ratios : str
        Imbalance ratios of places of use, for which accuracy is told, such as 1,10,100; below
        1 the rarest class of training is the most frequent.
    values : list of str
        Values of the component, such as 16 64 256, or "SAM(rho=0.1)"; by default the usual ones.
    seeds : int
        Seeds of each cell, at least 3 for intervals that say something.
    fixed : {"majority", "total"}
        Whether the largest class or the number of all examples is the same at all ratios, as far
        as the data allows; a caution says where it does not.
    hold : {"epochs", "steps"}
        Whether batch sizes have the same epochs or the same steps.
    retune : str
        What is searched again in each cell: rate, weight-decay (both: the optimizer's numbers),
        optimizer, sharpness, smoothing; with commas between.
    trials : int
        Recipes of each such search.
    budget : str
        Time of each run, such as 60s; by default as long as its epochs take.
    metric : str
        What epochs and numbers are chosen by on held-out examples, as for `tune`.
    compare_by : {"balanced_accuracy", "accuracy", "macro_f1", "log_loss", "balanced_log_loss"}
        What values are compared by on the test set; by default balanced accuracy, and with
        --resume what they were compared by before.
    """

    ratios: str = "1,10,100"
    test_ratios: str = ""
    values: Annotated[list[str], Parameter(consume_multiple=True, negative="")] = field(
        default_factory=list
    )
    seeds: int = 3
    fixed: Literal["majority", "total"] = "majority"
    hold: Literal["epochs", "steps"] = "epochs"
    retune: str = ""
    trials: int = 8
    budget: str | None = None
    metric: str | None = None
    compare_by: Compared | None = None

    def choices(self) -> Choices:
        """Return them as a study takes them."""
        words = [word.strip() for word in self.retune.split(",") if word.strip()]
        return Choices(
            ratios=() if self.ratios == "own" else numbers("--ratios", self.ratios),
            n_seeds=self.seeds,
            fixed=self.fixed,
            hold=self.hold,
            values=tuple(self.values),
            retune=tuple(dict.fromkeys(RETUNED.get(word, word) for word in words)),
            n_trials=self.trials,
            budget=None if self.budget is None else parse_duration(self.budget),
            metric=self.metric,
        )

    def places(self) -> tuple[float, ...]:
        """Return the imbalance ratios of places of use."""
        found = numbers("--test-ratios", self.test_ratios)
        for ratio in found:
            if not 0 < ratio < math.inf:
                raise InputError(
                    "--test-ratios are above 0 and finite.", f"One is {ratio:g}.", "Give 1,10,100."
                )
        return found


@dataclass(kw_only=True)
class _Drawn(Imbalance):
    __doc__ = Imbalance.__doc__

    order: Literal["label", "random", "size"] = "random"


def study(  # noqa: PLR0913 (each is an option)
    component: str,
    data: str,
    /,
    *,
    cells: Annotated[Cells, Parameter(name="*")] = Cells(),  # noqa: B008 (never changed)
    recipe: str = "prescribed",
    out: Path | None = None,
    resume: Flag = False,
    dry_run: Flag = False,
    json: Flag = False,
    place: PlaceOptions = Place(),  # noqa: B008 (never changed)
    reading: ReadingOptions = Reading(),  # noqa: B008
    imbalance: Annotated[_Drawn, Parameter(name="*")] = _Drawn(),  # noqa: B008
    classifier: Annotated[
        ClassifierOptions,  # pyright: ignore[reportInvalidTypeForm] (made from the classifier)
        Parameter(name="*"),
    ] = ClassifierOptions(),  # noqa: B008
) -> int:
    """Train with several values of COMPONENT at several imbalance ratios, and say what matters.

    All else stays as it is, resolved once at the largest ratio. With --fixed majority the
    examples of a larger ratio, those held out among them, are a part of those of a smaller one.
    Each seed draws its own order of the classes, so that which class is rare is not confounded
    with how hard it is. Every ratio is a comparison whose runs are folders: what is stopped goes
    on with --resume, also with more values, ratios or seeds.

    Parameters
    ----------
    component : str
        batch-size, augmentation, architecture, pretraining, optimizer, smoothing, weight-decay,
        epochs, or train-ratio, the recipe alone.
    data : str
        As for `fit`.
    recipe : str
        What all else is, as for `fit`.
    out : Path
        Folder of the study; by default studies/COMPONENT-NAME.
    resume : bool
        Go on with the study in --out.
    dry_run : bool
        Print the cells and stop.
    json : bool
        Print what was found, or what --dry-run says, as JSON.
    """
    place.check()
    wanted = find_component(component)
    folder = out or Path("studies") / f"{wanted.name}-{name_of(data)}"
    choices, given = cells.choices(), cells.places()
    _check(imbalance)
    find_recipe(recipe)
    with (
        read_in(data, reading, imbalance, classifier, seed=0) as read,
        computing_with(place.worker_threads),  # for this machine is measured
    ):
        laid = make_study(wanted, replace(read, recipe=recipe), folder, choices, resume=resume)
    _tell(laid, as_json=dry_run and json)
    if not dry_run:
        tested = given or _tested_before(folder)
        _carried_out(laid, place)
        metric = cells.compare_by or compared_by(folder)
        found = find(folder, metric=metric, test_ratios=tested, failures=laid.failures)
        show(found, folder, as_json=json)
        if laid.failures:
            raise TrainingError(
                f"{counted(len(laid.failures), 'run')} of {laid.n_runs} failed. The first: "
                f"{next(iter(laid.failures.items()))}. --resume tries them again."
            )
    return 0


def _check(imbalance: Imbalance) -> None:
    if imbalance.ratio is not None:
        raise InputError(
            "A study has --ratios, of which there may be one.",
            f"--ratio is {imbalance.ratio:g}.",
            f"Give --ratios {imbalance.ratio:g}.",
        )


def _tested_before(folder: Path) -> tuple[float, ...]:
    """Return the imbalance ratios of places of use that a study has been told for."""
    try:
        rows = read_found(folder).get("deployment", [])
    except InputError as fault:
        console.say(f"{fault.actual} It is written anew, without --test-ratios if none are given.")
        return ()
    return tuple(sorted({row["test_ratio"] for row in rows}))


def numbers(name: str, text: str) -> tuple[float, ...]:
    """Return the numbers of an option, which have commas between."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(
            f"{name} are numbers with commas between.", f"It is {text!r}.", "Give 1,10,100."
        ) from None


def _tell(laid: Study, *, as_json: bool) -> None:
    """Print what is studied, every automatic choice, and how many runs there are."""
    first = next(iter(laid.contests.values()))
    console.say(f"The paper: {laid.component.claim}")
    for line in (*first.choices, *laid.told["cautions"]):
        console.say(line)
    values = ", ".join(value.label for value in laid.values)
    console.say(f"Values: {values}. The others are measured against {laid.told['reference']}.")
    budget = first.setup.budget
    each = "" if budget is None else f", at most {format_duration(budget)} each"
    console.say(
        f"{counted(len(laid.values), 'value')}, {counted(len(laid.contests), 'ratio')}, "
        f"{counted(first.n_seeds, 'seed')}: {counted(laid.n_runs, 'run')}, of which "
        f"{laid.n_missing} {'is' if laid.n_missing == 1 else 'are'} to be done{each}."
    )
    if as_json:
        runs = {"n_runs": laid.n_runs, "n_missing": laid.n_missing}
        told = {"notes": list(first.choices), **laid.told, **runs}
        console.print_json({**told, "setup": first.setup.identity()})


def _carried_out(laid: Study, place: Place) -> None:
    """Carry out what is missing under a bar; Ctrl-C says how to go on."""
    try:
        with console.counting_bar("runs", laid.n_missing) as advance, place.open() as where:
            told = [line for each in laid.contests.values() for line in each.cautions(where)]
            for line in dict.fromkeys(told):
                console.say(line)

            def watch(ratio: float, unit: Unit, fault: str | None) -> None:
                how = "done" if fault is None else fault
                console.say(f"{unit.method}, ratio {of_ratio(ratio)}, seed {unit.seed}: {how}")
                advance()

            laid.run(where, [watch])
    except KeyboardInterrupt:
        console.say(
            f"Stopped. What is finished is in {laid.folder}: go on with the same command and "
            f"--out {laid.folder} --resume."
        )
        raise


def show(found: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print what a study found: what to mind, a table for each prior, and sentences."""
    if as_json:
        console.print_json({"study": str(folder), **found})
        return
    for caution in found["cautions"]:
        console.results.print(f"  {caution}", markup=False)
    for title, prior in (("As trained", "as_trained"), ("Corrected to equal classes", "balanced")):
        console.results.print(_table(found, prior, title))
        if found["deployment"]:
            console.results.print(_places(found, prior))
        for sentence in found[prior]["sentences"]:
            console.results.print(f"  {sentence}", markup=False)
    console.say(f"All runs are in {folder}. Next: equipoise report {folder}")


def _table(found: dict[str, Any], prior: str, title: str) -> Table:
    told = f"{title}: {found['metric'].replace('_', ' ')}, standard errors, {found['data']}"
    table = Table(title=escape(told), title_justify="left")
    table.add_column(found["component"])
    for ratio in found["ratios"]:
        table.add_column(f"ratio {ratio}", justify="right")
    in_nats = found["metric"].endswith("log_loss")
    for value in found["values"]:
        cells = [own["means"].get(value["method"]) for own in found[prior]["ratios"].values()]
        table.add_row(escape(value["label"]), *(_cell(cell, in_nats) for cell in cells))
    return table


def _places(found: dict[str, Any], prior: str) -> Table:
    """Return accuracy in each place of use, by training ratio and value."""
    kind, how = KINDS[prior], "as trained" if prior == "as_trained" else "corrected to the place"
    title = f"Accuracy by imbalance ratio of training and of the place of use, {how}"
    table = Table(title=f"{title}, standard errors", title_justify="left")
    table.add_column("trained at")
    several = len({row["method"] for row in found["deployment"]}) > 1
    labels = {value["method"]: value["label"] for value in found["values"]}
    cells: dict[str, dict[float, str]] = {}
    for row in found["deployment"]:
        more = f", {labels[row['method']]}" if several else ""
        mean = {"value": sum(row[kind]) / len(row[kind]), "error": row[f"{kind}_error"]}
        own = cells.setdefault(f"ratio {row['ratio']}{more}", {})
        own[row["test_ratio"]] = _cell(mean, in_nats=False)
    tests = list(dict.fromkeys(row["test_ratio"] for row in found["deployment"]))
    for test in tests:
        table.add_column(f"used at {test:g}", justify="right")
    for name, own in cells.items():
        table.add_row(escape(name), *(own[test] for test in tests))
    return table


def _cell(mean: dict[str, float] | None, in_nats: bool) -> str:
    if mean is None:
        return ""
    if in_nats:
        return f"{mean['value']:.3f} ± {mean['error']:.3f}"
    return f"{100 * mean['value']:.1f} ± {100 * mean['error']:.1f}"
