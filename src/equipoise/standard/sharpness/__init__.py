"""Sharpness-aware gradients: the descent gradient is taken where the loss nearby is high."""

from equipoise.standard.sharpness.base import ClassWeights as ClassWeights
from equipoise.standard.sharpness.base import Closure as Closure
from equipoise.standard.sharpness.base import Gradients as Gradients
from equipoise.standard.sharpness.base import Sharpness as Sharpness
from equipoise.standard.sharpness.base import frozen_statistics as frozen_statistics
from equipoise.standard.sharpness.by_class import SAMA as SAMA
from equipoise.standard.sharpness.by_class import FocalSAM as FocalSAM
from equipoise.standard.sharpness.by_class import ImbSAM as ImbSAM
from equipoise.standard.sharpness.uniform import ASAM as ASAM
from equipoise.standard.sharpness.uniform import SAM as SAM

SHARPNESSES: dict[str, type[Sharpness]] = {
    "SAM": SAM,
    "ASAM": ASAM,
    "SAMA": SAMA,
    "ImbSAM": ImbSAM,
    "FocalSAM": FocalSAM,
}
"""Sharpness-aware methods by name."""
