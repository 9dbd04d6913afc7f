"""How the recall of each class went from epoch to epoch: which classes are learnt by heart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.diagnosis.evidence import Evidence
from equipoise.diagnosis.ledger import Recalls, by_group
from equipoise.metrics.groups import in_order

FEWEST = 8
"""Of fewer epochs nothing is said about a late change."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """Recall of each class over the epochs of one run, as trained.

    Parameters
    ----------
    epochs : sequence of int
        Numbers of the epochs, from 1.
    held_out : ndarray, shape (epochs, classes)
        Recall on validation examples; NaN where it was not recorded.
    kept : int or None
        The epoch whose weights were kept.
    first : int
        The first epoch of the stage of training that was kept.
    train, held : ndarray, shape (classes,)
        Recall on training and on held-out examples of what was kept.
    """

    epochs: Sequence[int]
    held_out: np.ndarray
    kept: int | None
    first: int
    train: np.ndarray
    held: np.ndarray

    @classmethod
    def of(cls, evidence: Evidence) -> "Course | None":
        """Return that of a run; None where no epoch has recorded the recall of classes."""
        rows, n = evidence.history, evidence.n_classes
        if not any(row.get("recall") for row in rows):
            return None
        own = [_recalled(row, n) for row in rows]
        kept = max((i for i, row in enumerate(rows) if row.get("best")), default=None)
        stages = [row.get("stage", 1) for row in rows]
        parts = [evidence.parts["train"], evidence.held_out]
        found = [Recalls.of(each.logits.argmax(axis=1), each.codes, n).values for each in parts]
        return cls(
            epochs=[row["epoch"] for row in rows],
            held_out=np.array(own, float),
            kept=None if kept is None else rows[kept]["epoch"],
            first=rows[stages.index(stages[-1 if kept is None else kept])]["epoch"],
            train=found[0],
            held=found[1],
        )

    @property
    def kept_of(self) -> tuple[int, int] | None:
        """The epoch whose weights were kept, and the last there was; None: not known."""
        return None if self.kept is None else (self.kept, max(self.epochs))

    @property
    def gap(self) -> np.ndarray:
        """Recall on training examples less that on held-out ones, shape ``(classes,)``."""
        return self.train - self.held

    @property
    def late(self) -> np.ndarray:
        r"""How the held-out recall of each class changed late in training, shape ``(classes,)``.

        Notes
        -----
        The mean over the last quarter of the epochs of the stage that was kept, less the mean
        over the quarter before. The best epoch is no measure of it: the largest of many noisy
        values lies above the last one even where nothing changes. NaN where fewer than eight
        epochs of the stage, or any of these, were recorded.
        """
        own = self.held_out[np.asarray(self.epochs) >= self.first]
        quarter = len(own) // 4
        if len(own) < FEWEST:
            return np.full(own.shape[1], np.nan)
        return own[-quarter:].mean(axis=0) - own[-2 * quarter : -quarter].mean(axis=0)

    def told(self, groups: Sequence[str]) -> dict[str, Any]:
        """Return it as JSON values, with means of groups of classes.

        Parameters
        ----------
        groups : sequence of str
            Group of each class.

        Returns
        -------
        dict
            ``epochs``, ``kept``; ``held_out`` has a row for each class, ``train``, ``gap`` and
            ``late`` a value; ``by_group`` has the same for each group.
        """
        values = {name: _numbers(getattr(self, name)) for name in ("train", "gap", "late")}
        rows = [by_group(_numbers(row), groups) for row in self.held_out]
        return {
            "epochs": list(self.epochs),
            "kept": self.kept,
            "held_out": [_numbers(own) for own in self.held_out.T],
            **values,
            "by_group": {
                "held_out": {g: [row.get(g) for row in rows] for g in in_order(groups)},
                **{name: dict(by_group(own, groups)) for name, own in values.items()},
            },
        }


def _recalled(row: Mapping[str, Any], n: int) -> list[float]:
    own = row.get("recall") or [None] * n
    return [float("nan") if value is None else value for value in own]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
