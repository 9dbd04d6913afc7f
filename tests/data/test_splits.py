"""Laws of splitting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.splits import Split, hold_out, split, stratified_sizes
from equipoise.errors import InputError

COUNTS = st.lists(st.integers(2, 60), min_size=1, max_size=8)
SHARES = st.floats(0.05, 0.6)


def _codes(counts: list[int]) -> np.ndarray:
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(len(codes)).permutation(codes)


def _sizes(codes: np.ndarray, index: np.ndarray, classes: int) -> list[int]:
    return np.bincount(codes[index], minlength=classes).tolist()


@settings(deadline=None, derandomize=True)
@given(counts=COUNTS, test=SHARES, validation=SHARES, seed=st.integers(0, 9))
def test_parts_are_disjoint_and_complete(
    counts: list[int], test: float, validation: float, seed: int
) -> None:
    """Every example is in exactly one part."""
    codes = _codes(counts)
    parts = split(codes, test=test, validation=validation, seed=seed)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(len(codes)))
    for index in (parts.train, parts.validation, parts.test):
        assert (np.diff(index) > 0).all()


@settings(deadline=None, derandomize=True)
@given(counts=COUNTS, test=SHARES, validation=SHARES, seed=st.integers(0, 9))
def test_every_class_is_in_every_part_that_can_have_it(
    counts: list[int], test: float, validation: float, seed: int
) -> None:
    """Three examples reach all parts; two reach training and testing."""
    codes = _codes(counts)
    parts = split(codes, test=test, validation=validation, seed=seed)
    for code, count in enumerate(counts):
        has = [code in codes[index] for index in (parts.train, parts.validation, parts.test)]
        assert has == [True, count > 2, True]
    lacking = [str(code) for code, count in enumerate(counts) if count == 2]
    noted = [note for note in parts.notes if note.startswith("The validation part has no")]
    # A validation part without any example is not one that lacks some classes.
    assert bool(noted) == bool(lacking and len(lacking) < len(counts))


@settings(deadline=None, derandomize=True)
@given(counts=st.lists(st.integers(20, 80), min_size=1, max_size=8), test=st.floats(0.1, 0.5))
def test_proportions_are_kept_within_one_example(counts: list[int], test: float) -> None:
    """Each class gives its share rounded up or down, and together they give the share rounded."""
    codes = _codes(counts)
    parts = split(codes, test=test)
    sizes = np.array(_sizes(codes, parts.test, len(counts)))
    assert (np.abs(sizes - test * np.array(counts)) < 1).all()
    assert abs(len(parts.test) - test * len(codes)) <= 0.5 + 1e-9


def test_sizes_are_rounded_by_largest_remainder() -> None:
    """A hand-worked case: quotas 2.4, 2.4, 1.2 sum to 6, so one of the first two is rounded up."""
    assert stratified_sizes(np.array([12, 12, 6]), 0.2, spare=2).tolist() == [3, 2, 1]
    assert stratified_sizes(np.array([12, 14, 6]), 0.2, spare=2).tolist() == [2, 3, 1]
    assert stratified_sizes(np.array([100, 3]), 0.1, spare=2).tolist() == [10, 1]
    assert stratified_sizes(np.array([5, 5]), 0.9, spare=2).tolist() == [3, 3]
    assert stratified_sizes(np.array([5, 1, 0]), 0.5, spare=1).tolist() == [3, 0, 0]
    assert stratified_sizes(np.array([5, 5]), 0, spare=1).tolist() == [0, 0]


@settings(deadline=None, derandomize=True)
@given(counts=COUNTS, seed=st.integers(0, 9), one=SHARES, other=SHARES)
def test_the_test_set_is_sealed(counts: list[int], seed: int, one: float, other: float) -> None:
    """No choice about validation changes which examples are tested on."""
    codes = _codes(counts)
    first = split(codes, validation=one, seed=seed)
    second = split(codes, validation=other, seed=seed)
    assert first.test.tolist() == second.test.tolist()
    assert first.test.tolist() == split(codes, validation=0, seed=seed).test.tolist()


def test_the_seed_decides_which_examples_are_tested_on() -> None:
    """Over seeds every example is tested on about equally often."""
    codes = np.repeat([0, 1], [20, 10])
    times = np.zeros(30)
    for seed in range(300):
        times[split(codes, test=0.3, seed=seed).test] += 1
    assert (np.abs(times - 90) < 4.5 * np.sqrt(300 * 0.3 * 0.7)).all()


@pytest.mark.parametrize("test", [0.01, 0.5, 0.99])
def test_three_examples_reach_all_parts_whatever_the_share(test: float) -> None:
    """Testing takes at most one of three, so that one is left for each other part."""
    parts = split(np.array([0, 0, 0]), test=test, validation=0.99)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [1, 1, 1]


def test_classes_of_equal_size_are_drawn_apart() -> None:
    """Which examples of one class are tested on says nothing about another class."""
    parts = split(np.repeat([0, 1], 50), seed=1)
    first, second = parts.test[parts.test < 50], parts.test[parts.test >= 50] - 50
    assert first.tolist() != second.tolist()


def test_adding_a_class_leaves_the_draws_of_others_alone() -> None:
    """Each class has its own random numbers."""
    few = np.repeat([0, 1], 50)
    more = np.concatenate([few, np.full(50, 2)])
    first, second = (split(codes, seed=4).test for codes in (few, more))
    assert first.tolist() == [at for at in second.tolist() if at < 100]


def test_single_examples_are_refused_with_the_way_out() -> None:
    """The message names the classes and the options that merge or drop them."""
    codes = np.repeat([0, 1, 2], [10, 1, 1])
    with pytest.raises(InputError, match=r"single one: b, c.*--rare merge.*--rare drop"):
        split(codes, classes=["a", "b", "c"])


def test_one_class_of_one_example_is_not_advised_to_be_merged() -> None:
    """Merging needs two of them."""
    with pytest.raises(InputError, match="drop this class with `--rare drop`") as refused:
        split(np.repeat([0, 1, 2], [10, 1, 5]), classes=["a", "b", "c"])
    assert "merge" not in str(refused.value)


@pytest.mark.parametrize(("name", "is_number"), [("{}", True), ("-{}", True), ("id{}", False)])
def test_many_numbers_as_classes_may_be_a_count(name: str, is_number: bool) -> None:
    """A whole number that is measured is not a class: the message asks whether it is one."""
    codes = np.arange(101).repeat(1)
    with pytest.raises(InputError, match="--rare merge") as refused:
        split(codes, classes=[name.format(k) for k in range(101)])
    assert ("cut them into ranges" in str(refused.value)) == is_number


def test_without_a_test_set_single_examples_are_trained_on() -> None:
    """A share of 0 makes no test set; a class of one is for training, a class of two for both."""
    codes = np.repeat([0, 1, 2], [10, 1, 2])
    parts = split(codes, test=0, validation=0.3)
    assert len(parts.test) == 0
    assert _sizes(codes, parts.train, 3)[1:] == [1, 1]
    assert _sizes(codes, parts.validation, 3)[1:] == [0, 1]
    assert parts.notes == ("The validation part has no example of 1.",)


def test_given_parts_are_kept() -> None:
    """Given test and validation examples stay; validation is cut from training otherwise."""
    codes = np.tile([0, 1], 30)
    parts = np.repeat(["train", "validation", "test"], 20)
    kept = split(codes, parts=parts)
    assert kept.train.tolist() == list(range(20))
    assert kept.validation.tolist() == list(range(20, 40))
    assert kept.test.tolist() == list(range(40, 60))
    cut = split(codes, parts=np.repeat(["train", "test"], [40, 20]), validation=0.25)
    assert cut.test.tolist() == list(range(40, 60))
    assert (len(cut.validation), len(cut.train)) == (10, 30)
    untested = split(codes, parts=np.repeat(["train", "validation"], [40, 20]), test=0.25)
    assert untested.validation.tolist() == list(range(40, 60))
    assert (len(untested.test), untested.test.max() < 40) == (10, True)


def test_given_parts_may_hold_single_examples_but_not_only_tests() -> None:
    """A single training example is enough beside a given test set; none is refused."""
    codes = np.array([0, 0, 0, 1, 0, 1])
    given = np.array(["train"] * 4 + ["test"] * 2)
    assert 3 in split(codes, parts=given).train
    with pytest.raises(InputError, match="These have none: b"):
        split(codes, parts=np.array(["train"] * 3 + ["test"] * 3), classes=["a", "b"])


def test_classes_that_a_given_part_lacks_are_noted() -> None:
    """A test part without a class is used, and the note names the class."""
    codes = np.array([0, 0, 0, 1, 1, 1, 0])
    parts = split(codes, parts=np.array(["train"] * 6 + ["test"]), classes=["a", "b"])
    assert parts.notes == ("The test part has no example of b.",)


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_shares_out_of_range_are_refused(share: float) -> None:
    """A share is at least 0 and below 1."""
    codes = np.repeat([0, 1], 10)
    with pytest.raises(InputError, match="validation share"):
        split(codes, validation=share)
    if share > 0:
        with pytest.raises(InputError, match="test share"):
            split(codes, test=share)


def test_holding_out_within_positions_is_what_split_does() -> None:
    """Cutting validation later, from the sealed rest, gives the same parts."""
    codes = _codes([30, 12, 3])
    parts = split(codes, validation=0.2, seed=5)
    sealed = split(codes, validation=0, seed=5)
    train, validation = hold_out(codes, 0.2, 5, within=sealed.train)
    assert train.tolist() == parts.train.tolist()
    assert validation.tolist() == parts.validation.tolist()


@settings(deadline=None, derandomize=True)
@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=6), share=SHARES)
def test_holding_out_keeps_every_class_in_training(counts: list[int], share: float) -> None:
    """A class of one is trained on; a class of more is in both."""
    codes = _codes(counts)
    train, validation = hold_out(codes, share)
    assert min(_sizes(codes, train, len(counts))) >= 1
    assert [n > 0 for n in _sizes(codes, validation, len(counts))] == [n > 1 for n in counts]


def test_an_empty_split_has_empty_parts() -> None:
    """Parts that are not given are empty positions."""
    assert Split(train=np.arange(3)).test.dtype == np.int64
    assert len(Split(train=np.arange(3)).validation) == 0
