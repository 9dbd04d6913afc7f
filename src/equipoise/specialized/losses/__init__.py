"""Losses made for imbalanced classes."""

from equipoise.specialized.losses.adjusted import BalancedSoftmax as BalancedSoftmax
from equipoise.specialized.losses.adjusted import LogitAdjusted as LogitAdjusted
from equipoise.specialized.losses.adjusted import VectorScaling as VectorScaling
from equipoise.specialized.losses.base import SpecializedLoss as SpecializedLoss
from equipoise.specialized.losses.focal import Focal as Focal
from equipoise.specialized.losses.influence import InfluenceBalanced as InfluenceBalanced
from equipoise.specialized.losses.margins import LDAM as LDAM

LOSSES: dict[str, type[SpecializedLoss]] = {
    "Focal": Focal,
    "LDAM": LDAM,
    "BalancedSoftmax": BalancedSoftmax,
    "LogitAdjusted": LogitAdjusted,
    "VectorScaling": VectorScaling,
    "InfluenceBalanced": InfluenceBalanced,
}
"""Specialized losses by name."""
