"""What a worker needs to carry out a trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.experiment import Experiment
from equipoise.task import Task
from equipoise.tuning.records import Record
from equipoise.tuning.study import Address


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Everything that a worker needs to carry out a trial; it travels to another process.

    Parameters
    ----------
    record : Record
        The recipe.
    folder : Path
        The trial's folder.
    data : Experiment or Task
        Where the examples are, or they themselves.
    data_hash : str
        What the examples and their parts must have as `parts_hash`; of a task it is not asked.
    base : mapping of str to value
        Parameters of the prescription, which the recipe changes.
    n_folds : int
        Number of folds; 1: the single split.
    seconds : float
        Time of a full training, over all folds.
    most_epochs : int
        A training has at most so many epochs.
    metric : str
        What the recipe is judged by.
    seed : int
        Seed of folds and training; the same for all trials.
    until : float
        Time of `time.time` at which the search ends.
    keeps_folds : bool, default=False
        Whether the models of all folds are kept, not that of the first alone.
    address : Address or None
        Where the trial reports how it goes and asks whether to stop; None: nowhere.
    """

    record: Record
    folder: Path
    data: Experiment | Task
    base: Mapping[str, Any]
    n_folds: int
    seconds: float
    most_epochs: int
    metric: str
    seed: int
    until: float
    keeps_folds: bool = False
    address: Address | None = None
    data_hash: str = ""

    @property
    def search(self) -> Path:
        """Folder of the search."""
        return self.folder.parent.parent

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the classifier."""
        return {**self.base, **self.record.params}
