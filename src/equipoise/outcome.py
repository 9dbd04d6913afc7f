"""What a run found: predictions, metrics and mistakes, written into its folder."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray, IndexArray, LogitArray
from equipoise.data.dataset import Dataset
from equipoise.ensembles import Ensemble
from equipoise.metrics import evaluate, log_softmax, without_margins
from equipoise.models import Model
from equipoise.runs import Run

N_MISTAKES = 48
"""At most so many mistakes are kept for the report."""

N_ALIKE = 4
"""At most so many of them confuse the same two classes."""


def write(
    run: Run, model: Model | Ensemble, dataset: Dataset, validation: IndexArray, test: IndexArray
) -> None:
    """Write ``predictions.npz``, ``metrics.json`` and the mistakes of a run.

    This is the one look at the test set: the model and its epoch are final here.
    """
    parts = {"validation": validation, "test": test}
    logits = {name: model.logits(dataset.X, rows) for name, rows in parts.items() if len(rows)}
    predictions = {}
    for name, values in logits.items():
        predictions[f"{name}_ids"] = dataset.ids[parts[name]].astype(np.str_)
        predictions[f"{name}_labels"] = dataset.codes[parts[name]]
        predictions[f"{name}_logits"] = values
    run.write_arrays("predictions.npz", predictions)
    metrics = {
        name: both_priors(logits[name], dataset.codes[parts[name]], dataset.classes, model)
        for name in logits
    }
    run.write_json("metrics.json", metrics)
    _write_mistakes(run, dataset, test, logits["test"])


def both_priors(
    logits: LogitArray, codes: CodeArray, classes: Sequence[str], model: Model | Ensemble
) -> dict[str, Any]:
    """Return the metrics as the data are, and after correction to the balanced prior."""
    uniform = np.full(len(classes), 1 / len(classes))
    priors = {"as_is": None, "balanced": uniform}
    own = logits.astype(np.float64)
    return {
        name: evaluate(
            own if prior is None else without_margins(own, model.margins),
            codes,
            classes=classes,
            train_counts=model.counts,
            train_prior=model.prior,
            prior=prior,
        )
        for name, prior in priors.items()
    }


def worst_mistakes(logits: LogitArray, codes: CodeArray) -> tuple[IndexArray, np.ndarray]:
    """Return the positions of the most confident mistakes, and all probabilities.

    At most `N_ALIKE` of them confuse the same class with the same other, so that one
    frequent confusion does not hide the rest.
    """
    proba = np.exp(log_softmax(logits))
    predicted = proba.argmax(axis=1)
    wrong = np.flatnonzero(predicted != codes)
    ranked = wrong[np.argsort(-proba[wrong, predicted[wrong]], kind="stable")]
    seen: dict[tuple[int, int], int] = {}
    chosen = []
    for i in ranked:
        pair = int(codes[i]), int(predicted[i])
        seen[pair] = seen.get(pair, 0) + 1
        if seen[pair] <= N_ALIKE and len(chosen) < N_MISTAKES:
            chosen.append(i)
    return np.asarray(chosen, dtype=np.int64), proba


def _write_mistakes(run: Run, dataset: Dataset, test: IndexArray, logits: LogitArray) -> None:
    codes = dataset.codes[test]
    worst, proba = worst_mistakes(logits.astype(np.float64), codes)
    predicted = proba.argmax(axis=1)[worst]
    confidence = proba.max(axis=1)[worst]
    rows = test[worst]
    if isinstance(dataset.X, pd.DataFrame):
        texts = dataset.X.iloc[rows].to_dict("records")
        found = zip(dataset.ids[rows], codes[worst], predicted, confidence, texts, strict=True)
        run.write_json("mistakes.json", [_row(*values, dataset.classes) for values in found])
        return
    arrays = {
        "images": np.asarray(dataset.X[rows]),
        "ids": dataset.ids[rows].astype(np.str_),
        "true": codes[worst],
        "predicted": predicted,
        "confidence": confidence,
    }
    run.write_arrays("mistakes.npz", arrays)


def _row(
    name: str,
    true: int,
    predicted: int,
    confidence: float,
    row: Mapping[Any, Any],
    classes: Sequence[str],
) -> dict[str, Any]:
    return {
        "id": str(name),
        "true": classes[true],
        "predicted": classes[predicted],
        "confidence": float(confidence),
        "row": {str(k): "" if pd.isna(v) else str(v) for k, v in row.items()},
    }
