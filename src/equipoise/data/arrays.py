"""Images that come as arrays, an .npz file or a folder of idx files, as data sets."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from equipoise.data.blocks import Block, Source, assemble
from equipoise.data.dataset import Dataset, Part
from equipoise.data.idx import idx_chunks, idx_file, idx_labels, idx_shape
from equipoise.data.npz import Archive, ArrayHeader, open_archive
from equipoise.data.options import ReadOptions
from equipoise.data.wording import counted, listing
from equipoise.errors import InputError

_NPZ_PARTS: dict[str, Part] = {"train": "train", "val": "validation", "test": "test"}
_IDX_PARTS: dict[str, Part] = {"train": "train", "t10k": "test", "test": "test"}


def read_npz(path: Path, options: ReadOptions) -> Dataset:
    """Read images and labels from an .npz file, as those of MedMNIST.

    Parameters
    ----------
    path : Path
        Archive with ``train_images`` and ``train_labels`` and, if need be, the same for
        ``val`` and ``test``; or with ``images`` and ``labels``. Images are uint8 of shape
        ``(n, height, width)`` or ``(n, height, width, 1 or 3)``; labels are whole numbers
        from 0 or text, of shape ``(n,)`` or ``(n, 1)``. ``class_names`` may name the numbers.
    options : ReadOptions
        `cache` and `progress` are used.

    Returns
    -------
    Dataset
        Parts one after the other; `ids` are ``"train/0"`` or, without parts, ``"0"``.
        Classes are those that occur, in order of their numbers.

    Raises
    ------
    InputError
        If the file is damaged, holds pickled objects, lacks arrays, or arrays are not as
        above; if a class has no training example, or there are fewer than two.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pixels = np.zeros((2, 4, 4), np.uint8)
    ...     np.savez(Path(folder, "a.npz"), images=pixels, labels=[0, 2])
    ...     data = read_npz(Path(folder, "a.npz"), ReadOptions(cache=Path(folder)))
    >>> data.X.shape, data.classes
    ((2, 4, 4, 1), ('0', '2'))
    """
    _require_file(path)
    with open_archive(path) as archive:
        prefixes = _prefixes(archive)
        source = Source(
            name=path.stem,
            root=path.parent,
            files=(path.name,),
            class_names=_class_names(archive),
            notes=_ignored(archive, prefixes),
        )
        blocks = [_npz_block(archive, prefix, part) for prefix, part in prefixes.items()]
        return assemble(source, blocks, options)


def is_idx_folder(path: Path) -> bool:
    """Return whether a folder holds idx files of images.

    >>> is_idx_folder(Path("nowhere"))
    False
    """
    return any(idx_file(path, f"{stem}-images-idx3-ubyte") for stem in _IDX_PARTS)


def read_idx_folder(path: Path, options: ReadOptions) -> Dataset:
    """Read ``{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]``, the files of MNIST.

    Parameters
    ----------
    path : Path
        The folder. The test part may also be called ``test``, or be absent.
    options : ReadOptions
        `cache` and `progress` are used.

    Returns
    -------
    Dataset
        The training part before the test part; classes are named by their numbers.

    Raises
    ------
    InputError
        If a file is absent or damaged, numbers of images and labels differ, or a class has no
        training example.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 50, 60])
    ...     _ = Path(folder, "train-images-idx3-ubyte").write_bytes(image)
    ...     label = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])
    ...     _ = Path(folder, "train-labels-idx1-ubyte").write_bytes(label)
    ...     data = read_idx_folder(Path(folder), ReadOptions(cache=Path(folder)))
    >>> data.classes, data.X.ravel().tolist()
    (('7', '9'), [50, 60])
    """
    blocks, files = [], []
    for stem, part in _IDX_PARTS.items():
        images = idx_file(path, f"{stem}-images-idx3-ubyte")
        labels = idx_file(path, f"{stem}-labels-idx1-ubyte")
        if images is not None:
            blocks.append(_idx_block(part, images, labels))
            files += [file.name for file in (images, labels) if file is not None]
    source = Source(name=path.resolve().name, root=path, files=tuple(files))
    return assemble(source, blocks, options)


def _require_file(path: Path) -> None:
    try:
        if path.is_file():
            with path.open("rb"):
                return
        found = f"{path} is a folder." if path.exists() else f"There is no {path}."
    except OSError as error:
        found = f"{path} cannot be read: {error.strerror}."
    raise InputError("An .npz file must exist and be readable.", found, "Check the path.")


def _prefixes(archive: Archive) -> dict[str, Part | None]:
    """Return what stands before ``images`` and ``labels`` in the names of each part's arrays."""
    found: dict[str, Part | None] = {
        f"{name}_": part for name, part in _NPZ_PARTS.items() if f"{name}_images" in archive.keys
    }
    if not found and "images" in archive.keys:
        found = {"": None}
    if not {"train_", ""} & found.keys():
        raise InputError(
            "An .npz file must hold `train_images` and `train_labels`, or `images` and `labels`.",
            f"{archive.path} holds {listing(sorted(archive.keys), 20) or 'no array'}.",
            "Save the arrays under these names.",
        )
    return found


def _ignored(archive: Archive, prefixes: Iterable[str]) -> tuple[str, ...]:
    used = {f"{prefix}{what}" for prefix in prefixes for what in ("images", "labels")}
    ignored = sorted({*archive.keys} - used - {"class_names"})
    return (f"These arrays were ignored: {listing(ignored)}.",) if ignored else ()


def _npz_block(archive: Archive, prefix: str, part: Part | None) -> Block:
    images, labels = f"{prefix}images", f"{prefix}labels"
    if labels not in archive.keys:
        raise InputError(
            "Images must come with labels.",
            f"{archive.path} holds `{images}` but not `{labels}`.",
            "Save the labels, or leave these images out.",
        )
    shape = _image_shape(images, archive.header(images))
    values = _flat_labels(labels, archive, shape[0])
    return Block(
        part=part,
        shape=shape,
        name=labels,
        labels=values,
        chunks=lambda: archive.chunks(images),
    )


def _image_shape(key: str, header: ArrayHeader) -> tuple[int, int, int, int]:
    shape = header.shape
    if header.dtype != np.uint8:
        raise InputError(
            "Images in arrays must be of type uint8, from 0 to 255.",
            f"`{key}` is of type {header.dtype}.",
            "Scale them to 0..255 and save `images.round().astype(np.uint8)`.",
        )
    full = (*shape, 1) if len(shape) == 3 else shape
    if len(full) != 4 or full[3] not in (1, 3) or 0 in full:
        first = len(shape) == 4 and shape[1] in (1, 3)
        raise InputError(
            "Images must have the shape (n, height, width) or (n, height, width, 1 or 3).",
            f"`{key}` has the shape {shape}.",
            "Save `images.transpose(0, 2, 3, 1)`, channels last."
            if first
            else "Save two-dimensional images, grey or red-green-blue.",
        )
    return full


def _flat_labels(key: str, archive: Archive, n: int) -> np.ndarray:
    shape = archive.header(key).shape
    if shape not in ((n,), (n, 1)):
        several = len(shape) == 2 and shape[0] == n
        raise InputError(
            "Every image must have one label: shape (n,) or (n, 1).",
            f"`{key}` has the shape {shape} for {counted(n, 'image')}.",
            "Data with several labels an image is not supported; choose one column."
            if several
            else "Save as many labels as images.",
        )
    values = archive.array(key).reshape(n)
    if values.dtype.kind not in "biufU":
        raise InputError(
            "Labels must be whole numbers or text.",
            f"`{key}` is of type {values.dtype}.",
            "Save `labels.astype(int)` or `labels.astype(str)`.",
        )
    return values


def _class_names(archive: Archive) -> tuple[str, ...] | None:
    if "class_names" not in archive.keys:
        return None
    names = archive.array("class_names")
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != len(names):
        raise InputError(
            "`class_names` must be one text for each class, all different.",
            f"It has the type {names.dtype} and the shape {names.shape}.",
            "Save `np.array([...], dtype=str)`.",
        )
    return tuple(names.tolist())


def _idx_block(part: Part, images: Path, labels: Path | None) -> Block:
    n, height, width = idx_shape(images, 3)
    values = np.empty(0, np.uint8) if labels is None else idx_labels(labels)
    if labels is None or len(values) != n or 0 in (n, height, width):
        found = "no labels file" if labels is None else f"{len(values):,} labels"
        raise InputError(
            "Images and labels must be equal in number, and there must be some.",
            f"{images} holds {n:,} images of {width}x{height}, with {found}.",
            "Put the matching labels file beside it.",
        )
    return Block(
        part=part,
        shape=(n, height, width, 1),
        name=labels.name,
        labels=values,
        chunks=lambda: idx_chunks(images, 3),
    )
