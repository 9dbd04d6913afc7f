"""Files of a search, which may be a stranger's: read only in the shape that was written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.shapes import mismatch


def read_shaped(folder: Path, name: str, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a JSON file of a search holds.

    Parameters
    ----------
    folder : Path
        Where it is.
    name : str
        Its name.
    shape : mapping of str to shape
        Its keys, no more and no fewer, see `equipoise.shapes.mismatch`.

    Raises
    ------
    InputError
        If it cannot be read, or is of another shape.
    """
    found = Run(folder).read_json(name)
    fault = mismatch(found, shape)
    if fault is None and (unknown := found.keys() - shape.keys()):
        fault = f"{min(unknown)} is unknown"
    require_sound(folder, name, fault)
    return found


def require_sound(folder: Path, name: str, fault: str | None) -> None:
    """Raise `InputError` if a file of a search has a fault.

    Parameters
    ----------
    folder : Path
        Where it is.
    name : str
        Its name.
    fault : str or None
        What is wrong with it; None: nothing.
    """
    if fault is not None:
        raise InputError(
            f"{name} of a search must be as it was written.",
            f"In `{folder / name}`, {fault}.",
            "Restore the file, or begin a new search with another --out.",
        )
