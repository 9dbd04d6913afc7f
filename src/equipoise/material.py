"""What a fit works with: a task's examples, encoded, and those to learn from resampled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from equipoise._typing import CountArray, WeightArray
from equipoise.batches import Examples, JoinedSource, Source
from equipoise.errors import InputError
from equipoise.preprocessing import Preprocessing, TablePreprocessing
from equipoise.seeds import derive_seed
from equipoise.specialized.resampling import Resampling
from equipoise.task import Task

INITIAL_EXAMPLES = 10_000
"""At most so many training rows are shown to a backbone that starts from data."""


@dataclass(frozen=True, eq=False)
class Material:
    """The examples of a task as a network takes them; made when they are first asked for.

    Parameters
    ----------
    task : Task
        The examples.
    preprocessing : ImagePreprocessing or TablePreprocessing
        How inputs are made.
    resampling : Resampling or None
        How the training rows of a table are resampled; None: they are learnt from as they are.
    seed : int
        Seed of everything random.
    """

    task: Task
    preprocessing: Preprocessing
    resampling: Resampling | None
    seed: int

    @property
    def counts(self) -> CountArray:
        """Training examples of each class as they are learnt from, after resampling."""
        return learnt_counts(self.task, self.resampling)

    @property
    def notes(self) -> tuple[str, ...]:
        """What resampling makes of the training rows, as a sentence; nothing without."""
        if self.resampling is None:
            return ()
        before, after = self.task.counts, self.counts
        return (
            f"{self.resampling!r} makes {after.sum():,} training rows of {before.sum():,}: an "
            f"imbalance ratio of {after.max() / after.min():.4g} instead of "
            f"{before.max() / before.min():.4g}.",
        )

    @cached_property
    def shown(self) -> torch.Tensor | None:
        """Encoded training rows for what starts from data, not resampled; None for images."""
        if not isinstance(self.preprocessing, TablePreprocessing):
            return None
        task = self.task
        random = np.random.default_rng(derive_seed(self.seed, "initial examples"))
        rows = task.X.iloc[random.permutation(task.train)[:INITIAL_EXAMPLES]]  # type: ignore[union-attr]
        return torch.from_numpy(self.preprocessing.transform(rows))

    @cached_property
    def examples(self) -> tuple[Examples, Examples]:
        """The examples to learn from and those to choose the epoch by, ready for the network."""
        task = self.task
        used = np.concatenate([task.train, task.validation])
        if isinstance(task.X, np.ndarray):
            array, train_rows, validation_rows = task.X, task.train, task.validation
        else:
            array = self.preprocessing.transform(task.X.iloc[used])  # type: ignore[arg-type]
            train_rows, validation_rows = np.split(np.arange(len(used)), [len(task.train)])
        held = Examples(Source(array, validation_rows), task.codes[task.validation])
        return self._learnt(Source(array, train_rows)), held

    def _learnt(self, source: Source) -> Examples:
        """Return the training examples; those without a label count as of the largest class."""
        task = self.task
        codes = task.codes[task.train]
        if self.resampling is not None:
            return _resampled(source, codes, self.preprocessing, self.resampling, self.seed)
        weights = None if task.weights is None else _normalised(task.weights[task.train])
        if task.extra is None:
            return Examples(source, codes, weights)
        extra = self.preprocessing.transform(task.extra)  # type: ignore[arg-type]
        joined = JoinedSource(source, Source(extra, task.extra_rows))
        filled = np.full(len(task.extra_rows), task.counts.argmax())
        return Examples(joined, np.concatenate([codes, filled]))


def learnt_counts(task: Task, resampling: Resampling | None) -> CountArray:
    """Return the training examples of each class as they will be learnt from."""
    return task.counts if resampling is None else resampling.targets(task.counts)


def facts_of(task: Task, resampling: Resampling | None) -> Mapping[str, Any]:
    """Return what automatic choices may depend on: with as many examples as an epoch shows.

    Raises
    ------
    InputError
        If the task's examples cannot be resampled.
    """
    if resampling is None:
        return task.facts
    _check(task, resampling)
    return {**task.facts, "n_train": int(learnt_counts(task, resampling).sum())}


def _check(task: Task, resampling: Resampling) -> None:
    name = type(resampling).__name__
    if isinstance(task.X, np.ndarray):
        raise InputError(
            "Resampling must be of the rows of a table.",
            f"These are images, and the resampling is {name}.",
            'Use a sampler, as --sampler "ClassBalanced()", or --mixing "Remix()" or "CMO()".',
        )
    if task.weights is not None:
        raise InputError(
            "Rows with a weight of their own must be learnt from as they are: a row that is made "
            "has none.",
            f"There is a sample_weight, and the resampling is {name}.",
            "Leave out one of them.",
        )
    if not task.supervised:
        raise InputError(
            "Pre-training must be without labels, and resampling is by them.",
            f"The resampling is {name}.",
            "Resample in the fit that starts from it.",
        )


def _resampled(
    source: Source,
    codes: np.ndarray,
    preprocessing: Preprocessing,
    resampling: Resampling,
    seed: int,
) -> Examples:
    assert isinstance(preprocessing, TablePreprocessing)
    n_numeric = preprocessing.spec.n_numeric
    own = derive_seed(seed, "resampling")
    found = resampling.resample(source.array[source.rows], codes, n_numeric, own)
    kept = Source(source.array, source.rows[found.kept])
    if not len(found.made):
        return Examples(kept, codes[found.kept])
    made = Source(found.made, np.arange(len(found.made)))
    return Examples(JoinedSource(kept, made), np.concatenate([codes[found.kept], found.made_codes]))


def _normalised(weights: WeightArray) -> np.ndarray:
    # Scaled by the largest first, for the sum of large weights may overflow.
    scaled = weights / weights.max()
    return (scaled / scaled.mean()).astype(np.float32)
