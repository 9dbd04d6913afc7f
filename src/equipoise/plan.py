"""From an experiment to a finished run folder, resumable at any moment."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import outcome
from equipoise.classifier import Classifier
from equipoise.data.dataset import Dataset
from equipoise.data.hashing import HashArray
from equipoise.data.imbalance import parse_ratio
from equipoise.data.options import ReadOptions
from equipoise.deadlines import how_it_ended
from equipoise.defaults import Choice
from equipoise.devices import environment_of
from equipoise.ensembles import Ensemble
from equipoise.experiment import PARTS, Experiment, Parts, prepare
from equipoise.fitting import Fit, Task
from equipoise.initial import Initial, example_hashes, write_learnt
from equipoise.metrics import resolve_prior
from equipoise.models import Model
from equipoise.pace import Pace, paced
from equipoise.prescription import Setting, explain
from equipoise.progress import Observer, Progress
from equipoise.recipes import find_recipe
from equipoise.resuming import checkpoint_of, clear, measured_choices, open_or_create
from equipoise.runs import READING, Run
from equipoise.settings import as_text
from equipoise.standard.counting import NetworkSize, describe_network, total_size


@dataclass(eq=False)
class Plan:
    """An experiment whose data is read and whose settings are resolved, ready to run.

    Parameters
    ----------
    experiment : Experiment
        What was asked for.
    parts : Parts
        The data and its parts.
    fit : Fit
        The settings and the network.
    params : mapping of str to value
        Parameters of `Classifier`: as given, else of the recipe, else the defaults.
    begun : float
        Time of `time.monotonic` from which a time budget counts.
    pace : Pace or None
        How fast this machine is, once that was measured for a time budget.
    is_paced : bool
        Whether epochs and network follow from the budget already.
    ensemble : Ensemble or None
        Trained models that predict instead of the one that is fitted; None: there are none.
    is_trained : bool
        Whether the network is trained already, and stays as it is.
    earlier_looks : int or None
        If the run follows from a search, how often others that did have looked at the test set.
    """

    experiment: Experiment
    parts: Parts
    fit: Fit
    params: Mapping[str, Any]
    begun: float = field(default_factory=time.monotonic, kw_only=True)
    pace: Pace | None = field(default=None, kw_only=True)
    is_paced: bool = field(default=False, kw_only=True)
    ensemble: Ensemble | None = field(default=None, kw_only=True)
    is_trained: bool = field(default=False, kw_only=True)
    earlier_looks: int | None = field(default=None, kw_only=True)

    @classmethod
    def make(cls, experiment: Experiment) -> "Plan":
        """Read the data, cut it, and resolve every setting; nothing is written.

        Raises
        ------
        InputError
            If the data or a setting cannot be used.
        """
        begun = time.monotonic()
        recipe = find_recipe(experiment.recipe)
        params = {**Classifier().get_params(deep=False), **recipe.params, **experiment.params}
        parts = prepare(experiment, params["validation"])
        params = {**params, **recipe.on(parts.dataset.kind), **experiment.params}
        task = Task(
            X=parts.dataset.X,
            codes=parts.dataset.codes,
            n_classes=len(parts.dataset.classes),
            train=parts.train,
            validation=parts.validation,
            classes=parts.dataset.classes,
        )
        if params["initial"] is not None:
            sealed = {"test": parts.test, "validation": parts.validation}
            Initial.read(params["initial"]).check_unseen(parts.dataset.X, sealed)
        fit = Fit.prepare(task, params, experiment.seed)
        # Now, so that nothing in a test example can fail after training.
        fit.preprocessing.admit(parts.used)  # type: ignore[arg-type]
        return cls(experiment, parts, fit, params, begun=begun)

    def paced(self, folder: Path | None = None) -> "Plan":
        """Return this plan with the epochs, and if need be the network, that its budget allows.

        Parameters
        ----------
        folder : Path or None, default=None
            Where a run of this plan may have begun, which shall be resumed: what it chose by its
            speed is taken over, for a second measurement would choose something else.

        Returns
        -------
        Plan
            This plan itself, if there is nothing to choose.
        """
        if self.is_paced:
            return self
        if kept := self._kept(folder):
            params = {**self.params, **{choice.field: choice.value for choice in kept}}
            fit = Fit.prepare(self.fit.task, params, self.experiment.seed)
            return replace(self, fit=replace(fit, choices=_with(self.fit, kept)), is_paced=True)
        if self.experiment.budget is None:
            return self
        ends = self.begun + self.experiment.budget
        fit, pace = paced(self.fit, ends, self.n_predicted)
        return replace(self, fit=fit, pace=pace, is_paced=True)

    @property
    def n_predicted(self) -> int:
        """Examples that are predicted after training."""
        n, method = len(self.parts.validation), self.fit.settings.posthoc
        again = 0 if method is None else 3 * n + method.reads_training * len(self.parts.train)
        return n + len(self.parts.test) + again

    def _kept(self, folder: Path | None) -> list[Choice]:
        """Return what a run in the folder chose by its speed, of what is automatic here."""
        stored = {} if folder is None else measured_choices(folder)
        automatic = {choice.field for choice in self.fit.choices}
        return [Choice(name, *told) for name, told in stored.items() if name in automatic]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided while reading, cutting and encoding the data, as sentences."""
        return (*self.parts.notes, *self.fit.notes)

    @cached_property
    def network_size(self) -> NetworkSize:
        """Parameters and multiply-adds of the network, or of all that predict together."""
        fit = self.fit
        if self.ensemble is None:
            return describe_network(fit.training.network, fit.preprocessing.spec)
        models = [member.model for member in self.ensemble.members]
        return total_size([describe_network(m.network, m.preprocessing.spec) for m in models])

    @property
    def model(self) -> Model | Ensemble:
        """What predicts, once training is done."""
        return self.fit.model if self.ensemble is None else self.ensemble

    @property
    def choices(self) -> tuple[str, ...]:
        """Everything that was decided automatically, and how large the network is."""
        return (*self.notes, *map(str, self.fit.choices), f"network: {self.network_size}")

    @property
    def settings(self) -> list[Setting]:
        """Every setting of the classifier, with who decided it, why, and what shows it."""
        return explain(self.fit, self.experiment.params, find_recipe(self.experiment.recipe))

    def run(
        self,
        folder: Path,
        *,
        resume: bool = False,
        observers: Sequence[Observer] = (),
        deadline: float | None = None,
        conclude: Callable[[Run], None] | None = None,
    ) -> Run:
        """Carry the plan out and keep it in a run folder.

        Parameters
        ----------
        folder : Path
            Where to keep it.
        resume : bool, default=False
            Go on with the run in the folder, if there is one; a finished run is left as it is.
        observers : sequence of callable
            Told about the progress of training.
        deadline : float or None, default=None
            Time of `time.monotonic` after which no epoch shall end; a time budget sets one too.
        conclude : callable or None, default=None
            Called last, when all is written but that the run is finished; may write more.

        Returns
        -------
        Run
            The finished run.

        Raises
        ------
        InputError
            If the folder is taken, or holds another run.
        TrainingError
            If training diverges.
        """
        if (plan := self.paced(folder if resume else None)) is not self:
            return plan.run(
                folder, resume=resume, observers=observers, deadline=deadline, conclude=conclude
            )
        follows = self.earlier_looks is not None
        run = open_or_create(folder, self.config(), resume=resume, after_search=follows)
        if run.done:
            clear(run)
            return run
        if not run.has("split.npz"):
            run.write_arrays("split.npz", self.parts.index)
            write_learnt(run, self.learnt_hashes(), self.params["initial"])
        if not self.is_trained:
            self.fit.run(
                observers=[*observers, _HistoryWriter(run, self.fit)],
                checkpoint=checkpoint_of(run.path),
                deadline=self._deadline(run, deadline),
            )
        _record_end(run, self)
        run.write_history(self.fit.training.history)
        self.model.save(run.path)
        self.conclude(run)
        if conclude is not None:
            conclude(run)
        run.finish()
        clear(run)
        return run

    def _deadline(self, run: Run, deadline: float | None) -> float | None:
        """Return when training must end; a resumed run has what is left of its budget."""
        if self.experiment.budget is None:
            return deadline
        spent = sum(row["seconds"] for row in run.history)
        after = 0.0 if self.pace is None else self.pace.after(self.n_predicted)
        ends = self.begun + self.experiment.budget - spent - after
        return ends if deadline is None else min(ends, deadline)

    def learnt_hashes(self) -> HashArray:
        """Return hashes of the examples that will be learnt from."""
        return example_hashes(self.parts.dataset.X, self.parts.train)

    def config(self) -> dict[str, Any]:
        """Return everything that determines the run, as it stands in ``config.toml``."""
        return _config(self)

    def conclude(self, run: Run) -> None:
        """Look at the test set, and write what was found."""
        _record(run, self.earlier_looks or 0)
        parts = self.parts
        outcome.write(run, self.model, parts.dataset, parts.validation, parts.test)


class _HistoryWriter:
    """Keeps ``history.jsonl`` up to date for those who watch, at most once a second."""

    def __init__(self, run: Run, fit: Fit) -> None:
        self.run, self.fit, self.written = run, fit, 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.row is not None and time.monotonic() - self.written > 1:
            self.run.write_history(self.fit.training.history)
            self.written = time.monotonic()


def _with(fit: Fit, choices: Sequence[Choice]) -> list[Choice]:
    """Return a fit's choices, some of them replaced."""
    replaced = {choice.field: choice for choice in choices}
    return [replaced.get(choice.field, choice) for choice in fit.choices]


def _record_end(run: Run, plan: Plan) -> None:
    """Say in the run's configuration how training has ended: early, or with another head."""
    config, fit = run.config, plan.fit
    ended = {k: v for k, v in config["environment"].items() if k != "ended"}
    if fit.training.is_cut_short:
        by = "with its trial" if plan.is_trained else "by its deadline"
        ended["ended"] = how_it_ended(fit.training, by, repr(fit.settings.stages))
    # Known only now: a deadline may have kept weights of an earlier stage than the last.
    network = {**config["network"], "prior": plan.model.prior.tolist()}
    if plan.ensemble is None and fit.task.supervised:
        network.update(exact_prior=fit.exact_prior, **fit.fitted_by)
    changed = {**config, "environment": ended, "network": network}
    if fit.adjustment is not None and plan.ensemble is None:
        changed["choices"] = _choices(fit)
        changed["posthoc"] = dict(fit.adjustment.found)
    if changed != config:
        run.write_config(changed)


def _record(run: Run, earlier: int) -> None:
    """Count the look at the test set before it is taken, so that a kill cannot hide it."""
    config = run.config
    config["test"]["looks"] = max(config["test"]["looks"], earlier + 1)
    # Summed over epochs, so that a run that was stopped and resumed counts all of them.
    seconds = sum(row["seconds"] for row in run.history)
    config["environment"]["seconds"] = round(seconds, 1)
    run.write_config(config)


def _config(plan: Plan) -> dict[str, Any]:
    experiment, parts, fit, dataset = plan.experiment, plan.parts, plan.fit, plan.parts.dataset
    counts = {
        f"counts_{name}": np.bincount(dataset.codes[index], minlength=len(dataset.classes)).tolist()
        for name, index in zip(PARTS, (parts.train, parts.validation, parts.test), strict=True)
    }
    data = {
        "source": experiment.source,
        "name": dataset.name,
        "kind": dataset.kind,
        "n": len(dataset),
        "fingerprint": dataset.fingerprint,
        "split": parts.fingerprint,
        "classes": list(dataset.classes),
        **counts,
        **_described_features(dataset),
        **_imbalance(experiment),
        **_cut(experiment),
        "reading": {**_reading(experiment.options), **dataset.reading},
        "notes": list(plan.notes),
    }
    settings = {
        **fit.settings.to_text(),
        "initial": as_text(plan.params["initial"]),
        "prior": _prior(plan),
    }
    return {
        "data": data,
        "classifier": settings,
        **({"recipe": {"name": experiment.recipe}} if fit.task.supervised else {}),
        "choices": _choices(fit),
        "seeds": {"seed": experiment.seed, "split_seed": experiment.split_seed},
        "test": {"looks": plan.earlier_looks or 0},
        "network": {
            **asdict(plan.network_size),
            "prior": plan.model.prior.tolist(),
            **({} if plan.ensemble is None else {"members": len(plan.ensemble.members)}),
        },
        **_budget(plan),
        "environment": environment_of(fit.device),
    }


def _choices(fit: Fit) -> list[dict[str, str]]:
    return [{**asdict(choice), "value": str(as_text(choice.value))} for choice in fit.choices]


def _budget(plan: Plan) -> dict[str, Any]:
    if plan.experiment.budget is None:
        return {}
    speed = {} if plan.pace is None else {"epoch_seconds": plan.pace.epoch}
    return {"budget": {"seconds": plan.experiment.budget, **speed}}


def _prior(plan: Plan) -> str | list[float]:
    given = plan.params["prior"]
    if given is None or isinstance(given, str):
        return as_text(given)
    resolved = resolve_prior(given, plan.parts.dataset.classes, plan.model.prior)
    return np.asarray(resolved).tolist()


def _described_features(dataset: Dataset) -> dict[str, Any]:
    if dataset.kind == "images":
        return {"shape": [int(n) for n in dataset.X.shape[1:]]}
    return {"columns": [str(c) for c in dataset.X.columns]}  # type: ignore[union-attr]


def _imbalance(experiment: Experiment) -> dict[str, Any]:
    if experiment.ratio is None:
        return {}
    ratio, _ = parse_ratio(experiment.ratio)
    limits = {"largest": experiment.largest, "examples": experiment.examples}
    made = {"ratio": ratio, "profile": experiment.profile, "order": experiment.order}
    return {**made, **{name: value for name, value in limits.items() if value is not None}}


def _cut(experiment: Experiment) -> dict[str, Any]:
    index = [str(path) for path in experiment.index]
    return {"test": experiment.test, "rare": experiment.rare, **({"index": index} if index else {})}


def _reading(options: ReadOptions) -> dict[str, Any]:
    """Keep what is needed to read new data the same way."""
    given = {name: getattr(options, name) for name in READING}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items() if v is not None}
