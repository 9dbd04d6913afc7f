"""``equipoise predict``: the classes of new examples, with probabilities."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from equipoise._typing import LogitArray, PriorArray, ProbaArray
from equipoise.commands import console
from equipoise.commands.options import Flag, Reading, ReadingOptions, require_new
from equipoise.data.unlabelled import load_new
from equipoise.ensembles import Ensemble
from equipoise.errors import InputError
from equipoise.loading import load_run_model
from equipoise.metrics import (
    correct_logits,
    is_as_trained,
    log_softmax,
    resolve_prior,
    without_margins,
)
from equipoise.metrics.label_shift import METHODS, EstimatedPrior, estimate_prior
from equipoise.models import Model
from equipoise.runs import Run, replacing
from equipoise.settings import from_text
from equipoise.statistics.wording import counted

FEW = 10
"""With fewer examples for each class their estimated frequencies are told to be unsure."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that spreadsheet programs take for a formula, unless it is a number."""


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
        predicted, and the probability of each class. Text is written as it is, so a spreadsheet
        program may execute a name that begins as a formula does: import such columns as text.
    carry : list of str
        Columns of the table, once for each, that are written in place of the row number,
        whether or not the model uses them.
    overwrite : bool
        Replace --out if it exists.
    prior : str
        Class frequencies where the predictions are used: none (as the network gives them),
        train, balanced, or a=0.9,b=0.1; em or bbse estimates them from DATA itself; by default
        the prior of the run.
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
    proba, notes, used, estimated = probabilities(opened, new.X, prior, device)
    predicted = classes[proba.argmax(axis=1)]
    frame = new.carried.reset_index(drop=True) if carry else pd.DataFrame({"id": new.ids})
    frame = frame.assign(predicted=predicted, **dict(zip(columns, proba.T, strict=True)))
    _write(frame, columns, out)
    if out.suffix.lower() == ".csv":
        notes = (*notes, *_formulas(frame.drop(columns=columns)))
    counts = {str(c): int((predicted == c).sum()) for c in classes}
    for note in notes:
        console.say(note)
    if json:
        found = {"out": str(out), "n": len(frame), "predicted": counts, "notes": list(notes)}
        of = {"prior": _by_class(used, classes), "estimated_prior": _told(estimated, classes)}
        console.print_json({**found, **of})
    else:
        if estimated is not None:
            console.results.print(_estimates(estimated, classes))
        console.say(f"Wrote {len(frame)} predictions to {out}, {_for_which(opened, prior, used)}.")
        for name, n in counts.items():
            console.say(f"{name}: {n}")
    return 0


def probabilities(
    run: Run, X: np.ndarray | pd.DataFrame, prior: str | None, device: str
) -> tuple[ProbaArray, tuple[str, ...], PriorArray | None, EstimatedPrior | None]:
    """Return class probabilities under a prior or the run's own, notes, that prior, its estimate.

    The prior is None where probabilities are as the network gives them.
    """
    config = run.config
    model = load_run_model(run, device)
    logits = model.logits(X).astype(np.float64)
    estimated = None
    if prior is not None and (method := prior.strip().lower()) in METHODS:
        estimated = _estimated(run, without_margins(logits, model.margins), model, method)
        wanted = estimated.prior
    else:
        wanted = from_text("prior", prior or config["classifier"]["prior"])
    classes = config["data"]["classes"]
    logits = correct_logits(logits, model.prior, model.margins, wanted, classes)
    notes = model.preprocessing.notes_on(X)  # type: ignore[arg-type]
    notes = (*notes, *([] if estimated is None else _few(estimated)))
    used = resolve_prior(wanted, classes, model.prior)
    if model.margins is not None and is_as_trained(wanted):
        used = None  # margins are left in, so that these are the probabilities of no population
    return np.exp(log_softmax(logits)), notes, used, estimated


def _for_which(run: Run, prior: str | None, used: PriorArray | None) -> str:
    """Say which class frequencies the predictions are for."""
    own = run.config["classifier"]["prior"]
    text = (prior or (own if isinstance(own, str) else "given")).strip().lower()
    text = "none" if used is None else text
    named = {
        "none": "as the network gives them",
        "as-is": "as the network gives them",
        "train": "for the class frequencies of training",
        "balanced": "for equally frequent classes",
        **dict.fromkeys(METHODS, "for the class frequencies that are estimated"),
    }
    words = named.get(text, "for the class frequencies that are given")
    if prior is not None:
        return words
    return f"{words}, as the run was made (--prior changes it)"


def _estimated(
    run: Run, logits: LogitArray, model: Model | Ensemble, method: str
) -> EstimatedPrior:
    """Return the class frequencies of new examples; those held out in training say how sure."""
    held_out = None
    if method == "bbse":
        arrays = run.read_arrays("predictions.npz")
        if "validation_logits" in arrays:
            known = without_margins(arrays["validation_logits"].astype(np.float64), model.margins)
            held_out = (known, arrays["validation_labels"])
        _require_held_out(run, held_out)
    return estimate_prior(logits, model.prior, method=method, held_out=held_out)


def _require_held_out(run: Run, held_out: tuple[LogitArray, np.ndarray] | None) -> None:
    """Raise `InputError` if a run has kept no validation example of some class."""
    classes = run.config["data"]["classes"]
    codes = [] if held_out is None else held_out[1]
    counts = np.bincount(np.asarray(codes, dtype=int), minlength=len(classes))
    if not counts.all():
        none = ", ".join(str(name) for name, n in zip(classes, counts, strict=True) if not n)
        raise InputError(
            "bbse needs validation examples of every class, by which it knows their confusions.",
            f"This run has kept none of {none}."
            if counts.any()
            else "This run has kept none: it has learnt from all, as those of `equipoise tune` do.",
            "Use --prior em, or a run of `equipoise fit` with a validation part.",
        )


def _few(estimated: EstimatedPrior) -> list[str]:
    """Return a caution where frequencies are estimated from few examples."""
    if estimated.n >= FEW * len(estimated.prior):
        return []
    return [
        f"Frequencies of {len(estimated.prior)} classes are estimated from "
        f"{counted(estimated.n, 'example')}, which is little: the intervals say how little is "
        "known, and the predictions take the estimates for true."
    ]


def _by_class(values: PriorArray | None, classes: np.ndarray) -> dict[str, float] | None:
    if values is None:
        return None
    return {str(name): float(value) for name, value in zip(classes, values, strict=True)}


def _told(estimated: EstimatedPrior | None, classes: np.ndarray) -> dict[str, Any] | None:
    if estimated is None:
        return None
    ends = zip(estimated.prior, estimated.low, estimated.high, strict=True)
    each = {
        str(name): {"value": float(v), "low": float(low), "high": float(high)}
        for name, (v, low, high) in zip(classes, ends, strict=True)
    }
    return {"method": estimated.method, "level": estimated.level, "classes": each}


def _estimates(estimated: EstimatedPrior, classes: np.ndarray) -> Table:
    title = f"Class frequencies, estimated by {estimated.method}, {100 * estimated.level:g} %"
    table = Table("class", title=title, title_justify="left")
    table.add_column("share", justify="right")
    table.add_column("interval", justify="right")
    rows = zip(classes, estimated.prior, estimated.low, estimated.high, strict=True)
    for name, value, low, high in rows:
        span = f"{100 * low:.1f} to {100 * high:.1f}"
        table.add_row(escape(str(name)), f"{100 * value:.1f} %", span)
    return table


def _refuse_clash(carry: Sequence[str], written: Sequence[str]) -> None:
    clash = [name for name in carry if name in written or carry.count(name) > 1]
    if clash:
        raise InputError(
            "Every column of the predictions needs a name of its own.",
            f"{clash[0]!r} would be there twice.",
            "Rename it in the table, or leave it out of `--id`.",
        )


def _formulas(frame: pd.DataFrame) -> list[str]:
    """Return a caution if some text would be a formula in a spreadsheet program.

    It is not changed: labels must stay equal to those of training, and what would disarm them
    in one program is data to all others.

    >>> _formulas(pd.DataFrame({"id": ["-1", "+1.5"], "predicted": ["a", "b"]}))
    []
    """
    cells = [*frame.columns, *(cell for name in frame.columns for cell in frame[name].tolist())]
    texts = dict.fromkeys(cell for cell in cells if isinstance(cell, str))
    found = (text for text in texts if text.startswith(FORMULA) and not _is_harmless(text))
    if (first := next(found, None)) is None:
        return []
    return [
        f"Text such as {first!r} is written as it is, and a spreadsheet program may "
        "execute it as a formula: import such columns as text there."
    ]


def _is_harmless(text: str) -> bool:
    """Whether what begins as a formula is a number, or a sign alone.

    >>> _is_harmless("-"), _is_harmless("-1e5"), _is_harmless("-A1")
    (True, True, False)
    """
    try:
        float(text)
    except ValueError:
        return len(text) == 1
    return True


def _write(frame: pd.DataFrame, probabilities: Sequence[str], out: Path) -> None:
    with replacing(out) as file:
        if out.suffix.lower() == ".csv":
            # Six digits are more than the network is sure of; other columns stay as they are.
            rounded = {name: frame[name].map("{:.6g}".format) for name in probabilities}
            file.write(frame.assign(**rounded).to_csv(index=False).encode())
        else:
            frame.to_parquet(file, index=False)
