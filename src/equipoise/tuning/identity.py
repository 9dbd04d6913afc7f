"""What a search is of: the file by which one that is resumed is known to be the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.runs import Run

NAME = "search.json"
"""The file, in the folder of the search."""


def is_begun(folder: Path) -> bool:
    """Whether there is a search in a folder."""
    return Run(folder).has(NAME)


def check_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raise `InputError` if a folder holds another search.

    Parameters
    ----------
    folder : Path
        Folder of a search; there need not be one yet.
    identity : mapping of str to value
        What both must share, as JSON holds it.

    Raises
    ------
    InputError
        If a value differs.
    """
    if not is_begun(folder):
        return
    for name, was in Run(folder).read_json(NAME).items():
        if name in identity and was != identity[name]:
            raise InputError(
                "A search can only be resumed with the data and settings of its start.",
                f"{name} was {was!r} and is now {identity[name]!r}.",
                "Give the same again, or another folder for a new search.",
            )


def write_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    """Keep what a search is of; one that was begun stays as it is."""
    if not is_begun(folder):
        folder.mkdir(parents=True, exist_ok=True)
        Run(folder).write_json(NAME, dict(identity))
