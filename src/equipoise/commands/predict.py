"""``equipoise predict``: the classes of new examples, with probabilities."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import Parameter

from equipoise._typing import ProbaArray
from equipoise.commands import console
from equipoise.commands.options import Flag, Reading, ReadingOptions, require_new
from equipoise.data.unlabelled import load_new
from equipoise.errors import InputError
from equipoise.loading import load_run_model
from equipoise.metrics import log_softmax, resolve_prior, shift_logits
from equipoise.runs import Run, replacing
from equipoise.settings import from_text


def predict(  # noqa: PLR0913 (each is an option)
    run: Path,
    data: str,
    /,
    *,
    out: Path,
    carry: Annotated[tuple[str, ...], Parameter(name="--id", negative="", show_default=False)] = (),
    overwrite: Flag = False,
    prior: str | None = None,
    device: str = "auto",
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
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
        Where to write: .csv or .parquet, one row an example: id (its row number or path),
        predicted, and the probability of each class.
    carry : list of str
        Columns of the table, once for each, that are written in place of the row number,
        whether or not the model uses them.
    overwrite : bool
        Replace --out if it exists.
    prior : str
        Class frequencies where the predictions are used: none (as the network gives them),
        train, balanced, or a=0.9,b=0.1; by default the prior of the run.
    device : str
        Where the network runs.
    json : bool
        Print a summary as JSON.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(
            "--out must end in .csv or .parquet.", f"It is `{out}`.", "Give such a name."
        )
    require_new(out, "Predictions are", overwrite=overwrite)
    opened = Run.open(run)
    opened.require_classifier()
    classes = np.asarray(opened.config["data"]["classes"])
    columns = [f"probability of {name}" for name in classes]
    _refuse_clash(carry, ["predicted", *columns])
    with console.reading_bar("reading") as progress:
        options = reading.as_trained(opened, progress)
        new = load_new(data, options, carry=carry, download=reading.download)
    proba, notes = probabilities(opened, new.X, prior, device)
    predicted = classes[proba.argmax(axis=1)]
    frame = new.carried.reset_index(drop=True) if carry else pd.DataFrame({"id": new.ids})
    frame = frame.assign(predicted=predicted, **dict(zip(columns, proba.T, strict=True)))
    _write(frame, columns, out)
    counts = {str(c): int((predicted == c).sum()) for c in classes}
    for note in notes:
        console.say(note)
    if json:
        found = {"out": str(out), "n": len(frame), "predicted": counts, "notes": list(notes)}
        console.print_json(found)
    else:
        console.say(f"Wrote {len(frame)} predictions to {out}.")
        for name, n in counts.items():
            console.say(f"{name}: {n}")
    return 0


def probabilities(
    run: Run, X: np.ndarray | pd.DataFrame, prior: str | None, device: str
) -> tuple[ProbaArray, tuple[str, ...]]:
    """Return class probabilities under a prior or the run's own, and notes on the examples."""
    config = run.config
    model = load_run_model(run, device)
    given = from_text("prior", prior or config["classifier"]["prior"])
    wanted = resolve_prior(given, config["data"]["classes"], model.prior)
    logits = model.logits(X).astype(np.float64)
    if wanted is not None:
        logits = shift_logits(logits, model.prior, wanted)
    notes = model.preprocessing.notes_on(X)  # type: ignore[arg-type]
    return np.exp(log_softmax(logits)), notes


def _refuse_clash(carry: Sequence[str], written: Sequence[str]) -> None:
    clash = [name for name in carry if name in written or carry.count(name) > 1]
    if clash:
        raise InputError(
            "Every column of the predictions needs a name of its own.",
            f"{clash[0]!r} would be there twice.",
            "Rename it in the table, or leave it out of `--id`.",
        )


def _write(frame: pd.DataFrame, probabilities: Sequence[str], out: Path) -> None:
    with replacing(out) as file:
        if out.suffix.lower() == ".csv":
            # Six digits are more than the network is sure of; other columns stay as they are.
            rounded = {name: frame[name].map("{:.6g}".format) for name in probabilities}
            file.write(frame.assign(**rounded).to_csv(index=False).encode())
        else:
            frame.to_parquet(file, index=False)
