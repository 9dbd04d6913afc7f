"""How long steps of training take, on a copy of the network."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from equipoise.batches import Examples
from equipoise.devices import reproducible
from equipoise.distributed import World

if TYPE_CHECKING:
    from equipoise.training import Training


TIMED = 0.1
"""Seconds for which steps of a stage that has not begun are timed."""


def copied(training: "Training") -> "Training":
    """Return training of the same kind on a copy of its network, in its first stage and alone."""
    return replace(
        training,
        stages=copy.deepcopy(training.stages),
        network=copy.deepcopy(training.network),
        world=World(),
    )


def seconds_a_step(
    training: "Training", examples: Examples, seconds: float, size: int = 1
) -> float:
    """Return how long a step of the stage that training is in takes; its network learns by it.

    Parameters
    ----------
    training : Training
        A copy of what is meant.
    examples : Examples
        The training examples.
    seconds : float
        How long steps are timed, after a warm-up of up to a quarter of that.
    size : int, default=1
        Processes that share a batch.
    """
    batches = [batch[::size] for batch in training.learning.order(examples, 0)]
    training.learning.learner.train()
    done = 0

    def step() -> None:
        nonlocal done
        at = done % len(batches)
        # Reading the loss waits for the device, which else would still be at work.
        float(training.learning.step(examples, batches[at], at, len(batches)))
        done += 1

    repeated(step, seconds / 4)
    return repeated(step, seconds)


def seconds_of_later_stages(
    training: "Training", examples: Examples, seconds: float = TIMED
) -> list[float]:
    """Return how long an epoch of each later stage will take but for validation, by some steps.

    Parameters
    ----------
    training : Training
        In a stage that is not the last; left as it is.
    examples : Examples
        The training examples.
    seconds : float
        How long steps of each stage are timed; one is taken at least.
    """
    alone, found = copied(training), []
    with reproducible(0, training.device.name):
        for index in range(1, len(alone.stages)):
            alone.advance()
            if index > training.index:
                step = seconds_a_step(alone, examples, seconds, training.world.size)
                begun = time.perf_counter()
                n = len(alone.learning.order(examples, 0))
                found.append(n * step + time.perf_counter() - begun)
    return found


def repeated(action: Callable[[], object], seconds: float) -> float:
    """Do something until the time is over, at least once; return how long it took on average."""
    begun, count = time.perf_counter(), 0
    while not count or time.perf_counter() - begun < seconds:
        action()
        count += 1
    return (time.perf_counter() - begun) / count
