"""From an experiment and a time budget to a run of the best recipe found."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.adjustment import Adjustment
from equipoise.checkpoints import read_checkpoint, read_tensors
from equipoise.ensembles import Ensemble
from equipoise.errors import TrainingError
from equipoise.executors import Executor, Here
from equipoise.experiment import Experiment, travelling, travelling_params
from equipoise.fitting import Fit
from equipoise.plan import Plan
from equipoise.progress import Observer
from equipoise.resuming import checkpoint_of, discard_unfinished, earlier_looks
from equipoise.runs import SEARCH, Run
from equipoise.seeds import derive_seed
from equipoise.settings import as_text
from equipoise.tuning.clock import Clock
from equipoise.tuning.division import SPARE_SHARE
from equipoise.tuning.ensemble import Selection, Time, counts_learnt, load_members, select, stored
from equipoise.tuning.examples import parts_hash
from equipoise.tuning.folds import folds_of, unjudged
from equipoise.tuning.identity import Claim, check_identity, require_place
from equipoise.tuning.layout import Layout, final_epochs
from equipoise.tuning.options import Options
from equipoise.tuning.outcome import choices_found, predicted_test, summary
from equipoise.tuning.records import Record, fold_folder, folder_of, read_records, remove_models
from equipoise.tuning.search import Search, Watcher
from equipoise.tuning.setup import (
    base_params,
    begin,
    laid_out,
    refit_params,
    searched_roles,
    set_up,
)
from equipoise.tuning.study import Address, address_of, journal
from equipoise.tuning.winner import Winner, choose_winner


@dataclass(eq=False)
class Tuner:
    """A search over the recipes of an experiment, and the training of the one that it takes.

    Parameters
    ----------
    experiment : Experiment
        The data, and the parameters that are fixed.
    folder : Path
        Where the run shall be; the search is kept in ``search`` below it.
    options : Options
        How to search.
    clock : Clock
        The time that is used and left.
    claim : Claim
        Keeps other processes from the search; what holds it over `search` and `finish` lets none
        in between.
    """

    experiment: Experiment
    folder: Path
    options: Options
    clock: Clock = field(init=False)
    claim: Claim = field(init=False)

    @property
    def search_folder(self) -> Path:
        """Where the search is kept."""
        return self.folder / SEARCH

    @classmethod
    def make(
        cls,
        experiment: Experiment,
        folder: Path,
        options: Options,
        *,
        resume: bool = False,
        begun: float | None = None,
    ) -> "Tuner":
        """Read the data, measure this machine, and lay the search out.

        Parameters
        ----------
        experiment, folder, options
            As for the tuner itself.
        resume : bool, default=False
            Go on with the search in the folder, if there is one.
        begun : float or None, default=None
            Time of `time.monotonic` from which the budget counts; None: now.

        Raises
        ------
        InputError
            If the folder is taken, holds another search, the data or a setting cannot be used, or
            reading and measuring have taken all the time.
        """
        options.validate()
        require_place(folder, resume=resume)
        tuner = cls(experiment, folder, options)
        tuner.claim = Claim(tuner.search_folder)
        tuner.clock = Clock(tuner.search_folder, options.budget, begun=begun)
        check_identity(tuner.search_folder, tuner.identity)
        searched_roles(tuner.plan.fit, options, experiment.params)
        tuner.clock.reserve = tuner.layout.reserve
        return tuner

    @property
    def identity(self) -> dict[str, Any]:
        """What a resumed search shares with its start."""
        parts, options, layout = self.plan.parts, self.options, self.layout
        return {
            "data": parts.dataset.fingerprint,
            "split": parts.fingerprint,
            "seed": self.experiment.seed,
            "params": {name: as_text(value) for name, value in self.experiment.params.items()},
            "roles": list(options.roles),
            "within": list(options.within),
            "metrics": list(options.metrics or layout.metrics),
            "folds": options.n_folds or layout.n_folds,
            "ensemble": options.ensemble,
            "storage": None if options.storage is None else address_of(options.storage).public,
        }

    def begin(self) -> None:
        """Write what the search is of and how it is laid out; nothing is written before.

        Raises
        ------
        InputError
            If the storage cannot be reached, or another process is at this search.
        """
        if self.options.storage is not None:
            address_of(self.options.storage).open()
        with self.claim.held():
            begin(self.search_folder, self.identity, self.layout)

    @cached_property
    def plan(self) -> Plan:
        """The prescription, prepared."""
        return Plan.make(self.experiment)

    @cached_property
    def base(self) -> dict[str, Any]:
        """Parameters of the prescription, with what the metric asks for."""
        return base_params(self.plan.params, self.layout, self.experiment.params)

    @cached_property
    def layout(self) -> Layout:
        """How the search is laid out; measured anew until a trial has begun, and kept then."""
        return laid_out(self.plan.fit, self.options, self.clock, self.plan.n_predicted)

    @property
    def address(self) -> Address:
        """Where the study of a search that has begun is kept."""
        if self.options.storage is None:
            return journal(self.search_folder, self.layout.first_rung)
        name = Run(self.search_folder).read_json("search.json")["study"]
        known = address_of(self.options.storage)
        return replace(known, name=name, first_rung=self.layout.first_rung)

    @property
    def records(self) -> list[Record]:
        """What was tried so far."""
        return read_records(self.search_folder)

    def search(self, executor: Executor, watchers: Sequence[Watcher] = ()) -> None:
        """Try recipes until their time is up, or none if the final training has begun.

        Raises
        ------
        InputError
            If another process is at this search.
        """
        with self.claim.held():
            self.begin()
            if not self._is_decided:
                self._set_up(executor).run(executor, self.clock, watchers)

    @property
    def _is_decided(self) -> bool:
        """Whether the recipe was taken, for good."""
        return Run(self.search_folder).has("final.json") or Run(self.folder).done

    def _set_up(self, executor: Executor) -> Search:
        # In this process the examples are there already; others read them.
        elsewhere = travelling(self.experiment)
        return set_up(
            self.plan.fit,
            self.layout,
            self.options,
            folder=self.search_folder,
            data=self.plan.fit.task if isinstance(executor, Here) else elsewhere,
            data_hash=parts_hash(self.plan.parts),
            base=travelling_params(self.base),
            given=self.experiment.params,
            address=self.address,
        )

    @property
    def winner(self) -> Winner:
        """The recipe that is taken of those tried so far."""
        return choose_winner(self.search_folder, self.records, self.layout.metrics[0])

    @property
    def has_candidate(self) -> bool:
        """Whether a recipe has predicted held-out examples, so that there is one to take."""
        try:
            return bool(self.winner)
        except TrainingError:
            return False

    def finish(self, observers: Sequence[Observer] = (), *, refit: bool = True) -> Run:
        """Train the recipe that is taken, or combine several, and look at the test set.

        One recipe is trained anew on all training examples; those of an ensemble predict as
        their trials have trained them.

        Parameters
        ----------
        observers : sequence of callable
            Told about the progress of training.
        refit : bool, default=True
            Whether to train it anew; where not, or where there is no time for an epoch, the
            model of its trial is taken.
        """
        if Run(self.folder).done:
            return Run(self.folder)
        winner = self.winner
        left = self._left - self.layout.after(_slowness(winner.record, self.records[0]))
        ends = time.monotonic() + left

        def conclude(run: Run) -> None:
            missed = unjudged(self.plan.fit.task, self.layout.n_folds)
            test = predicted_test(run, plan)
            told = {"unjudged": missed, "ends": time.monotonic() + self._left}
            found = summary(run, self.layout, self.records, winner, test, selection, **told)
            run.write_json("tuning.json", found)

        with self.claim.held(), self.clock.running():
            if not self._is_decided or self._is_too_long(winner.record, left):
                discard_unfinished(self.folder)  # of a recipe that was taken before a stop
            selection = self._selection()
            plan = self._final_plan(winner, selection, left if refit else 0.0)
            plan = replace(plan, earlier_looks=earlier_looks(self.folder))
            taken = winner.record if selection is None else self._first(selection)
            found = choices_found(plan.fit, self.records[0], taken, self.base)
            plan.fit.choices = [*plan.fit.choices, *found]
            if selection is not None and refit:
                # Now, for what cannot be loaded must not be decided for good.
                self._decide(epochs=0, ensemble=asdict(selection))
            run = plan.run(
                self.folder, resume=True, observers=observers, deadline=ends, conclude=conclude
            )
        if selection is not None:
            for record in self.records:
                remove_models(folder_of(self.search_folder, record.number))
        return run

    @property
    def _left(self) -> float:
        """Seconds that are left, but for what can be measured of nothing."""
        return self.clock.remaining - SPARE_SHARE * self.options.budget

    def _selection(self) -> Selection | None:
        """Return which recipes are combined, as decided before a stop; None: none are."""
        if self.options.ensemble == 1:
            return None
        if Run(self.search_folder).has("final.json"):
            return stored(Run(self.search_folder))
        metric, most = self.layout.metrics[0], self.options.ensemble
        layout, records = self.layout, self.records
        once = layout.n_folds * layout.predicting
        costs = {record.number: once * _slowness(record, records[0]) for record in records}
        limit = Time(ends=time.monotonic() + self._left - layout.after(0.0), costs=costs)
        return select(self.search_folder, records, metric, most, limit)

    def _decide(self, **decision: Any) -> None:
        """Keep what was decided, so that a final training that is stopped goes on with it."""
        Run(self.search_folder).write_json("final.json", decision)

    def _final_plan(self, winner: Winner, selection: Selection | None, left: float) -> Plan:
        if selection is not None:
            return self._combined(selection)
        epochs = self._final_epochs(winner.record, left)
        return self._refitted(winner.record, epochs) if epochs else self._kept(winner.record)

    def _combined(self, selection: Selection) -> Plan:
        """Return a plan that has nothing left to train: several recipes predict together."""
        plan = self._kept(self._first(selection))
        n_folds, device = self.layout.n_folds, plan.fit.device.name
        parts = plan.parts
        if n_folds > 1:  # each example was learnt from in all folds but one
            learnt = np.union1d(self.plan.parts.train, self.plan.parts.validation)
            parts = replace(parts, train=learnt, validation=parts.validation[:0])
        members = load_members(self.search_folder, selection, n_folds, device)
        counts = counts_learnt(self.plan.fit.task, n_folds)
        ensemble = Ensemble(members=members, counts=counts)
        return replace(plan, parts=parts, ensemble=ensemble)

    def _first(self, selection: Selection) -> Record:
        """Return the recipe that an ensemble has chosen first."""
        by_number = {record.number: record for record in self.records}
        return by_number[next(iter(selection.weights))]

    def _is_too_long(self, record: Record, left: float) -> bool:
        """Whether more epochs were decided than now fit, and none is lost; then decide anew."""
        decision = Run(self.search_folder)
        saved = read_checkpoint(checkpoint_of(self.folder))
        epochs = decision.read_json("final.json")["epochs"] if decision.has("final.json") else 0
        if saved is not None or epochs <= final_epochs(self.layout, record, left):
            return False
        decision.remove("final.json")
        return True

    def _final_epochs(self, record: Record, left: float) -> int:
        """Return the epochs of the final training, of its start if it was stopped; 0: none."""
        run = Run(self.search_folder)
        if run.has("final.json"):
            return run.read_json("final.json")["epochs"]
        epochs = final_epochs(self.layout, record, left)
        if epochs and self.base["epochs"] != "auto":
            epochs = self.base["epochs"]
        if epochs:
            self._decide(epochs=epochs)
        return epochs

    def _refitted(self, record: Record, epochs: int) -> Plan:
        """Return the plan to train a recipe anew, on all training examples if none is needed."""
        parts, task = self.plan.parts, self.plan.fit.task
        trial = folder_of(self.search_folder, record.number)
        params = refit_params(self.base, record.params, epochs, trial)
        learnt = {"train": parts.train, "validation": parts.validation}
        if params["validation"] == 0:
            learnt["train"] = np.union1d(parts.train, parts.validation)
            learnt["validation"] = parts.validation[:0]
        fit = Fit.prepare(replace(task, **learnt), params, self.experiment.seed)
        return replace(self.plan, parts=replace(parts, **learnt), fit=fit, params=params)

    def _kept(self, record: Record) -> Plan:
        """Return a plan that has nothing left to train: it holds the model of a trial."""
        folder = folder_of(self.search_folder, record.number)
        params = {**self.base, **record.params, "epochs": record.epochs}
        parts, task = self.plan.parts, self.plan.fit.task
        fold = folds_of(task, self.layout.n_folds, self.experiment.seed)[0]
        cut = {"train": fold.train, "validation": fold.validation}
        seed = derive_seed(self.experiment.seed, "fold", 0)  # as its trial had it
        fit = Fit.prepare(replace(task, **cut), params, seed)
        self._take_over(fit, folder)
        done, is_whole = len(fit.training.history), record.state == "complete"
        fit.training.is_cut_short = not is_whole and done < fit.training.epochs
        parts = replace(parts, **cut)
        return replace(self.plan, parts=parts, fit=fit, params=params, is_trained=True)

    def _take_over(self, fit: Fit, folder: Path) -> None:
        """Put what a trial has trained into a fit: weights, history, and the method after it."""
        place, training = Run(fold_folder(folder, 0)), fit.training
        if fit.settings.finetuning is not None:
            # The model was kept after the end of its training, where this is done.
            fit.settings.finetuning.merge(training.network)  # type: ignore[arg-type]
        training.history = Run(folder).history
        training.best = read_tensors(place.path / "model.safetensors")
        training.take_best()
        if place.has("posthoc.json"):
            fit.adjustment = Adjustment.kept(place.read_json("posthoc.json"))
            fit.adjustment.apply(training.network)  # type: ignore[arg-type]
            fit.choices = [*fit.choices, *fit.adjustment.choices]


def _slowness(record: Record, prescription: Record) -> float:
    """Return how many times longer than the prescription a recipe predicts: as it trains."""
    usual = prescription.pace
    return max(record.pace / usual, 1.0) if usual else 1.0
