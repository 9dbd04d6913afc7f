"""What a search is of: the file by which one that is resumed is known to be the same."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from equipoise.errors import InputError
from equipoise.runs import SEARCH, Run, require_free
from equipoise.shapes import TEXT, TEXT_OR_NULL, mismatch
from equipoise.tuning.files import require_sound
from equipoise.tuning.study import Address

NAME = "search.json"
"""The file, in the folder of the search."""

_SHAPE = {"study": TEXT, "storage": TEXT_OR_NULL}


def is_begun(folder: Path) -> bool:
    """Whether there is a search in a folder."""
    return Run(folder).has(NAME)


def require_place(folder: Path, *, resume: bool) -> None:
    """Raise `InputError` if a search cannot be kept in a folder, before anything is read.

    Parameters
    ----------
    folder : Path
        That of the run.
    resume : bool
        Go on with the search in it, if there is one.

    Raises
    ------
    InputError
        If it holds something else, or cannot be made or written to.
    """
    is_there = is_begun(folder / SEARCH)
    if is_there and not resume:
        raise InputError(
            "A new search needs a folder of its own.",
            f"`{folder}` holds a search already.",
            "Give another --out, or --resume to go on with it.",
        )
    require_free(folder, resume=is_there, after_search=True)


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
        If a value differs, or the file is damaged.
    """
    if not is_begun(folder):
        return
    found = Run(folder).read_json(NAME)
    require_sound(folder, NAME, mismatch(found, _SHAPE))
    # Of a search that was begun before there were ensembles, the file does not name them.
    known = {"ensemble": 1, **found}
    if known["storage"] is not None:
        # Earlier versions kept the query of the URL, which may hold a password.
        known["storage"] = Address(known["storage"]).public
    for name, was in known.items():
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


@contextmanager
def only_here(folder: Path, what: str = "search") -> Iterator[None]:
    """Keep other processes from what is in a folder.

    Parameters
    ----------
    folder : Path
        The folder, which must exist.
    what : str, default="search"
        What it is called if another process is at it.

    Raises
    ------
    InputError
        If one is at it.
    """
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"One process at a time can go on with a {what}.",
            f"Another one is at that in `{folder}`.",
            "Wait for it, or give another folder.",
        ) from None
    try:
        yield
    finally:
        lock.release()
