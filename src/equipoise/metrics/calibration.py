"""Whether predicted probabilities are as often right as they say."""

from typing import TypedDict

import numpy as np

from equipoise._typing import WeightArray

N_BINS = 15
"""Number of bins of equal width on [0, 1], as in Guo et al. (2017)."""


class ReliabilityBin(TypedDict):
    """One bin of a reliability diagram; confidence and accuracy are None in an empty bin."""

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    weight: float
    n: int


def bins_of(proba: np.ndarray) -> np.ndarray:
    """Return the bin of each probability: ``[0, 1/15)``, ..., ``[14/15, 1]``.

    >>> bins_of(np.array([0.0, 0.5, 1.0]))
    array([ 0,  7, 14])
    """
    return np.minimum((proba * N_BINS).astype(np.int64), N_BINS - 1)


def calibration_error(proba: np.ndarray, outcome: np.ndarray, weights: WeightArray) -> float:
    r"""Return the expected calibration error of probabilities for an event.

    Parameters
    ----------
    proba : ndarray, shape (examples,)
        Predicted probability of the event. With the largest probability of each example, and
        "the prediction is right" as event, this is the top-label error [1]_; with the
        probability of one class, and "the example is of the class", it is one term of the
        class-wise error [2]_.
    outcome : ndarray of bool, shape (examples,)
        Whether the event took place.
    weights : ndarray, shape (examples,)
        Non-negative weight of each example.

    Returns
    -------
    float
        From 0 to 1.

    Notes
    -----
    Over 15 bins of equal width, with weights :math:`w`, probabilities :math:`p` and
    outcomes :math:`o`:

    .. math:: \sum_b \Big| \sum_{i \in b} w_i (p_i - o_i) \Big| \Big/ \sum_i w_i

    It is positive even for perfect calibration, and the more so the fewer examples there are.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.
    .. [2] M. Kull et al., "Beyond temperature scaling: obtaining well-calibrated multi-class
       probabilities with Dirichlet calibration", NeurIPS 2019.

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, False]), np.ones(2))
    0.4
    """
    gaps = np.bincount(bins_of(proba), weights * (proba - outcome), minlength=N_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def reliability(
    proba: np.ndarray, outcome: np.ndarray, weights: WeightArray
) -> list[ReliabilityBin]:
    """Return the bins of a reliability diagram, lowest first.

    Parameters
    ----------
    proba, outcome, weights : ndarray, shape (examples,)
        As for `calibration_error`.

    Returns
    -------
    list of ReliabilityBin
        ``low`` and ``high``, the ends of the bin; ``confidence`` and ``accuracy``, the mean
        probability and the frequency of the event in it; ``weight``, its share of all weight;
        ``n``, its number of examples. The weighted mean of their differences is the error.

    Examples
    --------
    >>> top = reliability(np.array([0.95, 0.95]), np.array([True, False]), np.ones(2))[-1]
    >>> top["confidence"], top["accuracy"], top["weight"], top["n"]
    (0.95, 0.5, 1.0, 2)
    """
    bins = bins_of(proba)
    mass, confidence, accuracy = (
        np.bincount(bins, weights * values, minlength=N_BINS).tolist()
        for values in (np.ones(len(proba)), proba, outcome)
    )
    counts, total = np.bincount(bins, minlength=N_BINS).tolist(), float(weights.sum())
    return [
        ReliabilityBin(
            low=b / N_BINS,
            high=(b + 1) / N_BINS,
            confidence=confidence[b] / mass[b] if mass[b] else None,
            accuracy=accuracy[b] / mass[b] if mass[b] else None,
            weight=mass[b] / total,
            n=counts[b],
        )
        for b in range(N_BINS)
    ]
