"""Laws of checking and weighting the evaluated examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from equipoise.errors import InputError
from equipoise.metrics.sample import log_softmax, make_sample


@given(seed=st.integers(0, 999), scale=st.sampled_from([0.1, 10, 1e4]))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_log_softmax_agrees_with_scipy(seed, scale):
    """It is scipy's, and finite for any finite logits."""
    logits = np.random.default_rng(seed).normal(0, scale, (5, 4))
    ours = log_softmax(logits)
    assert np.isfinite(ours).all()
    assert np.allclose(ours, special.log_softmax(logits, axis=1), rtol=1e-12, atol=1e-12)


def test_log_softmax_tells_near_certain_answers_apart():
    """Probabilities that both round to 1 keep their order."""
    more, less = log_softmax(np.array([[60.0, 0.0], [50.0, 0.0]]))[:, 0]
    assert np.exp(more) == np.exp(less) == 1
    assert more > less


def test_weights_give_each_class_its_share():
    """Under a prior the examples of a class weigh together what the prior says."""
    prior = [0.2, 0.3, 0.5]
    sample = make_sample(np.zeros((6, 3)), [0, 0, 0, 1, 1, 2], [8, 1, 1], prior)
    assert np.bincount(sample.codes, sample.weights) == pytest.approx(prior)
    plain = make_sample(np.zeros((6, 3)), [0, 0, 0, 1, 1, 2], [8, 1, 1])
    assert plain.weights == pytest.approx(np.full(6, 1 / 6))


def test_prior_is_scaled_to_the_classes_that_are_there():
    """A class without examples has no share, and the others share its part."""
    sample = make_sample(np.zeros((2, 3)), [0, 2], [1, 1, 1], [0.2, 0.5, 0.3])
    assert sample.shares == pytest.approx([0.4, 0, 0.6])
    assert sample.present.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("logits", "codes", "counts", "prior", "complaint"),
    [
        ([[0.0, np.nan]], [0], [1, 1], None, "finite"),
        ([[0.0, np.inf]], [0], [1, 1], None, "finite"),
        ([0.0, 1.0], [0], [1, 1], None, "table of examples by classes"),
        (np.zeros((0, 2)), np.zeros(0, dtype=int), [1, 1], None, "an example"),
        ([[0.0]], [0], [1], None, "two classes"),
        ([[0.0, 1.0]], [0, 1], [1, 1], None, "for each row"),
        ([[0.0, 1.0]], [0.0], [1, 1], None, "whole number"),
        ([[0.0, 1.0]], [2], [1, 1], None, "0 to 1"),
        ([[0.0, 1.0]], [-1], [1, 1], None, "0 to 1"),
        ([[0.0, 1.0]], [0], [1, 1, 1], None, "training count"),
        ([[0.0, 1.0]], [0], [1, -1], None, "training count"),
        ([[0.0, 1.0]], [0], [1.0, 0.5], None, "training count"),
        ([[0.0, 1.0]], [0], [1, 0], [0.5, 0.5], "training share above zero"),
        ([[0.0, 1.0]], [0], [0, 0], [0.5, 0.5], "training share above zero"),
        ([[0.0, 1.0]], [0], [1, 1], [1.0, 0.0], "prior probability above zero"),
        ([[0.0, 1.0]], [0], [1, 1], [0.5, 0.6], "sum to 1"),
        ([[0.0, 1.0]], [0], [1, 1], [0.5, np.nan], "sum to 1"),
        ([[0.0, 1.0]], [0], [1, 1], [1.0], "one probability for each"),
    ],
)
def test_unusable_input_is_refused(logits, codes, counts, prior, complaint):
    """Whatever cannot be evaluated is refused with what was needed."""
    with pytest.raises(InputError, match=complaint):
        make_sample(logits, codes, counts, prior)
