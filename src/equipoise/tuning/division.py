"""How a budget is divided between trials, the final training and what follows."""

from equipoise.tuning.importance import MOST
from equipoise.tuning.remarks import ENOUGH

FULL_TRAININGS = {"images": 5, "table": 8}
"""In the time of the search the prescription could be trained so often, or trials are shorter."""

FINAL_SHARE = {"images": 0.5, "table": 0.35}
"""Largest share of the budget that is kept for the final training; images gain by longer ones."""

SPARE_SHARE = 0.03
"""Share of the budget that is kept for what neither the search nor training takes."""

TELLING_SHARE = 0.05
"""What mattered is told in at most this share of the budget; with less time it is told shorter."""

TELLING_SECONDS = (3.0, 0.05)
"""Seconds that it takes in full: so many, and so many more for each of up to `MOST` trials."""

TRIALS_A_TRAINING = 3
"""Recipes that are tried in the time of a full training, as most of them are stopped early."""

LEAST_SEARCH = 0.1
"""Share of the budget that is for trials even where predictions alone would take all of it."""


def search_time(
    budget: float, kind: str, final: float, later: float, training: float
) -> tuple[float, float]:
    """Return the seconds for trials, and those to tell what mattered.

    Parameters
    ----------
    budget : float
        Seconds that there are.
    kind : {"images", "table"}
        What the examples are.
    final : float
        Seconds of the final training, if there is time enough.
    later : float
        Seconds of predictions and metrics after it.
    training : float
        Seconds of a full training of the prescription in a trial.
    """
    free = budget - later
    least = LEAST_SEARCH * budget
    search = max(free - SPARE_SHARE * budget - min(final, FINAL_SHARE[kind] * free), least)
    telling = telling_seconds(budget, max(search / training, FULL_TRAININGS[kind]))
    return max(search - telling, least), telling


def telling_seconds(budget: float, trainings: float) -> float:
    """Return the seconds to keep for what mattered.

    Parameters
    ----------
    budget : float
        Seconds that there are in all.
    trainings : float
        Full trainings that fit into the time for trials.

    Examples
    --------
    Nothing is told of few trials; a minute is too short for all that can be told of many:

    >>> telling_seconds(3600.0, 5.0), telling_seconds(60.0, 40.0), telling_seconds(3600.0, 40.0)
    (0.0, 3.0, 9.0)
    """
    trials = TRIALS_A_TRAINING * trainings
    if trials < ENOUGH:
        return 0.0
    first, each = TELLING_SECONDS
    return min(first + each * min(trials, MOST), TELLING_SHARE * budget)
