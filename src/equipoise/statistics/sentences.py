"""The sentences of a verdict."""

from collections.abc import Collection, Mapping, Sequence
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
    number,
    score,
    unit,
)


def opening(comparison: Comparison, best: str) -> str:
    """Return who is best."""
    found, metric = comparison.means[best], comparison.metric
    return (
        f"The best {METRIC_NAMES[metric]} is that of {best}: {score(found.value, metric)} "
        f"({100 * comparison.level:g} % interval {interval(found, metric)}), "
        f"{_repeats(comparison.n_seeds, comparison.n_runs)}."
    )


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
        names = listed([each.found.method for each in unsure])
        lines.append(
            f"Not told apart from {reference}: {names} (detectable: {_seen(unsure, metric)})."
        )
    if copies:
        lines.append(f"No example tells {listed(copies)} from {reference}.")
    return lines


def _by(each: Judged, metric: str) -> str:
    sign = 1 if each.found.value > 0 else -1
    size = amount(abs(each.gain), metric)
    return f"{each.found.method} by {size} ({interval(each.found, metric, sign)})"


def _seen(unsure: Sequence[Judged], metric: str) -> str:
    """Return which true differences would have been found, over methods."""
    least, most = (f(each.detectable for each in unsure) for f in (min, max))
    is_share = unit(metric) == "points"
    if is_share and least >= 1:
        return "none"
    if is_share and most >= 1:
        return f"{amount(least, metric)} or more"
    ends = [number(end, metric) for end in (least, most)]
    return amount(most, metric) if ends[0] == ends[1] else f"{ends[0]} to {amount(most, metric)}"


def bias_sentences(
    facts: Sequence[dict[str, Any]],
    control: str | None,
    metric: str,
    heuristic: Collection[str] = (),
) -> list[str]:
    """Return how much of each gain, entries of `prior_bias`, equal priors leave."""
    gained = [fact for fact in facts if fact["told_apart"]]
    if not gained:
        return []
    told = "; ".join(
        _left(fact, metric, is_exact=not {fact["method"], control} & {*heuristic})
        for fact in gained
    )
    unsure = [
        fact["method"]
        for fact in gained
        if not fact["told_apart_balanced"] and fact["gain_balanced"]["value"] > 0
    ]
    chance = f" What is left of {listed(unsure)} may be chance." if unsure else ""
    return [
        f"Gains over {control} that are left with both corrected to equal priors: {told}.{chance}"
    ]


def _left(fact: dict[str, Any], metric: str, *, is_exact: bool) -> str:
    gain, left = fact["gain_as_is"]["value"], fact["gain_balanced"]
    ends = interval(Estimate(**left, error=0.0), metric)
    so = (
        f"so {_share(gain, left)} of it was prior bias"
        if is_exact
        else "of which a heuristic correction may have taken more than prior bias"
    )
    return (
        f"{fact['method']} {number(left['value'], metric)} ({ends}) of {amount(gain, metric)}, {so}"
    )


def _share(gain: float, left: Mapping[str, float]) -> str:
    """Return which share of a gain is not left, with its ends where these differ.

    The ends are those of what is left; the gain itself is taken as it was found.

    >>> _share(0.2, {"value": 0.01, "low": -0.01, "high": 0.03})
    '95 % (85 to 100 %)'
    >>> _share(0.2, {"value": -0.02, "low": -0.03, "high": -0.01})
    'all'
    """
    shares = [min(max(1 - left[end] / gain, 0.0), 1.0) for end in ("value", "high", "low")]
    value, low, high = (f"{100 * share:.0f}" for share in shares)
    if value == low == high:
        return {"0": "none", "100": "all"}.get(value, f"{value} %")
    return f"{value} % ({low} to {high} %)"


def reading(
    comparison: Comparison, control: str | None, best: str, judged: Sequence[Judged]
) -> list[str]:
    """Return how to read a verdict, in sentences that verdicts on the same methods share."""
    return [
        *_of_one_seed(comparison),
        *_rule(comparison, control),
        *_of_one_list(comparison, control, best),
        *_of_detectable(judged),
    ]


def _of_one_seed(comparison: Comparison) -> list[str]:
    return [
        "With 1 seed, intervals and tests know nothing of what training again would change: "
        "differences may be due to the seed alone."
    ] * (comparison.n_seeds == 1)


def _of_one_list(comparison: Comparison, control: str | None, best: str) -> list[str]:
    return [f"Where {control} is the best, there is one list, that to {control}."] * (
        best == control and len(comparison.means) > 1
    )


def _of_detectable(judged: Sequence[Judged]) -> list[str]:
    if all(each.is_told_apart or each.is_copy for each in judged):
        return []
    return [
        "Detectable is the true difference that would have been found with a chance of "
        f"{100 * POWER:.0f} %, or its range over methods. Where none is, seeds and examples are "
        "too few, and a difference of any size may be missed."
    ]


def _rule(comparison: Comparison, control: str | None) -> list[str]:
    """Return when a difference counts."""
    n = len(comparison.means)
    if n < 2:
        return []
    chance = "chance" if comparison.n_seeds > 1 else "chance in the test examples"
    often = f"in at most {100 * (1 - comparison.level):.3g} % of comparisons"
    pairs = f"Holm's correction over {counted(n * (n - 1) // 2, 'pair')}"
    if control is None:
        return [
            f"{chance.capitalize()} alone would show any of these differences {often} ({pairs})."
        ]
    return [
        f"In each list, to the best and to {control}, {chance} alone would show any difference "
        f"{often} ({pairs}, and over {counted(n - 1, 'pair')} with {control}); in one of several "
        "lists it does so more often."
    ]
