"""Identical examples: within a part they count twice, across parts they give answers away."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from equipoise.data.dataset import Dataset
from equipoise.data.hashing import HashArray, image_hashes, row_hashes
from equipoise.data.splits import Split

_MOST_GROUPS = 100


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """How many examples are copies of others, and which.

    Parameters
    ----------
    within : dict of str to int
        For each part, the examples that equal an earlier one of the same part.
    across : dict of str to int
        For each pair of parts such as ``"train/test"``, the examples of the second part that
        equal one of the first.
    conflicting : int
        Examples that equal one of another class.
    ids : tuple of tuple of str
        Identifiers of equal examples in more than one part, a group each; at most 100 groups.
    """

    within: dict[str, int]
    across: dict[str, int]
    conflicting: int
    ids: tuple[tuple[str, ...], ...] = ()


def example_hashes(dataset: Dataset) -> HashArray:
    """Return a hash of each example: of the pixels of an image, or of the values of a row."""
    X = dataset.X
    return row_hashes(X) if isinstance(X, pd.DataFrame) else image_hashes(X)


def duplicates_across(dataset: Dataset, split: Split) -> Duplicates:
    """Find identical examples within and across the parts of a data set.

    Parameters
    ----------
    dataset : Dataset
        Images, which may be memory-mapped, or a table.
    split : Split
        Its parts.

    Returns
    -------
    Duplicates
        Counts, and identifiers of those in more than one part.

    Examples
    --------
    >>> from equipoise.data.tables import from_frame
    >>> data = from_frame(pd.DataFrame({"x": [1, 2, 1, 3], "y": ["a", "b", "a", "b"]}))
    >>> parts = Split(train=np.array([0, 1]), test=np.array([2, 3]))
    >>> found = duplicates_across(data, parts)
    >>> found.across["train/test"], found.ids
    (1, (('0', '2'),))
    """
    hashes = example_hashes(dataset)
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    parts = {name: index for name, index in parts.items() if len(index)}
    return Duplicates(
        within={n: len(i) - len(np.unique(hashes[i])) for n, i in parts.items()},
        across={
            f"{first}/{second}": int(np.isin(hashes[parts[second]], hashes[parts[first]]).sum())
            for first, second in combinations(parts, 2)
        },
        conflicting=_conflicting(hashes, dataset.codes),
        ids=_groups(dataset, hashes, parts),
    )


def _conflicting(hashes: HashArray, codes: np.ndarray) -> int:
    return int((_different(hashes, codes) > 1).sum())


def _different(hashes: HashArray, values: np.ndarray) -> np.ndarray:
    """Return for each example how many values there are among the examples equal to it."""
    _, group = np.unique(hashes, return_inverse=True)
    pairs = np.unique(np.stack([group, values]), axis=1)
    return np.bincount(pairs[0])[group]


def _groups(
    dataset: Dataset, hashes: HashArray, parts: dict[str, np.ndarray]
) -> tuple[tuple[str, ...], ...]:
    index = np.concatenate(list(parts.values()))
    part = np.repeat(np.arange(len(parts)), [len(each) for each in parts.values()])
    groups: dict[int, list[str]] = {}
    for at in np.sort(index[_different(hashes[index], part) > 1]):
        groups.setdefault(int(hashes[at]), []).append(str(dataset.ids[at]))
    return tuple(map(tuple, groups.values()))[:_MOST_GROUPS]
