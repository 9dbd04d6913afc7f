"""Laws of folds: each example is held out once, and no class is without one to learn from."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.task import Task
from equipoise.tuning.folds import choose_n_folds, cross_folds, folds_of, require_held_out

counts_of_classes = st.lists(st.integers(1, 13), min_size=2, max_size=5)


def _codes(counts: list[int]) -> np.ndarray:
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(sum(counts)).permutation(codes)


@settings(deadline=None, derandomize=True)
@given(counts=counts_of_classes, n=st.integers(2, 5), seed=st.integers(0, 99))
def test_each_example_is_held_out_once_and_singletons_never(
    counts: list[int], n: int, seed: int
) -> None:
    """What is held out over all folds is every example of a class of two or more."""
    codes = _codes(counts)
    folds = cross_folds(codes, np.arange(len(codes)), n, seed)
    held = np.concatenate([fold.validation for fold in folds])
    expected = [row for row, code in enumerate(codes) if counts[code] > 1]
    assert len(folds) == n
    assert sorted(held) == expected


@settings(deadline=None, derandomize=True)
@given(counts=counts_of_classes, n=st.integers(2, 5), seed=st.integers(0, 99))
def test_a_fold_learns_from_what_it_does_not_hold_out(counts: list[int], n: int, seed: int) -> None:
    """The two parts are all examples without overlap, and each class has one to learn from."""
    codes = _codes(counts)
    for fold in cross_folds(codes, np.arange(len(codes)), n, seed):
        assert sorted([*fold.train, *fold.validation]) == list(range(len(codes)))
        assert set(codes[fold.train]) == set(range(len(counts)))


@settings(deadline=None, derandomize=True)
@given(counts=counts_of_classes, n=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_differ_by_one_example_at_most(counts: list[int], n: int, seed: int) -> None:
    """Within each class, and over all classes together."""
    codes = _codes(counts)
    folds = cross_folds(codes, np.arange(len(codes)), n, seed)
    sizes = np.array([np.bincount(codes[f.validation], minlength=len(counts)) for f in folds])
    assert (np.ptp(sizes, axis=0) <= 1).all()
    assert np.ptp(sizes.sum(axis=1)) <= 1


def test_only_the_rows_that_are_given_are_divided() -> None:
    """Examples that are sealed for testing are in no part of any fold."""
    codes = _codes([20, 10, 6])
    rows = np.sort(np.random.default_rng(0).permutation(len(codes))[:25])
    for fold in cross_folds(codes, rows, 3, seed=0):
        assert sorted([*fold.train, *fold.validation]) == rows.tolist()


def test_the_seed_decides() -> None:
    """The same seed divides in the same way, another one in another way."""
    codes = _codes([20, 10])
    first, again, other = (
        [fold.validation.tolist() for fold in cross_folds(codes, np.arange(30), 3, seed)]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def _task() -> Task:
    codes = _codes([20, 10])
    rows = np.random.default_rng(1).permutation(30)
    X = pd.DataFrame({"a": np.zeros(30)})
    return Task(X=X, codes=codes, n_classes=2, train=rows[:18], validation=rows[18:24])


def test_one_fold_is_the_split_of_the_task() -> None:
    """Nothing is drawn where one split is enough."""
    task = _task()
    [fold] = folds_of(task, 1, seed=3)
    assert fold.train.tolist() == task.train.tolist()
    assert fold.validation.tolist() == task.validation.tolist()


def test_several_folds_are_of_training_and_validation_together() -> None:
    """Examples in neither part, which are those of the test set, stay out."""
    task = _task()
    folds = folds_of(task, 4, seed=3)
    pool = sorted([*task.train, *task.validation])
    assert sorted(row for fold in folds for row in fold.validation) == pool
    assert all(sorted([*fold.train, *fold.validation]) == pool for fold in folds)


@pytest.mark.parametrize(
    ("held", "fits", "n"),
    [(20, 1e9, 1), (19, 1e9, 5), (19, 19.9, 4), (19, 8.0, 2), (19, 7.9, 1), (0, 1e9, 5)],
)
def test_folds_are_for_rare_classes_and_where_there_is_time(held: int, fits: float, n: int) -> None:
    """Twenty held-out examples are enough for one split; else four trainings pay for a fold."""
    found, reason = choose_n_folds(np.array([900, 130]), np.array([90, held]), fits)
    assert found == n
    assert f"{held} {'examples ' if held == 20 else ''}of the rarest class" in reason


def test_a_class_of_one_example_asks_for_no_folds() -> None:
    """None holds it out; the rarest of the other classes decides, and is named as that."""
    found, reason = choose_n_folds(np.array([9000, 500, 1]), np.array([900, 50, 0]), fits=1e9)
    assert found == 1
    assert "50 examples of the rarest class of two or more" in reason
    few, reason = choose_n_folds(np.array([9000, 50, 1]), np.array([900, 5, 0]), fits=1e9)
    assert few == 5
    assert "5 of the rarest class of two or more" in reason
    # Held out by a split that the data brings, a class of one is judged, but by no fold.
    assert choose_n_folds(np.array([1, 1]), np.array([0, 1]), fits=1e9)[0] == 1


def test_recipes_are_judged_only_where_something_can_be_held_out() -> None:
    """By the split that there is, or by folds; with one example of each class by neither."""
    codes, X = np.array([0, 1, 1]), pd.DataFrame({"a": np.zeros(3)})
    for train, validation, can_be in (([0, 1, 2], [], 1), ([0], [1], 1), ([0, 1], [], 0)):
        parts = {"train": np.array(train), "validation": np.array(validation, dtype=int)}
        task = Task(X=X, codes=codes, n_classes=2, **parts)
        with nullcontext() if can_be else pytest.raises(InputError, match="has one example"):
            require_held_out(task)


def test_without_a_part_that_is_held_out_there_are_folds() -> None:
    """Or nothing could be judged, however little time there is."""
    assert choose_n_folds(np.array([900, 130]), np.array([0, 0]), fits=1.0)[0] == 2


def test_no_fold_is_without_an_example() -> None:
    """There are not more folds than examples of the largest class."""
    assert choose_n_folds(np.array([3, 2]), np.array([1, 1]), fits=1e9)[0] == 3
