"""The examples of a search, read once in each process that carries out its trials."""

import hashlib

import numpy as np

from equipoise.errors import InputError
from equipoise.experiment import Experiment, Parts, prepare
from equipoise.initial import example_hashes
from equipoise.task import Task

_TASKS: dict[str, Task] = {}


def task_of(data: Experiment | Task, validation: float = 0.0, expected: str = "") -> Task:
    """Return the examples; a worker reads them once for all trials of a search.

    Parameters
    ----------
    data : Experiment or Task
        Where the examples are, or they themselves.
    validation : float
        Share of each class to hold out.
    expected : str
        What `parts_hash` must give; it is not asked of a task.

    Raises
    ------
    InputError
        If they are not those that the search began with.
    """
    if isinstance(data, Task):
        return data
    if expected not in _TASKS:
        parts = prepare(data, validation)
        if (found := parts_hash(parts)) != expected:
            raise InputError(
                "The data must stay as it is during a search.",
                f"It began with {expected} and reads as {found} now.",
                "Restore the data, or begin a new search.",
            )
        _TASKS.clear()
        _TASKS[found] = Task(
            X=parts.dataset.X,
            codes=parts.dataset.codes,
            n_classes=len(parts.dataset.classes),
            train=parts.train,
            validation=parts.validation,
            classes=parts.dataset.classes,
        )
    return _TASKS[expected]


def parts_hash(parts: Parts) -> str:
    """Return by what a worker knows the examples of a search, and how they are cut."""
    return f"{parts.dataset.fingerprint}-{parts.fingerprint}"


def examples_hash(task: Task) -> str:
    """Return the SHA-256 of all examples, with their classes and weights, in hexadecimal."""
    digest = hashlib.sha256(example_hashes(task.X, np.arange(len(task.codes))).tobytes())
    digest.update(np.asarray(task.codes, dtype=np.int64).tobytes())
    if task.weights is not None:
        digest.update(np.asarray(task.weights, dtype=np.float64).tobytes())
    return digest.hexdigest()
