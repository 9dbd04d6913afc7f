"""Fitting a time budget: how fast this machine trains, and what follows for epochs and network."""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from equipoise import citations
from equipoise.batches import Examples, JoinedSource, Source
from equipoise.defaults import Choice
from equipoise.devices import reproducible
from equipoise.durations import format_duration
from equipoise.fitting import Fit
from equipoise.metrics import evaluate
from equipoise.prediction import predict_logits
from equipoise.timing import copied, repeated, seconds_a_step
from equipoise.training import Training

MEASURED_SECONDS = 2.0
"""How long steps are timed."""

MEASURED_SHARE = 0.05
"""They are timed for no more than this share of what is left of the budget."""

BUDGET_SHARE = 0.9
"""Training may take this share of what is left; the rest is for the test set, and for errors."""

USEFUL_EPOCHS = 10
"""Fewer leave a network under-trained; the automatic number is never lower."""

LONGER = {"images": 4, "table": 1}
"""At most so many times the automatic epochs are trained, however much time there is."""

JUDGED = 1_000
"""At most so many predictions are made up to time how long metrics of them take."""

NARROWER: Mapping[str, tuple[str, ...]] = {
    "ResNet18(width=16)": ("ResNet18(width=8)", "ResNet18(width=4)"),
    'Timm(name="resnet18")': ('Timm(name="resnet14t")', 'Timm(name="resnet10t")'),
    "MLP(numeric=None)": ("MLP(numeric=None, width=128)", "MLP(numeric=None, width=64)"),
}
"""Networks of the same family, each cheaper than the one before, for an automatic one."""


@dataclass(frozen=True)
class Pace:
    """How fast a fit runs on this machine.

    Parameters
    ----------
    epoch : float
        Seconds of an epoch: its steps, and validation.
    prediction : float
        Seconds to predict one example.
    judging : float, default=0.0
        Seconds of metrics for one example, under both priors.
    """

    epoch: float
    prediction: float
    judging: float = 0.0

    def after(self, n_predicted: int) -> float:
        """Return the seconds that follow training, with so many predictions."""
        return n_predicted * (self.prediction + self.judging)

    def left(self, ends: float, n_predicted: int) -> float:
        """Return the seconds from now until a time, but for what follows training."""
        return ends - time.monotonic() - self.after(n_predicted)


def measure_pace(fit: Fit, seconds: float = MEASURED_SECONDS) -> Pace:
    """Take some steps of training on a copy of a fit's network, and see how long they take.

    The steps are those of training, with all components that are switched on. Of several
    processes only the work of one is done; what they tell each other is not timed.

    Parameters
    ----------
    fit : Fit
        A prepared fit; it is left as it is.
    seconds : float, default=2.0
        How long steps are timed, after a warm-up of up to a quarter of that.

    Returns
    -------
    Pace
        With the time of a whole epoch, its steps reckoned from those that were timed: of several
        stages the mean, by their epochs.
    """
    stages = fit.training.stages
    size, training = fit.training.world.size, copied(fit.training)
    learnt, held = fit.examples
    epochs = []
    with computing_with(max(1, torch.get_num_threads() // size)), reproducible(0, fit.device.name):
        prediction = _seconds_a_prediction(training, held if len(held) else learnt)
        for index in range(len(stages)):
            if index:
                training.advance()
            step = seconds_a_step(training, learnt, seconds / len(stages), size)
            keeping = _seconds_to_keep(training, fit, held)
            n = len(training.learning.order(learnt, 0))
            shown = len(held) + (len(learnt) if _remeasured(training, n) else 0)
            epochs.append(n * step + shown * prediction / size + keeping)
    lengths = [stage.epochs for stage in stages]
    return Pace(float(np.average(epochs, weights=lengths)), prediction)


@contextlib.contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Compute with so many threads inside, and with as many as before after it.

    Parameters
    ----------
    threads : int or None
        Such as those of one of several processes; None: as many as before.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds_a_prediction(training: Training, examples: Examples) -> float:
    """Time predictions of ever more examples, until it can be told how long one takes."""
    source = examples.source.first if isinstance(examples.source, JoinedSource) else examples.source
    n = min(len(source), 4 * training.stage.batch_size)

    def predict() -> None:
        predict_logits(training.evaluated, Source(source.array, source.rows[:n]), training.device)

    predict()
    while (spent := repeated(predict, 0)) < 0.1 and n < len(source):
        n = min(len(source), 4 * n)
    return spent / n


def _seconds_to_keep(training: Training, fit: Fit, held: Examples) -> float:
    """Time what ends an epoch: scores, and a copy of the weights."""
    logits = np.zeros((len(held), fit.task.n_classes), np.float32)
    return repeated(lambda: training.finish_epoch(0.0, logits, held.codes), 0)


def seconds_to_judge(fit: Fit, n: int) -> float:
    """Time the metrics of some made-up predictions; reckon those of all, under both priors.

    Parameters
    ----------
    fit : Fit
        A prepared fit, whose classes are judged.
    n : int
        Predictions there will be.
    """
    task, shown = fit.task, min(n, JUDGED)
    if not shown or not task.supervised:
        return 0.0
    codes = np.resize(task.codes[task.train], shown)
    logits = np.random.default_rng(0).normal(size=(shown, task.n_classes))
    classes = [str(code) for code in range(task.n_classes)]
    spent = repeated(lambda: evaluate(logits, codes, classes=classes, train_counts=task.counts), 0)
    return 2 * n / shown * spent


def _remeasured(training: Training, steps: int) -> bool:
    """Whether batch statistics are measured anew at the end of late epochs."""
    average, total = training.stage.average, training.stage.epochs * steps
    return average is not None and average.needs_statistics(total, total)


def fitting_epochs(seconds: float, epoch: float) -> int:
    """Return how many epochs fit into the share of a time that training may take.

    Parameters
    ----------
    seconds : float
        What is left of the budget; it may be below 0.
    epoch : float
        Seconds of an epoch.

    Examples
    --------
    >>> fitting_epochs(100.0, 8.0), fitting_epochs(-1.0, 8.0)
    (11, 0)
    """
    return max(0, math.floor(BUDGET_SHARE * seconds / epoch))


def choose_epochs(seconds: float, epoch: float, automatic: int, kind: str) -> Choice:
    """Return how many epochs to train for in a given time.

    Parameters
    ----------
    seconds : float
        What is left of the budget.
    epoch : float
        Seconds of an epoch on this machine.
    automatic : int
        What would be trained for without a budget.
    kind : {"images", "table"}
        What the examples are; only on images longer training is worth its time.

    Returns
    -------
    Choice
        As many as fit, at least 1, and at most `LONGER` times the automatic number.

    Examples
    --------
    >>> [choose_epochs(s, 8.0, 20, "images").value for s in (1.0, 100.0, 250.0, 9999.0)]
    [1, 11, 28, 80]
    """
    fitting, most = fitting_epochs(seconds, epoch), LONGER[kind] * automatic
    room = f"{100 * BUDGET_SHARE:.0f} % of the {format_duration(max(seconds, 0))} that are left"
    measured = f"measured: {format_duration(epoch)} an epoch on this machine"
    if fitting < 1:
        reason = f"not even one epoch fits into {room}: one is trained all the same"
        return Choice("epochs", 1, reason, measured)
    if fitting < automatic:
        reason = f"as many as fit into {room}, instead of {automatic}"
        return Choice("epochs", fitting, reason, measured)
    if LONGER[kind] == 1:
        reason = f"the automatic number, which fits into {room}; more overfit small tables"
        return Choice("epochs", automatic, reason, f"{measured}; {citations.TABLE_EMBEDDINGS}")
    known = f"{measured}; {citations.LONGER_IMAGES}"
    if fitting == automatic:
        reason = f"the automatic number, and as many as fit into {room}"
        return Choice("epochs", automatic, reason, known)
    if fitting < most:
        reason = f"as many as fit into {room}, instead of {automatic}: longer training pays"
        return Choice("epochs", fitting, reason, known)
    reason = f"{LONGER[kind]} times {automatic}: more would fit, but none longer was measured"
    return Choice("epochs", most, reason, known)


def paced(fit: Fit, ends: float, n_predicted: int) -> tuple[Fit, Pace]:
    """Return a fit with epochs, and if need be a network, that let it end in time.

    Only what is automatic is chosen: with epochs that are given the fit is returned as it is,
    if measured, and with a backbone that is given no narrower one is tried.

    Parameters
    ----------
    fit : Fit
        A prepared fit; it is left as it is.
    ends : float
        Time of `time.monotonic` by which it shall have ended.
    n_predicted : int
        Examples that are predicted after training, and the predictions measured.

    Returns
    -------
    fit : Fit
        Its choices say what was chosen, and how fast this machine is.
    pace : Pace
        What was measured.
    """
    automatic = {choice.field: choice for choice in fit.choices}
    judging = seconds_to_judge(fit, n_predicted) / max(n_predicted, 1)
    first = best = _Candidate.measured(fit, ends, n_predicted, judging)
    if "epochs" not in automatic:
        return fit, first.pace
    narrower = NARROWER.get(str(automatic["backbone"].value), ()) if "backbone" in automatic else ()
    for backbone in narrower:
        if best.fitting >= USEFUL_EPOCHS:
            break
        params = {**fit.params, "backbone": backbone}
        prepared = Fit.prepare(fit.task, params, fit.seed)
        tried = _Candidate.measured(prepared, ends, n_predicted, judging)
        is_better = tried.fitting > best.fitting or (not best.fitting and tried.unit < best.unit)
        best = tried if is_better else best
    # The last network that was measured need not be the one that is taken.
    best = replace(best, left=best.pace.left(ends, n_predicted))
    chosen = {choice.field: choice for choice in best.fit.choices}
    kind = fit.task.facts["kind"]
    chosen["epochs"] = choose_epochs(best.left, best.unit, automatic["epochs"].value, kind)
    if best.fit is not first.fit:
        chosen["backbone"] = _narrowed(first, best)
    lasting = best.fit.lasting(chosen["epochs"].value)
    return replace(lasting, choices=[chosen[c.field] for c in fit.choices]), best.pace


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A fit whose pace is known, and the time that was left for it then."""

    fit: Fit
    pace: Pace
    left: float

    @classmethod
    def measured(cls, fit: Fit, ends: float, n_predicted: int, judging: float) -> "_Candidate":
        left = ends - time.monotonic()
        steps = measure_pace(fit, min(MEASURED_SECONDS, max(MEASURED_SHARE * left, 0)))
        pace = replace(steps, judging=judging)
        return cls(fit, pace, pace.left(ends, n_predicted))

    @property
    def unit(self) -> float:
        """Seconds of what the setting counts as an epoch: passes at the reference batch size."""
        return self.pace.epoch * self.fit.settings.batch_size.passes_an_epoch

    @property
    def fitting(self) -> int:
        return fitting_epochs(self.left, self.unit)


def _narrowed(wide: _Candidate, narrow: _Candidate) -> Choice:
    return Choice(
        "backbone",
        narrow.fit.params["backbone"],
        f"only {wide.fitting} epochs of {wide.fit.settings.backbone!r} fit into the budget, and "
        f"fewer than {USEFUL_EPOCHS} leave a network under-trained",
        f"measured: {format_duration(wide.unit)} an epoch on this machine, "
        f"{format_duration(narrow.unit)} with the narrower one; {citations.COMPONENTS_ON_YEAST}",
    )
