"""CIFAR-10 and CIFAR-100 in their binary form; the form for Python is pickles, never opened."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise._typing import CodeArray, ImageArray
from equipoise.data.dataset import Dataset, Part
from equipoise.errors import InputError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, kw_only=True)
class CifarLayout:
    """How one of the two data sets is stored.

    A record is `label_bytes` labels, of which the last counts, then 1,024 red, 1,024 green and
    1,024 blue values, row by row.

    Parameters
    ----------
    folder : str
        Folder of the binary form.
    pickled : str
        Folder of the form for Python, which is not read.
    files : dict of str to Part
        Files of the binary form and the part that each belongs to.
    label_bytes : int
        1 for CIFAR-10; 2 for CIFAR-100, coarse before fine.
    """

    folder: str
    pickled: str
    files: dict[str, Part]
    label_bytes: int


CIFAR10 = CifarLayout(
    folder="cifar-10-batches-bin",
    pickled="cifar-10-batches-py",
    files={
        "data_batch_1.bin": "train",
        "data_batch_2.bin": "train",
        "data_batch_3.bin": "train",
        "data_batch_4.bin": "train",
        "data_batch_5.bin": "train",
        "test_batch.bin": "test",
    },
    label_bytes=1,
)
"""CIFAR-10: six files of 10,000 images, ten classes."""

CIFAR100 = CifarLayout(
    folder="cifar-100-binary",
    pickled="cifar-100-python",
    files={"train.bin": "train", "test.bin": "test"},
    label_bytes=2,
)
"""CIFAR-100: files of 50,000 and 10,000 images, a hundred fine classes."""

_CIFAR10_NAMES = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR10_CLASSES = tuple(_CIFAR10_NAMES.split())
"""Classes of CIFAR-10 in label order."""

_CIFAR100_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100_CLASSES = tuple(_CIFAR100_NAMES.split())
"""Fine classes of CIFAR-100 in label order."""


def is_cifar_folder(path: Path, layout: CifarLayout) -> bool:
    """Return whether a folder holds all files of the binary form."""
    return all((path / name).is_file() for name in layout.files)


def read_cifar(path: Path, layout: CifarLayout, classes: tuple[str, ...]) -> Dataset:
    """Read the binary form of CIFAR-10 or CIFAR-100.

    Parameters
    ----------
    path : Path
        Folder of the files.
    layout : CifarLayout
        Which of the two it is.
    classes : tuple of str
        Class names in label order.

    Returns
    -------
    Dataset
        Images ``(n, 32, 32, 3)`` with parts; `ids` are ``"train/0"`` and so on.

    Raises
    ------
    InputError
        If a file is not made of whole records, or has labels that are no classes.
    """
    digest = hashlib.sha256()
    images, codes, parts = [], [], []
    for name, part in layout.files.items():
        content = (path / name).read_bytes()
        digest.update(content)
        pixels, labels = _records(content, path / name, layout)
        images.append(pixels)
        codes.append(labels)
        parts.append(np.repeat([part], len(labels)))
    dataset = Dataset(
        name=path.name,
        X=np.concatenate(images),
        codes=np.concatenate(codes),
        classes=classes,
        ids=_numbered(np.concatenate(parts)),
        parts=np.concatenate(parts),
        fingerprint=digest.hexdigest(),
    )
    if dataset.codes.max() >= len(classes):
        raise _damaged(path, f"A label is {dataset.codes.max()}, of {len(classes)} classes")
    return dataset


def _records(content: bytes, path: Path, layout: CifarLayout) -> tuple[ImageArray, CodeArray]:
    size = layout.label_bytes + _PIXELS
    if not content or len(content) % size:
        raise _damaged(path, f"It has {len(content):,} bytes, no multiple of {size:,}")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    planes = records[:, layout.label_bytes :].reshape(-1, 3, 32, 32)
    labels = records[:, layout.label_bytes - 1].astype(np.int64)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _numbered(parts: np.ndarray) -> np.ndarray:
    """Count the examples of each part from 0; each part is one run of the array."""
    first = {name: int(np.argmax(parts == name)) for name in np.unique(parts)}
    return np.array([f"{part}/{at - first[part]}" for at, part in enumerate(parts)])


def _damaged(path: Path, fault: str) -> InputError:
    return InputError(
        f"{path} must be in the binary form of CIFAR.",
        f"{fault}.",
        "Fetch it again with `--download`.",
    )
