"""How readers word lists, row numbers and suggestions, so that all messages agree."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def listing(items: Iterable[object], limit: int = 8) -> str:
    """Join items with commas and cut a long list short.

    >>> listing("abc")
    'a, b, c'
    >>> listing(range(12), limit=3)
    '0, 1, 2 and 9 more'
    """
    texts = [str(item) for item in items]
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[:limit])} and {len(texts) - limit} more"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 row``, ``2,000 rows``, ``2 classes``.

    >>> counted(1, "row"), counted(2000, "row"), counted(3, "class", "classes")
    ('1 row', '2,000 rows', '3 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def rows_where(mask: ArrayLike) -> str:
    """Name the rows where a mask is true; rows count from 0, without a header line.

    >>> rows_where([False, True, True])
    'rows 1, 2'
    """
    positions = np.flatnonzero(np.asarray(mask))
    return f"row{'s' if len(positions) != 1 else ''} {listing(positions)}"


def suggestion(name: str, known: Sequence[str], otherwise: str) -> str:
    """Return ``Did you mean ...?`` if a known name is near, else another sentence.

    >>> suggestion("clas", ["class", "age"], "Choose one of these.")
    "Did you mean 'class'?"
    >>> suggestion("CLASS", ["class", "age"], "Choose one of these.")
    "Did you mean 'class'?"
    """
    by_small = {each.lower(): each for each in reversed(known)}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    near = near or [
        by_small[each]
        for each in difflib.get_close_matches(name.lower(), by_small, n=1, cutoff=0.6)
    ]
    return f"Did you mean {near[0]!r}?" if near else otherwise
