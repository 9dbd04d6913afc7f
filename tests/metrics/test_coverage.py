"""The proof of the intervals: how often they cover a known truth.

True values come from many thousand examples of each class; then small data sets are drawn again
and again and evaluated at level 0.95.
"""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from equipoise.metrics.aggregates import (
    geometric_mean_interval,
    mean_interval,
    minimum_interval,
)
from equipoise.metrics.evaluation import evaluate

MIXED = (2, 3, 4, 5, 6, 7, 8, 9, 10, 100)
REPETITIONS = 300


def drawn(sizes, rng):
    """Examples of classes that get harder to recognise the rarer they are."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    signal = np.linspace(3, 6, len(sizes))
    logits = rng.normal(0, 2, (len(codes), len(sizes)))
    logits[np.arange(len(codes)), codes] += signal[codes]
    return logits, codes


def measured(logits, codes, shares, seed=0):
    """Evaluate in a population with these class shares, as if training had had them too."""
    return evaluate(
        logits,
        codes,
        classes=[f"class {k}" for k in range(len(shares))],
        train_counts=np.rint(shares * 1e9).astype(int),
        prior=shares,
        n_bootstrap=50,
        seed=seed,
    )


def estimates(result):
    """All estimates of a result by name."""
    yield from result["overall"].items()
    for row in result["per_class"]:
        yield from ((f"{name} of {row['class']}", row[name]) for name in ("f1", "auprc"))


@cache
def coverage(sizes, balanced):
    """Fraction of repetitions in which each true value was covered."""
    rng, n_classes = np.random.default_rng(7), len(sizes)
    shares = np.full(n_classes, 1 / n_classes) if balanced else np.array(sizes) / sum(sizes)
    truth = dict(estimates(measured(*drawn([100_000 // n_classes] * n_classes, rng), shares)))
    covered = Counter()
    for repetition in range(REPETITIONS):
        for name, found in estimates(measured(*drawn(sizes, rng), shares, repetition)):
            covered[name] += found["low"] <= truth[name]["value"] <= found["high"]
    return {name: covered[name] / REPETITIONS for name in truth}


@pytest.mark.parametrize(("sizes", "balanced"), [(MIXED, False), (MIXED, True), ((10, 400), True)])
def test_overall_metrics_are_covered(sizes, balanced):
    """Every overall metric is covered in 93 % of samples, with classes of 2 to 400 examples."""
    rates = coverage(sizes, balanced)
    overall = {name: rate for name, rate in rates.items() if " of " not in name}
    assert len(overall) == 12
    assert {name: rate for name, rate in overall.items() if rate < 0.93} == {}


@pytest.mark.parametrize("balanced", [False, True])
def test_class_metrics_are_covered(balanced):
    """F1 and AUPRC are covered in 93 % of samples, over classes of 2 to 100 examples."""
    rates = coverage(MIXED, balanced)
    for metric in ("f1", "auprc"):
        of_class = [rate for name, rate in rates.items() if name.startswith(f"{metric} of")]
        assert np.mean(of_class) > 0.93
        assert min(of_class) > 0.88


@pytest.mark.parametrize("recall", [0.4, 0.9, 0.98])
@pytest.mark.parametrize("sizes", [MIXED, (2, 1000), (10, 1000), (3,) * 100, (100,) * 10])
def test_functions_of_recall_are_covered(sizes, recall):
    """Mean, geometric mean and minimum of equal recalls are covered in 93 % of samples."""
    rng, n = np.random.default_rng(0), np.array(sizes)
    even, missed = np.full(len(n), 1 / len(n)), np.zeros(3)
    for _ in range(200):
        successes = rng.binomial(n, recall)
        ends = [
            mean_interval(successes / n, n, even, 0.95),
            geometric_mean_interval(successes, n, 0.95),
            minimum_interval(successes, n, 0.95),
        ]
        missed += [not low <= recall <= high for low, high in ends]
    assert (missed / 200 <= 0.07).all()


def test_plain_bootstrap_would_not_do():
    """The percentile bootstrap of balanced accuracy, for comparison, covers far too seldom."""
    rng, n = np.random.default_rng(0), np.array([2, 3, 4])
    covered = 0
    for _ in range(300):
        rates = rng.binomial(n, 0.9) / n
        resampled = (rng.binomial(n, rates, (300, 3)) / n).mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        covered += low <= 0.9 <= high
    assert covered / 300 < 0.75
