"""The stratified bootstrap: how rankings vary when the examples are drawn again.

It gives variances, correlations and biases, not intervals: a class of 3 examples resampled is
still these 3. `equipoise.metrics.ranking_intervals` makes intervals of them that allow for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equipoise._typing import CodeArray
from equipoise.metrics.ranking import Ranking
from equipoise.metrics.sample import Sample

_CHUNK = 2_000_000
"""Most draws at a time, so that no array of them takes more than 16 MB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicates:
    """Ranking metrics of each resampled data set.

    Parameters
    ----------
    auroc, auprc : ndarray, shape (resamples, present classes)
        Area under ROC and average precision of each class that has examples.
    """

    auroc: np.ndarray
    auprc: np.ndarray


def resampled_counts(
    codes: CodeArray, n_bootstrap: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw examples with replacement within each class, as often as the class has examples.

    Parameters
    ----------
    codes : ndarray of int, shape (examples,)
        Class of each example.
    n_bootstrap : int
        Number of resamples.
    rng : numpy.random.Generator
        Where the draws come from.

    Yields
    ------
    ndarray of int, shape (examples, resamples)
        How often each example was drawn, for some resamples at a time.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> (counts,) = resampled_counts(np.array([0, 1, 1]), 4, rng)
    >>> counts
    array([[1, 1, 1, 1],
           [2, 0, 0, 1],
           [0, 2, 2, 1]])
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts, sizes = np.searchsorted(ordered, ordered), np.bincount(codes)[ordered]
    chunk = max(1, _CHUNK // len(codes))
    for done in range(0, n_bootstrap, chunk):
        n = min(chunk, n_bootstrap - done)
        draws = starts + (rng.random((n, len(codes))) * sizes).astype(np.int64)
        cells = order[draws] * n + np.arange(n)[:, None]
        yield np.bincount(cells.ravel(), minlength=len(codes) * n).reshape(-1, n)


def bootstrap(sample: Sample, n_bootstrap: int, seed: int) -> Replicates:
    """Resample within the classes and rank each resample.

    Parameters
    ----------
    sample : Sample
        The evaluated examples.
    n_bootstrap : int
        Number of resamples.
    seed : int
        Seed of the draws; the same seed gives the same result.

    Returns
    -------
    Replicates
        In order of the draws. Single precision is enough for a variance.
    """
    rankings = [Ranking(sample.log_proba[:, k], sample.codes == k) for k in sample.present]
    weights = sample.weights[:, None].astype(np.float32)
    auroc, auprc = [], []
    for counts in resampled_counts(sample.codes, n_bootstrap, np.random.default_rng(seed)):
        drawn = counts.astype(np.float32) * weights
        areas = [ranking.areas(drawn) for ranking in rankings]
        auroc.append(np.stack([area for area, _ in areas], axis=1))
        auprc.append(np.stack([area for _, area in areas], axis=1))
    return Replicates(auroc=np.concatenate(auroc), auprc=np.concatenate(auprc))
