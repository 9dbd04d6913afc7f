"""Reading a study: the predictions of every finished cell, by ratio and value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.comparison.results import Results, read_results
from equipoise.data.profiles import class_order
from equipoise.errors import InputError
from equipoise.metrics import groups_by_frequency
from equipoise.metrics.groups import in_order
from equipoise.runs import Run
from equipoise.shapes import MAYBE, NUMBER, TEXT, TEXT_OR_NULL, WHOLE, mismatch
from equipoise.statistics.paired import Predictions

NAME = "study.json"
"""The file of a study, in its folder."""

TOLD = {
    **dict.fromkeys(("component", "claim", "fixed", "hold", "data", "reference"), TEXT),
    "unit": TEXT_OR_NULL,
    "retune": [TEXT],
    "values": [{"label": TEXT, "number": MAYBE, "method": TEXT}],
    "ratios": [MAYBE],
}
"""What is read of it."""

SINCE = {
    "cautions": [TEXT],
    "n_seeds": WHOLE,
    "resolved": {"ratio": NUMBER, "seed": WHOLE},
    "asked": {"examples": MAYBE, "largest": MAYBE},
}
"""What is read of it where it is there: earlier versions did not keep it."""

AS_IT_IS = 0.0
"""Stands for the ratio of data that is not thinned."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """All that is finished of a study.

    Parameters
    ----------
    folder : Path
        Of the study.
    told : dict
        Its file.
    by_ratio : dict of float to Results
        What is finished of each ratio's comparison, see `AS_IT_IS`.
    """

    folder: Path
    told: Mapping[str, Any]
    by_ratio: Mapping[float, Results]

    @property
    def labels(self) -> dict[str, str]:
        """What each value's method is called in words."""
        return {value["method"]: value["label"] for value in self.told["values"]}

    @property
    def numbers(self) -> dict[str, float | None]:
        """Where each value stands on a scale; None: on none."""
        return {value["method"]: value["number"] for value in self.told["values"]}

    @property
    def reference(self) -> str:
        """The value that others are measured against."""
        return str(self.told["reference"])

    def params(self, method: str) -> Mapping[str, str]:
        """Return the parameters that a value sets, as text."""
        first = next(iter(self.by_ratio.values()))
        return first.told["methods"][method].get("params", {})

    @cached_property
    def methods(self) -> list[str]:
        """Values with finished runs at every ratio."""
        found = [set(results.methods) for results in self.by_ratio.values()]
        shared = set.intersection(*found)
        return [name for name in self.labels if name in shared]

    @cached_property
    def seeds(self) -> list[int]:
        """Seeds that all values have finished at all ratios."""
        found = [
            {seed for seed, _ in results.entries[name]}
            for results in self.by_ratio.values()
            for name in self.methods
        ]
        return sorted(set.intersection(*found)) if found else []

    def predictions(self, ratio: float, prior: str) -> dict[str, list[Predictions]]:
        """Return the predictions of every value at a ratio, of the same seeds."""
        entries = self.by_ratio[ratio].entries
        return {
            name: [entries[name][seed, 0].predictions[prior] for seed in self.seeds]
            for name in self.methods
        }

    def all_predictions(self, prior: str) -> dict[str, list[Predictions]]:
        """Return the predictions of every cell, by ``str((ratio, value))``."""
        return {
            str((ratio, name)): own
            for ratio in self.by_ratio
            for name, own in self.predictions(ratio, prior).items()
        }

    def shares_elsewhere(self, seed: int, test_ratio: float) -> np.ndarray:
        """Return class frequencies of a place of use, the same for all ratios of training.

        Classes are rare there in the order in which the seed makes them rare here; where the
        data stays as it is, in the order of their sizes.
        """
        largest = max(self.by_ratio)
        setup = self.by_ratio[largest].told.get("setup", {})
        how = "size" if largest == AS_IT_IS else setup.get("order", "size")
        order = class_order(self.counts(largest, seed), how, setup.get("split_seed", 0) + seed)
        return shares_of_ratio(order, test_ratio)

    def counts(self, ratio: float, seed: int) -> np.ndarray:
        """Return the training examples of each class; those held out left aside."""
        entry = self.by_ratio[ratio].entries[self.methods[0]][seed, 0]
        return np.asarray(Run.open(entry.path).config["data"]["counts_train"])


def read_cells(folder: Path) -> Cells:
    """Return what is finished of the study in a folder.

    Raises
    ------
    InputError
        If there is none, no seed is finished for all values at all ratios, or the reference is
        not finished.
    """
    if not (folder / NAME).exists():
        raise InputError(
            f"A folder of a study holds {NAME}.",
            f"`{folder}` does not.",
            "Give the --out of `equipoise study`.",
        )
    told = read_told(folder)
    by_ratio = {
        ratio: read_results(folder / folder_of(ratio))
        for ratio in ratios_of(told)
        if (folder / folder_of(ratio) / "comparison.json").exists()
    }
    cells = Cells(folder=folder, told=told, by_ratio=by_ratio)
    if len(by_ratio) < len(told["ratios"]) or not cells.methods or not cells.seeds:
        raise InputError(
            "A study is read by seeds that are finished for all values at all ratios.",
            "There is no such seed yet.",
            "Go on with `equipoise study ... --resume`.",
        )
    if cells.reference not in cells.methods:
        raise InputError(
            "A study is read by its reference, which others are measured against.",
            f"{cells.labels[cells.reference]} is not finished at every ratio.",
            "Go on with `equipoise study ... --resume`, or begin one with other --values.",
        )
    return cells


def ratios_of(told: Mapping[str, Any]) -> list[float]:
    """Return the ratios of a study."""
    return [AS_IT_IS if ratio is None else float(ratio) for ratio in told["ratios"]]


def name_of(ratio: float) -> str:
    """Return a ratio as it stands in tables.

    >>> name_of(100.0), name_of(AS_IT_IS)
    ('100', 'as it is')
    """
    return "as it is" if ratio == AS_IT_IS else f"{ratio:g}"


def folder_of(ratio: float) -> str:
    """Return the name of a ratio's folder.

    Examples
    --------
    >>> folder_of(100.0), folder_of(AS_IT_IS)
    ('ratio100', 'as-it-is')
    """
    return "as-it-is" if ratio == AS_IT_IS else f"ratio{ratio:g}"


def read_told(folder: Path) -> dict[str, Any]:
    """Return the file of the study in a folder, which may be a stranger's.

    Raises
    ------
    InputError
        If it does not say all.
    """
    told = Run(folder).read_json(NAME)
    since = {name: shape for name, shape in SINCE.items() if name in told}
    fault = mismatch(told, {**TOLD, **since}) or _disagreement(told)
    if fault is not None:
        raise InputError(
            "A study must be as `equipoise study` wrote it.",
            f"In `{folder / NAME}`, {fault}.",
            "Restore the file, or begin a new study.",
        )
    return told


def _disagreement(told: Mapping[str, Any]) -> str | None:
    if told["reference"] not in [value["method"] for value in told["values"]]:
        return "the reference is none of the values"
    if told["ratios"] == [None] or (
        told["ratios"] and all(ratio is not None and ratio >= 1 for ratio in told["ratios"])
    ):
        return None
    return "ratios are neither numbers from 1 on nor null alone"


def recall_of_groups(predictions: Predictions, counts: np.ndarray) -> dict[str, float]:
    """Return the mean recall of all classes and of each group by training frequency.

    Examples
    --------
    >>> own = Predictions(codes=np.array([0, 0, 1]), logits=np.eye(2)[[0, 1, 1]])
    >>> recall_of_groups(own, np.array([500, 10]))
    {'all': 0.75, 'many': 0.5, 'few': 1.0}
    """
    codes, right = predictions.codes, predictions.logits.argmax(axis=1) == predictions.codes
    n = np.bincount(codes, minlength=len(counts))
    recall = np.bincount(codes, weights=right, minlength=len(counts)) / np.maximum(n, 1)
    bands = np.array(groups_by_frequency(counts))
    found = {"all": recall[n > 0].mean()}
    for group in in_order(bands):
        here = (bands == group) & (n > 0)
        if here.any():
            found[group] = recall[here].mean()
    return {name: float(value) for name, value in found.items()}


def shares_of_ratio(order: Sequence[int] | np.ndarray, ratio: float) -> np.ndarray:
    r"""Return class frequencies that fall exponentially along an order of the classes.

    Parameters
    ----------
    order : array-like of int, shape (classes,)
        Class codes, the most frequent first; see `equipoise.data.profiles.class_order`.
    ratio : float
        Most over least frequent class; below 1 the last class is most frequent.

    Examples
    --------
    >>> shares_of_ratio([1, 0], 4.0), shares_of_ratio([1, 0], 0.25)
    (array([0.2, 0.8]), array([0.8, 0.2]))
    """
    raw = np.empty(len(order))
    raw[np.asarray(order)] = float(ratio) ** (-np.arange(len(order)) / (len(order) - 1))
    return raw / raw.sum()
