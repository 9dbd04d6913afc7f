"""Arrays of images with labels, copied into the cache and joined to one data set."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise._typing import CodeArray, NameArray
from equipoise.data.cache import Cache, Entry, content_key, sign
from equipoise.data.dataset import Dataset, Part
from equipoise.data.options import ReadOptions
from equipoise.data.parts import check_classes, own_split
from equipoise.data.wording import listing, rows_where
from equipoise.errors import InputError

_MOST_CODES = 2**20


@dataclass(frozen=True, kw_only=True)
class Block:
    """The images and labels of one part.

    Parameters
    ----------
    part : {"train", "validation", "test"} or None
        None: the only block of data without parts.
    shape : tuple of int
        ``(examples, height, width, channels)``, none of them 0.
    name : str
        What messages call the labels.
    labels : ndarray, shape (examples,)
        Numbers or text.
    chunks : callable
        Returns an iterator over the bytes of the images, in order.
    """

    part: Part | None
    shape: tuple[int, int, int, int]
    name: str
    labels: np.ndarray
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where blocks come from.

    Parameters
    ----------
    name : str
        Name of the data set.
    root : Path
        Folder of the files.
    files : tuple of str
        All files that the blocks follow from, below the root.
    class_names : tuple of str or None, default=None
        Names of the classes 0, 1, 2, ...; None: numbers are their own names.
    notes : tuple of str, default=()
        What was noted before.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def assemble(source: Source, blocks: Sequence[Block], options: ReadOptions) -> Dataset:
    """Return the blocks as one data set, its images memory-mapped.

    Raises
    ------
    InputError
        If labels are unfit, a class has no training example, or image shapes differ.
    OSError
        If the cache cannot be written to its end.
    """
    codes, classes, notes = encode(blocks, source.class_names)
    parts = _parts(blocks)
    lacks = check_classes(codes, classes, parts)
    entry = _through_cache(source, blocks, options)
    return Dataset(
        name=source.name,
        X=entry.images,
        codes=codes,
        classes=classes,
        ids=np.concatenate([_ids(block) for block in blocks]),
        parts=parts,
        fingerprint=entry.key,
        notes=(*source.notes, *notes, *lacks),
    )


def encode(
    blocks: Sequence[Block], class_names: tuple[str, ...] | None
) -> tuple[CodeArray, tuple[str, ...], list[str]]:
    """Return class codes, the classes that occur in order of number or name, and notes.

    >>> block = Block(part=None, shape=(3, 1, 1, 1), name="labels",
    ...               labels=np.array([4, 2, 4]), chunks=lambda: iter(()))
    >>> encode([block], None)
    (array([1, 0, 1]), ('2', '4'), [])
    """
    kinds = {block.labels.dtype.kind for block in blocks}
    if "U" in kinds and len(kinds) > 1:
        raise InputError(
            "Labels must be all text or all numbers.",
            f"They mix both in {listing(block.name for block in blocks)}.",
            "Save the labels of all parts in the same way.",
        )
    if "U" in kinds:
        found = {name for block in blocks for name in block.labels.tolist()}
        known = class_names or tuple(sorted(found))
        numbers = np.concatenate([_positions(block, known) for block in blocks])
    else:
        numbers = np.concatenate([_whole(block, class_names) for block in blocks])
        known = class_names or tuple(str(code) for code in range(numbers.max() + 1))
    present, codes = np.unique(numbers, return_inverse=True)
    notes = ["Labels are whole numbers stored as fractional ones."] if "f" in kinds else []
    absent = set(range(len(known))) - set(present.tolist())
    if class_names and absent:
        names = listing(known[code] for code in sorted(absent))
        notes.append(f"Classes without an example were left out: {names}.")
    return codes.astype(np.int64), tuple(known[code] for code in present), notes


def _positions(block: Block, known: Sequence[str]) -> CodeArray:
    position = {name: at for at, name in enumerate(known) if name}
    found = np.array([position.get(name, -1) for name in block.labels.tolist()], dtype=np.int64)
    _refuse(block, found < 0, "must not be empty, and be among the class names if these are given")
    return found


def _whole(block: Block, class_names: Sequence[str] | None) -> CodeArray:
    values = block.labels
    if values.dtype.kind == "f":
        _refuse(block, ~np.isfinite(values), "must not be missing or infinite")
        _refuse(block, values != np.floor(values), "must be whole numbers")
    most = len(class_names) - 1 if class_names else _MOST_CODES
    _refuse(block, (values < 0) | (values > most), f"must be from 0 to {most:,}")
    return values.astype(np.int64)


def _refuse(block: Block, wrong: np.ndarray, requirement: str) -> None:
    if wrong.any():
        first = block.labels[wrong].tolist()[0]
        raise InputError(
            f"Labels {requirement}.",
            f"In `{block.name}` that fails in {rows_where(wrong)}, first with {first!r}.",
            "Number the classes from 0, or save their names as text.",
        )


def _parts(blocks: Sequence[Block]) -> NameArray | None:
    parts = [str(block.part) for block in blocks for _ in range(block.shape[0])]
    return None if blocks[0].part is None else own_split(np.array(parts))


def _ids(block: Block) -> NameArray:
    numbers = np.arange(block.shape[0]).astype(str)
    return numbers if block.part is None else np.char.add(f"{block.part}/", numbers)


def _through_cache(source: Source, blocks: Sequence[Block], options: ReadOptions) -> Entry:
    cache = Cache(options.cache)
    signature = sign(source.root, source.files, ("arrays",))
    entry = cache.recall(signature)
    if entry is None:
        digests = (_digest(source.root / name) for name in source.files)
        key = content_key(("arrays",), source.files, digests)
        entry = cache.open(key) or _copied(cache, key, blocks, options)
        cache.remember(signature, key)
    return entry


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _copied(cache: Cache, key: str, blocks: Sequence[Block], options: ReadOptions) -> Entry:
    frames = {block.shape[1:] for block in blocks}
    if len(frames) > 1:
        raise InputError(
            "The images of all parts must be equal in size and channels.",
            f"Their heights, widths and channels are {listing(sorted(frames))}.",
            "Resize them before they are saved.",
        )
    total, done = sum(block.shape[0] for block in blocks), 0
    with cache.writing(key, (total, *blocks[0].shape[1:])) as draft:
        for block in blocks:
            for chunk in block.chunks():
                draft.append(chunk)
                done += len(chunk)
                if options.progress is not None:
                    options.progress(done // draft.image_bytes, total)
    return cache.written(key)
