"""The report in plain sentences, with what the numbers do not say."""

from typing import Any

from equipoise.report.findings import confused_pairs, rarest_class, worst_class
from equipoise.report.formats import percent, shorten, significant, whole

_WIDE = 0.2
"""Width of an interval above which the reader is told that little is known."""


def read_aloud(summary: dict[str, Any]) -> list[str]:
    """Return sentences for a reader who will not study the tables.

    Parameters
    ----------
    summary : dict
        As `equipoise.report.summaries` builds it: ``classes``, ``ratio``, ``results``, ``looks``.

    Returns
    -------
    list of str
        One or two sentences a finding; only those that apply.
    """
    sentences = [_imbalance(summary)]
    results = summary["results"]
    if results:
        sentences += [
            _correction(results),
            _rarest(results["balanced"]),
            _worst(results["balanced"]),
            _calibration(results),
            _looks(summary["looks"]),
        ]
    return [sentence for sentence in sentences if sentence]


def quoted(name: str) -> str:
    """Put a class name, shortened if need be, in quotation marks.

    >>> print(quoted("cat"))
    “cat”
    """
    return f"\N{LEFT DOUBLE QUOTATION MARK}{shorten(name)}\N{RIGHT DOUBLE QUOTATION MARK}"


def _examples(n: int, kind: str) -> str:
    return f"{whole(n) if n else 'no'} {kind} example{'' if n == 1 else 's'}"


def _imbalance(summary: dict[str, Any]) -> str:
    classes = summary["classes"]
    most, least = (pick(classes, key=lambda c: c["train"]) for pick in (max, min))
    if most["train"] == least["train"]:
        return f"Every class has {_examples(most['train'], 'training')}: the data is balanced."
    ratio = summary["ratio"]
    tail = f"{significant(ratio)} times fewer" if ratio else "so the network never saw it"
    return (
        f"The largest class, {quoted(most['name'])}, has {_examples(most['train'], 'training')}; "
        f"the smallest, {quoted(least['name'])}, has {_examples(least['train'], 'training')}"
        f"{', ' + tail}."
    )


def _correction(results: dict[str, Any]) -> str | None:
    before, after = (results[k] for k in ("as_is", "balanced"))
    balanced = [m["overall"]["balanced_accuracy"]["value"] for m in (before, after)]
    if None in balanced:
        return None
    # The confusion counts the test set as it is; the metrics after correction weight it.
    plain = [_accuracy(m["confusion"]) for m in (before, after)]
    return (
        "Correcting the predictions to equal class frequencies, without training again, "
        f"{_change('balanced accuracy', *balanced)} and "
        f"{_change('plain accuracy on the test set', *plain)}."
    )


def _accuracy(confusion: list[list[int]]) -> float:
    return sum(row[k] for k, row in enumerate(confusion)) / sum(map(sum, confusion))


def _change(what: str, before: float, after: float) -> str:
    if percent(before) == percent(after):
        return f"leaves {what} at {percent(after)}"
    verb = "raises" if after > before else "lowers"
    return f"{verb} {what} from {percent(before)} to {percent(after)}"


def _rarest(metrics: dict[str, Any]) -> str:
    row = rarest_class(metrics)
    start = f"The rarest class, {quoted(row['class'])}, has {_examples(row['n'], 'test')}"
    low, high = row["recall"]["low"], row["recall"]["high"]
    if low is None or high is None:
        return f"{start}: nothing is known about its recall."
    only = "is known only to lie" if high - low > _WIDE else "lies"
    return f"{start}: its recall {only} between {percent(low, 0)} and {percent(high, 0)}."


def _worst(metrics: dict[str, Any]) -> str | None:
    row = worst_class(metrics)
    if row is None:
        return None
    start = (
        f"After correction the class found least often is {quoted(row['class'])}: "
        f"{percent(row['recall']['value'], 0)} of its {_examples(row['n'], 'test')}"
    )
    pairs = confused_pairs(metrics["confusion"], [r["class"] for r in metrics["per_class"]])
    taken = next((pair for pair in pairs if pair["true"] == row["class"]), None)
    if taken is None:
        return f"{start}."
    return f"{start}; {percent(taken['share'], 0)} are taken for {quoted(taken['predicted'])}."


def _calibration(results: dict[str, Any]) -> str | None:
    errors = [results[k]["overall"]["top_label_ece"]["value"] for k in ("as_is", "balanced")]
    if None in errors:
        return None
    before, after = (f"{100 * error:.1f}" for error in errors)
    return (
        f"The stated confidence misses the share of right answers by {before} percentage points on "
        f"average as trained; after correction, where all classes are equally frequent, by {after}."
    )


def _looks(looks: int | None) -> str | None:
    if looks is None or looks < 2:
        return None
    return (
        f"The test set has been looked at {whole(looks)} times; choices made between looks make "
        "these figures too favourable, and the intervals do not account for it."
    )
