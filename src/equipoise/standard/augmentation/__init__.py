"""Augmentation of whole batches, with parameters drawn for each example."""

from equipoise.standard.augmentation.base import Augmentation as Augmentation
from equipoise.standard.augmentation.base import Graded as Graded
from equipoise.standard.augmentation.base import Pipeline as Pipeline
from equipoise.standard.augmentation.base import Transform as Transform
from equipoise.standard.augmentation.blur import Blur as Blur
from equipoise.standard.augmentation.colour import ColorJitter as ColorJitter
from equipoise.standard.augmentation.colour import Grayscale as Grayscale
from equipoise.standard.augmentation.crops import CropFlip as CropFlip
from equipoise.standard.augmentation.crops import RandomResizedCrop as RandomResizedCrop
from equipoise.standard.augmentation.erasing import Cutout as Cutout
from equipoise.standard.augmentation.erasing import RandomErasing as RandomErasing
from equipoise.standard.augmentation.policies import AugMix as AugMix
from equipoise.standard.augmentation.policies import AutoAugment as AutoAugment
from equipoise.standard.augmentation.policies import RandAugment as RandAugment
from equipoise.standard.augmentation.policies import TrivialAugment as TrivialAugment
from equipoise.standard.augmentation.presets import Preset as Preset
from equipoise.standard.augmentation.tables import FeatureMasking as FeatureMasking
from equipoise.standard.augmentation.tables import FeatureNoise as FeatureNoise
from equipoise.standard.augmentation.tables import FeatureSwap as FeatureSwap
from equipoise.standard.augmentation.tables import QuantileJitter as QuantileJitter
from equipoise.standard.augmentation.turns import FlipRotate as FlipRotate
from equipoise.standard.augmentation.turns import Rotation as Rotation

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    kind.__name__: kind
    for kind in (
        CropFlip,
        RandomResizedCrop,
        FlipRotate,
        Rotation,
        ColorJitter,
        Grayscale,
        Blur,
        Cutout,
        RandomErasing,
        AutoAugment,
        RandAugment,
        TrivialAugment,
        AugMix,
        Preset,
        FeatureNoise,
        FeatureMasking,
        FeatureSwap,
        QuantileJitter,
    )
}
"""Augmentations by name, for images and then for tables; joined with ``|``."""
