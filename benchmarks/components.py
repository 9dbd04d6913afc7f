"""What each component costs: time of an epoch with it over time without, ResNet-32, batch 128.

Three tables: throughput with augmentation over throughput on pre-loaded batches (with a
per-sample PIL loop of torchvision beside it), time with each component over time of plain
training with crop and flip, and the same for a network about four times faster. Cases take
turns with their baseline in one process, so that the machine's drift hits both; only ratios are
evidence.

    python benchmarks/components.py [--steps 10] [--pairs 5] [--only TEXT] [--out FILE]
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import record, summary
from PIL import Image
from throughput import BATCH, PreLoaded, plain_stage, seconds_of_epoch, training
from torchvision import transforms

from equipoise.batches import Examples, Source
from equipoise.devices import fast_bf16
from equipoise.settings import COMPONENTS
from equipoise.spec import resolve
from equipoise.stage import Stage
from equipoise.standard.augmentation import Pipeline

FED = {
    "CropFlip": "CropFlip()",
    "TrivialAugment": "CropFlip() | TrivialAugment()",
    "RandAugment": "CropFlip() | RandAugment()",
    "AutoAugment": "CropFlip() | AutoAugment()",
}
"""Augmentations whose throughput is compared with pre-loaded batches; target 0.85."""

PER_SAMPLE = {"TrivialAugment": "TrivialAugmentWide"}
"""What torchvision calls a policy, where its name is another."""

COSTS: dict[str, tuple[dict[str, str], float | None]] = {
    "SAM": ({"sharpness": "SAM()"}, 2.1),
    "ASAM": ({"sharpness": "ASAM()"}, 2.1),
    "SAMA direction": ({"sharpness": "SAMA()"}, 2.3),
    "SAMA radius": ({"sharpness": 'SAMA(reading="radius")'}, 2.3),
    "ImbSAM": ({"sharpness": "ImbSAM()"}, 2.3),
    "FocalSAM": ({"sharpness": "FocalSAM()"}, 2.3),
    "SAM every=5": ({"sharpness": "SAM(every=5)"}, 1.3),
    "Joint-SSL VICReg": ({"auxiliary": "VICReg()"}, 2.4),
    "Joint-SSL SimCLR": ({"auxiliary": "SimCLR()"}, 2.4),
    "EMA": ({"average": "EMA()"}, 1.05),
    "SWA": ({"average": "SWA()"}, None),
    "smoothing": ({"smoothing": "ClassConditional()"}, 1.05),
    "Mixup": ({"mixing": "Mixup()"}, 1.05),
    "CutMix": ({"mixing": "CutMix(probability=1.0)"}, 1.05),
    "MaxNorm": ({"constraint": "MaxNorm()"}, None),
}
"""Components beside plain training with crop and flip: what changes, and the target."""


class PerSample(Source):
    """The usual loop: one PIL image after the other through torchvision's transforms."""

    policy: Callable[[Image.Image], torch.Tensor] = staticmethod(torch.as_tensor)

    def take(self, positions: np.ndarray) -> torch.Tensor:
        """Return augmented images as bytes."""
        images = (Image.fromarray(self.array[row]) for row in self.rows[positions])
        return torch.stack([self.policy(image) for image in images])


def per_sample(policy: str | None) -> Callable[[Image.Image], torch.Tensor]:
    """Return crop and flip, then a policy, for one PIL image."""
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    if policy is not None:
        steps.append(getattr(transforms, PER_SAMPLE.get(policy, policy))())
    return transforms.Compose([*steps, transforms.PILToTensor()])


def with_components(stage: Stage, texts: dict[str, str]) -> Stage:
    """Return a stage with components given as text."""
    return replace(stage, **{k: resolve(v, COMPONENTS[k], k, _join(k)) for k, v in texts.items()})


def _join(field: str) -> Any:
    return Pipeline if field == "augmentation" else None


class Bench:
    """Times cases against their baselines.

    Parameters
    ----------
    depth : int
        Depth of the ResNet.
    precision : str
        Of its passes.
    steps, pairs : int
        Steps in an epoch, and timed pairs of epochs.
    """

    def __init__(self, depth: int, precision: str, steps: int, pairs: int) -> None:
        random = np.random.default_rng(0)
        n = steps * BATCH
        self.images = random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        # An imbalanced set of ten classes, so that rare ones are rare in a batch.
        share = 100.0 ** (-np.arange(10) / 9)
        self.codes = random.choice(10, n, p=share / share.sum())
        self.depth, self.precision, self.pairs = depth, precision, pairs

    def ready(self, stage: Stage, source: Source | None = None) -> tuple[Any, Examples]:
        """Return a training and its examples, warmed up."""
        source = source or Source(self.images, np.arange(len(self.images)))
        counts = torch.from_numpy(np.bincount(self.codes, minlength=10)).float()
        pair = (
            training(stage, self.precision, self.depth, counts),
            Examples(source, self.codes),
        )
        seconds_of_epoch(*pair)
        return pair

    def ratio(self, case: tuple[Any, Examples], base: tuple[Any, Examples]) -> dict[str, Any]:
        """Return the time of a case over that of its baseline, in turns."""
        found = []
        for i in range(self.pairs):
            order = (case, base) if i % 2 else (base, case)
            seconds = {id(pair): seconds_of_epoch(*pair) for pair in order}
            found.append(seconds[id(case)] / seconds[id(base)])
        return summary(found)

    def source(self, kind: type[Source]) -> Source:
        """Return the images as another kind of source."""
        return kind(self.images, np.arange(len(self.images)))


def fed(bench: Bench) -> dict[str, Any]:
    """Return throughput with augmentation over throughput on pre-loaded batches."""
    ceiling = bench.ready(plain_stage(), bench.source(PreLoaded))
    found = {}
    for name, text in FED.items():
        case = bench.ready(with_components(plain_stage(), {"augmentation": text}))
        found[name] = {"ours": bench.ratio(ceiling, case)}
        loop = bench.source(PerSample)
        loop.policy = per_sample(None if name == "CropFlip" else name)  # type: ignore[attr-defined]
        found[name]["per_sample_loop"] = bench.ratio(ceiling, bench.ready(plain_stage(), loop))
    return found


def costs(bench: Bench, only: str) -> dict[str, Any]:
    """Return the time with each component over that of plain training."""
    plain = with_components(plain_stage(), {"augmentation": "CropFlip()"})
    base = bench.ready(plain)
    found = {}
    for name, (texts, target) in COSTS.items():
        if only in name:
            ratio = bench.ratio(bench.ready(with_components(plain, texts)), base)
            found[name] = {**ratio, "target": target}
            print(name, found[name], flush=True)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a component's name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    precision = "bf16" if fast_bf16("cpu") else "fp32"
    usual = Bench(32, precision, args.steps, args.pairs)
    fast = Bench(8, precision, 4 * args.steps, args.pairs)
    result: dict[str, Any] = {"precision": precision, "steps": args.steps}
    result["cost"] = costs(usual, args.only)
    if not args.only:
        result["throughput"] = {
            "ResNet-32": fed(usual),
            "ResNet-32 fp32": fed(Bench(32, "fp32", args.steps, args.pairs)),
            "ResNet-8, about four times faster": fed(fast),
        }
        result["throughput_target"] = 0.85
    record(args.out, result)


if __name__ == "__main__":
    main()
