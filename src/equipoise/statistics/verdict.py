"""What a comparison says, in plain sentences and as plain data."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from equipoise.errors import InputError
from equipoise.statistics.judging import judged, numbers, prior_bias
from equipoise.statistics.results import Comparison
from equipoise.statistics.scores import METRICS
from equipoise.statistics.sentences import bias_sentences, opening, reading, standing
from equipoise.statistics.wording import unit


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison says; see `verdict`.

    Parameters
    ----------
    sentences : tuple of str
        Plain text, the most important first.
    reading : tuple of str
        How to read them, which is the same for all verdicts on the same methods.
    facts : dict
        The same as plain data, ready for JSON.
    """

    sentences: tuple[str, ...]
    reading: tuple[str, ...]
    facts: dict[str, Any]


def verdict(
    comparison: Comparison,
    *,
    control: str | None = None,
    balanced: Comparison | None = None,
    heuristic: Collection[str] = (),
) -> Verdict:
    """Say who is best, who cannot be told apart from it, and what was gained over a control.

    Parameters
    ----------
    comparison : Comparison
        Of the methods as trained, with every pair of them.
    control : str, optional
        The method that the others should beat, such as ``"plain"``.
    balanced : Comparison, optional
        The same with all methods corrected to equal priors; it must hold the pairs with the
        control. What a gain loses by it was only prior bias.
    heuristic : collection of str, default=()
        Methods whose correction is a heuristic: what they lose by it may be the heuristic's fault.

    Returns
    -------
    Verdict
        Facts are ``metric``, ``unit``, ``level``, ``n_seeds``, ``n_runs``, ``holds_seed_noise``,
        ``best``, ``means`` (``value``, ``low``, ``high`` by method), ``to_best`` and ``to_control``
        (lists of ``method``, ``reference``, ``value``, ``low``, ``high``, ``p``,
        ``p_adjusted``, ``told_apart``, ``detectable``) and ``prior_bias`` (lists of
        ``method``, ``gain_as_is`` and ``gain_balanced``, each above 0 if better than the
        control, and ``removed``, what the correction took away). Scores are in [0, 1] or nats.

    Raises
    ------
    InputError
        If the control is not among the methods.

    Notes
    -----
    P-values are Holm's: against the best over all pairs of methods, since which one is best
    is not known before; against the control over the other methods. These are two families,
    each of which tells any difference wrongly with probability at most one less `level`; both
    together, or with those of another prior, do so more often. Where the control is the best,
    there is one list, that to the control. ``detectable`` is the true difference that is found
    with probability 0.8 at Bonferroni's level for the same family.

    Examples
    --------
    >>> import numpy as np
    >>> from equipoise.statistics.paired import Predictions, differences
    >>> codes = np.repeat([0, 1], 100)
    >>> worse = np.where(np.arange(200) % 4 == 0, 1 - codes, codes)
    >>> told = verdict(differences({
    ...     "ldam": [Predictions(codes=codes, logits=np.eye(2)[codes])],
    ...     "plain": [Predictions(codes=codes, logits=np.eye(2)[worse])],
    ... }))
    >>> print(told.sentences[1])
    Worse than ldam: plain by 25.0 points (18.8 to 31.2).
    """
    if control is not None and control not in comparison.means:
        raise InputError(
            f"The control must be one of the methods: {', '.join(comparison.means)}.",
            f"It is {control!r}.",
            "Add it to the methods, or name another control.",
        )
    sign = 1 if METRICS[comparison.metric] else -1
    best = max(comparison.means, key=lambda name: sign * comparison.means[name].value)
    others = [name for name in comparison.means if name != control]
    family = [] if control is None else [(name, control) for name in others]
    to_control = [] if control is None else judged(comparison, control, family)
    # One question has one answer: where the control is best, both lists are of the same pairs.
    to_best = (
        to_control
        if best == control
        else judged(comparison, best, list(combinations(comparison.means, 2)))
    )
    bias = prior_bias(to_control, balanced)
    metric = comparison.metric
    return Verdict(
        sentences=(
            opening(comparison, best),
            *standing(best, to_best, metric),
            *(() if control in (None, best) else standing(control, to_control, metric)),
            *bias_sentences(bias, control, metric, heuristic),
        ),
        reading=tuple(reading(comparison, control, best, [*to_best, *to_control])),
        facts={
            "metric": metric,
            "unit": unit(metric),
            "level": comparison.level,
            "n_seeds": comparison.n_seeds,
            "n_runs": comparison.n_runs,
            "holds_seed_noise": comparison.holds_seed_noise,
            "best": best,
            "means": {name: numbers(found) for name, found in comparison.means.items()},
            "to_best": [each.facts() for each in to_best],
            "to_control": [each.facts() for each in to_control],
            "prior_bias": bias,
        },
    )
