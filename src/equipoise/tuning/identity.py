"""What a search is of: the file by which one that is resumed is known to be the same."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
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
        What both must share.

    Raises
    ------
    InputError
        If a value differs, or the file is damaged.
    """
    if not is_begun(folder):
        return
    now = as_kept(identity)
    found = Run(folder).read_json(NAME)
    require_sound(folder, NAME, mismatch(found, _SHAPE))
    # Of a search that was begun before there were ensembles, the file does not name them.
    known = {"ensemble": 1, **found}
    if known["storage"] is not None:
        # Earlier versions kept the query of the URL, which may hold a password.
        known["storage"] = Address(known["storage"]).public
    for name, was in known.items():
        if name in now and was != now[name]:
            raise InputError(
                "A search can only be resumed with the data and settings of its start.",
                f"{name} was {was!r} and is now {now[name]!r}.",
                "Give the same again, or another folder for a new search.",
            )


def write_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    """Keep what a search is of; one that was begun stays as it is."""
    if not is_begun(folder):
        folder.mkdir(parents=True, exist_ok=True)
        Run(folder).write_json(NAME, as_kept(identity))


def as_kept(value: Any) -> Any:
    """Return a value as JSON gives it back: native numbers, lists, and text as keys.

    Parameters
    ----------
    value : object
        Of Python, NumPy or pandas; a Series is a mapping of its labels.

    Examples
    --------
    >>> as_kept({1: (np.int64(5), None), "prior": np.array([0.5, 0.5])})
    {'1': [5, None], 'prior': [0.5, 0.5]}
    """
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): as_kept(each) for key, each in value.items()}
    return [as_kept(each) for each in value] if isinstance(value, list | tuple) else value


def kept_seed(folder: Path) -> int:
    """Return the seed of the search in a folder, for one that is drawn anew is another.

    Raises
    ------
    InputError
        If it was not kept, as by earlier versions, which drew it anew each time.
    """
    seed = Run(folder).read_json(NAME).get("seed")
    if not isinstance(seed, int):
        raise InputError(
            "A search goes on with the seed of its start, also where that was drawn.",
            f"The search in `{folder}` has kept none: an earlier version has begun it.",
            "Give another folder for a new search.",
        )
    return seed


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


@dataclass(eq=False)
class Claim:
    """Keeps other processes from a search, from what is read of it on.

    Parameters
    ----------
    folder : Path
        Folder of the search, which need not exist yet; what is in it may be read from now on.
    """

    folder: Path
    _seen: list[bytes | None] = field(init=False)
    _is_held: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._seen = self._state()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out; within itself it does nothing more.

        Raises
        ------
        InputError
            If another process is at the search, or has been since the claim was made.
        """
        if self._is_held:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with only_here(self.folder):
            if self._state() != self._seen:
                raise InputError(
                    "One process at a time can go on with a search.",
                    f"Another one has been at that in `{self.folder}` since this one has read it.",
                    "Go on from what it has left: by the same command with --resume, or the same "
                    "`fit` again.",
                )
            self._is_held = True
            try:
                yield
            finally:
                self._is_held, self._seen = False, self._state()

    def _state(self) -> list[bytes | None]:
        """Return what each process writes that is at a search."""
        paths = [self.folder / name for name in (NAME, "clock.json")]
        return [path.read_bytes() if path.is_file() else None for path in paths]
