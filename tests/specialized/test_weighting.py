"""Laws of class weights: what a class weighs, and that the mean weight of an example is 1."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.specialized.weighting import WEIGHTINGS, EffectiveNumber, Inverse, Weighting

EVERY = [
    Inverse(),
    Inverse(power=0.5),
    Inverse(power=3.0),
    EffectiveNumber(),
    EffectiveNumber(beta=0.9),
    EffectiveNumber(beta=float(np.nextafter(1.0, 0.0))),
]
COUNTS = st.lists(st.integers(1, 10_000_000), min_size=2, max_size=8)
quiet = settings(deadline=None, derandomize=True, max_examples=40)


def _double(counts: list[int]) -> torch.Tensor:
    return torch.tensor(counts, dtype=torch.float64)


def _effective(count: int, beta: float) -> Decimal:
    """Return the effective number from its definition, to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(beta)
        return (1 - exact**count) / (1 - exact)


@quiet
@given(counts=COUNTS)
def test_inverse_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    """With power 1 they are scikit-learn's "balanced" ones, N over K n_k."""
    small = [1 + count % 500 for count in counts]
    labels = np.repeat(np.arange(len(small)), small)
    expected = compute_class_weight("balanced", classes=np.arange(len(small)), y=labels)
    np.testing.assert_allclose(Inverse().weights(_double(small)), expected, rtol=1e-12)


def test_square_root_weights_worked_by_hand() -> None:
    """Classes of 64, 16 and 4 weigh as 1 to 2 to 4, and 64 + 32 + 16 is to become 84."""
    found = Inverse(power=0.5).weights(_double([64, 16, 4]))
    np.testing.assert_allclose(found, [0.75, 1.5, 3.0], rtol=1e-14)


@quiet
@given(counts=COUNTS, beta=st.sampled_from([0.3, 0.9, 0.9999, 0.99999, 1 - 1e-9, 1 - 1e-15]))
def test_effective_numbers_keep_their_digits(counts: list[int], beta: float) -> None:
    """Ratios of weights are those of the definition in 60 digits, also for beta next to 1."""
    weights = EffectiveNumber(beta=beta).weights(_double(counts)).numpy()
    numbers = [_effective(count, beta) for count in counts]
    expected = [float(numbers[0] / each) for each in numbers]
    np.testing.assert_allclose(weights / weights[0], expected, rtol=1e-10)


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
@quiet
@given(counts=COUNTS)
def test_the_mean_weight_of_an_example_is_1(weighting: Weighting, counts: list[int]) -> None:
    """The sum of n_k w_k is N, so that the learning rate keeps its meaning."""
    sizes = _double(counts)
    weights = weighting.weights(sizes)
    assert torch.isfinite(weights).all()
    assert float(sizes @ weights / sizes.sum()) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
@quiet
@given(counts=COUNTS)
def test_a_smaller_class_never_weighs_less(weighting: Weighting, counts: list[int]) -> None:
    """Sorted from large to small, classes have weights that do not fall, the last being most."""
    weights = weighting.weights(_double(sorted(counts, reverse=True)))
    assert (weights.diff() >= -1e-12 * weights.max()).all()


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_a_really_smaller_class_weighs_more(weighting: Weighting) -> None:
    """The weights do move: no constant passes for a weighting."""
    weights = weighting.weights(_double([30, 3]))
    assert weights[1] > 2 * weights[0]


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_equal_counts_weigh_1(weighting: Weighting) -> None:
    """Balanced data are left alone."""
    assert torch.allclose(weighting.weights(torch.full((5,), 37.0)), torch.ones(5), rtol=1e-6)


@pytest.mark.parametrize("weighting", [Inverse(power=0.0), EffectiveNumber(beta=0.0)], ids=repr)
def test_neutral_settings_weigh_1(weighting: Weighting) -> None:
    """Power 0 and beta 0 are no weighting, exactly."""
    assert torch.equal(weighting.weights(torch.tensor([9e6, 3.0, 1.0])), torch.ones(3))


def test_beta_next_to_1_is_inverse_frequency() -> None:
    """The effective number of few examples tends to their number."""
    counts = _double([5000, 387, 50])
    found = EffectiveNumber(beta=1 - 1e-13).weights(counts)
    np.testing.assert_allclose(found, Inverse().weights(counts), rtol=1e-9)


@quiet
@given(counts=COUNTS, times=st.integers(2, 50), power=st.floats(0, 2))
def test_inverse_weights_know_ratios_only(counts: list[int], times: int, power: float) -> None:
    """As many times as many examples of every class change no weight."""
    few, many = _double(counts), _double([times * count for count in counts])
    weighting = Inverse(power=power)
    np.testing.assert_allclose(weighting.weights(many), weighting.weights(few), rtol=1e-9)


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_a_class_without_examples_weighs_as_the_smallest(weighting: Weighting) -> None:
    """It gets no infinite weight, and changes the weights of no other class."""
    with_empty = weighting.weights(torch.tensor([100.0, 0.0, 10.0]))
    without = weighting.weights(torch.tensor([100.0, 10.0]))
    assert torch.equal(with_empty[[0, 2]], without)
    assert with_empty[1] == with_empty[2]


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_counts_give_finite_weights(weighting: Weighting, dtype: torch.dtype) -> None:
    """One example beside ten million: finite, not negative, and of the type of the counts."""
    weights = weighting.weights(torch.tensor([1e7, 1.0], dtype=dtype))
    assert weights.dtype == dtype
    assert torch.isfinite(weights).all()
    assert (weights >= 0).all()


def test_weightings_can_be_named() -> None:
    """Each is read from its text and written back; what is outside its bounds is refused."""
    for name, kind in WEIGHTINGS.items():
        assert type(resolve(name, WEIGHTINGS, "weighting")) is kind
    assert repr(resolve("Inverse(power=0.5)", WEIGHTINGS, "weighting")) == "Inverse(power=0.5)"
    for text in "Inverse(power=-1)", "EffectiveNumber(beta=1.0)", "EffectiveNumber(beta=-0.1)":
        with pytest.raises(InputError):
            resolve(text, WEIGHTINGS, "weighting")
