"""New examples to predict: like DATA, but labels are neither needed nor used."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from equipoise._typing import ImageArray, IndexArray, NameArray
from equipoise.data.arrays import is_idx_folder, read_idx_folder, read_npz
from equipoise.data.catalog import load_catalog
from equipoise.data.columns import column_of
from equipoise.data.decoding import decode_files
from equipoise.data.entries import catalog_name
from equipoise.data.forms import TABLE_SUFFIXES, not_found, unknown_form
from equipoise.data.frames import read_frame
from equipoise.data.images import is_image_index
from equipoise.data.labels import LABEL_NAMES
from equipoise.data.npz import open_archive
from equipoise.data.options import ReadOptions
from equipoise.data.pixels import SUFFIXES
from equipoise.data.wording import listing, suggestion
from equipoise.errors import InputError

Unlabelled = tuple["ImageArray | pd.DataFrame", NameArray]
"""Examples, and an identifier of each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NewExamples:
    """Examples to predict, and what says which is which.

    Parameters
    ----------
    X : ndarray of uint8, shape (examples, height, width, channels), or DataFrame
        The examples.
    ids : ndarray of str, shape (examples,)
        A path or a row number for each.
    carried : DataFrame
        The columns that were asked for, one row an example.
    """

    X: "ImageArray | pd.DataFrame"
    ids: NameArray
    carried: pd.DataFrame


def load_new(
    source: str | Path,
    options: ReadOptions,
    *,
    carry: Sequence[str] = (),
    download: bool = False,
) -> NewExamples:
    r"""Read examples to predict, with columns that say which is which.

    Parameters
    ----------
    source, options, download
        As for `load_unlabelled`.
    carry : sequence of str, default=()
        Columns of a table, or of an index of images, that come along as they are written,
        whether or not they are features.

    Raises
    ------
    InputError
        As `load_unlabelled` does, or if there is no such column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "new.csv").write_text("age,patient\n3,007\n5,011\n")
    ...     new = load_new(Path(folder, "new.csv"), ReadOptions(), carry=["patient"])
    >>> new.carried["patient"].tolist()
    ['007', '011']
    """
    path = Path(source).expanduser()
    is_named = isinstance(source, str) and catalog_name(source) is not None
    if path.suffix.lower() in TABLE_SUFFIXES and path.is_file() and not is_named:
        return _table(path, options, carry)
    if carry and (is_named or path.exists()):
        raise InputError(
            "Columns can be carried over from a table or an index of images.",
            f"{source} is none.",
            "Leave out `--id`: each example is named by its path or its number.",
        )
    X, ids = _without_columns(source, options, download=download)
    return NewExamples(X=X, ids=ids, carried=pd.DataFrame(index=range(len(ids))))


def load_unlabelled(
    source: str | Path, options: ReadOptions, *, download: bool = False
) -> Unlabelled:
    r"""Read examples to predict.

    Parameters
    ----------
    source : str or Path
        Anything that `load` takes, with or without labels; or one image file, a folder of
        image files at any depth, or an ``.npz`` file with ``images`` alone.
    options : ReadOptions
        How it is read. A label column is left out; columns to drop may be absent.
    download : bool, default=False
        Whether a named data set may be fetched.

    Returns
    -------
    X : ndarray of uint8, shape (examples, height, width, channels), or DataFrame
        The examples.
    ids : ndarray of str, shape (examples,)
        A path or a row number for each.

    Raises
    ------
    InputError
        If there is no such thing, it is of no known form, or its reader finds a fault.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "new.csv").write_text("age\n3\n5\n")
    ...     X, ids = load_unlabelled(Path(folder, "new.csv"), ReadOptions())
    >>> X["age"].tolist(), ids.tolist()
    ([3, 5], ['0', '1'])
    """
    new = load_new(source, options, download=download)
    return new.X, new.ids


def _without_columns(source: str | Path, options: ReadOptions, *, download: bool) -> Unlabelled:
    path = Path(source).expanduser()
    name = catalog_name(source) if isinstance(source, str) else None
    if name is not None:
        dataset = load_catalog(name, options, download=download)
        return dataset.X, dataset.ids
    if not path.exists():
        raise not_found(path)
    if path.is_dir():
        return _folder(path, options)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return _files(path.parent, [path.name], options)[:2]
    if suffix == ".npz":
        return _arrays(path, options)
    raise unknown_form(path)


def _folder(path: Path, options: ReadOptions) -> Unlabelled:
    names = sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not _is_hidden(file.relative_to(path))
    )
    if names:
        return _files(path, names, options)[:2]
    if is_idx_folder(path):
        dataset = read_idx_folder(path, options)
        return dataset.X, dataset.ids
    raise InputError(
        "A folder of new examples must hold image files.",
        f"There is none in {path} or below.",
        f"Known endings are {', '.join(sorted(SUFFIXES))}.",
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _files(
    root: Path, names: Sequence[str], options: ReadOptions
) -> tuple[ImageArray, NameArray, IndexArray]:
    decoded = decode_files(root, names, options)
    return decoded.images, np.array(names)[decoded.kept], decoded.kept


def _arrays(path: Path, options: ReadOptions) -> Unlabelled:
    with open_archive(path) as archive:
        if "images" in archive.keys and "labels" not in archive.keys:
            header = archive.header("images")
            if header.dtype != np.uint8 or len(header.shape) not in (3, 4):
                raise InputError(
                    "Images in arrays must be of type uint8 and shape (n, height, width[, 3]).",
                    f"`images` is of type {header.dtype} and shape {header.shape}.",
                    "Save them in this form.",
                )
            pixels = np.frombuffer(b"".join(archive.chunks("images")), dtype=np.uint8)
            images = pixels.reshape((*header.shape, 1)[:4])
            return images, np.arange(len(images)).astype(str)
    dataset = read_npz(path, options)
    return dataset.X, dataset.ids


def _table(path: Path, options: ReadOptions, carry: Sequence[str]) -> NewExamples:
    frame, _, _ = read_frame(path, options)
    carried = _carried(path, options, carry) if carry else pd.DataFrame(index=frame.index)
    if is_image_index(frame, path, options):
        images, ids, kept = _index(path, frame, options)
        return NewExamples(X=images, ids=ids, carried=carried.iloc[kept])
    named = [name for name in frame.columns if name.lower() in LABEL_NAMES]
    label = options.label or (named[0] if len(named) == 1 else None)
    X = frame.drop(columns=[*options.drop, *([label] if label else [])], errors="ignore")
    return NewExamples(X=X, ids=np.arange(len(X)).astype(str), carried=carried)


def _carried(path: Path, options: ReadOptions, names: Sequence[str]) -> pd.DataFrame:
    """Return columns as they are written: an identifier 007 is not the number 7."""
    frame, _, _ = read_frame(path, replace(options, missing=(), kinds={}))
    for name in names:
        if name not in frame:
            raise InputError(
                f"The column {name!r} must be in the table to be carried over.",
                f"The columns are {listing(frame.columns, 20)}.",
                suggestion(name, list(frame.columns), "Name one of these with `--id`."),
            )
    return pd.DataFrame({name: frame[name] for name in names})


def _is_column_of_images(frame: pd.DataFrame, name: str, path: Path) -> bool:
    return is_image_index(column_of(frame, name).to_frame(), path, ReadOptions())


def _index(
    path: Path, frame: pd.DataFrame, options: ReadOptions
) -> tuple[ImageArray, NameArray, IndexArray]:
    columns = [options.image] if options.image else list(frame.columns)
    found = [n for n in columns if n in frame and _is_column_of_images(frame, n, path)]
    if len(found) != 1:
        raise InputError(
            "An image index must have one column of image paths.",
            f"These could be it: {listing(found)}." if found else "There is none.",
            "Give it with `--image NAME`.",
        )
    values = column_of(frame, found[0]).astype(str).tolist()
    base = path.parent.resolve()
    names = [os.path.relpath((base / value).resolve(), base) for value in values]
    outside = [v for v, name in zip(values, names, strict=True) if Path(name).parts[0] == ".."]
    if outside:
        raise InputError(
            "Image paths must stay inside the folder of their index.",
            f"{outside[0]!r} does not.",
            "Move the index to a folder above all images and adapt its paths.",
        )
    return _files(base, names, options)
