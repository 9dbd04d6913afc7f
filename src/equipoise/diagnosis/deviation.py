"""Feature deviation: how far a class's new examples lie from those that were learnt."""

import numpy as np

from equipoise._typing import CodeArray
from equipoise.diagnosis.collapse import ClassMeans, class_variances


def feature_deviation(
    learnt: np.ndarray, learnt_codes: CodeArray, new: np.ndarray, new_codes: CodeArray, n: int
) -> np.ndarray:
    r"""Return the distance of each class's mean features on new examples from those in training.

    A few examples cannot show a network all of their class, so that new ones land elsewhere; this
    is feature failure, and no correction of the prior mends it.

    Parameters
    ----------
    learnt, new : ndarray, shape (examples, features)
        Features of training examples and of new ones.
    learnt_codes, new_codes : ndarray of int, shape (examples,)
        Their classes.
    n : int
        Number of classes.

    Returns
    -------
    ndarray, shape (classes,)
        In units of the class's spread on new examples; 0 where the means are no further apart
        than chance would have them, NaN for a class of fewer than two new examples.

    Notes
    -----
    With means :math:`\mu_k` in training (:math:`n_k` examples) and :math:`\mu'_k` on :math:`m_k`
    new examples, and the variance :math:`s_k` of the latter around theirs,

    .. math:: d_k = \sqrt{\max\Big(0,\; \frac{\|\mu_k - \mu'_k\|^2}{s_k}
        - \frac{1}{n_k} - \frac{1}{m_k}\Big)}

    The definition [1]_ has the distance alone; means of few examples are apart by chance, and the
    last two terms are that chance for examples of one distribution.

    References
    ----------
    .. [1] H.-J. Ye et al., "Identifying and compensating for feature deviation in imbalanced deep
       learning", arXiv:2001.01385, 2020.

    Examples
    --------
    >>> learnt, new = np.array([[0.0], [2.0]]), np.array([[8.0], [10.0]])
    >>> codes = np.zeros(2, int)
    >>> feature_deviation(learnt, codes, new, codes, 1).round(2)
    array([5.57])
    """
    before = ClassMeans.of(learnt, learnt_codes, n)
    after = ClassMeans.of(new, new_codes, n)
    spread = class_variances(new, new_codes, after)
    apart = ((before.means - after.means) ** 2).sum(axis=1)
    counts = [np.bincount(codes, minlength=n) for codes in (learnt_codes, new_codes)]
    with np.errstate(divide="ignore", invalid="ignore"):
        surplus = apart / spread - sum(1 / count for count in counts)
    return np.sqrt(np.maximum(surplus, 0.0))
