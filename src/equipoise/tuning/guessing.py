"""Whether a recipe is any better than a guess that looks at no example."""

from dataclasses import replace

import numpy as np

from equipoise.tuning.differences import difference
from equipoise.tuning.scores import BALANCED, HeldOut

SURE = 2.0
"""A recipe is better than a guess if it is so by this many standard errors."""


def over_guess(held: HeldOut, metric: str) -> dict[str, float | bool]:
    """Return what a guess scores on held-out examples, and whether a recipe is surely better.

    A guess gives every example the same logits: those of the class shares among the held-out
    examples, or equal ones for a metric in which all classes count alike.

    Parameters
    ----------
    held : HeldOut
        What the recipe predicts.
    metric : str
        One of `equipoise.selection.MONITORS`.

    Returns
    -------
    dict
        ``score`` of the guess, and ``is_beaten``: whether the recipe is better by more than
        `SURE` standard errors of the difference.

    Examples
    --------
    >>> codes = np.repeat([0, 1], 20)
    >>> knowing = HeldOut(np.arange(40), codes, 9.0 * np.eye(2)[codes])
    >>> over_guess(knowing, "balanced_accuracy")
    {'score': 0.5, 'is_beaten': True}
    """
    counts = np.bincount(held.codes, minlength=held.logits.shape[1])
    is_here = counts > 0
    shares = is_here.astype(float) if metric in BALANCED else counts.astype(float)
    logits = np.where(is_here, np.log(np.maximum(shares, 1.0)), -50.0)
    guess = replace(held, logits=np.broadcast_to(logits, held.logits.shape))
    gained, error = difference(held, guess, metric)
    score = guess.scores()[metric]
    return {"score": score, "is_beaten": bool(gained > SURE * max(error, 0.0))}
