"""Which recipes to combine: greedy selection on held-out predictions."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from equipoise._typing import CountArray
from equipoise.ensembles import Member
from equipoise.errors import InputError
from equipoise.loading import rebuild_model
from equipoise.metrics import log_softmax
from equipoise.runs import Run
from equipoise.task import Task
from equipoise.tuning.records import Record, fold_folder, folder_of, read_held_out
from equipoise.tuning.scores import HeldOut, gain


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The recipes that are combined.

    Parameters
    ----------
    weights : mapping of int to float
        Weight of each trial, above 0 and 1 in all; the first is the best single recipe.
    score : float
        Of the combination, on held-out examples, in the search's first metric.
    alone : float
        Of the best single recipe there.
    """

    weights: Mapping[int, float]
    score: float
    alone: float


@dataclass(frozen=True, kw_only=True)
class Time:
    """The time that choosing members and predicting with them may take.

    Parameters
    ----------
    ends : float
        Time of `time.monotonic` by which all shall have predicted; by default there is no end.
    costs : mapping of int to float
        Seconds that each recipe takes to predict; those that are not named take none.
    """

    ends: float = math.inf
    costs: Mapping[int, float] = field(default_factory=dict)

    def allows(self, drawn: Iterable[int], choosing: float = 0.0) -> bool:
        """Whether so many seconds and the predictions of some recipes end in time."""
        predicting = sum(self.costs.get(number, 0.0) for number in set(drawn))
        return time.monotonic() + choosing + predicting <= self.ends


def choose_members(
    known: Mapping[int, HeldOut], metric: str, most: int, first: int, limit: Time = Time()
) -> Selection:
    r"""Add one recipe after the other, as long as the held-out score gets better.

    Greedy forward selection with replacement [1]_: a recipe that is drawn twice weighs twice.
    It begins with the best single recipe, so that the combination is never worse than it on
    held-out examples, and stops at the first step that does not help.

    Parameters
    ----------
    known : mapping of int to HeldOut
        Predictions of each recipe, for the same examples.
    metric : str
        What recipes are judged by.
    most : int
        At most so many draws, at least 1.
    first : int
        The recipe to begin with.
    limit : Time
        A recipe is drawn only if all that are drawn by then can predict in time.

    Returns
    -------
    Selection
        Members in the order in which they came in.

    References
    ----------
    .. [1] R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004,
       sections 2.1 to 2.3.

    Examples
    --------
    Two recipes that are each unsure of another class are better together:

    >>> codes = np.array([0, 1])
    >>> a = HeldOut(codes, codes, np.array([[4.0, 0.0], [0.0, 0.0]]))
    >>> b = HeldOut(codes, codes, np.array([[0.0, 0.0], [0.0, 3.0]]))
    >>> found = choose_members({0: a, 1: b}, "balanced_log_loss", 4, 0)
    >>> found.weights, found.score < found.alone
    ({0: 0.5, 1: 0.5}, True)
    """
    codes = known[first].codes
    logs = {n: log_softmax(h.logits.astype(np.float64)) for n, h in known.items()}

    def score(total: np.ndarray, n: int) -> float:
        rows = np.arange(len(codes))
        return HeldOut(rows, codes, total / n).scores()[metric]

    drawn, total = [first], logs[first]
    best = alone = score(total, 1)
    took = 0.0
    while len(drawn) < most:
        begun = time.monotonic()
        allowed = [n for n in logs if limit.allows([*drawn, n], took)]
        if not allowed:
            break
        found = {n: score(total + logs[n], len(drawn) + 1) for n in allowed}
        took = time.monotonic() - begun
        number = max(found, key=lambda n: (gain(found[n], metric), -n))
        if gain(found[number], metric) <= gain(best, metric):
            break
        drawn, total, best = [*drawn, number], total + logs[number], found[number]
    weights = {n: drawn.count(n) / len(drawn) for n in dict.fromkeys(drawn)}
    return Selection(weights=weights, score=best, alone=alone)


def select(
    search: Path, records: Sequence[Record], metric: str, most: int, limit: Time = Time()
) -> Selection | None:
    """Return which recipes of a search are combined; None if none was trained in full.

    Parameters
    ----------
    search : Path
        Folder of the search, which has kept the models of all folds.
    records : sequence of Record
        What was tried.
    metric : str
        What recipes are judged by.
    most : int
        At most so many draws.
    limit : Time
        The time that there is.
    """
    complete = [record for record in records if record.state == "complete"]
    found = {r.number: read_held_out(folder_of(search, r.number)) for r in complete}
    known = {number: held for number, held in found.items() if held is not None}
    if not known:
        return None
    value = {r.number: gain(r.scores[metric], metric) for r in complete}
    first = max(known, key=lambda n: (value[n], -n))
    return choose_members(known, metric, most, first, limit)


def combined(search: Path, selection: Selection) -> HeldOut:
    """Return what the chosen recipes predict together for the held-out examples."""
    known = {n: read_held_out(folder_of(search, n)) for n in selection.weights}
    logs = [
        weight * log_softmax(held.logits.astype(np.float64))
        for (number, weight) in selection.weights.items()
        if (held := known[number]) is not None
    ]
    first = next(held for held in known.values() if held is not None)
    return replace(first, logits=np.sum(logs, axis=0))


def load_members(search: Path, selection: Selection, n_folds: int, device: str) -> list[Member]:
    """Return the models of the chosen recipes: one for each fold, which share its weight."""
    members = []
    for number, weight in selection.weights.items():
        for fold in range(n_folds):
            place = fold_folder(folder_of(search, number), fold)
            network = Run(place).read_json("network.json")
            model = rebuild_model(place, network, device)
            members.append(Member(model=model, weight=weight / n_folds, network=network))
    return members


def stored(run: Run) -> Selection | None:
    """Return what a search has decided to combine, before it was stopped; None: nothing.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    found = run.read_json("final.json").get("ensemble")
    if found is None:
        return None
    try:
        weights = {int(number): float(weight) for number, weight in found["weights"].items()}
        return Selection(weights=weights, score=found["score"], alone=found["alone"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "final.json of a search says which recipes are combined.",
            f"That in `{run.path}` is damaged: {error!r}.",
            "Delete it: what was tried is kept, and the choice is made again.",
        ) from None


def counts_learnt(task: Task, n_folds: int) -> CountArray:
    """Return from how many examples of each class the models of a recipe have learnt together.

    Parameters
    ----------
    task : Task
        The examples of the search.
    n_folds : int
        Folds of a trial: with one, what it holds out was never learnt from.
    """
    rows = task.train if n_folds == 1 else np.union1d(task.train, task.validation)
    return np.bincount(task.codes[rows], minlength=task.n_classes)
