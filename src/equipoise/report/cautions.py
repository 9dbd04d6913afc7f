"""What a reader must know before believing a number of the page."""

from collections.abc import Sequence
from typing import Any

from equipoise.report.findings import overpredicted
from equipoise.report.formats import counted, quoted, whole

_NAMED = 3
"""Most classes that are told one by one."""

_ADVICE = (
    "With so few examples the correction, which makes every class equally frequent, is a guess: "
    "take such an answer for a hint to look closer, collect more examples, or use the "
    "predictions as trained."
)


def cautions(results: dict[str, Any] | None) -> list[str]:
    """Return sentences on classes that prior correction predicts without knowing them.

    Parameters
    ----------
    results : dict or None
        ``as_is`` and ``balanced``, two entries of ``metrics.json``.

    Returns
    -------
    list of str
        At most three classes with a sentence each, how many more there are, and what to do;
        empty if there is nothing to be careful about, see
        `equipoise.report.findings.overpredicted`.
    """
    found = overpredicted(results) if results else []
    if not found:
        return []
    total = sum(map(sum, results["balanced"]["confusion"])) if results else 0
    sentences = [_caution(row, total) for row in found[:_NAMED]]
    more = len(found) - _NAMED
    if more > 0:
        sentences.append(f"The same holds for {whole(more)} more class{'es' if more > 1 else ''}.")
    return [*sentences, _ADVICE]


def _caution(row: dict[str, Any], total: int) -> str:
    name = quoted(row["class"])
    return (
        f"{name} has {counted(row['n_train'], 'training example')}, and yet after prior correction "
        f"{whole(row['predicted'])} of the {whole(total)} test examples are taken for it (as "
        f"trained, {_number(row['before'])}), though {_are(row['n'], 'only ')} of this class; "
        f"{_number(row['right'])} of the {whole(row['predicted'])} {_verb(row['right'])} right."
    )


def _are(n: int, before: str) -> str:
    return f"{before if n else ''}{_number(n)} {_verb(n)}"


def _number(n: int) -> str:
    return whole(n) if n else "none"


def _verb(n: int) -> str:
    return "is" if n < 2 else "are"


def incomparable(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return what forbids comparing runs number by number; pre-training has no numbers."""
    measured = [run for run in runs if not run["pretraining"]]
    facts = {
        "data": {run["data"].get("fingerprint") for run in measured},
        "split": {str(run["seeds"].get("split_seed")) for run in measured},
        "imbalance": {str(run["ratio"]) for run in measured},
    }
    different = [name for name, values in facts.items() if len(values) > 1]
    if not different:
        return []
    return [
        f"These runs differ in their {' and '.join(different)}: differences between their numbers "
        "are not differences between methods alone."
    ]
