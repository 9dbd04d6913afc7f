"""What a method that acts after training is: a component that changes a linear head, once."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from jaxtyping import Float

from equipoise._typing import CodeArray, CountArray, LogitArray, PriorArray
from equipoise.errors import InputError
from equipoise.spec import Component

FeatureArray = Float[np.ndarray, "examples features"]
"""What a backbone returns: one vector an example."""

ClassRows = Float[np.ndarray, "classes features"]
"""One vector a class: its weights, or its mean features."""

Offsets = Float[np.ndarray, " classes"]
"""What is added to the logits of each class."""

MemberRows = Float[np.ndarray, "members classes features"]
"""The rows of each member's head; a network that is no ensemble is its own only member."""

MemberOffsets = Float[np.ndarray, "members classes"]
"""The bias of each member's head."""

MemberLogits = Float[np.ndarray, "examples members classes"]
"""Logits of each member, before they are pooled."""


MemberLengths = Float[np.ndarray, " members"]
"""A length of features, of each member."""


class Evidence(Protocol):
    """What a method may look at: the trained head, training and held-out examples; no test data."""

    @property
    def weight(self) -> MemberRows:
        """Rows of the trained head."""
        ...

    @property
    def bias(self) -> MemberOffsets:
        """Its bias."""
        ...

    @property
    def prior(self) -> PriorArray:
        """The class probabilities that its logits contain."""
        ...

    @property
    def counts(self) -> CountArray:
        """Training examples of each class."""
        ...

    @property
    def codes(self) -> CodeArray:
        """Classes of the held-out examples."""
        ...

    def products(self, rows: MemberRows) -> MemberLogits:
        """Return the products of the held-out examples' features with rows."""
        ...

    def means(self) -> tuple[MemberRows, MemberLengths]:
        """Return the mean features of each class in training, and their root mean square length."""
        ...

    def gain(self, logits: MemberLogits) -> tuple[float, float]:
        """Return how good logits of the held-out examples are by the monitor; larger is better.

        They are judged as the network predicts by them. Second comes minus the balanced log-loss,
        by which equal ones are told apart.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadChange:
    """The head that a method has made, and what it has chosen.

    Parameters
    ----------
    weight : ndarray of float, shape (members, classes, features)
        Its rows.
    bias : ndarray of float, shape (members, classes)
        Its bias.
    prior : ndarray of float, shape (classes,)
        The class probabilities that its logits contain.
    chosen : mapping of str to (value, str)
        What was chosen, as numbers or lists of them, each with the reason.
    found : mapping of str to float
        What else is to be kept with the run.
    score : str or None, default=None
        By which validation score it is to be judged; None: the monitor.
    is_new : bool, default=False
        Whether nothing is left of the head that the loss has fitted, so that its logits predict as
        they are, see `equipoise.standard.losses.Loss.posterior_logits`.
    """

    weight: MemberRows
    bias: MemberOffsets
    prior: PriorArray
    chosen: Mapping[str, tuple[Any, str]]
    found: Mapping[str, float]
    score: str | None = None
    is_new: bool = False


@dataclass(eq=False, repr=False, kw_only=True)
class PostHoc(Component):
    """Base of methods that act after training, once, on the best weights.

    They change the weights of the head `Linear` and nothing else, so a saved run is an ordinary
    one. They choose by predictions as the head gives them, whatever prior they are corrected to
    later, and draw no random numbers.
    """

    reads_training: ClassVar[bool] = False
    """Whether the features of all training examples are computed once more."""

    exact_prior: ClassVar[bool] = True
    """Whether logits contain a known prior afterwards if they did before; otherwise correction to
    other class frequencies is a heuristic."""

    @property
    @abstractmethod
    def needs_validation(self) -> bool:
        """Whether something is chosen by held-out examples."""

    def check(self, members: int | None) -> None:
        """Raise `InputError` if the method cannot act on such a head.

        Parameters
        ----------
        members : int or None
            Networks that predict together by it; None: no ensemble.
        """

    @abstractmethod
    def change(self, evidence: Evidence) -> HeadChange:
        """Return the head that shall predict.

        Parameters
        ----------
        evidence : Evidence
            What may be looked at.
        """


def pooled(logits: MemberLogits) -> LogitArray:
    """Return the logarithm of the mean over members of their probabilities; of one, its logits.

    >>> pooled(np.array([[[50.0, 0.0], [0.0, 50.0]]])).round(4)
    array([[-0.6931, -0.6931]])
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    return np.logaddexp.reduce(log_shares(logits), axis=1) - np.log(logits.shape[1])


def log_shares(logits: np.ndarray) -> np.ndarray:
    """Return logits less the logarithm of the sum of their exponentials, along the last axis."""
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def normalised_prior(logs: np.ndarray) -> PriorArray:
    """Return class probabilities, all above zero, from their logarithms up to a constant.

    >>> normalised_prior(np.log([3.0, 1.0]))
    array([0.75, 0.25])
    """
    shares = np.exp(np.maximum(log_shares(np.asarray(logs, np.float64)), -600.0))
    return shares / shares.sum()


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `InputError` if a word is none of those that may stand here."""
    if value not in choices:
        raise InputError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}.",
            f"It is {value!r}.",
            "Choose one of these.",
        )
