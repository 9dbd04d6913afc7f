"""What every learner of another library takes and returns."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray, IndexArray, LogitArray


@dataclass(frozen=True, eq=False)
class Rows:
    """A table, its classes and its parts.

    Parameters
    ----------
    X : DataFrame
        Numbers, categories and missing values.
    codes : ndarray of int, shape (rows,)
        Classes.
    train, validation, test : ndarray of int
        Positions of the rows to learn from, to choose by, and to predict.
    n_classes : int
        Number of classes.
    """

    X: pd.DataFrame
    codes: CodeArray
    train: IndexArray
    validation: IndexArray
    test: IndexArray
    n_classes: int

    @property
    def learnt(self) -> IndexArray:
        """Rows of the final training: those held out for choices are learnt from, too."""
        return np.union1d(self.train, self.validation)

    @cached_property
    def prepared(self) -> pd.DataFrame:
        """The table as boosting takes it: plain names, float64 and pandas categories.

        A category that no row of `learnt` has counts as missing, as in a table that comes later.
        """
        columns = {f"c{i}": self._column(self.X.iloc[:, i]) for i in range(self.X.shape[1])}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.X)))

    def _column(self, column: pd.Series) -> pd.Series:
        values = column.reset_index(drop=True)
        if pd.api.types.is_datetime64_any_dtype(values):
            seconds = values.astype("int64").astype(float) / 1e9
            return seconds.where(values.notna())
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            return values.astype(float)
        texts = values.astype(object).where(values.notna(), None)
        known = sorted({str(text) for text in texts.iloc[self.learnt] if text is not None})
        wanted = set(known)
        named = [None if text is None or str(text) not in wanted else str(text) for text in texts]
        return pd.Series(pd.Categorical(named, categories=known))

    def learning_from(self, train: IndexArray, validation: IndexArray) -> "Rows":
        """Return the same table, cut in another way; `prepared` stays as it is."""
        cut = replace(self, train=train, validation=validation)
        cut.__dict__["prepared"] = self.prepared
        return cut

    def counts(self, rows: IndexArray) -> np.ndarray:
        """Return how many of some rows are of each class."""
        return np.bincount(self.codes[rows], minlength=self.n_classes)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a learner may use.

    Parameters
    ----------
    ends : float, optional
        Time of `time.monotonic` when search, training and prediction shall be done; by default
        there is no end.
    n_trials : int or None, default=None
        At most so many settings of its numbers are tried; None: as many as there is time for.
    threads : int, default=1
        How many processors it computes with.

    Examples
    --------
    >>> limits = Limits(ends=time.monotonic() + 100, threads=2)
    >>> half = limits.share(0.5)
    >>> round(half.left), half.threads, Limits().share(0.5).left
    (50, 2, inf)
    """

    ends: float = math.inf
    n_trials: int | None = None
    threads: int = 1

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 when the time is up."""
        return self.ends - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.left <= 0

    def share(self, share: float) -> "Limits":
        """Return limits that end when a share of the time that is left has been used."""
        return replace(self, ends=time.monotonic() + share * self.left)


FIRST_SHARE = 0.5
"""Of the time without the search, the share of the training that predicts validation rows."""

LAST_SHARE = 0.9
"""Of the time that is left then, the share of the final training; the rest is for predictions."""


def not_told() -> None:
    """Be told of nothing: nobody counts looks at the test rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a learner predicts.

    Parameters
    ----------
    validation, test : ndarray, shape (rows, classes)
        Log-probabilities; those of validation rows by a learner that has not seen them.
    prior : ndarray, shape (classes,)
        Class probabilities that these contain, to be corrected from.
    facts : dict
        ``trials``, ``params`` and ``library``, as JSON holds them.
    exact_prior : bool, default=True
        Whether the probabilities contain `prior` exactly where the learner is free to fit, so that
        correcting from it is Bayes' rule.
    """

    validation: LogitArray
    test: LogitArray
    prior: np.ndarray
    facts: Mapping[str, Any]
    exact_prior: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class Opponent(ABC):
    """A learner of another library.

    Parameters
    ----------
    name : str
        What it is called in a comparison.
    summary : str
        What it is, in a sentence.
    source : str
        Where it comes from, as `equipoise.citations` has it.
    """

    name: str
    summary: str
    source: str

    @abstractmethod
    def answer(
        self,
        rows: Rows,
        seed: int,
        *,
        limits: Limits,
        metric: str,
        search: bool,
        look: Callable[[], None] = not_told,
    ) -> Answer:
        """Train, with a search of its numbers if so wished, and predict.

        Parameters
        ----------
        rows : Rows
            The table.
        seed : int
            Seed of everything random.
        limits : Limits
            Time, trials and processors. Training ends with what is there when its time is up.
        metric : str
            What a search is for; see `equipoise.selection.MONITORS`.
        search : bool
            Whether its numbers are searched; else the library's defaults are taken.
        look : callable, optional
            Called once, after all training and before test rows are predicted.

        Raises
        ------
        InputError
            If the library is not installed, or a search has no end.
        """


def log_probabilities(
    proba: np.ndarray, classes: np.ndarray, n_classes: int, least: float = 1e-12
) -> LogitArray:
    """Return log-probabilities of all classes from those of the classes that were learnt.

    Examples
    --------
    >>> found = log_probabilities(np.array([[0.25, 0.75]]), np.array([0, 2]), 3, least=1e-3)
    >>> np.exp(found).round(3)
    array([[0.25 , 0.001, 0.749]])
    """
    found = np.full((len(proba), n_classes), least)
    found[:, classes] = np.clip(proba.astype(np.float64), least, 1)
    return np.log(found / found.sum(axis=1, keepdims=True))


def class_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Return weights proportional to a negative power of the counts, 1 on average.

    Examples
    --------
    >>> class_weights(np.array([90, 10]), 1.0)
    array([0.55555556, 5.        ])
    """
    weights = np.maximum(counts, 1).astype(float) ** -power
    return weights * counts.sum() / (weights * counts).sum()


def contained_prior(counts: np.ndarray, power: float) -> np.ndarray:
    """Return the class probabilities that a training with such weights teaches."""
    mass = np.maximum(counts, 1e-12) * class_weights(counts, power)
    return mass / mass.sum()
