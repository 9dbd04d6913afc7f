"""How often a trial was begun: one that ends its process each time is not tried for ever."""

from pathlib import Path

from equipoise.runs import Run
from equipoise.shapes import WHOLE
from equipoise.tuning.files import read_shaped

NAME = "start.json"
"""The file, in the trial's folder as long as a process is at it."""

MOST_STARTS = 2
"""So often a trial is begun without getting further; a kill may have had another cause once."""


def note_start(folder: Path) -> int:
    """Note that a trial is begun, before anything that could end the process.

    Parameters
    ----------
    folder : Path
        The trial's folder.

    Returns
    -------
    int
        How often it was begun since it last left something, this time included.
    """
    run, reached = Run(folder), _newest(folder)
    shape = {"starts": WHOLE, "reached": WHOLE}
    is_there = run.has(NAME)
    last = read_shaped(folder, NAME, shape) if is_there else {"starts": 0, "reached": reached}
    starts = last["starts"] + 1 if last["reached"] == reached else 1
    run.write_json(NAME, {"starts": starts, "reached": reached})
    return starts


def forget_starts(folder: Path) -> None:
    """Note that a trial has come to an end, or to a stop in order."""
    (folder / NAME).unlink(missing_ok=True)


def _newest(folder: Path) -> int:
    """Return when the newest checkpoint or prediction was written; 0: there is none."""
    left = (*folder.glob("fold*.safetensors"), *folder.glob("fold*.npz"))
    return max((path.stat().st_mtime_ns for path in left), default=0)
