"""How much is computed to tell what mattered in a search, so that it ends in time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much is computed.

    Parameters
    ----------
    share : float
        Part of the forests and shuffles of the full computation, above 0 and at most 1.
    halves : int
        Halves of the trials from which a standard error comes.
    components : int
        Components whose fields are told, at most.
    """

    share: float
    halves: int
    components: int

    def of(self, n: int) -> int:
        """Return the part of a number of trees or shuffles, at least 4.

        >>> EFFORTS[2].of(64), EFFORTS[2].of(1999)
        (16, 499)
        """
        return max(4, int(self.share * n))

    @property
    def work(self) -> float:
        """Seconds, in those of one forest in full, of roles and fields together."""
        # A forest in full, smaller ones for the halves, and one that foresees, for each group.
        return self.share * (2 + self.halves / 4) * (1 + self.components)

    @property
    def said(self) -> str:
        """Return in words what was left out; empty where nothing was."""
        if self is FULL:
            return ""
        fields = (
            f"with the fields of {self.components} components at most"
            if self.components
            else "without the fields of components"
        )
        return (
            f"For want of time this was computed with {100 * self.share:.0f} % of the trees and "
            f"shuffles, {self.halves} halves, and {fields}: errors and probabilities are coarser."
        )


FULL = Effort(1.0, halves=10, components=4)
"""What is computed with time enough."""

EFFORTS = (
    FULL,
    Effort(0.5, halves=10, components=4),
    Effort(0.25, halves=8, components=2),
    Effort(0.125, halves=5, components=0),
)
"""From the full computation to the least, which is told however little time there is."""


def affordable(seconds: float | None, forest: float) -> Effort:
    """Return the largest effort that a time allows.

    Parameters
    ----------
    seconds : float or None
        What there is; None: all that it takes.
    forest : float
        Seconds of one forest in full.

    Examples
    --------
    >>> [affordable(seconds, 1.0).share for seconds in (None, 30.0, 12.0, 5.0, -1.0)]
    [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    if seconds is None:
        return FULL
    return next((each for each in EFFORTS if each.work * forest <= seconds), EFFORTS[-1])
