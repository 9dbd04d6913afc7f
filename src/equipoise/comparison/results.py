"""Reading a comparison: the predictions of all finished runs, and what each has cost."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.configuration import trained_margins
from equipoise.errors import InputError
from equipoise.metrics import shift_logits, without_margins
from equipoise.recipes import PLAIN
from equipoise.runs import SEARCH, Run
from equipoise.shapes import ANY, MAYBE, TEXT, TEXT_OR_NULL, WHOLE, mismatch
from equipoise.statistics.paired import Predictions
from equipoise.statistics.scores import METRICS
from equipoise.tuning.clock import time_used

NAME = "comparison.json"
"""The file of a comparison, in its folder."""

CONTROL = PLAIN.name
"""What gains are measured from where nothing else was said: plain cross-entropy."""

PRIORS = ("as_trained", "balanced")
"""Predictions as methods leave them, and corrected to equal class frequencies."""

READ = {"setup": {...: ANY}, "terms": {...: ANY}, "choices": [ANY]}
SET = {
    "fingerprint": TEXT_OR_NULL,
    "metric": TEXT_OR_NULL,
    "budget": MAYBE,
    "order": TEXT,
    "split_seed": WHOLE,
}
"""What is read of the file of a comparison beside its methods, and of its setup, if it is there."""

N_RAREST = 3
"""At most so many of the rarest classes have a recall of their own."""

HEURISTIC = ("InfluenceBalanced", "LDAM", "VectorScaling")
"""Losses that fit no class probabilities: correcting what they predict is a heuristic. For runs
that do not say so themselves."""

HEURISTIC_TOO = ("NearestMean", "TauNorm", "balanced-forest", "easy-ensemble")
"""Methods after training and learners of other libraries of which runs of earlier versions said
that their correction is exact, or nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One finished run.

    Parameters
    ----------
    path : Path
        Its folder.
    predictions : dict of str to Predictions
        For the test set, under each of `PRIORS`.
    seconds : float
        What it took, its search included: the wall clock of the run with all its starts; of runs
        that earlier versions made, the clock of the search or of the training.
    looks : int
        How often the test set was looked at.
    facts : dict
        ``epochs`` (None of a learner without epochs), ``trials`` (recipes that were tried),
        ``parameters`` and ``multiply_adds`` of the network (None of a learner without),
        ``tested``, a hash of the names of the test examples, ``counts``, the training examples
        of each class, those held out left aside, and ``exact_prior``, whether correction to
        other class frequencies is exact.
    """

    path: Path
    predictions: Mapping[str, Predictions]
    seconds: float
    looks: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """All that is known of a comparison.

    Parameters
    ----------
    folder : Path
        Of the comparison.
    told : dict
        Its file: setup, methods, choices.
    entries : dict of str to (dict of (int, int) to Entry)
        Finished runs by method, and by seed and order.
    classes : tuple of str
        Names of the classes.
    """

    folder: Path
    told: Mapping[str, Any]
    entries: Mapping[str, Mapping[tuple[int, int], Entry]]
    classes: tuple[str, ...]

    @property
    def methods(self) -> list[str]:
        """Methods with at least one finished run, in the order in which they were named."""
        return [name for name in self.told["methods"] if self.entries.get(name)]

    @property
    def control(self) -> str:
        """The method that gains are measured from."""
        return str(self.told.get("control", CONTROL))

    @property
    def cautions(self) -> list[str]:
        """What to mind about these runs, as `equipoise compare` has noted it."""
        noted = self.told.get("cautions", [])
        return [str(line) for line in noted] if isinstance(noted, list) else []

    @property
    def metric(self) -> str:
        """What epochs and numbers were chosen by; balanced accuracy where nothing can be said."""
        chosen = self.told.get("setup", {}).get("metric")
        return chosen if chosen in METRICS and chosen != "recall" else "balanced_accuracy"

    @property
    def repeats(self) -> list[tuple[int, int]]:
        """Seeds and orders in which all of `methods` are finished."""
        found = [set(self.entries[name]) for name in self.methods]
        return sorted(set.intersection(*found)) if found else []

    def predictions(self, prior: str) -> dict[str, list[Predictions]]:
        """Return the predictions of each method, of the same seeds and orders."""
        repeats = self.repeats
        return {
            name: [self.entries[name][each].predictions[prior] for each in repeats]
            for name in self.methods
        }

    @property
    def seeds(self) -> list[int]:
        """The seed of each of `repeats`."""
        return [seed for seed, _ in self.repeats]

    @property
    def lacking(self) -> dict[str, list[tuple[int, int]]]:
        """What each method has not finished of the seeds and orders that another one has."""
        known = sorted({each for name in self.methods for each in self.entries[name]})
        missing = {
            name: [each for each in known if each not in self.entries[name]]
            for name in self.methods
        }
        return {name: own for name, own in missing.items() if own}

    def rarest(self) -> list[list[int]]:
        """Return the codes of the rarest classes in each of `repeats`, the same for all methods.

        These are three of those with test examples, or fewer where that would be more than half
        of these. Orders and seeds differ in which these are. A search may learn from examples that
        other methods hold out: the control's counts decide.
        """
        counts = [self._first[each].facts["counts"] for each in self.repeats]
        return [_rarest(own, tested) for own, tested in zip(counts, self._n_tested(), strict=True)]

    @property
    def untested(self) -> list[str]:
        """Classes of which a run of `repeats` has no test example."""
        lacking = [tested == 0 for tested in self._n_tested()]
        return [self.classes[code] for code in np.flatnonzero(np.any(lacking, axis=0))]

    @property
    def _first(self) -> Mapping[tuple[int, int], Entry]:
        """The runs of the control, or of another method where it has none."""
        return self.entries[self.control if self.control in self.methods else self.methods[0]]

    def _n_tested(self) -> list[np.ndarray]:
        """Return the test examples of each class in each of `repeats`."""
        codes = [self._first[each].predictions["as_trained"].codes for each in self.repeats]
        return [np.bincount(own, minlength=len(self.classes)) for own in codes]


def _rarest(counts: np.ndarray, tested: np.ndarray) -> list[int]:
    present = np.flatnonzero(tested)
    n = min(N_RAREST, max(len(present) // 2, 1))
    return sorted(present[np.argsort(counts[present], kind="stable")[:n]].tolist())


def read_results(folder: Path) -> Results:
    """Return what is finished of the comparison in a folder.

    Raises
    ------
    InputError
        If there is none, no run is finished, or runs were made on other data or splits.
    """
    if not (folder / NAME).exists():
        raise InputError(
            f"A folder of a comparison holds {NAME}.",
            f"`{folder}` does not.",
            "Give the --out of `equipoise compare`.",
        )
    told = _told(folder)
    entries = {name: _entries(folder, name) for name in told["methods"]}
    done = [entry for own in entries.values() for entry in own.values()]
    if not done:
        raise InputError(
            "A comparison can be read once a run of it is finished.",
            f"In `{folder}` none is.",
            "Go on with `equipoise compare ... --resume`.",
        )
    _check_splits(entries)
    data = Run.open(done[0].path).config["data"]
    return Results(
        folder=folder,
        told=told,
        entries=entries,
        classes=tuple(data["classes"]),
    )


def _told(folder: Path) -> dict[str, Any]:
    """Return the file of a comparison, which may be a stranger's."""
    told = Run(folder).read_json(NAME)
    if fault := _fault(told):
        raise _damaged(folder / NAME, fault)
    for name in told["methods"]:
        # Neither leads a path elsewhere, nor is a formula in a spreadsheet of the leaderboard.
        if Path(name).name != name or name in ("", ".", "..") or name[0] in "=+-@\t\r":
            raise _damaged(folder / NAME, f"{name!r} is no name of a method")
    return told


def _fault(told: Any) -> str | None:
    """Return what is not as it was written of what is read; earlier versions kept less."""
    if fault := mismatch(told, {"methods": {...: {...: ANY}}, ...: ANY}):
        return fault
    some = {name: told[name] for name in READ if name in told}
    if fault := mismatch(some, {name: READ[name] for name in some}):
        return fault
    setup = {name: told["setup"][name] for name in SET if name in told.get("setup", {})}
    return mismatch(setup, {name: SET[name] for name in setup}, "setup")


def _damaged(path: Path, fault: str) -> InputError:
    return InputError(
        "A comparison must be as `equipoise compare` wrote it.",
        f"In `{path}`, {fault}.",
        "Restore the file, or remove this run and go on with `equipoise compare ... --resume`.",
    )


def _entries(folder: Path, method: str) -> dict[tuple[int, int], Entry]:
    found = {}
    for path in sorted((folder / "runs" / method).glob("seed*")):
        seed, _, order = path.name.removeprefix("seed").partition("-order")
        if Run(path).done and seed.isdigit() and (order or "0").isdigit():
            found[int(seed), int(order or 0)] = read_entry(path)
    return found


def read_entry(path: Path) -> Entry:
    """Return one finished run.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        return _read_entry(path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"something is missing or wrong: {error!r}") from error


def _read_entry(path: Path) -> Entry:
    run = Run.open(path)
    config, arrays = run.config, run.read_arrays("predictions.npz")
    network, environment = config["network"], config["environment"]
    prior = np.asarray(network["prior"], dtype=float)
    logits = arrays["test_logits"].astype(np.float64)
    even = np.full(len(prior), 1 / len(prior))
    plain = without_margins(logits, trained_margins(config))
    both = {"as_trained": logits, "balanced": shift_logits(plain, prior, even)}
    predictions = {
        name: Predictions(codes=arrays["test_labels"], logits=values, ids=arrays["test_ids"])
        for name, values in both.items()
    }
    return Entry(
        path=path,
        predictions=predictions,
        seconds=_seconds(path, environment),
        looks=int(config["test"]["looks"]),
        facts={
            "epochs": len(run.history) or None,
            "trials": _trials(run),
            "parameters": network.get("parameters"),
            "multiply_adds": network.get("multiply_adds"),
            "tested": hashlib.sha256("\n".join(arrays["test_ids"]).encode()).hexdigest(),
            "counts": np.asarray(config["data"]["counts_train"], dtype=int),
            "exact_prior": _exact_prior(config),
        },
    )


def _seconds(path: Path, environment: Mapping[str, Any]) -> float:
    if "wall_seconds" in environment:
        return float(environment["wall_seconds"])
    return time_used(path / SEARCH) or float(environment["seconds"])


def _exact_prior(config: Mapping[str, Any]) -> bool:
    told, classifier = config["network"].get("exact_prior"), config.get("classifier", {})
    loss, posthoc = (str(classifier.get(k, "")).partition("(")[0] for k in ("loss", "posthoc"))
    if not {posthoc, config.get("opponent", {}).get("name")}.isdisjoint(HEURISTIC_TOO):
        return False
    return told if isinstance(told, bool) else loss not in HEURISTIC


def _trials(run: Run) -> int:
    if run.has("tuning.json"):
        return len(run.read_json("tuning.json")["trials"])
    return int(run.config.get("opponent", {}).get("trials", 1))


def _check_splits(entries: Mapping[str, Mapping[tuple[int, int], Entry]]) -> None:
    """Refuse runs of one seed and order that were tested by other examples."""
    tested: dict[tuple[int, int], str] = {}
    for method, own in entries.items():
        for repeat, entry in own.items():
            if tested.setdefault(repeat, entry.facts["tested"]) != entry.facts["tested"]:
                raise InputError(
                    "All methods of one seed must have the same test examples.",
                    f"{method} has others than the methods before it, for seed {repeat[0]}.",
                    f"Remove `{entry.path}` and go on with --resume.",
                )
