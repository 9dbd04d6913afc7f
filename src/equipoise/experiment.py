"""What an experiment is, and how its data is read and cut into parts."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import ImageArray, IndexArray
from equipoise.data.dataset import Dataset
from equipoise.data.entries import catalog_name
from equipoise.data.imbalance import load_index, parse_ratio, subsample
from equipoise.data.options import ReadOptions
from equipoise.data.profiles import Limits
from equipoise.data.rare import merge_rare_classes
from equipoise.data.sources import load
from equipoise.data.splits import Split, hold_out, split
from equipoise.errors import InputError

PARTS = ("train", "validation", "test")
"""The parts of a data set."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """Everything that determines a run.

    Parameters
    ----------
    source : str
        DATA: a path or a catalog name.
    options : ReadOptions
        How it is read.
    download : bool
        Whether a catalog data set may be fetched.
    ratio : float or None
        Imbalance ratio to which the training part is subsampled; None: as it is.
    profile, order : str
        Shape of the imbalance, and which class is rare; see `equipoise.data.imbalance`.
    largest, examples : int or None
        How many training examples are kept at most, of the largest class and in all, where the
        imbalance is made here; None: all that the ratio allows.
    index : sequence of Path
        Files of `save_index`; each thins the parts that it names examples of.
    test : float
        Share of each class that is sealed as the test set where DATA brings none.
    rare : {"refuse", "merge", "drop"}
        What happens to classes of a single example.
    seed : int
        Seed of training.
    split_seed : int
        Seed of the test split, the subsampling and the validation split.
    recipe : str
        Name of the recipe whose settings `params` are put on top of; see `equipoise.recipes`.
    params : mapping of str to value
        Parameters of `Classifier`.
    budget : float or None
        Seconds that the run may take from when its data is read; None: as long as it needs.
    """

    source: str
    options: ReadOptions = field(default_factory=ReadOptions)
    download: bool = False
    ratio: float | None = None
    profile: str = "exp"
    order: str = "label"
    largest: int | None = None
    examples: int | None = None
    index: Sequence[Path] = ()
    test: float = 0.2
    rare: str = "refuse"
    seed: int = 0
    split_seed: int = 0
    recipe: str = "prescribed"
    params: Mapping[str, Any] = field(default_factory=dict)
    budget: float | None = None


def travelling(experiment: Experiment) -> Experiment:
    """Return an experiment as a process with another working folder can read it.

    Parameters
    ----------
    experiment : Experiment
        As the user gave it.

    Returns
    -------
    Experiment
        The same with absolute paths, and without a bar, which cannot travel.

    Examples
    --------
    >>> travelling(Experiment(source="digits")).source
    'digits'
    >>> Path(travelling(Experiment(source="patients.csv")).source).is_absolute()
    True
    """
    source, options = experiment.source, experiment.options
    cache = None if options.cache is None else _absolute(options.cache)
    return replace(
        experiment,
        source=source if catalog_name(source) else str(_absolute(source)),
        options=replace(options, cache=cache, progress=None),
        index=tuple(map(_absolute, experiment.index)),
        params=travelling_params(experiment.params),
    )


def travelling_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a classifier's parameters with an absolute path of the run to start from."""
    initial = params.get("initial")
    return {**params, **({} if initial is None else {"initial": str(_absolute(initial))})}


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


@dataclass(frozen=True, eq=False)
class Parts:
    """A data set and the positions of its three parts.

    Parameters
    ----------
    dataset : Dataset
        All examples, also those that are in no part.
    train, validation, test : ndarray of int
        Positions in the data set.
    notes : tuple of str
        What was decided on the way, as sentences.
    """

    dataset: Dataset
    train: IndexArray
    validation: IndexArray
    test: IndexArray
    notes: tuple[str, ...]

    @property
    def index(self) -> dict[str, IndexArray]:
        """Positions of each part, by its name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def used(self) -> "ImageArray | pd.DataFrame":
        """The rows of a table that are in a part; all images, which need no copy so."""
        X = self.dataset.X
        return X if isinstance(X, np.ndarray) else X.iloc[np.concatenate([*self.index.values()])]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the positions, by which a resumed run knows its parts again."""
        joined = b"|".join(part.astype("<i8").tobytes() for part in self.index.values())
        return hashlib.sha256(joined).hexdigest()


def prepare(experiment: Experiment, validation: float) -> Parts:
    """Read the data, seal the test set, make the imbalance, and hold out validation.

    Parameters
    ----------
    experiment : Experiment
        Where the data is and how it is cut.
    validation : float
        Share of each class to hold out, where the data brings no validation part; 0: no example
        is held out, not even those of that part.

    Raises
    ------
    InputError
        If the data cannot be read or cut so.
    """
    return cut(read_dataset(experiment), experiment, validation)


def read_dataset(experiment: Experiment) -> Dataset:
    """Read the data of an experiment, all of it.

    Raises
    ------
    InputError
        If it cannot be read, or a class has one example and shall have more.
    """
    read = load(experiment.source, experiment.options, download=experiment.download)
    dataset = merge_rare_classes(read, experiment.rare)  # type: ignore[arg-type]
    _check_index(experiment, len(read), len(dataset))
    return dataset


def draw(dataset: Dataset, experiment: Experiment) -> Split:
    """Seal the test set and make the imbalance; no example is held out for validation yet.

    Parameters
    ----------
    dataset : Dataset
        The data, from `read_dataset`.
    experiment : Experiment
        How it is cut.

    Returns
    -------
    Split
        ``validation`` is the part that the data brings, if it brings one.

    Raises
    ------
    InputError
        If there are no test examples, or the imbalance cannot be made.
    """
    sealed = split(
        dataset.codes,
        parts=dataset.parts,
        classes=dataset.classes,
        test=experiment.test,
        validation=0.0,
        seed=experiment.split_seed,
    )
    if not len(sealed.test):
        raise InputError(
            "A run needs test examples, sealed before anything is fitted.",
            f"The share to test on is {experiment.test} and DATA brings no test part.",
            "Give --test 0.2, or a DATA with a test part.",
        )
    sealed = _thinned(sealed, dataset, experiment.index)
    pool, notes = _imbalanced(sealed.train, dataset, experiment)
    return replace(sealed, train=pool, notes=(*sealed.notes, *notes))


def cut(dataset: Dataset, experiment: Experiment, validation: float) -> Parts:
    """Cut data that is read into the parts of an experiment.

    Parameters
    ----------
    dataset : Dataset
        The data, from `read_dataset`.
    experiment : Experiment
        How it is cut.
    validation : float
        As for `prepare`.

    Raises
    ------
    InputError
        If it cannot be cut so.
    """
    drawn = draw(dataset, experiment)
    pool, held = drawn.train, drawn.validation
    notes = (*dataset.notes, *drawn.notes)
    if len(held) and validation == 0:
        pool, held = np.union1d(pool, held), held[:0]
        notes = (*notes, "Validation is 0, so the validation part is learnt from as well.")
    elif not len(held):
        pool, held = hold_out(dataset.codes, validation, experiment.split_seed, within=pool)
    return Parts(dataset, pool, held, drawn.test, notes)


def _check_index(experiment: Experiment, n_read: int, n_left: int) -> None:
    if experiment.index and n_read != n_left:
        raise InputError(
            "An index counts positions in the data as it was read.",
            f"Dropping rare classes has left {n_left} of {n_read} examples.",
            "Use --rare merge, or no --index.",
        )


def _thinned(sealed: Split, dataset: Dataset, files: Sequence[Path]) -> Split:
    for path in files:
        kept = load_index(path, dataset.fingerprint).index
        parts = {name: np.intersect1d(getattr(sealed, name), kept) for name in PARTS}
        named = {name: index for name, index in parts.items() if len(index)}
        note = f"{path} thins the {' and '.join(named)} part to its examples."
        sealed = replace(sealed, **named, notes=(*sealed.notes, note))
    return sealed


def _imbalanced(
    pool: IndexArray, dataset: Dataset, experiment: Experiment
) -> tuple[IndexArray, tuple[str, ...]]:
    limits = Limits(largest=experiment.largest, examples=experiment.examples)
    if experiment.ratio is None:
        _require_ratio(limits)
        return pool, ()
    ratio, note = parse_ratio(experiment.ratio)
    chosen = subsample(
        dataset.codes,
        ratio,
        profile=experiment.profile,  # type: ignore[arg-type]
        order=experiment.order,  # type: ignore[arg-type]
        seed=experiment.split_seed,
        within=pool,
        limits=limits,
        names=dataset.classes,
    )
    return chosen.index, (*([note] if note else []), *chosen.notes)


def _require_ratio(limits: Limits) -> None:
    given = next((name for name, value in vars(limits).items() if value is not None), None)
    if given is not None:
        raise InputError(
            f"--{given} says how many examples are kept where the imbalance is made here.",
            "There is no --ratio, so the data stays as it is.",
            f"Give --ratio too, 1 for equal classes, or leave out --{given}.",
        )
