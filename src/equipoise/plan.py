"""From an experiment to a finished run folder, resumable at any moment."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import outcome
from equipoise.classifier import Classifier
from equipoise.data.dataset import Dataset
from equipoise.data.hashing import HashArray
from equipoise.data.imbalance import parse_ratio
from equipoise.data.options import ReadOptions
from equipoise.devices import Device
from equipoise.errors import InputError
from equipoise.experiment import PARTS, Experiment, Parts, prepare
from equipoise.fitting import Fit, Task
from equipoise.initial import Initial, example_hashes, write_learnt
from equipoise.metrics import resolve_prior
from equipoise.progress import Observer, Progress
from equipoise.runs import READING, Run
from equipoise.settings import as_text
from equipoise.standard.counting import NetworkSize, describe_network


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
        resolve_prior(params["prior"], parts.dataset.classes, task.counts)
        if params["initial"] is not None:
            sealed = {"test": parts.test, "validation": parts.validation}
            Initial.read(params["initial"]).check_unseen(parts.dataset.X, sealed)
        fit = Fit.prepare(task, params, experiment.seed)
        # Now, so that nothing in a test example can fail after training.
        fit.preprocessing.admit(parts.used)  # type: ignore[arg-type]
        return cls(experiment, parts, fit, params)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided while reading, cutting and encoding the data, as sentences."""
        return (*self.parts.notes, *self.fit.notes)

    @cached_property
    def network_size(self) -> NetworkSize:
        """Parameters and multiply-adds of the network."""
        return describe_network(self.fit.training.network, self.fit.preprocessing.spec)

    @property
    def choices(self) -> tuple[str, ...]:
        """Everything that was decided automatically, and how large the network is."""
        return (*self.notes, *map(str, self.fit.choices), f"network: {self.network_size}")

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
        run = _open_or_create(folder, self.config(), resume=resume)
        if run.done:
            _clear(run)
            return run
        parts, fit = self.parts, self.fit
        if not run.has("split.npz"):
            run.write_arrays("split.npz", parts.index)
            write_learnt(run, self.learnt_hashes(), self.params["initial"])
        fit.run(
            observers=[*observers, _HistoryWriter(run, fit)],
            checkpoint=run.path / "checkpoint" / "state.safetensors",
        )
        run.write_history(fit.training.history)
        fit.model.save(run.path)
        self.conclude(run)
        run.finish()
        _clear(run)
        return run

    def learnt_hashes(self) -> HashArray:
        """Return hashes of the examples that will be learnt from."""
        return example_hashes(self.parts.dataset.X, self.parts.train)

    def config(self) -> dict[str, Any]:
        """Return everything that determines the run, as it stands in ``config.toml``."""
        return _config(self)

    def conclude(self, run: Run) -> None:
        """Look at the test set, and write what was found."""
        _record(run)
        parts = self.parts
        outcome.write(run, self.fit.model, parts.dataset, parts.validation, parts.test)


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
    for section, keys in _compared(config, done=run.done).items():
        for key in keys:
            value = config[section][key]
            was = stored.get(section, {}).get(key)
            if was != value:
                raise InputError(
                    "A run can only be resumed with the data, settings and device of its start.",
                    f"{section}.{key} was {was!r} and is now {value!r}.",
                    "Give the same again, or another --out for a new run.",
                )
    return run


def _compared(config: Mapping[str, Any], *, done: bool) -> dict[str, list[str]]:
    """Return the values that a resumed run shares with its start, or its numbers would differ."""
    keys = {section: list(config[section]) for section in ("data", "classifier", "seeds")}
    # The same data may lie elsewhere by now; its fingerprint is compared.
    keys["data"].remove("source")
    keys.update({"pretraining": ["unlabelled"]} if "pretraining" in config else {})
    return keys if done else {**keys, "environment": ["torch", "device"]}


def _record(run: Run) -> None:
    """Count the look at the test set before it is taken, so that a kill cannot hide it."""
    config = run.config
    config["test"]["looks"] = max(config["test"]["looks"], 1)
    # Summed over epochs, so that a run that was stopped and resumed counts all of them.
    seconds = sum(row["seconds"] for row in run.history)
    config["environment"]["seconds"] = round(seconds, 1)
    run.write_config(config)


def _clear(run: Run) -> None:
    """Remove the checkpoint, and what a killed process was in the middle of writing."""
    for path in (*run.path.glob("checkpoint/*"), *run.path.glob("checkpoint/.*")):
        path.unlink(missing_ok=True)
    if (run.path / "checkpoint").exists():
        (run.path / "checkpoint").rmdir()
    for path in run.path.glob(".*"):
        path.unlink(missing_ok=True)


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
        "split": parts.fingerprint,
        "classes": list(dataset.classes),
        **counts,
        **_described_features(dataset),
        **_imbalance(experiment),
        **_cut(experiment),
        "reading": {**_reading(experiment.options), **dataset.reading},
        "notes": list(plan.notes),
    }
    settings = {
        **fit.settings.to_text(),
        "initial": as_text(plan.params["initial"]),
        "prior": _prior(plan),
    }
    return {
        "data": data,
        "classifier": settings,
        "choices": [
            {"field": c.field, "value": str(as_text(c.value)), "reason": c.reason}
            for c in fit.choices
        ],
        "seeds": {"seed": experiment.seed, "split_seed": experiment.split_seed},
        "test": {"looks": 0},
        "network": {**asdict(plan.network_size), "prior": fit.prior.tolist()},
        "environment": _environment(fit.device),
    }


def _prior(plan: Plan) -> str | list[float]:
    given = plan.params["prior"]
    if given is None or isinstance(given, str):
        return as_text(given)
    resolved = resolve_prior(given, plan.parts.dataset.classes, plan.fit.prior)
    return np.asarray(resolved).tolist()


def _described_features(dataset: Dataset) -> dict[str, Any]:
    if dataset.kind == "images":
        return {"shape": [int(n) for n in dataset.X.shape[1:]]}
    return {"columns": [str(c) for c in dataset.X.columns]}  # type: ignore[union-attr]


def _imbalance(experiment: Experiment) -> dict[str, Any]:
    if experiment.ratio is None:
        return {}
    ratio, _ = parse_ratio(experiment.ratio)
    return {"ratio": ratio, "profile": experiment.profile, "order": experiment.order}


def _cut(experiment: Experiment) -> dict[str, Any]:
    index = [str(path) for path in experiment.index]
    return {"test": experiment.test, "rare": experiment.rare, **({"index": index} if index else {})}


def _reading(options: ReadOptions) -> dict[str, Any]:
    """Keep what is needed to read new data the same way."""
    given = {name: getattr(options, name) for name in READING}
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
