"""The catalog: data sets that have a name, what they are, and where they come from."""

from dataclasses import dataclass

from equipoise.data.cifar import (
    CIFAR10,
    CIFAR10_CLASSES,
    CIFAR100,
    CIFAR100_CLASSES,
    CifarLayout,
)
from equipoise.data.downloads import Remote

IDX_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""Files of a complete folder of the kind of MNIST, without a possible ``.gz``."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A named data set.

    Parameters
    ----------
    name : str
        How it is called.
    description : str
        What it is, in a line.
    classes : tuple of str
        Class names in label order.
    shape : tuple of int
        Height, width and channels of an image.
    paths : tuple of str
        Files and folders, relative to a data folder, that hold it; the first is where a
        fetched copy goes.
    remotes : tuple of Remote
        What to fetch: an archive for CIFAR, else the files themselves.
    cifar : CifarLayout or None
        Layout of the binary form, for the two data sets that have it.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    paths: tuple[str, ...] = ()
    remotes: tuple[Remote, ...] = ()
    cifar: CifarLayout | None = None


DIGITS = Entry(
    name="digits",
    description="1,797 handwritten digits, 8 x 8, grey; comes with scikit-learn",
    classes=tuple("0123456789"),
    shape=(8, 8, 1),
)
"""The one data set that is always here."""

_FASHION_HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_FASHION_SUMS = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
_FASHION_MNIST = Entry(
    name="fashion-mnist",
    description="70,000 pictures of clothing, 28 x 28, grey, 10 classes",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    shape=(28, 28, 1),
    paths=(
        *("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
        *("fashion-mnist.npz", "fashion_mnist.npz"),
    ),
    remotes=tuple(
        Remote(url=f"{_FASHION_HOME}/{stem}.gz", md5=md5)
        for stem, md5 in zip(IDX_STEMS, _FASHION_SUMS, strict=True)
    ),
)

_CIFAR_HOME = "https://www.cs.toronto.edu/~kriz"
_CIFAR10 = Entry(
    name="cifar10",
    description="60,000 photographs, 32 x 32, colour, 10 classes",
    classes=CIFAR10_CLASSES,
    shape=(32, 32, 3),
    paths=(CIFAR10.folder, "cifar10.npz", "cifar-10.npz", "cifar_10.npz"),
    remotes=(
        Remote(url=f"{_CIFAR_HOME}/cifar-10-binary.tar.gz", md5="c32a1d4ab5d03f1284b67883e8d87530"),
    ),
    cifar=CIFAR10,
)
_CIFAR100 = Entry(
    name="cifar100",
    description="60,000 photographs, 32 x 32, colour, 100 classes",
    classes=CIFAR100_CLASSES,
    shape=(32, 32, 3),
    paths=(CIFAR100.folder, "cifar100.npz", "cifar-100.npz", "cifar_100.npz"),
    remotes=(
        Remote(
            url=f"{_CIFAR_HOME}/cifar-100-binary.tar.gz", md5="03b5dce01913d631647c71ecec9e9cb8"
        ),
    ),
    cifar=CIFAR100,
)

CATALOG = {entry.name: entry for entry in (DIGITS, _FASHION_MNIST, _CIFAR10, _CIFAR100)}
"""The data sets that have a name."""


def catalog_name(text: str) -> str | None:
    """Return the catalog's name for a data set, or None if it has none.

    Case, dashes and underscores do not count.

    >>> catalog_name("FashionMNIST"), catalog_name("CIFAR-10"), catalog_name("./digits")
    ('fashion-mnist', 'cifar10', None)
    """
    plain = {name.replace("-", ""): name for name in CATALOG}
    return plain.get(text.lower().replace("-", "").replace("_", ""))
