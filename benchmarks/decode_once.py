"""What decoding once costs, what it saves, and how fast batches come from the mapped file.

Writes JPEG files of 32 x 32 pixels in ten classes, then times three things:
``decode_seconds``, the first reading into an empty cache, by number of threads;
``open_seconds``, a later reading, which decodes nothing; and ``gather``, batches of 128 random
images a second from the mapped file and from memory. The two gathers take turns in one
process, so that the machine's drift hits both; only their ratio is evidence.

    python benchmarks/decode_once.py [--n 10000] [--repeats 5] [--out FILE]
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import record, summary
from PIL import Image, features

from equipoise.batches import Source
from equipoise.data.images import read_class_folder
from equipoise.data.options import ReadOptions

BATCH = 128
BATCHES = 400
SETTLED_SECONDS = 2.1  # files younger than two seconds are read again, for safety


def pictures(n: int) -> tuple[np.ndarray, str]:
    """Return n images, of CIFAR-10 where it is at hand, else made of waves, and which."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(os.environ.get("EQUIPOISE_ASSETS") or caches / "imbalance-assets") / "cifar10.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            return np.resize(archive["train_images"], (n, 32, 32, 3)), "CIFAR-10"
    waves = np.random.default_rng(0).normal(size=(n, 3, 3)) * 3
    y, x = np.mgrid[:32, :32] / 32
    phases = waves @ np.stack([np.ones_like(x), x, y]).reshape(3, -1)
    return (128 + 100 * np.sin(phases)).transpose(0, 2, 1).reshape(n, 32, 32, 3).astype(
        np.uint8
    ), "waves"


def write_files(folder: Path, images: np.ndarray) -> int:
    """Write the images as files in ten class folders and return their size in bytes."""
    for at, pixels in enumerate(images):
        path = folder / str(at % 10) / f"{at:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)
    return sum(path.stat().st_size for path in folder.rglob("*.jpg"))


def seconds(folder: Path, cache: Path, workers: int | None = None) -> tuple[float, np.ndarray]:
    """Return the time of one reading, and the images."""
    start = time.perf_counter()
    data = read_class_folder(folder, ReadOptions(cache=cache, workers=workers))
    return time.perf_counter() - start, np.asarray(data.X)


def decoding(folder: Path, cache: Path, repeats: int) -> dict[str, Any]:
    """Return the time of readings into an empty cache, threads taking turns."""
    times: dict[str, list[float]] = {"1": [], "default": []}
    for _ in range(repeats):
        for name, workers in (("1", 1), ("default", None)):
            shutil.rmtree(cache, ignore_errors=True)
            times[name].append(seconds(folder, cache, workers)[0])
    return {f"threads_{name}": summary(values) for name, values in times.items()}


def batches_a_second(images: np.ndarray, seed: int) -> float:
    """Return how many batches of random images training takes out of an array in a second."""
    source = Source(images, np.arange(len(images)))
    draw = np.random.default_rng(seed)
    positions = draw.integers(len(images), size=(BATCHES, BATCH))
    start = time.perf_counter()
    for batch in positions:
        source.take(batch)
    return BATCHES / (time.perf_counter() - start)


def gathering(mapped: np.ndarray, repeats: int) -> dict[str, Any]:
    """Return the rates of both arrays and the ratio of each pair; the file is in memory by then."""
    loaded = np.array(mapped)
    pairs = [
        (batches_a_second(mapped, seed), batches_a_second(loaded, seed)) for seed in range(repeats)
    ]
    return {
        "mapped_batches_a_second": summary([pair[0] for pair in pairs]),
        "loaded_batches_a_second": summary([pair[1] for pair in pairs]),
        "mapped_by_loaded": summary([pair[0] / pair[1] for pair in pairs]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="number of files")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each kind")
    parser.add_argument("--out", type=Path, help="where to keep the result")
    arguments = parser.parse_args()
    images, source = pictures(arguments.n)
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place, "files"), Path(place, "cache")
        size = write_files(folder, images)
        decode_seconds = decoding(folder, cache, arguments.repeats)
        time.sleep(SETTLED_SECONDS)
        seconds(folder, cache)
        opened = [seconds(folder, cache) for _ in range(arguments.repeats)]
        result = {
            "files": arguments.n,
            "source": source,
            "megabytes": round(size / 1e6, 1),
            "decode_seconds": decode_seconds,
            "open_seconds": summary([each[0] for each in opened]),
            "gather": gathering(opened[-1][1], arguments.repeats),
            "processors": os.cpu_count(),
            "decoder": {name: features.version(name) for name in ("pil", "libjpeg_turbo")},
        }
    record(arguments.out, result)


if __name__ == "__main__":
    main()
