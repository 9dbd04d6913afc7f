"""What all resamplings share: which rows a training learns from, and how many of each class."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.data.encoding import EncodedMatrix
from equipoise.packages import require
from equipoise.spec import Component

LIBRARY = "Resampling by imbalanced-learn"
"""What needs the library, in messages."""

ROUNDING = 1e-9
"""What a ratio times a count may miss of a whole number by rounding, as a share."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """The rows that a training learns from: some of those it was given, and some that were made.

    Rows that are repeated are named again, not copied: a table of any width is over-sampled for
    eight bytes a row.

    Parameters
    ----------
    kept : ndarray of int64, shape (kept,)
        Positions among the given rows; one that comes back is repeated.
    made : ndarray of float32, shape (made, columns)
        Synthetic rows.
    made_codes : ndarray of int64, shape (made,)
        Their classes.
    """

    kept: IndexArray
    made: EncodedMatrix
    made_codes: CodeArray


@dataclass(eq=False, repr=False, kw_only=True)
class Resampling(Component):
    """Base of resamplings: a table's training rows are repeated, left out or made, once.

    It happens to encoded rows, before the first step, and to training rows only: neither
    validation rows nor test rows are touched, nor those that a fold of a search holds out. All
    epochs then go through the same rows. A `Sampler` shows rows of the data more or less often
    instead, in epochs as long as before.
    """

    exact_prior: ClassVar[bool] = True
    """Whether rows of a class are, but for chance, as they were before: then the class
    frequencies afterwards are what logits contain."""

    def validate(self) -> None:
        """Raise `InputError` if a field is outside its bounds, or the library is absent."""
        super().validate()
        require("imblearn", LIBRARY)

    @abstractmethod
    def targets(self, counts: CountArray) -> CountArray:
        """Return how many rows of each class there are afterwards.

        Parameters
        ----------
        counts : ndarray of int, shape (classes,)
            Training rows of each class, one class at least having some.

        Returns
        -------
        ndarray of int64, shape (classes,)
            At least 1 where there was a row, 0 where there was none.
        """

    @abstractmethod
    def resample(
        self, inputs: EncodedMatrix, codes: CodeArray, n_numeric: int, seed: int
    ) -> Resampled:
        """Return the rows to learn from.

        Parameters
        ----------
        inputs : ndarray of float32, shape (examples, columns)
            Encoded training rows: numbers first, then codes of categories.
        codes : ndarray of int, shape (examples,)
            Class of each, from 0.
        n_numeric : int
            How many columns are numbers.
        seed : int
            Seed of everything random, at least 0. The same gives the same rows.

        Returns
        -------
        Resampled
            With as many rows of each class as `targets` says.
        """


def raised(counts: CountArray, ratio: float) -> CountArray:
    r"""Return counts with small classes raised until an imbalance ratio is left.

    Parameters
    ----------
    counts : ndarray of int, shape (classes,)
        Rows of each class.
    ratio : float
        Largest over smallest class afterwards, at least 1.

    Notes
    -----
    Class :math:`k` of :math:`n_k` rows becomes :math:`\max(n_k, \lceil n_{max} / r \rceil)` rows
    for the ratio :math:`r`; a class without rows stays without.

    Examples
    --------
    >>> raised(np.array([100, 40, 3]), 3.0)
    array([100,  40,  34])
    """
    least = np.ceil(counts.max() / ratio * (1 - ROUNDING))
    return np.where(counts > 0, np.maximum(counts, least), 0).astype(np.int64)


def lowered(counts: CountArray, ratio: float) -> CountArray:
    r"""Return counts with large classes lowered until an imbalance ratio is left.

    Parameters
    ----------
    counts : ndarray of int, shape (classes,)
        Rows of each class.
    ratio : float
        Largest over smallest class afterwards, at least 1.

    Notes
    -----
    Class :math:`k` of :math:`n_k` rows becomes :math:`\min(n_k, \lfloor r\, n_{min} \rfloor)` rows
    for the ratio :math:`r`, where :math:`n_{min}` is the size of the smallest class that has rows.

    Examples
    --------
    >>> lowered(np.array([100, 40, 3]), 2.5)
    array([7, 7, 3])
    """
    most = np.floor(counts[counts > 0].min() * ratio * (1 + ROUNDING))
    return np.minimum(counts, most).astype(np.int64)


def legacy_seed(seed: int) -> int:
    """Return a seed that numpy's older generators take, from 0 to below 2**32."""
    return seed % 2**32
