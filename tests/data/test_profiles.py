"""Laws of the sizes of imbalanced classes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.profiles import (
    Limits,
    Profile,
    Ranking,
    RatioOutOfReachError,
    class_order,
    target_counts,
)
from equipoise.errors import InputError

PROFILES: tuple[Profile, ...] = ("exp", "step", "binary")
SIZES = st.lists(st.integers(20, 300), min_size=2, max_size=12)


def test_the_long_tails_of_cifar_are_the_published_ones() -> None:
    """At ratio 100, CIFAR-10-LT has 12,406 and CIFAR-100-LT 10,847 examples."""
    ten = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert target_counts([5000] * 10, 100).tolist() == ten
    assert sum(ten) == 12_406
    hundred = target_counts([500] * 100, 100)
    assert (hundred.sum(), hundred[0], hundred[-1]) == (10_847, 500, 5)


def test_steps_have_two_sizes() -> None:
    """Half of the classes are rare; of an odd number the middle one is not."""
    assert target_counts([60] * 4, 10, "step").tolist() == [60, 60, 6, 6]
    assert target_counts([60] * 5, 10, "step").tolist() == [60, 60, 60, 6, 6]


def test_binary_makes_the_last_class_rare() -> None:
    """All classes but the last keep the largest size."""
    assert target_counts([60] * 3, 10, "binary").tolist() == [60, 60, 6]
    assert target_counts([60, 60], 10, "binary").tolist() == [60, 6]


@settings(deadline=None, derandomize=True)
@given(sizes=SIZES, ratio=st.floats(1, 20), profile=st.sampled_from(PROFILES))
def test_targets_are_feasible_falling_and_of_the_ratio(
    sizes: list[int], ratio: float, profile: Profile
) -> None:
    """Sizes never rise, never exceed what there is, and their ends have the ratio."""
    targets = target_counts(sizes, ratio, profile)
    assert (targets <= sizes).all()
    assert (np.diff(targets) <= 0).all()
    assert targets[-1] == int(targets[0] / ratio + 1e-6)


@settings(deadline=None, derandomize=True)
@given(sizes=SIZES, ratio=st.floats(1, 20), profile=st.sampled_from(PROFILES))
def test_no_larger_class_would_be_feasible(
    sizes: list[int], ratio: float, profile: Profile
) -> None:
    """With one more example in the rarest class, some class would fall short."""
    rarest = int(target_counts(sizes, ratio, profile)[-1])
    # With plenty in every other class, the first alone decides the sizes.
    first = math.ceil((rarest + 1) * ratio - 1e-9)
    larger = target_counts([first, *[10**6] * (len(sizes) - 1)], ratio, profile)
    assert larger[-1] == rarest + 1
    assert (larger > sizes).any()


@settings(deadline=None, derandomize=True)
@given(sizes=SIZES, ratio=st.floats(1, 20), profile=st.sampled_from(PROFILES))
def test_the_ratio_is_as_near_as_whole_examples_allow(
    sizes: list[int], ratio: float, profile: Profile
) -> None:
    """No other size of the largest class comes nearer beside as large a rarest one."""
    sizes = [*sizes, max(sizes) + 1]
    first, last = target_counts(sizes[::-1], ratio, profile)[[0, -1]].tolist()
    assert 0 <= first / last - ratio + 1e-6 < 1 / last + 1e-6
    assert first - 1 < last * ratio + 1e-6
    whole = target_counts(sizes[::-1], round(ratio), profile)
    assert whole[0] == round(ratio) * whole[-1]


def test_a_tail_of_two_examples_has_the_ratio_asked_for() -> None:
    """Beside two examples of the rarest class, ratio 10 keeps 20 of the largest, not 29."""
    assert target_counts([341, 112, 25, 2], 10).tolist() == [20, 9, 4, 2]
    assert target_counts([341, 112, 25, 2], 7.3).tolist() == [15, 7, 3, 2]
    assert target_counts([29, 20, 10, 3], 10).tolist() == [20, 9, 4, 2]


def test_equal_classes_keep_the_largest_whole() -> None:
    """As in published data sets, of equal classes the first loses nothing."""
    assert target_counts([500] * 3, 200).tolist() == [500, 35, 2]


def test_a_ratio_that_leaves_a_class_empty_is_refused() -> None:
    """The message says which ratio is possible."""
    with pytest.raises(InputError, match="ratio of at most 30"):
        target_counts([30, 30], 31)
    assert target_counts([30, 30], 30).tolist() == [30, 1]
    with pytest.raises(InputError, match="1 class has none"):
        target_counts([30, 0], 2)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=6),
    st.integers(2, 300),
    st.sampled_from(["exp", "step", "binary"]),
)
def test_the_ratio_that_a_refusal_names_is_the_largest_possible(
    sizes: list[int], ratio: int, profile: Profile
) -> None:
    """Of all whole ratios below the one that was asked for, tried one by one."""

    def reason(wanted: int) -> str | None:
        try:
            target_counts(sizes, wanted, profile)
        except InputError as fault:
            return str(fault)
        return None

    said = reason(ratio)
    if said is not None:
        wanted = max(each for each in range(1, ratio) if reason(each) is None)
        assert f"a ratio of at most {wanted}," in said


def test_a_refusal_advises_nothing_that_would_not_help() -> None:
    """Not the order that sizes have already, and no ratio where limits leave none possible."""
    with pytest.raises(RatioOutOfReachError) as refused:
        target_counts([1000, 5, 5], 100)
    assert "--order" not in str(refused.value)
    with pytest.raises(RatioOutOfReachError) as refused:
        target_counts([50] * 10, 20, limits=Limits(examples=5))
    assert refused.value.remedy == "Choose larger limits, or another profile."


def test_a_refusal_names_the_class_that_is_too_small_and_the_order_it_follows() -> None:
    """By hand: the largest is to be the second class, by the draw; limits are told as such."""
    ranking = Ranking(names=("rare", "common", "other"), how="drawn by seed 3")
    with pytest.raises(RatioOutOfReachError) as refused:
        target_counts([35, 463, 90], 100, ranking=ranking)
    assert refused.value.actual == (
        "With 35 in the largest class, a ratio of 100 leaves the rarest none. In the order of "
        "classes, drawn by seed 3, rare is to be the largest and has 35 examples; the largest "
        "class there is, common, has 463."
    )
    assert "--order size" in refused.value.remedy
    with pytest.raises(RatioOutOfReachError, match="number 2 from the largest on and has 2 exa"):
        target_counts([463, 2, 90], 100)
    with pytest.raises(RatioOutOfReachError, match=r"would be 463\. .*at most 50, larger limits"):
        target_counts([463, 463], 100, limits=Limits(largest=50))


def test_impossible_arguments_are_refused() -> None:
    """One class, a ratio below 1 and unknown names are input errors."""
    with pytest.raises(InputError, match="two classes"):
        target_counts([30], 2)
    for ratio in (0.5, np.nan, np.inf):
        with pytest.raises(InputError, match="at least 1"):
            target_counts([30, 30], ratio)
    with pytest.raises(InputError, match="exp, step or binary"):
        target_counts([30, 30], 2, "linear")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="label, random or size"):
        class_order([30, 30], "name")  # pyright: ignore[reportArgumentType]


def test_orders_are_permutations_with_their_meaning() -> None:
    """Label keeps the order, size sorts by it with ties as labelled, random depends on the seed."""
    counts = [5, 9, 5, 20, 1]
    assert class_order(counts).tolist() == [0, 1, 2, 3, 4]
    assert class_order(counts, "size").tolist() == [3, 1, 0, 2, 4]
    drawn = {tuple(class_order(counts, "random", seed).tolist()) for seed in range(20)}
    assert len(drawn) > 10
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in drawn)
    assert class_order(counts, "random", 3).tolist() == class_order(counts, "random", 3).tolist()


@settings(deadline=None, derandomize=True)
@given(
    sizes=SIZES,
    ratio=st.floats(1, 20),
    profile=st.sampled_from(PROFILES),
    most=st.integers(40, 4000),
)
def test_limits_are_kept_and_used(
    sizes: list[int], ratio: float, profile: Profile, most: int
) -> None:
    """No more than wished, the same fall of sizes, and no example less than needed."""
    free = target_counts([max(sizes)] * len(sizes), ratio, profile)
    try:
        found = target_counts([max(sizes)] * len(sizes), ratio, profile, Limits(examples=most))
    except InputError:
        assert most < len(sizes) * ratio  # the rarest would be left without
        return
    assert found.sum() <= most
    assert (found <= free).all()
    one_more = target_counts([found[0] + 1] * len(sizes), ratio, profile)
    assert one_more.sum() > most or found[0] == free[0]
    largest = target_counts([max(sizes)] * len(sizes), ratio, profile, Limits(largest=20))
    assert largest.tolist() == target_counts([20] * len(sizes), ratio, profile).tolist()


@pytest.mark.parametrize("limits", [Limits(largest=0), Limits(examples=-1), Limits(examples=3)])
def test_limits_that_leave_nothing_are_refused(limits: Limits) -> None:
    """In words."""
    with pytest.raises(InputError):
        target_counts([100, 100], 10, "exp", limits)
