"""What a trial leaves behind in its folder: what it was, how it went, what it predicted."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.shapes import ANY, NUMBER, TEXT, WHOLE
from equipoise.tuning.files import read_shaped, require_sound
from equipoise.tuning.scores import HeldOut

NAME = "trial.json"
"""The file, in the trial's folder."""

_SHAPE = {
    "number": WHOLE,
    "choices": {...: ANY},
    "params": {...: ANY},
    "epochs": WHOLE,
    "unit": NUMBER,
    "pace": NUMBER,
    "state": TEXT,
    "best_epochs": [WHOLE],
    "scores": {...: NUMBER},
    "seconds": NUMBER,
    "message": TEXT,
}

State = Literal["running", "complete", "stopped", "unfinished", "failed"]
"""Trained in full; stopped because others were better; stopped by the clock; not trainable."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One recipe that was tried.

    Parameters
    ----------
    number : int
        Its number in the search; 0 is the prescription.
    choices : mapping of str to value
        What the search chose; names as in `equipoise.tuning.space`.
    params : mapping of str to value
        What it changes of the prescription: parameters of the classifier.
    epochs : int, default=0
        Epochs of a full training, as a classifier's parameter; 0 until they are known.
    unit : float, default=1.0
        Passes over the training examples in an epoch; another number than 1 where the batch
        size holds steps equal instead.
    pace : float, default=0.0
        Seconds of a pass on this machine, measured before training.
    state : State, default="running"
        How it ended.
    best_epochs : tuple of int, default=()
        The pass that was kept, from 1, in each fold that was trained, the last one perhaps in part.
    scores : mapping of str to float
        Of all examples that were held out, see `HeldOut.scores`; empty until there are some.
    seconds : float, default=0.0
        Time spent on it.
    message : str, default=""
        Why it failed.
    """

    number: int
    choices: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0
    unit: float = 1.0
    pace: float = 0.0
    state: State = "running"
    best_epochs: tuple[int, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""

    @property
    def passes(self) -> int:
        """Passes over the training examples in a full training."""
        return max(1, round(self.epochs * self.unit)) if self.epochs else 0

    @property
    def best_share(self) -> float:
        """Mean share of a full training after which the kept epoch came.

        The last fold of a recipe that was not trained in full may have been cut before its best
        epoch, so it does not count; where it is the only one, the share is 1.

        >>> from dataclasses import replace
        >>> whole = Record(number=0, epochs=30, best_epochs=(12,), state="complete")
        >>> whole.best_share, replace(whole, state="unfinished").best_share
        (0.4, 1.0)
        """
        known = self.best_epochs if self.state == "complete" else self.best_epochs[:-1]
        return float(np.mean(known)) / self.passes if known else 1.0

    def save(self, folder: Path) -> None:
        """Write ``trial.json`` into the trial's folder."""
        Run(folder).write_json(NAME, asdict(self))


def folder_of(search: Path, number: int) -> Path:
    """Return the folder of a trial, in that of the search."""
    return search / "trials" / f"{number:04d}"


def fold_folder(folder: Path, fold: int) -> Path:
    """Return where the model of one fold is, in a trial's folder, if those of all are kept."""
    return folder / f"fold{fold}"


def remove_models(folder: Path) -> None:
    """Remove the models of a trial; what it has predicted stays."""
    for place in filter(Path.is_dir, folder.glob("fold*")):
        shutil.rmtree(place)


def read_record(folder: Path) -> Record | None:
    """Return what is recorded of a trial; None if it has not begun.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if not Run(folder).has(NAME):
        return None
    found = read_shaped(folder, NAME, _SHAPE)
    fault = None if found["state"] in get_args(State) else f"state is {found['state']!r}"
    require_sound(folder, NAME, f"number is {found['number']}" if found["number"] < 0 else fault)
    return Record(**{**found, "best_epochs": tuple(found["best_epochs"])})


SHOWN_SECONDS = 5.0
"""What a worker has written is seen after so long at most, where folders are on a network."""


class UnseenFolder(InputError):  # noqa: N818 - says what is wrong
    """A worker and the program that has asked it for something do not see the same folder."""


def require_seen(folder: Path) -> None:
    """Raise `UnseenFolder` in a worker that does not see a folder that was made for it."""
    if not folder.is_dir():
        raise unseen(f"`{folder}` is not there for a worker.")


def require_kept(record: Record, folder: Path) -> None:
    """Raise `UnseenFolder` if a trial has ended and its record is not in its folder."""
    ends = time.monotonic() + SHOWN_SECONDS
    while (found := read_record(folder)) is None or found.state == "running":
        if time.monotonic() > ends:
            raise unseen(f"Trial {record.number} has ended and left nothing in `{folder}`.")
        time.sleep(0.1)


def unseen(actual: str) -> UnseenFolder:
    """Return the error that says so, with what was found."""
    return UnseenFolder(
        "Workers must see the folder of --out under the same path.",
        actual,
        "Give an --out on a disk that all machines share.",
    )


def read_records(search: Path) -> list[Record]:
    """Return what is recorded of all trials of a search, by number."""
    found = [read_record(path) for path in (search / "trials").glob("[0-9]*")]
    # By number, for "10000" comes before "9999" as text.
    return sorted((record for record in found if record is not None), key=lambda r: r.number)


def save_held_out(folder: Path, fold: int, held: HeldOut) -> None:
    """Keep the predictions of one fold."""
    logits = held.logits.astype(np.float32)
    arrays = {"rows": held.rows, "codes": held.codes, "logits": logits}
    Run(folder).write_arrays(f"fold{fold}.npz", arrays)


def read_held_out(folder: Path, fold: int | None = None) -> HeldOut | None:
    """Return the predictions of one fold, or of all that were trained; None if none was."""
    names = sorted(folder.glob("fold*.npz" if fold is None else f"fold{fold}.npz"))
    parts = [HeldOut(**Run(folder).read_arrays(path.name)) for path in names]
    return HeldOut.join(parts) if parts else None
