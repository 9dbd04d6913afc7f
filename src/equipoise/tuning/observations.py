"""Which scores of trials can be compared with each other, so that early stopping favours none."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equipoise.divergence import DIVERGED
from equipoise.errors import TrainingError
from equipoise.runs import Run
from equipoise.selection import MONITORS
from equipoise.tuning.records import Record, folder_of
from equipoise.tuning.scores import gain
from equipoise.tuning.study import RUNGS

Basis = Literal["first_rung", "final"]
"""The score at the first comparison of all trials, or that of the trials trained in full."""

FENCE = 1.5
"""Scores further below the lower quartile than so many ranges between quartiles are drawn in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """What is known of all trials alike.

    Parameters
    ----------
    choices : sequence of mapping, one a trial
        What the search chose; names as in `equipoise.tuning.space`.
    gains : ndarray of float, shape (trials,)
        Their scores, turned so that higher is better.
    basis : {"first_rung", "final"}
        Which scores these are.
    n_tried : int
        Trials there were in all.
    rung : int, default=1
        The rung of these scores, where it is no final one.
    n_drawn_in : int, default=0
        How many scores lay so far below the others that they were drawn in.
    """

    choices: Sequence[Mapping[str, Any]]
    gains: np.ndarray
    basis: Basis
    n_tried: int
    rung: int = RUNGS[0]
    n_drawn_in: int = 0

    def where(self, role: str, name: str) -> "Observed":
        """Return the trials that chose a candidate for a role.

        >>> both = [{"optimizer": "SGD"}, {"optimizer": "AdamW"}]
        >>> seen = Observed(choices=both, gains=np.arange(2.0), basis="final", n_tried=2)
        >>> seen.where("optimizer", "AdamW").gains
        array([1.])
        """
        chosen = np.array([choice.get(role) == name for choice in self.choices], dtype=bool)
        return Observed(
            choices=[c for c, is_in in zip(self.choices, chosen, strict=True) if is_in],
            gains=self.gains[chosen],
            basis=self.basis,
            n_tried=self.n_tried,
            rung=self.rung,
        )


def observe(
    search: Path,
    records: Sequence[Record],
    metric: str,
    n_folds: int,
    first_rung: int = RUNGS[0],
) -> Observed:
    """Return the scores by which trials can be compared.

    Parameters
    ----------
    search : Path
        Folder of the search.
    records : sequence of Record
        All trials.
    metric : str
        What recipes are judged by.
    n_folds : int
        Folds of a trial.
    first_rung : int, default=1
        The first of `RUNGS` at which recipes were stopped.

    Returns
    -------
    Observed
        Where trials were stopped early, every trial's score at the first rung, the same that it
        reported there: final scores exist only of recipes that did well, and scores at the stop
        belong to trainings of different length. Where none was stopped, the final scores.
    """
    if any(record.state == "stopped" for record in records):
        basis: Basis = "first_rung"
        share = first_rung / RUNGS[-1] * n_folds
        found = {r.number: _scored_at(share, search, r, metric) for r in records}
    else:
        basis = "final"
        found = {r.number: r.scores.get(metric) for r in records if r.state == "complete"}
    # A recipe that diverged is as bad as can be; one that failed otherwise may be good.
    found |= {r.number: _WORST[metric] for r in records if _diverged(r)}
    known = [(r.choices, value) for r in records if (value := found.get(r.number)) is not None]
    gains = np.array([gain(value, metric) for _, value in known], dtype=float)
    drawn_in = _drawn_in(gains)
    return Observed(
        choices=[choices for choices, _ in known],
        gains=drawn_in,
        basis=basis,
        n_tried=len(records),
        rung=first_rung,
        n_drawn_in=int((drawn_in != gains).sum()),
    )


_WORST = {metric: -math.inf if is_higher else math.inf for metric, is_higher in MONITORS.items()}


def _diverged(record: Record) -> bool:
    # Not one without time for an epoch, nor one whose process was ended: both may be good.
    return record.state == "failed" and record.message.startswith(_DIVERGED)


_DIVERGED = f"{TrainingError.__name__}: {DIVERGED}"


def _scored_at(share: float, search: Path, record: Record, metric: str) -> float | None:
    """Return the score kept at the epoch that reaches a share of the first fold's training."""
    best = None
    for row in Run(folder_of(search, record.number)).history:
        if row["best"] and row["validation"]:
            best = row["validation"][metric]
        done = row["epoch"] / record.passes
        # With many folds the rung lies beyond the first one: its end stands for it.
        if done >= share - 1e-9 or done >= 1:
            return best
    return None


def _drawn_in(gains: np.ndarray) -> np.ndarray:
    """Return scores none of which lies beyond the fence: one that diverged would decide all."""
    finite = gains[np.isfinite(gains)]
    if len(finite) == 0:
        return np.zeros_like(gains)
    low, high = np.quantile(finite, [0.25, 0.75])
    fence = low - FENCE * (high - low) if high > low else finite.min()
    return np.maximum(gains, fence)
