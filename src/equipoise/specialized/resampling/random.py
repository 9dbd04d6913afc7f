"""Random over- and under-sampling: rows of rare classes repeated, of common ones left out."""

from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray, CountArray, IndexArray
from equipoise.data.encoding import EncodedMatrix
from equipoise.packages import imported
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.specialized.resampling.base import (
    LIBRARY,
    Resampled,
    Resampling,
    legacy_seed,
    lowered,
    raised,
)

RATIOS = Span(1.0, 100.0, log=True)
"""Imbalance ratios that a search leaves."""


@dataclass(eq=False, repr=False, kw_only=True)
class RandomOverSampling(Resampling):
    r"""Random rows of rare classes are repeated.

    The control of `SMOTE`: no row is made up. Every epoch shows all rows, those of rare classes
    several times, so it takes as much longer as there are more rows, and a network learns the
    few rows of a rare class by heart the sooner. The sampler `ClassBalanced` shows the same
    shares in epochs as long as before.

    Parameters
    ----------
    ratio : float, default=1.0
        Largest over smallest class afterwards, at least 1: with 1 all classes are as large as
        the largest.

    Notes
    -----
    Class :math:`k` of :math:`n_k` rows becomes :math:`\max(n_k, \lceil n_{max} / ratio \rceil)`
    rows: all of its own, and further ones drawn from them with replacement.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 0, 0, 1])
    >>> found = RandomOverSampling().resample(np.zeros((6, 1), np.float32), codes, 1, seed=0)
    >>> found.kept
    array([0, 1, 2, 3, 4, 5, 5, 5, 5, 5])
    >>> RandomOverSampling(ratio=2.0).targets(np.array([5, 1]))
    array([5, 3])
    """

    ratio: float = bounded(1.0, low=1, tune=RATIOS)

    def targets(self, counts: CountArray) -> CountArray:
        """Return the counts, those of small classes raised."""
        return raised(counts, self.ratio)

    def resample(
        self,
        inputs: EncodedMatrix,
        codes: CodeArray,
        n_numeric: int,  # noqa: ARG002
        seed: int,
    ) -> Resampled:
        """Return all rows, and some again."""
        library = imported("imblearn.over_sampling", LIBRARY)
        kept = _drawn(library.RandomOverSampler, codes, self.targets(np.bincount(codes)), seed)
        return Resampled(kept, inputs[:0], codes[:0])


@dataclass(eq=False, repr=False, kw_only=True)
class RandomUnderSampling(Resampling):
    r"""Random rows of common classes are left out.

    Fast, and the features are learnt from few rows: at a high imbalance ratio nearly all of the
    data are thrown away, for the smallest class says how much is left. Use it where common
    classes have far more rows than can be learnt from in the time there is, or with a `ratio`
    that leaves most of them.

    Parameters
    ----------
    ratio : float, default=1.0
        Largest over smallest class afterwards, at least 1: with 1 all classes are as small as
        the smallest.

    Notes
    -----
    Class :math:`k` of :math:`n_k` rows becomes :math:`\min(n_k, \lfloor ratio \cdot n_{min}
    \rfloor)` rows, drawn from its own without replacement.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 0, 0, 1])
    >>> found = RandomUnderSampling().resample(np.zeros((6, 1), np.float32), codes, 1, seed=0)
    >>> found.kept
    array([2, 5])
    >>> RandomUnderSampling(ratio=2.0).targets(np.array([5, 1]))
    array([2, 1])
    """

    ratio: float = bounded(1.0, low=1, tune=RATIOS)

    def targets(self, counts: CountArray) -> CountArray:
        """Return the counts, those of large classes lowered."""
        return lowered(counts, self.ratio)

    def resample(
        self,
        inputs: EncodedMatrix,
        codes: CodeArray,
        n_numeric: int,  # noqa: ARG002
        seed: int,
    ) -> Resampled:
        """Return some of the rows."""
        library = imported("imblearn.under_sampling", LIBRARY)
        kept = _drawn(library.RandomUnderSampler, codes, self.targets(np.bincount(codes)), seed)
        return Resampled(kept, inputs[:0], codes[:0])


def _drawn(kind: type, codes: CodeArray, targets: CountArray, seed: int) -> IndexArray:
    """Return the positions that a resampler of imbalanced-learn draws."""
    wanted = {int(code): int(targets[code]) for code in np.flatnonzero(targets)}
    resampler = kind(sampling_strategy=wanted, random_state=legacy_seed(seed))
    # Positions stand for the rows: what is drawn does not depend on what is in them.
    resampler.fit_resample(np.arange(len(codes))[:, None], codes)
    return resampler.sample_indices_
