"""Neural collapse: how far features have shrunk to one point a class, and where the points lie."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from equipoise._typing import CodeArray

ROUNDING = 1e-9
"""Centred means sum to zero up to rounding, which grows with their number: directions in which
they are closer than this, relative to the farthest, are none."""


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """Mean features of each class, around the mean of these means.

    Parameters
    ----------
    means : ndarray, shape (classes, features)
        Mean features of each class; NaN for a class without examples.
    """

    means: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, codes: CodeArray, n_classes: int) -> "ClassMeans":
        """Return those of examples.

        Parameters
        ----------
        features : ndarray, shape (examples, features)
            Features, finite.
        codes : ndarray of int, shape (examples,)
            Class of each.
        n_classes : int
            Number of classes.
        """
        sums = np.zeros((n_classes, features.shape[1]))
        np.add.at(sums, codes, features.astype(np.float64))
        counts = np.bincount(codes, minlength=n_classes)
        with np.errstate(invalid="ignore"):
            return cls(sums / counts[:, None])

    @property
    def present(self) -> np.ndarray:
        """Which classes have examples."""
        return np.asarray(~np.isnan(self.means).any(axis=1))

    @property
    def centred(self) -> np.ndarray:
        """Means of the classes that have examples, minus the mean of them."""
        own = self.means[self.present]
        return own - own.mean(axis=0)


def class_variances(features: np.ndarray, codes: CodeArray, means: ClassMeans) -> np.ndarray:
    """Return the mean squared distance of each class's features from its mean.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
        Features.
    codes : ndarray of int, shape (examples,)
        Class of each.
    means : ClassMeans
        Of these examples.

    Returns
    -------
    ndarray, shape (classes,)
        Divided by the number of examples less one; NaN for a class of fewer than two.

    Examples
    --------
    >>> features, codes = np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1])
    >>> class_variances(features, codes, ClassMeans.of(features, codes, 2))
    array([ 2., nan])
    """
    squared = ((features - means.means[codes]) ** 2).sum(axis=1)
    n = len(means.means)
    return _divided(np.bincount(codes, squared, n), np.bincount(codes, minlength=n) - 1)


def within_class(features: np.ndarray, codes: CodeArray, means: ClassMeans) -> np.ndarray:
    r"""Return each class's share in the within-class variability, NC1.

    It is 0 where a class has collapsed to a point. Look at it on training and on new examples:
    a class collapsed in training alone was learnt by heart.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
        Features.
    codes : ndarray of int, shape (examples,)
        Class of each.
    means : ClassMeans
        Of these examples.

    Returns
    -------
    ndarray, shape (classes,)
        NaN for a class of fewer than two examples. The mean over classes is NC1.

    Notes
    -----
    With features :math:`h_i`, class means :math:`\mu_k`, :math:`\bar\mu` the mean of them, and
    :math:`K` classes,

    .. math::

        \mathrm{NC1} = \frac{1}{K} \operatorname{tr}\big(\Sigma_W \Sigma_B^+\big), \qquad
        \Sigma_W = \frac{1}{K} \sum_k \frac{1}{n_k - 1}
            \sum_{i: y_i = k} (h_i - \mu_k)(h_i - \mu_k)^\top, \qquad
        \Sigma_B = \frac{1}{K} \sum_k (\mu_k - \bar\mu)(\mu_k - \bar\mu)^\top

    [1]_, where every class counts alike whatever its size. As :math:`\Sigma_B` is of rank
    :math:`K - 1` at most, its pseudo-inverse is taken by that of the centred means :math:`M`:
    the share of class :math:`k` is the mean of :math:`\|(h_i - \mu_k) M^+\|^2`.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho, "Prevalence of neural collapse during the terminal
       phase of deep learning training", PNAS 2020.

    Examples
    --------
    >>> features, codes = np.array([[-1.0], [1.0], [4.0], [4.0]]), np.array([0, 0, 1, 1])
    >>> within_class(features, codes, ClassMeans.of(features, codes, 2))
    array([0.25, 0.  ])
    """
    directions = np.linalg.pinv(means.centred, rcond=ROUNDING)
    squared = (((features - means.means[codes]) @ directions) ** 2).sum(axis=1)
    n = len(means.means)
    return _divided(np.bincount(codes, squared, n), np.bincount(codes, minlength=n) - 1)


def normalized_variances(variances: np.ndarray, means: ClassMeans) -> np.ndarray:
    r"""Return each class's variance over its squared distance to the others.

    Unlike NC1 it needs no pseudo-inverse, so that two classes whose means lie close are told
    apart from a class that is wide.

    Parameters
    ----------
    variances : ndarray, shape (classes,)
        As `class_variances` returns them.
    means : ClassMeans
        Of the same examples.

    Returns
    -------
    ndarray, shape (classes,)
        Mean over the other classes :math:`j` of :math:`(s_k + s_j) / (2 \|\mu_k - \mu_j\|^2)`, with
        variances :math:`s` (class-distance normalized variance [1]_); NaN where it is unknown.

    References
    ----------
    .. [1] T. Galanti, A. György, M. Hutter, "On the role of neural collapse in transfer learning",
       ICLR 2022.

    Examples
    --------
    >>> normalized_variances(np.array([2.0, 0.0]), ClassMeans(np.array([[0.0], [4.0]])))
    array([0.0625, 0.0625])
    """
    apart = cdist(means.means, means.means, "sqeuclidean")
    np.fill_diagonal(apart, np.nan)
    values = (variances[:, None] + variances[None]) / (2 * np.where(apart > 0, apart, np.nan))
    known = ~np.isnan(values)
    return _divided(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How vectors, one a class, lie to each other.

    Parameters
    ----------
    lengths : float
        Deviation of their lengths over the mean length; 0 if all are equally long.
    angles : float
        Deviation of the cosines between pairs; 0 if all pairs are equally far apart.
    simplex : float
        Mean distance of these cosines from the smallest that is possible for all pairs at once,
        ``-1 / (classes - 1)``.
    """

    lengths: float
    angles: float
    simplex: float


def geometry(vectors: np.ndarray) -> Geometry:
    """Return how vectors lie to each other: NC2 of centred class means, or of a head's rows.

    Parameters
    ----------
    vectors : ndarray, shape (classes, features)
        At least two, none of length zero.

    Examples
    --------
    Collapsed features lie at the corners of a regular simplex:

    >>> geometry(np.array([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])).simplex < 1e-9
    True
    """
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = pair_cosines(vectors)
    return Geometry(
        lengths=float(lengths.std() / lengths.mean()),
        angles=float(cosines.std()),
        simplex=float(np.abs(cosines + 1 / (len(vectors) - 1)).mean()),
    )


def pair_cosines(vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of every pair of vectors.

    Of the rows of a head that belong to rare classes their mean tells minority collapse: it
    nears 1 where the head no longer tells these classes apart, below a ratio that depends on
    the network [1]_.

    Parameters
    ----------
    vectors : ndarray, shape (classes, features)
        None of length zero.

    Returns
    -------
    ndarray, shape (classes * (classes - 1) / 2,)

    References
    ----------
    .. [1] C. Fang et al., "Exploring deep neural networks via layer-peeled model: minority
       collapse in imbalanced training", PNAS 2021.

    Examples
    --------
    >>> pair_cosines(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))
    array([0., 1., 0.])
    """
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (directions @ directions.T)[np.triu_indices(len(vectors), 1)]


def alignment(rows: np.ndarray, means: ClassMeans) -> float:
    r"""Return how far the head's rows are from the centred class means, NC3.

    Parameters
    ----------
    rows : ndarray, shape (classes, features)
        Of the head.
    means : ClassMeans
        Of training examples.

    Returns
    -------
    float
        :math:`\| W / \|W\|_F - M / \|M\|_F \|_F`, from 0 (the same up to a factor) to 2 [1]_.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho, PNAS 2020.

    Examples
    --------
    >>> means = ClassMeans(np.array([[0.0, 1.0], [0.0, 3.0]]))
    >>> alignment(np.array([[0.0, -5.0], [0.0, 5.0]]), means)
    0.0
    """
    own, centred = rows[means.present], means.centred
    return float(np.linalg.norm(own / np.linalg.norm(own) - centred / np.linalg.norm(centred)))


def nearest_mean(features: np.ndarray, means: ClassMeans) -> CodeArray:
    """Return the class whose mean is nearest, for each example.

    NC4 is the share of examples for which it is not the class that the network chooses.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
        Features.
    means : ClassMeans
        Of training examples.

    Examples
    --------
    >>> nearest_mean(np.array([[0.2], [5.0]]), ClassMeans(np.array([[0.0], [4.0]])))
    array([0, 1])
    """
    centres = np.where(means.present[:, None], means.means, 0.0)
    squared = (centres**2).sum(axis=1) - 2 * features @ centres.T
    squared[:, ~means.present] = np.inf
    return squared.argmin(axis=1)


def _divided(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
