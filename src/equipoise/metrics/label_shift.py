"""How frequent classes are in a place, from unlabelled examples of it."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from equipoise._typing import CodeArray, IndexArray, LogitArray, PriorArray, ProbaArray
from equipoise.errors import InputError
from equipoise.metrics.intervals import wilson
from equipoise.metrics.sample import log_softmax

METHODS = ("em", "bbse")
"""How class frequencies are estimated; see `estimate_prior`."""

MOST_STEPS = 1000
"""EM ends after so many steps in any case."""

CLOSE = 1e-7
"""EM ends when no frequency changes by more in a step."""

REPETITIONS = 200
"""Resamples that an interval rests on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatedPrior:
    """Class frequencies of a place, and how sure they are.

    Parameters
    ----------
    prior : ndarray of float, shape (classes,)
        Frequencies, above 0, that sum to 1.
    low, high : ndarray of float, shape (classes,)
        Ends of the interval of each, for other examples of the same place.
    method : {"em", "bbse"}
        How they were estimated.
    n : int
        Unlabelled examples.
    level : float
        Confidence level.
    """

    prior: PriorArray
    low: PriorArray
    high: PriorArray
    method: str
    n: int
    level: float


def estimate_prior(
    logits: LogitArray,
    train_prior: PriorArray,
    *,
    method: str = "em",
    held_out: tuple[np.ndarray, np.ndarray] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> EstimatedPrior:
    r"""Return how frequent classes are among unlabelled examples.

    Use it where a classifier meets another population: its predictions can then be corrected by
    `shift_logits`. Both methods rest on one assumption, that only the frequencies differ: within
    a class, examples look as in training. Where they do not, both are wrong and their intervals
    do not show it.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Of the unlabelled examples.
    train_prior : ndarray, shape (classes,)
        Class probabilities that the logits contain, above 0.
    method : {"em", "bbse"}, default="em"
        ``"em"`` [1]_ is more precise, but trusts the probabilities: use it with a calibrated
        classifier. ``"bbse"`` [2]_ only needs to know how often classes are confused.
    held_out : (logits, codes) or None, default=None
        Labelled examples that were not trained on; needed by ``"bbse"``.
    level : float, default=0.95
        Confidence level of the intervals, in (0, 1).
    seed : int, default=0
        Seed of the resampling.

    Raises
    ------
    InputError
        If there are no examples, or ``"bbse"`` has no held-out example of some class.

    Notes
    -----
    With probabilities :math:`p(k | x)` under the frequencies :math:`\pi_k` of training, EM
    repeats, from :math:`q = \pi` on, over the :math:`N` examples

    .. math:: q_k \leftarrow \frac{1}{N} \sum_i
        \frac{p(k | x_i) \, q_k / \pi_k}{\sum_j p(j | x_i) \, q_j / \pi_j}

    which climbs to the maximum of the likelihood. BBSE solves :math:`R q = \mu` for :math:`q \ge
    0` by least squares, with :math:`R_{jk}` the share of the held-out examples of class
    :math:`k` that are predicted as :math:`j` and :math:`\mu_j` that of the unlabelled ones.
    Frequencies below :math:`1 / 2N` are raised to that. Intervals are percentiles over examples
    drawn anew with replacement, of ``"bbse"`` also the held-out ones, within classes; and at
    least as wide as Wilson's for :math:`N` examples whose classes are seen, which drawing anew
    does not show of a class that none of them is like.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to
       new a priori probabilities: a simple procedure", Neural Computation 14, 2002.
    .. [2] Z. C. Lipton, Y.-X. Wang, A. J. Smola, "Detecting and correcting for label shift with
       black box predictors", ICML 2018.

    Examples
    --------
    Trained where both classes are equally frequent, used where one in five is of the second:

    >>> logits = np.repeat([[2.0, 0.0], [0.0, 2.0]], [740, 260], axis=0)
    >>> found = estimate_prior(logits, np.array([0.5, 0.5]))
    >>> found.prior.round(2)
    array([0.82, 0.18])
    """
    known = (np.empty((0, logits.shape[1])), np.empty(0, int)) if held_out is None else held_out
    _check(logits, method, known[1])
    random = np.random.default_rng(seed)
    if method == "em":
        ratio = np.exp(log_softmax(logits.astype(np.float64))) / train_prior
        prior = _em(ratio, train_prior)
        drawn = [_em(_again(ratio, random), prior) for _ in range(REPETITIONS)]
    else:
        own, codes = known[0].argmax(axis=1), known[1]
        predicted = logits.argmax(axis=1)
        prior = _bbse(own, codes, predicted, logits.shape[1])
        drawn = [
            _bbse(*_again_within(own, codes, random), _again(predicted, random), logits.shape[1])
            for _ in range(REPETITIONS)
        ]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    least, most = wilson(prior, len(logits), level)
    return EstimatedPrior(
        prior=prior,
        low=np.minimum(low, least),
        high=np.maximum(high, most),
        method=method,
        n=len(logits),
        level=level,
    )


def _em(ratio: ProbaArray, start: PriorArray) -> PriorArray:
    """Return the frequencies that EM ends at; `ratio` is probability over training frequency."""
    prior = start
    for _ in range(MOST_STEPS):
        joint = ratio * prior
        after = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(after - prior).max() < CLOSE:
            prior = after
            break
        prior = after
    return _raised(prior, len(ratio))


def _bbse(own: CodeArray, codes: CodeArray, predicted: IndexArray, n_classes: int) -> PriorArray:
    confused = np.zeros((n_classes, n_classes))
    np.add.at(confused, (own, codes), 1.0)
    confused /= confused.sum(axis=0)
    share = np.bincount(predicted, minlength=n_classes) / len(predicted)
    found, _ = nnls(confused, share)
    return _raised(found / found.sum() if found.sum() > 0 else share, len(predicted))


def _raised(prior: PriorArray, n: int) -> PriorArray:
    raised = np.maximum(prior, 0.5 / n)
    return raised / raised.sum()


def _again(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return rows[random.integers(0, len(rows), len(rows))]


def _again_within(
    own: CodeArray, codes: CodeArray, random: np.random.Generator
) -> tuple[CodeArray, CodeArray]:
    """Return labelled examples drawn anew, of each class as many as there were."""
    rows = [_again(np.flatnonzero(codes == code), random) for code in np.unique(codes)]
    index = np.concatenate(rows)
    return own[index], codes[index]


def _check(logits: LogitArray, method: str, held_out: IndexArray) -> None:
    if method not in METHODS:
        raise InputError(
            "Frequencies are estimated by em or bbse.", f"The method is {method!r}.", "Use em."
        )
    if not len(logits):
        raise InputError(
            "Frequencies are estimated from examples.", "There are none.", "Give some, unlabelled."
        )
    counts = np.bincount(held_out, minlength=logits.shape[1])
    if method == "bbse" and not counts.all():
        raise InputError(
            "BBSE needs held-out labelled examples of every class.",
            f"There are none of class number {int(counts.argmin())}.",
            "Use em, or a run with a validation part.",
        )
