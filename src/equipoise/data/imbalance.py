"""How unequal classes are, and how to make them so: long-tailed, stepped or binary."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.data.profiles import (
    NO_LIMITS,
    Limits,
    Order,
    Profile,
    Ranking,
    class_order,
    target_counts,
)
from equipoise.data.wording import counted
from equipoise.errors import InputError
from equipoise.runs import write_json
from equipoise.seeds import derive_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class Subsample:
    """The examples that are left after making classes unequal.

    Parameters
    ----------
    index : ndarray of int64, shape (selected,)
        Positions in the data set, ascending.
    counts : ndarray of int64, shape (classes,)
        Examples of each class, in label order.
    order : ndarray of int64, shape (classes,)
        Class codes from the largest class to the smallest.
    ratio : float
        The imbalance ratio that was asked for, at least 1.
    profile : {"exp", "step", "binary"}
        How sizes fall.
    seed : int
        Seed of the draw.
    notes : tuple of str
        What was chosen on the way, as sentences.
    """

    index: IndexArray
    counts: CountArray
    order: IndexArray
    ratio: float
    profile: Profile
    seed: int
    notes: tuple[str, ...] = ()


def imbalance_ratio(counts: ArrayLike) -> float:
    """Return the size of the largest class over that of the smallest.

    Parameters
    ----------
    counts : array-like of int, shape (classes,)
        Examples of each class.

    Returns
    -------
    float
        At least 1; infinite if a class has no examples.

    Examples
    --------
    >>> imbalance_ratio([50, 5000])
    100.0
    """
    sizes = np.asarray(counts)
    return float(sizes.max() / sizes.min()) if sizes.min() > 0 else math.inf


def parse_ratio(value: float | str) -> tuple[float, str | None]:
    """Return an imbalance ratio of at least 1, and a note if it was given upside down.

    Parameters
    ----------
    value : float or str
        Largest class over smallest, at least 1; or smallest over largest, between 0 and 1.

    Raises
    ------
    InputError
        If it is no positive finite number.

    Examples
    --------
    >>> parse_ratio("0.01")
    (100.0, 'The imbalance ratio is 100 (0.01 was taken as smallest over largest class).')
    >>> parse_ratio(100)
    (100.0, None)
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(
            "The imbalance ratio must be a number of at least 1: largest over smallest class.",
            f"It is {value!r}.",
            "Give for example 100; 0.01 means the same.",
        )
    if number >= 1:
        return number, None
    note = (
        f"The imbalance ratio is {1 / number:g} ({value} was taken as smallest over largest class)."
    )
    return 1 / number, note


def subsample(  # noqa: PLR0913 (each says what is kept)
    codes: CodeArray,
    ratio: float,
    *,
    profile: Profile = "exp",
    order: Order = "label",
    seed: int = 0,
    within: IndexArray | None = None,
    limits: Limits = NO_LIMITS,
    names: Sequence[str] = (),
) -> Subsample:
    """Choose examples so that classes have the sizes of `target_counts`.

    A class always gives up its examples in the same order, drawn by the seed. So the examples
    chosen for a larger ratio are among those of a smaller one whenever the largest class keeps
    its size, as it does in balanced data: ratios differ by what is left out, not by luck.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        Class of each example of the data set.
    ratio : float
        Imbalance ratio, at least 1.
    profile : {"exp", "step", "binary"}, default="exp"
        How sizes fall.
    order : {"label", "random", "size"}, default="label"
        Which classes become rare.
    seed : int, default=0
        Seed of the draw, and of the order ``"random"``.
    within : ndarray of int, shape (some,), or None, default=None
        Positions to choose from, such as the training part. None: all.
    limits : Limits
        How many examples are kept at most; by default all that the ratio allows.
    names : sequence of str, default=()
        Names of the classes, for what is said where the ratio is out of reach; none: their codes.

    Returns
    -------
    Subsample
        Positions in the data set, and what they were chosen by.

    Raises
    ------
    InputError
        If a class would be left without examples.

    Examples
    --------
    >>> subsample(np.repeat([0, 1], 100), 10).counts
    array([100,  10])
    """
    chosen = np.arange(len(codes)) if within is None else np.sort(np.asarray(within))
    available = np.bincount(codes[chosen], minlength=int(codes.max(initial=-1)) + 1)
    ranks = class_order(available, order, seed)
    ranking = _ranking(names or [f"class {k}" for k in range(len(ranks))], ranks, order, seed)
    targets = target_counts(available[ranks], ratio, profile, limits, ranking)
    counts = np.empty_like(targets)
    counts[ranks] = targets
    index = [
        _shuffled(chosen[codes[chosen] == code], seed, code)[:size]
        for code, size in enumerate(counts)
    ]
    return Subsample(
        index=np.sort(np.concatenate(index)),
        counts=counts,
        order=ranks,
        ratio=float(ratio),
        profile=profile,
        seed=seed,
        notes=_notes(available[ranks], targets, ratio, profile, limits),
    )


def _ranking(names: Sequence[str], ranks: IndexArray, order: Order, seed: int) -> Ranking:
    how = {"label": "that of labels", "random": f"drawn by seed {seed}", "size": "that of sizes"}
    return Ranking(names=tuple(names[int(k)] for k in ranks), how=how[order])


def _shuffled(index: IndexArray, seed: int, code: int) -> IndexArray:
    random = np.random.default_rng(derive_seed(seed, "subsample", code))
    return random.permutation(index)


def _notes(
    available: CountArray, targets: CountArray, ratio: float, profile: Profile, limits: Limits
) -> tuple[str, ...]:
    notes = [
        f"{int(targets.sum()):,} of {int(available.sum()):,} examples were kept: classes of "
        f"{targets.max():,} to {targets.min():,} by the profile {profile}, ratio {ratio:g}."
    ]
    if targets[0] < available[0] and limits == NO_LIMITS:
        notes.append(
            f"The largest class keeps {targets[0]:,} of {counted(int(available[0]), 'example')}, "
            "so that the ratio holds in whole examples of every class."
        )
    reached = imbalance_ratio(targets)
    if not math.isclose(reached, ratio, rel_tol=0.05):
        notes.append(f"In whole examples the ratio is {reached:.3g}.")
    if profile == "step" and len(targets) % 2:
        notes.append("Of the odd number of classes, the one in the middle stays large.")
    return tuple(notes)


_FORMAT = "equipoise subsample 1"


def save_index(path: Path, chosen: Subsample, fingerprint: str) -> None:
    """Write a subsample as a JSON file that names the data it belongs to.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced once the new one is complete.
    chosen : Subsample
        What to keep.
    fingerprint : str
        `Dataset.fingerprint` of the data set.

    Examples
    --------
    >>> import tempfile
    >>> chosen = subsample(np.repeat([0, 1], 10), 5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_index(Path(folder, "index.json"), chosen, "c0ffee")
    ...     load_index(Path(folder, "index.json"), "c0ffee").counts
    array([10,  2])
    """
    content = {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "ratio": chosen.ratio,
        "profile": chosen.profile,
        "seed": chosen.seed,
        "order": chosen.order.tolist(),
        "counts": chosen.counts.tolist(),
        "notes": list(chosen.notes),
        "index": chosen.index.tolist(),
    }
    write_json(path, content)


def load_index(path: Path, fingerprint: str) -> Subsample:
    """Read what `save_index` wrote, if it belongs to this data.

    Parameters
    ----------
    path : Path
        The file.
    fingerprint : str
        `Dataset.fingerprint` of the data set that the positions shall be used on.

    Raises
    ------
    InputError
        If the file is missing or damaged, or was made of other data.
    """
    content = _read_index(path)
    if content["fingerprint"] != fingerprint:
        raise InputError(
            f"The index {path} must be used on the data that it was made of.",
            "The fingerprints differ: the data is another, or was changed.",
            "Make a new index with `equipoise data subsample`.",
        )
    return Subsample(
        index=np.asarray(content["index"], dtype=np.int64),
        counts=np.asarray(content["counts"], dtype=np.int64),
        order=np.asarray(content["order"], dtype=np.int64),
        ratio=float(content["ratio"]),
        profile=content["profile"],
        seed=int(content["seed"]),
        notes=tuple(content["notes"]),
    )


def _read_index(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != _FORMAT:
            raise _no_index(path, f"Its format is {content['format']!r}.")
        if sum(content["counts"]) != len(content["index"]):
            raise _no_index(path, "Its counts are not those of its positions.")
    except OSError as error:
        raise _no_index(path, f"It cannot be read: {error.strerror}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise _no_index(path, f"It is damaged: {error!r}.") from None
    return content


def _no_index(path: Path, fault: str) -> InputError:
    return InputError(
        f"The index {path} must be a file that `equipoise data subsample` wrote.",
        fault,
        "Make a new index.",
    )
