"""A search in plain sentences: what was tried, what was taken, and how far to believe it."""

from collections.abc import Iterator
from typing import Any

from equipoise.report.formats import counted, decimal, quoted, significant, whole
from equipoise.report.search import STATES
from equipoise.report.vocabulary import METRICS

Row = dict[str, Any]


def written(value: float | None, metric: str) -> str:
    """Write a value of a metric as the page does elsewhere.

    >>> print(written(0.5, "balanced_accuracy"), written(0.5, "log_loss"))
    50.0...% 0.500
    """
    scale, unit = _scale(metric)
    return decimal(None if value is None else scale * value, 1 if unit else 3) + unit


def written_difference(value: float | None, metric: str) -> str:
    """Write a difference of two values of a metric; shares in percentage points.

    >>> print(written_difference(0.021, "balanced_accuracy"), written_difference(0.021, "log_loss"))
    2.1 points 0.021
    """
    scale, unit = _scale(metric)
    if value is None or not unit:
        return decimal(value)
    return f"{scale * value:.1f} points"


def _scale(metric: str) -> tuple[float, str]:
    return (100.0, "\N{NO-BREAK SPACE}%") if METRICS[metric].as_percent else (1.0, "")


def search_aloud(search: Row) -> list[str]:
    """Return sentences about a search.

    Parameters
    ----------
    search : dict
        As `equipoise.report.search.read_search` returns it.

    Returns
    -------
    list of str
        What was tried, which recipe was taken and why, and how its score on held-out examples
        compares with that on the test set.
    """
    chosen = _taken(search) if search["ensemble"] is None else _combined(search)
    remarks = (*_short(search), *_guessing(search), *_unjudged(search))
    return [_tried(search["trials"]), *chosen, *remarks, *_optimism(search)]


def _short(search: Row) -> Iterator[str]:
    """Say that there was little time, as the search did before it began."""
    for choice in search["choices"]:
        if choice["field"] == "budget":
            yield f"It had a time of {choice['value']}: {choice['reason']}."


def _guessing(search: Row) -> Iterator[str]:
    guess, metric = search["guess"], search["metric"]
    if guess is not None and not guess["is_beaten"]:
        yield (
            "On held-out examples it is at chance level: a guess that looks at nothing has "
            f"{written(guess['score'], metric)}, and {written(search['validation'], metric)} is "
            "not surely better."
        )


def _unjudged(search: Row) -> Iterator[str]:
    if names := search["unjudged"]:
        yield (
            f"No recipe was judged by {', '.join(map(quoted, names))}: there are so few examples "
            "that none was held out."
        )


def _tried(trials: list[Row]) -> str:
    states = [trial["state"] for trial in trials]
    ended = [f"{whole(states.count(s))} {words}" for s, words in STATES.items() if s in states]
    verb = "was" if len(trials) == 1 else "were"
    return f"{counted(len(trials), 'recipe')} {verb} tried: {', '.join(ended)}."


def _taken(search: Row) -> Iterator[str]:
    metric, alike = search["metric"], search["alike"]
    direction = "higher" if METRICS[metric].higher_is_better else "lower"
    yield (
        f"They were judged by {METRICS[metric].label.lower()} on held-out training examples, "
        f"where {direction} is better. {_choice(search, alike)}"
    )
    if search["taken"] == 0:
        yield "It is the prescription itself."
    elif search["over"] is not None:
        yield f"It is trial {search['taken']}. {_over(search)}"
    else:
        yield (
            f"It is trial {search['taken']}; the prescription was not trained in full, so that "
            "there is nothing to compare it with."
        )


def _combined(search: Row) -> Iterator[str]:
    metric, ensemble = search["metric"], search["ensemble"]
    weights = [f"{row['number']} ({row['weight']:.2f})" for row in ensemble["weights"]]
    if len(weights) == 1:
        yield (
            f"Trial {ensemble['weights'][0]['number']} predicts alone, as it was trained in the "
            f"search: with no other one its {METRICS[metric].label.lower()} on held-out examples "
            "got better."
        )
        return
    yield (
        f"Trials {', '.join(weights)} predict together, by weights in brackets, as they were "
        "trained in the search: "
        f"{METRICS[metric].label.lower()} {written(ensemble['score'], metric)} on held-out "
        f"examples, where the best recipe alone has {written(ensemble['alone'], metric)}. They "
        "were chosen on these examples, so that the gain is smaller elsewhere."
    )


def _choice(search: Row, alike: int) -> str:
    if not any(trial["state"] == "complete" for trial in search["trials"]):
        return "None was trained in full, so the one that was trained longest is taken."
    if len([trial for trial in search["trials"] if trial["state"] == "complete"]) == 1:
        return "No other recipe was trained in full, so that there was nothing to compare it with."
    if alike > 1:
        return (
            f"{whole(alike)} recipes are within one standard error of the best, trial "
            f"{search['best']}, itself included; of those whose epochs are about as fast as the "
            "fastest, the best is taken."
        )
    return "No other recipe is within one standard error of the best, which is taken."


def _over(search: Row) -> str:
    metric, over, error = search["metric"], search["over"], search["over_error"]
    verb = "better" if over >= 0 else "worse"
    sentence = (
        f"On the same held-out examples it is {verb} than the prescription by "
        f"{written_difference(abs(over), metric)}"
    )
    if not error:
        return f"{sentence}."
    times = abs(over) / error
    size = f"{significant(times, 2)} times" if times >= 0.1 else "less than a tenth of"
    return (
        f"{sentence}, which is {size} its standard error of "
        f"{written_difference(error, metric)}; that it was chosen for this makes the difference "
        "too large."
    )


def _optimism(search: Row) -> Iterator[str]:
    if search["optimism"] is None:
        return
    metric, gap = search["metric"], search["optimism"]
    alike = search["alike_classes"]
    values = " and ".join(
        f"{written((alike or search)[part], metric)} on {words}"
        for part, words in (("validation", "held-out examples"), ("test", "the test set"))
    )
    over = ", over the classes that both have," if alike else ""
    start = f"Its {METRICS[metric].label.lower()}{over} is {values}"
    if gap <= 0:
        yield f"{start}: no worse there than the search had promised."
        return
    final = ", and that the final training differs from the trial's"
    final = final if search["ensemble"] is None else ""
    yield (
        f"{start}, worse by {written_difference(gap, metric)}. A part of that is optimism: the "
        "best of many looks better than it is, because it was chosen for looking good. The rest "
        f"is chance{final}. Believe the test set."
    )
