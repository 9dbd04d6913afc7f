"""SMOTE: rows of rare classes made between rows of the same class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.data.encoding import EncodedMatrix
from equipoise.errors import InputError
from equipoise.packages import imported
from equipoise.seeds import derive_seed
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.resampling.base import (
    LIBRARY,
    Resampled,
    Resampling,
    legacy_seed,
    raised,
)
from equipoise.specialized.resampling.random import RATIOS

PIECE_VALUES = 2**25
"""Rows are made in pieces whose neighbours have at most so many values: about 250 MB of memory."""

NOMINAL_ROWS = 5_000
"""In a table of categories alone, a class of more rows is not raised: all pairs are compared."""


@dataclass(eq=False, repr=False, kw_only=True)
class SMOTE(Resampling):
    r"""Rows of rare classes are made between a row and one of its nearest of the same class.

    Unlike `RandomOverSampling` it repeats nothing, so that the regions of rare classes become
    wider. It knows no other class: where classes overlap, or a rare class is in several places,
    rows are made among those of another one, and labels are wrong by design. In many columns
    near and far rows hardly differ, and what is made adds little.

    Parameters
    ----------
    ratio : float, default=1.0
        Largest over smallest class afterwards, at least 1: with 1 all classes are as large as
        the largest.
    neighbours : int, default=5
        Nearest rows of the same class of which one is drawn, at least 1. A class of :math:`n`
        rows has :math:`n - 1` at most, and takes these; a class of one row is repeated.

    Notes
    -----
    Class :math:`k` of :math:`n_k` rows becomes :math:`\max(n_k, \lceil n_{max} / ratio \rceil)`
    rows: its own :math:`x_i`, and such as are made from a random one of them, one of its nearest
    :math:`x_j` and a random number :math:`u` from 0 to 1 [1]_:

    .. math:: x = x_i + u\,(x_j - x_i)

    Distances are those of encoded rows, so the scaling of the table counts. With categories
    (SMOTE-NC, section 6.1 there) a category that differs adds the median of the class's
    standard deviations to a distance, and a row that is made takes the category that is most
    frequent among the nearest. In a table of categories alone (SMOTE-N, section 6.2) distances
    are those of the value difference metric, and a row takes the most frequent category of the
    row and its nearest; as all pairs of rows are compared, classes of more than 5,000 rows are
    refused there. Truth values, and marks of missing numbers, are numbers here: rows that are
    made have some between 0 and 1.

    Each class is made by itself, with the same draws, as imbalanced-learn does.

    References
    ----------
    .. [1] N. V. Chawla et al., "SMOTE: synthetic minority over-sampling technique", Journal of
       Artificial Intelligence Research 16, 2002. https://arxiv.org/abs/1106.1813

    Examples
    --------
    Two rows of the rare class, of which three are made on the line between them:

    >>> inputs = np.array([[0, 9], [1, 9], [2, 9], [3, 9], [4, 9], [0, 0], [1, 2]], np.float32)
    >>> codes = np.array([0, 0, 0, 0, 0, 1, 1])
    >>> found = SMOTE().resample(inputs, codes, n_numeric=2, seed=0)
    >>> found.made_codes
    array([1, 1, 1])
    >>> bool(np.allclose(found.made[:, 1], 2 * found.made[:, 0]))
    True

    A category is taken from the nearest, never mixed:

    >>> found = SMOTE().resample(inputs, codes, n_numeric=1, seed=0)
    >>> sorted(set(found.made[:, 1].tolist()) | {0.0, 2.0})
    [0.0, 2.0]

    A single row is repeated:

    >>> SMOTE(ratio=2.0).resample(inputs[:6], codes[:6], n_numeric=2, seed=0).kept
    array([0, 1, 2, 3, 4, 5, 5, 5])
    """

    exact_prior: ClassVar[bool] = False

    ratio: float = bounded(1.0, low=1, tune=RATIOS)
    neighbours: int = bounded(5, low=1, integer=True, tune=Span(1, 15, integer=True))

    def targets(self, counts: CountArray) -> CountArray:
        """Return the counts, those of small classes raised."""
        return raised(counts, self.ratio)

    def resample(
        self, inputs: EncodedMatrix, codes: CodeArray, n_numeric: int, seed: int
    ) -> Resampled:
        """Return all rows, and those that are made.

        Raises
        ------
        InputError
            If a large class is to be raised in a table of categories alone.
        """
        counts = np.bincount(codes)
        missing = self.targets(counts) - counts
        kept, made, made_codes = [np.arange(len(codes))], [inputs[:0]], [codes[:0]]
        for code in np.flatnonzero(missing):
            rows = np.flatnonzero(codes == code)
            if len(rows) == 1:
                kept.append(np.repeat(rows, missing[code]))
                continue
            made += self._made(inputs, codes, rows, n_numeric, int(missing[code]), seed)
            made_codes.append(np.full(missing[code], code, codes.dtype))
        return Resampled(np.concatenate(kept), np.concatenate(made), np.concatenate(made_codes))

    def _made(
        self,
        inputs: EncodedMatrix,
        codes: CodeArray,
        rows: IndexArray,
        n_numeric: int,
        n: int,
        seed: int,
    ) -> Iterator[EncodedMatrix]:
        """Yield rows for the class that is in `rows`, in pieces that memory holds."""
        code, columns = int(codes[rows[0]]), inputs.shape[1]
        near = min(self.neighbours, len(rows) - 1)
        width = columns
        if n_numeric:
            # Only its own rows count for a class, but the library wants another class to be there.
            used = np.append(rows, np.flatnonzero(codes != code)[:1])
            inputs, codes = inputs[used], codes[used]
            width = n_numeric + sum(len(np.unique(each)) for each in inputs.T[n_numeric:])
        elif len(rows) > NOMINAL_ROWS:
            raise _too_large(code, len(rows))
        size = max(1, PIECE_VALUES // (width * (near + 1)))
        for i, start in enumerate(range(0, n, size)):
            yield _raised_by_library(
                inputs,
                codes,
                n_numeric,
                k_neighbors=near,
                sampling_strategy={code: len(rows) + min(size, n - start)},
                random_state=legacy_seed(derive_seed(seed, "piece", i) if i else seed),
            )


def _raised_by_library(
    inputs: EncodedMatrix, codes: CodeArray, n_numeric: int, **settings: Any
) -> EncodedMatrix:
    """Return the rows that imbalanced-learn makes, with the variant that the columns need."""
    library = imported("imblearn.over_sampling", LIBRARY)
    columns = inputs.shape[1]
    if n_numeric == columns:
        method = library.SMOTE(**settings)
    elif n_numeric:
        method = library.SMOTENC(list(range(n_numeric, columns)), **settings)
    else:
        method = library.SMOTEN(**settings)
    found, _ = method.fit_resample(inputs, codes)
    return found[len(inputs) :].astype(np.float32)


def _too_large(code: int, n: int) -> InputError:
    return InputError(
        "In a table of categories alone, `SMOTE` compares all pairs of rows of a class, of which "
        f"there may be {NOMINAL_ROWS:,}.",
        f"The class with code {code} has {n:,} and is to be raised.",
        'Give a higher ratio that leaves this class as it is, or "RandomOverSampling()".',
    )
