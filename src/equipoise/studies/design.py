"""A study laid out: which cells there are, what they share, and having them carried out."""

import re
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.comparison.carrying import UNHURRIED
from equipoise.comparison.contest import Contest, make_contest
from equipoise.comparison.methods import Method, make_method
from equipoise.comparison.setup import Unit, require_own
from equipoise.data.imbalance import parse_ratio
from equipoise.data.profiles import RatioOutOfReachError
from equipoise.errors import InputError
from equipoise.executors import Executor
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.recipes import find_recipe
from equipoise.runs import Run
from equipoise.studies.cells import AS_IT_IS, NAME, folder_of, name_of, read_told
from equipoise.studies.components import Base, Component, Value, values_of
from equipoise.tuning.folds import require_held_out
from equipoise.tuning.layout import lay_out
from equipoise.tuning.scores import choose_metric

LONG_NAME = 50
"""Names of methods are cut after so many characters."""

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


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How a study is laid out.

    Parameters
    ----------
    ratios : tuple of float
        Imbalance ratios of training; empty: the data stays as it is.
    n_seeds : int
        Seeds of each cell. Each draws its own subset and, unless the order of classes is given,
        its own order, so that rarity is not confounded with how hard a class is.
    fixed : {"majority", "total"}, default="majority"
        Whether the size of the largest class or the number of all examples is the same at all
        ratios.
    hold : {"epochs", "steps"}, default="epochs"
        What all batch sizes have in common.
    values : tuple of str, default=()
        Values of the component; none: the usual ones.
    retune : tuple of str, default=()
        Parameters whose numbers are searched again in each cell.
    n_trials : int, default=8
        Recipes in each such search.
    budget : float or None, default=None
        Seconds of each run; None: as long as its epochs take.
    metric : str or None, default=None
        What epochs and numbers are chosen by; None: by the size of the rarest class.
    """

    ratios: tuple[float, ...]
    n_seeds: int
    fixed: str = "majority"
    hold: str = "epochs"
    values: tuple[str, ...] = ()
    retune: tuple[str, ...] = ()
    n_trials: int = 8
    budget: float | None = None
    metric: str | None = None


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
    exact = sorted({parse_ratio(ratio)[0] for ratio in choices.ratios})
    by_ratio, plan = _planned(experiment, exact, choices.fixed)
    kind, settings = plan.fit.task.facts["kind"], plan.fit.settings
    base = Base(kind=kind, settings=settings, epochs=settings.epochs, hold=choices.hold)
    shared, own = _frozen(component, experiment, plan)
    values = tuple(values_of(component, base, choices.values))
    methods = [_method(value, own, experiment.recipe, choices.retune) for value in values]
    reference = methods[values.index(component.reference(base, values))]
    metric, reasons = _metric(plan, choices.metric, list(by_ratio))
    began = read_told(folder) if (folder / NAME).exists() else None
    n_folds, folded = _folds(plan, choices, began, list(by_ratio))
    contests = {
        ratio: make_contest(
            replace(thinned, params=shared),
            folder / folder_of(ratio),
            methods=methods,
            control=reference,
            n_seeds=choices.n_seeds,
            budget=choices.budget,
            metric=metric,
            search=bool(choices.retune),
            n_trials=choices.n_trials if choices.retune else None,
            n_folds=n_folds,
            reasons=reasons if choices.retune else {**reasons, "search": "for nothing is retuned"},
            resume=resume,
        )
        for ratio, thinned in by_ratio.items()
    }
    contests = {r: replace(each, choices=(*each.choices, *folded)) for r, each in contests.items()}
    told = {
        **_described(component, choices),
        "n_folds": n_folds,
        "values": [
            {"label": v.label, "number": v.number, "method": m.name}
            for v, m in zip(values, methods, strict=True)
        ],
        "reference": reference.name,
        "ratios": [None if ratio == AS_IT_IS else ratio for ratio in by_ratio],
        "recipe": experiment.recipe,
        "data": Path(experiment.source).stem,
    }
    return Study(folder=folder, component=component, values=values, contests=contests, told=told)


def _described(component: Component, choices: Choices) -> dict[str, Any]:
    """Return what is kept of a study's component and choices."""
    return {
        "component": component.name,
        "claim": component.claim,
        "unit": component.unit,
        "n_seeds": choices.n_seeds,
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


def _planned(
    experiment: Experiment, ratios: Sequence[float], fixed: str
) -> tuple[dict[float, Experiment], Plan]:
    """Return the data of each ratio, and a plan of the largest."""
    try:
        by_ratio = _thinned(experiment, ratios, fixed)
        return by_ratio, Plan.make(by_ratio[max(by_ratio)])
    except RatioOutOfReachError as fault:
        more = "A study takes the data as it is with --ratios own."
        raise InputError(fault.requirement, fault.actual, f"{fault.remedy} {more}") from None


def _thinned(
    experiment: Experiment, ratios: Sequence[float], fixed: str
) -> dict[float, Experiment]:
    """Return the data of each ratio, with the largest class or all examples equal in number."""
    if not ratios:
        return {AS_IT_IS: experiment}
    each = {ratio: replace(experiment, ratio=ratio) for ratio in ratios}
    if fixed == "total" or experiment.examples is None:
        return each
    # So many in all at the largest ratio; its largest class is that of all ratios.
    plan = Plan.make(replace(each[max(ratios)], params={**experiment.params, "validation": 0.0}))
    largest = int(plan.fit.task.counts.max())
    return {r: replace(one, largest=largest, examples=None) for r, one in each.items()}


def _frozen(
    component: Component, experiment: Experiment, plan: Plan
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters that hold in all cells, and what the component is where a value is silent.

    What is automatic is resolved once, at the largest ratio: were it resolved in each cell, more
    than the component and the ratio would change.
    """
    recipe = find_recipe(experiment.recipe).on(plan.fit.task.facts["kind"])
    automatic = {
        choice.field: choice.value
        for choice in plan.fit.choices
        if choice.field in plan.params and choice.field not in recipe
    }
    own = {k: v for k, v in automatic.items() if k in component.params}
    return {**{k: v for k, v in automatic.items() if k not in own}, **experiment.params}, own


def _metric(plan: Plan, given: str | None, ratios: Sequence[float]) -> tuple[str, dict[str, str]]:
    """Return what epochs are chosen by in all cells, and why if it is not given.

    It is what is fit for the largest ratio, of which the plan is.
    """
    if given is not None:
        return given, {}
    task = plan.fit.task
    held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
    chosen, why = choose_metric(held)
    return chosen, {"metric": f"{_where(ratios)}{why}"}


def _folds(
    plan: Plan, choices: Choices, began: Mapping[str, Any] | None, ratios: Sequence[float]
) -> tuple[int | None, list[str]]:
    """Return how many folds the trials of all searches have, and why, as a sentence.

    Left to each search, the folds would follow from the size of its rarest class, and more than
    the component would change with the ratio.
    """
    if not choices.retune:
        return None, []
    if began is not None:
        n, why = began.get("n_folds"), "as the study began"
        return n, [f"folds: {'chosen by each search' if n is None else n}, {why}"]
    require_held_out(plan.fit.task)
    layout = lay_out(plan.fit, choices.budget or UNHURRIED, n_predicted=plan.n_predicted)
    why = next(choice.reason for choice in layout.choices if choice.field == "folds")
    return layout.n_folds, [f"folds: {layout.n_folds} in all searches ({_where(ratios)}{why})"]


def _where(ratios: Sequence[float]) -> str:
    """Return at which of several ratios is chosen what all have, as the beginning of a reason."""
    return f"as fits ratio {max(ratios):g}, the largest: " if len(ratios) > 1 else ""


def _method(value: Value, own: Mapping[str, Any], recipe: str, retune: tuple[str, ...]) -> Method:
    """Return the method that a value is in the comparison of each ratio."""
    name = re.sub(r"[^\w.()=,-]+", "-", value.label, flags=re.ASCII).strip("-.(")
    if len(name) > LONG_NAME:
        name = f"{name[:LONG_NAME]}-{zlib.crc32(value.label.encode()):08x}"
    params = {**own, **value.params}
    return make_method(name, params, over=recipe, within=retune, pretrain=value.pretrain)
