"""A comparison under way: which runs are missing, and having them carried out."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from equipoise.comparison.carrying import Job, carry_out
from equipoise.comparison.deciding import all_told, metric_of, network_of, searches_of
from equipoise.comparison.methods import CONTROL, OF_THE_METRIC, Method, find_method
from equipoise.comparison.setup import (
    NAME,
    Setup,
    Unit,
    check_same,
    is_run,
    require_own,
    store,
    stored,
    units_of,
)
from equipoise.comparison.terms import cautions, place_of, terms_of
from equipoise.errors import InputError
from equipoise.executors import Executor
from equipoise.experiment import Experiment, travelling, travelling_params
from equipoise.pace import computing_with
from equipoise.plan import Plan
from equipoise.runs import Run
from equipoise.tuning.identity import only_here
from equipoise.tuning.records import unseen

Watcher = Callable[[Unit, str | None], None]
"""Told of each run that has ended, with what went wrong or None."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """A comparison: methods, seeds and orders, and the folder of their runs.

    Parameters
    ----------
    folder : Path
        Where everything is.
    setup : Setup
        What all methods share.
    methods : tuple of Method
        What is compared; the first is the control.
    n_seeds, n_orders : int
        How often each is trained.
    choices : tuple of str
        What was decided, as sentences.
    terms : mapping of str to value
        Versions and device of the runs to come.
    failures : dict of Unit to str
        The runs that failed in this process, and why.
    noted : tuple of str, default=()
        What else to mind about this comparison, kept in its file before the first run.
    """

    folder: Path
    setup: Setup
    methods: tuple[Method, ...]
    n_seeds: int
    n_orders: int
    choices: tuple[str, ...]
    terms: Mapping[str, Any]
    failures: dict[Unit, str] = field(default_factory=dict)
    noted: tuple[str, ...] = ()

    @property
    def units(self) -> list[Unit]:
        """All runs."""
        return units_of([method.name for method in self.methods], self.n_seeds, self.n_orders)

    @property
    def missing(self) -> list[Unit]:
        """Runs that are not finished."""
        return [unit for unit in self.units if not Run(unit.folder(self.folder)).done]

    def laid_out(self) -> dict[str, Any]:
        """Return what is compared and how, as JSON holds it."""
        return {
            "methods": [method.name for method in self.methods],
            "control": self.methods[0].name,
            "n_seeds": self.n_seeds,
            "n_orders": self.n_orders,
            "n_runs": len(self.units),
            "n_missing": len(self.missing),
            "setup": self.setup.identity(),
        }

    def cautions(self, executor: Executor) -> list[str]:
        """Return what to mind about runs that were made under other terms, as sentences.

        Parameters
        ----------
        executor : Executor
            Where what is missing would be carried out.
        """
        before = stored(self.folder) or {}
        told = list(before.get("cautions", []))
        if self.missing and is_run(self.folder):
            now = {**self.terms, **place_of(executor)}
            told += cautions(before.get("terms", {}), now)
        return list(dict.fromkeys(told))

    def _begin(self, executor: Executor) -> None:
        """Write what is compared; nothing is written before."""
        # Once more, for another process may have been here since the data was read.
        check_same(self.folder, self.setup, self.methods, self.terms)
        known = stored(self.folder) or {}
        before = known.get("terms")
        is_same = before is not None and not self.missing
        told = {
            "control": self.methods[0].name,
            "n_seeds": self.n_seeds,
            "n_orders": self.n_orders,
            "choices": all_told(known.get("choices", []), self.choices),
            "terms": before if is_same else {**self.terms, **place_of(executor)},
            "cautions": list(dict.fromkeys([*self.cautions(executor), *self.noted])),
        }
        store(self.folder, self.setup, self.methods, told)

    def run(self, executor: Executor, watchers: Sequence[Watcher] = ()) -> None:
        """Carry out what is missing; a run that fails leaves the others alone.

        Parameters
        ----------
        executor : Executor
            Where it is carried out.
        watchers : sequence of Watcher
            Told of each run that has ended. Without any, each run that fails is warned of.

        Raises
        ------
        InputError
            If another process is at this comparison.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with only_here(self.folder, "comparison"):
            self._begin(executor)
            waiting, running = self.missing, dict[Future[None], Unit]()
            while waiting or running:
                while waiting and len(running) < executor.workers:
                    unit = waiting.pop(0)
                    running[executor.submit(carry_out, self._job(unit))] = unit
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    self._note(running.pop(future), future, watchers)

    def _job(self, unit: Unit) -> Job:
        by_name = {method.name: method for method in self.methods}
        method = by_name[unit.method]
        return Job(
            folder=unit.folder(self.folder).absolute(),
            setup=replace(self.setup, experiment=travelling(self.setup.experiment)),
            method=replace(method, params=travelling_params(method.params)),
            unit=unit,
        )

    def _note(self, unit: Unit, future: Future[None], watchers: Sequence[Watcher]) -> None:
        try:
            error = future.exception()
        except CancelledError:
            return
        if error is None and not Run(unit.folder(self.folder)).done:
            error = unseen(f"A run has ended and left nothing in `{unit.folder(self.folder)}`.")
        fault = None if error is None else f"{type(error).__name__}: {error}"
        if fault is not None:
            self.failures[unit] = fault
        for watcher in watchers or (_warn,):
            watcher(unit, fault)


def _warn(unit: Unit, fault: str | None) -> None:
    if fault is not None:
        warnings.warn(f"{unit} failed: {fault}", stacklevel=4)  # where `run` was called


def make_contest(  # noqa: PLR0913 (each is a choice of the user)
    experiment: Experiment,
    folder: Path,
    *,
    methods: Sequence[str | Method],
    control: str | Method = CONTROL,
    n_seeds: int,
    n_orders: int = 1,
    budget: float | None,
    metric: str | None = None,
    search: bool | None = None,
    n_trials: int | None = None,
    n_folds: int | None = None,
    reasons: Mapping[str, str] | None = None,
    resume: bool = False,
    threads: int | None = None,
) -> Contest:
    """Read the data, measure this machine, and lay a comparison out; nothing is written.

    Parameters
    ----------
    experiment : Experiment
        The data, how it is cut, and parameters that all methods are given.
    folder : Path
        Where the comparison is kept, or is already.
    methods : sequence of str or Method
        Names for `find_method`, or methods of one's own (`make_method`).
    control : str or Method, default="plain"
        What gains are measured from; always among the methods.
    n_seeds : int
        Seeds of each method, at least 1.
    n_orders : int, default=1
        Orders of the classes for each seed, where the imbalance is made here.
    budget : float or None
        Seconds of each run; None: as long as its epochs take.
    metric : str or None, default=None
        What epochs and recipes are chosen by; None: by the size of the rarest class.
    search : bool or None, default=None
        Whether the numbers of each method are searched; None: if there is time.
    n_trials : int or None, default=None
        At most so many recipes in each search.
    n_folds : int or None, default=None
        Folds of a trial in each search; None: what each chooses for itself.
    reasons : mapping of str to str, optional
        Why ``metric`` and ``search`` are what they are, where no user has given them.
    resume : bool, default=False
        Go on with the comparison in the folder, with more methods, seeds or orders if so wished.
    threads : int or None, default=None
        Threads of each worker, with which this machine is measured; None: those of this process.

    Raises
    ------
    InputError
        If the folder holds something else, or the data, a method or a number cannot be used.
    """
    _check(experiment, folder, (n_seeds, n_orders, n_trials), resume=resume)
    plan = Plan.make(_of_control(experiment, control))
    kind, terms = plan.fit.task.facts["kind"], terms_of(plan.fit.device)
    found = _found((control, *methods), kind)
    was: Mapping[str, Any] = (stored(folder) or {"setup": {}})["setup"]
    _check_given(found, experiment, kind, was)
    chosen, why = metric_of(plan, metric, was, reasons or {})
    with computing_with(threads):
        searches, why_searched = searches_of(plan, budget, search, n_trials, was, reasons or {})
        network, why_network = network_of(plan, budget, was, searches=searches)
    setup = Setup(
        experiment=experiment,
        fingerprint=plan.parts.dataset.fingerprint,
        kind=kind,
        metric=chosen,
        budget=budget,
        searches=searches,
        n_trials=n_trials,
        network=network,
        n_folds=n_folds,
    )
    _check_searchable(setup, found, search)
    check_same(folder, setup, found, terms)
    return Contest(
        folder=folder,
        setup=setup,
        methods=found,
        n_seeds=n_seeds,
        n_orders=n_orders,
        choices=(*plan.notes, why, why_searched, *why_network),
        terms=terms,
    )


def _of_control(experiment: Experiment, control: str | Method) -> Experiment:
    if isinstance(control, str):
        return replace(experiment, recipe=control)
    recipe = control.recipe or CONTROL
    return replace(experiment, recipe=recipe, params={**experiment.params, **control.params})


def _found(given: Sequence[str | Method], kind: str) -> tuple[Method, ...]:
    """Return the methods, each once, the control first."""
    found: dict[str, Method] = {}
    for each in given:
        method = find_method(each, kind) if isinstance(each, str) else each
        if found.setdefault(method.name, method) != method:
            raise InputError(
                "Methods of a comparison must have different names.",
                f"Two are called {method.name!r}.",
                "Rename one of them.",
            )
    return tuple(found.values())


def _check(
    experiment: Experiment, folder: Path, counts: tuple[int, int, int | None], *, resume: bool
) -> None:
    for name, value in zip(("seeds", "orders", "trials"), counts, strict=True):
        if value is not None and value < 1:
            raise InputError(
                f"The number of {name} must be at least 1.", f"It is {value}.", "Give 3 or more."
            )
    if counts[1] > 1 and experiment.ratio is None:
        raise InputError(
            "Orders of the classes say which become rare where the imbalance is made here.",
            "There is no --ratio, so the data stays as it is.",
            "Give --ratio 100, or leave out --orders.",
        )
    require_own(folder, NAME, "comparison", resume=resume)


def _check_given(
    methods: Sequence[Method], experiment: Experiment, kind: str, was: Mapping[str, Any]
) -> None:
    """Refuse parameters for all that the metric, or a method, sets otherwise."""
    # Comparisons of earlier versions may have been given them, in vain, and are gone on with.
    kept = was.get("params", {})
    for name in OF_THE_METRIC:
        if name in experiment.params and name not in kept:
            raise InputError(
                "The metric of a comparison says by what epochs are chosen, and for which prior.",
                f"--{name} is given, which no method would have.",
                f"Leave out --{name}, and give --metric for another choice.",
            )
    for method in methods:
        if both := sorted(experiment.params.keys() & method.sets(kind)):
            raise InputError(
                "What is given to all methods must not be what one of them is made of.",
                f"{method.name} sets {', '.join(both)}, which is given too.",
                f"Leave out --{both[0].replace('_', '-')}, or the method.",
            )


def _check_searchable(setup: Setup, methods: Sequence[Method], given: bool | None) -> None:
    """Refuse a search that would have no end, by --search or by a method that is one."""
    if setup.is_searchable:
        return
    searched = next((method.name for method in methods if method.roles), None)
    if searched is not None or given:
        raise InputError(
            "A search ends by its time or by its number of recipes.",
            f"{'--search' if searched is None else searched} asks for one, and neither is given: "
            "every method has its epochs.",
            "Give --budget 10m, or --trials 20"
            + (", or leave out --search." if searched is None else f", or leave out {searched}."),
        )
