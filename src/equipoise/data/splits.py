"""Training, validation and test parts that hold every class, however rare."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from equipoise._typing import CodeArray, IndexArray, NameArray
from equipoise.data.rare import merge_rare_classes
from equipoise.data.wording import listing
from equipoise.errors import InputError
from equipoise.seeds import derive_seed

__all__ = ["Split", "hold_out", "merge_rare_classes", "split", "stratified_sizes"]


MANY = 100
"""More classes than this, all whole numbers, may be a count or a measurement."""


def _none() -> IndexArray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Positions of the examples in each part; together they are all examples, each once.

    Parameters
    ----------
    train, validation, test : ndarray of int64, shape (selected,)
        Positions in the data set, ascending.
    notes : tuple of str
        What was chosen on the way, as sentences.
    """

    train: IndexArray
    validation: IndexArray = field(default_factory=_none)
    test: IndexArray = field(default_factory=_none)
    notes: tuple[str, ...] = ()


def split(
    codes: CodeArray,
    *,
    parts: NameArray | None = None,
    classes: Sequence[str] | None = None,
    test: float = 0.2,
    validation: float = 0.15,
    seed: int = 0,
) -> Split:
    """Seal a test set, then hold out validation examples from the rest.

    Both are cut within each class. A class of three or more examples has at least one in each
    part, a class of two one for training and one for testing. The test set follows from
    `codes`, `parts`, `test` and `seed` alone, so nothing decided in training can change it.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        Class of each example.
    parts : ndarray of str, shape (examples,), or None, default=None
        The data's own parts: ``"train"``, ``"validation"``, ``"test"``. Parts that are there
        are kept; those that are not are cut from ``"train"``.
    classes : sequence of str or None, default=None
        Class names for messages. None: their codes.
    test : float, default=0.2
        Share of the examples to test on, at least 0 and below 1. With 0 there is no test set,
        and classes of one example are not refused.
    validation : float, default=0.15
        Share of the examples that are not for testing to validate on, at least 0 and below 1.
    seed : int, default=0
        Seed of the draw.

    Returns
    -------
    Split
        Positions, with notes on classes that a part lacks.

    Raises
    ------
    InputError
        If a class has a single example, or none to train on.

    Examples
    --------
    >>> parts = split(np.repeat([0, 1], [90, 10]), test=0.2, validation=0.25)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (60, 20, 20)
    """
    names = _class_names(codes, classes)
    own = np.full(len(codes), "train") if parts is None else np.asarray(parts)
    rest, sealed = np.flatnonzero(own == "train"), np.flatnonzero(own == "test")
    _check_share("test", test)
    if not len(sealed) and test > 0:
        _refuse_single(codes[rest], names)
        sealed = _cut(codes, rest, test, seed, "test")
        rest = np.setdiff1d(rest, sealed)
    _refuse_untrained(codes[rest], names)
    held = np.flatnonzero(own == "validation")
    train = rest
    if not len(held):
        train, held = hold_out(codes, validation, seed, within=rest)
    notes = [*_lacking("validation", codes[held], names), *_lacking("test", codes[sealed], names)]
    return Split(train=train, validation=held, test=sealed, notes=tuple(notes))


def hold_out(
    codes: CodeArray, validation: float, seed: int = 0, *, within: IndexArray | None = None
) -> tuple[IndexArray, IndexArray]:
    """Return positions to train and to validate on.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        Class of each example.
    validation : float
        Share to validate on, at least 0 and below 1. A class of two or more examples gives at
        least one and keeps at least one.
    seed : int, default=0
        Seed of the draw.
    within : ndarray of int, shape (some,), or None, default=None
        Positions to divide. None: all.

    Returns
    -------
    train, validation : ndarray of int64
        Positions in the data set, ascending.

    Raises
    ------
    InputError
        If the share is out of range.

    Examples
    --------
    >>> train, validation = hold_out(np.array([0, 0, 0, 0, 1]), 0.25)
    >>> len(train), len(validation), 4 in train
    (4, 1, True)
    """
    rest = np.arange(len(codes)) if within is None else np.sort(np.asarray(within))
    held = _cut(codes, rest, _check_share("validation", validation), seed, "validation")
    return np.setdiff1d(rest, held), held


def stratified_sizes(counts: np.ndarray, share: float, spare: int) -> np.ndarray:
    """Return how many examples of each class to cut: a share, by largest remainder.

    Parameters
    ----------
    counts : ndarray of int, shape (classes,)
        Examples of each class.
    share : float
        Share to cut, from 0 to 1; with 0 nothing is cut.
    spare : int
        Examples that a class keeps if it can while it gives one.

    Returns
    -------
    ndarray of int64, shape (classes,)
        Within one of ``share * counts``, except where that is below 1 (a class of two or more
        gives one) or leaves fewer than `spare`. Without such classes the sum is
        ``share * counts.sum()`` rounded.

    Examples
    --------
    >>> stratified_sizes(np.array([1000, 27, 3, 2, 1]), 0.2, spare=2)
    array([200,   5,   1,   1,   0])
    """
    if share == 0:
        return np.zeros(len(counts), dtype=np.int64)
    most = np.where(counts >= 2, np.maximum(counts - spare, 1), 0)
    quotas = np.clip(share * counts, np.minimum(1, most), most)
    sizes = np.floor(quotas).astype(np.int64)
    lacking = int(np.floor(quotas.sum() + 0.5)) - int(sizes.sum())
    sizes[np.argsort(sizes - quotas, kind="stable")[:lacking]] += 1
    return sizes


def _cut(codes: CodeArray, rest: IndexArray, share: float, seed: int, name: str) -> IndexArray:
    """Draw a share of each class out of `rest`; each class has its own random numbers."""
    counts = np.bincount(codes[rest])
    # The test set leaves one example for training and one for validation.
    sizes = stratified_sizes(counts, share, spare=2 if name == "test" else 1)
    drawn = [
        np.random.default_rng(derive_seed(seed, name, code)).permutation(rest[codes[rest] == code])
        for code in range(len(counts))
    ]
    taken = [index[:size] for index, size in zip(drawn, sizes, strict=True)]
    return np.sort(np.concatenate([_none(), *taken]))


def _class_names(codes: CodeArray, classes: Sequence[str] | None) -> list[str]:
    if classes is not None:
        return list(classes)
    return [str(code) for code in range(int(codes.max(initial=-1)) + 1)]


def _check_share(name: str, share: float) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise InputError(
            f"The {name} share must be at least 0 and below 1.",
            f"It is {share!r}.",
            "Give for example 0.2.",
        )
    return share


def _of_size(codes: CodeArray, names: Sequence[str], size: int) -> list[str]:
    counts = np.bincount(codes, minlength=len(names))
    return [name for name, count in zip(names, counts, strict=True) if count == size]


def _refuse_single(codes: CodeArray, names: Sequence[str]) -> None:
    single = _of_size(codes, names, 1)
    if single:
        remedy = (
            "Add examples, or merge or drop these classes with `--rare merge` or `--rare drop`."
            if len(single) > 1
            else "Add examples, or drop this class with `--rare drop`."
        )
        if len(names) > MANY and all(name.lstrip("-").isdecimal() for name in names):
            remedy = (
                f"If these {len(names):,} numbers are a count or a measurement, cut them into "
                f"ranges first. {remedy}"
            )
        raise InputError(
            "Every class must have at least two examples, one to train and one to test on.",
            f"These have a single one: {listing(single)}.",
            remedy,
        )


def _refuse_untrained(codes: CodeArray, names: Sequence[str]) -> None:
    untrained = _of_size(codes, names, 0)
    if untrained:
        raise InputError(
            "Every class must have examples to train on.",
            f"These have none: {listing(untrained)}.",
            "Add some, or remove these classes.",
        )


def _lacking(part: str, codes: CodeArray, names: Sequence[str]) -> list[str]:
    absent = _of_size(codes, names, 0) if len(codes) else []
    return [f"The {part} part has no example of {listing(absent)}."] if absent else []
