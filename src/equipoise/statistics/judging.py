"""Which differences are more than chance, all looks of their family considered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.statistics.multiplicity import holm
from equipoise.statistics.results import Comparison, Difference, Estimate
from equipoise.statistics.scores import METRICS


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A difference, and what is to be made of it.

    Parameters
    ----------
    found : Difference
        Of a method and the reference that all are judged against.
    gain : float
        Its value, turned so that above 0 is better than the reference.
    p_adjusted : float
        Holm's, for the family of pairs.
    detectable : float
        The true difference that would be found with probability 0.8.
    alpha : float
        Level at which differences are told apart.
    """

    found: Difference
    gain: float
    p_adjusted: float
    detectable: float
    alpha: float

    @property
    def is_copy(self) -> bool:
        """Whether no example and no seed tells the two apart."""
        return self.gain == 0 and self.found.low == self.found.high

    @property
    def is_told_apart(self) -> bool:
        """Whether the difference is more than chance, all looks of its family considered."""
        return self.p_adjusted <= self.alpha

    def facts(self) -> dict[str, Any]:
        """Return plain data; value, low and high are method less reference."""
        return {
            "method": self.found.method,
            "reference": self.found.reference,
            **numbers(self.found),
            "p": self.found.p,
            "p_adjusted": self.p_adjusted,
            "told_apart": self.is_told_apart,
            "detectable": self.detectable,
        }


def judged(
    comparison: Comparison, reference: str, family: Sequence[tuple[str, str]]
) -> list[Judged]:
    """Return every method against one, with p-values corrected for a family of pairs."""
    if not family:
        return []
    sign = 1 if METRICS[comparison.metric] else -1
    alpha = 1 - comparison.level
    found = [comparison.between(*pair) for pair in family]
    result = []
    for each, p in zip(found, holm([each.p for each in found]), strict=True):
        if reference in (each.method, each.reference):
            turned = each if each.reference == reference else each.reversed()
            result.append(
                Judged(
                    found=turned,
                    gain=sign * turned.value,
                    p_adjusted=float(p),
                    detectable=turned.spread.detectable(alpha / len(family)),
                    alpha=alpha,
                )
            )
    return result


def prior_bias(to_control: Sequence[Judged], balanced: Comparison | None) -> list[dict[str, Any]]:
    """Return each method's gain over the control as trained and with equal priors."""
    if balanced is None or not to_control:
        return []
    control = to_control[0].found.reference
    family = [(each.found.method, control) for each in to_control]
    left = judged(balanced, control, family)
    sign = 1 if METRICS[balanced.metric] else -1
    return [
        {
            "method": before.found.method,
            "gain_as_is": numbers(before.found, sign),
            "gain_balanced": numbers(after.found, sign),
            "removed": before.gain - after.gain,
            "told_apart": before.is_told_apart and before.gain > 0,
            "told_apart_balanced": after.is_told_apart,
        }
        for before, after in zip(to_control, left, strict=True)
    ]


def numbers(found: Estimate, sign: int = 1) -> dict[str, float]:
    """Return value, low and high of an estimate, or of its negative if `sign` is -1."""
    low, high = sorted((sign * found.low, sign * found.high))
    return {"value": sign * found.value, "low": low, "high": high}
