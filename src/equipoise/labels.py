"""Labels, weights and seeds as they come from a user of scikit-learn, checked."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from equipoise._typing import CodeArray, WeightArray
from equipoise.errors import InputError


def check_labels(y: Any, n: int) -> tuple[np.ndarray, CodeArray]:
    """Return the classes, sorted, and the class code of each of `n` examples.

    Raises
    ------
    InputError
        If a label is missing, labels are of mixed types, or there are fewer than two classes.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    y = column_or_1d(y, warn=True)
    if pd.isna(y).any():
        raise InputError(
            "Every example needs a label.",
            f"Input y contains NaN at {np.flatnonzero(pd.isna(y))[:5].tolist()}.",
            "Leave these examples out, or label them.",
        )
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if len(y) != n:
        raise InputError(
            "X and y must have the same number of examples.",
            f"X has {n} and y has {len(y)}.",
            "Check that both come from the same rows.",
        )
    try:
        classes, codes = np.unique(y, return_inverse=True)
    except TypeError:
        raise InputError(
            "Labels must be all text or all numbers.",
            f"They are of the types {sorted({type(label).__name__ for label in y})}.",
            "Convert them to text with y.astype(str).",
        ) from None
    if len(classes) < 2:
        raise InputError(
            "A classifier needs examples of at least two classes.",
            f"There is one class: {classes[0]!r}.",
            "Check the labels, or add examples of another class.",
        )
    return classes, codes.astype(np.int64)


def check_weights(sample_weight: Any, n: int) -> WeightArray | None:
    """Return the weight of each of `n` examples; None if none are given.

    Raises
    ------
    InputError
        If there are not `n` finite weights of at least 0.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape == ():
        weights = np.full(n, float(weights))
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError(
            f"sample_weight must hold {n} finite weights of at least 0.",
            f"Its shape is {weights.shape}, or a weight is negative or not finite.",
            "Give one weight for each example.",
        )
    return weights


def draw_seed(random_state: int | np.integer | np.random.RandomState | None) -> int:
    """Return a seed: the number itself, or one that a generator draws."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
