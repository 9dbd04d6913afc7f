"""Laws of the stratified bootstrap."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from equipoise.metrics.bootstrap import bootstrap, resampled_counts
from equipoise.metrics.sample import make_sample


@pytest.fixture
def sample():
    """Three classes, one of them with two examples, under a prior."""
    rng = np.random.default_rng(0)
    codes = np.array([0] * 20 + [1] * 12 + [2] * 2)
    rng.shuffle(codes)
    logits = rng.normal(size=(34, 3)) + 2 * np.eye(3)[codes]
    return make_sample(logits, codes, [100, 50, 10], [0.2, 0.3, 0.5])


def test_class_sizes_are_kept():
    """Every resample holds as many examples of each class as the data."""
    codes = np.array([2, 0, 1, 1, 0, 1, 1])
    (counts,) = resampled_counts(codes, 50, np.random.default_rng(0))
    for k, size in enumerate([2, 4, 1]):
        assert (counts[codes == k].sum(axis=0) == size).all()


def test_draws_are_uniform_within_a_class():
    """Each example is drawn once on average, with the variance of a multinomial draw."""
    codes = np.array([0, 1, 1, 0, 1, 1])
    counts = np.hstack(list(resampled_counts(codes, 20_000, np.random.default_rng(0))))
    assert counts.mean(axis=1) == pytest.approx(np.ones(6), abs=0.03)
    expected = np.where(codes == 0, 1 / 2, 3 / 4)
    assert counts.var(axis=1) == pytest.approx(expected, abs=0.03)


def test_chunks_bound_the_memory():
    """A million examples are resampled two at a time; chunks add up to what was asked for."""
    first = next(resampled_counts(np.zeros(1_000_000, dtype=int), 5, np.random.default_rng(0)))
    assert first.shape == (1_000_000, 2)
    codes = np.repeat([0, 1], 50_000)
    chunks = resampled_counts(codes, 50, np.random.default_rng(0))
    assert [chunk.shape[1] for chunk in chunks] == [20, 20, 10]


def test_replicates_agree_with_scikit_learn(sample):
    """Each replicate is the metric of the data that the counts describe."""
    replicates = bootstrap(sample, 15, seed=3)
    (counts,) = resampled_counts(sample.codes, 15, np.random.default_rng(3))
    for b in range(15):
        weights = counts[:, b] * sample.weights
        for k in range(3):
            case = (sample.codes == k, sample.log_proba[:, k])
            expected = roc_auc_score(*case, sample_weight=weights)
            assert replicates.auroc[b, k] == pytest.approx(expected, abs=1e-5)
            expected = average_precision_score(*case, sample_weight=weights)
            assert replicates.auprc[b, k] == pytest.approx(expected, abs=1e-5)


def test_seed_decides(sample):
    """The same seed gives the same replicates, another seed others."""
    first, again, other = (bootstrap(sample, 20, seed).auprc for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
