"""What a comparison decides once for all methods: metric, search and network, and why."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.comparison.methods import CONTROL
from equipoise.durations import format_duration
from equipoise.pace import measure_pace, paced
from equipoise.plan import Plan
from equipoise.settings import as_text
from equipoise.statistics.wording import counted
from equipoise.tuning.scores import check_metric, choose_metric

ENOUGH_TRAININGS = 12
"""With time for so many trainings of the control, the numbers of each method are searched."""


DECIDED = ("metric", "search", "network", "folds")
"""What is decided once, when a comparison begins; each is told in a line that begins so."""


def all_told(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the choices of a comparison that is gone on with: why it began so, and what is new.

    Parameters
    ----------
    before, now : sequence of str
        Its choices as they are kept, and those of now, as sentences.

    Examples
    --------
    >>> all_told(
    ...     ["metric: accuracy (as given)"],
    ...     ["metric: accuracy (as the comparison began)", "12 rows were dropped."],
    ... )
    ['metric: accuracy (as given)', '12 rows were dropped.']
    """
    known = {line.partition(": ")[0] for line in before}.intersection(DECIDED)
    new = (line for line in now if line.partition(": ")[0] not in known)
    return list(dict.fromkeys([*before, *new]))


def metric_of(
    plan: Plan, given: str | None, was: Mapping[str, Any], reasons: Mapping[str, str]
) -> tuple[str, str]:
    """Return what epochs and numbers of all methods are chosen by, and that with why in a line.

    Parameters
    ----------
    plan : Plan
        Of the control.
    given : str or None
        What the user wants.
    was : mapping
        The setup of the comparison that is gone on with; empty where it is new.
    reasons : mapping of str to str
        As for `equipoise.comparison.contest.make_contest`.

    Raises
    ------
    InputError
        If there is no such metric.
    """
    if "metric" in was and given is None:
        chosen, why = was["metric"], "as the comparison began"
    elif given is not None:
        check_metric(given)
        chosen, why = given, reasons.get("metric", "as given")
    else:
        task = plan.fit.task
        held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
        chosen, why = choose_metric(held)
    return chosen, f"metric: {chosen} ({why})"


def searches_of(
    plan: Plan,
    budget: float | None,
    given: bool | None,
    n_trials: int | None,
    was: Mapping[str, Any],
    reasons: Mapping[str, str],
) -> tuple[bool, str]:
    """Return whether the numbers of each method are searched, and that with why in a line.

    Parameters
    ----------
    plan, was, reasons
        As for `metric_of`.
    budget : float or None
        Seconds of each run.
    given : bool or None
        What the user wants.
    n_trials : int or None
        Recipes that each search tries, at most.
    """
    if "searches" in was and given is None:
        return was["searches"], f"search: {_yes(was['searches'])}, as the comparison began"
    if budget is None:
        if given is not False and n_trials is not None:
            return True, f"search: yes: {counted(n_trials, 'recipe')} of each method, however long"
        return False, "search: no, for there is no time budget: every method has its epochs"
    if given is not None:
        return given, f"search: {_yes(given)}, {reasons.get('search', 'as given')}"
    fit = plan.fit
    passes = fit.settings.batch_size.epochs(fit.settings.epochs)
    whole = measure_pace(fit, min(2.0, 0.02 * budget)).epoch * passes
    n = budget / whole
    told = f"a training of {CONTROL} takes {format_duration(whole)} here"
    if n >= ENOUGH_TRAININGS:
        return True, f"search: the numbers of each method are searched: {told}"
    return False, f"search: no method but those that search by themselves has time for it: {told}"


def _yes(answer: object) -> str:
    return "yes" if answer else "no"


def network_of(
    plan: Plan, budget: float | None, was: Mapping[str, Any], *, searches: bool
) -> tuple[str | None, list[str]]:
    """Return the network that all methods have, if it is not given, and that with why in a line.

    Searches find their own, but for a time in which none can be trained to its end: there each
    run would choose a narrower one by how fast the machine happens to be.

    Parameters
    ----------
    plan, was
        As for `metric_of`.
    budget : float or None
        Seconds of each run.
    searches : bool
        Whether the numbers of each method are searched.
    """
    if was:
        name = was.get("network")
        return name, [] if name is None else [_network(name, "as the comparison began")]
    if budget is None or all(choice.field != "backbone" for choice in plan.fit.choices):
        return None, []
    fit, _ = paced(plan.fit, time.monotonic() + budget, plan.n_predicted)
    chosen = next(choice for choice in fit.choices if choice.field == "backbone")
    name = str(as_text(fit.settings.backbone))
    if searches and name == str(as_text(plan.fit.settings.backbone)):
        return None, []
    return name, [_network(name, chosen.reason)]


def _network(name: str, why: str) -> str:
    return f"network: {name} for all ({why})"
