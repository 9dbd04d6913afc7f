"""Named data sets on this machine: where they are looked for, read, and fetched to."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs

from equipoise.data.arrays import read_idx_folder, read_npz
from equipoise.data.cifar import is_cifar_folder, read_cifar
from equipoise.data.dataset import Dataset
from equipoise.data.downloads import fetch, unpack
from equipoise.data.entries import CATALOG, DIGITS, IDX_STEMS, Entry
from equipoise.data.idx import idx_file
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError


def data_folders(options: ReadOptions) -> list[Path]:
    """Return the folders in which named data sets are looked for, in order.

    These are ``$EQUIPOISE_DATA``, ``data`` here and at home, the folder of fetched data (first
    ``$EQUIPOISE_CACHE/data``, else that of the user's caches), the folder
    ``imbalance-assets`` of the user's caches, and ``/usr/share/datasets``, where Debian's
    packages put data.
    """
    given = os.environ.get("EQUIPOISE_DATA")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [
        *([Path(given)] if given else []),
        Path("data"),
        Path.home() / "data",
        fetched_folder(options),
        caches / "imbalance-assets",
        Path("/usr/share/datasets"),
    ]


def fetched_folder(options: ReadOptions) -> Path:
    """Return the folder that fetched data goes to."""
    default = os.environ.get("EQUIPOISE_CACHE") or platformdirs.user_cache_dir("equipoise")
    return Path(options.cache or default) / "data"


def find(entry: Entry, options: ReadOptions) -> Path | None:
    """Return the file or folder that holds a named data set completely, or None."""
    return next((p for p in _candidates(entry, options) if _is_complete(entry, p)), None)


def catalog_entries(options: ReadOptions | None = None) -> list[dict[str, str | None]]:
    """Return name, description and place (``found``, or None) of every named data set.

    >>> [entry["name"] for entry in catalog_entries()]
    ['digits', 'fashion-mnist', 'cifar10', 'cifar100']
    """
    return [
        {"name": name, "description": entry.description, "found": _place(entry, options)}
        for name, entry in CATALOG.items()
    ]


def load_catalog(name: str, options: ReadOptions, *, download: bool = False) -> Dataset:
    """Read a named data set.

    Parameters
    ----------
    name : str
        One of `CATALOG`.
    options : ReadOptions
        `cache` and `progress` are used.
    download : bool, default=False
        Whether it may be fetched if it is not on this machine.

    Returns
    -------
    Dataset
        With parts ``"train"`` and ``"test"``, but for the digits, which have none.

    Raises
    ------
    InputError
        If it is not on this machine and may not or cannot be fetched, or if what is found
        there is another data set.

    Examples
    --------
    >>> data = load_catalog("digits", ReadOptions())
    >>> data.X.shape, int(data.X.max())
    ((1797, 8, 8, 1), 255)
    """
    entry = CATALOG[name]
    if entry is DIGITS:
        return _read_digits()
    place = find(entry, options)
    if place is None and download:
        place = download_entry(entry, fetched_folder(options), options)
    if place is None:
        raise _not_here(entry, options)
    return _read(entry, place, options)


def download_entry(entry: Entry, folder: Path, options: ReadOptions) -> Path:
    """Fetch a data set into a data folder and return its place there.

    Parameters
    ----------
    entry : Entry
        The data set.
    folder : Path
        The data folder.
    options : ReadOptions
        `progress` is used, and counts bytes of one file after the other.

    Raises
    ------
    InputError
        As `equipoise.data.downloads.fetch` and `equipoise.data.downloads.unpack` do.
    """
    place = folder / entry.paths[0]
    if entry.cifar is None:
        for remote in entry.remotes:
            if not (place / remote.name).exists():
                fetch(remote, place, options.progress)
        return place
    for remote in entry.remotes:
        archive = fetch(remote, folder, options.progress)
        unpack(archive, place, list(entry.cifar.files))
        archive.unlink()
    return place


def _candidates(entry: Entry, options: ReadOptions) -> Iterator[Path]:
    for folder in data_folders(options):
        for path in entry.paths:
            yield folder / path


def _is_complete(entry: Entry, path: Path) -> bool:
    if path.suffix == ".npz":
        return path.is_file()
    if entry.cifar is not None:
        return is_cifar_folder(path, entry.cifar)
    return all(idx_file(path, stem) for stem in IDX_STEMS)


def _place(entry: Entry, options: ReadOptions | None) -> str | None:
    if entry is DIGITS:
        return "scikit-learn"
    place = find(entry, options or ReadOptions())
    return None if place is None else str(place)


def _read(entry: Entry, place: Path, options: ReadOptions) -> Dataset:
    if place.suffix == ".npz":
        dataset = read_npz(place, options)
    elif entry.cifar is not None:
        dataset = read_cifar(place, entry.cifar, entry.classes)
    else:
        dataset = read_idx_folder(place, options)
    found = (*np.shape(dataset.X)[1:], len(dataset.classes))
    expected = (*entry.shape, len(entry.classes))
    if found != expected:
        raise InputError(
            f"{entry.name} must have images and classes of {_sizes(expected)}.",
            f"What is in {place} has {_sizes(found)}.",
            "Rename it, or read it by its path.",
        )
    numbered = dataset.classes == tuple(str(code) for code in range(len(entry.classes)))
    return replace(
        dataset,
        name=entry.name,
        classes=entry.classes if numbered else dataset.classes,
        notes=(f"{entry.name} was read from {place}.", *dataset.notes),
    )


def _sizes(sizes: tuple[int, ...]) -> str:
    height, width, channels, classes = sizes
    return f"{height} x {width} x {channels} and {classes} classes"


def _read_digits() -> Dataset:
    # Here, because scikit-learn takes a second to import.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    pixels, codes = load_digits(return_X_y=True)
    # Levels are 0 to 16.
    images = np.rint(np.asarray(pixels) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    codes = np.asarray(codes, dtype=np.int64)
    return Dataset(
        name=DIGITS.name,
        X=images,
        codes=codes,
        classes=DIGITS.classes,
        ids=np.arange(len(codes)).astype(str),
        fingerprint=hashlib.sha256(images.tobytes() + codes.tobytes()).hexdigest(),
    )


def _not_here(entry: Entry, options: ReadOptions) -> InputError:
    folders = data_folders(options)
    pickled = [f / entry.cifar.pickled for f in folders] if entry.cifar is not None else []
    seen = next((path for path in pickled if path.is_dir()), None)
    found = f"It is not in {', '.join(map(str, folders))}."
    if seen is not None:
        found = f"Only {seen} is here: pickles, which can run code and are never opened."
    return InputError(
        f"{entry.name} must be on this machine, as {' or '.join(entry.paths)}.",
        found,
        "Fetch it with `--download`, or put it into one of these folders."
        if seen is None
        else "Fetch the binary form with `--download`.",
    )
