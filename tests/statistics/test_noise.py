"""Laws of the noise of test examples."""

import numpy as np
import pytest

from equipoise.metrics.bootstrap import resampled_counts
from equipoise.statistics.noise import Rows, example_noise
from equipoise.statistics.scores import contributions


def _rows(values, codes, ids=None):
    sizes = np.bincount(codes)
    return Rows(
        ids=np.arange(len(codes)) if ids is None else ids,
        codes=codes,
        weights=1 / (len(sizes) * sizes[codes]),
        values=np.asarray(values, dtype=float).reshape(len(codes), -1),
    )


@pytest.mark.parametrize("metric", ["balanced_accuracy", "accuracy", "macro_f1", "log_loss"])
def test_it_is_what_a_paired_bootstrap_tends_to(metric):
    """Resampling within classes, the same for both, gives the same variance of a difference."""
    random = np.random.default_rng(4)
    codes = np.repeat([0, 1, 2], [200, 120, 60])
    base = random.normal(size=(380, 3)) + np.eye(3)[codes]
    logits = [base + random.normal(size=base.shape) * 0.6 for _ in range(2)]
    one, two = (contributions(each, codes, metric) for each in logits)
    values = (one.values - two.values)[:, None]
    rows = Rows(ids=np.arange(380), codes=codes, weights=one.weights, values=values)
    drawn = []
    for counts in resampled_counts(codes, 1500, random):
        for column in counts.T:
            index = np.repeat(np.arange(380), column)
            scores = [contributions(each[index], codes[index], metric).score for each in logits]
            drawn.append(scores[0] - scores[1])
    assert example_noise([rows]).examples[0] == pytest.approx(np.var(drawn), rel=0.13)


def test_copies_have_no_noise():
    """Where no example tells two methods apart, every variance is zero."""
    codes = np.repeat([0, 1], 5)
    found = example_noise([_rows(np.zeros(10), codes)] * 3)
    assert found.examples.tolist() == found.common.tolist() == [0.0]


def test_three_examples_that_agree_are_no_proof():
    """A class of three with the same difference keeps noise, and few degrees of freedom."""
    codes = np.repeat([0, 1], [1000, 3])
    found = example_noise([_rows(np.r_[np.tile([0.0, 0.0, 1.0, -1.0], 250), 1, 1, 1], codes)])
    assert found.examples[0] > 0.01
    assert found.freedom[0] < 3
    unanimous = example_noise([_rows(np.ones(6), np.repeat([0, 1], 3))])
    assert unanimous.examples[0] > 0.01


def test_seeds_with_the_same_rows_share_their_noise_and_others_do_not():
    """Equal values in all seeds: no averaging on the same rows, half the variance on others."""
    random = np.random.default_rng(5)
    codes = np.repeat([0, 1], 50)
    values = random.normal(size=100)
    one = example_noise([_rows(values, codes)])
    same = example_noise([_rows(values, codes)] * 2)
    others = example_noise([_rows(values, codes), _rows(values, codes, np.arange(100, 200))])
    assert same.examples == pytest.approx(one.examples)
    assert same.common == pytest.approx(one.examples)
    assert others.examples == pytest.approx(one.examples / 2)
    assert others.common.tolist() == [0.0]


def test_noise_of_single_examples_averages_out_over_seeds():
    """Values drawn anew for each seed have hardly anything in common on the same rows."""
    random = np.random.default_rng(6)
    codes = np.repeat([0, 1], 2000)
    found = example_noise([_rows(random.normal(size=4000), codes) for _ in range(4)])
    assert found.examples[0] == pytest.approx(1 / 4000 / 4, rel=0.15)


@pytest.mark.parametrize("n_seeds", [2, 5])
def test_rows_in_common_are_counted_as_two_seeds_share_them(n_seeds):
    """Each seed draws a fifth of 1000 rows: another one has a fifth of its rows in common."""
    random, codes = np.random.default_rng(7), np.repeat([0, 1], 100)
    drawn = [random.permutation(1000)[:200] for _ in range(n_seeds)]
    pairs = [(a, b) for a in range(n_seeds) for b in range(n_seeds) if a != b]
    shared = np.mean([np.isin(drawn[a], drawn[b]).mean() for a, b in pairs])
    alone = [_rows(random.normal(size=200), codes, ids) for ids in drawn]
    freedom = np.sum([example_noise([rows]).freedom[0] for rows in alone])
    found = example_noise(alone).freedom[0]
    assert found == pytest.approx(freedom / (1 + (n_seeds - 1) * shared))
