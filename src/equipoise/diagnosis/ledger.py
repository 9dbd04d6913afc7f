"""Where the points of balanced accuracy go: prior bias, new data, labels, memory, or learning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray
from equipoise.diagnosis.evidence import Evidence, Seen
from equipoise.diagnosis.spans import Spans, mean_change, mean_share, share_spans
from equipoise.diagnosis.suspects import mislabelled_counts
from equipoise.metrics.groups import in_order

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

    def of_classes(self, known: np.ndarray) -> "Recalls":
        """Return those of some classes; of the others nothing is known."""
        return Recalls(hits=np.where(known, self.hits, 0), sizes=np.where(known, self.sizes, 0))

    def spans(self, level: float) -> Spans:
        """Return each with its interval."""
        return share_spans(self.hits, self.sizes, level)

    def mean(self, level: float) -> Spans:
        """Return their mean, balanced accuracy, with its interval."""
        return mean_share(self.hits, self.sizes, level)


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
        the classes of which every part has examples. Without validation examples a shifted test
        cannot be told, and is left out.

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

    Intervals are those of `equipoise.diagnosis.spans`, of parts with independent errors; those of
    the first term are of paired differences. Examples that are given to a class of which it is not
    known what is typical count as not mislabelled, but the upper end of what is mislabelled holds
    them. The intervals of the last two causes are wider for wrong labels only in classes in
    which such were found.
    """
    n = evidence.n_classes
    train, held, test = evidence.parts["train"], evidence.held_out, evidence.parts["test"]
    every = [_recalls(seen, n) for seen in (train, held, test)]
    known = np.all([each.sizes > 0 for each in every], axis=0)
    trained, new, after = (each.of_classes(known) for each in every)
    labels = _wrong_labels(held, train, (trained, new), level)
    gap = trained.values - new.values
    not_learnt = mean_share(trained.sizes - trained.hits, trained.sizes, level)
    apart = trained.mean(level).minus(new.mean(level))
    losses = [
        _changed(test, known, level),
        _loss("shifted test", new.values - after.values, new.mean(level).minus(after.mean(level))),
        _loss("mislabelled", labels.all.values, labels.all.mean()),
        _loss(
            "too few examples",
            gap - labels.fitted.values,
            apart.minus(labels.fitted.mean()).within(-1, 1),
        ),
        _loss(
            "not learnt",
            1 - trained.values - labels.not_fitted.values,
            not_learnt.minus(labels.not_fitted.mean()).within(0, 1),
        ),
    ]
    return [loss for loss in losses if held is not test or loss.cause != "shifted test"]


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
    return _changed(seen, np.bincount(seen.codes, minlength=n_classes) > 0, level)


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


def _changed(seen: Seen, known: np.ndarray, level: float) -> Loss:
    """Return what correction gains on the examples of some classes."""
    n = len(known)
    recalls = [_recalls(seen, n, corrected=c).of_classes(known).values for c in (False, True)]
    kept = known[seen.codes]
    right = [z[kept].argmax(axis=1) == seen.codes[kept] for z in (seen.logits, seen.corrected)]
    change = mean_change(right[0], right[1], seen.codes[kept], n, level)
    return _loss("prior bias", recalls[1] - recalls[0], change)


@dataclass(frozen=True, kw_only=True, eq=False)
class _WrongLabels:
    """Share of each class that is mislabelled: of what is not learnt, of the gap, and of both."""

    not_fitted: Spans
    fitted: Spans
    all: Spans


def _wrong_labels(
    held: Seen, train: Seen, recalls: tuple[Recalls, Recalls], level: float
) -> _WrongLabels:
    trained, new = recalls
    pairs = [_typical(held, part, len(trained.sizes), level) for part in (train, held)]
    rates, most = [rate for rate, _ in pairs], [highs for _, highs in pairs]
    wrong = share_spans(trained.sizes - trained.hits, trained.sizes, level)
    gap = trained.spans(level).minus(new.spans(level))
    # Both shares rise with all of these, so their ends are where the ends of these are.
    not_fitted, fitted = _attributed([rate.values for rate in rates], wrong.values, gap.values)
    least = _attributed([rate.lows for rate in rates], wrong.lows, gap.lows)
    largest = _attributed(most, wrong.highs, gap.highs)
    return _WrongLabels(
        not_fitted=_as_sure(not_fitted, rates[0]),
        fitted=_as_sure(fitted, rates[1]),
        all=Spans(values=not_fitted + fitted, lows=np.add(*least), highs=np.add(*largest)),
    )


def _attributed(
    rates: Sequence[np.ndarray], wrong: np.ndarray, gap: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which share of what is wrong in training, and of the gap, is mislabelled."""
    not_fitted = np.minimum(rates[0], wrong)
    return not_fitted, np.clip(rates[1] - not_fitted, 0.0, np.maximum(gap, 0.0))


def _as_sure(values: np.ndarray, rate: Spans) -> Spans:
    """Return shares that are as sure as a rate where there are any, and as defined elsewhere."""
    found = values > 0
    return Spans(
        values=values,
        lows=np.where(found, values - (rate.values - rate.lows), values),
        highs=np.where(found, values + (rate.highs - rate.values), values),
    )


def _typical(held: Seen, judged: Seen, n: int, level: float) -> tuple[Spans, np.ndarray]:
    """Return the rate of wrong labels of each class, and its end if all that is unseen is wrong."""
    known, own = ((seen.corrected, seen.codes) for seen in (held, judged))
    found = mislabelled_counts(known, own, n)
    half = share_spans(found.typical, found.sizes, level)
    most = share_spans(found.typical + found.unseen / 2, found.sizes, level).highs
    values, lows, highs, most = (
        np.minimum(2 * each, 1.0) for each in (half.values, half.lows, half.highs, most)
    )
    return Spans(values=values, lows=lows, highs=highs), most


def _loss(cause: str, values: np.ndarray, mean: Spans) -> Loss:
    each = tuple(None if np.isnan(v) else float(v) for v in values)
    value, low, high = (float(end) for end in (mean.values, mean.lows, mean.highs))
    return Loss(cause=cause, value=value, low=low, high=high, by_class=each)
