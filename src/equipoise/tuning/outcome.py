"""What a search has found, as plain values for people, reports and machines."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from equipoise.defaults import Choice
from equipoise.fitting import Fit
from equipoise.metrics import correct_logits
from equipoise.plan import Plan
from equipoise.runs import SEARCH, Run
from equipoise.selection import MONITORS
from equipoise.settings import as_text, from_text
from equipoise.spec import resolve
from equipoise.specialized.posthoc import POSTHOCS
from equipoise.tuning.ensemble import Selection, combined
from equipoise.tuning.front import pareto_front
from equipoise.tuning.guessing import over_guess
from equipoise.tuning.importance import what_mattered
from equipoise.tuning.layout import Layout
from equipoise.tuning.observations import observe
from equipoise.tuning.records import Record, folder_of, read_held_out
from equipoise.tuning.scores import BALANCED, HeldOut
from equipoise.tuning.winner import Winner

MOVED = 0.05
"""Class shares that differ by more, in total variation, are others."""


def summary(  # noqa: PLR0913 (each is a part of what was found)
    run: Run,
    layout: Layout,
    records: Sequence[Record],
    winner: Winner,
    test: HeldOut,
    ensemble: Selection | None = None,
    *,
    unjudged: Sequence[str] = (),
    ends: float | None = None,
) -> dict[str, Any]:
    """Return what ``tuning.json`` of the final run holds.

    Parameters
    ----------
    run : Run
        The final run, which has looked at the test set; the search is in the folder `SEARCH`
        below it.
    layout : Layout
        How the search was laid out.
    records : sequence of Record
        All trials.
    winner : Winner
        The recipe that was taken.
    test : HeldOut
        Predictions of the test set, see `predicted_test`.
    ensemble : Selection or None, default=None
        The recipes that are combined; None: one is taken alone.
    unjudged : sequence of str, default=()
        Classes of which no example was held out.
    ends : float or None, default=None
        Time of `time.monotonic` by which it shall have been told what mattered; None: any.

    Returns
    -------
    dict
        - ``metrics``, ``n_folds`` and ``choices``: how the search was laid out, and why;
        - ``taken``, of an ensemble its first, and ``best``: numbers of trials; ``alike``,
          ``over_prescription`` and ``over_prescription_error``: see `Winner`, the error None where
          it is infinite;
        - ``front``: what else there is to choose from where there are several metrics, see
          `equipoise.tuning.front.pareto_front`;
        - ``ensemble``: weights of trials, ``score`` of the combination and of the best recipe
          ``alone`` on held-out examples; None where one is taken alone;
        - ``validation`` and ``test``: the first metric of what predicts, on held-out
          and on test examples; ``alike_classes``: the same two over the classes that both have,
          None where these are all; ``optimism``: how much better it looked there than it is, None
          where the metric depends on class shares that differ between the two;
        - ``guess``: see `equipoise.tuning.guessing.over_guess`; None where no predictions are kept;
        - ``unjudged``: classes of which no example was held out, so that no recipe was judged by
          them;
        - ``ended``: how training ended, if not as planned, else None;
        - ``mattered``: see `equipoise.tuning.importance.what_mattered`;
        - ``compared``: see `compare`;
        - ``trials``: every `Record`; its state is ``interrupted`` where a stop has ended it.
    """
    metric = layout.metrics[0]
    taken, over, error = winner.record, winner.over_prescription, winner.error
    validation = taken.scores[metric]
    if ensemble is not None:
        first = next(iter(ensemble.weights))
        taken = next(record for record in records if record.number == first)
        over, error, validation = None, None, ensemble.score
    folder = run.path / SEARCH
    held = (
        combined(folder, ensemble) if ensemble else read_held_out(folder_of(folder, taken.number))
    )
    scores = {"validation": validation, "test": test.scores()[metric]}
    alike = over_alike_classes(held, test, metric)
    observed = observe(folder, records, metric, layout.n_folds, layout.first_rung)
    config, seconds = run.config, None if ends is None else ends - time.monotonic()
    mattered = what_mattered(observed, metric, seed=config["seeds"]["seed"], seconds=seconds)
    return {
        "metrics": list(layout.metrics),
        "n_folds": layout.n_folds,
        "choices": [asdict(choice) for choice in layout.choices],
        "taken": taken.number,
        "best": winner.best.number,
        "alike": winner.alike,
        "over_prescription": over,
        "over_prescription_error": error if error is not None and math.isfinite(error) else None,
        "front": pareto_front(records, layout.metrics),
        "ensemble": None if ensemble is None else asdict(ensemble),
        **scores,
        "alike_classes": alike,
        "optimism": optimism(run, metric, **(alike or scores)),
        "guess": None if held is None else over_guess(held, metric),
        "unjudged": list(unjudged),
        "ended": config.get("environment", {}).get("ended"),
        "mattered": mattered,
        "compared": compare(records[0], taken, mattered, metric),
        "trials": [_as_ended(record) for record in records],
    }


def _as_ended(record: Record) -> dict[str, Any]:
    """Return a record for those who read of it when nothing is trained any more."""
    state = "interrupted" if record.state == "running" else record.state
    return {**asdict(record), "state": state}


def compare(
    prescription: Record, taken: Record, mattered: Mapping[str, Any], metric: str
) -> list[dict[str, Any]]:
    """Return the prescription against the recipe that was taken, role by role.

    Parameters
    ----------
    prescription, taken : Record
        The two trials.
    mattered : mapping
        As `equipoise.tuning.importance.what_mattered` returns it.
    metric : str
        What recipes are judged by.

    Returns
    -------
    list of dict
        For each role ``role``, ``prescribed`` and ``taken`` as text, None where nothing stands
        there; ``importance`` and its ``error``; ``difference``: how much better trials with the
        component that is taken scored on average than those with the prescribed one, and
        ``difference_error``, its standard error. None where both are the same component, or
        nothing is known.

    Examples
    --------
    >>> texts = {"head": "Linear()"}, {"head": "Cosine(scale=8.0)"}
    >>> before, after = (Record(number=k, choices={"head": name}, params=texts[k])
    ...                  for k, name in enumerate(["Linear", "Cosine"]))
    >>> means = [{"name": "Linear", "n": 9, "mean": 0.5, "error": 0.03},
    ...          {"name": "Cosine", "n": 4, "mean": 0.625, "error": 0.04}]
    >>> roles = [{"name": "head", "importance": 0.4, "error": 0.1, "p": 0.01, "candidates": means}]
    >>> [row] = compare(before, after, {"roles": roles}, "balanced_accuracy")
    >>> row["taken"], row["difference"], row["difference_error"]
    ('Cosine(scale=8.0)', 0.125, 0.05)
    """
    known = {row["name"]: row for row in mattered["roles"]}
    return [
        {
            "role": role,
            "prescribed": prescription.params[role],
            "taken": taken.params[role],
            **{key: known.get(role, {}).get(key) for key in ("importance", "error", "p")},
            **_difference(
                known.get(role, {}).get("candidates", []),
                (prescription.choices.get(role), taken.choices.get(role)),
                metric,
            ),
        }
        for role in prescription.params
    ]


def _difference(
    candidates: Sequence[Mapping[str, Any]], names: tuple[Any, Any], metric: str
) -> dict[str, float | None]:
    nothing: dict[str, float | None] = {"difference": None, "difference_error": None}
    rows = {row["name"]: row for row in candidates}
    if names[0] == names[1] or not all(name in rows for name in names):
        return nothing
    before, after = (rows[name] for name in names)
    raised = after["mean"] - before["mean"]
    errors = [before["error"], after["error"]]
    return {
        "difference": raised if MONITORS[metric] else -raised,
        "difference_error": None if None in errors else math.hypot(*errors),
    }


def optimism(run: Run, metric: str, validation: float, test: float) -> float | None:
    """Return how much better held-out examples looked than the test set, if that is the choice's.

    A network looks better on the class shares that it was trained for, chosen or not.
    """
    data = run.config["data"]
    learnt, tested = (np.array(data[f"counts_{part}"], float) for part in ("train", "test"))
    moved = np.abs(learnt / learnt.sum() - tested / tested.sum()).sum() / 2
    if metric not in BALANCED and moved > MOVED:
        return None
    return validation - test if MONITORS[metric] else test - validation


def over_alike_classes(held: HeldOut | None, test: HeldOut, metric: str) -> dict[str, float] | None:
    """Return the scores on held-out and test examples over the classes that both have.

    A class that is never held out, for want of examples, is the hardest in the test set; a mean
    over all classes there and over the others here differs for that alone.

    Returns
    -------
    dict or None
        ``validation`` and ``test``; None where both have the same classes, or no predictions of
        held-out examples are kept.
    """
    if held is None or set(held.codes) == set(test.codes):
        return None
    both = np.intersect1d(held.codes, test.codes)
    parts = {"validation": held, "test": test}
    return {name: part.of_classes(both).scores()[metric] for name, part in parts.items()}


def predicted_test(run: Run, plan: Plan) -> HeldOut:
    """Return predictions of the test set, for the prior of use as held-out examples have them."""
    found = run.read_arrays("predictions.npz")
    logits, model = found["test_logits"].astype(np.float64), plan.model
    classes = plan.parts.dataset.classes
    used = correct_logits(logits, model.prior, model.margins, plan.params["prior"], classes)
    return HeldOut(np.arange(len(logits)), found["test_labels"], used)


def choices_found(
    fit: Fit, prescription: Record, taken: Record, base: Mapping[str, Any]
) -> list[Choice]:
    """Return the choices that a search has made, which no one has given.

    Parameters
    ----------
    fit : Fit
        Of the recipe that is taken.
    prescription, taken : Record
        The first trial, and that of the recipe.
    base : mapping of str to value
        Parameters of the prescription, as it was searched around.
    """
    start, own, told = prescription.params, taken.params, fit.settings.to_text()
    known = {choice.field for choice in fit.choices}
    kept = "as prescribed; the search has kept it"
    found = {name: kept if own[name] == start[name] else "found by the search" for name in start}
    given = from_text("posthoc", base["posthoc"])
    after = None if given is None else resolve(given, POSTHOCS, "posthoc")
    if "posthoc" not in start and told["posthoc"] != as_text(after):
        found["posthoc"] = "its number is that of the trial, chosen on held-out examples"
    if base["epochs"] == "auto":
        found["epochs"] = "where the recipe was best on held-out examples, if there was time"
    return [
        Choice(name, told[name], reason, "the search of this run")
        for name, reason in found.items()
        if name not in known
    ]
