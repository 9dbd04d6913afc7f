"""A diagnosis as a folder: what was found, and the pictures that go with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.runs import Run

NAME = "diagnosis.json"
"""The file by which a folder is known as a diagnosis."""

FORMAT = 2
"""Version of what is written."""


def unique_names(folders: Sequence[Path]) -> list[str]:
    """Return a name for each run's folder: as much of the end of its path as tells all apart.

    Examples
    --------
    >>> unique_names([Path("c/runs/plain/0"), Path("c/runs/focal/0")])
    ['plain/0', 'focal/0']
    """
    paths = [folder.expanduser().absolute().parts for folder in folders]
    for length in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    return ["/".join(parts) for parts in paths]


def store(
    folder: Path,
    runs: Sequence[Mapping[str, Any]],
    order: Mapping[str, Any],
    pictures: Sequence[np.ndarray | None],
) -> None:
    """Write a diagnosis; ``diagnosis.json`` comes last.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    runs : sequence of mapping
        As `equipoise.diagnosis.diagnose.diagnose` returns them.
    order : mapping
        As `equipoise.diagnosis.diagnose.side_by_side` returns it.
    pictures : sequence of (ndarray or None)
        Those of each run's suspects.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = Run(folder)
    for number, images in enumerate(pictures):
        if images is not None and len(images):
            kept.write_arrays(pictures_of(number), {"images": images})
        else:
            kept.remove(pictures_of(number))
    for left in folder.glob(pictures_of("*")):
        if left.name not in {pictures_of(number) for number in range(len(pictures))}:
            kept.remove(left.name)
    told = {"format": FORMAT, "runs": list(runs), "order": dict(order)}
    kept.write_json(NAME, told)


def pictures_of(number: int | str) -> str:
    """Return the name of the file with the pictures of a run's suspects."""
    return f"suspects-{number}.npz"
