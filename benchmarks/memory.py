"""Peak memory of training on a data set four times larger than a stated limit.

Writes an .npz file of random images, reads it and trains one epoch, in a process of its own; the
same is done with a data set of a few megabytes. The difference of the two peaks is what the size
of the data costs; it must stay below the limit, a quarter of the data. Linux only.

    python benchmarks/memory.py [--limit-mb 256] [--repeats 3] [--out FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import record, summary

SIDE = 128

TRAIN = """
import json, sys
from pathlib import Path
from equipoise.data.options import ReadOptions
from equipoise.experiment import Experiment
from equipoise.plan import Plan
params = {"backbone": "ResNet(depth=8, width=2)", "epochs": 1, "device": "cpu", "batch_size": 32}
options = ReadOptions(cache=Path(sys.argv[2], "cache"))
plan = Plan.make(Experiment(source=sys.argv[1], options=options, params=params))
plan.run(Path(sys.argv[2], "run"))
with open("/proc/self/status") as status:  # ru_maxrss would count what the parent held
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({"peak_mb": peak, "examples": len(plan.parts.dataset)}))
"""


def write_images(path: Path, megabytes: int) -> None:
    """Write random images of this total size, with ten classes, as an .npz file."""
    n = megabytes * 2**20 // (SIDE * SIDE * 3)
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(
        path.with_suffix(".npy"), mode="w+", dtype=np.uint8, shape=(n, SIDE, SIDE, 3)
    )
    for start in range(0, n, 1000):
        stop = min(start + 1000, n)
        images[start:stop] = random.integers(0, 256, (stop - start, SIDE, SIDE, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(n) % 10)
    path.with_suffix(".npy").unlink()


def peak_mb(data: Path, folder: Path) -> float:
    """Return the peak resident memory of reading and training, in MiB."""
    command = [sys.executable, "-c", TRAIN, str(data), str(folder)]
    done = subprocess.run(command, capture_output=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])["peak_mb"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit-mb", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    growths, peaks = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "small.npz", 8)
        write_images(folder / "large.npz", 4 * args.limit_mb)
        for i in range(args.repeats):
            small = peak_mb(folder / "small.npz", folder / f"small{i}")
            peaks.append(peak_mb(folder / "large.npz", folder / f"large{i}"))
            growths.append(peaks[-1] - small)
    record(
        args.out,
        {
            "what": "peak memory above that of the same training on 8 MiB of images, in MiB",
            "growth_mb": summary(growths),
            "peak_mb": summary(peaks),
            "data_mb": 4 * args.limit_mb,
            "limit_mb": args.limit_mb,
        },
    )


if __name__ == "__main__":
    main()
