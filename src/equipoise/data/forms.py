"""The forms that data comes in, and what to say of a path that has none of them."""

import difflib
from pathlib import Path

from equipoise.data.entries import CATALOG
from equipoise.data.frames import DELIMITED_SUFFIXES, PARQUET_SUFFIXES
from equipoise.errors import InputError

TABLE_SUFFIXES = (*DELIMITED_SUFFIXES, *PARQUET_SUFFIXES)
"""Endings of files that are tables, or tables of image files."""


def not_found(path: Path) -> InputError:
    """Return the error for a path that does not exist, with names that are near."""
    folder = path.parent
    beside = (
        [e.name for e in folder.iterdir() if not e.name.startswith(".")] if folder.is_dir() else []
    )
    near = difflib.get_close_matches(path.name, [*beside, *CATALOG], n=3, cutoff=0.6)
    near = [name if name in CATALOG else str(folder / name) for name in near]
    return InputError(
        "DATA must be an existing folder or file, or a name of the catalog.",
        f"There is no {path}.",
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"The catalog has {', '.join(CATALOG)}; paths start at {Path.cwd()}.",
    )


def unknown_form(path: Path) -> InputError:
    """Return the error for a file whose ending stands for no known form."""
    return InputError(
        f"A file of data must end in one of .npz, {', '.join(TABLE_SUFFIXES)}.",
        f"{path.name} ends in {path.suffix!r}." if path.suffix else f"{path.name} has no ending.",
        "Convert it, or give its folder if it is one of many images.",
    )
