"""What a comparison of methods found."""

from dataclasses import dataclass

from equipoise.statistics.spread import Spread


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over runs, or a difference of two.

    Parameters
    ----------
    value : float
        In the unit of the metric.
    low, high : float
        Ends of its confidence interval.
    error : float
        Its standard error.
    """

    value: float
    low: float
    high: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """Score of one method less that of another.

    Parameters
    ----------
    value, low, high, error : float
        As of an `Estimate`.
    method, reference : str
        What is compared, and with what.
    p : float
        Two-sided, not corrected for the number of looks.
    spread : Spread
        The variances.
    """

    method: str
    reference: str
    p: float
    spread: Spread

    def reversed(self) -> "Difference":
        """Return the same difference with the two exchanged."""
        return Difference(
            value=-self.value,
            low=-self.high,
            high=-self.low,
            error=self.error,
            method=self.reference,
            reference=self.method,
            p=self.p,
            spread=self.spread,
        )


@dataclass(frozen=True, kw_only=True)
class Contrast(Estimate):
    """A weighted sum of the scores of several methods.

    Parameters
    ----------
    value, low, high, error : float
        As of an `Estimate`.
    p : float
        Two-sided, not corrected for the number of looks.
    """

    p: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Every method's mean score, and differences between methods.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    level : float
        Confidence level of every interval, of each on its own.
    n_seeds : int
        With one seed, intervals and p-values hold no noise of training.
    n_runs : int
        Runs of each method: more than seeds where a seed has several orders of the classes.
    means : dict of str to Estimate
        By method.
    differences : tuple of Difference
        For the pairs that were asked for.
    """

    metric: str
    level: float
    n_seeds: int
    n_runs: int
    means: dict[str, Estimate]
    differences: tuple[Difference, ...]

    @property
    def holds_seed_noise(self) -> bool:
        """Whether intervals tell what training again would change."""
        return self.n_seeds > 1

    def between(self, method: str, reference: str) -> Difference:
        """Return the difference of two methods; `KeyError` if it was not asked for."""
        for found in self.differences:
            if (found.method, found.reference) == (method, reference):
                return found
            if (found.reference, found.method) == (method, reference):
                return found.reversed()
        raise KeyError((method, reference))
