"""Labelled image files as data sets: a folder for each class, or a table of paths."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from equipoise._typing import CodeArray, NameArray
from equipoise.data.dataset import Dataset
from equipoise.data.decoding import decode_files
from equipoise.data.folders import list_class_folder
from equipoise.data.labels import encode_labels, find_label, label_notes
from equipoise.data.options import ReadOptions
from equipoise.data.parts import PART_NAMES, check_classes, own_split
from equipoise.data.pixels import SUFFIXES
from equipoise.data.wording import counted, listing, rows_where, suggestion
from equipoise.errors import InputError

IMAGE_NAMES = ("image", "image_path", "img", "path", "file", "file_name", "filename", "filepath")
"""Names that mark the column of paths in an image index; case does not count."""

SPLIT_NAMES = ("split", "part")
"""Names of the column that gives each image's part in an image index; case does not count."""


@dataclass(frozen=True)
class _Labelled:
    """Image files and what is known of them before they are opened."""

    name: str
    root: Path
    files: Sequence[str]
    codes: CodeArray
    classes: tuple[str, ...]
    parts: NameArray | None
    notes: Sequence[str]


def read_class_folder(path: Path, options: ReadOptions) -> Dataset:
    """Read ``folder/class/image`` or ``folder/{train,val,test}/class/image``.

    Classes are sorted by name, as torchvision's ``ImageFolder`` sorts them. Images may lie
    deeper below their class folder. ``val`` may be called ``valid`` or ``validation``.

    Parameters
    ----------
    path : Path
        The folder.
    options : ReadOptions
        As for `equipoise.data.decoding.decode_files`.

    Returns
    -------
    Dataset
        `ids` are paths relative to the folder. `parts` are set if it has parts and not only
        ``train``. The fingerprint is that of names, contents, `size` and `channels`.

    Raises
    ------
    InputError
        If there is no such folder, fewer than two classes, a class without a (readable) image
        to train on, a link that leads outside, or `decode_files` finds a fault.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "cat", "dog":
    ...         Path(folder, name).mkdir()
    ...         Image.new("L", (4, 4)).save(Path(folder, name, "1.png"))
    ...     data = read_class_folder(Path(folder), ReadOptions(cache=Path(folder, ".cache")))
    >>> data.X.shape, data.classes, data.ids.tolist()
    ((2, 4, 4, 1), ('cat', 'dog'), ['cat/1.png', 'dog/1.png'])
    """
    found = list_class_folder(path)
    code_of = {name: code for code, name in enumerate(found.classes)}
    labelled = _Labelled(
        name=path.resolve().name,
        root=path,
        files=found.names,
        codes=np.array([code_of[label] for label in found.labels], dtype=np.int64),
        classes=tuple(found.classes),
        parts=None if found.parts is None else own_split(np.array(found.parts)),
        notes=found.notes,
    )
    return _decoded(labelled, options)


def is_image_index(frame: pd.DataFrame, path: Path, options: ReadOptions) -> bool:
    """Return whether a table lists image files, rather than being data itself.

    It does if `options.image` is given, or if every value of a text column ends like an image
    file and the column is called like one (`IMAGE_NAMES`) or its first file exists.

    >>> frame = pd.DataFrame({"path": ["a.png"], "age": [3]})
    >>> is_image_index(frame, Path("index.csv"), ReadOptions())
    True
    >>> is_image_index(frame[["age"]], Path("index.csv"), ReadOptions())
    False
    """
    return options.image is not None or bool(_image_columns(_texted(frame), path))


def read_image_index(path: Path, frame: pd.DataFrame, options: ReadOptions) -> Dataset:
    """Read the images that a table lists, one row an image.

    Parameters
    ----------
    path : Path
        The file that the table was read from; image paths are relative to its folder.
    frame : DataFrame
        The table. A column ``split`` or ``part`` may hold train, val (valid, validation) or
        test.
    options : ReadOptions
        `image` (None: as `is_image_index` finds it), `label` (None: as for tables) and what
        `equipoise.data.decoding.decode_files` uses.

    Returns
    -------
    Dataset
        `ids` are paths relative to the table's folder.

    Raises
    ------
    InputError
        If a column is not found, a path or label is missing, a path leads outside the
        table's folder, or as `read_class_folder` does.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> frame = pd.DataFrame({"image": ["a.png", "b.png"], "label": ["yes", "no"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in frame["image"]:
    ...         Image.new("RGB", (4, 4)).save(Path(folder, name))
    ...     index, cache = Path(folder, "index.csv"), Path(folder, "cache")
    ...     data = read_image_index(index, frame, ReadOptions(cache=cache))
    >>> data.y.tolist()
    ['yes', 'no']
    """
    frame = _texted(frame)
    image = _image_column(frame, path, options)
    split, split_notes = _split(frame)
    others = [name for name in frame.columns if name != image]
    label, label_note = find_label(others, options.label)
    codes, classes = encode_labels(_column(frame, label))
    files = _inside(_column(frame, image), path)
    notes = [*([label_note] if label_note else []), *label_notes(classes), *split_notes]
    if repeated := len(files) - len(set(files)):
        rows = counted(repeated, "row repeats", "rows repeat")
        notes.append(f"{rows} the file of an earlier row.")
    labelled = _Labelled(path.stem, path.parent, files, codes, classes, split, notes)
    dataset = _decoded(labelled, options)
    return replace(dataset, fingerprint=_fingerprint(dataset))


def _decoded(labelled: _Labelled, options: ReadOptions) -> Dataset:
    codes, parts = labelled.codes, labelled.parts
    lacks = check_classes(codes, labelled.classes, parts)
    decoded = decode_files(labelled.root, labelled.files, options)
    if len(decoded.kept) < len(codes):
        _refuse_emptied(codes, codes[decoded.kept], labelled.classes)
        codes = codes[decoded.kept]
        parts = None if parts is None else own_split(parts[decoded.kept])
        lacks = check_classes(codes, labelled.classes, parts)
    return Dataset(
        name=labelled.name,
        X=decoded.images,
        codes=codes,
        classes=labelled.classes,
        ids=np.array(labelled.files)[decoded.kept],
        parts=parts,
        fingerprint=decoded.key,
        notes=(*labelled.notes, *decoded.notes, *lacks),
    )


def _refuse_emptied(before: CodeArray, after: CodeArray, classes: Sequence[str]) -> None:
    emptied = [classes[code] for code in np.setdiff1d(before, after)]
    if emptied:
        raise InputError(
            "Every class must keep a readable image.",
            f"All files of {listing(emptied)} are broken.",
            "Repair them, or remove the class.",
        )


def _image_columns(frame: pd.DataFrame, path: Path) -> list[str]:
    """Return the columns that hold image paths; those called like it come before others."""
    listed = [name for name in frame.columns if _lists_images(_column(frame, name))]
    named = [name for name in listed if name.lower() in IMAGE_NAMES]
    return named or [
        name for name in listed if (path.parent / frame[name].dropna().iloc[0]).exists()
    ]


def _texted(frame: pd.DataFrame) -> pd.DataFrame:
    """Let every column have a text as its name."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return pd.Series(frame[name])


def _lists_images(column: pd.Series) -> bool:
    if not pd.api.types.is_object_dtype(column) and not pd.api.types.is_string_dtype(column):
        return False
    values = column.dropna()
    return len(values) > 0 and all(
        isinstance(value, str) and os.path.splitext(value)[1].lower() in SUFFIXES  # noqa: PTH122
        for value in values
    )


def _image_column(frame: pd.DataFrame, path: Path, options: ReadOptions) -> str:
    columns = list(frame.columns)
    if options.image is not None:
        if options.image in columns:
            return options.image
        raise InputError(
            f"The image column {options.image!r} must be in the table.",
            f"The columns are {listing(columns, 20)}.",
            suggestion(options.image, columns, "Name one of these."),
        )
    found = _image_columns(frame, path)
    if len(found) != 1:
        raise InputError(
            "An image index must have one column of image paths.",
            f"These could be it: {listing(found)}." if found else "There is none.",
            f"Give it with `--image {found[0] if found else 'NAME'}`.",
        )
    return found[0]


def _split(frame: pd.DataFrame) -> tuple[NameArray | None, list[str]]:
    columns = [name for name in frame.columns if name.lower() in SPLIT_NAMES]
    if not columns:
        return None, []
    column = columns[0]
    values = [str(value).strip().lower() for value in frame[column]]
    known = np.array([value in PART_NAMES for value in values])
    if not known.any():
        return None, [f"The column {column!r} names no parts and was ignored."]
    if not known.all():
        odd = sorted({value for value in values if value not in PART_NAMES})
        raise InputError(
            f"The column {column!r} must say train, val or test in every row.",
            f"It says {listing(odd)} in {rows_where(~known)}.",
            "Correct these, or rename the column.",
        )
    note = f"The column {column!r} was taken as the data's own split."
    return own_split(np.array([PART_NAMES[value] for value in values])), [note]


def _inside(column: pd.Series, path: Path) -> list[str]:
    """Return the paths relative to the index's folder; every one must stay inside it."""
    absent = column.isna() | (column.astype(str).str.strip() == "")
    if absent.any():
        raise InputError(
            f"Every row must have a path in the column {column.name!r}.",
            f"Paths are missing in {absent.sum():,}: {rows_where(absent)}.",
            "Fill them in or remove these rows.",
        )
    base = path.parent.resolve()
    values = column.astype(str).tolist()
    # A null byte cannot stand in a path at all.
    files = [base.parent if "\0" in value else (base / value).resolve() for value in values]
    outside = [not file.is_relative_to(base) for file in files]
    if any(outside):
        raise InputError(
            "Image paths must stay inside the folder of their index.",
            f"{values[outside.index(True)]!r} does not; such are {rows_where(outside)}.",
            "Move the index to a folder above all images and adapt its paths.",
        )
    return [file.relative_to(base).as_posix() for file in files]


def _fingerprint(dataset: Dataset) -> str:
    """Add labels and parts, which an index keeps apart from the images, to the content key."""
    digest = hashlib.sha256(dataset.fingerprint.encode())
    parts = None if dataset.parts is None else dataset.parts.tolist()
    digest.update(repr((dataset.classes, dataset.codes.tolist(), parts)).encode())
    return digest.hexdigest()
