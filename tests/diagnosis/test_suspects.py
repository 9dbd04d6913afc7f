"""Laws of suspects: planted wrong labels are found, hard examples are not taken for them."""

import numpy as np
import pytest

from equipoise.diagnosis.suspects import find_suspects, mislabelled_counts, typicality


def _logits(truth: np.ndarray, n: int, strength: float, random: np.random.Generator) -> np.ndarray:
    logits = random.normal(size=(len(truth), n))
    logits[np.arange(len(truth)), truth] += strength
    return logits


def test_examples_of_a_class_are_evenly_typical_of_it() -> None:
    """Kolmogorov-Smirnov against the uniform distribution."""
    from scipy.stats import kstest  # noqa: PLC0415

    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 400)
    known, new = (_logits(truth, 3, 3.0, random) for _ in range(2))
    found = typicality(known, truth, truth, new)
    assert kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
def test_twice_the_typical_ones_estimate_how_many_are_mislabelled(rate: float) -> None:
    """Of 2000 examples of a class, whose labels are wrong at a known rate."""
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(3), 2000)
    labels = truth.copy()
    wrong = random.choice(np.flatnonzero(truth != 2), int(rate * 2000 / (1 - rate)), replace=False)
    labels[wrong] = 2
    known = _logits(truth, 3, 5.0, random), labels
    found = mislabelled_counts(known, known, 3)
    assert 2 * found.typical[2] / found.sizes[2] == pytest.approx(rate, abs=0.04)
    assert 2 * found.typical[:2].max() / 2000 < 0.04
    assert found.unseen.sum() == 0


def test_hard_examples_are_not_mislabelled() -> None:
    """A class that is half taken for another, but not as surely as that class's own examples."""
    random = np.random.default_rng(2)
    truth = np.repeat(np.arange(2), 2000)
    logits = _logits(truth, 2, 6.0, random)
    logits[2000:] = random.normal(0, 1, (2000, 2))
    found = mislabelled_counts((logits, truth), (logits, truth), 2)
    assert (logits[2000:].argmax(axis=1) == 0).mean() > 0.4
    assert 2 * found.typical[1] / found.sizes[1] < 0.05


def test_what_is_planted_is_listed_first() -> None:
    """Wrong labels of the rare class, then one right example among those of another class."""
    random = np.random.default_rng(3)
    truth = np.repeat(np.arange(2), (200, 20))
    inputs = random.normal(size=(220, 4)) + 9 * truth[:, None]
    codes = truth.copy()
    codes[[3, 5]] = 1  # look like class 0, and lie there
    inputs[219] = inputs[:50].mean(axis=0)  # lies in class 0, and is learnt
    known_truth = np.repeat(np.arange(2), 50)
    known = _logits(known_truth, 2, 4.0, random), known_truth
    logits = _logits(truth, 2, 4.0, random)
    logits[[3, 5]] = [9.0, 0.0]
    logits[219] = [0.0, 9.0]
    found = find_suspects(known, (logits, codes), inputs)
    named = dict(zip(found.places.tolist(), found.kinds, strict=True))
    assert named[3] == named[5] == "looks mislabelled"
    assert named[219] == "atypical"
    assert found.others[found.places.tolist().index(219)] == 0
    assert set(found.places[:3].tolist()) == {3, 5, 219}  # the rare class comes first
    assert len(find_suspects(known, (logits, codes), inputs, most=2).places) == 2


def test_of_a_class_that_is_hardly_known_nothing_is_said() -> None:
    """With fewer than ten examples it is not known what is typical."""
    known = np.zeros((9, 2)), np.zeros(9, int)
    assert np.isnan(typicality(*known, np.array([0]), np.zeros((1, 2)))).all()


@pytest.mark.parametrize("n", [2, 10])
def test_a_network_that_says_one_class_of_everything_finds_nothing_typical(n: int) -> None:
    """All examples are like those of that class then, which is no evidence of wrong labels."""
    random = np.random.default_rng(4)
    codes = np.repeat(np.arange(n), 60)
    logits = random.normal(size=(60 * n, n))
    logits[:, 0] += 9
    found = mislabelled_counts((logits, codes), (logits, codes), n)
    assert found.typical.sum() == 0
    assert found.unseen.tolist() == np.bincount(codes[logits.argmax(axis=1) != codes]).tolist()


def test_what_is_given_to_a_class_that_is_hardly_known_is_counted_as_unseen() -> None:
    """Two examples of class 0 are given to class 1, of which nine are known."""
    codes = np.repeat(np.arange(3), (40, 9, 40))
    logits = np.eye(3)[codes] + np.linspace(0, 1, len(codes))[:, None] * np.eye(3)[codes]
    judged, own = np.eye(3)[[1, 1, 0, 0]] * 9.0, np.array([0, 0, 0, 2])
    found = mislabelled_counts((logits, codes), (judged, own), 3)
    assert found.unseen.tolist() == [2, 0, 0]
    assert found.typical.tolist() == [0, 0, 1]
    assert found.sizes.tolist() == [3, 0, 1]
