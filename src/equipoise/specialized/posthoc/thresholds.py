"""Thresholds of the classes, fitted on held-out examples and shrunk to what holds on others."""

from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.spec import bounded
from equipoise.specialized.posthoc.base import (
    Evidence,
    HeadChange,
    PostHoc,
    normalised_prior,
    pooled,
)
from equipoise.specialized.posthoc.offsets import Offsets, Score, class_thresholds, mean_score

STRENGTHS = tuple(i / 10 for i in range(11))
"""Shares of the fitted offsets that are tried."""

PARTS = 5
"""Parts of the held-out examples, each of which judges what is fitted on the others."""

FEW = 10
"""Fewer held-out examples of a class than this are told."""


@dataclass(eq=False, repr=False, kw_only=True)
class Thresholds(PostHoc):
    r"""An offset on the logit of each class, chosen on held-out examples for one score.

    The usual repair of a classifier that says the common class too often. Use it where one score
    counts and many examples of every class are held out, some dozens at least. With
    fewer the offsets fit accidents, and prior correction, which fits nothing, is the
    better answer to the same question.

    Parameters
    ----------
    metric : {"balanced_accuracy", "macro_f1"}, default="balanced_accuracy"
        What is to be large.
    strength : float or "auto", default="auto"
        Share of the fitted offsets that is taken, from 0 to 1. ``"auto"``: the one
        of 0, 0.1, ..., 1 that does best on held-out examples to which the offsets were not
        fitted, the smallest of equal ones; 0, no thresholds, where they help no one.

    Notes
    -----
    Offsets :math:`o_k` come from `class_thresholds`; with the strength :math:`\lambda`, logits
    are :math:`z_k + \lambda o_k`, which is a change of the bias of the head. For ``"auto"`` the
    held-out examples are dealt out in :math:`5` parts, class by class; each part is predicted
    with :math:`\lambda` times the offsets of the other four, and all predictions are scored
    together. Of these strengths only such are taken with which the score of all held-out
    examples is not below that without thresholds, so it never falls.

    The class probabilities that the logits contain are
    :math:`\pi_k e^{\lambda o_k}`, scaled to sum to 1, where the head contained :math:`\pi`: by
    Bayes' rule an offset is a change of prior. So correction to another prior takes the
    thresholds out again; they act where ``prior`` is ``"train"`` or ``"none"``. With a loss that
    maps logits, such as `Focal`, the offsets stand before the map, and this is a heuristic.

    A network whose members predict together has no single bias: it is refused.

    Examples
    --------
    >>> Thresholds(metric="macro_f1").needs_validation
    True
    """

    metric: str = bounded("balanced_accuracy", choices=("balanced_accuracy", "macro_f1"))
    strength: float | str = bounded("auto", low=0, high=1, auto=True)

    @property
    def needs_validation(self) -> bool:
        """Always true."""
        return True

    def check(self, members: int | None) -> None:
        """Raise `InputError` for an ensemble."""
        if members is not None:
            raise InputError(
                "`Thresholds` must be used with a network of one head.",
                f"The backbone has {members} members, whose probabilities are averaged after "
                "their own normalisation, so no offset of theirs is one of the prediction.",
                'Choose --backbone "MLP()", or --prior balanced instead of thresholds.',
            )

    def change(self, evidence: Evidence) -> HeadChange:
        """Return the head with other biases."""
        metric: Score = self.metric  # type: ignore[assignment] (validated)
        codes = evidence.codes
        logits = pooled(evidence.products(evidence.weight) + evidence.bias)
        fitted = class_thresholds(logits, codes, metric)
        strength, reason, found = self._strength(logits, codes, fitted)
        offsets = strength * fitted
        return HeadChange(
            weight=evidence.weight,
            bias=evidence.bias + offsets,
            prior=normalised_prior(np.log(evidence.prior) + offsets),
            chosen={
                "strength": (strength, reason),
                "offsets": (offsets.tolist(), _told(codes, len(offsets))),
            },
            found=found,
            score=metric,
        )

    def _strength(
        self, logits: LogitArray, codes: CodeArray, fitted: Offsets
    ) -> tuple[float, str, dict[str, float]]:
        """Return which share of the offsets to take, why, and how it does on other examples."""
        if self.strength != "auto":
            return float(self.strength), "as given", {}
        metric: Score = self.metric  # type: ignore[assignment]
        plain = mean_score(logits, codes, metric)
        held = {s: mean_score(logits + s * fitted, codes, metric) for s in STRENGTHS}
        others = cross_fitted(logits, codes, metric)
        allowed = [s for s in STRENGTHS if held[s] >= plain]
        best = max(allowed, key=lambda s: (others[s], -s))
        reason = (
            f"the best of 0, 0.1, ..., 1 on held-out examples to which the offsets were not "
            f"fitted: {metric} {others[best]:.3f}, without thresholds {others[0.0]:.3f}"
        )
        return best, reason, {"cross_fitted": others[best], "cross_fitted_before": others[0.0]}


def cross_fitted(logits: LogitArray, codes: CodeArray, metric: Score) -> dict[float, float]:
    """Return the score of thresholds on examples to which they were not fitted, by strength.

    Parameters
    ----------
    logits : ndarray of float, shape (examples, classes)
        Logits of held-out examples.
    codes : ndarray of int, shape (examples,)
        Their classes.
    metric : {"balanced_accuracy", "macro_f1"}
        The score.

    Examples
    --------
    The only example of a class teaches nothing that could be judged by another one:

    >>> logits, codes = np.array([[2.0, 0.0], [2.0, 0.0], [1.0, 0.0]]), np.array([0, 0, 1])
    >>> found = cross_fitted(logits, codes, "balanced_accuracy")
    >>> found[0.0], found[1.0]
    (0.5, 0.5)
    """
    parts = _parts(codes)
    offsets = np.zeros_like(logits, dtype=np.float64)
    for part in np.unique(parts) if len(codes) > 1 else ():
        others = parts != part
        offsets[~others] = class_thresholds(logits[others], codes[others], metric)
    return {s: mean_score(logits + s * offsets, codes, metric) for s in STRENGTHS}


def _parts(codes: CodeArray) -> np.ndarray:
    """Deal examples out in parts, class by class, each going on where the one before it ended."""
    n = min(PARTS, len(codes))
    found = np.empty(len(codes), dtype=np.int64)
    found[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % n
    return found


def _told(codes: CodeArray, n_classes: int) -> str:
    """Return what the offsets rest on, in words."""
    sizes = np.bincount(codes, minlength=n_classes)
    fewest, few = int(sizes.min()), int((sizes < FEW).sum())
    told = f"one a class, added to the logits; fitted on {len(codes)} held-out examples"
    if not few:
        return told
    careful = f"Careful: {few} of {n_classes} classes have fewer than {FEW}"
    return f"{told}. {careful}, the smallest {fewest}"
