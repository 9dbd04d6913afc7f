"""``equipoise predict``: the classes of new examples, with probabilities."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import Parameter

from equipoise._typing import ProbaArray
from equipoise.commands import console
from equipoise.commands.options import Flag, Reading
from equipoise.data.sources import load_unlabelled
from equipoise.errors import InputError
from equipoise.loading import load_run_model
from equipoise.metrics import log_softmax, parse_prior, shift_logits
from equipoise.runs import Run, replacing


def predict(  # noqa: PLR0913 (each is an option)
    run: Path,
    data: str,
    /,
    *,
    out: Path,
    prior: str | None = None,
    device: str = "auto",
    json: Flag = False,
    reading: Annotated[Reading, Parameter(name="*")] = Reading(),  # noqa: B008 (never changed)
) -> int:
    """Predict the classes of DATA with RUN; labels in DATA are not used.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    data : str
        New examples of the same form, with or without labels; for images also a folder of
        files without class folders.
    out : Path
        Where to write: .csv or .parquet, one row an example: id, predicted, and the
        probability of each class.
    prior : str
        Class frequencies where the predictions are used: train, balanced, or a=0.9,b=0.1;
        by default the prior of the run.
    device : str
        Where the network runs.
    json : bool
        Print a summary as JSON.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(
            "--out must end in .csv or .parquet.", f"It is `{out}`.", "Give such a name."
        )
    opened = Run.open(run)
    opened.require_classifier()
    with console.reading_bar("reading") as progress:
        X, ids = load_unlabelled(
            data, reading.as_trained(opened, progress), download=reading.download
        )
    proba = probabilities(opened, X, prior, device)
    classes = np.asarray(opened.config["data"]["classes"])
    predicted = classes[proba.argmax(axis=1)]
    frame = _frame(ids, predicted, proba, classes)
    _write(frame, out)
    counts = {str(c): int((predicted == c).sum()) for c in classes}
    if json:
        console.print_json({"out": str(out), "n": len(frame), "predicted": counts})
    else:
        console.say(f"Wrote {len(frame)} predictions to {out}.")
        for name, n in counts.items():
            console.say(f"{name}: {n}")
    return 0


def probabilities(
    run: Run, X: np.ndarray | pd.DataFrame, prior: str | None, device: str
) -> ProbaArray:
    """Return the class probabilities of examples, under a prior or the run's own."""
    config = run.config
    model = load_run_model(run, device)
    wanted = parse_prior(
        prior or config["classifier"]["prior"], config["data"]["classes"], model.prior
    )
    logits = model.logits(X).astype(np.float64)
    if wanted is not None:
        logits = shift_logits(logits, model.prior, wanted)
    return np.exp(log_softmax(logits))


def _frame(
    ids: np.ndarray, predicted: np.ndarray, proba: np.ndarray, classes: np.ndarray
) -> pd.DataFrame:
    columns = {f"probability of {name}": proba[:, k] for k, name in enumerate(classes)}
    return pd.DataFrame({"id": ids, "predicted": predicted, **columns})


def _write(frame: pd.DataFrame, out: Path) -> None:
    with replacing(out) as file:
        if out.suffix.lower() == ".csv":
            file.write(frame.to_csv(index=False).encode())
        else:
            frame.to_parquet(file, index=False)
