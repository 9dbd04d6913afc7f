"""Small searches, for the tests beside this module; here, for another process must import it."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.classifier import Classifier
from equipoise.fitting import Fit
from equipoise.task import Task
from equipoise.tuning.job import Job
from equipoise.tuning.portfolio import first_points
from equipoise.tuning.records import Record
from equipoise.tuning.search import Search
from equipoise.tuning.space import Role, search_space
from equipoise.tuning.study import journal
from equipoise.tuning.variations import variations

COUNTS = (60, 24, 9)
"""Examples of each class, those of the sealed test part included."""

PARAMS: Mapping[str, Any] = {
    **Classifier().get_params(deep=False),
    "backbone": "MLP(layers=1, width=16, numeric=None)",
    "optimizer": "AdamW(lr=0.03)",
    "average": None,
    "batch_size": 32,
    "device": "cpu",
    "monitor": "balanced_accuracy",
    "prior": "balanced",
}
"""A prescription that trains in milliseconds."""


@cache
def task() -> Task:
    """Return a table of three classes that overlap; a sixth of its rows is in no part."""
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], COUNTS)[random.permutation(sum(COUNTS))]
    numbers = random.normal(size=(len(codes), 3)) + 1.5 * codes[:, None]
    X = pd.DataFrame(numbers, columns=list("abc"))
    rows = np.concatenate([np.flatnonzero(codes == code) for code in range(3)])
    train, held = rows[np.arange(len(rows)) % 6 < 4], rows[np.arange(len(rows)) % 6 == 4]
    return Task(
        X=X,
        codes=codes,
        n_classes=3,
        train=np.sort(train),
        validation=np.sort(held),
        classes=("a", "b", "c"),
    )


def roles(*names: str) -> list[Role]:
    """Return the space of some parameters."""
    return search_space(Fit.prepare(task(), PARAMS, 0).settings, "table", names)


def search(folder: Path, **changes: Any) -> Search:
    """Return a search whose trials have three epochs in each of two folds."""
    space = changes.get("roles") or roles("optimizer", "smoothing", "mixing")
    settings = {
        "data": task(),
        "base": PARAMS,
        "roles": space,
        "first": [*first_points(space, "table"), *variations(space, 3, seed=0)],
        "metrics": ("balanced_accuracy",),
        "n_folds": 2,
        "seconds": 1e9,
        "most_epochs": 3,
        "address": journal(folder),
    }
    return Search(folder=folder, **{**settings, **changes})


def trial(folder: Path, **changes: Any) -> Job:
    """Return a trial of the prescription, of six epochs in each of two folds."""
    settings = {
        "record": Record(number=0),
        "data": task(),
        "base": PARAMS,
        "n_folds": 2,
        "seconds": 1e9,
        "most_epochs": 6,
        "metric": "balanced_accuracy",
        "seed": 0,
        "until": math.inf,
    }
    folder.mkdir(parents=True, exist_ok=True)
    return Job(folder=folder, **{**settings, **changes})


def without_times(record: Record) -> dict[str, Any]:
    """Return what is recorded of a trial, but for what depends on the machine."""
    return {k: v for k, v in asdict(record).items() if k not in ("pace", "seconds")}
