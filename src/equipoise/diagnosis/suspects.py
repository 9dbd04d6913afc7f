"""Training examples of rare classes that look mislabelled, or that only memory gets right."""

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from equipoise._typing import CodeArray, IndexArray, LogitArray
from equipoise.diagnosis.margins import margins

TYPICAL = 0.5
"""An example is a typical one of a class if at least this share of its examples are less so."""

NEIGHBOURS = 10
"""Nearest examples that are asked for their class."""

FEWEST = 10
"""With fewer held-out examples of a class it is not known what is typical of it."""

PURE = 1 / 2
"""How far from chance to certainty a class must be told from others for anything to be typical."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Suspects:
    """Examples that deserve a look.

    Parameters
    ----------
    places : ndarray of int
        Positions among the examples that were given, those of rarer classes first.
    kinds : tuple of str
        ``"looks mislabelled"`` or ``"atypical"`` for each.
    others : ndarray of int
        The class that each looks like.
    strengths : ndarray of float
        How strongly, from 0 to 1.
    """

    places: IndexArray
    kinds: tuple[str, ...]
    others: CodeArray
    strengths: np.ndarray


def typicality(
    logits: LogitArray, codes: CodeArray, chosen: CodeArray, of: LogitArray
) -> np.ndarray:
    r"""Return how typical each of some examples is of the class that is chosen for it.

    Parameters
    ----------
    logits : ndarray, shape (known, classes)
        Of examples whose classes are known and that were not learnt.
    codes : ndarray of int, shape (known,)
        Their classes.
    chosen : ndarray of int, shape (examples,)
        A class for each of the examples that are judged.
    of : ndarray, shape (examples, classes)
        Their logits.

    Returns
    -------
    ndarray, shape (examples,)
        The share of the known examples of class :math:`j` whose margin of :math:`j` over all
        others is not larger: 0 to 1, and evenly distributed for an example that is of class
        :math:`j`. NaN where fewer than 10 examples of the class are known, or where the network
        does not tell the class from others, which would make everything typical of it: of the
        examples above its median, classes weighted alike, a share of at least
        :math:`\tfrac1K + \tfrac12 (1 - \tfrac1K)` must be labelled :math:`j`.

    Examples
    --------
    >>> known, codes = np.column_stack([np.arange(20.0), np.zeros(20)]), np.zeros(20, int)
    >>> typicality(known, codes, np.array([0]), np.array([[9.5, 0.0]]))
    array([0.5])
    """
    found = np.full(len(chosen), np.nan)
    own = margins(of, chosen)
    for j in np.unique(chosen):
        of_all = margins(logits, np.full(len(codes), j))
        reference = np.sort(of_all[codes == j])
        if len(reference) >= FEWEST and _is_told(of_all > np.median(reference), codes, j):
            rows = chosen == j
            found[rows] = np.searchsorted(reference, own[rows], side="right") / len(reference)
    return found


def _is_told(above: np.ndarray, codes: CodeArray, j: int) -> bool:
    """Whether enough of the examples above a class's median are of the class."""
    sizes = np.bincount(codes)
    with np.errstate(invalid="ignore"):
        shares = np.bincount(codes[above], minlength=len(sizes)) / sizes
    chance = 1 / np.count_nonzero(sizes)
    return bool(shares[j] >= (chance + PURE * (1 - chance)) * np.nansum(shares))


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelCounts:
    """How many examples of each class are typical ones of another class.

    Parameters
    ----------
    typical : ndarray of int, shape (classes,)
        Those that are.
    unseen : ndarray of int, shape (classes,)
        Those that are given to another class of which it is not known what is typical.
    sizes : ndarray of int, shape (classes,)
        All.
    """

    typical: np.ndarray
    unseen: np.ndarray
    sizes: np.ndarray


def mislabelled_counts(
    known: tuple[LogitArray, CodeArray], judged: tuple[LogitArray, CodeArray], n_classes: int
) -> LabelCounts:
    r"""Return how many examples of each class are typical ones of another class.

    Examples of class :math:`k` that truly are of class :math:`j` are as typical of :math:`j` as
    any other: half of them are above the median. An example of :math:`k` that a network merely
    takes for :math:`j`, because it has seen too few, is mostly at the edge of :math:`j`. So twice
    the returned number estimates how many are mislabelled.

    Parameters
    ----------
    known : pair of ndarray
        Logits, corrected to equal frequencies, and labels of held-out examples, by which it is
        known what is typical.
    judged : pair of ndarray
        The same of the examples that are judged, which may be the same ones. Of examples that were
        learnt, those learnt by heart are missed.
    n_classes : int
        Number of classes.

    Returns
    -------
    LabelCounts
        By class.
    """
    logits, codes = judged
    chosen = logits.argmax(axis=1)
    others = chosen != codes
    found = np.zeros(len(codes))
    found[others] = typicality(*known, chosen[others], logits[others])
    typical, unseen, sizes = (
        np.bincount(codes[kept], minlength=n_classes)
        for kept in (found > TYPICAL, np.isnan(found), np.full(len(codes), True))
    )
    return LabelCounts(typical=typical, unseen=unseen, sizes=sizes)


def find_suspects(
    known: tuple[LogitArray, CodeArray],
    learnt: tuple[LogitArray, CodeArray],
    inputs: np.ndarray,
    most: int = 48,
) -> Suspects:
    """Return training examples that look mislabelled, and atypical ones that are learnt by heart.

    Parameters
    ----------
    known : pair of ndarray
        Logits, corrected to equal frequencies, and classes of held-out examples.
    learnt : pair of ndarray
        The same of training examples.
    inputs : ndarray, shape (examples, values)
        What the network sees of the training examples, for what lies near in it.
    most : int, default=48
        At most so many are returned.

    Returns
    -------
    Suspects
        ``"looks mislabelled"``: the network gives it to another class though it was trained
        not to, and it is a typical one there. ``"atypical"``: the network is right, but none of
        the 10 nearest other examples is of its class, and most are of one other.
    """
    logits, codes = learnt
    chosen = logits.argmax(axis=1)
    typical = np.where(chosen != codes, typicality(*known, chosen, logits), np.nan)
    wrong = np.flatnonzero(typical >= TYPICAL)
    counts, n_own = _neighbours(inputs, codes, logits.shape[1])
    most_one = counts.max(axis=1) > counts.sum(axis=1) / 2
    alone = np.flatnonzero((chosen == codes) & (n_own == 0) & most_one)
    places = np.concatenate([wrong, alone])
    kinds = ["looks mislabelled"] * len(wrong) + ["atypical"] * len(alone)
    others = np.concatenate([chosen[wrong], counts[alone].argmax(axis=1)])
    share = counts.max(axis=1) / np.maximum(counts.sum(axis=1), 1)
    strengths = np.concatenate([typical[wrong], share[alone]])
    sizes = np.bincount(codes, minlength=logits.shape[1])[codes]
    order = np.lexsort((-strengths, sizes[places]))[:most]
    return Suspects(
        places=places[order],
        kinds=tuple(kinds[i] for i in order),
        others=others[order],
        strengths=strengths[order],
    )


def _neighbours(
    inputs: np.ndarray, codes: CodeArray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each class is among the nearest other examples, and the own class."""
    k = min(NEIGHBOURS + 1, len(inputs))
    near = NearestNeighbors(n_neighbors=k).fit(inputs).kneighbors(inputs, return_distance=False)
    counts = np.zeros((len(codes), n_classes), int)
    for i, row in enumerate(near):
        np.add.at(counts[i], codes[row[row != i][:NEIGHBOURS]], 1)
    return counts, counts[np.arange(len(codes)), codes]
