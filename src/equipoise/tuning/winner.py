"""Which recipe to take: noise told apart from gain, and the cheaper one where it is noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise.errors import TrainingError
from equipoise.tuning.differences import difference, is_alike
from equipoise.tuning.records import Record, folder_of, read_held_out
from equipoise.tuning.scores import HeldOut, gain

ALIKE_IN_COST = 0.7
"""A recipe is told to be cheaper where its epoch takes at most so much of the other's.

The pace of one recipe, timed again on a machine with other work, varies by up to half.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Winner:
    """The recipe that is taken, and what it is compared with.

    Parameters
    ----------
    record : Record
        The recipe that is taken.
    best : Record
        The one with the best score, which may be another.
    alike : int
        Recipes within one standard error of the best, itself included.
    over_prescription : float or None
        How much better the one that is taken is than the prescription on held-out examples,
        in the unit of the metric; None where that was not trained in full.
    error : float or None
        Standard error of that difference; infinite where too few examples are held out to tell.
    """

    record: Record
    best: Record
    alike: int
    over_prescription: float | None
    error: float | None


def choose_winner(search: Path, records: Sequence[Record], metric: str) -> Winner:
    """Return the cheapest recipe within one standard error of the best.

    The standard error is that of the difference to the best, on the same held-out examples. Of
    recipes whose epochs take about as long as the cheapest one's, see `ALIKE_IN_COST`, the one
    with the best score is taken. Recipes that were not trained in full are taken only where no
    other is there.

    Parameters
    ----------
    search : Path
        Folder of the search.
    records : sequence of Record
        What was tried.
    metric : str
        What recipes are judged by.

    Raises
    ------
    TrainingError
        If no recipe has predicted anything.
    """
    known = _held_out(search, records)
    if not known:
        raise _nothing_known(records)
    by_number = {record.number: record for record in records}

    def value(number: int) -> float:
        return gain(by_number[number].scores[metric], metric)

    best = max(known, key=lambda n: (value(n), -n))
    others = known.keys() - {best}
    within = [best, *(n for n in others if is_alike(known[best], known[n], metric))]
    cheap = min(by_number[n].pace for n in within) / ALIKE_IN_COST
    taken = max((n for n in within if by_number[n].pace <= cheap), key=lambda n: (value(n), -n))
    is_known = 0 in known and by_number[0].state == "complete"
    over = difference(known[taken], known[0], metric) if is_known else (None, None)
    return Winner(
        record=by_number[taken],
        best=by_number[best],
        alike=len(within),
        over_prescription=over[0],
        error=over[1],
    )


def _nothing_known(records: Sequence[Record]) -> TrainingError:
    failed = [record for record in records if record.state == "failed"]
    if failed and len(failed) == len(records):
        number, message = failed[0].number, failed[0].message
        return TrainingError(
            f"None of the {len(failed)} recipes that were tried could be trained. "
            f"Trial {number} failed with {message}"
        )
    return TrainingError(
        "The search has ended before any recipe was trained for an epoch. "
        "Give it more time, a smaller network, or fewer examples."
    )


def _held_out(search: Path, records: Sequence[Record]) -> dict[int, HeldOut]:
    """Return predictions of the recipes to choose from, all for the same examples."""
    complete = [r.number for r in records if r.state == "complete"]
    if complete:
        return _predictions(search, complete)
    # None was trained in full: the one that was trained longest is all there is.
    begun = [r for r in records if r.scores and r.state != "failed"]
    longest = max(begun, key=lambda r: (len(r.best_epochs), r.seconds, -r.number), default=None)
    return {} if longest is None else _predictions(search, [longest.number])


def _predictions(search: Path, numbers: Sequence[int]) -> dict[int, HeldOut]:
    found = {n: read_held_out(folder_of(search, n)) for n in numbers}
    return {n: held for n, held in found.items() if held is not None}
