"""Training in stages: what was made for imbalanced classes begins late, or on the head alone."""

from equipoise.specialized.stages.base import S as S
from equipoise.specialized.stages.base import Staged as Staged
from equipoise.specialized.stages.base import Stages as Stages
from equipoise.specialized.stages.decoupled import CRT as CRT
from equipoise.specialized.stages.decoupled import LWS as LWS
from equipoise.specialized.stages.decoupled import MiSLAS as MiSLAS
from equipoise.specialized.stages.decoupled import WeightBalancing as WeightBalancing
from equipoise.specialized.stages.deferred import DRS as DRS
from equipoise.specialized.stages.deferred import DRW as DRW
from equipoise.specialized.stages.deferred import Deferred as Deferred
from equipoise.specialized.stages.deferred import DeferredLoss as DeferredLoss
from equipoise.specialized.stages.translated import M2m as M2m

STAGES: dict[str, type[Stages]] = {
    "DRW": DRW,
    "DRS": DRS,
    "DeferredLoss": DeferredLoss,
    "CRT": CRT,
    "LWS": LWS,
    "MiSLAS": MiSLAS,
    "WeightBalancing": WeightBalancing,
    "M2m": M2m,
}
"""Trainings in two stages by name."""
