"""Self-supervised pre-training on the user's own data, kept as a run that `fit` starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from equipoise._typing import IndexArray
from equipoise.classifier import Classifier
from equipoise.data.dataset import Dataset
from equipoise.data.hashing import HashArray
from equipoise.data.sources import load_unlabelled
from equipoise.data.tables import read_alike
from equipoise.errors import InputError
from equipoise.experiment import Experiment, Parts, prepare
from equipoise.fitting import Fit, Task
from equipoise.initial import example_hashes
from equipoise.plan import Plan
from equipoise.runs import Run

DEFAULTS: Mapping[str, Any] = {"average": None}
"""Settings in which pre-training differs from training."""

VIEWS = 'Preset(domain="contrastive")'
"""The automatic augmentation of images: crops of random size, colours, grey."""


@dataclass(eq=False)
class Pretraining(Plan):
    """Pre-training whose data is read and whose settings are resolved, ready to run.

    The backbone learns from the training part without its labels, and from further examples that
    need none; validation and test examples are never shown to it. The run's folder is that of
    any run without predictions and metrics; ``Classifier(initial=folder)`` starts from it.

    Parameters
    ----------
    unlabelled : str or None
        Where the further examples are; None: none.
    """

    unlabelled: str | None = None

    @classmethod
    def make(
        cls, experiment: Experiment, objective: str = "SimCLR()", unlabelled: str | None = None
    ) -> "Pretraining":
        """Read the data, cut it, and resolve every setting; nothing is written.

        Parameters
        ----------
        experiment : Experiment
            The data, and parameters of `Classifier`. Cut as for the fit that follows, so that no
            example is learnt from that will be tested on.
        objective : str, default="SimCLR()"
            The self-supervised loss, as text.
        unlabelled : str or None, default=None
            Further examples: a path or a catalog name.

        Raises
        ------
        InputError
            If the data or a setting cannot be used.
        """
        given = {**Classifier().get_params(deep=False), **DEFAULTS, **experiment.params}
        parts = prepare(experiment, given["validation"])
        params = {**given, "auxiliary": objective}
        if parts.dataset.kind == "images" and params["augmentation"] == "auto":
            params["augmentation"] = VIEWS
        extra = _extra(unlabelled, experiment, parts.dataset)
        rows, note = _unseen(extra, parts)
        task = Task(
            X=parts.dataset.X,
            codes=parts.dataset.codes,
            n_classes=len(parts.dataset.classes),
            train=parts.train,
            validation=parts.validation[:0],
            supervised=False,
            extra=extra,
            extra_rows=rows,
        )
        parts = replace(parts, notes=(*parts.notes, *note))
        fit = Fit.prepare(task, params, experiment.seed)
        for examples in (parts.used, extra):
            if examples is not None:
                fit.preprocessing.admit(examples)  # pyright: ignore[reportArgumentType]
        return cls(experiment, parts, fit, params, unlabelled)

    def learnt_hashes(self) -> HashArray:
        """Return hashes of the examples that will be learnt from, further ones included."""
        task = self.fit.task
        extra = [] if task.extra is None else [example_hashes(task.extra, task.extra_rows)]
        return np.concatenate([super().learnt_hashes(), *extra])

    def config(self) -> dict[str, Any]:
        """Return everything that determines the run, as it stands in ``config.toml``."""
        found = {"unlabelled": len(self.fit.task.extra_rows)}
        source = {} if self.unlabelled is None else {"source": self.unlabelled}
        return {**super().config(), "pretraining": {**found, **source}}

    def conclude(self, run: Run) -> None:
        """Write nothing more: there is nothing to test yet."""


def _unseen(extra: Any, parts: Parts) -> tuple[IndexArray, tuple[str, ...]]:
    """Return the further examples that equal no validation or test example, and what was left out.

    A catalog name, or the folder that DATA itself is in, would bring the sealed ones along.
    """
    if extra is None:
        return np.arange(0), ()
    held = example_hashes(parts.dataset.X, np.concatenate([parts.validation, parts.test]))
    found = example_hashes(extra, np.arange(len(extra)))
    rows = np.flatnonzero(~np.isin(found, held))
    left = len(found) - len(rows)
    note = f"{left:,} examples without labels equal validation or test examples and were left out."
    return rows, (note,) if left else ()


def _extra(unlabelled: str | None, experiment: Experiment, dataset: Dataset) -> Any:
    if unlabelled is None:
        return None
    options = read_alike(experiment.options, dataset)
    extra, _ = load_unlabelled(unlabelled, options, download=experiment.download)
    X: Any = dataset.X
    if not hasattr(X, "columns"):
        if hasattr(extra, "columns") or extra.shape[1:] != X.shape[1:]:
            shape = "rows of a table" if hasattr(extra, "columns") else _size(extra)
            raise InputError(
                f"Examples without labels must be like those of DATA: {_size(X)}.",
                f"Those in `{Path(unlabelled)}` are {shape}.",
                "Resize both with --size N, or convert with --channels.",
            )
        return extra
    missing = [name for name in X.columns if name not in getattr(extra, "columns", [])]
    if missing:
        raise InputError(
            "Examples without labels must have the columns of DATA.",
            f"Those in `{Path(unlabelled)}` have no {missing[0]!r}.",
            "Give a table with the same columns.",
        )
    return extra[list(X.columns)]


def _size(images: Any) -> str:
    _, height, width, channels = images.shape
    return f"images of {height} x {width} pixels and {channels} channel{'s' * (channels > 1)}"
