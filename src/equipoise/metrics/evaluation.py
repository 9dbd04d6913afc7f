"""All metrics of one set of predictions, with intervals, as plain data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import InputError
from equipoise.metrics.aggregates import (
    geometric_mean_interval,
    mean_interval,
    minimum_interval,
)
from equipoise.metrics.bootstrap import Replicates, bootstrap
from equipoise.metrics.calibration import calibration_error, reliability
from equipoise.metrics.calibration_intervals import calibration_interval
from equipoise.metrics.confusion import ClassScores, class_scores, confusion_matrix
from equipoise.metrics.confusion_intervals import ConfusionIntervals
from equipoise.metrics.groups import groups_by_frequency, in_order
from equipoise.metrics.intervals import corrected_wilson, wilson
from equipoise.metrics.losses import Losses, brier_scores, log_losses, loss_interval
from equipoise.metrics.ranking import Ranking
from equipoise.metrics.ranking_intervals import auprc_sizes, auroc_sizes, macro_interval
from equipoise.metrics.sample import Sample, make_sample


class Estimate(TypedDict):
    """A metric and its interval; all three are None where the metric is undefined."""

    value: float | None
    low: float | None
    high: float | None


def evaluate(  # noqa: PLR0913 (the settings of the intervals have defaults)
    logits: ArrayLike,
    codes: ArrayLike,
    *,
    classes: Sequence[str],
    train_counts: ArrayLike,
    prior: ArrayLike | None = None,
    train_prior: ArrayLike | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    r"""Return per-class and overall metrics with confidence intervals.

    Parameters
    ----------
    logits : array_like, shape (examples, classes)
        Finite logits; the largest one of a row is the prediction, the first of equals.
    codes : array_like of int or str, shape (examples,)
        True class of each example: its position in `classes`, or its name there.
    classes : sequence of str
        Class names in label order, at least two, all different.
    train_counts : array_like of int, shape (classes,)
        Training examples of each class. They make the groups.
    prior : array_like, shape (classes,), optional
        Class probabilities :math:`q` of the population that the metrics are to describe. By
        default the data are taken as they are. Otherwise :math:`\log q_k - \log \pi_k` is
        added to the logits, with :math:`\pi` the `train_prior`, and every example of class
        :math:`k` has weight :math:`q_k / (n_k / n)`; over classes without examples :math:`q` is
        left out of the weights and the rest scaled to sum to 1.
    train_prior : array_like, shape (classes,), optional
        Class probabilities :math:`\pi` that the logits contain: the mean of the targets in
        training. By default the shares of `train_counts`; give those of weighted or smoothed
        targets (`equipoise.standard.smoothing.smoothed_prior`).
    level : float, default=0.95
        Confidence level of every interval, in (0, 1).
    n_bootstrap : int, default=1000
        Number of resamples for the ranking metrics, at least 10.
    seed : int, default=0
        Seed of the resamples, at least 0.

    Returns
    -------
    dict
        Plain data, ready for JSON: numbers are Python's own, and what is undefined is None.
        ``{value, low, high}`` is called an estimate below; its low and high enclose its value.

        - ``n``, ``prior`` (None, or probability by class name), ``level``, ``n_bootstrap``,
          ``seed``: as evaluated.
        - ``overall``: estimates of ``accuracy``, ``balanced_accuracy`` (mean recall),
          ``macro_f1``, ``g_mean`` (geometric mean of recalls), ``worst_class_recall``,
          ``macro_auroc`` and ``macro_auprc`` (each class against all others; AUPRC is average
          precision), ``log_loss`` and ``balanced_log_loss`` (nats; the latter is the mean over
          classes of the class's mean), ``brier`` (0 to 2), ``top_label_ece`` and
          ``class_wise_ece`` (15 equal bins).
        - ``groups``: by name, ``classes`` and the estimate of their mean ``recall``; see
          `equipoise.metrics.groups.groups_by_frequency`.
        - ``per_class``: a list of ``class``, ``n``, ``n_train``, ``group`` and the estimates
          of ``precision``, ``recall``, ``f1`` and ``auprc``.
        - ``confusion``: counts, rows are true classes; examples are not weighted here.
        - ``reliability``: the bins of the top-label error,
          `equipoise.metrics.calibration.reliability`.

        Classes without examples have undefined metrics, and means over classes leave them
        out. Precision is undefined for a class that was never predicted; ranking metrics are
        if all examples are of one class.

    Raises
    ------
    InputError
        If shapes do not fit, a logit is not finite, a code is out of range or names no class, the
        prior is no prior or a class without training examples makes it impossible, or a setting
        is out of its range.

    Notes
    -----
    The intervals take the class sizes as given and allow for small classes: they have a width
    even for two examples that are both right. `equipoise.metrics` tells how often they covered
    the truth in simulations. What each one does is told with it: recall,
    `equipoise.metrics.intervals`; accuracy, balanced accuracy, group recall, G-mean and worst
    class, `equipoise.metrics.aggregates`; precision and F1,
    `equipoise.metrics.confusion_intervals`; rankings, `equipoise.metrics.ranking_intervals`;
    losses, `equipoise.metrics.losses`; calibration,
    `equipoise.metrics.calibration_intervals`. Only the ranking metrics are resampled.

    Examples
    --------
    >>> logits = [[2, 0], [1, 0], [3, 1], [1, 0], [0, 2]]
    >>> result = evaluate(
    ...     logits, [0, 0, 0, 1, 1], classes=["cat", "dog"], train_counts=[90, 10]
    ... )
    >>> result["confusion"]
    [[3, 0], [1, 1]]
    >>> balanced = result["overall"]["balanced_accuracy"]
    >>> print("{value:.2f} ({low:.2f} to {high:.2f})".format(**balanced))
    0.75 (0.33 to 0.99)

    Where dogs are as frequent as cats, the hesitant answers become dogs:

    >>> result = evaluate(
    ...     logits, [0, 0, 0, 1, 1], classes=["cat", "dog"], train_counts=[90, 10],
    ...     prior=[0.5, 0.5],
    ... )
    >>> result["confusion"]
    [[0, 3], [0, 2]]
    """
    _check_settings(level, n_bootstrap, seed)
    positions = _positions(codes, classes)
    sample = make_sample(logits, positions, train_counts, prior, train_prior)
    _check_classes(classes, len(sample.shares))
    measured = _measure(sample, level, bootstrap(sample, n_bootstrap, seed))
    counts, groups = np.asarray(train_counts).tolist(), groups_by_frequency(train_counts)
    top, right = np.exp(sample.log_proba.max(axis=1)), sample.predicted == sample.codes
    shares = None if prior is None else np.asarray(prior, dtype=float).tolist()
    return {
        "n": len(sample.codes),
        "prior": None if shares is None else dict(zip(classes, shares, strict=True)),
        "level": float(level),
        "n_bootstrap": int(n_bootstrap),
        "seed": int(seed),
        "overall": _overall(measured),
        "groups": _group_recalls(measured, classes, groups),
        "per_class": [
            {"class": name, "n": n, "n_train": n_train, "group": group, **estimates}
            for name, n, n_train, group, estimates in zip(
                classes, sample.counts.tolist(), counts, groups, _per_class(measured), strict=True
            )
        ],
        "confusion": measured.confusion.tolist(),
        "reliability": reliability(top, right, sample.weights),
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """What the estimates are made of; the areas are those of the classes with examples."""

    sample: Sample
    level: float
    confusion: np.ndarray
    scores: ClassScores
    intervals: ConfusionIntervals
    auroc: np.ndarray
    auprc: np.ndarray
    replicates: Replicates

    @property
    def correct(self) -> np.ndarray:
        return np.diag(self.confusion)[self.sample.present]

    @property
    def sizes(self) -> np.ndarray:
        return self.sample.counts[self.sample.present]


def _measure(sample: Sample, level: float, replicates: Replicates) -> _Measured:
    present = sample.present
    confusion = confusion_matrix(sample.codes, sample.predicted, len(sample.shares))
    column = sample.weights[:, None]
    areas = [Ranking(sample.log_proba[:, k], sample.codes == k).areas(column) for k in present]
    auroc, auprc = np.array(areas)[:, :, 0].T
    return _Measured(
        sample=sample,
        level=level,
        confusion=confusion,
        scores=class_scores(confusion, sample.shares),
        intervals=ConfusionIntervals(
            confusion[np.ix_(present, present)],
            sample.shares[present],
            level,
            sample.counts[present],
        ),
        auroc=auroc,
        auprc=auprc,
        replicates=replicates,
    )


def _overall(measured: _Measured) -> dict[str, Estimate]:
    return (
        _recall_metrics(measured)
        | _f1_and_rankings(measured)
        | _loss_metrics(measured)
        | _calibration_metrics(measured)
    )


def _recall_metrics(measured: _Measured) -> dict[str, Estimate]:
    correct, sizes, level = measured.correct, measured.sizes, measured.level
    recalls, shares = correct / sizes, measured.sample.shares[measured.sample.present]
    even = np.full(len(sizes), 1 / len(sizes))
    with np.errstate(divide="ignore"):  # a class without success makes the G-mean 0
        g_mean = float(np.exp(np.log(recalls).mean()))
    return {
        "accuracy": _estimate(
            float(shares @ recalls), mean_interval(recalls, sizes, shares, level)
        ),
        "balanced_accuracy": _estimate(recalls.mean(), mean_interval(recalls, sizes, even, level)),
        "g_mean": _estimate(g_mean, geometric_mean_interval(correct, sizes, level)),
        "worst_class_recall": _estimate(recalls.min(), minimum_interval(correct, sizes, level)),
    }


def _f1_and_rankings(measured: _Measured) -> dict[str, Estimate]:
    sample, level, draws = measured.sample, measured.level, measured.replicates
    f1 = measured.scores.f1[sample.present]
    auroc_n = auroc_sizes(measured.auroc, draws.auroc, sample, level)
    auprc_n = auprc_sizes(measured.auprc, draws.auprc, sample)
    return {
        "macro_f1": _estimate(f1.mean(), measured.intervals.macro_f1()),
        "macro_auroc": _estimate(
            measured.auroc.mean(), macro_interval(measured.auroc, draws.auroc, auroc_n, level)
        ),
        "macro_auprc": _estimate(
            measured.auprc.mean(), macro_interval(measured.auprc, draws.auprc, auprc_n, level)
        ),
    }


def _loss_metrics(measured: _Measured) -> dict[str, Estimate]:
    sample = measured.sample
    log_loss = log_losses(sample.log_proba, sample.codes)
    brier = brier_scores(sample.log_proba, sample.codes)
    even = np.where(sample.counts > 0, 1 / len(sample.present), 0)
    return {
        "log_loss": _mean_loss(log_loss, measured, sample.shares),
        "balanced_log_loss": _mean_loss(log_loss, measured, even),
        "brier": _mean_loss(brier, measured, sample.shares),
    }


def _mean_loss(losses: Losses, measured: _Measured, class_weights: np.ndarray) -> Estimate:
    codes = measured.sample.codes
    per_example = (class_weights / np.maximum(measured.sample.counts, 1))[codes]
    interval = loss_interval(losses, codes, class_weights, measured.level)
    return _estimate(float(per_example @ losses.values), interval)


def _calibration_metrics(measured: _Measured) -> dict[str, Estimate]:
    sample = measured.sample
    proba = np.exp(sample.log_proba)
    top = [(proba.max(axis=1), sample.predicted == sample.codes)]
    classes = [(proba[:, k], sample.codes == k) for k in sample.present]
    return {
        name: _estimate(
            fmean(calibration_error(*event, sample.weights) for event in events),
            calibration_interval(events, sample.weights, measured.level),
        )
        for name, events in (("top_label_ece", top), ("class_wise_ece", classes))
    }


def _group_recalls(
    measured: _Measured, classes: Sequence[str], groups: Sequence[str]
) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for name in in_order(groups):
        members = np.array([group == name for group in groups])
        names = [classes[k] for k in np.flatnonzero(members).tolist()]
        result[name] = {"classes": names, "recall": _mean_recall(measured, members)}
    return result


def _mean_recall(measured: _Measured, members: np.ndarray) -> Estimate:
    chosen = members[measured.sample.present]
    if not chosen.any():
        return Estimate(value=None, low=None, high=None)
    sizes = measured.sizes[chosen]
    recalls = measured.correct[chosen] / sizes
    even = np.full(len(sizes), 1 / len(sizes))
    return _estimate(recalls.mean(), mean_interval(recalls, sizes, even, measured.level))


def _per_class(measured: _Measured) -> list[dict[str, Estimate]]:
    scores, sample, level = measured.scores, measured.sample, measured.level
    sizes = auprc_sizes(measured.auprc, measured.replicates.auprc, sample)
    auprc = _with_absent(sample, (measured.auprc, *corrected_wilson(measured.auprc, sizes, level)))
    rows = {
        "precision": _with_absent(
            sample, (scores.precision[sample.present], *measured.intervals.precision())
        ),
        "recall": np.stack(
            [scores.recall, *wilson(scores.recall, np.maximum(sample.counts, 1), level)]
        ),
        "f1": _with_absent(sample, (scores.f1[sample.present], *measured.intervals.f1())),
        "auprc": auprc,
    }
    return [
        {name: _estimate(row[0, k], (row[1, k], row[2, k])) for name, row in rows.items()}
        for k in range(len(sample.shares))
    ]


def _with_absent(sample: Sample, of_present: tuple[np.ndarray, ...]) -> np.ndarray:
    rows = np.full((len(of_present), len(sample.shares)), np.nan)
    rows[:, sample.present] = of_present
    return rows


def _estimate(value: float, interval: tuple[float, float]) -> Estimate:
    if math.isnan(value):
        return Estimate(value=None, low=None, high=None)
    low, high = interval  # rounding may part them from the value in the last digit
    return Estimate(value=float(value), low=float(min(low, value)), high=float(max(high, value)))


def _check_settings(level: float, n_bootstrap: int, seed: int) -> None:
    if not 0 < level < 1:
        raise InputError(
            "A confidence level lies between 0 and 1.",
            f"It is {level!r}.",
            "The usual one is 0.95.",
        )
    if n_bootstrap < 10 or seed < 0:
        raise InputError(
            "The bootstrap needs at least 10 resamples and a seed of at least 0.",
            f"There are {n_bootstrap} resamples, and the seed is {seed}.",
            "The defaults are 1000 and 0.",
        )


def _positions(codes: ArrayLike, classes: Sequence[str]) -> np.ndarray:
    """Return the position of each class that is given by its name; others as they are."""
    given = np.asarray(codes)
    if given.dtype.kind not in "OUT" or not all(isinstance(name, str) for name in given.flat):
        return given
    position = {name: code for code, name in enumerate(classes)}
    unknown = sorted(set(map(str, given.flat)) - set(position))
    if unknown:
        raise InputError(
            f"Labels that are text must be names of classes: {', '.join(classes)}.",
            f"{unknown[0]!r} is none of them.",
            "Check the labels, and that the classes are written in the same way.",
        )
    return np.array([position[name] for name in given.flat], dtype=np.int64).reshape(given.shape)


def _check_classes(classes: Sequence[str], n_classes: int) -> None:
    if len(classes) != n_classes or len(set(classes)) != n_classes:
        raise InputError(
            f"There must be {n_classes} different class names, one for each column of logits.",
            f"There are {len(classes)}, of which {len(set(classes))} are different.",
            "Pass the class names in label order.",
        )
