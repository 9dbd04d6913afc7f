"""Augmentation of whole batches, with parameters drawn for each example."""

from equipoise.standard.augmentation.base import Augmentation as Augmentation
from equipoise.standard.augmentation.base import Graded as Graded
from equipoise.standard.augmentation.base import Pipeline as Pipeline
from equipoise.standard.augmentation.base import Transform as Transform
from equipoise.standard.augmentation.crops import CropFlip as CropFlip

AUGMENTATIONS: dict[str, type[Augmentation]] = {"CropFlip": CropFlip}
"""Augmentations by name."""
