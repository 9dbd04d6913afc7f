"""A study laid out: which cells there are, what they share, and having them carried out."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from equipoise.comparison.contest import Contest, make_contest
from equipoise.comparison.methods import Method
from equipoise.comparison.setup import Unit, require_own
from equipoise.data.imbalance import parse_ratio
from equipoise.errors import InputError
from equipoise.executors import Executor
from equipoise.experiment import Experiment, read_dataset
from equipoise.runs import Run
from equipoise.studies.began import Began, sizes_asked
from equipoise.studies.cells import AS_IT_IS, NAME, folder_of, name_of, read_told
from equipoise.studies.components import values_of
from equipoise.studies.contract import Base, Choices, Component, Value
from equipoise.studies.retuning import WORDS, methods_of
from equipoise.studies.sharing import Shared, Start, shared_by
from equipoise.studies.sizes import draw_ratios

Watcher = Callable[[float, Unit, str | None], None]
"""Told of each run that has ended: its ratio, what it is, and what went wrong or None."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A component, its values, the ratios, and the folder of everything.

    Parameters
    ----------
    folder : Path
        Where everything is.
    component : Component
        What is studied.
    values : tuple of Value
        Its values.
    contests : dict of float to Contest
        For each imbalance ratio the comparison of the values.
    told : dict
        What is kept of the study, as JSON holds it.
    failures : dict of str to str
        The runs that failed in this process, and why.
    """

    folder: Path
    component: Component
    values: tuple[Value, ...]
    contests: Mapping[float, Contest]
    told: Mapping[str, Any]
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def n_missing(self) -> int:
        """Runs that are not finished."""
        return sum(len(contest.missing) for contest in self.contests.values())

    @property
    def n_runs(self) -> int:
        """Runs in all."""
        return sum(len(contest.units) for contest in self.contests.values())

    def run(self, executor: Executor, watchers: Sequence[Watcher] = ()) -> None:
        """Carry out what is missing, one ratio after the other; failures leave the rest alone.

        Parameters
        ----------
        executor : Executor
            Where it is carried out.
        watchers : sequence of Watcher
            Told of each run that has ended. Without any, each run that fails is warned of.

        Raises
        ------
        InputError
            If another process is at this study.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        Run(self.folder).write_json(NAME, dict(self.told))
        for ratio, contest in self.contests.items():

            def tell(unit: Unit, fault: str | None, ratio: float = ratio) -> None:
                if fault is not None:
                    name = f"{unit.method}, ratio {name_of(ratio)}, seed {unit.seed}"
                    self.failures[name] = fault
                    if not watchers:
                        warnings.warn(f"{name} failed: {fault}", stacklevel=5)
                for watcher in watchers:
                    watcher(ratio, unit, fault)

            contest.run(executor, [tell])


def make_study(
    component: Component,
    experiment: Experiment,
    folder: Path,
    choices: Choices,
    *,
    resume: bool = False,
) -> Study:
    """Read the data and lay a study out; nothing is written.

    Parameters
    ----------
    component : Component
        What is studied.
    experiment : Experiment
        The data, how it is cut, the recipe, and parameters that all cells are given.
    folder : Path
        Where the study is kept, or is already.
    choices : Choices
        How it is laid out.
    resume : bool, default=False
        Go on with the study in the folder, with more values, ratios or seeds if so wished.

    Raises
    ------
    InputError
        If the folder holds something else, or the data or a choice cannot be used.
    """
    _check_place(component, folder, resume=resume)
    _check_choices(component, experiment, choices)
    began = Began.read(folder)
    ratios = sorted({parse_ratio(ratio)[0] for ratio in choices.ratios}) or [AS_IT_IS]
    ratios = ratios if began is None else began.joined(ratios)
    dataset = read_dataset(experiment)
    drawn = draw_ratios(dataset, experiment, ratios, choices.fixed, choices.n_seeds, began)
    start = Start.of(dataset, drawn, choices.n_seeds, began)
    kind, settings = start.plan.fit.task.facts["kind"], start.plan.fit.settings
    base = Base(kind=kind, settings=settings, epochs=settings.epochs, hold=choices.hold)
    known = [] if began is None else began.values(is_all=not choices.values)
    values = tuple(values_of(component, base, choices.values, known))
    shared = shared_by(component, start, values, choices, drawn.smallest_majority)
    found = methods_of(values, start.plan, shared.own, choices.retune, is_new=began is None)
    reference = found.each[values.index(component.reference(base, values))].name
    reference = reference if began is None else began.told["reference"]
    first = sorted(found.each, key=lambda method: method.name != reference)
    contests = {
        ratio: _contest(thinned, folder / folder_of(ratio), first, shared, choices, resume=resume)
        for ratio, thinned in drawn.by_ratio.items()
    }
    notes = [note for note in (drawn.note, found.note, shared.note) if note is not None]
    contests = {r: replace(each, choices=(*each.choices, *notes)) for r, each in contests.items()}
    told = {
        **_described(component, choices),
        "n_seeds": choices.n_seeds if began is None else max(choices.n_seeds, began.n_seeds),
        "resolved": {"ratio": start.ratio, "seed": start.seed},
        "asked": sizes_asked(experiment),
        "held": drawn.is_held,
        "cautions": drawn.cautions,
        "values": [
            {"label": value.label, "number": value.number, "method": method.name}
            for value, method in zip(values, found.each, strict=True)
        ],
        "reference": reference,
        "ratios": [None if ratio == AS_IT_IS else ratio for ratio in ratios],
        "recipe": experiment.recipe,
        "data": Path(experiment.source).stem,
    }
    return Study(folder=folder, component=component, values=values, contests=contests, told=told)


def _contest(
    experiment: Experiment,
    folder: Path,
    methods: Sequence[Method],
    shared: Shared,
    choices: Choices,
    *,
    resume: bool,
) -> Contest:
    """Return the comparison of the values at one ratio; the first method is the reference."""
    return make_contest(
        replace(experiment, params=shared.params),
        folder,
        methods=methods,
        control=methods[0],
        n_seeds=choices.n_seeds,
        budget=choices.budget,
        metric=shared.metric,
        search=bool(choices.retune),
        n_trials=choices.n_trials if choices.retune else None,
        n_folds=shared.n_folds,
        reasons=shared.reasons,
        resume=resume,
    )


def _described(component: Component, choices: Choices) -> dict[str, Any]:
    """Return what is kept of a study's component and choices."""
    return {
        "component": component.name,
        "claim": component.claim,
        "unit": component.unit,
        "fixed": choices.fixed,
        "hold": choices.hold,
        "retune": list(choices.retune),
        "n_trials": choices.n_trials if choices.retune else None,
    }


def _check_place(component: Component, folder: Path, *, resume: bool) -> None:
    require_own(folder, NAME, "study", resume=resume)
    if (folder / NAME).exists() and (was := read_told(folder)["component"]) != component.name:
        raise InputError(
            "A study is gone on with by the component of its start.",
            f"`{folder}` holds a study of {was}, and {component.name} is asked for.",
            "Give another --out.",
        )


def _check_choices(component: Component, experiment: Experiment, choices: Choices) -> None:
    if choices.n_seeds < 1:
        raise InputError(
            "A study needs seeds.", f"There are {choices.n_seeds}.", "Give --seeds 3 or more."
        )
    if both := sorted(experiment.params.keys() & set(component.params)):
        raise InputError(
            "What is studied must not be given as well.",
            f"The study of {component.name} sets {both[0]}, which is given too.",
            f"Leave out --{both[0].replace('_', '-')}, or give its values by --values.",
        )
    if choices.fixed == "total" and experiment.examples is None:
        raise InputError(
            "With a fixed total, the number of examples must be said.",
            "There is no --examples.",
            "Give --examples 5000 for example, no more than the largest ratio leaves.",
        )
    unknown = [
        name for name in choices.retune if name not in ("optimizer", "sharpness", "smoothing")
    ]
    if unknown:
        raise InputError(
            "What is retuned must be rate, weight-decay, optimizer, sharpness or smoothing.",
            f"One is {unknown[0]!r}.",
            "Give for example --retune rate,weight-decay.",
        )
    if component.unit and (both := [n for n in choices.retune if n in component.params]):
        raise InputError(
            "What is studied must not be searched as well.",
            f"The values of {component.name} set the {both[0]}, and --retune would search it.",
            f"Leave {WORDS.get(both[0], both[0])} out of --retune.",
        )
