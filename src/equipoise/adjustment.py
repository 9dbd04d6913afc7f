"""What is done to a trained head before it predicts: a method after training, carried out once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from equipoise._typing import CodeArray, CountArray, IndexArray, LogitArray, PriorArray
from equipoise.defaults import Choice
from equipoise.errors import InputError
from equipoise.models import Model
from equipoise.prediction import predict_features
from equipoise.selection import MONITORS, validation_scores
from equipoise.settings import Settings, as_text
from equipoise.specialized.posthoc.base import (
    HeadChange,
    MemberLogits,
    MemberOffsets,
    MemberRows,
    PostHoc,
)
from equipoise.standard.heads import Rows
from equipoise.standard.networks import Network
from equipoise.task import Task
from equipoise.training import Training

PREFIX = "posthoc."
"""How the fields of its choices begin."""

SHOWN = 12
"""Of longer lists only the ends of their range are told; the run's configuration keeps all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Adjustment:
    """What a method after training has done.

    Parameters
    ----------
    choices : tuple of Choice
        What it chose, and why.
    prior : ndarray of float, shape (classes,)
        The class probabilities that the logits contain since.
    found : mapping of str to value
        What it chose and found, in numbers and text, for the run's configuration.
    is_new : bool
        Whether nothing is left of the head that the loss has fitted.
    """

    choices: tuple[Choice, ...]
    prior: PriorArray
    found: Mapping[str, Any]
    is_new: bool

    def to_state(self) -> dict[str, Any]:
        """Return it as JSON values."""
        choices = [asdict(choice) for choice in self.choices]
        prior, found = self.prior.tolist(), dict(self.found)
        return {"choices": choices, "prior": prior, "found": found, "is_new": self.is_new}

    @classmethod
    def kept(cls, state: Mapping[str, Any]) -> "Adjustment":
        """Return what `to_state` has returned, of weights that were kept with it."""
        choices = tuple(Choice(**choice) for choice in state["choices"])
        prior = np.asarray(state["prior"])
        return cls(choices=choices, prior=prior, found=state["found"], is_new=state["is_new"])

    def apply(self, network: Network) -> None:
        """Have a network whose head was changed predict as that wants it."""
        if self.is_new:
            network.loss = None


class Adjustable(Protocol):
    """What is adjusted: an `equipoise.fitting.Fit` whose best weights are in the network."""

    task: Task
    settings: Settings
    choices: list[Choice]
    training: Training
    adjustment: Adjustment | None

    @property
    def model(self) -> Model:
        """The model, trained."""
        ...

    def corrected(self, logits: LogitArray) -> LogitArray:
        """Return its logits for the prior of use."""
        ...


def check_adjustable(settings: Settings, task: Task, network: Network) -> None:
    """Refuse, before training, what a method after training cannot act on.

    Raises
    ------
    InputError
        If the head is not `Linear`, nothing is held out to choose by, or nothing is predicted.
    """
    method = settings.posthoc
    if method is None:
        return
    if not task.supervised:
        raise InputError(
            "A method after training needs a head that predicts classes.",
            f"This is pre-training without labels, and posthoc is {method!r}.",
            "Give it to `equipoise fit`, which starts from the run by --initial.",
        )
    if type(network.head) not in (nn.Linear, Rows):
        raise InputError(
            f"`{type(method).__name__}` must be used with the head `Linear`, whose weights it "
            "changes.",
            f"The head is {settings.head!r}.",
            "Leave the head out, or posthoc.",
        )
    method.check(getattr(network.head, "members", None))
    if method.needs_validation and not len(task.validation):
        raise InputError(
            f"{method!r} chooses by held-out examples.",
            "No example is held out.",
            'Give --validation 0.1, or the number where there is one, as in "TauNorm(tau=0.5)".',
        )


def adjust(fit: Adjustable) -> None:
    """Carry out the method after training, if there is one, and keep what it chose with the fit.

    Parameters
    ----------
    fit : Fit
        A fit whose best weights are in its network; changed in place. Test examples are not
        looked at.
    """
    method = fit.settings.posthoc
    if method is None:
        return
    fit.adjustment = None  # of an earlier end of the same training
    fit.adjustment = _carried_out(method, fit)
    others = [choice for choice in fit.choices if not choice.field.startswith(PREFIX)]
    fit.choices = [*others, *fit.adjustment.choices]


def _carried_out(method: PostHoc, fit: Adjustable) -> Adjustment:
    """Change the head, and what corrects the prior of its logits; return what was done."""
    before = _Seen.of(fit)
    change = method.change(_Evidence(fit.model, fit.task, fit.settings.monitor))
    _write(fit.model.network.head, change)  # type: ignore[arg-type]
    begun = Adjustment(choices=(), prior=change.prior, found={}, is_new=change.is_new)
    begun.apply(fit.model.network)  # type: ignore[arg-type]
    fit.adjustment = begun
    judged, words = _judged(change.score or fit.settings.monitor, before, _Seen.of(fit))
    return replace(
        begun,
        choices=_choices(change, words),
        found={
            "method": as_text(method),
            **{name: value for name, (value, _) in change.chosen.items()},
            **change.found,
            **judged,
        },
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """Held-out examples as a fit predicts them: by the head alone, and for the prior of use."""

    logits: LogitArray
    corrected: LogitArray
    codes: CodeArray

    @classmethod
    def of(cls, fit: Adjustable) -> "_Seen":
        rows = fit.task.validation
        logits = fit.model.logits(fit.task.X, rows) if len(rows) else np.empty((0, 0))
        corrected = fit.corrected(logits) if len(rows) else logits
        return cls(logits, corrected, fit.task.codes[rows])

    @property
    def used(self) -> np.ndarray:
        """Classes that are predicted in use."""
        return self.corrected.argmax(axis=1)


def _write(head: nn.Linear | Rows, change: HeadChange) -> None:
    with torch.no_grad():
        pairs = ((head.weight, change.weight), (head.bias, change.bias))
        for own, made in pairs:
            assert own is not None  # that of `Linear`, which always has a bias
            own.copy_(torch.from_numpy(made).reshape(own.shape))


def _judged(score: str, before: _Seen, after: _Seen) -> tuple[dict[str, Any], str]:
    """Return a score of the held-out examples before and after, and in words; nothing of none."""
    n = len(before.codes)
    if not n:
        return {}, ""
    values = [validation_scores(seen.logits, seen.codes)[score] for seen in (before, after)]
    words = f"; {score} of {n} held-out examples {values[0]:.3f} before, {values[1]:.3f} after"
    is_corrected = after.corrected is not after.logits
    if is_corrected and np.array_equal(before.used, after.used):
        words += ", and corrected to the prior of use all are predicted as before"
    return {"score": score, "before": values[0], "after": values[1], "held_out": n}, words


def _choices(change: HeadChange, words: str) -> tuple[Choice, ...]:
    """Return what was chosen; the words stand with the first of it."""
    source = "measured: on the held-out examples of this run"
    return tuple(
        Choice(f"{PREFIX}{name}", _shown(value), reason + (words if i == 0 else ""), source)
        for i, (name, (value, reason)) in enumerate(change.chosen.items())
    )


def _shown(value: Any) -> Any:
    if not isinstance(value, Sequence):
        return value
    if len(value) > SHOWN:
        return f"{min(value):.3g} to {max(value):.3g}"
    return [float(f"{each:.3g}") for each in value]


class _Evidence:
    """What `equipoise.specialized.posthoc.Evidence` asks for, from a model and its task."""

    def __init__(self, model: Model, task: Task, monitor: str) -> None:
        self.model, self.task, self.monitor = model, task, monitor
        head: Any = model.network.head
        members = getattr(head, "members", None) or 1
        rows, bias = (v.detach().double().cpu().numpy() for v in (head.weight, head.bias))
        self.weight: MemberRows = rows.reshape(members, -1, rows.shape[1])
        self.bias: MemberOffsets = bias.reshape(members, -1)
        self.codes: CodeArray = task.codes[task.validation]

    @property
    def prior(self) -> PriorArray:
        return self.model.prior

    @property
    def counts(self) -> CountArray:
        return self.task.counts

    def _features(self, rows: IndexArray) -> Any:
        source = self.model.source(self.task.X, rows)
        return predict_features(self.model.network, source, self.model.device)  # type: ignore[arg-type]

    def products(self, rows: MemberRows) -> MemberLogits:
        parts = [
            np.einsum("bmf,mcf->bmc", batch.astype(np.float64), rows, optimize=True)
            for batch in self._features(self.task.validation)
        ]
        return np.concatenate(parts)

    def means(self) -> tuple[MemberRows, np.ndarray]:
        task, done = self.task, 0
        weights = np.ones(len(task.codes)) if task.weights is None else task.weights
        shares = weights / np.bincount(task.codes[task.train], weights[task.train])[task.codes]
        means, squares = np.zeros_like(self.weight), np.zeros(len(self.weight))
        for batch in self._features(task.train):
            rows = task.train[done : done + len(batch)]
            done += len(batch)
            features = batch.astype(np.float64)
            one = np.zeros((len(rows), task.n_classes))
            one[np.arange(len(rows)), task.codes[rows]] = shares[rows]
            means += np.einsum("bc,bmf->mcf", one, features, optimize=True)
            squares += np.einsum("b,bmf->m", weights[rows], features**2)
        return means, np.sqrt(squares / weights[task.train].sum())

    def gain(self, logits: MemberLogits) -> tuple[float, float]:
        network: Any = self.model.network
        heads = torch.from_numpy(logits)
        predicted = network.predicted(heads if heads.shape[1] > 1 else heads[:, 0])
        scores = validation_scores(predicted.numpy(), self.codes)
        score = scores[self.monitor]
        return score if MONITORS[self.monitor] else -score, -scores["balanced_log_loss"]
