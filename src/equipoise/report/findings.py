"""The classes and pairs of classes that a reader should look at first."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.metrics.aggregates import mean_interval

SCARCE = 5
"""Training examples below which prior correction of a class is told to be a guess."""

_MANY, _TIMES = 10, 2
"""Fewest predictions of a class, and times its true count, that are told to be too many."""


def confused_pairs(
    confusion: Sequence[Sequence[int]], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the pairs of classes that are confused, by their share of the true class.

    Parameters
    ----------
    confusion : sequence of sequence of int, shape (classes, classes)
        Counts; rows are true classes, columns predicted ones.
    classes : sequence of str
        Class names.

    Returns
    -------
    list of dict
        ``true``, ``predicted``, ``count``, ``n`` (examples of the true class) and
        ``share = count / n`` of each pair that occurs, largest share first, then largest count.

    Examples
    --------
    >>> confused_pairs([[8, 2], [0, 5]], ["cat", "dog"])
    [{'true': 'cat', 'predicted': 'dog', 'count': 2, 'n': 10, 'share': 0.2}]
    """
    pairs = [
        {"true": true, "predicted": predicted, "count": count, "n": sum(row)}
        for true, row in zip(classes, confusion, strict=True)
        for predicted, count in zip(classes, row, strict=True)
        if true != predicted and count > 0
    ]
    rated = [pair | {"share": pair["count"] / pair["n"]} for pair in pairs]
    return sorted(rated, key=lambda pair: (-pair["share"], -pair["count"]))


def worst_class(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row of the class of smallest recall, the rarest of several.

    Parameters
    ----------
    metrics : dict
        One entry of ``metrics.json``, with ``per_class``.

    Returns
    -------
    dict or None
        None if no class has a recall, that is, if there are no examples.

    Examples
    --------
    >>> rows = [{"class": c, "n_train": n, "recall": {"value": r}}
    ...         for c, n, r in [("a", 9, 0.5), ("b", 3, 0.5), ("c", 1, None)]]
    >>> worst_class({"per_class": rows})["class"]
    'b'
    """
    known = [row for row in metrics["per_class"] if row["recall"]["value"] is not None]
    return min(known, key=lambda row: (row["recall"]["value"], row["n_train"]), default=None)


def rarest_class(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the row of the class with fewest training, then fewest test examples.

    >>> rows = [{"class": c, "n_train": t, "n": n} for c, t, n in [("a", 9, 1), ("b", 3, 2)]]
    >>> rarest_class({"per_class": rows})["class"]
    'b'
    """
    return min(metrics["per_class"], key=lambda row: (row["n_train"], row["n"]))


def counted_accuracy(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the share of right answers among the test examples as they are.

    Parameters
    ----------
    metrics : dict
        One entry of ``metrics.json``. Its own accuracy weighs the examples by its prior; its
        confusion matrix counts each of them once.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; without a prior they are those of its accuracy.

    Examples
    --------
    >>> counted = counted_accuracy({"confusion": [[60, 30], [2, 8]], "level": 0.95})
    >>> print("{value:.2f} ({low:.2f} to {high:.2f})".format(**counted))
    0.68 (0.58 to 0.77)
    """
    confusion = np.asarray(metrics["confusion"])
    present = confusion.sum(axis=1) > 0
    right, sizes = np.diag(confusion)[present], confusion.sum(axis=1)[present]
    recalls, shares = right / sizes, sizes / sizes.sum()
    low, high = mean_interval(recalls, sizes, shares, metrics["level"])
    return {"value": float(right.sum() / sizes.sum()), "low": low, "high": high}


def overpredicted(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the hardly known classes that prior correction predicts far too often.

    Prior correction makes all classes equally frequent, whatever is known about them. A class
    of which the network has seen one or two examples may then take many answers from others.

    Parameters
    ----------
    results : dict
        ``as_is`` and ``balanced``, two entries of ``metrics.json``.

    Returns
    -------
    list of dict
        ``class``, ``n_train``, ``n`` (its test examples), ``predicted`` (test examples taken
        for it), ``right`` (those among them that are) and ``before`` (taken for it as trained)
        of each class with fewer than 5 training examples, at least 10 predictions and more
        than twice as many as it has test examples; most predictions first.

    Examples
    --------
    >>> rows = [{"class": "cat", "n_train": 90, "n": 60}, {"class": "lynx", "n_train": 1, "n": 3}]
    >>> before, after = ({"per_class": rows, "confusion": [[60 - k, k], [3 - r, r]]}
    ...                  for k, r in [(0, 0), (20, 2)])
    >>> overpredicted({"as_is": before, "balanced": after})
    [{'class': 'lynx', 'n_train': 1, 'n': 3, 'predicted': 22, 'right': 2, 'before': 0}]
    """
    before, after = (np.asarray(results[prior]["confusion"]) for prior in ("as_is", "balanced"))
    found = [
        {name: row[name] for name in ("class", "n_train", "n")}
        | {"predicted": predicted, "right": right, "before": as_trained}
        for row, predicted, right, as_trained in zip(
            results["balanced"]["per_class"],
            after.sum(axis=0).tolist(),
            np.diag(after).tolist(),
            before.sum(axis=0).tolist(),
            strict=True,
        )
        if row["n_train"] < SCARCE and predicted >= _MANY and predicted > _TIMES * row["n"]
    ]
    return sorted(found, key=lambda row: -row["predicted"])
