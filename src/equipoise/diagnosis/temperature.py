"""Calibration before and after one temperature."""

import numpy as np
from scipy.optimize import minimize_scalar

from equipoise._typing import CodeArray, LogitArray, WeightArray
from equipoise.metrics import log_softmax

EDGE = 5.0
"""The logarithm of a temperature is sought within this distance of 0."""


def fit_temperature(logits: LogitArray, codes: CodeArray, weights: WeightArray) -> float:
    r"""Return the temperature that makes the log-loss of held-out examples smallest.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Of held-out examples, at least one.
    codes : ndarray of int, shape (examples,)
        Their classes.
    weights : ndarray, shape (examples,)
        Non-negative weight of each.

    Returns
    -------
    float
        Above 1 for a network that is too sure of itself. Logits divided by it are calibrated
        ones [1]_.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.

    Examples
    --------
    Three of four are right, so the best probability is 3/4, whose log-odds are 1.1:

    >>> logits = np.array([[2.2, 0.0]] * 4)
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1]), np.ones(4)), 2)
    2.0
    """
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        log_proba = log_softmax(logits / np.exp(log_temperature))
        return float(-(weights * log_proba[rows, codes]).sum() / weights.sum())

    found = minimize_scalar(loss, bounds=(-EDGE, EDGE), method="bounded")
    return float(np.exp(found.x))  # pyright: ignore[reportAttributeAccessIssue]
