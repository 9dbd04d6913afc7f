"""``equipoise evaluate``: measure a run on its sealed test set, or on other labelled data."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise._typing import CodeArray, ImageArray, LogitArray
from equipoise.commands import console
from equipoise.commands.options import Flag, Reading, ReadingOptions
from equipoise.configuration import trained_margins, trained_prior
from equipoise.errors import InputError
from equipoise.metrics import evaluate as evaluate_logits
from equipoise.metrics import is_as_trained, parse_prior, without_margins
from equipoise.runs import Run

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    prior: str = "none",
    device: str = "auto",
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
) -> int:
    """Measure RUN on labelled DATA, or on its own sealed test set.

    Each look at the sealed test set is counted in the run's config.toml.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    data : str
        Labelled data of the same form; by default the run's test set.
    prior : str
        Class frequencies to correct to and to measure under: none (the data as they are),
        balanced, train, or a=0.9,b=0.1.
    device : str
        Where the network runs.
    json : bool
        Print the result as JSON.
    """
    opened = Run.open(run)
    opened.require_classifier()
    config = opened.config
    classes, counts = config["data"]["classes"], np.asarray(config["data"]["counts_train"])
    wanted = parse_prior(prior, classes, np.asarray(trained_prior(config)))
    if data is None:
        logits, codes = test_predictions(opened)
    else:
        logits, codes = predictions_on(opened, data, reading, device)
    logits = logits.astype(np.float64)
    found = evaluate_logits(
        logits if is_as_trained(prior) else without_margins(logits, trained_margins(config)),
        codes,
        classes=classes,
        train_counts=counts,
        train_prior=trained_prior(config),
        prior=wanted,
    )
    if json:
        console.print_json(found)
        return 0
    place = "the sealed test set" if data is None else data
    console.print_metrics(f"{run} on {place}", {f"prior: {prior}": found})
    return 0


def test_predictions(run: Run) -> tuple[LogitArray, CodeArray]:
    """Return the stored logits and labels of the sealed test set, and count the look."""
    arrays = run.read_arrays("predictions.npz")
    config = run.config
    config["test"]["looks"] += 1
    run.write_config(config)
    console.say(f"This is look {config['test']['looks']} at the sealed test set.")
    return arrays["test_logits"], arrays["test_labels"]


def predictions_on(
    run: Run, data: str, reading: Reading, device: str
) -> tuple[LogitArray, CodeArray]:
    """Return the logits and labels of other labelled data."""
    # Only here is torch needed: measuring stored predictions starts at once.
    from equipoise.data.sources import load  # noqa: PLC0415
    from equipoise.loading import load_run_model  # noqa: PLC0415

    with console.reading_bar("reading") as progress:
        dataset = load(data, reading.as_trained(run, progress), download=reading.download)
    if dataset.fingerprint == run.config["data"]["fingerprint"]:
        console.say(
            "Careful: this is the data that the run was made from, its training examples included. "
            "Leave DATA out to measure on the sealed test set alone."
        )
    elif n := n_learnt(run, dataset.X):
        console.say(
            f"Careful: the run has learnt from at least {n} of these {len(dataset)} examples, on "
            "which it looks better than on new ones."
        )
    codes = matching_codes(dataset.classes, run.config["data"]["classes"])[dataset.codes]
    model = load_run_model(run, device)
    logits = model.logits(dataset.X)
    for note in model.preprocessing.notes_on(dataset.X):  # type: ignore[arg-type]
        console.say(note)
    return logits, codes


def n_learnt(run: Run, X: "ImageArray | pd.DataFrame") -> int:
    """Return how many examples a run has learnt from, as far as their content tells.

    Whole numbers of a table may have been read with a fraction then, for other rows had one.
    """
    from equipoise.initial import example_hashes, read_learnt  # noqa: PLC0415 (needs torch)

    if not run.has("learnt.npz"):
        return 0
    ways: list[ImageArray | pd.DataFrame] = [X]
    if not isinstance(X, np.ndarray):
        names = run.config["data"]["columns"]
        if not set(names) <= set(X.columns):
            return 0  # the model says what is missing
        frame = X.loc[:, names]
        ways = [frame, frame.astype(dict.fromkeys(frame.select_dtypes("int"), "float"))]
    learnt = read_learnt(run)
    found = [np.isin(example_hashes(way, np.arange(len(X))), learnt) for way in ways]
    return int(np.logical_or.reduce(found).sum())


def matching_codes(found: Sequence[str], known: Sequence[str]) -> CodeArray:
    """Return the run's code of each class of the data.

    Raises
    ------
    InputError
        If the data has a class that the run does not know.
    """
    unknown = [name for name in found if name not in known]
    if unknown:
        raise InputError(
            f"The data must have the run's classes: {', '.join(known)}.",
            f"The run does not know {', '.join(map(repr, unknown))}.",
            "Check --label, or fit on data with these classes.",
        )
    return np.asarray([known.index(name) for name in found])
