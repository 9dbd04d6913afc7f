"""The class probabilities of the place where a classifier will be used."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise._typing import CountArray, LogitArray, PriorArray
from equipoise.errors import InputError


def shift_logits(logits: LogitArray, train_prior: PriorArray, prior: PriorArray) -> LogitArray:
    r"""Return the logits of a classifier for a population with other class probabilities.

    Parameters
    ----------
    logits : ndarray, shape (examples, classes)
        Logits of a classifier trained under `train_prior`.
    train_prior, prior : ndarray, shape (classes,)
        Class probabilities in training and in the population; both positive.

    Returns
    -------
    ndarray, shape (examples, classes)
        Shifted logits; equal priors change nothing.

    Raises
    ------
    InputError
        If a probability is not positive and finite.

    Notes
    -----
    By Bayes' rule, when the classes look the same in both places and only their shares differ,
    :math:`q(k | x) \propto p(k | x) \, q_k / \pi_k`, hence [1]_

    .. math:: z'_k = z_k + \log q_k - \log \pi_k

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to
       new a priori probabilities: a simple procedure", Neural Computation 14, 2002.

    Examples
    --------
    An undecided answer goes to the class that was rare in training:

    >>> shift_logits(np.zeros((1, 2)), np.array([0.9, 0.1]), np.array([0.5, 0.5])).round(3)
    array([[-0.588,  1.609]])
    """
    _check_positive(train_prior, "training share")
    _check_positive(prior, "prior probability")
    return logits + (np.log(prior) - np.log(train_prior))


def _check_positive(probabilities: PriorArray, what: str) -> None:
    wrong = np.flatnonzero(~((probabilities > 0) & np.isfinite(probabilities)))
    if len(wrong):
        raise InputError(
            f"Every class needs a {what} above zero to correct for another prior.",
            f"The one of class number {wrong[0]} is {probabilities[wrong[0]]:g}.",
            "Leave out that class, or evaluate the data as they are.",
        )


def parse_prior(
    text: str, classes: Sequence[str], train_counts: CountArray | PriorArray
) -> PriorArray | None:
    """Read a prior as it is written on the command line.

    Parameters
    ----------
    text : str
        ``"none"`` or ``"as-is"``: the data as they are; ``"balanced"``: all classes alike;
        ``"train"``: the shares in training; or every class with its probability, as
        ``"a=0.9,b=0.1"``. In that form spaces around names and numbers do not count.
    classes : sequence of str
        Class names in label order.
    train_counts : ndarray, shape (classes,)
        Training examples of each class, or shares in proportion to them.

    Returns
    -------
    ndarray, shape (classes,), or None
        Class probabilities that sum to 1; None for the data as they are.

    Raises
    ------
    InputError
        If a class is missing, unknown or named twice, a probability is not a number above 0,
        they do not sum to 1 within 1e-6, or class names contain ``"="`` or ``","``, which
        this form cannot tell from its own signs.

    Examples
    --------
    >>> counts = np.array([90, 10])
    >>> parse_prior("cat=0.7, dog=0.3", ["cat", "dog"], counts)
    array([0.7, 0.3])
    >>> parse_prior("train", ["cat", "dog"], counts)
    array([0.9, 0.1])
    >>> parse_prior("none", ["cat", "dog"], counts) is None
    True
    """
    word = text.strip().lower()
    if word in ("none", "as-is"):
        return None
    if word == "balanced":
        return np.full(len(classes), 1 / len(classes))
    if word == "train":
        return train_counts / train_counts.sum()
    return _parse_pairs(text.strip(), classes)


def resolve_prior(
    prior: Any,
    classes: Sequence[Any],
    train_counts: CountArray | PriorArray,
) -> PriorArray | None:
    """Return the class probabilities that a prior stands for, however it is given.

    Parameters
    ----------
    prior : text, mapping of class to probability, array_like of shape (classes,), or None
        Text as for `parse_prior`. A mapping, such as a Series of pandas, names every class; an
        array has the order of `classes`. None is ``"none"``.
    classes : sequence of shape (classes,)
        Class labels in the order of the codes.
    train_counts : ndarray, shape (classes,)
        Training examples of each class, or their shares: what ``"train"`` means.

    Returns
    -------
    ndarray, shape (classes,), or None
        None for ``"none"``: probabilities as the network gives them.

    Raises
    ------
    InputError
        If it is none of these, or its probabilities are not above 0 or do not sum to 1.

    Examples
    --------
    >>> counts = np.array([90, 10])
    >>> resolve_prior({"dog": 0.3, "cat": 0.7}, ["cat", "dog"], counts)
    array([0.7, 0.3])
    >>> resolve_prior([0.7, 0.3], ["cat", "dog"], counts)
    array([0.7, 0.3])
    """
    names = [str(label) for label in classes]
    if prior is None or isinstance(prior, str):
        return parse_prior("none" if prior is None else prior, names, train_counts)
    # A Series of pandas: by its labels, for `value_counts` sorts by frequency.
    given = prior.to_dict() if hasattr(prior, "to_dict") else prior
    if not isinstance(given, Mapping):
        return _in_order(given, names)
    named = {str(label): value for label, value in given.items()}
    if set(named) != set(names):
        raise _unusable(f"It is {given!r}.", names)
    return _in_order([named[name] for name in names], names)


def _in_order(values: Any, names: Sequence[str]) -> PriorArray:
    try:
        prior = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise _unusable(f"It is {values!r}.", names) from None
    if prior.shape != (len(names),) or not (prior > 0).all():
        raise _unusable(f"It is {values!r}.", names)
    if not abs(prior.sum() - 1) <= 1e-6:
        raise _unusable(f"{_sum(prior.sum())} It is {values!r}.", names, prior.sum())
    return prior / prior.sum()


def _unusable(actual: str, names: Sequence[str], total: float = 1.0) -> InputError:
    return InputError(
        f"The prior must give each of {', '.join(names)} a probability above 0, 1 in all.",
        actual,
        _divide(total) or 'Give every class, by name or in this order, or "train" or "balanced".',
    )


def _sum(total: float) -> str:
    return f"They sum to {total:g}{', as percentages do' if abs(total - 100) < 0.5 else ''}."


def _divide(total: float) -> str:
    return f"Divide each of them by {total:g}." if total > 0 and abs(total - 1) > 1e-6 else ""


def _parse_pairs(text: str, classes: Sequence[str]) -> PriorArray:
    _check_names(text, classes)
    given: dict[str, float] = {}
    for pair in text.split(","):
        name, _, number = (part.strip() for part in pair.partition("="))
        if name not in classes or name in given:
            raise _unreadable(
                f"{name!r} is {'named twice' if name in given else 'no class'}.", text, classes
            )
        given[name] = _probability(name, number, text, classes)
    missing = [name for name in classes if name not in given]
    if missing:
        raise _unreadable(f"{missing[0]!r} is missing.", text, classes)
    total = sum(given.values())
    if abs(total - 1) > 1e-6:
        raise _unreadable(_sum(total), text, classes, total)
    return np.array([given[name] for name in classes]) / total


def _check_names(text: str, classes: Sequence[str]) -> None:
    for name in classes:
        if "=" in name or "," in name:
            raise InputError(
                "A prior can be written as text only if no class name contains '=' or ','.",
                f"There is a class {name!r}, and the prior is {text!r}.",
                'Use "none", "balanced" or "train", or give the prior as an array in Python.',
            )


def _probability(name: str, number: str, text: str, classes: Sequence[str]) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < np.inf:
        raise _unreadable(f"The probability of {name!r} is {number!r}.", text, classes)
    return value


def _unreadable(actual: str, text: str, classes: Sequence[str], total: float = 1.0) -> InputError:
    share = f"{1 / len(classes):.3g}"
    return InputError(
        "A prior is none, balanced, train, or each class once with a probability above 0, "
        "which sum to 1.",
        f"{actual} The prior is {text!r}.",
        _divide(total) or f'Write "balanced", or for example "{classes[0]}={share},...".',
    )
