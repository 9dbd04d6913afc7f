"""Training throughput with crop and flip, as a share of the same loop on pre-loaded batches.

ResNet-32, 32 x 32 x 3, batch 128. The two loops take turns in one process, so that the
machine's drift hits both; only their ratio is evidence.

    python benchmarks/throughput.py [--steps 40] [--pairs 7] [--out FILE]
"""

import argparse
import functools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from common import record, summary

from equipoise.batches import Examples, Source
from equipoise.devices import Device, fast_bf16
from equipoise.stage import Stage
from equipoise.standard.augmentation import CropFlip
from equipoise.standard.backbones import ImageInput, ResNet
from equipoise.standard.heads import Linear
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.networks import build_network
from equipoise.standard.optimizers import SGD
from equipoise.standard.schedules import Cosine
from equipoise.training import Training

BATCH = 128


class PreLoaded(Source):
    """The ceiling: the same tensor for every batch, so that feeding costs nothing."""

    @functools.cached_property
    def batch(self) -> torch.Tensor:
        """The one batch, read once."""
        return super().take(np.arange(BATCH))

    def take(self, positions: np.ndarray) -> torch.Tensor:
        """Return the one batch, whatever is asked for."""
        return self.batch[: len(positions)]


def plain_stage() -> Stage:
    """Return plain training without augmentation."""
    return Stage(
        epochs=1000,
        batch_size=BATCH,
        optimizer=SGD(lr=0.01),
        schedule=Cosine(),
        loss=CrossEntropy(),
    )


def training(
    stage: Stage, precision: str, depth: int = 32, counts: torch.Tensor | None = None
) -> Training:
    """Return a ResNet about to be trained."""
    torch.manual_seed(0)
    inputs = ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3)
    network = build_network(ResNet(depth=depth), Linear(), inputs, 10)
    network = network.to(memory_format=torch.channels_last)
    counts = torch.full((10,), 10.0) if counts is None else counts
    return Training(stage, network, Device("cpu", precision), counts, 0)


def seconds_of_epoch(run: Training, examples: Examples) -> float:
    """Return the time of one epoch."""
    started = time.perf_counter()
    run.run_epoch(examples, lambda _: None, None)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    n = args.steps * BATCH
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    codes, rows = random.integers(0, 10, n), np.arange(n)
    precision = "bf16" if fast_bf16("cpu") else "fp32"
    cropped = replace(plain_stage(), augmentation=CropFlip())
    fed = training(cropped, precision), Examples(Source(images, rows), codes)
    ceiling = training(plain_stage(), precision), Examples(PreLoaded(images, rows), codes)
    for pair in (fed, ceiling):
        seconds_of_epoch(*pair)  # warm-up
    ratios, rates = [], []
    for i in range(args.pairs):
        order = (fed, ceiling) if i % 2 else (ceiling, fed)
        seconds = {id(pair): seconds_of_epoch(*pair) for pair in order}
        ratios.append(seconds[id(ceiling)] / seconds[id(fed)])
        rates.append(n / seconds[id(fed)])
    record(
        args.out,
        {
            "what": "throughput with crop and flip over throughput on pre-loaded batches",
            "ratio": summary(ratios),
            "images_per_second": summary(rates),
            "precision": precision,
            "target": 0.95,
        },
    )


if __name__ == "__main__":
    main()
