"""What training tells those who watch it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Progress:
    """What an observer is told after each step, and with `row` after each epoch.

    Parameters
    ----------
    epoch, epochs : int
        The epoch that is under way or done, from 1, and the number planned.
    step, steps : int
        The step that is done, from 1, and the number in this epoch; both 0 after an epoch.
    loss : Tensor
        Loss of the step, or the mean of the epoch; reading it makes the processor wait for
        the device.
    examples : int
        Examples seen in this epoch.
    seconds : float
        Time since this epoch began.
    row : mapping or None, default=None
        After an epoch its row of the history.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: Tensor
    examples: int
    seconds: float
    row: Mapping[str, Any] | None = None


Observer = Callable[[Progress], None]
"""Called while training advances; what it returns is ignored, what it raises stops training.

It must leave torch's global random generator alone, which dropout draws from.
"""
