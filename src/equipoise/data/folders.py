"""What lies in a class folder: image files, the class of each, and the part if there are parts."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from equipoise.data.dataset import Part
from equipoise.data.parts import PART_NAMES
from equipoise.data.pixels import SUFFIXES
from equipoise.data.wording import counted, listing
from equipoise.errors import InputError


@dataclass(frozen=True)
class ClassFolder:
    """The image files of a class folder, in part, then class, then name order.

    Parameters
    ----------
    names : list of str
        Paths relative to the folder, with forward slashes.
    labels : list of str
        Class of each file.
    parts : list of str or None
        Part of each file, if the folder holds one class folder for each part.
    classes : list of str
        All class names, sorted, including those of empty folders.
    notes : list of str
        What was ignored.
    """

    names: list[str]
    labels: list[str]
    parts: list[Part] | None
    classes: list[str]
    notes: list[str]


def list_class_folder(root: Path) -> ClassFolder:
    """List ``root/class/**/image`` or ``root/{train,val,test}/class/**/image``.

    Hidden files are passed over, files that are no images are counted in the notes. The order
    is that of torchvision's ``ImageFolder``.

    Raises
    ------
    InputError
        If the folder is missing, unreadable or holds no image in a class, if it mixes parts
        and classes, or if a link leads out of it or in a circle.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "dog/1.png", "cat/2.png", "cat/notes.txt":
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Path(folder, name).touch()
    ...     found = list_class_folder(Path(folder))
    >>> found.names, found.notes
    (['cat/2.png', 'dog/1.png'], ['1 file that is no image was ignored.'])
    """
    _require_folder(root)
    part_of = _parts(root)
    # Each bough is a folder of class folders: the root itself, or one for each part.
    boughs = sorted(part_of, key=lambda name: list(PART_NAMES).index(name)) or ["."]
    folders = [(bough, name) for bough in boughs for name in _inner(root / bough, root)[0]]
    loose = sum(len(_inner(root / bough, root)[1]) for bough in {".", *boughs})
    names, labels, parts, others = [], [], [], 0
    for bough, label in folders:
        files = [*_walk(root, PurePosixPath(bough, label))]
        images = sorted(
            (file for file in files if file.suffix.lower() in SUFFIXES),
            key=lambda file: (str(file.parent), file.name),
        )
        others += len(files) - len(images)
        names += map(str, images)
        labels += [label] * len(images)
        parts += [part_of.get(bough, "train")] * len(images)
    _require_images(root, names)
    return ClassFolder(
        names=names,
        labels=labels,
        parts=parts if part_of else None,
        classes=sorted({label for _, label in folders}),
        notes=_ignored(others, loose),
    )


def _require_folder(root: Path) -> None:
    try:
        if root.is_dir():
            return
        found = f"{root} is a file." if root.exists() else f"There is no {root}."
    except OSError as error:
        found = f"{root} cannot be read: {error.strerror}."
    raise InputError(
        "A folder of images must hold one folder for each class.", found, "Check the path."
    )


def _require_images(root: Path, names: list[str]) -> None:
    if not names:
        raise InputError(
            "A folder of images must hold one folder for each class, with images in it.",
            f"No image lies below a folder in {root}.",
            f"Sort the images into folders; endings may be {listing(sorted(SUFFIXES))}.",
        )
    odd = [name for name in names if not _is_text(name)]
    if odd:
        raise InputError(
            "Names of image files must be text in the encoding of the system.",
            f"{len(odd):,} are not, for example {odd[0]!r}.",
            "Rename these files.",
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(root: Path) -> dict[str, Part]:
    """Return the folders that are parts, each with its part; none if they are classes."""
    folders = _inner(root, root)[0]
    part_of: dict[str, Part] = {name: PART_NAMES[name] for name in folders if name in PART_NAMES}
    known = set(part_of.values())
    if part_of and len(part_of) == len(folders):
        if len(known) == len(folders):
            return part_of
    # One class may well be called "train"; beside "test" it hardly is.
    elif not ("train" in known and len(known) > 1):
        return {}
    raise InputError(
        "A folder of images must hold either classes, or the parts train, val and test.",
        f"{root} holds {listing(folders)}.",
        "Move other folders away, and give each part one folder only.",
    )


def _inner(folder: Path, root: Path) -> tuple[list[str], list[str]]:
    """Return the names of visible folders and files, sorted; links must stay inside the root."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    _refuse_outside(Path(entry.path), root)
                (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise InputError(
            "Every folder of images must be readable.",
            f"{folder} cannot be read: {error.strerror}.",
            "Change its permissions or move it away.",
        ) from error
    return folders, files


def _walk(root: Path, start: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield every visible file below a folder, as a path relative to the root."""
    waiting: list[tuple[PurePosixPath, frozenset[Path]]] = [(start, frozenset())]
    while waiting:
        folder, above = waiting.pop()
        real = (root / folder).resolve()
        if real in above:
            raise InputError(
                "Links in a folder of images must not lead in a circle.",
                f"{folder} leads back to a folder above it.",
                "Remove the link.",
            )
        folders, files = _inner(root / folder, root)
        waiting += [(folder / name, above | {real}) for name in folders]
        yield from (folder / name for name in files)


def _refuse_outside(link: Path, root: Path) -> None:
    target = link.resolve()
    if not target.is_relative_to(root.resolve()):
        raise InputError(
            "Links in a folder of images must stay inside it.",
            f"{link} leads to {target}.",
            "Copy the files there in its place.",
        )


def _ignored(others: int, loose: int) -> list[str]:
    notes = []
    if others:
        files = counted(others, "file that is no image was", "files that are no images were")
        notes.append(f"{files} ignored.")
    if loose:
        files = counted(
            loose, "file outside the class folders was", "files outside the class folders were"
        )
        notes.append(f"{files} ignored.")
    return notes
