"""The nearest mean of a class instead of a trained head."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from scipy.optimize import minimize_scalar

from equipoise._typing import CodeArray, LogitArray
from equipoise.errors import InputError
from equipoise.spec import bounded
from equipoise.specialized.posthoc.base import (
    ClassRows,
    Evidence,
    FeatureArray,
    HeadChange,
    MemberLogits,
    PostHoc,
    check_choice,
    log_shares,
    pooled,
)

Distance = Literal["cosine", "euclidean"]
"""How near features are to a class mean."""

SCALES = (0.1, 1000.0)
"""The smallest and the largest scale that is tried."""


def nearest_class_mean(features: FeatureArray, codes: CodeArray, n_classes: int) -> ClassRows:
    """Return the mean features of each class, for `ncm_logits`.

    Parameters
    ----------
    features : ndarray of float, shape (examples, features)
        Features of training examples.
    codes : ndarray of int, shape (examples,)
        Their classes.
    n_classes : int
        How many classes there are.

    Returns
    -------
    ndarray of float64, shape (classes, features)

    Raises
    ------
    InputError
        If a class has no example.

    Examples
    --------
    >>> nearest_class_mean(np.array([[0.0, 2.0], [2.0, 2.0], [5.0, 1.0]]), np.array([0, 0, 1]), 2)
    array([[1., 2.],
           [5., 1.]])
    """
    counts = np.bincount(codes, minlength=n_classes)
    if not counts.all():
        raise InputError(
            "Every class needs an example to have a mean.",
            f"Class number {int(counts.argmin())} has none.",
            "Leave out that class, or give examples of it.",
        )
    sums = np.zeros((n_classes, features.shape[1]))
    np.add.at(sums, codes, features)
    return sums / counts[:, None]


def ncm_logits(features: FeatureArray, means: ClassRows, metric: Distance = "cosine") -> LogitArray:
    r"""Return how near each example is to the mean of each class.

    A classifier without weights of its own, so one that has no size of classes to forget. It
    shows how good features are apart from the head; as a classifier a trained head is usually
    better.

    Parameters
    ----------
    features : ndarray of float, shape (examples, features)
        Features :math:`h`.
    means : ndarray of float, shape (classes, features)
        Means :math:`m_k` of `nearest_class_mean`.
    metric : {"cosine", "euclidean"}, default="cosine"
        What near means.

    Returns
    -------
    ndarray of float64, shape (examples, classes)
        :math:`\cos(h, m_k)`, with 0 where either is zero, or
        :math:`-\frac{1}{2} \lVert h - m_k \rVert_2^2`; the largest is the nearest. Their scale is
        arbitrary: as probabilities they would be nonsense before calibration.

    Raises
    ------
    InputError
        If the metric is neither of the two.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> features, means = np.array([[3.0, 0.0]]), np.array([[2.0, 2.0], [9.0, 0.0]])
    >>> ncm_logits(features, means).round(4)
    array([[0.7071, 1.    ]])
    >>> ncm_logits(features, means, metric="euclidean")
    array([[ -2.5, -18. ]])
    """
    check_choice("metric", metric, ("cosine", "euclidean"))
    own, centres = np.asarray(features, np.float64), np.asarray(means, np.float64)
    if metric == "cosine":
        return _unit(own) @ _unit(centres).T
    origin = centres.mean(axis=0)  # far from it, squares would swallow their differences
    own, centres = own - origin, centres - origin
    halves = 0.5 * (own**2).sum(axis=1)[:, None] + 0.5 * (centres**2).sum(axis=1)
    return own @ centres.T - halves


@dataclass(eq=False, repr=False, kw_only=True)
class NearestMean(PostHoc):
    r"""The class with the nearest mean in the features of the training examples.

    The trained head is thrown away, and with it what it has learnt of class sizes; the class of
    one example counts as much as that of a thousand. It shows what the features are worth apart
    from the head. Means of a few examples are uncertain, and of training examples, on which
    features fit better than on others; a trained head with prior correction is usually better.

    Parameters
    ----------
    scale : float or "auto", default="auto"
        How sure the probabilities are, above 0; no prediction depends on it unless `prior` asks
        for other class frequencies. ``"auto"``: what is best on the held-out examples by log-loss,
        from 0.1 to 1000. A number needs none: about that of the head `Cosine`, say 16.

    Notes
    -----
    With features :math:`h`, the root mean square :math:`r` of their lengths in training, the means
    :math:`m_k` of the classes and the scale :math:`s`

    .. math:: z_k = \frac{s}{r} \, h^\top \frac{m_k}{\lVert m_k \rVert_2}

    The largest logit is that of the largest cosine between :math:`h` and :math:`m_k`, and that of
    the smallest Euclidean distance to the means at length one [1]_; so it is a linear head
    without a bias. Examples count by their ``sample_weight``; each member of an ensemble has
    means of its own.

    Logits contain equal class probabilities. The held-out examples come with those of training,
    so the scale is that with the smallest log-loss of :math:`z_k + \log n_k`, with :math:`n_k`
    training examples of class :math:`k`. A share :math:`1 / (n + 1)` of the label of each
    of :math:`n` examples is spread over all classes: without a mistake among few examples the
    best scale would be infinite.

    References
    ----------
    .. [1] B. Kang et al., "Decoupling representation and classifier for long-tailed
       recognition", ICLR 2020, section 4.2. https://arxiv.org/abs/1910.09217

    Examples
    --------
    >>> NearestMean(scale=16.0).needs_validation, NearestMean().needs_validation
    (False, True)
    """

    reads_training: ClassVar[bool] = True
    exact_prior: ClassVar[bool] = False

    scale: float | str = bounded("auto", low=0, open_low=True, auto=True)

    @property
    def needs_validation(self) -> bool:
        """Whether `scale` is chosen by held-out examples."""
        return self.scale == "auto"

    def change(self, evidence: Evidence) -> HeadChange:
        """Return the head whose rows are the means."""
        means, lengths = evidence.means()
        rows = _unit(means) / np.where(lengths > 0, lengths, 1.0)[:, None, None]
        scale, reason = float(self.scale) if self.scale != "auto" else 1.0, "as given"
        if self.scale == "auto":
            scale = best_scale(evidence.products(rows), evidence.codes, np.log(evidence.counts))
            reason = f"the smallest log-loss on {len(evidence.codes)} held-out examples"
        n_classes = means.shape[1]
        return HeadChange(
            weight=scale * rows,
            bias=np.zeros(rows.shape[:2]),
            prior=np.full(n_classes, 1 / n_classes),
            chosen={"scale": (scale, reason)},
            found={},
            is_new=True,
        )


def best_scale(products: MemberLogits, codes: CodeArray, shift: np.ndarray) -> float:
    """Return the scale of logits with the smallest log-loss, to three digits.

    Parameters
    ----------
    products : ndarray of float, shape (examples, members, classes)
        Logits of scale 1.
    codes : ndarray of int, shape (examples,)
        Classes of the examples.
    shift : ndarray of float, shape (classes,)
        Added to the logits once they are scaled.

    Examples
    --------
    One of four examples is wrong, so log-odds of 2 s should be nearly log 3:

    >>> products = np.tile([[[1.0, -1.0]]], (400, 1, 1))
    >>> best_scale(products, np.array([0, 0, 0, 1] * 100), np.zeros(2))
    0.548
    """
    spread = 1 / (len(codes) + 1)
    rows = np.arange(len(codes))

    def loss(log_scale: float) -> float:
        logs = log_shares(pooled(np.exp(log_scale) * products) + shift)
        return -float((1 - spread) * logs[rows, codes].mean() + spread * logs.mean())

    found = minimize_scalar(loss, bounds=np.log(SCALES), method="bounded")
    return float(f"{np.exp(found.x):.3g}")


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
