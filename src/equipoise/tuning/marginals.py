"""What trials with one candidate, or one range of a number, scored on average."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 5
"""A number that was tried at many places is told in about so many ranges."""

Row = dict[str, Any]


def by_candidate(names: Sequence[str], values: np.ndarray) -> list[Row]:
    r"""Return the mean score of each candidate.

    Parameters
    ----------
    names : sequence of str, length trials
        What each trial had.
    values : ndarray of float, shape (trials,)
        Their scores.

    Returns
    -------
    list of dict
        ``name``, ``n`` trials, ``mean`` and ``error``, its standard error
        :math:`s / \sqrt{n}`, None for a single trial; numbers in order, others by `n`.

    Examples
    --------
    >>> by_candidate(["SGD", "AdamW", "SGD"], np.array([1.0, 5.0, 3.0]))[0]
    {'name': 'SGD', 'n': 2, 'mean': 2.0, 'error': 1.0}
    """
    found, codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    rows = [{"name": str(n), **_estimate(values[codes == k])} for k, n in enumerate(found)]
    if all(map(_is_number, found)):
        return sorted(rows, key=lambda row: float(row["name"]))
    return sorted(rows, key=lambda row: (-row["n"], row["name"]))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text))


def by_range(numbers: np.ndarray, values: np.ndarray) -> list[Row]:
    """Return the mean score over ranges of a number.

    Parameters
    ----------
    numbers : ndarray of float, shape (trials,)
        What each trial had.
    values : ndarray of float, shape (trials,)
        Their scores.

    Returns
    -------
    list of dict
        ``low``, ``high``, ``n``, ``mean`` and ``error`` of each range, in order. Few distinct
        numbers are told one by one, and so is a number that many trials share, such as that of
        the prescription.

    Examples
    --------
    >>> rows = by_range(np.array([1.0, 1.0, 2.0]), np.array([0.1, 0.3, 0.5]))
    >>> [(row["low"], row["high"], row["n"]) for row in rows]
    [(1.0, 1.0, 2), (2.0, 2.0, 1)]
    """
    codes = range_codes(numbers)
    parts = [codes == code for code in np.unique(codes)]
    return [
        {
            "low": float(numbers[part].min()),
            "high": float(numbers[part].max()),
            **_estimate(values[part]),
        }
        for part in parts
    ]


def range_codes(numbers: np.ndarray) -> np.ndarray:
    """Return the range that each number belongs to, as a code from 0; see `by_range`.

    >>> range_codes(np.array([5.0, 1.0, 5.0]))
    array([1, 0, 1])
    """
    distinct, codes, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return codes if len(distinct) <= BINS + 1 else _groups(counts)[codes]


def _groups(counts: np.ndarray) -> np.ndarray:
    """Return the range that each distinct number belongs to."""
    full = counts.sum() / BINS
    groups, group, size = [], 0, 0
    for count in counts:
        if size and (size >= full or count >= full):
            group, size = group + 1, 0
        groups.append(group)
        size += count
    return np.array(groups)


def _estimate(values: np.ndarray) -> Row:
    n = len(values)
    error = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else None
    return {"n": n, "mean": float(values.mean()), "error": error}
