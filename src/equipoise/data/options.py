"""How DATA is to be read; one record for every form that data comes in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equipoise._typing import ProgressCallback

Channels = Literal["auto", "grey", "rgb"]
"""How many channels decoded images get; ``"auto"`` is grey only if every image is."""


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
    size: int | None = None
    channels: Channels = "auto"
    skip_broken: bool = False
    cache: Path | None = None
    workers: int | None = None
    progress: ProgressCallback | None = None
