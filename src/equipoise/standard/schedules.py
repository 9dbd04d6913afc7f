"""Learning-rate schedules: functions of the share of training that is done.

Being functions of a fraction, they keep their shape at any budget and need no saved state.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise

from equipoise.errors import InputError
from equipoise.spec import Bounds, Component, bounded


@dataclass(eq=False, repr=False, kw_only=True)
class Schedule(Component):
    """Base of schedules: functions of what share of training is done."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """Return the learning rate as a share of its peak.

        Parameters
        ----------
        progress : float
            Share of training that is done, from 0 to 1. Training asks in the middle of each
            step, so that even the first of few has a rate above 0.
        """


@dataclass(eq=False, repr=False, kw_only=True)
class WarmedUp(Schedule):
    """Base of schedules that rise in a straight line to the peak first.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises linearly from 0 to its peak, from 0 to
        below 1.
    """

    warmup: float = bounded(0.05, low=0, high=1, open_high=True)

    def __call__(self, progress: float) -> float:
        """Return the learning rate as a share of its peak; see `Schedule`."""
        if progress < self.warmup:
            return progress / self.warmup
        return self.after_warmup((progress - self.warmup) / (1 - self.warmup))

    @abstractmethod
    def after_warmup(self, progress: float) -> float:
        """Return the share of the peak, given the share of what follows warm-up that is done."""


@dataclass(eq=False, repr=False, kw_only=True)
class Constant(WarmedUp):
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

    tuned_for = ("table",)

    def after_warmup(self, progress: float) -> float:  # noqa: ARG002 (the base's contract)
        """Return 1."""
        return 1.0


@dataclass(eq=False, repr=False, kw_only=True)
class Cosine(WarmedUp):
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

    tuned_for = ("table",)

    final: float = bounded(0.0, low=0, high=1)

    def after_warmup(self, progress: float) -> float:
        """Return the height of the cosine."""
        return _half_cosine(1.0, self.final, progress)


@dataclass(eq=False, repr=False, kw_only=True)
class Linear(WarmedUp):
    r"""Fall in a straight line after warm-up.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises from 0, from 0 to below 1.
    final : float, default=0.0
        Rate at the end as a share of the peak, from 0 to 1.

    Notes
    -----
    When the share :math:`s` of what follows warm-up is done: :math:`1 + (final - 1)\,s`.

    Examples
    --------
    >>> [Linear(warmup=0.2)(p) for p in (0.1, 0.2, 0.6, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """

    final: float = bounded(0.0, low=0, high=1)

    def after_warmup(self, progress: float) -> float:
        """Return the height of the line."""
        return 1 + (self.final - 1) * progress


@dataclass(eq=False, repr=False, kw_only=True)
class Step(WarmedUp):
    r"""Multiply the rate by a factor at each of some points after warm-up.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of training over which the rate rises from 0, from 0 to below 1.
    milestones : tuple of float, default=(0.6, 0.8)
        Shares of what follows warm-up at which the rate drops, rising, between 0 and 1.
    factor : float, default=0.1
        What the rate is multiplied by at each, above 0 and at most 1.

    Notes
    -----
    When the share :math:`s` of what follows warm-up is done, and :math:`n(s)` milestones are at
    or below :math:`s`: :math:`factor^{\,n(s)}`.

    Examples
    --------
    >>> [Step(warmup=0, factor=0.5)(p) for p in (0.0, 0.59, 0.6, 0.8)]
    [1.0, 1.0, 0.5, 0.25]
    """

    milestones: tuple[float, ...] = (0.6, 0.8)
    factor: float = bounded(0.1, low=0, high=1, open_low=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is outside its bounds or the milestones do not rise."""
        super().validate()
        inside = Bounds(low=0, high=1, open_low=True, open_high=True)
        given = self.milestones
        whole = isinstance(given, tuple) and len(given) > 0 and all(m in inside for m in given)
        if not (whole and all(a < b for a, b in pairwise(given))):
            raise InputError(
                "`milestones` of `Step` must be a tuple of rising numbers in (0, 1).",
                f"It is {given!r}.",
                "Write for example milestones=(0.6, 0.8), or milestones=(0.5,) for one.",
            )

    def after_warmup(self, progress: float) -> float:
        """Return the factor to the power of the milestones that are passed."""
        return float(self.factor ** sum(progress >= milestone for milestone in self.milestones))


@dataclass(eq=False, repr=False, kw_only=True)
class OneCycle(Schedule):
    r"""Rise along half a cosine to the peak, then fall along another (Smith and Topin, 2018).

    Only the learning rate has a cycle: momentum stays as it is.

    Parameters
    ----------
    peak : float, default=0.3
        Share of training at which the rate is at its peak, between 0 and 1.
    start : float, default=0.04
        Rate at the start as a share of the peak, from 0 to 1.
    final : float, default=1e-4
        Rate at the end as a share of the peak, from 0 to 1.

    Notes
    -----
    With :math:`c(s) = (1 + \cos \pi s)/2` and the share :math:`p` of training done: up to the
    peak :math:`1 + (start - 1)\,c(p / peak)`, then
    :math:`final + (1 - final)\,c((p - peak)/(1 - peak))`. The paper rises and falls in straight
    lines; cosines, as in `torch.optim.lr_scheduler.OneCycleLR`, are what is used since.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", 2018. https://arxiv.org/abs/1708.07120

    Examples
    --------
    >>> [round(OneCycle(peak=0.5)(p), 4) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    [0.04, 0.52, 1.0, 0.5, 0.0001]
    """

    peak: float = bounded(0.3, low=0, high=1, open_low=True, open_high=True)
    start: float = bounded(0.04, low=0, high=1)
    final: float = bounded(1e-4, low=0, high=1)

    def __call__(self, progress: float) -> float:
        """Return the height of the first cosine or the second."""
        if progress < self.peak:
            return _half_cosine(self.start, 1.0, progress / self.peak)
        return _half_cosine(1.0, self.final, (progress - self.peak) / (1 - self.peak))


def _half_cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, type[Schedule]] = {
    "Cosine": Cosine,
    "Constant": Constant,
    "Linear": Linear,
    "Step": Step,
    "OneCycle": OneCycle,
}
"""Schedules by name."""
