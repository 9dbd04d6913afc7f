"""Probabilities corrected for the number of looks."""

import numpy as np
from numpy.typing import ArrayLike


def holm(p: ArrayLike) -> np.ndarray:
    r"""Return Holm's adjusted p-values.

    Parameters
    ----------
    p : array_like, shape (tests,)
        P-values in [0, 1] of one family of tests; they may depend on each other in any way.

    Returns
    -------
    ndarray, shape (tests,)
        In the order given. Telling all differences apart whose value is at most :math:`\alpha`
        tells any wrongly with probability at most :math:`\alpha`.

    Notes
    -----
    With :math:`p_{(1)} \le \dots \le p_{(m)}` [1]_

    .. math:: \tilde p_{(j)} = \max_{i \le j} \min(1, (m - i + 1) \, p_{(i)})

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
       Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
