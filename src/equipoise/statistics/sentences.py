"""The sentences of a verdict."""

from collections.abc import Sequence
from typing import Any

from equipoise.statistics.judging import Judged
from equipoise.statistics.results import Comparison, Estimate
from equipoise.statistics.spread import POWER
from equipoise.statistics.wording import (
    METRIC_NAMES,
    amount,
    counted,
    interval,
    listed,
    score,
    unit,
)


def opening(comparison: Comparison, best: str) -> list[str]:
    """Return who is best, and whether the seeds are few enough to warn of."""
    found, metric = comparison.means[best], comparison.metric
    return [
        f"The best {METRIC_NAMES[metric]} is that of {best}: {score(found.value, metric)} "
        f"({100 * comparison.level:g} % interval {interval(found, metric)}), "
        f"{_repeats(comparison.n_seeds, comparison.n_runs)}."
    ] + [
        "With 1 seed, intervals and tests know nothing of what training again would change: "
        "differences may be due to the seed alone."
    ] * (comparison.n_seeds == 1)


def _repeats(n_seeds: int, n_runs: int) -> str:
    """Return what a mean is over.

    >>> _repeats(1, 1), _repeats(3, 3), _repeats(1, 2)
    ('from 1 seed', 'the mean over 3 seeds', 'the mean over 2 orders of classes with 1 seed')
    >>> _repeats(3, 6), _repeats(3, 5)
    ('the mean over 3 seeds x 2 orders of classes', 'the mean over 5 runs with 3 seeds')
    """
    if n_runs == n_seeds:
        return "from 1 seed" if n_seeds == 1 else f"the mean over {n_seeds} seeds"
    if n_seeds == 1:
        return f"the mean over {n_runs} orders of classes with 1 seed"
    if n_runs % n_seeds:
        return f"the mean over {n_runs} runs with {n_seeds} seeds"
    return f"the mean over {n_seeds} seeds x {n_runs // n_seeds} orders of classes"


def standing(reference: str, against: Sequence[Judged], metric: str) -> list[str]:
    """Return sentences on who is better, worse, the same, or not told apart."""
    told = [each for each in against if each.is_told_apart]
    copies = [each.found.method for each in against if each.is_copy]
    unsure = [each for each in against if not each.is_told_apart and not each.is_copy]
    lines = [
        f"{word} than {reference}: {'; '.join(_by(each, metric) for each in some)}."
        for word, some in (
            ("Better", [each for each in told if each.gain > 0]),
            ("Worse", [each for each in told if each.gain < 0]),
        )
        if some
    ]
    if unsure:
        lines.append(
            f"Not told apart from {reference}: {listed([each.found.method for each in unsure])}. "
            f"{_blind(unsure, metric)}"
        )
    if copies:
        lines.append(f"No example tells {listed(copies)} from {reference}.")
    return lines


def _by(each: Judged, metric: str) -> str:
    sign = 1 if each.found.value > 0 else -1
    size = amount(abs(each.gain), metric)
    return f"{each.found.method} by {size} ({interval(each.found, metric, sign)})"


def _blind(unsure: Sequence[Judged], metric: str) -> str:
    ends = [f(each.detectable for each in unsure) for f in (min, max)]
    if unit(metric) == "points" and ends[0] >= 1:
        return "These seeds and examples are too few: a difference of any size may be missed."
    least, most = (amount(end, metric) for end in ends)
    if unit(metric) == "points" and ends[1] >= 1:
        size = f"{least} or more, depending on the method,"
    else:
        size = least if least == most else f"{least} to {most}, depending on the method,"
    return (
        f"A true difference of {size} would have been found with a chance of {100 * POWER:.0f} %."
    )


def bias_sentence(fact: dict[str, Any], control: str | None, metric: str) -> str:
    """Return how much of one gain, an entry of `prior_bias`, equal priors leave."""
    gain, left = fact["gain_as_is"]["value"], fact["gain_balanced"]
    ends = interval(Estimate(**left, error=0.0), metric)
    start = f"As trained, {fact['method']} gains {amount(gain, metric)} over {control}; "
    both = "with both corrected to equal priors"
    if left["value"] <= 0:
        return f"{start}{both}, nothing of it is left ({amount(left['value'], metric)}, {ends})."
    if left["value"] >= gain:
        return f"{start}{both}, {amount(left['value'], metric)} ({ends}): none of it is prior bias."
    share = f"{1 - left['value'] / gain:.0%}".replace("%", " %")
    unsure = "" if fact["told_apart_balanced"] else ", and what is left may be chance"
    return (
        f"{start}{both}, {amount(left['value'], metric)} ({ends}): {share} of the gain was "
        f"prior bias{unsure}."
    )


def rule(comparison: Comparison, control: str | None) -> list[str]:
    """Return when a difference counts."""
    n = len(comparison.means)
    if n < 2:
        return []
    often = f"in at most {100 * (1 - comparison.level):.3g} % of comparisons"
    pairs = f"Holm's correction over {counted(n * (n - 1) // 2, 'pair')}"
    if control is None:
        return [f"Chance alone would show any of these differences {often} ({pairs})."]
    return [
        f"In each list, to the best and to {control}, chance alone would show any difference "
        f"{often} ({pairs}, and over {counted(n - 1, 'pair')} with {control}); in one of several "
        "lists it does so more often."
    ]
