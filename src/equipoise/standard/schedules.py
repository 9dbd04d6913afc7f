"""Learning-rate schedules: functions of the share of training that is done.

Being functions of a fraction, they keep their shape at any budget and need no saved state.
"""

import math
from dataclasses import dataclass

from equipoise.spec import Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class Schedule(Component):
    """Base of schedules.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises linearly from 0 to its peak, from 0 to
        below 1.
    """

    warmup: float = bounded(0.05, low=0, high=1, open_high=True)

    def __call__(self, progress: float) -> float:
        """Return the learning rate as a share of its peak.

        Parameters
        ----------
        progress : float
            Share of training that is done, from 0 to 1. Training asks in the middle of each
            step, so that even the first of few has a rate above 0.
        """
        if progress < self.warmup:
            return progress / self.warmup
        return self.after_warmup((progress - self.warmup) / (1 - self.warmup))

    def after_warmup(self, progress: float) -> float:
        """Return the share of the peak, given the share of what follows warm-up that is done."""
        raise NotImplementedError


@dataclass(eq=False, repr=False, kw_only=True)
class Constant(Schedule):
    """Stay at the peak after warm-up.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises from 0, from 0 to below 1.

    Examples
    --------
    >>> [Constant(warmup=0.5)(p) for p in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 1.0]
    """

    def after_warmup(self, progress: float) -> float:  # noqa: ARG002 (the base's contract)
        """Return 1."""
        return 1.0


@dataclass(eq=False, repr=False, kw_only=True)
class Cosine(Schedule):
    r"""Fall along half a cosine after warm-up (Loshchilov and Hutter, ICLR 2017, eq. 5).

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises from 0, from 0 to below 1.
    final : float, default=0.0
        Rate at the end as a share of the peak, from 0 to 1.

    Notes
    -----
    When the share :math:`s` of what follows warm-up is done:
    :math:`final + (1 - final)\,(1 + \cos \pi s)/2`.

    Examples
    --------
    >>> [round(Cosine(warmup=0)(p), 3) for p in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """

    final: float = bounded(0.0, low=0, high=1)

    def after_warmup(self, progress: float) -> float:
        """Return the height of the cosine."""
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, type[Schedule]] = {"Cosine": Cosine, "Constant": Constant}
"""Schedules by name."""
