"""How DATA is to be read; one record for every form that data comes in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equipoise._typing import ProgressCallback

Channels = Literal["auto", "grey", "rgb"]
"""How many channels decoded images get; ``"auto"`` is grey only if every image is."""

Decimal = Literal["auto", "point", "comma"]
"""What stands before decimals; with ``"auto"`` the numbers of the table prove it."""

Dates = Literal["auto", "day-first", "month-first"]
"""How dates that end with their year are written; with ``"auto"`` each column proves it."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What a reader may be told; each reader uses the fields that concern it.

    Parameters
    ----------
    label : str or None, default=None
        Column of the class in a table or an image index. None: the reader's own rule.
    image : str or None, default=None
        Column of the image paths in an image index. None: the reader's own rule.
    drop : tuple of str, default=()
        Columns of a table to leave out.
    decimal : {"auto", "point", "comma"}, default="auto"
        Decimal mark of the numbers in text; the other mark separates thousands. ``"auto"``: the
        one that the numbers prove.
    missing : tuple of str, default=()
        Texts that mean a missing value, beside the usual ones.
    dates : {"auto", "day-first", "month-first"}, default="auto"
        What stands first in dates that end with their year, such as 03.04.2022. ``"auto"``:
        what a date of the same column proves, else the day.
    encoding : str, default="utf-8"
        Encoding of a text file, by its Python name. A byte-order mark comes before it.
    kinds : mapping of str to str, or None, default=None
        What columns are known to hold, such as those of an earlier run: ``"numeric"``,
        ``"boolean"``, ``"date"`` or ``"categorical"``. Columns that it does not name are not
        interpreted. None: what each column holds is found from its values.
    size : int or None, default=None
        Side in pixels, at least 1: each image file is scaled until its shorter side has this
        length and is then cropped in the centre to a square. None: images are kept as they
        are and must be equal in size. Arrays (.npz, idx) are never resized.
    channels : {"auto", "grey", "rgb"}, default="auto"
        Channels of decoded image files. ``"auto"``: one if every image is grey, else three.
    skip_broken : bool, default=False
        Leave out image files that cannot be decoded, and list them in the notes, where
        otherwise they are an error.
    cache : Path or None, default=None
        Folder of decoded images. None: the environment variable ``EQUIPOISE_CACHE``, else
        the user's cache folder.
    workers : int or None, default=None
        Threads that decode, at least 1. None: as many as there are processors, at most 16.
    progress : callable or None, default=None
        Called with (done, total) while images are decoded or copied.

    Examples
    --------
    >>> ReadOptions(size=32).channels
    'auto'
    """

    label: str | None = None
    image: str | None = None
    drop: tuple[str, ...] = ()
    decimal: Decimal = "auto"
    missing: tuple[str, ...] = ()
    dates: Dates = "auto"
    encoding: str = "utf-8"
    kinds: Mapping[str, str] | None = None
    size: int | None = None
    channels: Channels = "auto"
    skip_broken: bool = False
    cache: Path | None = None
    workers: int | None = None
    progress: ProgressCallback | None = None
