"""The search that led to a run: ``tuning.json`` as plain values that can be shown safely."""

from collections.abc import Mapping
from typing import Any

from equipoise.report.plain import count, number, optional, rows, scalar, size, text
from equipoise.report.vocabulary import METRICS

Row = dict[str, Any]

STATES = {
    "complete": "trained in full",
    "stopped": "stopped early",
    "unfinished": "ended by the clock",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "interrupted",  # by earlier versions
}
"""How a trial can end, in words."""


def read_search(found: Any) -> Row:
    """Return what the page shows of a search.

    Parameters
    ----------
    found : object
        The content of ``tuning.json``, perhaps written by a stranger, or by a version that did
        not yet ask what mattered.

    Returns
    -------
    dict
        - ``metric`` that decided, ``choices`` of the layout, ``taken``, ``best``, ``alike``,
          ``over``, ``over_error``, ``validation``, ``test`` and ``optimism``; ``alike_classes``:
          the same two over the classes that both have, or None; ``guess``:
          what a guess scores on held-out examples, and whether the recipe is surely better, or
          None; ``unjudged``: classes of which no example was held out;
        - ``front``: ``number`` of each recipe that none beats in one metric without losing in
          another, and its ``values``, by metric;
        - ``ensemble``: ``weights`` with ``number`` and ``weight``, ``score`` and ``alone``; None
          where one recipe is taken alone; ``predicting``: the numbers of the recipes that do;
        - ``compared``: ``role``, ``prescribed``, ``taken``, ``importance``, ``error``,
          ``p``, ``difference`` and ``difference_error`` of each part of the recipe;
        - ``roles`` and ``fields`` with ``name``, ``n``, ``importance``, ``error``, ``p``,
          ``candidates`` and ``ranges``; ``said``: what to know about them;
        - ``trials``: ``number``, ``state``, ``score``, ``epochs``, ``seconds``, ``elapsed`` (its
          own seconds and those of the trials before it), ``changes`` and ``message``;
        - ``prescribed`` and ``chosen``: what the search chose in the first trial and in the one
          that is taken, by name.

    Raises
    ------
    ValueError, TypeError, KeyError
        If a value is not of the kind that Equipoise writes.
    """
    metric = text(found["metrics"][0])
    if metric not in METRICS:
        raise ValueError("a search is for one of the known metrics")
    mattered = found.get("mattered", {})
    choices = {count(row["number"]): row.get("choices", {}) for row in found["trials"]}
    ensemble = _ensemble(found.get("ensemble"))
    return {
        "metric": metric,
        "choices": rows(_choice, found["choices"]),
        "taken": count(found["taken"]),
        "best": count(found["best"]),
        "alike": count(found["alike"]),
        "over": optional(number, found["over_prescription"]),
        "over_error": optional(size, found["over_prescription_error"]),
        "validation": number(found["validation"]),
        "test": optional(number, found["test"]),
        "alike_classes": optional(_both, found.get("alike_classes")),
        "optimism": optional(number, found["optimism"]),
        "guess": optional(_guess, found.get("guess")),
        "unjudged": rows(text, found.get("unjudged", [])),
        "front": rows(_front, found.get("front", [])),
        "ensemble": ensemble,
        "predicting": [row["number"] for row in ensemble["weights"]]
        if ensemble
        else [count(found["taken"])],
        "compared": rows(_compared, found.get("compared", [])),
        "roles": rows(_part, mattered.get("roles", [])),
        "fields": rows(_part, mattered.get("fields", [])),
        "said": rows(text, mattered.get("said", [])),
        "trials": _trials(found["trials"], metric),
        "prescribed": _chosen(choices.get(0, {})),
        "chosen": _chosen(choices.get(found["taken"], {})),
    }


def _guess(row: Mapping[str, Any]) -> Row:
    if not isinstance(row["is_beaten"], bool):
        raise ValueError("a truth value is needed")
    return {"score": number(row["score"]), "is_beaten": row["is_beaten"]}


def _both(row: Mapping[str, Any]) -> Row:
    return {part: number(row[part]) for part in ("validation", "test")}


def _front(row: Mapping[str, Any]) -> Row:
    values = {text(name): number(value) for name, value in row["values"].items()}
    return {"number": count(row["number"]), "values": values}


def _ensemble(found: Any) -> Row | None:
    if found is None:
        return None
    return {
        "weights": [
            {"number": count(int(trial)), "weight": _share(weight)}
            for trial, weight in found["weights"].items()
        ],
        "score": number(found["score"]),
        "alone": number(found["alone"]),
    }


def _share(value: Any) -> float:
    if size(value) > 1:
        raise ValueError("importances and probabilities are at most 1")
    return float(value)


def _choice(row: Mapping[str, Any]) -> Row:
    return {
        "field": text(row["field"]),
        "value": scalar(row["value"]),
        "reason": text(row["reason"]),
        "source": text(row.get("source", "")),
    }


def _compared(row: Mapping[str, Any]) -> Row:
    return {
        "role": text(row["role"]),
        "prescribed": optional(scalar, row["prescribed"]),
        "taken": optional(scalar, row["taken"]),
        "importance": optional(_share, row["importance"]),
        "error": optional(size, row["error"]),
        "p": optional(_share, row["p"]),
        "difference": optional(number, row["difference"]),
        "difference_error": optional(size, row["difference_error"]),
    }


def _part(row: Mapping[str, Any]) -> Row:
    """Return a role or a field with its importance and its mean scores."""
    return {
        "name": text(row["name"]),
        "n": count(row["n"]),
        "importance": optional(_share, row["importance"]),
        "error": optional(size, row["error"]),
        "p": optional(_share, row["p"]),
        "candidates": rows(_candidate, row.get("candidates", [])),
        "ranges": rows(_range, row.get("ranges", [])),
    }


def _chosen(choices: Mapping[str, Any]) -> Row:
    """Return choices by name, numbers as such, for they stand on an axis."""
    for value in choices.values():
        optional(scalar, value)
    return {text(name): value for name, value in choices.items()}


def _mean(row: Mapping[str, Any]) -> Row:
    return {
        "n": count(row["n"]),
        "mean": number(row["mean"]),
        "error": optional(size, row["error"]),
    }


def _candidate(row: Mapping[str, Any]) -> Row:
    return {"name": text(row["name"]), **_mean(row)}


def _range(row: Mapping[str, Any]) -> Row:
    low, high = number(row["low"]), number(row["high"])
    if low > high:
        raise ValueError("a range ends above its begin")
    return {"low": low, "high": high, **_mean(row)}


def _trials(values: Any, metric: str) -> list[Row]:
    trials = rows(lambda row: _trial(row, metric), values)
    start = trials[0]["params"]
    elapsed = 0.0
    for trial in trials:
        elapsed += trial["seconds"]
        params = trial.pop("params")
        changed = {name: value for name, value in params.items() if value != start.get(name)}
        trial |= {"elapsed": elapsed, "changes": changed}
    return trials


def _trial(row: Mapping[str, Any], metric: str) -> Row:
    state = text(row["state"])
    if state not in STATES:
        raise ValueError("a trial ends in one of the known states")
    return {
        "number": count(row["number"]),
        "state": state,
        "score": optional(number, row["scores"].get(metric)),
        "epochs": count(row["epochs"]),
        "seconds": size(row["seconds"]),
        "params": {text(k): optional(scalar, v) for k, v in row["params"].items()},
        "message": text(row.get("message", "")),
    }
