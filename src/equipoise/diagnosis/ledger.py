"""Where the points of balanced accuracy go: prior bias, new data, labels, memory, or learning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray
from equipoise.diagnosis.evidence import Evidence, Seen
from equipoise.diagnosis.suspects import mislabelled_counts
from equipoise.metrics.groups import in_order
from equipoise.metrics.intervals import normal_quantile

CAUSES = ("prior bias", "shifted test", "mislabelled", "too few examples", "not learnt")
"""What points are lost to, in the order in which they are taken off."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Points of balanced accuracy that are lost to one cause.

    Parameters
    ----------
    cause : str
        One of `CAUSES`.
    value, low, high : float
        Share of balanced accuracy, -1 to 1, and its interval; below 0 where it is gained.
    by_class : tuple of (float or None)
        The same for each class's recall, whose mean it is; None where nothing is known.
    """

    cause: str
    value: float
    low: float
    high: float
    by_class: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recalls:
    """Recall of each class: what is certain and how sure that is.

    Parameters
    ----------
    hits, sizes : ndarray, shape (classes,)
        Examples that are classified rightly, and all.
    """

    hits: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, predicted: CodeArray, codes: CodeArray, n: int) -> "Recalls":
        """Return those of predictions."""
        return cls(
            hits=np.bincount(codes[predicted == codes], minlength=n),
            sizes=np.bincount(codes, minlength=n),
        )

    @property
    def values(self) -> np.ndarray:
        """Recall of each class; NaN for one without examples."""
        return np.where(self.sizes > 0, self.hits / np.maximum(self.sizes, 1), np.nan)

    @property
    def variances(self) -> np.ndarray:
        """Variance of each, its share as if one more had been right and one more wrong."""
        share = (self.hits + 1) / (self.sizes + 2)
        return share * (1 - share) / np.maximum(self.sizes, 1)


def ledger(evidence: Evidence, level: float = 0.95) -> list[Loss]:
    r"""Return where the points of balanced accuracy on the test set are lost.

    Parameters
    ----------
    evidence : Evidence
        What is looked at.
    level : float, default=0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    list of Loss
        One for each of `CAUSES`; with the balanced accuracy on the test set they sum to 1, over
        the classes of which every part has examples. Without validation examples nothing is lost
        to a shifted test.

    Notes
    -----
    With balanced accuracies :math:`A` as trained and :math:`A^c` after correction to equal class
    frequencies,

    .. math::

        1 - A_{test} = \underbrace{A^c_{test} - A_{test}}_{\text{prior bias}}
        + \underbrace{A^c_{val} - A^c_{test}}_{\text{shifted test}}
        + \underbrace{A^c_{train} - A^c_{val}}_{\text{too few examples, wrong labels}}
        + \underbrace{1 - A^c_{train}}_{\text{not learnt, wrong labels}}

    Twice the share of examples that are typical ones of another class
    (`equipoise.diagnosis.suspects`) counts as mislabelled, class by class: of training examples
    as far as the fourth term goes, of held-out ones, less that, as far as the third goes.
    Variances are those of independent recalls with one example more of each kind, so that a
    class of three is not certain; of the first term, that of paired differences.
    """
    n, z = evidence.n_classes, normal_quantile(level)
    test, held = evidence.parts["test"], evidence.held_out
    before, after = (_recalls(test, n, corrected=c) for c in (False, True))
    new = _recalls(held, n)
    trained = _recalls(evidence.parts["train"], n)
    gap = trained.values - new.values
    noise = [_noise(held, part, n) for part in (evidence.parts["train"], held)]
    not_fitted = np.minimum(noise[0].values, 1 - trained.values)
    fitted = np.clip(noise[1].values - not_fitted, 0.0, np.maximum(gap, 0.0))
    seen = [
        np.where(w > 0, x.variances, 0.0) for w, x in zip((not_fitted, fitted), noise, strict=True)
    ]
    apart = new.variances + trained.variances
    no_shift = held is test
    unknown = np.isnan(after.values + gap)
    terms = {
        "prior bias": (after.values - before.values, _paired_variances(test, n)),
        "shifted test": (
            (0 * gap, 0 * gap)
            if no_shift
            else (new.values - after.values, new.variances + after.variances)
        ),
        "mislabelled": (not_fitted + fitted, sum(seen)),
        "too few examples": (gap - fitted, apart + seen[1]),
        "not learnt": (1 - trained.values - not_fitted, trained.variances + seen[0]),
    }
    return [
        _loss(cause, np.where(unknown, np.nan, values), variances, z)
        for cause, (values, variances) in terms.items()
    ]


def prior_gain(seen: Seen, n_classes: int, level: float = 0.95) -> Loss:
    """Return what correction to equal class frequencies gains on one part.

    Parameters
    ----------
    seen : Seen
        Examples of the part.
    n_classes : int
        Number of classes.
    level : float, default=0.95
        Of the interval.
    """
    before, after = (_recalls(seen, n_classes, corrected=c) for c in (False, True))
    change = after.values - before.values
    z = normal_quantile(level)
    return _loss("prior bias", change, _paired_variances(seen, n_classes), z)


def mean_recall(values: np.ndarray, variances: np.ndarray, z: float) -> tuple[float, float, float]:
    """Return the mean over classes with its interval; classes that are not known are left out."""
    known = ~np.isnan(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    mean = float(values[known].mean())
    error = z * float(np.sqrt(variances[known].sum())) / known.sum()
    return mean, mean - error, mean + error


def by_group(values: Sequence[float | None], groups: Sequence[str]) -> Mapping[str, float]:
    """Return the mean of each group of classes, the most frequent classes first.

    Examples
    --------
    >>> by_group([0.25, 0.5, None], ["few", "many", "few"])
    {'many': 0.5, 'few': 0.25}
    """
    found: dict[str, list[float]] = {name: [] for name in in_order(groups)}
    for value, group in zip(values, groups, strict=True):
        if value is not None:
            found[group].append(value)
    return {group: float(np.mean(own)) for group, own in found.items() if own}


def _recalls(seen: Seen, n: int, *, corrected: bool = True) -> Recalls:
    logits = seen.corrected if corrected else seen.logits
    return Recalls.of(logits.argmax(axis=1), seen.codes, n)


def _paired_variances(seen: Seen, n: int) -> np.ndarray:
    """Return the variance of each class's mean change by the correction."""
    right = [(z.argmax(axis=1) == seen.codes) for z in (seen.logits, seen.corrected)]
    change = right[1].astype(float) - right[0]
    sizes = np.bincount(seen.codes, minlength=n) + 2
    mean = np.bincount(seen.codes, change, n) / sizes
    squares = (np.bincount(seen.codes, change**2, n) + 2) / sizes
    return (squares - mean**2) / sizes


@dataclass(frozen=True, eq=False)
class _Shares:
    """Share of each class that is mislabelled, and how sure it is."""

    values: np.ndarray
    variances: np.ndarray


def _noise(held: Seen, judged: Seen, n: int) -> _Shares:
    known, own = ((seen.corrected, seen.codes) for seen in (held, judged))
    numbers, sizes = mislabelled_counts(known, own, n)
    share = (numbers + 1) / (sizes + 2)
    rates = np.minimum(2 * numbers / np.maximum(sizes, 1), 1.0)
    return _Shares(rates, 4 * share * (1 - share) / (sizes + 2))


def _loss(cause: str, values: np.ndarray, variances: np.ndarray, z: float) -> Loss:
    value, low, high = mean_recall(values, variances, z)
    each = tuple(None if np.isnan(v) else float(v) for v in values)
    return Loss(cause=cause, value=value, low=low, high=high, by_class=each)
