"""From DATA, settings and a seed to a finished run folder, resumable at any moment."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import outcome
from equipoise._typing import IndexArray
from equipoise.classifier import Classifier
from equipoise.data.dataset import Dataset
from equipoise.data.imbalance import load_index, parse_ratio, subsample
from equipoise.data.options import ReadOptions
from equipoise.data.rare import merge_rare_classes
from equipoise.data.sources import load
from equipoise.data.splits import Split, hold_out, split
from equipoise.devices import Device, choose_device
from equipoise.errors import InputError
from equipoise.fitting import Fit, Task
from equipoise.models import Model, load_model
from equipoise.runs import Run
from equipoise.settings import COMPONENTS, as_text, from_text
from equipoise.spec import resolve
from equipoise.standard.networks import count_parameters
from equipoise.training import Observer, Progress

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
    params : mapping of str to value
        Parameters of `Classifier`.
    """

    source: str
    options: ReadOptions = field(default_factory=ReadOptions)
    download: bool = False
    ratio: float | None = None
    profile: str = "exp"
    order: str = "label"
    index: Sequence[Path] = ()
    test: float = 0.2
    rare: str = "refuse"
    seed: int = 0
    split_seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)


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


def prepare(experiment: Experiment, validation: float) -> Parts:
    """Read the data, seal the test set, make the imbalance, and hold out validation.

    Parameters
    ----------
    experiment : Experiment
        Where the data is and how it is cut.
    validation : float
        Share of each class to hold out, where the data brings no validation part.

    Raises
    ------
    InputError
        If the data cannot be read or cut so.
    """
    dataset = load(experiment.source, experiment.options, download=experiment.download)
    dataset = merge_rare_classes(dataset, experiment.rare)  # type: ignore[arg-type]
    sealed = split(
        dataset.codes,
        parts=dataset.parts,
        classes=dataset.classes,
        test=experiment.test,
        validation=0.0,
        seed=experiment.split_seed,
    )
    sealed = _thinned(sealed, dataset, experiment.index)
    pool, notes = _imbalanced(sealed.train, dataset, experiment)
    held = sealed.validation
    if not len(held):
        pool, held = hold_out(dataset.codes, validation, experiment.split_seed, within=pool)
    notes = (*dataset.notes, *sealed.notes, *notes)
    return Parts(dataset, pool, held, sealed.test, notes)


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
    if experiment.ratio is None:
        return pool, ()
    ratio, note = parse_ratio(experiment.ratio)
    chosen = subsample(
        dataset.codes,
        ratio,
        profile=experiment.profile,  # type: ignore[arg-type]
        order=experiment.order,  # type: ignore[arg-type]
        seed=experiment.split_seed,
        within=pool,
    )
    return chosen.index, (*([note] if note else []), *chosen.notes)


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
        Parameters of `Classifier`, as given.
    """

    experiment: Experiment
    parts: Parts
    fit: Fit
    params: Mapping[str, Any]

    @classmethod
    def make(cls, experiment: Experiment) -> "Plan":
        """Read the data, cut it, and resolve every setting; nothing is written.

        Raises
        ------
        InputError
            If the data or a setting cannot be used.
        """
        params = {**Classifier().get_params(deep=False), **experiment.params}
        parts = prepare(experiment, params["validation"])
        task = Task(
            X=parts.dataset.X,
            codes=parts.dataset.codes,
            n_classes=len(parts.dataset.classes),
            train=parts.train,
            validation=parts.validation,
        )
        return cls(experiment, parts, Fit.prepare(task, params, experiment.seed), params)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided while reading, cutting and encoding the data, as sentences."""
        return (*self.parts.notes, *self.fit.preprocessing.notes)

    @property
    def choices(self) -> tuple[str, ...]:
        """Everything that was decided automatically, as sentences."""
        return (*self.notes, *map(str, self.fit.choices))

    def run(self, folder: Path, *, resume: bool = False, observers: Sequence[Observer] = ()) -> Run:
        """Carry the plan out and keep it in a run folder.

        Parameters
        ----------
        folder : Path
            Where to keep it.
        resume : bool, default=False
            Go on with the run in the folder, if there is one; a finished run is left as it is.
        observers : sequence of callable
            Told about the progress of training.

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
        run = _open_or_create(folder, _config(self), resume=resume)
        if run.done:
            return run
        parts, fit = self.parts, self.fit
        if not run.has("split.npz"):
            index = {"train": parts.train, "validation": parts.validation, "test": parts.test}
            run.write_arrays("split.npz", index)
        started = time.monotonic()
        fit.run(
            observers=[*observers, _HistoryWriter(run, fit)],
            checkpoint=run.path / "checkpoint" / "state.safetensors",
        )
        run.write_history(fit.training.history)
        fit.model.save(run.path)
        outcome.write(run, fit.model, parts.dataset, parts.validation, parts.test)
        _close(run, time.monotonic() - started)
        return run


class _HistoryWriter:
    """Keeps ``history.jsonl`` up to date for those who watch, at most once a second."""

    def __init__(self, run: Run, fit: Fit) -> None:
        self.run, self.fit, self.written = run, fit, 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.row is not None and time.monotonic() - self.written > 1:
            self.run.write_history(self.fit.training.history)
            self.written = time.monotonic()


def _open_or_create(folder: Path, config: Mapping[str, Any], *, resume: bool) -> Run:
    if not (resume and (folder / "config.toml").exists()):
        return Run.create(folder, config)
    run = Run.open(folder)
    stored = run.config
    for section in ("data", "classifier", "seeds"):
        for key, value in config[section].items():
            was = stored.get(section, {}).get(key)
            if was != value:
                raise InputError(
                    "A run can only be resumed with the data and settings it was started with.",
                    f"{section}.{key} was {was!r} and is now {value!r}.",
                    "Give the same settings, or another --out for a new run.",
                )
    return run


def _close(run: Run, seconds: float) -> None:
    config = run.config
    config["test"]["looks"] += 1
    earlier = config["environment"].get("seconds", 0.0)
    config["environment"]["seconds"] = round(earlier + seconds, 1)
    run.write_config(config)
    run.finish()
    checkpoint = run.path / "checkpoint"
    for path in checkpoint.glob("*"):
        path.unlink()
    if checkpoint.exists():
        checkpoint.rmdir()


def _config(plan: Plan) -> dict[str, Any]:
    experiment, parts, fit = plan.experiment, plan.parts, plan.fit
    dataset = parts.dataset
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
        "classes": list(dataset.classes),
        **counts,
        **_described_features(dataset),
        **_imbalance(experiment),
        "reading": _reading(experiment.options),
        "notes": list(plan.notes),
    }
    settings = {**fit.settings.to_text(), "prior": as_text(plan.params["prior"])}
    return {
        "data": data,
        "classifier": settings,
        "choices": [
            {"field": c.field, "value": str(as_text(c.value)), "reason": c.reason}
            for c in fit.choices
        ],
        "seeds": {"seed": experiment.seed, "split_seed": experiment.split_seed},
        "test": {"looks": 0},
        "network": {"parameters": count_parameters(fit.training.network)},
        "environment": _environment(fit.device),
    }


def _described_features(dataset: Dataset) -> dict[str, Any]:
    if dataset.kind == "images":
        return {"shape": [int(n) for n in dataset.X.shape[1:]]}
    return {"columns": [str(c) for c in dataset.X.columns]}  # type: ignore[union-attr]


def _imbalance(experiment: Experiment) -> dict[str, Any]:
    if experiment.ratio is None:
        return {}
    ratio, _ = parse_ratio(experiment.ratio)
    return {"ratio": ratio, "profile": experiment.profile, "order": experiment.order}


def _reading(options: ReadOptions) -> dict[str, Any]:
    """Keep what is needed to read new data the same way."""
    names = ("label", "image", "drop", "size", "channels", "skip_broken")
    given = {name: getattr(options, name) for name in names}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items() if v is not None}


def _environment(device: Device) -> dict[str, Any]:
    return {
        **{name: version(name) for name in ("equipoise", "torch", "scikit-learn", "numpy")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "precision": device.precision,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def load_run_model(run: Run, device: str = "auto") -> Model:
    """Rebuild the trained model of a finished run.

    Parameters
    ----------
    run : Run
        A finished run.
    device : str, default="auto"
        Where the network shall be.
    """
    config = run.config
    backbone = resolve(config["classifier"]["backbone"], COMPONENTS["backbone"], "backbone")
    counts = np.asarray(config["data"]["counts_train"])
    chosen = Device(choose_device(device), config["environment"]["precision"])
    return load_model(run.path, run.read_json("preprocessing.json"), backbone, counts, chosen)


def load_run(folder: str | Path, device: str = "auto") -> Classifier:
    """Return the fitted classifier of a run, ready to predict class names.

    Parameters
    ----------
    folder : str or Path
        The run's folder.
    device : str, default="auto"
        Where the network shall be.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a file of it is damaged. No code in the
        folder is executed.
    """
    run = Run.open(Path(folder))
    config = run.config
    known = Classifier().get_params(deep=False)
    given = {k: from_text(v) for k, v in config["classifier"].items() if k in known}
    classifier = Classifier(**{**given, "device": device, "random_state": config["seeds"]["seed"]})
    data = config["data"]
    fitted = {
        "classes_": np.asarray(data["classes"]),
        "model_": load_run_model(run, device),
        "history_": run.history,
        "n_iter_": len(run.history),
    }
    if data["kind"] == "table":
        fitted["n_features_in_"] = len(data["columns"])
        fitted["feature_names_in_"] = np.asarray(data["columns"], dtype=object)
    else:
        fitted["n_features_in_"] = int(np.prod(data["shape"]))
    vars(classifier).update(fitted)
    return classifier
