"""The classes and pairs of classes that a reader should look at first."""

from collections.abc import Sequence
from typing import Any


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
