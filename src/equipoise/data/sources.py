"""DATA, whatever it is, as a data set: a name, a folder, or a file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from equipoise._typing import ProgressCallback
from equipoise.data.arrays import is_idx_folder, read_idx_folder, read_npz
from equipoise.data.catalog import load_catalog
from equipoise.data.cifar import is_cifar_folder, read_cifar
from equipoise.data.dataset import Dataset
from equipoise.data.entries import CATALOG, catalog_name
from equipoise.data.forms import TABLE_SUFFIXES, not_found, unknown_form
from equipoise.data.frames import read_frame
from equipoise.data.images import is_image_index, read_class_folder, read_image_index
from equipoise.data.options import Channels, Dates, Decimal, ReadOptions
from equipoise.data.tables import make_table
from equipoise.data.unlabelled import load_unlabelled

__all__ = ["load", "load_unlabelled", "read_path"]


def load(  # noqa: PLR0913 (each is an option)
    source: str | Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 (never changed)
    *,
    download: bool = False,
    label: str | None = None,
    image: str | None = None,
    drop: str | Sequence[str] | None = None,
    decimal: Decimal | None = None,
    missing: str | Sequence[str] | None = None,
    dates: Dates | None = None,
    encoding: str | None = None,
    size: int | None = None,
    channels: Channels | None = None,
    skip_broken: bool | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Dataset:
    r"""Read DATA.

    Parameters
    ----------
    source : str or Path
        A name of the catalog, a class folder, a folder of idx files, an ``.npz`` file, or a
        ``.csv`` or ``.parquet`` file that is a table or lists image files. A name of the
        catalog wins over a path; write ``./digits`` (or give a Path) for the path.
    options : ReadOptions
        How it is read; each form uses the fields that concern it.
    download : bool, default=False
        Whether a data set of the catalog may be fetched if it is not on this machine.
    label, image, drop, decimal, missing, dates, encoding : optional
        How tables and their columns are read. These and those below are fields of `ReadOptions`
        and come before those of `options`; one column or text may be given alone.
    size, channels, skip_broken, cache, workers, progress : optional
        How images are read.

    Returns
    -------
    Dataset
        The examples, with notes on every choice.

    Raises
    ------
    InputError
        If there is no such thing, it is of no known form, or its reader finds a fault.

    Examples
    --------
    >>> data = load("digits")
    >>> data.name, data.kind, len(data)
    ('digits', 'images', 1797)

    The fields of `ReadOptions` may stand in the call:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "patients.csv")
    ...     _ = path.write_text("age,patient,outcome\n31,a,sick\n52,b,well\n")
    ...     data = load(path, label="outcome", drop="patient")
    >>> data.classes, list(data.X)
    (('sick', 'well'), ['age'])
    """
    given = {
        "label": label,
        "image": image,
        "drop": None if drop is None else _texts(drop),
        "decimal": decimal,
        "missing": None if missing is None else _texts(missing),
        "dates": dates,
        "encoding": encoding,
        "size": size,
        "channels": channels,
        "skip_broken": skip_broken,
        "cache": None if cache is None else Path(cache),
        "workers": workers,
        "progress": progress,
    }
    options = replace(options, **{k: value for k, value in given.items() if value is not None})
    name = catalog_name(source) if isinstance(source, str) else None
    path = Path(source).expanduser()
    if name is None:
        return read_path(path, options)
    dataset = load_catalog(name, options, download=download)
    if not path.exists():
        return dataset
    note = f"{str(source)!r} is the catalog's data set; write ./{source} for the path of that name."
    return replace(dataset, notes=(*dataset.notes, note))


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def read_path(path: Path, options: ReadOptions) -> Dataset:
    """Read a folder or a file by what it holds.

    Parameters
    ----------
    path : Path
        The folder or file.
    options : ReadOptions
        How it is read.

    Raises
    ------
    InputError
        As `load` does.
    """
    if not path.exists():
        raise not_found(path)
    if path.is_dir():
        return _read_folder(path, options)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(path, options)
    if suffix not in TABLE_SUFFIXES:
        raise unknown_form(path)
    frame, notes, options = read_frame(path, options)
    if is_image_index(frame, path, options):
        return read_image_index(path, frame, options)
    return make_table(path, frame, notes, options)


def _read_folder(path: Path, options: ReadOptions) -> Dataset:
    if is_idx_folder(path):
        return read_idx_folder(path, options)
    for entry in CATALOG.values():
        if entry.cifar is not None and is_cifar_folder(path, entry.cifar):
            return read_cifar(path, entry.cifar, entry.classes)
    return read_class_folder(path, options)
