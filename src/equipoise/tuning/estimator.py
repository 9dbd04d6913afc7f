"""The scikit-learn edge of the search: a classifier that tunes itself in a given time."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from equipoise._typing import LogitArray, ProbaArray
from equipoise.classifier import Classifier
from equipoise.executors import open_executor
from equipoise.spec import differing
from equipoise.tuning.clock import Clock
from equipoise.tuning.layout import final_epochs, lay_out
from equipoise.tuning.options import Options
from equipoise.tuning.records import read_records
from equipoise.tuning.setup import base_params, set_up
from equipoise.tuning.space import ROLES
from equipoise.tuning.study import journal
from equipoise.tuning.winner import choose_winner


@dataclass(eq=False, repr=False, kw_only=True)
class TunedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose recipe is searched for in a given time.

    The prescription is tried first, then recipes near it, then those that a sampler proposes;
    the one that is taken is trained anew on all examples. Use it where there is time for at
    least ten trainings; `Classifier` is the prescription alone.

    Parameters
    ----------
    estimator : Classifier or None, default=None
        Parameters that differ from their default in it stay as they are; the others are
        searched. None: all are.
    time_budget : float, default=1200.0
        Seconds that fitting may take, above 0.
    metric : str or None, default=None
        What to search for; see `equipoise.selection.MONITORS`. None: balanced accuracy, or
        balanced log-loss where few examples of the rarest class are held out.
    search : sequence of str or None, default=None
        Parameters that are searched, of `equipoise.tuning.space.ROLES`; None: all of them.
    n_trials : int or None, default=None
        At most so many recipes are tried; None: as many as there is time for.
    n_folds : int or None, default=None
        Folds by which a recipe is judged; None: by the size of the rarest class, and the time.
    executor : {"here", "processes", "ray"}, default="here"
        Where trials run.
    workers : int, default=1
        How many run at once.
    folder : str or None, default=None
        Where the search is kept; None: nowhere.
    random_state : int, default=0
        Seed of everything random. How many recipes there is time for depends on the machine.

    Attributes
    ----------
    best_estimator_ : Classifier
        The recipe that was taken, trained on all examples.
    best_params_ : dict
        Its parameters that differ from those of the prescription.
    trials_ : list of Record
        All recipes that were tried.
    winner_ : Winner
        How the recipe that was taken compares with the others.
    classes_ : ndarray of shape (classes,)
        Class labels, sorted.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(300, weights=[0.9], n_informative=8, random_state=0)
    >>> model = TunedClassifier(time_budget=60, n_trials=2, n_folds=1).fit(X, y)
    >>> len(model.trials_), model.predict(X).shape
    (2, (300,))
    """

    estimator: Classifier | None = None
    time_budget: float = 1200.0
    metric: str | None = None
    search: Sequence[str] | None = None
    n_trials: int | None = None
    n_folds: int | None = None
    executor: str = "here"
    workers: int = 1
    folder: str | None = None
    random_state: int = 0

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what `Classifier` tells it."""
        return Classifier().__sklearn_tags__()

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search for a recipe, and train it on all examples.

        Parameters
        ----------
        X, y, sample_weight
            As for `Classifier.fit`.

        Returns
        -------
        TunedClassifier
            This object, fitted.
        """
        if self.folder is not None:
            return self._fit(X, y, sample_weight, Path(self.folder))
        with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
            return self._fit(X, y, sample_weight, Path(folder))

    def _fit(self, X: Any, y: Any, sample_weight: Any, folder: Path) -> Self:
        given = {} if self.estimator is None else differing(self.estimator)
        self._options.validate()
        base = Classifier(**given).set_params(random_state=self.random_state)
        clock = Clock(folder, self._options.budget)
        _, fit = base.prepare(X, y, sample_weight)
        metrics = None if self.metric is None else (self.metric,)
        layout = lay_out(fit, clock.remaining, metrics, self.n_folds)
        clock.reserve = layout.reserve
        params = base_params(base.get_params(deep=False), layout, given)
        search = set_up(
            fit,
            layout,
            self._options,
            folder=folder,
            data=fit.task,
            base=params,
            given=given,
            address=journal(folder),
        )
        with open_executor(self.executor, workers=self.workers) as executor:
            search.run(executor, clock)
        self.trials_ = read_records(folder)
        self.winner_ = choose_winner(folder, self.trials_, layout.metrics[0])
        record = self.winner_.record
        epochs = max(final_epochs(layout, record, clock.remaining), 1)
        self.best_params_ = dict(record.params)
        final = {**params, **record.params, "epochs": epochs, "validation": 0.0}
        self.best_estimator_ = Classifier(**final).fit(X, y, sample_weight)
        self.classes_ = self.best_estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.best_estimator_, name):
                setattr(self, name, getattr(self.best_estimator_, name))
        return self

    @property
    def _options(self) -> Options:
        return Options(
            budget=float(self.time_budget),
            metrics=() if self.metric is None else (self.metric,),
            roles=tuple(self.search) if self.search is not None else ROLES,
            n_trials=self.n_trials,
            n_folds=self.n_folds,
        )

    def predict_logits(self, X: Any) -> LogitArray:
        """Return logits under the class frequencies of training; see `Classifier`."""
        check_is_fitted(self)
        return self.best_estimator_.predict_logits(X)

    def predict_proba(self, X: Any) -> ProbaArray:
        """Return class probabilities under the prior for which the recipe was searched."""
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each example."""
        check_is_fitted(self)
        return self.best_estimator_.predict(X)
