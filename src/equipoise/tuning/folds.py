"""Which examples a trial learns from and is judged by, where a rare class has a handful of them."""

import math
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.errors import InputError
from equipoise.seeds import derive_seed
from equipoise.task import Task

ENOUGH = 20
"""Held-out examples of the rarest class from which one split can judge by recall."""

MOST = 5
"""At most so many folds."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the training examples.

    Parameters
    ----------
    train, validation : ndarray of int
        Positions in the data to learn from, and to choose the epoch and judge the recipe by.
    """

    train: IndexArray
    validation: IndexArray


def cross_folds(codes: CodeArray, rows: IndexArray, n: int, seed: int) -> list[Fold]:
    """Divide examples into folds that hold out each of them once, within each class.

    Parameters
    ----------
    codes : ndarray of int
        Class codes of the whole data set.
    rows : ndarray of int
        Positions to divide.
    n : int
        Number of folds, at least 2.
    seed : int
        Seed of the division.

    Returns
    -------
    list of Fold
        A class of m examples gives each fold ``m // n`` or one more, and always keeps one to
        learn from: a single example is never held out.

    Examples
    --------
    >>> folds = cross_folds(np.array([0] * 6 + [1] * 2 + [2]), np.arange(9), 3, seed=0)
    >>> [len(fold.validation) for fold in folds]
    [3, 3, 2]
    """
    held = np.full(len(rows), n)  # of no fold
    begin = 0
    for code in np.unique(codes[rows]):
        own = np.flatnonzero(codes[rows] == code)
        if len(own) < 2:
            continue
        random = np.random.default_rng(derive_seed(seed, "folds", int(code)))
        # Each class goes on where the one before it ended, so that folds are of like size.
        held[random.permutation(own)] = (begin + np.arange(len(own))) % n
        begin = (begin + len(own)) % n
    return [Fold(rows[held != fold], rows[held == fold]) for fold in range(n)]


def folds_of(task: Task, n: int, seed: int) -> list[Fold]:
    """Return the folds of a trial: the task's own split, or as many as are wanted."""
    if n == 1:
        return [Fold(task.train, task.validation)]
    rows = np.sort(np.concatenate([task.train, task.validation]))
    return cross_folds(task.codes, rows, n, seed)


def held_out_counts(task: Task, n: int) -> CountArray:
    """Return how many examples of each class are held out, over all of so many folds.

    Examples
    --------
    >>> codes = np.array([0] * 6 + [1] * 2 + [2])
    >>> task = Task(X=codes, codes=codes, n_classes=3, train=np.arange(9), validation=codes[:0])
    >>> held_out_counts(task, 3)
    array([6, 2, 0])
    """
    held = np.bincount(task.codes[task.validation], minlength=task.n_classes)
    counts = task.counts + held
    # A class of one example is learnt from in each fold, and never held out.
    return held if n == 1 else np.where(counts > 1, counts, 0)


def require_held_out(task: Task) -> None:
    """Raise `InputError` if no division holds out an example, so that no recipe can be judged."""
    if not any(held_out_counts(task, n).any() for n in (1, 2)):
        raise InputError(
            "Recipes are judged by examples that are held out, of a class that has two or more.",
            "Each class has one example.",
            "Give more examples.",
        )


def unjudged(task: Task, n: int) -> list[str]:
    """Return the classes of which no fold holds out an example: no recipe is judged by them."""
    names = range(task.n_classes) if task.classes is None else task.classes
    held = held_out_counts(task, n)
    return [str(name) for name, count in zip(names, held, strict=True) if not count]


def choose_n_folds(counts: CountArray, held_out: CountArray, fits: float) -> tuple[int, str]:
    """Return how many folds a trial has, and why.

    Parameters
    ----------
    counts : ndarray of int, shape (classes,)
        Training and validation examples of each class.
    held_out : ndarray of int, shape (classes,)
        Validation examples of each class under a single split.
    fits : float
        How many times the prescription can be trained in the time of the search.

    Returns
    -------
    n : int
        1: the single split; else from 2 to `MOST`.
    reason : str
        In words.

    Examples
    --------
    >>> choose_n_folds(np.array([900, 30]), np.array([90, 3]), fits=100)[0]
    5
    >>> choose_n_folds(np.array([9000, 3000, 1]), np.array([900, 300, 0]), fits=100)[0]
    1
    """
    # A class of one example is never held out, whatever the division.
    can_be = counts > 1
    rarest = int(np.where(can_be, held_out, held_out.max()).min())
    name = "rarest class" if can_be.all() else "rarest class of two or more"
    if rarest >= ENOUGH:
        return 1, f"one split: it holds out {rarest} examples of the {name}"
    most = min(MOST, int(counts.max()), math.floor(fits / FITS_A_FOLD))
    if not held_out.any():
        return max(most, 2), "no example is held out apart from folds"
    few = f"one split would hold out {rarest} of the {name}"
    if most < 2:
        return 1, f"one split, for there is time for no more: {few}"
    return most, f"{most} folds, which hold out each example once: {few}"


FITS_A_FOLD = 4
"""There must be time to train each fold so many times, or fewer recipes are tried than help."""
