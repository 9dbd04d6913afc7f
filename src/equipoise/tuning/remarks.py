"""What a reader must know before believing what a search tells about the parts of a recipe."""

from collections.abc import Mapping

from equipoise.tuning.observations import Observed
from equipoise.tuning.study import RUNGS

ENOUGH = 20
"""Trials below which nothing is said."""

SURE = 0.05
"""Probability below which differences are told to be more than chance."""


def nothing(observed: Observed) -> str:
    """Return why nothing can be said.

    >>> from numpy import zeros
    >>> nothing(Observed(choices=[{}], gains=zeros(1), basis="final", n_tried=3))
    '1 of 3 trials ... with fewer than 20, nothing can be said about what mattered.'
    """
    n = len(observed.gains)
    if n >= ENOUGH:
        return f"All {n} trials have the same score: nothing can be said about what mattered."
    return (
        f"{n} of {observed.n_tried} trials {'has' if n == 1 else 'have'} a score that can be "
        f"compared; with fewer than {ENOUGH}, nothing can be said about what mattered."
    )


def remarks(observed: Observed, p: Mapping[str, float], foreseen: float) -> list[str]:
    """Return sentences on what importances rest on.

    Parameters
    ----------
    observed : Observed
        The scores.
    p : mapping of str to float
        Probability of the differences between the candidates of each role, see
        `equipoise.tuning.chance.probabilities`.
    foreseen : float
        Share of the variation that can be foreseen, see `equipoise.tuning.fanova.foreseen`.
    """
    sentences = [_basis(observed), _beyond_chance(p), _foreseen(foreseen), _INDEPENDENCE]
    if n := observed.n_drawn_in:
        sentences.append(
            f"{n} score{' was' if n == 1 else 's were'} far below the others and drawn in, for a "
            "recipe that diverged would decide everything."
        )
    return sentences


_INDEPENDENCE = (
    "Trials are no independent draws: the search turns to what looked good, changes several parts "
    "at once, and tries some candidates hardly ever. Every recipe had the same time, so a slow "
    "component also paid with epochs."
)


def _basis(observed: Observed) -> str:
    rests = f"This rests on {len(observed.gains)} of {observed.n_tried} trials"
    if observed.basis == "final":
        return f"{rests}, those trained in full, compared by their final score."
    return (
        f"{rests}, compared by their score after {observed.rung}/{RUNGS[-1]} of a full training: "
        "later scores exist only of recipes that were not stopped. What matters late in training "
        "may not show."
    )


def _beyond_chance(p: Mapping[str, float]) -> str:
    if not p:
        return "No part was tried with more than one component."
    names = [name for name, value in p.items() if value < SURE]
    if not names:
        return "For no part do the scores of its candidates differ by more than chance would."
    return (
        f"By more than chance would, scores differ between the candidates of {', '.join(names)}; "
        f"where nothing matters, one search in {round(1 / SURE)} has any such part."
    )


def _foreseen(share: float) -> str:
    if share <= 0:
        return (
            "From the components alone, the scores of trials that were left out cannot be "
            "foreseen: take none of this for more than a hint."
        )
    return (
        f"From the components alone, {100 * share:.0f} % of the variation between scores can be "
        "foreseen in trials that were left out."
    )
