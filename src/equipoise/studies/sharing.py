"""What all cells of a study share, resolved once where rare classes have the fewest examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equipoise.comparison.carrying import UNHURRIED
from equipoise.data.dataset import Dataset
from equipoise.errors import InputError
from equipoise.plan import Plan
from equipoise.recipes import find_recipe
from equipoise.studies.began import Began
from equipoise.studies.cells import AS_IT_IS
from equipoise.studies.contract import Choices, Component, Value
from equipoise.studies.sizes import Drawn, of_seed, scarcest_seed
from equipoise.tuning.folds import require_held_out
from equipoise.tuning.layout import lay_out
from equipoise.tuning.scores import choose_metric


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """The cell by which all that cells share is resolved.

    Parameters
    ----------
    ratio : float
        Its imbalance ratio, the largest.
    seed : int
        Its seed, that with the fewest examples of a class.
    plan : Plan
        Of this cell.
    where : str
        Which cell it is, as the beginning of a reason; empty where all cells are alike.
    began : Began or None
        The study that is gone on with; None: it is new.
    """

    ratio: float
    seed: int
    plan: Plan
    where: str
    began: Began | None

    @classmethod
    def of(cls, dataset: Dataset, drawn: Drawn, n_seeds: int, began: Began | None) -> "Start":
        """Plan the scarcest cell of a new study, or that by which a study began."""
        ratios = sorted(drawn.by_ratio)
        at = drawn.by_ratio[ratios[-1]]
        if began is None:
            ratio, seed = ratios[-1], scarcest_seed(dataset, at, n_seeds)
        else:
            ratio, seed = began.at
            at = replace(at, ratio=None if ratio == AS_IT_IS else ratio)
        found = [f"ratio {ratio:g}, the largest"] if len(ratios) > 1 else []
        found += [f"seed {seed}, which has the fewest examples of a class"] if seed else []
        where = f"as fits {', and '.join(found)}: " if found else ""
        plan = Plan.make(of_seed(at, seed))
        return cls(ratio=ratio, seed=seed, plan=plan, where=where, began=began)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """What all cells share.

    Parameters
    ----------
    params : mapping of str to value
        Parameters of `Classifier`.
    own : mapping of str to value
        What the other parameters are where a value is silent.
    metric : str
        What epochs and numbers are chosen by.
    n_folds : int or None
        Folds of a trial in each search; None: there is none, or each chooses.
    reasons : mapping of str to str
        Why these are what they are, where no user has given them.
    note : str or None
        What is said of the folds, as a sentence.
    """

    params: Mapping[str, Any]
    own: Mapping[str, Any]
    metric: str
    n_folds: int | None
    reasons: Mapping[str, str]
    note: str | None


def shared_by(
    component: Component,
    start: Start,
    values: Sequence[Value],
    choices: Choices,
    most_folds: int,
) -> Shared:
    """Return what all cells share, as one of them needs it, or as the study began.

    Parameters
    ----------
    component : Component
        What is studied.
    start : Start
        The cell that decides, with what the user has given.
    values : sequence of Value
        What is compared.
    choices : Choices
        How the study is laid out.
    most_folds : int
        Folds that every cell can have.

    Raises
    ------
    InputError
        If a value sets what the cells of a study share since it began, or nothing can be held out
        for a search.
    """
    params, own = _frozen(component, start, values, choices)
    metric, reasons = _metric(start, choices.metric)
    n_folds, note = None, None
    if choices.retune:
        n_folds, note = _folds(start, choices.budget, most_folds)
    else:
        reasons["search"] = "for nothing is retuned"
    return Shared(
        params=params, own=own, metric=metric, n_folds=n_folds, reasons=reasons, note=note
    )


def _frozen(
    component: Component, start: Start, values: Sequence[Value], choices: Choices
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters that hold in all cells, and what the others are where a value is silent.

    What is automatic is resolved once: were it resolved in each cell, more than the component and
    the ratio would change. What the component sets, or any of the values, is shared by none; and
    where there is a budget, each run has as many epochs as fit into it. A study that is gone on
    with shares what it began to share.
    """
    plan, began = start.plan, start.began
    recipe = find_recipe(plan.experiment.recipe).on(plan.fit.task.facts["kind"])
    automatic = {
        choice.field: choice.value
        for choice in plan.fit.choices
        if choice.field in plan.params and choice.field not in recipe
    }
    varied = {*component.params, *(name for value in values for name in value.params)}
    if began is None:
        names = automatic.keys() - varied - ({"epochs"} if choices.budget is not None else set())
    else:
        names = automatic.keys() & began.setup["params"].keys()
        if both := sorted(names & varied):
            raise InputError(
                "What all cells share stays while a study is gone on with.",
                f"In `{began.folder}` they share the {both[0]}, which a value sets.",
                "Leave out this value, or give another --out for a new study.",
            )
    shared = {name: automatic[name] for name in automatic if name in names}
    own = {k: v for k, v in automatic.items() if k in varied}
    return {**shared, **plan.experiment.params}, own


def _metric(start: Start, given: str | None) -> tuple[str, dict[str, str]]:
    """Return what epochs are chosen by in all cells, and why if it is not given."""
    if given is not None:
        return given, {}
    if start.began is not None:
        return start.began.setup["metric"], {"metric": "as the study began"}
    task = start.plan.fit.task
    held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
    chosen, why = choose_metric(held)
    return chosen, {"metric": f"{start.where}{why}"}


def _folds(start: Start, budget: float | None, most: int) -> tuple[int | None, str]:
    """Return how many folds the trials of all searches have, and why, as a sentence.

    Left to each search, the folds would follow from the size of its rarest class, and more than
    the component would change with the ratio.
    """
    if start.began is not None:
        n = start.began.setup.get("n_folds")
        return n, f"folds: {'chosen by each search' if n is None else n}, as the study began"
    plan = start.plan
    require_held_out(plan.fit.task)
    layout = lay_out(plan.fit, budget or UNHURRIED, n_predicted=plan.n_predicted)
    why = next(choice.reason for choice in layout.choices if choice.field == "folds")
    n = min(layout.n_folds, most)
    return n, f"folds: {n} in all searches ({start.where}{why})"
