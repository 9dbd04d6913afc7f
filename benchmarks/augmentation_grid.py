"""A picture of what each image augmentation does to real images.

Draws one row for each registered augmentation of images, with its default values, and the
images themselves on top. They are those of CIFAR-10 where it is at hand, else made of waves.

    python benchmarks/augmentation_grid.py [--columns 8] [--seed 0] [--out augmentations.png]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from decode_once import pictures
from matplotlib.figure import Figure

from equipoise.standard.augmentation import AUGMENTATIONS, Augmentation
from equipoise.standard.backbones.base import ImageInput

INCHES = 0.7
"""Side of one picture in the figure."""


def changed(
    augmentation: Augmentation, images: np.ndarray, seed: int, known: torch.Tensor
) -> np.ndarray:
    """Return augmented images, channels last; `known` are those that augmentations may draw on."""
    height, width, channels = images.shape[1:]
    statistics = (0.5,) * channels, (0.25,) * channels
    transform = augmentation.bind(ImageInput(height, width, channels, *statistics), known)
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2)
    result = transform(inputs, torch.Generator().manual_seed(seed), None)
    return result.permute(0, 2, 3, 1).clamp(0, 255).to(torch.uint8).numpy()


def grid(
    augmentation: Augmentation | Sequence[Augmentation],
    images: np.ndarray,
    path: Path,
    *,
    columns: int = 8,
    seed: int = 0,
) -> None:
    """Draw images and what becomes of them as a PNG file, one row for each augmentation.

    Parameters
    ----------
    augmentation : Augmentation or sequence of Augmentation
        One row each, labelled with the text that configures it.
    images : array of uint8, shape (examples, height, width, channels)
        The first `columns` are drawn.
    path : Path
        Where the picture is written.
    columns : int, default=8
        Number of images.
    seed : int, default=0
        Seed of every row's random numbers.
    """
    rows = [augmentation] if isinstance(augmentation, Augmentation) else list(augmentation)
    shown = np.ascontiguousarray(images[:columns])
    known = torch.from_numpy(shown).permute(0, 3, 1, 2)
    lines = [("images", shown)]
    lines += [(repr(each), changed(each, shown, seed, known)) for each in rows]
    figure = Figure(figsize=(INCHES * (len(shown) + 3), INCHES * len(lines)))
    axes = figure.subplots(len(lines), len(shown), squeeze=False)
    for row, (label, batch) in zip(axes, lines, strict=True):
        row[0].text(-0.15, 0.5, label, transform=row[0].transAxes, ha="right", va="center")
        for place, image in zip(row, batch, strict=True):
            place.imshow(image.squeeze(), cmap="grey", vmin=0, vmax=255)
            place.set_axis_off()
    figure.savefig(path, format="png", bbox_inches="tight", dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--columns", type=int, default=8, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    parser.add_argument("--out", type=Path, default=Path("augmentations.png"), help="PNG file")
    arguments = parser.parse_args()
    images, source = pictures(arguments.columns)
    of_images = [kind() for kind in AUGMENTATIONS.values() if kind.modality == "images"]
    grid(of_images, images, arguments.out, columns=arguments.columns, seed=arguments.seed)
    print(f"{arguments.out}: {len(of_images)} augmentations of {source}")


if __name__ == "__main__":
    main()
