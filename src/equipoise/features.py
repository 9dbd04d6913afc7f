"""What X may be: images as uint8 arrays, or tables as DataFrames and 2-D arrays."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from equipoise._typing import ImageArray
from equipoise.errors import InputError

FINDS_COLUMNS = "_finds_columns"
"""Attribute of an estimator whose preprocessing finds the columns of a table by name."""


def check_features(
    estimator: BaseEstimator, X: object, *, reset: bool
) -> ImageArray | pd.DataFrame:
    """Return X in one of its two forms, after scikit-learn's checks.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``feature_names_in_`` at fitting.
    X : object
        uint8 images ``(examples, height, width)`` or ``(examples, height, width, channels)``,
        a DataFrame, or a 2-D array of numbers, NaN meaning missing.
    reset : bool
        Whether this is fitting; otherwise X must look like what was fitted. A classifier that
        was loaded from a run finds the columns of a DataFrame by their names instead.

    Returns
    -------
    ndarray of uint8, shape (examples, height, width, channels), or DataFrame
        The columns of a table made from an array are called ``x0, x1, ...``.

    Raises
    ------
    InputError
        If X is an array of more than two dimensions that holds no uint8 images.
    """
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return _check_images(estimator, X, reset=reset)
    if reset:
        vars(estimator).pop(FINDS_COLUMNS, None)
    if isinstance(X, pd.DataFrame) and FINDS_COLUMNS in vars(estimator):
        _check_not_empty(X)
        return X.set_axis(X.columns.map(str), axis=1)
    if isinstance(X, pd.DataFrame):
        # scikit-learn's types say that X is text; it is anything array-like.
        validate_data(estimator, X, reset=reset, skip_check_array=True)  # pyright: ignore[reportArgumentType]
        _check_not_empty(X)
        return X.set_axis(X.columns.map(str), axis=1)
    rules = {"dtype": "numeric", "ensure_all_finite": "allow-nan"}
    array: np.ndarray = validate_data(estimator, X, reset=reset, **rules)  # pyright: ignore[reportArgumentType, reportAssignmentType]
    return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])


def _check_images(estimator: BaseEstimator, X: np.ndarray, *, reset: bool) -> ImageArray:
    if X.dtype != np.uint8 or X.ndim > 4 or (X.ndim == 4 and X.shape[3] not in (1, 3)):
        raise InputError(
            "Images must be a uint8 array (examples, height, width[, channels]), channels 1 or 3.",
            f"This array is {X.dtype} of shape {X.shape}.",
            "Scale to 0..255, convert with .astype('uint8'), and put channels last.",
        )
    if 0 in X.shape:
        raise InputError(
            "There must be at least one image, of at least one pixel.",
            f"The array's shape is {X.shape}.",
            "Check where the images come from.",
        )
    if reset:
        # An earlier fit may have been on a table.
        vars(estimator).pop("feature_names_in_", None)
        estimator.n_features_in_ = int(np.prod(X.shape[1:]))  # type: ignore[attr-defined]
    return X if X.ndim == 4 else X[..., None]


def _check_not_empty(frame: pd.DataFrame) -> None:
    if 0 in frame.shape:
        raise InputError(
            "A table needs at least one row and one column besides the label.",
            f"It has {frame.shape[0]} rows and {frame.shape[1]} columns.",
            "Check where the table comes from.",
        )
