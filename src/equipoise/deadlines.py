"""How training ends in time: what of it still fits before a deadline, stage by stage."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from equipoise.batches import Examples
from equipoise.timing import TIMED, seconds_of_later_stages

if TYPE_CHECKING:
    from equipoise.training import Training

TIMED_SHARE = 0.02
"""Steps of later stages are timed for at most this share of what is left."""

_GO_ON, _SHORTEN, _END = range(3)


@dataclass(eq=False)
class Deadline:
    r"""A time by which training shall end, and what that means for each stage.

    Training ends before an epoch that, if it took as long as the last, would end too late. A
    stage that is not the last ends before an epoch that would take time from those that follow,
    so that they keep their share: if it ends after :math:`d` of :math:`E` epochs, each later one
    is :math:`d / E` as long as planned, one epoch at least, with a schedule of that length. How
    long their epochs take is told by some steps of them, timed on a copy of the network, and the
    time that validation took. Where not even one epoch of each fits, the stage goes on.

    Parameters
    ----------
    training : Training
        What shall end; its stages are shortened.
    examples : Examples
        The training examples.
    ends : float or None
        Time of `time.monotonic` after which no epoch shall end; None: there is no end.
    learning : float or None
        Seconds that the steps of the last epoch took, without validation; None: not known.
    """

    training: "Training"
    examples: Examples
    ends: float | None
    learning: float | None = field(init=False, default=None)
    _timed: dict[int, list[float]] = field(init=False, default_factory=dict)

    def is_over(self) -> bool:
        """Return whether training ends here; end the stage if it must give way to the next."""
        training, world = self.training, self.training.world
        if self.ends is None or not training.history:
            return False
        # The first process decides for all: one that went on alone would wait for ever.
        decision = torch.tensor(
            float(self._decision(self.ends)) if world.is_first else 0.0,
            device=training.device.name,
        )
        world.total([decision])
        if int(decision) == _SHORTEN:
            training.shorten()
        training.is_cut_short |= int(decision) == _END
        return int(decision) == _END

    def _decision(self, ends: float) -> int:
        training = self.training
        following = training.stages[training.index + 1 :]
        each = self._seconds_of_later_epochs(ends) if following else []
        left = ends - time.monotonic()
        if training.ends_stage:
            return _END if each[0] > left else _GO_ON
        another = training.history[-1]["seconds"]
        share = (training.done_in_stage + 1) / training.stage.epochs
        lengths = [max(1.0, share * stage.epochs) for stage in following]
        reserved = sum(n * seconds for n, seconds in zip(lengths, each, strict=True))
        if following and sum(each) <= left < another + reserved:
            return _SHORTEN
        return _END if another > left else _GO_ON

    def _seconds_of_later_epochs(self, ends: float) -> list[float]:
        training, index = self.training, self.training.index
        if index not in self._timed:
            seconds = min(TIMED, max(0.0, TIMED_SHARE * (ends - time.monotonic())))
            self._timed[index] = seconds_of_later_stages(training, self.examples, seconds)
        last = training.history[-1]["seconds"]
        checking = 0.0 if self.learning is None else last - self.learning
        return [steps + checking for steps in self._timed[index]]


def how_it_ended(training: "Training", by: str, method: str) -> str:
    """Return in words how far training came that was cut short.

    Parameters
    ----------
    training : Training
        With the history of what was trained.
    by : str
        What has ended it, such as ``"by its deadline"``.
    method : str
        What has made stages of it, as text.
    """
    done = _done_by_stage([row["stage"] for row in training.history], len(training.planned))
    words = f"{by}, after epoch {sum(done)} of {sum(training.planned)}"
    if len(done) == 1:
        return words
    if not done[-1]:
        return f"{words}: no epoch of stage {done.index(0) + 1} of {method} was trained"
    parts = (
        f"{n} of {planned} in stage {number}"
        for number, (n, planned) in enumerate(zip(done, training.planned, strict=True), 1)
    )
    return f"{words}: {', '.join(parts)}"


def _done_by_stage(stages: Sequence[int], n: int) -> list[int]:
    return [sum(stage == number for stage in stages) for number in range(1, n + 1)]
