"""What all cells of a study share, resolved once where rare classes have the fewest examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.comparison.carrying import UNHURRIED
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.recipes import find_recipe
from equipoise.studies.components import Component, Value
from equipoise.studies.sizes import of_seed
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
    """

    ratio: float
    seed: int
    plan: Plan
    where: str

    @classmethod
    def of(
        cls, experiment: Experiment, ratio: float, seed: int, ratios: Sequence[float]
    ) -> "Start":
        """Plan the cell of a ratio, whose experiment is given, and a seed."""
        found = [f"ratio {ratio:g}, the largest"] if len(ratios) > 1 else []
        found += [f"seed {seed}, which has the fewest examples of a class"] if seed else []
        where = f"as fits {', and '.join(found)}: " if found else ""
        return cls(ratio=ratio, seed=seed, plan=Plan.make(of_seed(experiment, seed)), where=where)


def frozen(
    component: Component,
    experiment: Experiment,
    plan: Plan,
    values: Sequence[Value],
    budget: float | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters that hold in all cells, and what the others are where a value is silent.

    What is automatic is resolved once: were it resolved in each cell, more than the component and
    the ratio would change. What the component sets, or any of the values, is shared by none; and
    where there is a budget, each run has as many epochs as fit into it.
    """
    recipe = find_recipe(experiment.recipe).on(plan.fit.task.facts["kind"])
    automatic = {
        choice.field: choice.value
        for choice in plan.fit.choices
        if choice.field in plan.params
        and choice.field not in recipe
        and (choice.field != "epochs" or budget is None)
    }
    varied = {*component.params, *(name for value in values for name in value.params)}
    own = {k: v for k, v in automatic.items() if k in varied}
    return {**{k: v for k, v in automatic.items() if k not in own}, **experiment.params}, own


def metric_of(start: Start, given: str | None) -> tuple[str, dict[str, str]]:
    """Return what epochs are chosen by in all cells, and why if it is not given."""
    if given is not None:
        return given, {}
    task = start.plan.fit.task
    held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
    chosen, why = choose_metric(held)
    return chosen, {"metric": f"{start.where}{why}"}


def folds_of(
    start: Start, budget: float | None, began: Mapping[str, Any] | None
) -> tuple[int | None, str]:
    """Return how many folds the trials of all searches have, and why, as a sentence.

    Left to each search, the folds would follow from the size of its rarest class, and more than
    the component would change with the ratio.

    Parameters
    ----------
    start : Start
        The cell that decides.
    budget : float or None
        Seconds of each search; None: as long as its recipes take.
    began : dict or None
        The file of the study that is gone on with; None: it is new.
    """
    if began is not None:
        n = began.get("n_folds")
        return n, f"folds: {'chosen by each search' if n is None else n}, as the study began"
    plan = start.plan
    require_held_out(plan.fit.task)
    layout = lay_out(plan.fit, budget or UNHURRIED, n_predicted=plan.n_predicted)
    why = next(choice.reason for choice in layout.choices if choice.field == "folds")
    return layout.n_folds, f"folds: {layout.n_folds} in all searches ({start.where}{why})"
