"""The evaluated examples, seen as a population with given class shares."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from equipoise._typing import CodeArray, CountArray, LogitArray, PriorArray, WeightArray
from equipoise.errors import InputError
from equipoise.metrics.prior import shift_logits


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Examples, what was predicted for them, and the share of each class.

    Parameters
    ----------
    log_proba : ndarray, shape (examples, classes)
        Logarithms of the predicted probabilities, in nats.
    codes : ndarray of int, shape (examples,)
        True class of each example.
    shares : ndarray, shape (classes,)
        Share of each class in the population; 0 for a class without examples. They sum to 1.
    """

    log_proba: LogitArray
    codes: CodeArray
    shares: PriorArray

    @cached_property
    def counts(self) -> CountArray:
        """Number of examples of each class, shape ``(classes,)``."""
        return np.bincount(self.codes, minlength=len(self.shares))

    @cached_property
    def present(self) -> np.ndarray:
        """Codes of the classes that have examples, in label order."""
        return np.flatnonzero(self.counts)

    @cached_property
    def example_shares(self) -> PriorArray:
        """Weight of one example of each class, shape ``(classes,)``; 0 for an absent class."""
        return self.shares / np.maximum(self.counts, 1)

    @cached_property
    def weights(self) -> WeightArray:
        """Weight of each example, shape ``(examples,)``; they sum to 1."""
        return self.example_shares[self.codes]

    @cached_property
    def predicted(self) -> CodeArray:
        """Most probable class of each example; the first one of equals."""
        return self.log_proba.argmax(axis=1)


def make_sample(
    logits: ArrayLike,
    codes: ArrayLike,
    train_counts: ArrayLike,
    prior: ArrayLike | None = None,
    train_prior: ArrayLike | None = None,
) -> Sample:
    """Check logits and codes, and look at them under a prior.

    Parameters
    ----------
    logits : array_like, shape (examples, classes)
        Finite logits.
    codes : array_like of int, shape (examples,)
        True class of each example.
    train_counts : array_like of int, shape (classes,)
        Training examples of each class; used with a prior only.
    prior : array_like, shape (classes,), optional
        Class probabilities of the population. By default the shares are those of the data.
        Otherwise logits are shifted to it (`equipoise.metrics.prior.shift_logits`) and shares
        are taken from it, scaled to sum to 1 over the classes that have examples.
    train_prior : array_like, shape (classes,), optional
        Class probabilities that the logits contain. By default the shares of `train_counts`.

    Returns
    -------
    Sample
        In double precision.

    Raises
    ------
    InputError
        If shapes do not fit, there are no examples or fewer than two classes, a logit is not
        finite, a code is out of range, or the prior cannot be used.

    Examples
    --------
    >>> sample = make_sample([[2, 0], [1, 0], [0, 1]], [0, 0, 1], [8, 2], prior=[0.5, 0.5])
    >>> sample.weights
    array([0.25, 0.25, 0.5 ])
    """
    scores, labels = _checked_logits(logits), np.asarray(codes)
    n_examples, n_classes = scores.shape
    _check_codes(labels, n_examples, n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    shares = counts / n_examples
    train = _checked_counts(train_counts, n_classes)
    if prior is not None:
        target = _checked_prior(prior, n_classes)
        own = train / max(train.sum(), 1)
        if train_prior is not None:
            own = _checked_prior(train_prior, n_classes)
        scores = shift_logits(scores, own, target)
        shares = np.where(counts > 0, target, 0)
    return Sample(
        log_proba=log_softmax(scores), codes=labels.astype(np.int64), shares=shares / shares.sum()
    )


def log_softmax(logits: LogitArray) -> LogitArray:
    r"""Return the logarithm of the softmax of each row, finite for any finite logits.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Finite logits.

    Returns
    -------
    ndarray, shape (examples, classes)
        :math:`z_k - \max z - \log \sum_j e^{z_j - \max z}`, in nats. The largest term of the
        sum, which is 1, is added by ``log1p``: so probabilities that round to 1 keep their
        order.

    Examples
    --------
    >>> log_softmax(np.array([[1e4, -1e4], [50.0, 0.0]]))
    array([[ 0.00000000e+00, -2.00000000e+04],
           [-1.92874985e-22, -5.00000000e+01]])
    """
    top = logits.argmax(axis=1)[:, None]
    shifted = logits - np.take_along_axis(logits, top, axis=1)
    others = np.exp(shifted)
    np.put_along_axis(others, top, 0, axis=1)
    return shifted - np.log1p(others.sum(axis=1, keepdims=True))


def _checked_logits(logits: ArrayLike) -> np.ndarray:
    scores = np.asarray(logits, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[0] < 1 or scores.shape[1] < 2:
        raise InputError(
            "Logits must be a table of examples by classes, with an example and two classes.",
            f"Their shape is {scores.shape}.",
            "Pass one row for each example and one column for each class.",
        )
    if not np.isfinite(scores).all():
        wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        raise InputError(
            "Logits must be finite numbers.",
            f"Those of {len(wrong)} examples are not, first of example number {wrong[0]}.",
            "Check the model: training may have diverged.",
        )
    return scores


def _check_codes(codes: np.ndarray, n_examples: int, n_classes: int) -> None:
    if codes.shape != (n_examples,) or codes.dtype.kind not in "iu":
        raise InputError(
            "There must be one class code, a whole number, for each row of logits.",
            f"Of {n_examples} rows, the codes have shape {codes.shape} and type {codes.dtype}.",
            "Pass the position of each example's class in the list of classes.",
        )
    if codes.min() < 0 or codes.max() >= n_classes:
        raise InputError(
            f"Class codes must lie in 0 to {n_classes - 1}, as there are {n_classes} classes.",
            f"They lie in {codes.min()} to {codes.max()}.",
            "Check that labels and logits belong to the same list of classes.",
        )


def _checked_counts(train_counts: ArrayLike, n_classes: int) -> np.ndarray:
    counts = np.asarray(train_counts)
    if counts.shape != (n_classes,) or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError(
            f"There must be a training count, a whole number, for each of {n_classes} classes.",
            f"The counts are {counts.tolist()!r}.",
            "Count the training examples of each class in label order.",
        )
    return counts


def _checked_prior(prior: ArrayLike, n_classes: int) -> np.ndarray:
    target = np.asarray(prior, dtype=np.float64)
    if target.shape != (n_classes,) or not abs(target.sum() - 1) <= 1e-6:
        raise InputError(
            f"A prior must hold one probability for each of {n_classes} classes; they sum to 1.",
            f"It has shape {target.shape} and sums to {target.sum():g}.",
            "Divide the prior by its sum, and check the number of classes.",
        )
    return target
