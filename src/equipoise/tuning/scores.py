"""How good a recipe is on held-out examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, CountArray, LogitArray
from equipoise.data.wording import suggestion
from equipoise.errors import InputError
from equipoise.selection import MONITORS, validation_scores

BALANCED = ("balanced_accuracy", "g_mean", "worst_class_recall", "balanced_log_loss")
"""Metrics in which all classes count alike: a search for one predicts for the balanced prior."""


def choose_metric(held_out: CountArray) -> tuple[str, str]:
    """Return the metric of a search, and why, by how many of the rarest class are held out.

    Parameters
    ----------
    held_out : ndarray of int, shape (classes,)
        Held-out examples of each class. Of one without any nothing can be known, so the rarest
        is that of the others.

    Examples
    --------
    >>> choose_metric(np.array([90, 5]))[0], choose_metric(np.array([300, 200]))[0]
    ('balanced_log_loss', 'balanced_accuracy')
    """
    is_held = held_out > 0
    rarest = int(held_out[is_held].min(initial=held_out.max()))
    of = "of the rarest class" + ("" if is_held.all() else " of which any is held out")
    if rarest < ENOUGH_FOR_RECALL:
        return "balanced_log_loss", (
            f"with {rarest} held-out example{'' if rarest == 1 else 's'} {of}, "
            f"recall moves in steps of {100 / max(rarest, 1):.0f} points; log-loss does not"
        )
    return "balanced_accuracy", f"{rarest} examples {of} are held out"


ENOUGH_FOR_RECALL = 50
"""Held-out examples of the rarest class from which recall is fine enough to choose by."""


def check_metric(metric: str, known: Sequence[str] = tuple(MONITORS)) -> None:
    """Raise `InputError` if a metric is not a known one."""
    if metric not in known:
        raise InputError(
            f"A search is for one of {', '.join(known)}.",
            f"It is for {metric!r}.",
            suggestion(metric, known, "Leave the metric out to have one chosen."),
        )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions for held-out examples.

    Parameters
    ----------
    rows : ndarray of int, shape (examples,)
        Their positions in the data.
    codes : ndarray of int, shape (examples,)
        Their classes.
    logits : ndarray of float, shape (examples, classes)
        For the prior under which the recipe will be used.
    """

    rows: np.ndarray
    codes: CodeArray
    logits: LogitArray

    @classmethod
    def join(cls, parts: "list[HeldOut]") -> "HeldOut":
        """Return all parts as one, in the order of the rows."""
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        codes = np.concatenate([part.codes for part in parts])
        logits = np.concatenate([part.logits for part in parts])
        return cls(rows[order], codes[order], logits[order])

    def of_classes(self, codes: CodeArray) -> "HeldOut":
        """Return the predictions for the examples of some classes."""
        chosen = np.isin(self.codes, codes)
        return HeldOut(self.rows[chosen], self.codes[chosen], self.logits[chosen])

    def scores(self) -> dict[str, float]:
        """Return every metric; see `equipoise.selection.validation_scores`."""
        return validation_scores(self.logits, self.codes)


def gain(value: float, metric: str) -> float:
    """Return a metric so that higher is better."""
    return value if MONITORS[metric] else -value
