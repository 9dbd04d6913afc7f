"""What all methods of a comparison share, and the runs that it consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from equipoise.comparison.methods import Method
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.recipes import find_recipe
from equipoise.runs import Run, require_writable
from equipoise.seeds import derive_seed
from equipoise.settings import as_text
from equipoise.tuning.scores import BALANCED

NAME = "comparison.json"
"""The file of a comparison, in its folder."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all methods share.

    Parameters
    ----------
    experiment : Experiment
        The data and how it is cut, and parameters that all recipes are given; its seeds are
        replaced by those of each run.
    fingerprint : str
        Of the data.
    kind : {"images", "table"}
        What the examples are.
    metric : str
        What epochs and recipes are chosen by, on held-out examples.
    budget : float or None
        Seconds that each run may take, its search included; None: as long as its epochs take.
    searches : bool
        Whether there is time to search the numbers of each method.
    n_trials : int or None
        Recipes that each search tries, at most.
    network : str or None, default=None
        Backbone of all methods that neither set nor search one, where there is no time to search;
        None: that of their recipes. Left to each run, it would depend on how fast the machine
        just is.
    n_folds : int or None, default=None
        Folds of a trial in each search; None: what each search chooses for itself.
    """

    experiment: Experiment
    fingerprint: str
    kind: str
    metric: str
    budget: float | None
    searches: bool
    n_trials: int | None = None
    network: str | None = None
    n_folds: int | None = None

    @property
    def is_balanced(self) -> bool:
        """Whether all classes count alike in the metric."""
        return self.metric in BALANCED

    @property
    def is_searchable(self) -> bool:
        """Whether a search would end: by time, or by the number of recipes."""
        return self.budget is not None or self.n_trials is not None

    def identity(self) -> dict[str, Any]:
        """Return what may not change while a comparison is gone on with, as JSON holds it."""
        shared = self.experiment
        return {
            "fingerprint": self.fingerprint,
            "ratio": shared.ratio,
            "profile": shared.profile,
            "order": shared.order,
            "largest": shared.largest,
            "examples": shared.examples,
            "index": [str(path) for path in shared.index],
            "test": shared.test,
            "rare": shared.rare,
            "split_seed": shared.split_seed,
            "params": _as_texts(shared.params),
            "metric": self.metric,
            "budget": self.budget,
            "searches": self.searches,
            "n_trials": self.n_trials,
            "network": self.network,
            "n_folds": self.n_folds,
        }


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One run of a comparison; as text, what it is called in words.

    Parameters
    ----------
    method : str
        Name of the method.
    seed : int
        Seed of training; the split has the same.
    order : int
        Which order of the classes; 0: as given, others are drawn.

    Examples
    --------
    >>> print(Unit(method="focal", seed=1))
    focal, seed 1
    """

    method: str
    seed: int
    order: int = 0

    def __str__(self) -> str:
        order = f", order {self.order}" if self.order else ""
        return f"{self.method}, seed {self.seed}{order}"

    def folder(self, root: Path) -> Path:
        """Return where the run is."""
        named = f"seed{self.seed}" + (f"-order{self.order}" if self.order else "")
        return root / "runs" / self.method / named

    def experiment(self, setup: Setup, params: Mapping[str, Any], recipe: str) -> Experiment:
        """Return the run's experiment, with parameters over those of its recipe."""
        shared = setup.experiment
        cut = shared.split_seed + self.seed
        return replace(
            shared,
            seed=self.seed,
            split_seed=derive_seed(cut, "order", self.order) % 2**31 if self.order else cut,
            order="random" if self.order else shared.order,
            recipe=recipe,
            params={**shared.params, **params},
            budget=setup.budget,
        )


def units_of(methods: Sequence[str], n_seeds: int, n_orders: int) -> list[Unit]:
    """Return all runs: one seed of every method after the other, so that each can be compared.

    Examples
    --------
    >>> [unit.folder(Path(".")).as_posix() for unit in units_of(["plain", "focal"], 1, 2)]
    ... # doctest: +NORMALIZE_WHITESPACE
    ['runs/plain/seed0', 'runs/focal/seed0',
     'runs/plain/seed0-order1', 'runs/focal/seed0-order1']
    """
    return [
        Unit(method=method, seed=seed, order=order)
        for seed in range(n_seeds)
        for order in range(n_orders)
        for method in methods
    ]


def described_as(method: Method, kind: str) -> dict[str, Any]:
    """Return what is kept of a method beside its name, as JSON holds it.

    Parameters
    ----------
    method : Method
        One of the methods.
    kind : {"images", "table"}
        What the examples are; ``settings`` are the parameters of the method's recipe on these.
    """
    told = {name: value for name, value in vars(method).items() if name != "name"}
    settings = {} if method.recipe is None else find_recipe(method.recipe).on(kind)
    listed = {"roles": list(method.roles), "within": list(method.within)}
    return {**told, **listed, "params": _as_texts(method.params), "settings": _as_texts(settings)}


def _as_texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(as_text(value)) for name, value in params.items()}


def store(folder: Path, setup: Setup, methods: Sequence[Method], told: Mapping[str, Any]) -> None:
    """Keep what a comparison is of, with the methods that it had before and has now."""
    before = stored(folder) or {"methods": {}}
    described = {method.name: described_as(method, setup.kind) for method in methods}
    Run(folder).write_json(
        NAME,
        {**told, "setup": setup.identity(), "methods": {**before["methods"], **described}},
    )


def stored(folder: Path) -> dict[str, Any] | None:
    """Return what is kept of the comparison in a folder; None: there is none."""
    return Run(folder).read_json(NAME) if (folder / NAME).exists() else None


def require_own(folder: Path, name: str, what: str, *, resume: bool) -> None:
    """Raise `InputError` if something cannot be kept in a folder, before any data is read.

    Parameters
    ----------
    folder : Path
        Where it is kept, or is already.
    name : str
        The file by which it is known.
    what : str
        What it is: comparison, or study.
    resume : bool
        Go on with what is there.
    """
    is_there = (folder / name).exists()
    if is_there and not resume:
        raise InputError(
            f"A new {what} needs a folder of its own.",
            f"`{folder}` holds a {what} already.",
            "Give another --out, or --resume to go on with it.",
        )
    require_writable(folder)
    if not is_there and folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"A {what} needs a new or empty folder, or its own.",
            f"`{folder}` holds something else.",
            "Give another --out.",
        )


def is_run(folder: Path, method: str | None = None) -> bool:
    """Whether a run of a method, or of any, has begun in the folder of a comparison."""
    folders = (folder / "runs").glob("*/seed*")
    return any(method in (None, path.parent.name) for path in folders)


def check_same(
    folder: Path, setup: Setup, methods: Sequence[Method], terms: Mapping[str, Any]
) -> None:
    """Raise `InputError` if a folder holds a comparison of other data, methods, time or device.

    Parameters
    ----------
    folder : Path
        Of the comparison; there need not be one yet.
    setup : Setup
        What all methods share now.
    methods : sequence of Method
        What is compared now. A method of which a run is there must be what it was.
    terms : mapping of str to value
        Versions and device, see `equipoise.comparison.terms`.
    """
    before = stored(folder)
    if before is None:
        return
    for method in methods:
        if is_run(folder, method.name):
            _check_method(folder, method, before["methods"].get(method.name, {}), setup)
    was, now = before.get("setup", {}), setup.identity()
    if is_run(folder) and "device" in before.get("terms", {}):
        was, now = {**was, "device": before["terms"]["device"]}, {**now, "device": terms["device"]}
    for name, value in now.items():
        if was.get(name) != value:
            raise InputError(
                "Methods are compared on the same data, with the same settings and time.",
                f"In `{folder}` {name} was {was.get(name)!r} and is now {value!r}.",
                "Give the same again, or another --out for a new comparison.",
            )


def _check_method(folder: Path, method: Method, known: Mapping[str, Any], setup: Setup) -> None:
    """Refuse runs of a method beside those of another one of its name."""
    now = described_as(method, setup.kind)
    # Without a search of each method's numbers, it does not matter which these are.
    made_of = (
        "params",
        "pretrain",
        "recipe",
        "settings",
        "roles",
        *(("within",) if setup.searches else ()),
    )
    for part in made_of:
        if known.get(part, now[part]) != now[part]:
            raise InputError(
                "A method stays as it is while a comparison is gone on with.",
                f"In `{folder}` {method.name} is another: {known['summary']} Its {part} were "
                f"{known[part]!r} and are now {now[part]!r}.",
                "Give the method another name, or another --out for a new comparison.",
            )
