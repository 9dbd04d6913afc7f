"""Laws of deployment priors."""

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError
from equipoise.metrics.prior import parse_prior, resolve_prior, shift_logits

COUNTS = np.array([90, 10])
NAMES = ["cat", "dog"]


def softmax(logits):
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True)


def test_shift_is_bayes_rule():
    """Shifted probabilities are likelihoods times the new prior, normalised."""
    rng = np.random.default_rng(0)
    likelihood = rng.random((20, 3))
    old, new = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.4, 0.5])
    shifted = softmax(shift_logits(np.log(likelihood * old), old, new))
    expected = likelihood * new / (likelihood @ new)[:, None]
    assert np.allclose(shifted, expected)


def test_equal_priors_change_nothing():
    """A population like the training data needs no shift."""
    logits, prior = np.random.default_rng(0).normal(size=(5, 2)), np.array([0.3, 0.7])
    assert np.allclose(shift_logits(logits, prior, prior), logits)


def test_rare_class_gains_under_a_balanced_prior():
    """The shift raises the logit of the class that was rare in training."""
    shifted = shift_logits(np.zeros((1, 2)), np.array([0.9, 0.1]), np.array([0.5, 0.5]))
    assert shifted[0, 1] - shifted[0, 0] == pytest.approx(np.log(9))


@pytest.mark.parametrize(
    ("train", "prior"), [([1.0, 0.0], [0.5, 0.5]), ([0.5, 0.5], [1.0, 0.0]), ([0.5, 0.5], [2, -1])]
)
def test_impossible_classes_are_refused(train, prior):
    """Bayes' rule needs positive probabilities on both sides."""
    with pytest.raises(InputError, match="above zero"):
        shift_logits(np.zeros((1, 2)), np.array(train), np.array(prior, dtype=float))


@pytest.mark.parametrize("text", ["none", "as-is", " none ", "None"])
def test_no_prior_leaves_the_data_as_they_are(text):
    """Two words mean that nothing is to be corrected."""
    assert parse_prior(text, NAMES, COUNTS) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("balanced", [0.5, 0.5]),
        ("Balanced", [0.5, 0.5]),
        ("train", [0.9, 0.1]),
        ("cat=0.25,dog=0.75", [0.25, 0.75]),
        ("dog = 0.75, cat = 0.25", [0.25, 0.75]),
        ("cat=0.3333333,dog=0.6666666", [1 / 3, 2 / 3]),
    ],
)
def test_priors_are_read_in_label_order(text, expected):
    """Words and pairs give probabilities in label order that sum to 1 exactly."""
    prior = parse_prior(text, NAMES, COUNTS)
    assert prior == pytest.approx(np.array(expected), abs=1e-6)
    assert prior is not None
    assert prior.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cat=0.5", "'dog' is missing"),
        ("cat=0.5,cow=0.5", "'cow' is no class"),
        ("cat=0.5,cat=0.5", "'cat' is named twice"),
        ("cat=0.5,dog=0.6", "sum to 1.1"),
        ("cat=1,dog=0", "probability of 'dog' is '0'"),
        ("cat=nan,dog=0.5", "probability of 'cat' is 'nan'"),
        ("cat=half,dog=0.5", "probability of 'cat' is 'half'"),
        ("ballanced", "'ballanced' is no class"),
        ("", "'' is no class"),
    ],
)
def test_unreadable_priors_are_explained(text, complaint):
    """The message says which part of the text is wrong."""
    with pytest.raises(InputError, match=complaint):
        parse_prior(text, NAMES, COUNTS)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("cat=90,dog=10", "sum to 100, as percentages do.*Divide each of them by 100"),
        ("cat=3,dog=1", "sum to 4.*Divide each of them by 4"),
        ({"cat": 90, "dog": 10}, "sum to 100, as percentages do.*Divide each of them by 100"),
        ([90, 10], "sum to 100, as percentages do.*Divide each of them by 100"),
    ],
)
def test_percentages_are_answered_with_the_divisor(prior, words):
    """Numbers that do not sum to 1 are refused with their sum, by which to divide."""
    with pytest.raises(InputError, match=words):
        resolve_prior(prior, NAMES, COUNTS)


@pytest.mark.parametrize(
    "prior",
    [
        "dog=0.3,cat=0.7",
        {"dog": 0.3, "cat": 0.7},
        [0.7, 0.3],
        (0.7, 0.3),
        np.array([0.7, 0.3]),
        pd.Series({"dog": 0.3, "cat": 0.7}),
    ],
)
def test_a_prior_is_the_same_in_every_form(prior):
    """Text, mapping and Series go by the names of the classes, arrays by their order."""
    assert resolve_prior(prior, NAMES, COUNTS) == pytest.approx([0.7, 0.3])


def test_no_prior_may_be_given_as_none():
    """None leaves the logits alone, as the word does; an empty text is an error."""
    assert resolve_prior(None, NAMES, COUNTS) is None
    assert resolve_prior("none", NAMES, COUNTS) is None
    with pytest.raises(InputError):
        resolve_prior("", NAMES, COUNTS)


@pytest.mark.parametrize(
    "prior",
    [0.5, [0.5], [0.2, 0.3, 0.5], [1.0, 0.0], [-1, 2], [np.nan, 1], ["a", "b"], {"cat": 1},
     {"cat": 0.5, "cow": 0.5}, {"cat": "half", "dog": 0.5}, {}],
)  # fmt: skip
def test_other_priors_are_refused(prior):
    """Every class needs one probability above 0."""
    with pytest.raises(InputError, match="each of cat, dog a probability above 0"):
        resolve_prior(prior, NAMES, COUNTS)


@pytest.mark.parametrize("name", ["a=b", "a,b"])
def test_names_that_look_like_the_form_are_refused(name):
    """A name with '=' or ',' cannot be written in pairs; words still work."""
    with pytest.raises(InputError, match="class name contains"):
        parse_prior(f"{name}=0.5,dog=0.5", [name, "dog"], COUNTS)
    assert parse_prior("balanced", [name, "dog"], COUNTS) == pytest.approx([0.5, 0.5])
