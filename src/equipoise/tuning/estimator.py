"""The scikit-learn edge of the search: a classifier that tunes itself in a given time."""

import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from equipoise._typing import LogitArray, ProbaArray
from equipoise.classifier import Classifier
from equipoise.durations import seconds_of
from equipoise.ensembles import Ensemble
from equipoise.errors import InputError
from equipoise.executors import check_executor, open_executor
from equipoise.fitting import Fit
from equipoise.labels import draw_seed
from equipoise.runs import Run
from equipoise.settings import COMPONENTS, as_text
from equipoise.spec import differing, resolve
from equipoise.tuning.clock import Clock
from equipoise.tuning.ensemble import Selection, counts_learnt, load_members, select
from equipoise.tuning.examples import examples_hash, task_of
from equipoise.tuning.identity import Claim, as_kept, check_identity, is_begun, kept_seed
from equipoise.tuning.layout import Layout, final_epochs
from equipoise.tuning.options import Options
from equipoise.tuning.records import Record, folder_of, read_record, read_records
from equipoise.tuning.search import Search
from equipoise.tuning.setup import (
    base_params,
    begin,
    laid_out,
    refit_params,
    searched_roles,
    set_up,
)
from equipoise.tuning.space import ROLES
from equipoise.tuning.study import Address, journal
from equipoise.tuning.winner import choose_winner

KEPT = "the best recipe so far is taken, as its trial has trained it on a part of the examples."
"""What is done where no recipe is trained anew."""

STOPPED = f"The search was stopped: {KEPT} The same fit with the same folder goes on with it."
"""What a stop by Ctrl-C says."""

STOPPED_LATE = (
    f"The final training was stopped: {KEPT} The same fit with the same folder repeats it."
)
"""What it says once the search itself has ended."""

NO_TIME = f"There is no time for an epoch of the final training: {KEPT}"
"""What is said where the trials have taken all the time."""


@dataclass(eq=False, repr=False, kw_only=True)
class TunedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose recipe is searched for in a given time.

    The prescription is tried first, then recipes near it, then those that a sampler proposes;
    the one that is taken is trained anew on all examples. Use it where there is time for at
    least ten trainings; `Classifier` is the prescription alone. Unlike ``equipoise tune`` it holds
    no test set back and writes no run; keep one for yourself.

    Ctrl-C ends `fit`. With ``folder`` the best recipe so far is taken, as its trial has trained it
    on a part of the examples, with a warning, also if it was just being trained anew; the same
    `fit` goes on later. Without, or before any recipe was trained, nothing is kept.

    Parameters
    ----------
    estimator : Classifier or None, default=None
        Parameters that differ from their default in it stay as they are, also in the final
        training; the others are searched. None: all are.
    time_budget : float or str, default=1200.0
        Seconds that fitting may take, above 0, or a text such as ``"5m"`` or ``"1h30m"``.
    metric : str, sequence of str, or None, default=None
        What to search for; see `equipoise.selection.MONITORS`. None: balanced accuracy, or
        balanced log-loss where few examples of the rarest class are held out. Of several, among
        them ``"seconds"``, the first decides, and no trial is stopped early.
    search : sequence of str or None, default=None
        Parameters that are searched, of `equipoise.tuning.space.ROLES`; None: all of them, or
        none with `within`.
    within : sequence of str, default=()
        Parameters whose component stays, as `estimator` has it, while its numbers are searched.
    n_trials : int or None, default=None
        At most so many recipes are tried; None: as many as there is time for.
    n_folds : int or None, default=None
        Folds by which a recipe is judged; None: by the size of the rarest class, and the time.
    sampler : {"tpe", "random"}, default="tpe"
        How recipes are drawn once the first ones are tried.
    portfolio : bool, default=True
        Whether recipes that helped elsewhere, and such as are near the prescription, are tried
        first.
    ensemble : int, default=1
        At most so many recipes are combined, as their trials have trained them; 1: the one that
        is taken is trained anew on all examples.
    executor : {"here", "processes", "ray"}, default="here"
        Where trials run.
    workers : int, default=1
        How many run at once.
    threads : int or None, default=None
        Threads of a worker, see `equipoise.executors.open_executor`.
    address : str or None, default=None
        Address of a running Ray cluster.
    storage : str or None, default=None
        URL of a data base for the study; None: a file in ``folder``.
    folder : str or None, default=None
        Where the search is kept; None: nowhere. If it holds a search with the same data and
        parameters, that is gone on with; the time that it has used counts.
    random_state : int, RandomState or None, default=0
        Seed of everything random; that of ``estimator``, if it has another than its default, goes
        before it. If it is no number, a seed is drawn, and kept in ``folder``. How many recipes
        there is time for depends on the machine.

    Attributes
    ----------
    best_estimator_ : Classifier
        The recipe that was taken, trained on all examples; of an ensemble the best recipe alone,
        whose ``model_`` is all of them.
    best_params_ : dict
        Its parameters that differ from those of the prescription.
    best_score_ : float
        The first metric of what predicts, on held-out examples: too good, for it was chosen by it.
    search_choices_ : list of Choice
        How the search was laid out, each choice with its reason.
    trials_ : list of dict
        All recipes that were tried, as plain values: ``number``, ``state``, ``score`` in the first
        metric, None where nothing was predicted, and the other fields of
        `equipoise.tuning.records.Record`.
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
    time_budget: float | str = 1200.0
    metric: str | Sequence[str] | None = None
    search: Sequence[str] | None = None
    within: Sequence[str] = ()
    n_trials: int | None = None
    n_folds: int | None = None
    sampler: str = "tpe"
    portfolio: bool = True
    ensemble: int = 1
    executor: str = "here"
    workers: int = 1
    threads: int | None = None
    address: str | None = None
    storage: str | None = None
    folder: str | None = None
    random_state: int | np.random.RandomState | None = 0

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

        Raises
        ------
        InputError
            If the data or a parameter cannot be used, or the folder holds another search.
        """
        if self.folder is not None:
            return self._fit(X, y, sample_weight, Path(self.folder))
        with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
            return self._fit(X, y, sample_weight, Path(folder))

    def _fit(self, X: Any, y: Any, sample_weight: Any, folder: Path) -> Self:
        given, options, claim = self._given, self._options, Claim(folder)
        options.validate()
        place = {"workers": self.workers, "address": self.address, "threads": self.threads}
        check_executor(self.executor, **place)
        base = Classifier(**given).set_params(random_state=self._seed(folder))
        clock = Clock(folder, options.budget)
        examples = (X, y, sample_weight)
        _, fit = base.prepare(*examples)
        if self.ensemble > 1:
            _require_text(fit)
        searched_roles(fit, options, given)
        layout = laid_out(fit, options, clock)
        identity = self._identity(fit, given, layout)
        check_identity(folder, identity)
        clock.reserve = layout.reserve
        with claim.held():
            begin(folder, identity, layout)
            search = set_up(
                fit,
                layout,
                options,
                folder=folder,
                data=fit.task,
                base=base_params(base.get_params(deep=False), layout, given),
                given=given,
                address=self._study(folder, layout),
            )
            is_whole = self._searched(search, clock, **place)
            records, metric = read_records(folder), layout.metrics[0]
            self.winner_ = choose_winner(folder, records, metric)
            self.best_score_ = self.winner_.record.scores[metric]
            self.best_estimator_, record = (
                self._finished(search, layout, clock, examples)
                if is_whole and not layout.alone
                else self._kept(search, examples)
            )
        self.search_choices_ = list(layout.choices)
        self.trials_ = [{**asdict(r), "score": r.scores.get(metric)} for r in records]
        self.best_params_ = {k: v for k, v in record.params.items() if v != records[0].params[k]}
        self.classes_ = self.best_estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.best_estimator_, name):
                setattr(self, name, getattr(self.best_estimator_, name))
        return self

    def _searched(self, search: Search, clock: Clock, **place: Any) -> bool:
        """Try recipes; False if Ctrl-C has ended that, and there is a recipe to take."""
        try:
            with open_executor(self.executor, **place) as executor:
                search.run(executor, clock)
        except KeyboardInterrupt:
            known = read_records(search.folder)
            if self.folder is None or not any(record.scores for record in known):
                raise
            warnings.warn(STOPPED, stacklevel=4)
            return False
        return True

    def _finished(
        self, search: Search, layout: Layout, clock: Clock, examples: tuple[Any, Any, Any]
    ) -> tuple[Classifier, Record]:
        """Return what `_final` does; if Ctrl-C has ended that, the recipe as its trial left it."""
        before = clock.used
        try:
            with clock.running():
                found = self._final(search, layout, clock, examples)
            # The same fit again has as much time for the same training.
            Run(search.folder).write_json("clock.json", {"used": before})
            return found
        except KeyboardInterrupt:
            if self.folder is None:
                raise
            warnings.warn(STOPPED_LATE, stacklevel=4)
            self.best_score_ = self.winner_.record.scores[layout.metrics[0]]
            return self._kept(search, examples)

    def _final(
        self, search: Search, layout: Layout, clock: Clock, examples: tuple[Any, Any, Any]
    ) -> tuple[Classifier, Record]:
        """Return what predicts, and its recipe, or the first of those that are combined."""
        metric, most, records = layout.metrics[0], self.ensemble, read_records(search.folder)
        selection = select(search.folder, records, metric, most) if most > 1 else None
        if selection is not None:
            self.best_score_ = selection.score
            return self._combined(search, selection, layout.n_folds, examples)
        record = self.winner_.record
        fitting, epochs = final_epochs(layout, record, clock.remaining), search.base["epochs"]
        if not fitting:
            warnings.warn(NO_TIME, stacklevel=5)
            return self._kept(search, examples)
        epochs = fitting if epochs == "auto" else epochs
        trial = folder_of(search.folder, record.number)
        best = Classifier(**refit_params(search.base, record.params, epochs, trial))
        classes, fit = best.prepare(*examples)
        fit.run(deadline=time.monotonic() + clock.remaining)
        return best.keep(classes, fit), record

    def _combined(
        self, search: Search, selection: Selection, n_folds: int, examples: tuple[Any, Any, Any]
    ) -> tuple[Classifier, Record]:
        """Return the best recipe alone, which predicts with the models of all."""
        record = read_record(folder_of(search.folder, next(iter(selection.weights))))
        assert record is not None  # it was chosen by what it has left
        best, fit = self._as_tried(search, record, examples)
        members = load_members(search.folder, selection, n_folds, fit.device.name)
        best.model_ = Ensemble(members=members, counts=counts_learnt(task_of(search.data), n_folds))
        return best, record

    def _kept(self, search: Search, examples: tuple[Any, Any, Any]) -> tuple[Classifier, Record]:
        """Return the best recipe, which predicts with the model of the first fold of its trial."""
        record = self.winner_.record
        best, fit = self._as_tried(search, record, examples)
        alone = Selection(weights={record.number: 1.0}, score=0.0, alone=0.0)
        best.model_ = load_members(search.folder, alone, 1, fit.device.name)[0].model
        return best, record

    def _as_tried(
        self, search: Search, record: Record, examples: tuple[Any, Any, Any]
    ) -> tuple[Classifier, Fit]:
        """Return a recipe with the history of its trial; its model is still to come."""
        best = Classifier(**{**search.base, **record.params, "epochs": record.epochs})
        classes, fit = best.prepare(*examples)
        fit.training.history = Run(folder_of(search.folder, record.number)).history
        return best.keep(classes, fit), fit

    def _identity(self, fit: Fit, given: dict[str, Any], layout: Layout) -> dict[str, Any]:
        """Return what a search that is gone on with shares with its start."""
        options = self._options
        return {
            "data": examples_hash(fit.task),
            "seed": fit.seed,
            "params": {name: as_text(value) for name, value in given.items()},
            "roles": list(options.roles),
            "within": list(options.within),
            "metrics": list(options.metrics or layout.metrics),
            "folds": options.n_folds or layout.n_folds,
            "ensemble": options.ensemble,
            "storage": None if self.storage is None else Address(self.storage).public,
        }

    def _study(self, folder: Path, layout: Layout) -> Address:
        """Return where the study is kept."""
        if self.storage is None:
            return journal(folder, layout.first_rung)
        name = Run(folder).read_json("search.json")["study"]
        return Address(self.storage, name, layout.first_rung)

    @property
    def _given(self) -> dict[str, Any]:
        """Parameters that stay as they are; the seed is none of them."""
        given = {} if self.estimator is None else differing(self.estimator)
        return {name: value for name, value in given.items() if name != "random_state"}

    def _seed(self, folder: Path) -> int:
        """Return the seed as given, that of the search in a folder, or one that is drawn."""
        own = {} if self.estimator is None else differing(self.estimator)
        given = own.get("random_state", self.random_state)
        is_drawn = not isinstance(given, int | np.integer)
        return kept_seed(folder) if is_drawn and is_begun(folder) else draw_seed(given)

    @property
    def _options(self) -> Options:
        return Options(
            budget=seconds_of(self.time_budget),
            metrics=(self.metric,) if isinstance(self.metric, str) else tuple(self.metric or ()),
            roles=tuple(self.search if self.search is not None else () if self.within else ROLES),
            within=tuple(self.within),
            n_trials=as_kept(self.n_trials),
            n_folds=as_kept(self.n_folds),
            sampler=self.sampler,
            portfolio=self.portfolio,
            ensemble=as_kept(self.ensemble),
            storage=self.storage,
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


def _require_text(fit: Fit) -> None:
    """Refuse components that an ensemble, which is rebuilt from text, could not be made of."""
    for name in ("backbone", "head"):
        try:
            resolve(fit.network[name], COMPONENTS[name], name)
        except InputError as error:
            raise InputError(
                f"The {name} of an ensemble must be one of Equipoise's own.",
                f"It is {fit.network[name]}.",
                "Leave out `ensemble`, or use another.",
            ) from error
