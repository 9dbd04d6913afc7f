"""A balanced linear probe: what another head would make of the same features."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equipoise._typing import CodeArray
from equipoise.diagnosis.ledger import Recalls

STRENGTHS = (1e-4, 1e-2, 1.0)
"""Inverse strengths of the penalty that are tried."""


def probe_predictions(
    learnt: np.ndarray, learnt_codes: CodeArray, *others: np.ndarray
) -> list[list[CodeArray]]:
    """Fit a linear head on training features, every class counted alike, and predict by it.

    If it is far better than the network's own head, corrected to equal frequencies, the features
    were good and the head was not; if it is no better, the features are what fails.

    Parameters
    ----------
    learnt : ndarray, shape (examples, features)
        Features of training examples.
    learnt_codes : ndarray of int, shape (examples,)
        Their classes, at least two.
    *others : ndarray, shape (examples, features)
        Features of examples to predict.

    Returns
    -------
    list of list of ndarray of int
        For each strength of the penalty the predictions of each of the others.

    Notes
    -----
    Logistic regression with an L2 penalty on standardised features, an example of class
    :math:`k` weighted :math:`n / (K n_k)`; the idea is that of re-training the classifier [1]_.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed recognition",
       ICLR 2020.
    """
    found = []
    for strength in STRENGTHS:
        head = LogisticRegression(C=strength, class_weight="balanced", max_iter=200)
        with warnings.catch_warnings():
            # On features that part the classes wholly the best weights are infinite.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = make_pipeline(StandardScaler(), head).fit(learnt, learnt_codes)
        found.append(
            [fitted.predict(other) if len(other) else np.empty(0, int) for other in others]
        )
    return found


def cross_chosen(candidates: Sequence[CodeArray], codes: CodeArray, n_classes: int) -> CodeArray:
    """Return for each example the prediction of the candidate that is best on the other half.

    Parameters
    ----------
    candidates : sequence of ndarray of int, shape (examples,)
        Predictions of each.
    codes : ndarray of int, shape (examples,)
        True classes; every second example of each is in the second half.
    n_classes : int
        Classes there are.

    Examples
    --------
    >>> codes = np.array([0, 0, 1, 1])
    >>> good, bad = codes, 1 - codes
    >>> cross_chosen([bad, good], codes, 2)
    array([0, 0, 1, 1])
    """
    order = np.argsort(codes, kind="stable")
    firsts = np.searchsorted(codes[order], codes[order])
    half = np.empty(len(codes), int)
    half[order] = (np.arange(len(codes)) - firsts) % 2
    chosen = np.array(candidates[0])
    for own in (0, 1):
        others = half != own
        if not others.any():
            continue
        means = [
            np.nanmean(Recalls.of(each[others], codes[others], n_classes).values)
            for each in candidates
        ]
        chosen[~others] = candidates[int(np.argmax(means))][~others]
    return chosen
