"""Calibration on the test set, before and after temperature scaling and prior correction."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise._typing import CodeArray, LogitArray, WeightArray
from equipoise.diagnosis.evidence import Evidence
from equipoise.diagnosis.temperature import fit_temperature
from equipoise.metrics import log_softmax
from equipoise.metrics.calibration import calibration_error


def calibrations(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how well probabilities hold on the test set, in four ways of using the run.

    Parameters
    ----------
    evidence : Evidence
        What is looked at.

    Returns
    -------
    list of dict
        Of predictions as trained and corrected to equal class frequencies, each without and with
        a temperature that was fitted to validation examples: ``corrected``, ``temperature`` (1
        without), ``top_label`` and ``class_wise`` expected calibration error, ``log_loss`` in
        nats and ``brier``. Corrected ones are measured with all classes counted alike. Without
        validation examples there is no temperature.
    """
    test, held = evidence.parts["test"], evidence.parts["validation"]
    found = []
    for corrected in (False, True):
        logits = test.corrected if corrected else test.logits
        weights = _weights(test.codes, evidence.n_classes, alike=corrected)
        temperatures = [1.0]
        if len(held):
            own = held.corrected if corrected else held.logits
            shares = _weights(held.codes, evidence.n_classes, alike=corrected)
            temperatures.append(fit_temperature(own, held.codes, shares))
        found += [
            {"corrected": corrected, "temperature": t, **errors(logits / t, test.codes, weights)}
            for t in temperatures
        ]
    return found


def measures_of(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the calibration of corrected predictions by name.

    Parameters
    ----------
    found : sequence of mapping
        As `calibrations` returns them.

    Returns
    -------
    dict of str to float
        Names that end in ``_corrected`` are before a temperature. Where one was fitted, it is
        ``temperature``, and names that end in ``_tempered`` are after it: runs with and without
        validation examples are compared by the same measure.

    Examples
    --------
    >>> kinds = [(False, 1.0, 0.3), (True, 1.0, 0.2), (True, 2.0, 0.1)]
    >>> found = [{"corrected": c, "temperature": t, "brier": b} for c, t, b in kinds]
    >>> measures_of(found)
    {'brier_corrected': 0.2, 'temperature': 2.0, 'brier_tempered': 0.1}
    >>> measures_of(found[:2])
    {'brier_corrected': 0.2}
    """
    before, *after = (each for each in found if each["corrected"])
    told = {f"{name}_corrected": before[name] for name in before if name not in _SETTING}
    for each in after:
        told["temperature"] = each["temperature"]
        told |= {f"{name}_tempered": each[name] for name in each if name not in _SETTING}
    return told


_SETTING = ("corrected", "temperature")


def errors(logits: LogitArray, codes: CodeArray, weights: WeightArray) -> dict[str, float]:
    r"""Return calibration errors and scores of probabilities.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Logits.
    codes : ndarray of int, shape (examples,)
        Classes.
    weights : ndarray, shape (examples,)
        Non-negative weight of each example.

    Returns
    -------
    dict of str to float
        ``top_label``, ``class_wise`` (the mean over classes of the error of each class's own
        probability), ``log_loss`` and ``brier`` (:math:`\sum_k (p_k - [y = k])^2`).
    """
    log_proba = log_softmax(logits)
    proba = np.exp(log_proba)
    rows, n = np.arange(len(codes)), logits.shape[1]
    truth = np.eye(n)[codes]
    shares = weights / weights.sum()
    own = [calibration_error(proba[:, k], truth[:, k] > 0, weights) for k in range(n)]
    return {
        "top_label": calibration_error(proba.max(axis=1), proba.argmax(axis=1) == codes, weights),
        "class_wise": float(np.mean(own)),
        "log_loss": float(-(shares * log_proba[rows, codes]).sum()),
        "brier": float((shares * ((proba - truth) ** 2).sum(axis=1)).sum()),
    }


def _weights(codes: CodeArray, n_classes: int, *, alike: bool) -> WeightArray:
    if not alike:
        return np.ones(len(codes))
    return 1.0 / np.bincount(codes, minlength=n_classes)[codes]
