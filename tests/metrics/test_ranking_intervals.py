"""Laws of the intervals for ranking metrics."""

import numpy as np
import pytest

from equipoise.metrics.bootstrap import bootstrap
from equipoise.metrics.intervals import wilson
from equipoise.metrics.ranking import auroc, average_precision
from equipoise.metrics.ranking_intervals import auprc_sizes, auroc_sizes, macro_interval
from equipoise.metrics.sample import make_sample


def sample_of(sizes, signal=2.0, seed=0, prior=None):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    logits = rng.normal(size=(len(codes), len(sizes))) + signal * np.eye(len(sizes))[codes]
    return make_sample(logits, codes, [50] * len(sizes), prior)


def values_of(sample, metric):
    """One metric of each class against the others."""
    return np.array(
        [metric(sample.log_proba[:, k], sample.codes == k, sample.weights) for k in sample.present]
    )


def test_large_classes_believe_the_bootstrap():
    """With many examples the interval is what the bootstrap's spread says."""
    sample = sample_of([1500, 1500])
    draws = bootstrap(sample, 200, 0)
    for metric, drawn, sizes in (
        (auroc, draws.auroc, lambda v, d: auroc_sizes(v, d, sample, 0.95)),
        (average_precision, draws.auprc, lambda v, d: auprc_sizes(v, d, sample)),
    ):
        values = values_of(sample, metric)
        low, high = wilson(values, sizes(values, drawn), 0.95)
        assert (high - low) / (2 * 1.96 * drawn.std(axis=0)) == pytest.approx(np.ones(2), abs=0.05)


def test_perfect_ranking_of_two_examples_proves_little():
    """A class of two examples, both ranked first, keeps a wide interval; 200 do not."""
    widths = []
    for size in (2, 200):
        sample = sample_of([size, 300], signal=30.0)
        draws = bootstrap(sample, 20, 0)
        assert draws.auprc.std() == 0  # the bootstrap alone would be certain
        values = values_of(sample, average_precision)
        low, high = wilson(values, auprc_sizes(values, draws.auprc, sample), 0.95)
        widths.append(high[0] - low[0])
    assert widths[0] > 0.5
    assert widths[1] < 0.05


def test_auroc_of_two_examples_is_uncertain():
    """The area under ROC may be far below 1 when the two positives seen rank first."""
    sample = sample_of([2, 300], signal=30.0)
    values = values_of(sample, auroc)
    sizes = auroc_sizes(values, bootstrap(sample, 20, 0).auroc, sample, 0.95)
    assert 0.5 < wilson(values, sizes, 0.95)[0][0] < 0.9


def test_few_heavy_rivals_make_a_large_class_uncertain():
    """Two examples that stand for half of the population decide on the others' ranking too."""
    low = []
    for prior in (None, [0.5, 0.5]):
        sample = sample_of([1000, 2], signal=30.0, prior=prior)
        values = values_of(sample, average_precision)
        sizes = auprc_sizes(values, bootstrap(sample, 20, 0).auprc, sample)
        low.append(wilson(values, sizes, 0.95)[0][0])
    assert low[0] > 0.95
    assert low[1] < 0.6


def test_few_heavy_rivals_make_the_area_uncertain():
    """The area under ROC rests on both kinds of examples, whichever are few."""
    sample = sample_of([1000, 2], signal=30.0)
    values = values_of(sample, auroc)
    sizes = auroc_sizes(values, bootstrap(sample, 20, 0).auroc, sample, 0.95)
    low, _ = wilson(values, sizes, 0.95)
    assert 0.4 < low.min() <= low.max() < 0.9


def test_macro_interval_takes_off_the_bias_that_resampling_adds():
    """Where resamples score higher than the data, the data scored higher than the truth."""
    sample = sample_of([10] * 20)
    draws, values = bootstrap(sample, 200, 0).auprc, values_of(sample, average_precision)
    sizes = auprc_sizes(values, draws, sample)
    shifts = (-draws.mean(), 0.05 - draws.mean())
    plain, lifted = (
        macro_interval(values, draws + values.mean() + shift, sizes, 0.95) for shift in shifts
    )
    assert lifted[0] < plain[0] - 0.02


def test_macro_interval_uses_correlation_between_classes():
    """Two classes are two views of one ranking: their mean is as uncertain as each of them.

    Errors that seem to cancel are taken for independent ones.
    """
    sample = sample_of([60, 60])
    draws, values = bootstrap(sample, 200, 0).auroc, values_of(sample, auroc)
    sizes = auroc_sizes(values, draws, sample, 0.95)
    low, high = macro_interval(values, draws, sizes, 0.95)
    mirrored = draws.copy()
    mirrored[:, 1] = 2 * draws[:, 1].mean() - draws[:, 1]
    narrow = macro_interval(values, mirrored, sizes, 0.95)
    assert low < values.mean() < high
    assert np.ptp(narrow) == pytest.approx((high - low) / np.sqrt(2), rel=0.1)


def test_one_class_alone_has_no_ranking():
    """If all examples are of one class, nothing is defined, and nothing fails."""
    sample = sample_of([5, 0])
    draws, values = bootstrap(sample, 10, 0).auroc, values_of(sample, auroc)
    sizes = auroc_sizes(values, draws, sample, 0.95)
    assert np.isnan(macro_interval(values, draws, sizes, 0.95)).all()
