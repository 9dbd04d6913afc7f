"""Classes grouped by how many training examples they have."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

GROUPS = ("many", "medium", "few", "largest", "middle", "smallest")
"""Names of groups in the order in which they are told: the most frequent classes first."""


def in_order(groups: Iterable[str]) -> list[str]:
    """Return the groups that occur, each once, in the order of `GROUPS`.

    Parameters
    ----------
    groups : iterable of str
        As `groups_by_frequency` returns them.

    Examples
    --------
    >>> in_order(["few", "many", "few"])
    ['many', 'few']
    """
    found = set(groups)
    return [name for name in GROUPS if name in found]


def groups_by_frequency(train_counts: ArrayLike) -> list[str]:
    """Name the group of each class by its number of training examples.

    Parameters
    ----------
    train_counts : array_like of int, shape (classes,)
        Training examples of each class.

    Returns
    -------
    list of str
        ``"many"`` for more than 100 training examples, ``"medium"`` for 20 to 100, ``"few"``
        for fewer than 20 [1]_. When that puts all classes into one group, thirds of the
        classes by their number instead: ``"largest"``, ``"middle"``, ``"smallest"``. Classes
        of equal number are never parted, so the thirds can differ in size, and data with equal
        classes are all ``"middle"``.

    References
    ----------
    .. [1] Z. Liu et al., "Large-scale long-tailed recognition in an open world", CVPR 2019.

    Examples
    --------
    >>> groups_by_frequency([500, 100, 19])
    ['many', 'medium', 'few']
    >>> groups_by_frequency([500, 400, 300, 200])
    ['largest', 'middle', 'middle', 'smallest']
    """
    counts = np.asarray(train_counts)
    bands = ["many" if n > 100 else "medium" if n >= 20 else "few" for n in counts]
    return bands if len(set(bands)) > 1 else _thirds(counts)


def _thirds(counts: np.ndarray) -> list[str]:
    larger = (counts[:, None] < counts).sum(axis=1)
    equal = (counts[:, None] == counts).sum(axis=1)
    middle_rank = larger + equal / 2
    names = ("largest", "middle", "smallest")
    return [names[int(3 * rank / len(counts))] for rank in middle_rank]
