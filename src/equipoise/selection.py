"""Which epoch to keep: the best by a validation score, with noise told apart from gain."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.metrics import log_losses, log_softmax

MONITORS = {
    "balanced_accuracy": True,
    "accuracy": True,
    "macro_f1": True,
    "g_mean": True,
    "worst_class_recall": True,
    "log_loss": False,
    "balanced_log_loss": False,
}
"""Scores that can choose the epoch, and whether higher is better."""


def validation_scores(logits: LogitArray, codes: CodeArray) -> dict[str, float]:
    """Return every score that can choose the epoch, over the classes that occur.

    Parameters
    ----------
    logits : ndarray of float, shape (examples, classes)
        The network's logits; they may be of any size but must be finite.
    codes : ndarray of int, shape (examples,)
        Class codes; at least one.

    Returns
    -------
    dict of str to float
        The scores of `MONITORS`, and under ``"noise"`` the standard error of the balanced
        accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> scores = validation_scores(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 0]))
    >>> scores["accuracy"], round(scores["log_loss"], 3)
    (0.5, 1.127)
    """
    hits, totals, claims = _counts(logits, codes)
    here = totals > 0
    losses = log_losses(log_softmax(logits.astype(np.float64)), codes).values
    class_losses = np.bincount(codes, losses, len(totals))[here] / totals[here]
    return {
        **{name: float(value) for name, value in scores_of_counts(hits, totals, claims).items()},
        "log_loss": float(losses.mean()),
        "balanced_log_loss": float(class_losses.mean()),
        "noise": recall_noise(hits[here], totals[here]),
    }


def class_recalls(logits: LogitArray, codes: CodeArray) -> list[float | None]:
    """Return the recall of each class, to four digits.

    Parameters
    ----------
    logits : ndarray of float, shape (examples, classes)
        The network's logits.
    codes : ndarray of int, shape (examples,)
        Class codes.

    Returns
    -------
    list of (float or None)
        One for each class; None of a class without examples.

    Examples
    --------
    >>> import numpy as np
    >>> class_recalls(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), np.array([0, 0]))
    [0.5, None, None]
    """
    hits, totals, _ = _counts(logits, codes)
    return [
        round(h / n, 4) if n else None for h, n in zip(hits.tolist(), totals.tolist(), strict=True)
    ]


def _counts(logits: LogitArray, codes: CodeArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each class its right predictions, its examples, and all predictions of it."""
    n_classes = logits.shape[1]
    predicted = logits.argmax(axis=1)
    right = codes[predicted == codes]
    hits, totals, claims = (
        np.bincount(each, minlength=n_classes) for each in (right, codes, predicted)
    )
    return hits, totals, claims


def scores_of_counts(hits: np.ndarray, totals: np.ndarray, claims: np.ndarray) -> dict[str, Any]:
    """Return the scores that follow from how often each class was predicted, and rightly.

    Parameters
    ----------
    hits, claims : ndarray, shape (..., classes)
        Examples of each class that were predicted as such; all that were predicted as the class.
    totals : ndarray, shape (classes,)
        Examples of each class; classes without any are left out.

    Returns
    -------
    dict of str to float or ndarray, shape (...)
        Balanced accuracy, accuracy, macro-F1, geometric mean of recalls, and worst recall.
    """
    here = totals > 0
    recalls = hits[..., here] / totals[here]
    f1 = 2 * hits[..., here] / (totals + claims)[..., here]
    return {
        "balanced_accuracy": recalls.mean(axis=-1),
        "accuracy": hits.sum(axis=-1) / totals.sum(),
        "macro_f1": f1.mean(axis=-1),
        "g_mean": _geometric_means(recalls),
        "worst_class_recall": recalls.min(axis=-1),
    }


def _geometric_means(values: np.ndarray) -> Any:
    # By logarithms, for the product of a thousand recalls is too small for a float.
    logs = np.log(np.where(values > 0, values, 1.0))
    return np.where((values > 0).all(axis=-1), np.exp(logs.mean(axis=-1)), 0.0)


def recall_noise(hits: np.ndarray, totals: np.ndarray) -> float:
    r"""Return the standard error of balanced accuracy.

    Parameters
    ----------
    hits, totals : ndarray of shape (classes,)
        Correct and all examples of each class, the latter positive.

    Returns
    -------
    float
        :math:`\frac{1}{K}\sqrt{\sum_k p_k (1 - p_k) / n_k}` with
        :math:`p_k = (h_k + 1/2)/(n_k + 1)`, which is not zero where every example was right.

    Examples
    --------
    >>> import numpy as np
    >>> round(recall_noise(np.array([50, 1]), np.array([100, 2])), 3)
    0.179
    """
    p = (hits + 0.5) / (totals + 1)
    return float(np.sqrt((p * (1 - p) / totals).sum()) / len(totals))


@dataclass(eq=False)
class Selection:
    """The best epoch so far.

    An epoch replaces the one that is kept if its score is better by more than the noise of
    the best score seen, or within that noise and its balanced log-loss is lower.

    Parameters
    ----------
    monitor : str
        Validation score that decides; one of `MONITORS`. Noise is known of
        ``"balanced_accuracy"`` only; other scores are taken as exact.
    patience : int or None, default=None
        Epochs without replacement after which `exhausted` is true; None: never.
    best_epoch : int, default=-1
        The epoch that is kept, from 0; -1 before the first.
    kept_score, kept_loss : float
        Its score, higher is better, and its balanced log-loss.
    top_score, top_noise : float
        The best score seen, which another epoch than the kept one may have, and its noise.

    Examples
    --------
    >>> selection = Selection("balanced_accuracy")
    >>> first = {"balanced_accuracy": 0.80, "balanced_log_loss": 0.5, "noise": 0.02}
    >>> second = {"balanced_accuracy": 0.81, "balanced_log_loss": 0.6, "noise": 0.02}
    >>> selection.update(0, first), selection.update(1, second)
    (True, False)
    """

    monitor: str
    patience: int | None = None
    best_epoch: int = -1
    kept_score: float = -math.inf
    kept_loss: float = math.inf
    top_score: float = -math.inf
    top_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.monitor not in MONITORS:
            raise InputError(
                f"The monitor must be one of {', '.join(MONITORS)}.",
                f"It is {self.monitor!r}.",
                "The default is balanced_accuracy.",
            )

    def update(self, epoch: int, scores: Mapping[str, float]) -> bool:
        """Record an epoch's scores; return whether it is the one to keep.

        Without scores (no validation examples) the last epoch is kept.
        """
        score = scores[self.monitor] if scores else 0.0
        score = score if MONITORS[self.monitor] else -score
        loss = scores["balanced_log_loss"] if scores else -float(epoch)
        if score > self.top_score:
            self.top_score = score
            self.top_noise = scores.get("noise", 0.0) if self.monitor == "balanced_accuracy" else 0
        in_reach = score >= self.top_score - self.top_noise
        kept_in_reach = self.kept_score >= self.top_score - self.top_noise
        if in_reach and (not kept_in_reach or loss < self.kept_loss):
            self.best_epoch, self.kept_score, self.kept_loss = epoch, score, loss
            return True
        return False

    def exhausted(self, epochs: int) -> bool:
        """Whether patience has ended after this many epochs."""
        return self.patience is not None and epochs - 1 - self.best_epoch >= self.patience

    def state(self) -> dict[str, Any]:
        """Return the state as JSON values; there must have been an epoch."""
        numbers = (self.kept_score, self.kept_loss, self.top_score, self.top_noise)
        return {"best_epoch": self.best_epoch, "numbers": [float(n) for n in numbers]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state that `state` returned."""
        self.best_epoch = state["best_epoch"]
        self.kept_score, self.kept_loss, self.top_score, self.top_noise = state["numbers"]
