"""The report in plain sentences, with what the numbers do not say."""

from typing import Any

from equipoise.report.findings import (
    confused_pairs,
    counted_accuracy,
    rarest_class,
    worst_class,
)
from equipoise.report.formats import (
    counted,
    decimal,
    percent,
    quoted,
    significant,
    whole,
)

_EVEN = 1.5
"""Ratio of the largest to the smallest class below which data is called nearly balanced."""

_WIDE = 0.2
"""Width of an interval above which the reader is told that little is known."""


def read_aloud(summary: dict[str, Any]) -> list[str]:
    """Return sentences for a reader who will not study the tables.

    Parameters
    ----------
    summary : dict
        As `equipoise.report.summaries` builds it: ``classes``, ``ratio``, ``results``, ``looks``,
        ``pretraining``, ``history``, ``data`` and ``classifier``; ``search`` of a tuned run.

    Returns
    -------
    list of str
        One or two sentences a finding; only those that apply.
    """
    if summary["pretraining"]:
        return [sentence for sentence in _pretrained(summary) if sentence]
    sentences = [_imbalance(summary), _start(summary["classifier"]), _tuned(summary.get("search"))]
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


def _imbalance(summary: dict[str, Any]) -> str:
    classes, ratio = summary["classes"], summary["ratio"]
    most, least = (pick(classes, key=lambda c: c["train"]) for pick in (max, min))
    large, small = (counted(c["train"], "training example") for c in (most, least))
    if most["train"] == least["train"]:
        return f"Every class has {large}: the data is balanced."
    if ratio and ratio < _EVEN:
        tail = ": the data is nearly balanced"
    else:
        tail = f", {significant(ratio)} times fewer" if ratio else ", so the network never saw it"
    return (
        f"The largest class, {quoted(most['name'])}, has {large}; the smallest, "
        f"{quoted(least['name'])}, has {small}{tail}."
    )


def _start(classifier: dict[str, Any]) -> str | None:
    earlier = str(classifier.get("initial"))
    if earlier == "None":
        return None
    return f"Training started from the network of an earlier run, {quoted(earlier)}."


def _tuned(search: dict[str, Any] | None) -> str | None:
    if search is None:
        return None
    return (
        f"The recipe was tuned: it was taken from {counted(len(search['trials']), 'recipe')} that "
        "a search tried, by examples outside of the test set."
    )


def _correction(results: dict[str, Any]) -> str | None:
    before, after = (results[k] for k in ("as_is", "balanced"))
    balanced = [m["overall"]["balanced_accuracy"]["value"] for m in (before, after)]
    if None in balanced:
        return None
    was, became = (percent(counted_accuracy(m)["value"]) for m in (before, after))
    sentence = (
        "Correcting the predictions to equal class frequencies, without training again, "
        f"{_change('balanced accuracy', *balanced)}. Counted on the test set as it is, {was} of "
        f"the answers are right as trained and {became} after correction"
    )
    if became == percent(balanced[1]):
        return f"{sentence}."
    return (
        f"{sentence}; if all classes were equally frequent, {percent(balanced[1])} would be right "
        "after it, which is the balanced accuracy."
    )


def _change(what: str, before: float, after: float) -> str:
    if percent(before) == percent(after):
        return f"leaves {what} at {percent(after)}"
    verb = "raises" if after > before else "lowers"
    return f"{verb} {what} from {percent(before)} to {percent(after)}"


def _rarest(metrics: dict[str, Any]) -> str:
    row = rarest_class(metrics)
    start = f"The rarest class, {quoted(row['class'])}, has {counted(row['n'], 'test example')}"
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
        f"{percent(row['recall']['value'], 0)} of its {counted(row['n'], 'test example')}"
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


def _pretrained(summary: dict[str, Any]) -> list[str | None]:
    thing = "image" if summary["data"]["kind"] == "images" else "row"
    own = counted(sum(c["train"] for c in summary["classes"]), f"training {thing}")
    more = summary["pretraining"]["unlabelled"]
    further = f" and {counted(more, f'further {thing}')} that need none" if more else ""
    return [
        f"The network learnt from {own} without their labels{further}; validation and test "
        "examples were not shown to it.",
        "It knows no classes yet, so there is nothing to measure on the test set.",
        _loss(summary["history"]),
    ]


def _loss(history: list[dict[str, Any]]) -> str | None:
    if len(history) < 2:
        return None
    first, last = history[0]["train_loss"], history[-1]["train_loss"]
    return (
        f"The loss {'fell' if last < first else 'did not fall: it went'} from {decimal(first)} in "
        f"the first epoch to {decimal(last)} in the last; it can be compared only with that of "
        "pre-training with the same objective and batch size."
    )
