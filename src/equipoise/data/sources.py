"""DATA, whatever it is, as a data set: a name, a folder, or a file."""

from dataclasses import replace
from pathlib import Path

from equipoise.data.arrays import is_idx_folder, read_idx_folder, read_npz
from equipoise.data.catalog import load_catalog
from equipoise.data.cifar import is_cifar_folder, read_cifar
from equipoise.data.dataset import Dataset
from equipoise.data.entries import CATALOG, catalog_name
from equipoise.data.forms import TABLE_SUFFIXES, not_found, unknown_form
from equipoise.data.frames import read_frame
from equipoise.data.images import is_image_index, read_class_folder, read_image_index
from equipoise.data.options import ReadOptions
from equipoise.data.tables import make_table
from equipoise.data.unlabelled import load_unlabelled

__all__ = ["load", "load_unlabelled", "read_path"]


def load(
    source: str | Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 (never changed)
    *,
    download: bool = False,
) -> Dataset:
    """Read DATA.

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
    """
    name = catalog_name(source) if isinstance(source, str) else None
    path = Path(source).expanduser()
    if name is None:
        return read_path(path, options)
    dataset = load_catalog(name, options, download=download)
    if not path.exists():
        return dataset
    note = f"{str(source)!r} is the catalog's data set; write ./{source} for the path of that name."
    return replace(dataset, notes=(*dataset.notes, note))


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
    frame, notes = read_frame(path, options)
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
